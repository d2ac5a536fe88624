//! Opens what a configuration names: the two sides and the state.
//!
//! Owns the translation from settings to adapters, so that no adapter knows the
//! configuration. Leaves running to [`crate::run`].

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::Utc;

use crate::config::{
    Config, CsvConfig, Delimiter, Encoding, SourceKind, VcardConfig, VcardVersion,
};
use crate::linq::{
    BaseUrl, BaseUrlError, Client, Rate, Settings, TokenError, TokenSource, Transport, Wire,
    WireError,
};
use crate::mirror::{Pair, State, StateError};
use crate::report::ReportedError;
use crate::source::csv::{Charset, CsvOptions, CsvSource, Delimiter as CsvDelimiter};
use crate::source::vcard::{self, VcardOptions, VcardSource};
use crate::source::{Access, Clock, FormulaGuard, Source};

/// Why a configuration could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not one to send a token to.
    #[error("linq.base_url")]
    BaseUrl(#[from] BaseUrlError),
    /// The HTTP client could not be set up.
    #[error("cannot set up HTTPS")]
    Wire(#[from] WireError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

impl OpenError {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            OpenError::BaseUrl(_) => 2,
            OpenError::Wire(_) => 1,
            OpenError::State(error) => crate::run::state_code(error),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            OpenError::BaseUrl(_) => "set linq.base_url to an https address",
            OpenError::Wire(_) => "install the system's CA certificates (package ca-certificates)",
            OpenError::State(error) => error.hint().unwrap_or(crate::run::STATE_HINT),
        }
    }

    /// The error as a report shows it.
    pub fn reported(&self) -> ReportedError {
        ReportedError::of(self, self.exit_code(), self.hint())
    }
}

/// Linq, as it can be asked: each run has a client of its own, and they share the
/// connections.
pub struct Linq {
    transport: Arc<dyn Transport>,
    settings: Settings,
    token: TokenSource,
}

impl Linq {
    /// The Linq that `config` names.
    ///
    /// # Errors
    /// When the address or the machine's certificates cannot be used.
    pub fn of(config: &Config) -> Result<Linq, OpenError> {
        let base_url = address(config)?;
        let transport = Arc::new(Wire::new(&base_url, config.linq.timeout)?);
        let mut settings = Settings::new(base_url, 0);
        settings.concurrency = config.linq.concurrency;
        settings.rate = Rate::of(config.linq.requests_per_second);
        settings.max_attempts = config.linq.max_attempts;
        let token = config.linq.token.clone();
        let token = TokenSource::new(move || {
            token.read().map_err(|error| TokenError::Unreadable(Box::new(error)))
        });
        Ok(Linq { transport, settings, token })
    }

    /// The same, with `wrap` around the transport that all clients share.
    #[must_use]
    pub fn by_way_of(self, wrap: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>) -> Linq {
        Linq { transport: wrap(self.transport), ..self }
    }

    /// The same, for clients that come after requests which ended so long ago.
    #[must_use]
    pub fn after(mut self, recent: Vec<Duration>) -> Linq {
        self.settings.recent = recent;
        self
    }

    /// A client for one run; `seed` is where the randomness of its waits begins.
    pub fn client(&self, seed: u64) -> Client {
        let settings = Settings { seed, ..self.settings.clone() };
        Client::new(Arc::clone(&self.transport), settings, self.token.clone())
    }

    /// A client that tries each request `attempts` times and whose answers pass
    /// through what `watch` puts around the transport.
    pub fn watched(
        &self,
        attempts: NonZeroU32,
        watch: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>,
    ) -> Client {
        let settings = Settings { max_attempts: attempts, ..self.settings.clone() };
        Client::new(watch(Arc::clone(&self.transport)), settings, self.token.clone())
    }
}

/// Where Linq is.
///
/// # Errors
/// When the address is not one to send a token to.
pub fn address(config: &Config) -> Result<BaseUrl, OpenError> {
    Ok(BaseUrl::new(config.linq.base_url.clone())?)
}

/// The source that `config` names.
pub fn source(config: &Config, access: Access) -> Box<dyn Source + Send> {
    match &config.source.kind {
        SourceKind::Csv(csv) => Box::new(CsvSource::new(csv_options(config, csv, access))),
        SourceKind::Vcard(vcard) => {
            Box::new(VcardSource::new(vcard_options(config, vcard, access)))
        }
    }
}

fn vcard_options(config: &Config, vcard: &VcardConfig, access: Access) -> VcardOptions {
    VcardOptions {
        path: config.source.path.clone(),
        recursive: vcard.recursive,
        version: match vcard.version {
            VcardVersion::V3 => vcard::VcardVersion::V3,
            VcardVersion::V4 => vcard::VcardVersion::V4,
        },
        access,
        clock: clock(config.source.quiet),
    }
}

fn csv_options(config: &Config, csv: &CsvConfig, access: Access) -> CsvOptions {
    CsvOptions {
        path: config.source.path.clone(),
        key: csv.key.clone(),
        id_column: csv.id_column.clone(),
        encoding: match &csv.encoding {
            Encoding::Auto => Charset::Auto,
            Encoding::Named(label) => Charset::Named(label.clone()),
        },
        delimiter: match csv.delimiter {
            Delimiter::Auto => CsvDelimiter::Auto,
            Delimiter::Comma => CsvDelimiter::Byte(b','),
            Delimiter::Semicolon => CsvDelimiter::Byte(b';'),
            Delimiter::Tab => CsvDelimiter::Byte(b'\t'),
            Delimiter::Pipe => CsvDelimiter::Byte(b'|'),
        },
        formula_guard: if csv.formula_guard { FormulaGuard::On } else { FormulaGuard::Off },
        columns: csv.columns.clone(),
        full_name: csv.full_name.clone(),
        region: config.sync.region,
        clock: clock(config.source.quiet),
        access,
    }
}

/// The real time, for a source that must have been left alone for `quiet`.
#[expect(clippy::disallowed_methods, reason = "below this edge, time is an argument")]
fn clock(quiet: Duration) -> Clock {
    let start = Instant::now();
    Clock {
        quiet,
        now: Arc::new(SystemTime::now),
        elapsed: Arc::new(move || start.elapsed()),
        wait: Arc::new(std::thread::sleep),
    }
}

/// The state, for this process alone.
///
/// # Errors
/// When another process holds it, it belongs to another pair, or cannot be used.
#[expect(clippy::disallowed_methods, reason = "below this edge, time is an argument")]
pub fn state(config: &Config) -> Result<State, OpenError> {
    bound(State::open(&config.state.dir, Utc::now())?, config)
}

/// The state as it is at this moment, to be read.
///
/// # Errors
/// When the state belongs to another pair, or cannot be read.
pub fn reading(config: &Config) -> Result<State, OpenError> {
    let state = State::reading(&config.state.dir)?;
    state.refuse_other(&pair(config))?;
    Ok(state)
}

/// A copy of the state in memory, for what would be done with it.
///
/// # Errors
/// When the state belongs to another pair, or cannot be read.
pub fn scratch(config: &Config) -> Result<State, OpenError> {
    bound(State::scratch(&config.state.dir)?, config)
}

/// Makes sure that an open state belongs to the pair that `config` names.
///
/// # Errors
/// When it belongs to another one.
pub fn bind(state: &State, config: &Config) -> Result<(), OpenError> {
    Ok(state.bind(&pair(config))?)
}

/// The pair that `config` names.
pub fn pair(config: &Config) -> Pair {
    Pair {
        base_url: config.linq.base_url.to_string(),
        source: config.source.path.to_string_lossy().into_owned(),
    }
}

fn bound(state: State, config: &Config) -> Result<State, OpenError> {
    bind(&state, config)?;
    Ok(state)
}
