//! The command line: arguments in, text or JSON out, one exit code.
//!
//! Owns what people see. Leaves everything that is done to [`crate::run`],
//! [`crate::daemon`] and [`crate::sandbox`].

mod adopt;
mod apply;
mod args;
mod check;
mod decide;
mod demo;
mod explain;
mod export;
mod file;
mod foreword;
mod history;
mod init;
mod list;
mod log;
mod moment;
mod named;
mod notify;
mod once;
mod only;
mod pager;
mod progress;
mod purge;
mod quality;
mod reference;
mod rows;
mod sandbox;
pub(crate) mod show;
mod signals;
mod status;
mod undo;
mod usage;
mod verify;
mod web_password;
mod web_worker;
mod whose;

use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Parser;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::config::{Config, ConfigError, Overrides};
use crate::daemon::{self, Outside};
use crate::decisions::{entry as attention, table};
use crate::model::Timestamp;
use crate::open;
use crate::platform;
use crate::report::{ReportedError, RunReport, write_json};
use crate::telemetry::{Telemetry, TelemetryError, Verbosity};
use crate::text;
use args::{Cli, CliCommand, Color, OutputArgs};
use progress::AboveTheLine;
use signals::Signals;

/// Runs the program with this process's arguments.
pub fn main() -> ExitCode {
    // What is in memory is the token and people's data: no dump of it is left on a disk.
    platform::forbid_core_dumps();
    let code = match Cli::try_parse() {
        Ok(cli) => {
            cli.output.color.choice().write_global();
            start_command(&cli)
                .or_else(|error| report_refusal(cli.output, unexpected_error(&error)))
        }
        Err(error) => usage::report_usage(&error),
    };
    // What is left is that stdout or stderr cannot be written.
    ExitCode::from(code.unwrap_or(1))
}

fn unexpected_error(error: &anyhow::Error) -> ReportedError {
    ReportedError::from_error(error.as_ref(), 1, "")
}

fn start_command(cli: &Cli) -> anyhow::Result<u8> {
    if let Err(error) = telemetry(cli).init(AboveTheLine::default) {
        let code = match error {
            TelemetryError::Filter { .. } => 2,
            TelemetryError::SetTwice(_) => 1,
        };
        let hint = "correct the variable LINQSYNC_LOG or RUST_LOG, or use -v, -vv or -q";
        return report_refusal(cli.output, ReportedError::from_error(&error, code, hint));
    }
    std::panic::set_hook(Box::new(|panic| {
        // Not what it says: that may be a person's.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a defect of linqsync at {place}; please report this");
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start")?;
    let code = carry_out(cli, &runtime);
    // A thread that waits for a file system that hangs is not waited for.
    runtime.shutdown_background();
    code
}

fn carry_out(cli: &Cli, runtime: &Runtime) -> anyhow::Result<u8> {
    // A pager that is started listens to signals.
    let _within = runtime.enter();
    match &cli.command {
        Some(CliCommand::Init(args)) => runtime.block_on(init::init(cli, args)),
        Some(CliCommand::Check(args)) => runtime.block_on(check::check(cli, args)),
        Some(CliCommand::Run(args)) if args.dry_run => with_config(cli, |config| {
            let args = args::PlanArgs::default();
            runtime.block_on(once::plan(cli.output, &config, &args))
        }),
        Some(CliCommand::Run(_)) => {
            with_config(cli, |config| runtime.block_on(once::run_once(cli, &config)))
        }
        Some(CliCommand::Plan(args)) => {
            with_config(cli, |config| runtime.block_on(once::plan(cli.output, &config, args)))
        }
        Some(CliCommand::List(args)) => {
            with_config(cli, |config| list::list(cli.output, &config, args))
        }
        Some(CliCommand::Resolve(args)) => {
            with_config(cli, |config| decide::resolve(cli.output, &config, args))
        }
        Some(CliCommand::Retry(args)) => {
            with_config(cli, |config| decide::retry(cli.output, &config, args))
        }
        Some(CliCommand::Approve(args)) => {
            with_config(cli, |config| decide::approve(cli.output, &config, args))
        }
        Some(CliCommand::Reject(args)) => {
            with_config(cli, |config| decide::reject(cli.output, &config, args))
        }
        Some(CliCommand::Apply(args)) => {
            with_config(cli, |config| runtime.block_on(apply::apply(cli.output, &config, args)))
        }
        Some(CliCommand::Adopt(args)) => {
            with_config(cli, |config| runtime.block_on(adopt::adopt(cli, &config, args)))
        }
        Some(CliCommand::Status(args)) => {
            with_config(cli, |config| runtime.block_on(status::status(cli.output, &config, args)))
        }
        Some(CliCommand::Explain(args)) => {
            with_config(cli, |config| runtime.block_on(explain::explain(cli.output, &config, args)))
        }
        Some(CliCommand::History(args)) => {
            with_config(cli, |config| history::history(cli.output, &config, args))
        }
        Some(CliCommand::Verify) => {
            with_config(cli, |config| runtime.block_on(verify::verify_sides(cli.output, &config)))
        }
        Some(CliCommand::Export(args)) => {
            with_config(cli, |config| export::export(cli.output, &config, args))
        }
        Some(CliCommand::Report(args)) => {
            with_config(cli, |config| quality::quality_report(cli.output, &config, args))
        }
        Some(CliCommand::Purge(args)) => {
            with_config(cli, |config| purge::purge(cli.output, &config, args))
        }
        Some(CliCommand::Undo(args)) => {
            with_config(cli, |config| runtime.block_on(undo::undo_run(cli.output, &config, args)))
        }
        Some(CliCommand::WebPassword(args)) => {
            with_config(cli, |config| web_password::set(cli.output, &config, args))
        }
        Some(CliCommand::Notify(_)) => {
            with_config(cli, |config| runtime.block_on(notify::test(cli.output, &config)))
        }
        Some(CliCommand::Sandbox(args)) => runtime.block_on(sandbox::run_sandbox(cli, args)),
        Some(CliCommand::Demo(args)) => runtime.block_on(demo::demo(args)),
        Some(CliCommand::PasswordCheck) => web_worker::password_check(),
        Some(CliCommand::Worker) => {
            runtime.block_on(daemon::run_order(cli_overrides(cli), system_now, once::run_reply))?;
            Ok(0)
        }
        Some(CliCommand::Completions(args)) => reference::print_completions(args),
        Some(CliCommand::Man(args)) => reference::print_manual(cli.output, args),
        None if cli.once && cli.dry_run => with_config(cli, |config| {
            let args = args::PlanArgs { only: cli.only.clone(), ..Default::default() };
            runtime.block_on(once::plan(cli.output, &config, &args))
        }),
        None if cli.once && !cli.only.is_empty() => {
            with_config(cli, |config| runtime.block_on(only::run_only(cli, &config)))
        }
        None if cli.once => {
            with_config(cli, |config| runtime.block_on(once::run_once(cli, &config)))
        }
        None => with_config(cli, |config| runtime.block_on(serve_daemon(cli, config))),
    }
}

/// Is the daemon until it is told to stop. Returns the exit code.
async fn serve_daemon(cli: &Cli, config: Config) -> anyhow::Result<u8> {
    let signals = Signals::listen_for_the_daemon()?;
    let file = config.file.clone();
    let program = platform::program_path();
    let helpers = web_worker::helpers(&program);
    let outside = Outside {
        clock: system_now,
        stop: signals.stop(),
        reload: &|| Config::load(Some(&file), &cli_overrides(cli)).map(open::locate_state),
        worker: &|| worker_command(cli, &program),
        helpers: &helpers,
        is_daemon,
    };
    // Nothing is relative from here on, and no directory is kept from being removed.
    let _ = std::env::set_current_dir("/");
    match Box::pin(daemon::run(config, outside)).await {
        Ok(()) => Ok(0),
        Err(error) => {
            let (code, hint) = (error.exit_code(), error.hint());
            report_refusal(cli.output, ReportedError::from_error(&error, code, &hint))
        }
    }
}

/// This program as the daemon starts it for each run.
fn worker_command(cli: &Cli, program: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(platform::own_program(program));
    command.args(cli.output.log_arguments());
    if let Some(limit) = cli.max_deletes() {
        command.arg("--max-deletes").arg(limit.to_string());
    }
    command.arg("worker");
    command
}

/// Whether a process is linqsync as a daemon, or a worker of one: what it was called with
/// tells.
fn is_daemon(pid: u32) -> bool {
    let Some(words) = platform::command_line(pid) else { return false };
    let program = words.first().and_then(|program| Path::new(program).file_name());
    let is_ours =
        program.is_some_and(|name| name == "exe" || name.as_bytes().starts_with(b"linqsync"));
    is_ours
        && Cli::try_parse_from(words).is_ok_and(|cli| match cli.command {
            None => !cli.once,
            Some(command) => matches!(command, CliCommand::Worker),
        })
}

fn cli_overrides(cli: &Cli) -> Overrides {
    Overrides { max_deletes: cli.max_deletes() }
}

/// Loads the configuration and goes on with it, or says what is wrong with it.
fn with_config(cli: &Cli, go_on: impl FnOnce(Config) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    match Config::load(cli.config.as_deref(), &cli_overrides(cli)).map(open::locate_state) {
        Ok(config) => {
            for warning in &config.warnings {
                tracing::warn!("{warning}");
            }
            go_on(config)
        }
        Err(error) => {
            report_unusable(cli.output, &error)?;
            Ok(2)
        }
    }
}

fn report_unusable(output: OutputArgs, error: &ConfigError) -> anyhow::Result<()> {
    say_on_stderr(&error.render());
    if matches!(error, ConfigError::Invalid(_)) {
        say_on_stderr("  help: correct it, and see with `linqsync check` that it is right");
    }
    if output.json {
        let hint = "correct the configuration and run `linqsync plan`".to_owned();
        print_failed_run(ReportedError { code: 2, message: error.lines().join("; "), hint })?;
    }
    Ok(())
}

/// Says why nothing was begun, in JSON too where it was asked for. Returns the exit
/// code.
fn report_refusal(output: OutputArgs, error: ReportedError) -> anyhow::Result<u8> {
    let code = error.code;
    report_error(&error);
    if output.json {
        print_failed_run(error)?;
    }
    Ok(code)
}

/// Prints a run that did not begin, as JSON.
fn print_failed_run(error: ReportedError) -> anyhow::Result<()> {
    let mut report = RunReport::new(system_now());
    report.error = Some(error);
    report.conclude_outcome(system_now());
    print_json(&report)
}

/// Prints why another command than a run failed, as JSON where that is asked for.
fn failed_command(output: OutputArgs, error: &ReportedError) -> anyhow::Result<()> {
    if output.json {
        print_json(&serde_json::json!({ "schema": "linqsync.error/1", "error": error }))?;
    }
    Ok(())
}

/// Says why another command than a run failed. Returns the exit code.
fn refuse_command(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// The time by the system's clock: here it enters, everywhere else it is an argument.
pub(crate) fn system_now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    let now: DateTime<Utc> = Utc::now();
    now
}

fn telemetry(cli: &Cli) -> Telemetry {
    let (output, command) = (cli.output, cli.command.as_ref());
    // The demo tells its story on stdout, which logs would interrupt.
    let quiet = output.quiet || matches!(command, Some(CliCommand::Demo(_)));
    let verbosity = match (quiet, output.verbose) {
        (true, 0) => Some(Verbosity::Quiet),
        (false, 0) if is_for_a_terminal(cli) => Some(Verbosity::Warnings),
        (false, 0) => None,
        (_, 1) => Some(Verbosity::Verbose),
        (_, _) => Some(Verbosity::Trace),
    };
    Telemetry {
        format: output.log_format,
        verbosity,
        color: output.color.choice(),
        filter: None,
        journal_stream: None,
    }
    .with_process_environment()
}

/// Whether a person waits for this one command at a terminal and has asked for no log.
fn is_for_a_terminal(cli: &Cli) -> bool {
    use std::io::IsTerminal;
    let serves = matches!(cli.command, Some(CliCommand::Sandbox(_) | CliCommand::Worker));
    let is_one_shot = cli.once || (cli.command.is_some() && !serves);
    let asks_for_log = cli.output.log_format.is_some() || cli.output.no_progress;
    is_one_shot && !asks_for_log && std::io::stderr().is_terminal()
}

impl Color {
    const fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

/// Prints text on stdout, with colours where a terminal takes them.
pub(crate) fn print_text(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    ignore_closed_pipe(write!(out, "{}", text::harmless_text(text)).and_then(|()| out.flush()))
}

/// Prints text for other programs on stdout, as it is.
fn print_bytes(text: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    ignore_closed_pipe(out.write_all(text).and_then(|()| out.flush()))
}

fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = write_json(&mut out, document);
    ignore_closed_pipe(result.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// Whoever closes the pipe, as `head` does, has read enough: that is no failure.
fn ignore_closed_pipe(result: std::io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// Says something on stderr. Nobody is left to be told when that fails.
fn say_on_stderr(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", text::harmless_text(text));
}

/// Says what went wrong and what to do about it.
fn report_error(error: &ReportedError) {
    say_on_stderr(&format!("error: {}", text::shown_text(&error.message, 2000)));
    if !error.hint.is_empty() {
        say_on_stderr(&format!("  help: {}", error.hint));
    }
}
