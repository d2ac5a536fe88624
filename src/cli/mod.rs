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
use args::{Cli, Color, Command, Output};
use progress::AboveTheLine;
use signals::Signals;

/// Runs the program with this process's arguments.
pub fn main() -> ExitCode {
    // What is in memory is the token and people's data: no dump of it is left on a disk.
    platform::forbid_core_dumps();
    let code = match Cli::try_parse() {
        Ok(cli) => {
            cli.output.color.choice().write_global();
            start(&cli).or_else(|error| refuse(cli.output, unexpected(&error)))
        }
        Err(error) => usage::refuse(&error),
    };
    // What is left is that stdout or stderr cannot be written.
    ExitCode::from(code.unwrap_or(1))
}

fn unexpected(error: &anyhow::Error) -> ReportedError {
    ReportedError::of(error.as_ref(), 1, "")
}

fn start(cli: &Cli) -> anyhow::Result<u8> {
    if let Err(error) = telemetry(cli.output, cli.command.as_ref()).init(AboveTheLine::default) {
        let code = match error {
            TelemetryError::Filter { .. } => 2,
            TelemetryError::SetTwice(_) => 1,
        };
        let hint = "correct the variable LINQSYNC_LOG or RUST_LOG, or use -v, -vv or -q";
        return refuse(cli.output, ReportedError::of(&error, code, hint));
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
        Some(Command::Init(args)) => runtime.block_on(init::init(cli, args)),
        Some(Command::Check(args)) => runtime.block_on(check::check(cli, args)),
        Some(Command::Run(args)) if args.dry_run => configured(cli, |config| {
            let args = args::PlanArgs::default();
            runtime.block_on(once::plan(cli.output, &config, &args))
        }),
        Some(Command::Run(_)) => {
            configured(cli, |config| runtime.block_on(once::once(cli, &config)))
        }
        Some(Command::Plan(args)) => {
            configured(cli, |config| runtime.block_on(once::plan(cli.output, &config, args)))
        }
        Some(Command::List(args)) => {
            configured(cli, |config| list::list(cli.output, &config, args))
        }
        Some(Command::Resolve(args)) => {
            configured(cli, |config| decide::resolve(cli.output, &config, args))
        }
        Some(Command::Retry(args)) => {
            configured(cli, |config| decide::retry(cli.output, &config, args))
        }
        Some(Command::Approve(args)) => {
            configured(cli, |config| decide::approve(cli.output, &config, args))
        }
        Some(Command::Reject(args)) => {
            configured(cli, |config| decide::reject(cli.output, &config, args))
        }
        Some(Command::Apply(args)) => {
            configured(cli, |config| runtime.block_on(apply::apply(cli.output, &config, args)))
        }
        Some(Command::Adopt(args)) => {
            configured(cli, |config| runtime.block_on(adopt::adopt(cli, &config, args)))
        }
        Some(Command::Status(args)) => {
            configured(cli, |config| runtime.block_on(status::status(cli.output, &config, args)))
        }
        Some(Command::Explain(args)) => {
            configured(cli, |config| runtime.block_on(explain::explain(cli.output, &config, args)))
        }
        Some(Command::History(args)) => {
            configured(cli, |config| history::history(cli.output, &config, args))
        }
        Some(Command::Verify) => {
            configured(cli, |config| runtime.block_on(verify::verify(cli.output, &config)))
        }
        Some(Command::Export(args)) => {
            configured(cli, |config| export::export(cli.output, &config, args))
        }
        Some(Command::Report(args)) => {
            configured(cli, |config| quality::report(cli.output, &config, args))
        }
        Some(Command::Purge(args)) => {
            configured(cli, |config| purge::purge(cli.output, &config, args))
        }
        Some(Command::Undo(args)) => {
            configured(cli, |config| runtime.block_on(undo::undo(cli.output, &config, args)))
        }
        Some(Command::WebPassword(args)) => {
            configured(cli, |config| web_password::set(cli.output, &config, args))
        }
        Some(Command::Notify(_)) => {
            configured(cli, |config| runtime.block_on(notify::test(cli.output, &config)))
        }
        Some(Command::Sandbox(args)) => runtime.block_on(sandbox::sandbox(cli, args)),
        Some(Command::Demo(args)) => runtime.block_on(demo::demo(args)),
        Some(Command::PasswordCheck) => web_worker::password_check(),
        Some(Command::Worker) => {
            runtime.block_on(daemon::work(overrides(cli), now, once::shown))?;
            Ok(0)
        }
        Some(Command::Completions(args)) => reference::completions(args),
        Some(Command::Man(args)) => reference::man(cli.output, args),
        None if cli.once && cli.dry_run => configured(cli, |config| {
            let args = args::PlanArgs { only: cli.only.clone(), ..Default::default() };
            runtime.block_on(once::plan(cli.output, &config, &args))
        }),
        None if cli.once && !cli.only.is_empty() => {
            configured(cli, |config| runtime.block_on(only::once(cli, &config)))
        }
        None if cli.once => configured(cli, |config| runtime.block_on(once::once(cli, &config))),
        None => configured(cli, |config| runtime.block_on(serve(cli, config))),
    }
}

/// Is the daemon until it is told to stop. Returns the exit code.
async fn serve(cli: &Cli, config: Config) -> anyhow::Result<u8> {
    let signals = Signals::listen_for_the_daemon()?;
    let file = config.file.clone();
    let program = platform::program_path();
    let helpers = web_worker::helpers(&program);
    let outside = Outside {
        clock: now,
        stop: signals.stop(),
        reload: &|| Config::load(Some(&file), &overrides(cli)).map(open::located),
        worker: &|| worker(cli, &program),
        helpers: &helpers,
        is_daemon,
    };
    // Nothing is relative from here on, and no directory is kept from being removed.
    let _ = std::env::set_current_dir("/");
    match Box::pin(daemon::run(config, outside)).await {
        Ok(()) => Ok(0),
        Err(error) => {
            let (code, hint) = (error.exit_code(), error.hint());
            refuse(cli.output, ReportedError::of(&error, code, &hint))
        }
    }
}

/// This program as the daemon starts it for each run.
fn worker(cli: &Cli, program: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(platform::own_program(program));
    command.args(cli.output.arguments());
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
            Some(command) => matches!(command, Command::Worker),
        })
}

fn overrides(cli: &Cli) -> Overrides {
    Overrides { max_deletes: cli.max_deletes() }
}

/// Loads the configuration and goes on with it, or says what is wrong with it.
fn configured(cli: &Cli, go_on: impl FnOnce(Config) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    match Config::load(cli.config.as_deref(), &overrides(cli)).map(open::located) {
        Ok(config) => {
            for warning in &config.warnings {
                tracing::warn!("{warning}");
            }
            go_on(config)
        }
        Err(error) => {
            unusable(cli.output, &error)?;
            Ok(2)
        }
    }
}

fn unusable(output: Output, error: &ConfigError) -> anyhow::Result<()> {
    say(&error.render());
    if matches!(error, ConfigError::Invalid(_)) {
        say("  help: correct it, and see with `linqsync check` that it is right");
    }
    if output.json {
        let hint = "correct the configuration and run `linqsync plan`".to_owned();
        failed(ReportedError { code: 2, message: error.lines().join("; "), hint })?;
    }
    Ok(())
}

/// Says why nothing was begun, in JSON too where it was asked for. Returns the exit
/// code.
fn refuse(output: Output, error: ReportedError) -> anyhow::Result<u8> {
    let code = error.code;
    complain(&error);
    if output.json {
        failed(error)?;
    }
    Ok(code)
}

/// Prints a run that did not begin, as JSON.
fn failed(error: ReportedError) -> anyhow::Result<()> {
    let mut report = RunReport::new(now());
    report.error = Some(error);
    report.conclude(now());
    print_json(&report)
}

/// Prints why another command than a run failed, as JSON where that is asked for.
fn failed_command(output: Output, error: &ReportedError) -> anyhow::Result<()> {
    if output.json {
        print_json(&serde_json::json!({ "schema": "linqsync.error/1", "error": error }))?;
    }
    Ok(())
}

/// Says why another command than a run failed. Returns the exit code.
fn refuse_command(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// The time by the system's clock: here it enters, everywhere else it is an argument.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    let now: DateTime<Utc> = Utc::now();
    now
}

fn telemetry(output: Output, command: Option<&Command>) -> Telemetry {
    // The demo tells its story on stdout, which logs would interrupt.
    let quiet = output.quiet || matches!(command, Some(Command::Demo(_)));
    let verbosity = match (quiet, output.verbose) {
        (true, 0) => Some(Verbosity::Quiet),
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
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    written(write!(out, "{}", text::harmless(text)).and_then(|()| out.flush()))
}

/// Prints text for other programs on stdout, as it is.
fn print_bytes(text: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(text).and_then(|()| out.flush()))
}

fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = write_json(&mut out, document);
    written(result.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// Whoever closes the pipe, as `head` does, has read enough: that is no failure.
fn written(result: std::io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// Says something on stderr. Nobody is left to be told when that fails.
fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", text::harmless(text));
}

/// Says what went wrong and what to do about it.
fn complain(error: &ReportedError) {
    say(&format!("error: {}", text::shown(&error.message, 2000)));
    if !error.hint.is_empty() {
        say(&format!("  help: {}", error.hint));
    }
}
