//! Logs: what is written, in which form, and where.
//!
//! Owns the subscriber of the process and its three formats, all of them on
//! standard error: standard output belongs to what was asked for. Leaves what is
//! logged to those who log; none of it is a contact's value or the token.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::AsFd;

use anstream::ColorChoice;
use tracing::subscriber::Subscriber;
use tracing::{Event, Level};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people: time, level, message, fields.
    Text,
    /// One JSON object on each line.
    Json,
    /// For journald: a priority before each line (sd-daemon(3)), and no time,
    /// which journald keeps itself.
    // Where standard error leads to journald, and it can be reached, events go to it
    // with fields of their own instead.
    Journald,
}

/// How much is logged when no filter says it more precisely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// `-q`: errors.
    Quiet,
    /// Warnings: for a person at a terminal, to whom the report says what happened.
    Warnings,
    /// What happened; warnings of libraries.
    #[default]
    Normal,
    /// `-v`: also why.
    Verbose,
    /// `-vv`: everything of ours, and what libraries did.
    Trace,
}

impl Verbosity {
    const fn log_filter(self) -> &'static str {
        match self {
            // Who asks for the status by SIGUSR1 gets it.
            Verbosity::Quiet => "error,linqsync::status=info",
            Verbosity::Warnings => "warn,linqsync::status=info",
            Verbosity::Normal => "warn,linqsync=info",
            Verbosity::Verbose => "warn,linqsync=debug",
            Verbosity::Trace => "info,linqsync=trace",
        }
    }
}

/// What the flags and the environment say about logs.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// `--log-format`; unset: journald where standard error goes to it, else text.
    pub format: Option<LogFormat>,
    /// `-v`, `-vv`, `-q`; unset: the filter decides.
    pub verbosity: Option<Verbosity>,
    /// `--color`; `Auto` honours NO_COLOR and asks the terminal.
    pub color: ColorChoice,
    /// `LINQSYNC_LOG`, else `RUST_LOG`: levels by module, as `warn,linqsync=debug`.
    pub filter: Option<String>,
    /// `JOURNAL_STREAM`.
    pub journal_stream: Option<String>,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be understood.
    #[error(
        "cannot read the log filter `{filter}`; expected levels such as `debug` or `warn,linqsync=debug`"
    )]
    Filter {
        /// The text of `LINQSYNC_LOG` or `RUST_LOG`.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else has set logs up in this process.
    #[error("logs are set up twice")]
    SetTwice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

impl Telemetry {
    /// Takes the filter and the journal's stream from the environment of this process.
    #[must_use]
    pub fn with_process_environment(self) -> Telemetry {
        let text = |name: &str| {
            let value = std::env::var_os(name).map(OsString::into_string);
            value.and_then(Result::ok).filter(|text| !text.is_empty())
        };
        let filter = text("LINQSYNC_LOG").or_else(|| text("RUST_LOG"));
        Telemetry { filter, journal_stream: text("JOURNAL_STREAM"), ..self }
    }

    /// Sends the logs of this process to standard error, by way of `writer`, from now on.
    ///
    /// # Errors
    /// When the filter cannot be understood, or it is called twice.
    pub fn init<W>(&self, writer: W) -> Result<(), TelemetryError>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let stderr = std::io::stderr();
        let journal =
            self.journal_stream.as_deref().is_some_and(|stream| leads_to(stream, &stderr));
        let default = if journal { LogFormat::Journald } else { LogFormat::Text };
        let format = self.format.unwrap_or(default);
        if format == LogFormat::Journald
            && journal
            && let Some(layer) = journald_layer()
        {
            let subscriber = tracing_subscriber::registry().with(self.env_filter()?).with(layer);
            return Ok(tracing::subscriber::set_global_default(subscriber)?);
        }
        let subscriber = self.build_subscriber(format, wants_color(self.color, &stderr), writer)?;
        Ok(tracing::subscriber::set_global_default(subscriber)?)
    }

    fn build_subscriber<W>(
        &self,
        format: LogFormat,
        colors: Colors,
        writer: W,
    ) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let base = tracing_subscriber::fmt()
            .with_env_filter(self.env_filter()?)
            .with_ansi(colors == Colors::On)
            // Where the log cannot be written, standard error is the last place to say so.
            .log_internal_errors(false)
            .with_writer(writer);
        Ok(match format {
            LogFormat::Text => Box::new(base.finish()),
            LogFormat::Json => Box::new(base.json().flatten_event(true).finish()),
            LogFormat::Journald => {
                Box::new(base.with_ansi(false).event_format(Journald::default()).finish())
            }
        })
    }

    /// A flag wins over the environment, as everywhere.
    fn env_filter(&self) -> Result<EnvFilter, TelemetryError> {
        let filter = match (self.verbosity, &self.filter) {
            (Some(verbosity), _) => verbosity.log_filter(),
            (None, Some(filter)) => filter,
            (None, None) => Verbosity::default().log_filter(),
        };
        EnvFilter::try_new(filter)
            .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
    }
}

/// journald's own protocol, where its socket can be reached. Fields are called
/// `LINQSYNC_RUN` and the like.
fn journald_layer() -> Option<tracing_journald::Layer> {
    let layer = tracing_journald::layer().ok()?;
    let layer = layer.with_field_prefix(Some("LINQSYNC".to_owned()));
    // The same as in text: what happened is not a notice, and why it did is for debugging.
    let layer = layer.with_priority_mappings(PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        ..PriorityMappings::new()
    });
    Some(layer.with_syslog_identifier("linqsync".to_owned()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colors {
    On,
    Off,
}

fn wants_color(choice: ColorChoice, stderr: &std::io::Stderr) -> Colors {
    let resolved = match choice {
        ColorChoice::Auto => anstream::AutoStream::choice(stderr),
        ColorChoice::Always | ColorChoice::AlwaysAnsi | ColorChoice::Never => choice,
    };
    match resolved {
        ColorChoice::Always | ColorChoice::AlwaysAnsi => Colors::On,
        ColorChoice::Never | ColorChoice::Auto => Colors::Off,
    }
}

/// Whether `JOURNAL_STREAM`, device and inode with a colon between them, names
/// what `stream` writes to. The variable alone proves nothing: shells inside a
/// service inherit it (systemd.exec(5)).
fn leads_to(journal_stream: &str, stream: impl AsFd) -> bool {
    rustix::fs::fstat(stream)
        .is_ok_and(|stat| journal_stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Text without time, level or colours, behind a priority on each line.
#[derive(Debug)]
struct Journald(Format<Full, ()>);

impl Default for Journald {
    fn default() -> Journald {
        Journald(Format::default().without_time().with_level(false).with_ansi(false))
    }
}

impl<S> FormatEvent<S, DefaultFields> for Journald
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    DefaultFields: for<'w> FormatFields<'w>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, DefaultFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let priority = syslog_priority(*event.metadata().level());
        text.lines().try_for_each(|line| writeln!(writer, "<{priority}>{line}"))
    }
}

/// The level as syslog(3) counts it.
fn syslog_priority(level: Level) -> u8 {
    if level == Level::ERROR {
        3
    } else if level == Level::WARN {
        4
    } else if level == Level::INFO {
        6
    } else {
        7
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct CapturedLog(Arc<Mutex<Vec<u8>>>);

    impl Write for CapturedLog {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged as one event of each level from us, and one from a library.
    fn logged(telemetry: &Telemetry, format: LogFormat, colors: Colors) -> String {
        let paper = CapturedLog::default();
        let writer = paper.clone();
        let subscriber =
            telemetry.build_subscriber(format, colors, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(target: "linqsync::run", "failed\nbadly");
            tracing::warn!(target: "linqsync::run", run = 12, "waiting");
            tracing::info!(target: "linqsync::run", "done");
            tracing::debug!(target: "linqsync::run", "because");
            tracing::trace!(target: "linqsync::run", "step");
            tracing::info!(target: "reqwest", "connected");
            tracing::warn!(target: "reqwest", "slow");
        });
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn journald_gets_a_priority_on_every_line_and_no_time() {
        let telemetry = Telemetry { verbosity: Some(Verbosity::Verbose), ..Telemetry::default() };
        let text = logged(&telemetry, LogFormat::Journald, Colors::On);
        insta::assert_snapshot!(text, @"
        <3>linqsync::run: failed
        <3>badly
        <4>linqsync::run: waiting run=12
        <6>linqsync::run: done
        <7>linqsync::run: because
        <4>reqwest: slow
        ");
    }

    #[test]
    fn verbosity_and_filter_decide_what_is_logged() {
        let messages = ["failed", "waiting", "done", "because", "step", "connected", "slow"];
        let of = |verbosity, filter: Option<&str>| {
            let filter = filter.map(String::from);
            let telemetry = Telemetry { verbosity, filter, ..Telemetry::default() };
            let text = logged(&telemetry, LogFormat::Text, Colors::Off);
            messages.into_iter().filter(|m| text.contains(m)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(None, None), "failed waiting done slow");
        assert_eq!(of(Some(Verbosity::Quiet), None), "failed");
        assert_eq!(of(Some(Verbosity::Verbose), None), "failed waiting done because slow");
        let all = messages.join(" ");
        assert_eq!(of(Some(Verbosity::Trace), None), all);
        assert_eq!(of(None, Some("linqsync=warn")), "failed waiting");
        assert_eq!(of(None, Some("trace")), all);
        assert_eq!(of(Some(Verbosity::Quiet), Some("trace")), "failed", "flags win");
    }

    #[test]
    fn a_filter_that_means_nothing_is_an_error_that_shows_it() {
        let filter = Some("linqsync=loud".to_owned());
        let error = Telemetry { filter, ..Telemetry::default() }.env_filter().unwrap_err();
        assert!(error.to_string().contains("`linqsync=loud`"), "{error}");
    }

    #[test]
    fn json_is_one_object_a_line_and_never_coloured() {
        let text = logged(&Telemetry::default(), LogFormat::Json, Colors::On);
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events[0]["message"], "failed\nbadly");
        assert_eq!((&events[1]["level"], &events[1]["run"]), (&"WARN".into(), &12.into()));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn text_is_coloured_only_when_asked() {
        let text = |colors| logged(&Telemetry::default(), LogFormat::Text, colors);
        assert!(text(Colors::On).contains('\u{1b}'));
        assert!(!text(Colors::Off).contains('\u{1b}'));
        let stderr = std::io::stderr();
        assert_eq!(wants_color(ColorChoice::Always, &stderr), Colors::On);
        assert_eq!(wants_color(ColorChoice::Never, &stderr), Colors::Off);
    }

    #[test]
    fn the_journal_is_recognised_by_device_and_inode() {
        use std::os::unix::fs::MetadataExt;
        let file = File::open("/dev/null").unwrap();
        let meta = file.metadata().unwrap();
        assert!(leads_to(&format!("{}:{}", meta.dev(), meta.ino()), &file));
        assert!(!leads_to(&format!("{}:{}", meta.dev(), meta.ino() + 1), &file));
        assert!(!leads_to("", &file));
    }
}
