//! The command line, as clap reads it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::decisions::ListState;
use crate::model::{Field, Limit};
use crate::sandbox::{Fault, Quirk};
use crate::telemetry::LogFormat;

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

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The CSV file, or the directory of vCards
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,

    /// Read Linq's token from standard input; else it is taken from LINQ_TOKEN, or
    /// asked for on a terminal
    #[arg(long)]
    pub(super) token_stdin: bool,

    /// Where the API is [default: Linq's own]
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,

    /// Who owns contacts that are created in Linq
    #[arg(long, value_name = "EMAIL")]
    pub(super) owner: Option<String>,

    /// A column that is not recognised, such as "email=Private mail"; full_name stands for
    /// one with whole names, and several for location are joined
    #[arg(long = "column", value_name = "FIELD=COLUMN", value_parser = column)]
    pub(super) columns: Vec<(String, String)>,

    /// The column that identifies a row
    #[arg(long, value_name = "COLUMN")]
    pub(super) key: Option<String>,

    /// The column to keep filled with Linq's ids
    #[arg(long, value_name = "COLUMN")]
    pub(super) id_column: Option<String>,

    /// The encoding of the file, where it is not found out, such as windows-1250
    #[arg(long, value_name = "ENCODING")]
    pub(super) encoding: Option<String>,

    /// "both", "push" or "pull"
    #[arg(long, value_name = "DIRECTION")]
    pub(super) direction: Option<String>,

    /// The country of phone numbers without a country code, such as US
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
}

fn column(text: &str) -> Result<(String, String), String> {
    let (field, column) = text.split_once('=').ok_or("write FIELD=COLUMN")?;
    let field = if field == "full_name" { field.to_owned() } else { field_name(field)? };
    Ok((field, column.to_owned()))
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Only tell whether a daemon answers and its runs do what they should: exit code 0 or 1
    #[arg(long, conflicts_with = "json")]
    pub(super) healthy: bool,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Send nothing over the network
    #[arg(long)]
    pub(super) offline: bool,

    /// Exit with 3 when there are warnings
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, Args)]
pub(super) struct WebPasswordArgs {
    /// Whose password it is; that of the other role stays as it is
    #[arg(long, value_enum, default_value_t = WebRole::Decide)]
    pub(super) role: WebRole,
}

/// What somebody may do in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WebRole {
    /// See everything, and decide.
    Decide,
    /// See everything.
    Look,
}

/// Only a test can be asked for: runs send the messages.
#[derive(Debug, Args)]
pub(super) struct NotifyArgs {
    /// Sends a test message
    #[arg(long, required = true)]
    pub(super) test: bool,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Leave the directory with its files
    #[arg(long)]
    pub(super) keep: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// A command, or "sync.toml" for the configuration
    #[arg(value_name = "COMMAND")]
    pub(super) page: Option<String>,
}

#[derive(Debug, Default, Args)]
pub(super) struct PlanArgs {
    /// Exit with 8 when there are steps
    #[arg(long)]
    pub(super) detailed_exitcode: bool,

    /// Only these contacts: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(long, value_name = "WHO", num_args = 1..)]
    pub(super) only: Vec<String>,

    /// Keep the plan in this file, for `apply`; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    #[command(flatten)]
    pub(super) limit: LimitArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Show what the run would do, as `plan` does
    #[arg(long)]
    pub(super) dry_run: bool,

    #[command(flatten)]
    pub(super) limit: LimitArgs,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// The file that `plan --out` has written
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    #[command(flatten)]
    pub(super) limit: LimitArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Reads both sides and says how many linked contacts are recognised, and refuses \
                        when less than half are. Whoever is not recognised is not deleted by the \
                        next run.\n\nExamples:\n  linqsync adopt\n  linqsync adopt --yes \
                        /backup/linqsync"
)]
pub(super) struct AdoptArgs {
    /// The state directory to take over [default: the configuration's own, else the one at the
    /// default place that has this source or this Linq]
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(value_name = "WHO")]
    pub(super) who: String,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Every change of this run
    #[arg(long, value_name = "N")]
    pub(super) run: Option<i64>,

    /// Only this contact: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(long, value_name = "WHO")]
    pub(super) contact: Option<String>,

    /// From this time on: 2026-11-20, "2026-11-20 14:30", 2d (two days ago) or yesterday
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,

    /// Up to this time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,

    /// All runs, and not only the last 20 lines of them
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The format [default: csv; with --json: json]
    #[arg(long, value_enum)]
    pub(super) format: Option<ExportFormat>,

    /// As they were at this time, as far as the history tells: 2026-11-20,
    /// "2026-11-20 14:30", 2d (two days ago) or yesterday
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,

    /// Save it here, readable by you alone; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// A format in which contacts leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// A table (RFC 4180) with Linq's names for the fields.
    Csv,
    /// Cards, vCard 3.0 (RFC 2426).
    Vcard,
    /// One document.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Print a table for a spreadsheet
    #[arg(long)]
    pub(super) csv: bool,
}

#[derive(Debug, Args)]
pub(super) struct PurgeArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(value_name = "WHO")]
    pub(super) who: String,

    /// Do not ask whether it is meant
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// What to list; without it, everything that needs attention, a line for each thing
    #[arg(value_enum)]
    pub(super) state: Option<ListState>,

    /// Print a table for a spreadsheet; filled in, it goes back with `resolve --from`
    #[arg(long)]
    pub(super) csv: bool,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// The number of the run, as `linqsync history` shows it
    #[arg(value_name = "RUN", required_unless_present = "since", conflicts_with = "since")]
    pub(super) run: Option<i64>,

    /// Put back what this run and all runs after it did
    #[arg(long, value_name = "RUN")]
    pub(super) since: Option<i64>,

    /// Only what it did to this contact: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(long, value_name = "WHO")]
    pub(super) contact: Option<String>,

    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    #[command(flatten)]
    pub(super) limit: LimitArgs,
}

#[derive(Debug, Args)]
pub(super) struct HeldArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N; without it, a terminal is asked
    #[arg(value_name = "WHO")]
    pub(super) who: Vec<String>,

    /// Everything that is held, as `list held` shows it; a terminal is asked first
    #[arg(long, conflicts_with = "who")]
    pub(super) all: bool,

    /// With --all: do not ask
    #[arg(long, requires = "all")]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(value_name = "WHO", required_unless_present = "all")]
    pub(super) who: Vec<String>,

    /// Everything that was refused, as `list rejected` shows it
    #[arg(long, conflicts_with = "who")]
    pub(super) all: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("decision"))]
pub(super) struct ResolveArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N; without it, a terminal is asked
    #[arg(value_name = "WHO")]
    pub(super) who: Vec<String>,

    /// Everything that the decision fits; a terminal is asked first
    #[arg(long, conflicts_with = "who", requires = "decision")]
    pub(super) all: bool,

    /// With --all: do not ask
    #[arg(long, requires = "all")]
    pub(super) yes: bool,

    /// Take the decisions from the table of `list --csv`, in which `decision` is filled in;
    /// "-" reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["who", "all", "decision", "field"])]
    pub(super) from: Option<PathBuf>,

    /// Conflicts: this side's value is right
    #[arg(long, value_enum, group = "decision", value_name = "SIDE")]
    pub(super) take: Option<TakeSide>,

    /// Conflicts: this value is right; needs --field
    #[arg(long, group = "decision", requires = "field", value_name = "V")]
    pub(super) value: Option<String>,

    /// Conflicts: only this field
    #[arg(long, value_name = "F", value_parser = field_name, conflicts_with_all = ["link", "separate"])]
    pub(super) field: Option<String>,

    /// Ambiguous: it is this contact in Linq
    #[arg(long, group = "decision", value_name = "ID", conflicts_with = "all")]
    pub(super) link: Option<u64>,

    /// Ambiguous or rejected: leave it alone on both sides; `list ignored` shows what is
    #[arg(long, group = "decision", requires = "who", conflicts_with = "field")]
    pub(super) ignore: bool,

    /// Look again at what is ignored
    #[arg(long, group = "decision", requires = "who", conflicts_with = "field")]
    pub(super) unignore: bool,

    /// Ambiguous: it is a contact that Linq does not have
    #[arg(long, group = "decision")]
    pub(super) separate: bool,
}

/// A side whose value is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TakeSide {
    /// The source's.
    Source,
    /// Linq's.
    Linq,
}

fn field_name(text: &str) -> Result<String, String> {
    let names = Field::ALL.map(Field::name);
    let known = Field::from_name(text).map(|field| field.name().to_owned());
    known.ok_or_else(|| format!("there is no such field; they are {}", names.join(", ")))
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  linqsync sandbox --contacts 20 --data mock &\n  linqsync sandbox edit \
                        \"Ada King\" title=Lady"
)]
pub(super) struct SandboxArgs {
    #[command(subcommand)]
    pub(super) command: Option<SandboxCommand>,

    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8025", value_name = "ADDRESS")]
    pub(super) listen: SocketAddr,

    /// How many invented contacts there are at the beginning
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) contacts: usize,

    /// Keep the contacts in this directory from one start to the next; without it nothing is
    /// kept
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// The token that it accepts
    #[arg(long, default_value = "sandbox-token")]
    pub(super) token: String,

    /// Where the invention begins: the same seed gives the same contacts
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,

    /// A fault, such as "create status=500 times=1" or "list delay=2s"
    #[arg(long = "fault", value_name = "FAULT")]
    pub(super) faults: Vec<Fault>,

    /// A different reading of the documents, such as owner-reset or truncate=50
    #[arg(long = "quirk", value_name = "QUIRK")]
    pub(super) quirks: Vec<Quirk>,
}

/// What a colleague does in a mock server that runs.
#[derive(Debug, Subcommand)]
pub(super) enum SandboxCommand {
    /// Add a contact to a mock server that runs
    Add {
        /// Fields and their values, such as first_name=Ada
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field_value)]
        values: Vec<(Field, String)>,
        #[command(flatten)]
        server: ChangeArgs,
    },
    /// Edit a contact in a mock server that runs
    Edit {
        /// Whom: an id, e-mail, phone or full name
        #[arg(value_name = "WHO")]
        who: String,
        /// Fields and their values, such as title=CTO; an empty one clears the field
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field_value)]
        values: Vec<(Field, String)>,
        #[command(flatten)]
        server: ChangeArgs,
    },
    /// Delete a contact in a mock server that runs
    Delete {
        /// Whom: an id, e-mail, phone or full name
        #[arg(value_name = "WHO")]
        who: String,
        #[command(flatten)]
        server: ChangeArgs,
    },
}

impl SandboxCommand {
    /// Which server is meant.
    pub(super) fn server_args(&self) -> &ChangeArgs {
        match self {
            SandboxCommand::Add { server, .. }
            | SandboxCommand::Edit { server, .. }
            | SandboxCommand::Delete { server, .. } => server,
        }
    }
}

/// A mock server that runs.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// Where it listens [default: as sync.toml says, else http://127.0.0.1:8025]
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,

    /// The token that it accepts [default: as sync.toml says, else sandbox-token]
    #[arg(long)]
    pub(super) token: Option<String>,
}

fn field_value(text: &str) -> Result<(Field, String), String> {
    let (name, value) = text.split_once('=').ok_or("write FIELD=VALUE")?;
    let field = Field::from_name(&field_name(name)?).filter(|field| *field != Field::Owner);
    Ok((field.ok_or("the owner is not edited here")?, value.to_owned()))
}
