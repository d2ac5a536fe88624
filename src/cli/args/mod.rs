//! The command line, as clap reads it.
//!
//! Owns the names and texts of commands and flags, those of each group of the help in a file.
//! Leaves what they do to the module of each command.

mod decide;
mod look;
mod maintain;
mod setup;
mod sync;
mod trial;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::model::Field;
use crate::model::Limit;
use crate::telemetry::LogFormat;

pub(super) use decide::{HeldArgs, ListArgs, ResolveArgs, RetryArgs, TakeSide};
pub(super) use look::{
    ExplainArgs, ExportArgs, ExportFormat, HistoryArgs, ReportArgs, StatusArgs, UndoArgs,
};
pub(super) use maintain::{AdoptArgs, CompletionsArgs, ManArgs, PurgeArgs};
pub(super) use setup::{CheckArgs, InitArgs, NotifyArgs, WebPasswordArgs, WebRole};
pub(super) use sync::{ApplyArgs, PlanArgs, RunArgs};
pub(super) use trial::{ChangeArgs, DemoArgs, SandboxArgs, SandboxCommand};

/// Keep an organisation's contacts the same in Linq and in a CSV file or vCards.
///
/// Without a command and without --once it is the daemon: a run at start and then
/// on the schedule, until SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "linqsync", version, max_term_width = 80)]
#[command(
    after_help = "Exit codes: 0 in sync, 2 wrong usage, configuration or source, 3 something \
                        waits for a person, 4 deletions are held, 5 the token was refused, 6 Linq \
                        unreachable, 7 another linqsync is at work."
)]
pub(super) struct Cli {
    /// The configuration [default: ./sync.toml, then
    /// $XDG_CONFIG_HOME/linqsync/sync.toml, then /etc/linqsync/sync.toml]
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "LINQSYNC_CONFIG",
        help_heading = "With every command"
    )]
    pub(super) config: Option<PathBuf>,

    /// Make one run and exit
    #[arg(long)]
    pub(super) once: bool,

    /// With --once: show what the run would do, as `plan` does
    #[arg(long, requires = "once")]
    pub(super) dry_run: bool,

    /// With --once: only these contacts take part: a Linq id, e-mail, phone, full name, key
    /// or row:N
    #[arg(long, value_name = "WHO", num_args = 1.., requires = "once")]
    pub(super) only: Vec<String>,

    #[command(flatten)]
    pub(super) limit: LimitArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,

    #[command(subcommand)]
    pub(super) command: Option<CliCommand>,
}

/// What holds for one run only.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct LimitArgs {
    /// How many deletions this run may carry out on a side: a number or a percentage
    #[arg(long, value_name = "N|P%")]
    pub(super) max_deletes: Option<Limit>,
}

impl Cli {
    /// What is typed to run `command` with this configuration.
    pub(super) fn command_line(&self, command: &str) -> String {
        match &self.config {
            Some(file) => format!("linqsync -c {} {command}", file.display()),
            None => format!("linqsync {command}"),
        }
    }

    /// The limit for this run, wherever on the line it stands.
    pub(super) fn max_deletes(&self) -> Option<Limit> {
        let of_command = match &self.command {
            Some(CliCommand::Run(args)) => args.limit.max_deletes,
            Some(CliCommand::Plan(args)) => args.limit.max_deletes,
            Some(CliCommand::Apply(args)) => args.limit.max_deletes,
            Some(CliCommand::Undo(args)) => args.limit.max_deletes,
            _ => None,
        };
        of_command.or(self.limit.max_deletes)
    }
}

/// How much is said, and in what form.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct OutputArgs {
    /// One JSON document on stdout, on failure too
    #[arg(long, global = true, help_heading = "With every command")]
    pub(super) json: bool,

    /// More logging; twice for still more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "With every command")]
    pub(super) verbose: u8,

    /// Log errors only
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "With every command"
    )]
    pub(super) quiet: bool,

    /// No line that tells how far a run is; the log tells instead, every 30 s
    #[arg(long, global = true, help_heading = "With every command")]
    pub(super) no_progress: bool,

    /// The form of the logs on stderr
    #[arg(long, global = true, value_enum, help_heading = "With every command")]
    pub(super) log_format: Option<LogFormat>,

    /// Colours in the output
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, help_heading = "With every command")]
    pub(super) color: Color,
}

impl OutputArgs {
    /// The arguments that say how much is logged, and in what form.
    pub(super) fn log_arguments(self) -> Vec<String> {
        let mut arguments = vec!["--verbose".to_owned(); usize::from(self.verbose)];
        arguments.extend(self.quiet.then(|| "--quiet".to_owned()));
        let mut option = |name: &str, value: Option<clap::builder::PossibleValue>| {
            arguments.extend(value.map(|value| format!("--{name}={}", value.get_name())));
        };
        option("log-format", self.log_format.and_then(|format| format.to_possible_value()));
        option("color", self.color.to_possible_value());
        arguments
    }
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum CliCommand {
    /// Look at a file or directory of contacts and write a sync.toml for it
    #[command(after_help = "Examples:\n  linqsync init contacts.csv\n  \
                            linqsync init cards --region GB --token-stdin < token")]
    Init(InitArgs),
    /// Check configuration, source, state, token and Linq; change nothing
    #[command(after_help = "Examples:\n  linqsync check\n  linqsync check --offline")]
    Check(CheckArgs),
    /// Set a password of the inbox that [web] serves
    #[command(after_help = "Examples:\n  linqsync web-password\n  \
                            linqsync web-password --role look < password")]
    WebPassword(WebPasswordArgs),
    /// Test the channel of [notify]
    #[command(after_help = "Examples:\n  linqsync notify --test\n  \
                            linqsync -c /etc/linqsync/sync.toml notify --test")]
    Notify(NotifyArgs),
    /// Make one run and exit, as --once does
    #[command(visible_alias = "sync")]
    #[command(after_help = "Examples:\n  linqsync run\n  linqsync run --max-deletes 20")]
    Run(RunArgs),
    /// Show what a run would do, per contact and field; change nothing
    #[command(after_help = "Examples:\n  linqsync plan\n  linqsync plan --out plan.json")]
    Plan(PlanArgs),
    /// Apply exactly a plan that `plan --out` saved, once
    #[command(after_help = "Examples:\n  linqsync apply plan.json\n  \
                            linqsync apply plan.json --max-deletes 20")]
    Apply(ApplyArgs),
    /// Read both sides again and prove them equal, or list the differences
    #[command(after_help = "Examples:\n  linqsync verify\n  linqsync verify --json")]
    Verify,
    /// List what needs attention, what is in sync, or duplicates, as the last run left it
    #[command(after_help = "Examples:\n  linqsync list\n  linqsync list held --csv")]
    List(ListArgs),
    /// Decide conflicts and ambiguous matches, for the next run to carry out
    #[command(after_help = "Examples:\n  linqsync resolve ada@acme.example --take source\n  \
                            linqsync resolve --from decisions.csv")]
    Resolve(ResolveArgs),
    /// Approve held deletions, clearings and changes, for the next run to carry out
    #[command(after_help = "Examples:\n  linqsync approve ada@acme.example\n  \
                            linqsync approve --all")]
    Approve(HeldArgs),
    /// Reject held deletions, clearings and changes: the next run puts back what was done
    #[command(after_help = "Examples:\n  linqsync reject ada@acme.example\n  \
                            linqsync reject --all")]
    Reject(HeldArgs),
    /// Retry what Linq or the source refused, in the next run
    #[command(after_help = "Examples:\n  linqsync retry ada@acme.example\n  \
                            linqsync retry --all")]
    Retry(RetryArgs),
    /// Show sync state, last run, pending decisions and next run
    #[command(after_help = "Examples:\n  linqsync status\n  linqsync status --json")]
    Status(StatusArgs),
    /// Show one contact: both sides, its history, what the next run would do and why
    #[command(after_help = "Examples:\n  linqsync explain ada@acme.example\n  \
                            linqsync explain row:12")]
    Explain(ExplainArgs),
    /// Show what was changed, when, where, by which run and why
    #[command(after_help = "Examples:\n  linqsync history --since yesterday\n  \
                            linqsync history --contact ada@acme.example")]
    History(HistoryArgs),
    /// Show the data quality of both sides: missing and unusable values, duplicates
    #[command(after_help = "Examples:\n  linqsync report\n  linqsync report --csv")]
    Report(ReportArgs),
    /// Export Linq's contacts, as the last run saw them, as CSV, vCards or JSON
    #[command(after_help = "Examples:\n  linqsync export --out contacts.csv\n  \
                            linqsync export --format vcard --at 2d")]
    Export(ExportArgs),
    /// Undo a run: put back on both sides what it did
    #[command(after_help = "Examples:\n  linqsync undo 12 --dry-run\n  linqsync undo --since 12")]
    Undo(UndoArgs),
    /// Adopt the state of a source that was renamed or moved, of another machine, or of a Linq
    /// with another address
    Adopt(AdoptArgs),
    /// Erase a contact from history, backups and mirror
    #[command(after_help = "Examples:\n  linqsync purge ada@acme.example\n  \
                            linqsync purge 4100002 --yes")]
    Purge(PurgeArgs),
    /// Print a script that completes commands in a shell
    #[command(after_help = "Examples:\n  linqsync completions bash\n  linqsync completions zsh")]
    Completions(CompletionsArgs),
    /// Print the manual page linqsync(1), or that of a command
    #[command(after_help = "Examples:\n  linqsync man\n  linqsync man sync.toml")]
    Man(ManArgs),
    /// Run a mock Linq server on this machine, or edit its contacts
    Sandbox(SandboxArgs),
    /// Show the main steps in a temporary directory, against a mock Linq server
    #[command(after_help = "Examples:\n  linqsync demo\n  linqsync demo --keep")]
    Demo(DemoArgs),
    /// Make a run for the daemon that starts it
    #[command(hide = true)]
    Worker,
    /// Check a password for the inbox that asks
    #[command(hide = true)]
    PasswordCheck,
}

fn field_name(text: &str) -> Result<String, String> {
    let names = Field::ALL.map(Field::name);
    let known = Field::from_name(text).map(|field| field.name().to_owned());
    known.ok_or_else(|| format!("there is no such field; they are {}", names.join(", ")))
}
