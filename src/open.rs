//! Opens what a configuration names: the two sides and the state.
//!
//! Owns the translation from settings to adapters, so that no adapter knows the
//! configuration. Leaves running to [`crate::run`].

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::Utc;

use crate::config::{
    Config, CsvConfig, DelimiterSetting, Encoding, SourceKind, StateConfig, VcardConfig,
    VcardVersionSetting,
};
use crate::linq::{
    BaseUrl, BaseUrlError, Client, ClientSettings, HttpTransport, Rate, TokenSource,
    TokenUnavailable, Transport, WireError,
};
use crate::mirror::{State, StateError, SyncPair};
use crate::report::ReportedError;
use crate::source::csv::{Charset, CsvOptions, CsvSource, Delimiter as CsvDelimiter};
use crate::source::vcard::{self, VcardOptions, VcardSource};
use crate::source::{FormulaGuard, QuietTime, Source, SourceAccess};

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
    pub fn to_reported_error(&self) -> ReportedError {
        ReportedError::from_error(self, self.exit_code(), self.hint())
    }
}

/// Linq, as it can be asked: each run has a client of its own, and they share the
/// connections.
pub struct Linq {
    transport: Arc<dyn Transport>,
    settings: ClientSettings,
    token: TokenSource,
}

impl Linq {
    /// The Linq that `config` names.
    ///
    /// # Errors
    /// When the address or the machine's certificates cannot be used.
    pub fn configured_linq(config: &Config) -> Result<Linq, OpenError> {
        let base_url = linq_url(config)?;
        let transport = Arc::new(HttpTransport::new(&base_url, config.linq.timeout)?);
        let mut settings = ClientSettings::new(base_url, 0);
        settings.concurrency = config.linq.concurrency;
        settings.rate = Rate::from_per_second(config.linq.requests_per_second);
        settings.max_attempts = config.linq.max_attempts;
        let token = config.linq.token.clone();
        let token = TokenSource::new(move || {
            token.read().map_err(|error| TokenUnavailable::Unreadable(Box::new(error)))
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
    pub fn after_requests(mut self, recent: Vec<Duration>) -> Linq {
        self.settings.recent = recent;
        self
    }

    /// A client for one run; `seed` is where the randomness of its waits begins.
    pub fn new_client(&self, seed: u64) -> Client {
        let settings = ClientSettings { seed, ..self.settings.clone() };
        Client::new(Arc::clone(&self.transport), settings, self.token.clone())
    }

    /// A client that tries each request `attempts` times and whose answers pass
    /// through what `watch` puts around the transport.
    pub fn watched_client(
        &self,
        attempts: NonZeroU32,
        watch: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>,
    ) -> Client {
        let settings = ClientSettings { max_attempts: attempts, ..self.settings.clone() };
        Client::new(watch(Arc::clone(&self.transport)), settings, self.token.clone())
    }
}

/// `error` as it is told to whoever has to mend it: one about a refused token names where the
/// token comes from.
#[must_use]
pub fn naming_token(error: ReportedError, config: &Config) -> ReportedError {
    if error.code != TOKEN_REFUSED {
        return error;
    }
    let hint = format!("the token comes from {}: {}", config.linq.token, error.hint);
    ReportedError { hint, ..error }
}

/// The exit code where Linq refuses the token.
const TOKEN_REFUSED: u8 = 5;

/// Where Linq is.
///
/// # Errors
/// When the address is not one to send a token to.
pub fn linq_url(config: &Config) -> Result<BaseUrl, OpenError> {
    Ok(BaseUrl::new(config.linq.base_url.clone())?)
}

/// The source that `config` names.
pub fn open_source(config: &Config, access: SourceAccess) -> Box<dyn Source + Send> {
    match &config.source.kind {
        SourceKind::Csv(csv) => Box::new(CsvSource::new(csv_options(config, csv, access))),
        SourceKind::Vcard(vcard) => {
            Box::new(VcardSource::new(vcard_options(config, vcard, access)))
        }
    }
}

fn vcard_options(config: &Config, vcard: &VcardConfig, access: SourceAccess) -> VcardOptions {
    VcardOptions {
        path: config.source.path.clone(),
        recursive: vcard.recursive,
        only: config.source.only.clone().map(Arc::new),
        version: match vcard.version {
            VcardVersionSetting::V3 => vcard::VcardVersion::V3,
            VcardVersionSetting::V4 => vcard::VcardVersion::V4,
        },
        access,
        clock: real_clock(config.source.quiet),
    }
}

fn csv_options(config: &Config, csv: &CsvConfig, access: SourceAccess) -> CsvOptions {
    CsvOptions {
        path: config.source.path.clone(),
        only: config.source.only.clone(),
        key: csv.key.clone(),
        id_column: csv.id_column.clone(),
        encoding: match &csv.encoding {
            Encoding::Auto => Charset::Auto,
            Encoding::Named(label) => Charset::Named(label.clone()),
        },
        delimiter: match csv.delimiter {
            DelimiterSetting::Auto => CsvDelimiter::Auto,
            DelimiterSetting::Comma => CsvDelimiter::Byte(b','),
            DelimiterSetting::Semicolon => CsvDelimiter::Byte(b';'),
            DelimiterSetting::Tab => CsvDelimiter::Byte(b'\t'),
            DelimiterSetting::Pipe => CsvDelimiter::Byte(b'|'),
        },
        formula_guard: if csv.formula_guard { FormulaGuard::On } else { FormulaGuard::Off },
        columns: csv.columns.clone(),
        full_name: csv.full_name.clone(),
        region: config.sync.region,
        clock: real_clock(config.source.quiet),
        access,
    }
}

/// The real time, for a source that must have been left alone for `quiet`.
#[expect(clippy::disallowed_methods, reason = "below this edge, time is an argument")]
fn real_clock(quiet: Duration) -> QuietTime {
    let start = Instant::now();
    QuietTime {
        quiet,
        now: Arc::new(SystemTime::now),
        elapsed: Arc::new(move || start.elapsed()),
        wait: Arc::new(std::thread::sleep),
    }
}

/// The configuration `config` with its state where it is: where nothing names a directory, and
/// the state that earlier versions kept for all configurations is this pair's, that one.
#[must_use]
pub fn locate_state(mut config: Config) -> Config {
    let StateConfig { all, is_default, .. } = config.state.clone();
    if let Some(all) = all.filter(|all| is_default && has_state(all)) {
        // One that cannot be read is not passed over: its error says what to do about it.
        let remembered = State::open_reading(&all).and_then(|state| state.stored_pair());
        let is_of_others =
            remembered.is_ok_and(|remembered| remembered != Some(configured_pair(&config)));
        if !is_of_others {
            config.state.dir = all;
        }
    }
    config
}

/// Whether there is a state in `dir`.
pub fn has_state(dir: &Path) -> bool {
    dir.join(crate::mirror::DATABASE).exists()
}

/// The pair of the state in `dir`, if there is a state that was used.
///
/// # Errors
/// When it cannot be read.
pub fn pair_in(dir: &Path) -> Result<Option<SyncPair>, StateError> {
    if has_state(dir) { State::open_reading(dir)?.stored_pair() } else { Ok(None) }
}

/// The other states of the user, at the default place, that have the same source or the same
/// Linq, in the order of their paths. One that cannot be read is none.
pub fn other_states(config: &Config) -> Vec<(PathBuf, SyncPair)> {
    let Some(all) = &config.state.all else { return Vec::new() };
    let ours = configured_pair(config);
    let below = std::fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(PathBuf, SyncPair)> = std::iter::once(all.clone())
        .chain(below)
        .filter(|dir| *dir != config.state.dir)
        .filter_map(|dir| pair_in(&dir).ok().flatten().map(|pair| (dir, pair)))
        .filter(|(_, pair)| pair.source == ours.source || pair.base_url == ours.base_url)
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Another state of the user that seems to be this configuration's, which has none so far: it
/// has the same source, or the same Linq with a source that is not found any more.
pub fn left_behind(config: &Config) -> Option<(PathBuf, SyncPair)> {
    if pair_in(&config.state.dir).ok()?.is_some() {
        return None;
    }
    let ours = configured_pair(config);
    let is_ours = |other: &SyncPair| other.source == ours.source || !has_source(other);
    other_states(config).into_iter().find(|(_, pair)| is_ours(pair))
}

/// The configuration `config` with the state of another one of the same pair, where it has none
/// of its own: what it would do in the place of that one. `None` as well where several have.
pub fn in_place_of_another(config: &Config) -> Option<Config> {
    let own = pair_in(&config.state.dir).ok()?;
    let ours = configured_pair(config);
    let mut others = other_states(config).into_iter().filter(|(_, pair)| *pair == ours);
    let (dir, _) = others.next().filter(|_| own.is_none())?;
    let mut config = config.clone();
    config.state.dir = dir;
    others.next().is_none().then_some(config)
}

/// Whether there is something where `pair` has its source.
pub fn has_source(pair: &SyncPair) -> bool {
    Path::new(&pair.source).exists()
}

/// The state, for this process alone.
///
/// # Errors
/// When another process holds it, it belongs to another pair, or cannot be used.
#[expect(clippy::disallowed_methods, reason = "below this edge, time is an argument")]
pub fn open_state(config: &Config) -> Result<State, OpenError> {
    state_expecting(State::open(&config.state.dir, Utc::now())?, config)
}

/// The state as it is at this moment, to be read.
///
/// # Errors
/// When the state belongs to another pair, or cannot be read.
pub fn open_state_reading(config: &Config) -> Result<State, OpenError> {
    state_expecting(State::open_reading(&config.state.dir)?, config)
}

/// The state beside whoever works with it, for decisions alone; `None` where there is none yet.
///
/// # Errors
/// When the state belongs to another pair, or cannot be used.
pub fn open_state_beside(config: &Config) -> Result<Option<State>, OpenError> {
    State::open_beside(&config.state.dir)?.map(|state| state_expecting(state, config)).transpose()
}

/// A copy of the state in memory, for what would be done with it.
///
/// # Errors
/// When the state belongs to another pair, or cannot be read.
pub fn open_state_copy(config: &Config) -> Result<State, OpenError> {
    state_expecting(State::open_copy(&config.state.dir)?, config)
}

/// Makes sure that an open state belongs to the pair that `config` names, or to none so far.
///
/// # Errors
/// When it belongs to another one.
pub fn expect_pair(state: &State, config: &Config) -> Result<(), OpenError> {
    Ok(state.expect_pair(&configured_pair(config))?)
}

/// The pair that `config` names.
pub fn configured_pair(config: &Config) -> SyncPair {
    SyncPair {
        base_url: config.linq.base_url.to_string(),
        source: config.source.path.to_string_lossy().into_owned(),
    }
}

fn state_expecting(state: State, config: &Config) -> Result<State, OpenError> {
    expect_pair(&state, config)?;
    Ok(state)
}
