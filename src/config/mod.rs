//! Configuration: `sync.toml`, the environment and the flags as one [`Config`].
//!
//! Owns every key, its default, the order of the layers, and the reading of the
//! token. A `Config` has no wrong states left in it: paths are absolute, numbers
//! within their bounds, addresses and schedules understood. All mistakes are
//! reported in one pass, each with its place. Leaves what the settings mean to
//! those who act on them.
//!
//! Layers, later wins: defaults, the file, environment variables
//! (`LINQSYNC_SYNC__DIRECTION`; an empty one counts as unset), flags.

mod argv;
mod environment;
mod error;
mod file;
mod keys;
mod linq;
mod notify;
mod parse;
pub mod reference;
mod said;
mod service;
mod settings;
mod source;
mod sync;
mod token;
mod web;

use std::fmt;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;

pub use argv::Argv;
pub use environment::Environment;
pub use error::{ConfigError, Invalid, Warning};
pub use linq::{LinqConfig, OwnerEmail, OwnerEmailError};
pub use notify::{NotifyConfig, NotifyEvent, NotifyFormat, UrlError, UrlSource};
pub use said::{MOST_SAID, mask_output};
pub use service::{HooksConfig, StateConfig, StatusConfig};
pub use source::{
    CsvConfig, DelimiterSetting, Encoding, SourceConfig, SourceKind, VcardConfig,
    VcardVersionSetting,
};
pub use sync::{CronPattern, Schedule, ScheduleError, SyncConfig};
pub(crate) use token::is_open_to_others;
pub use token::{Malformed, TokenOrigin, TokenUnreadable, WHERE_FROM, token_of};
pub use web::WebConfig;

use crate::model::{Canon, Limit, Policy};
use error::{ConfigLocation, ConfigProblem};
use file::ConfigFile;
use settings::{ConfigLayers, Noted};

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from; absolute.
    pub file: PathBuf,
    /// What the file said.
    pub text: ConfigText,
    /// `[linq]`
    pub linq: LinqConfig,
    /// `[source]`
    pub source: SourceConfig,
    /// `[sync]`
    pub sync: SyncConfig,
    /// `[state]`
    pub state: StateConfig,
    /// `[status]`
    pub status: StatusConfig,
    /// `[hooks]`
    pub hooks: HooksConfig,
    /// `[notify]`
    pub notify: Option<NotifyConfig>,
    /// `[web]`
    pub web: Option<WebConfig>,
    /// What is odd about it, to be logged once.
    pub warnings: Vec<Warning>,
}

/// The text of a configuration, which may hold the token.
#[derive(Clone)]
pub struct ConfigText(Arc<str>);

impl ConfigText {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConfigText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// What flags say: the last layer.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--max-deletes`
    pub max_deletes: Option<Limit>,
}

impl Overrides {
    /// For each flag that is given: its key, its name and its text.
    fn layers(&self) -> impl Iterator<Item = (&'static str, &'static str, String)> {
        let limit = self.max_deletes.map(|limit| limit.to_string());
        limit.map(|text| ("sync.max_deletes", "--max-deletes", text)).into_iter()
    }
}

impl Config {
    /// Where people find the inbox, if they can.
    pub fn inbox(&self) -> Option<&url::Url> {
        self.web.as_ref()?.public_url.as_ref()
    }

    /// Loads the configuration of this process: from `file`, or from the first of
    /// `./sync.toml`, `$XDG_CONFIG_HOME/linqsync/sync.toml` and
    /// `/etc/linqsync/sync.toml` that is there.
    ///
    /// # Errors
    /// [`ConfigError`]; each variant says what to do. All of them are exit code 2.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
        let environment = Environment::of_process()
            .map_err(|source| ConfigError::Io { path: PathBuf::from("."), source })?;
        Config::load_in(&environment, file, overrides)
    }

    /// Loads the configuration as a process with this environment would.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_in(
        environment: &Environment,
        file: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Config, ConfigError> {
        let path = match file {
            Some(file) => without_parents(&environment.absolute(file)),
            None => first_existing(environment.config_places())?,
        };
        let (text, mode) = read_file(&path)?;
        from_text(&path, &text, mode, environment, overrides)
    }

    /// Reads a configuration that is to be written to `path`, as it would be loaded
    /// from there.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_text(path: &Path, text: &str) -> Result<Config, ConfigError> {
        Config::read_again(path, text, &Overrides::default())
    }

    /// Reads a configuration that was loaded from `path` once more, whatever is there by
    /// now.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read_again(
        path: &Path,
        text: &str,
        overrides: &Overrides,
    ) -> Result<Config, ConfigError> {
        let environment = Environment::of_process()
            .map_err(|source| ConfigError::Io { path: PathBuf::from("."), source })?;
        from_text(path, text, 0o600, &environment, overrides)
    }

    /// How long the history is kept, for at most a thousand years.
    pub fn history_kept(&self) -> TimeDelta {
        let longest = TimeDelta::days(365_000);
        TimeDelta::from_std(self.state.history).unwrap_or(longest).min(longest)
    }

    /// How runs are planned.
    pub fn policy(&self) -> Policy {
        Policy {
            canon: Canon::new(self.sync.region),
            direction: self.sync.direction,
            field_directions: self.sync.fields.clone(),
            on_conflict: self.sync.on_conflict,
            field_conflicts: self.sync.field_conflicts.clone(),
            kept_by_blanks: self.sync.kept_by_blanks,
            deletes: self.sync.deletes,
            max_deletes: self.sync.max_deletes,
            max_deletes_of_run: self.sync.max_deletes_of_run,
            max_changes: self.sync.max_changes,
            retry_rejected: self
                .sync
                .retry_rejected
                .map(|after| TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX)),
            delete_grace: TimeDelta::from_std(self.sync.delete_grace).unwrap_or(TimeDelta::MAX),
            scope: self.linq.scope.clone(),
            default_owner: self.linq.owner_of_new(),
        }
    }
}

/// `path` without any `..`, which leads through directories that may be removed while this
/// process lives.
fn without_parents(path: &Path) -> PathBuf {
    let is_roundabout = path.components().any(|part| part == std::path::Component::ParentDir);
    let settled = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    if is_roundabout { settled() } else { None }.unwrap_or_else(|| path.to_owned())
}

/// The most that is read of a configuration.
const MOST_BYTES: u64 = 1024 * 1024;

fn first_existing(places: Vec<PathBuf>) -> Result<PathBuf, ConfigError> {
    let found = places.iter().find(|place| place.exists()).cloned();
    found.ok_or(ConfigError::NotFound { searched: places })
}

/// The text of the file, and its mode.
fn read_file(path: &Path) -> Result<(String, u32), ConfigError> {
    let failed = |source| ConfigError::Io { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    let mut bytes = Vec::new();
    (&mut file).take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > MOST_BYTES) {
        let title = "larger than 1 MiB, which no configuration is".to_owned();
        let hint = "name sync.toml with -c, and the source in it as `source.path`".to_owned();
        let problem = ConfigProblem { place: ConfigLocation::File, title, hint: Some(hint) };
        return Err(invalid_config(path, String::new(), vec![problem]));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].split(|b| *b == b'\n').count();
        let title = format!("not UTF-8 text: see line {line}");
        invalid_config(
            path,
            String::new(),
            vec![ConfigProblem { place: ConfigLocation::File, title, hint: None }],
        )
    })?;
    Ok((text, mode))
}

fn from_text(
    path: &Path,
    text: &str,
    mode: u32,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    let (file, unknown) = ConfigFile::parse(text)
        .map_err(|error| invalid_config(path, error.shown, vec![error.problem]))?;
    let base = path.parent().unwrap_or(path);
    let mut settings = ConfigLayers::new(text, &file, base, environment, overrides);
    settings.problems.extend(unknown);
    if settings.is_from_file("linq.token") && mode & 0o044 != 0 {
        settings.warnings.push(Warning::TokenReadable { path: path.to_owned(), mode });
    }
    let config = read_sections(&mut settings, path, text);
    match (config, settings.problems) {
        (Ok(config), problems) if problems.is_empty() => {
            let max_deletes_of_run = overrides.max_deletes;
            let sync = SyncConfig { max_deletes_of_run, ..config.sync };
            Ok(Config { warnings: settings.warnings, sync, ..config })
        }
        (_, problems) => Err(invalid_config(path, file.shown, problems)),
    }
}

fn read_sections(
    settings: &mut ConfigLayers<'_>,
    path: &Path,
    text: &str,
) -> Result<Config, Noted> {
    let linq = LinqConfig::read(settings);
    let source = SourceConfig::read(settings);
    let sync = SyncConfig::read(settings);
    let state = StateConfig::read(settings, path);
    let status = StatusConfig::read(settings);
    let hooks = HooksConfig::read(settings);
    let notify = NotifyConfig::read(settings);
    let web = WebConfig::read(settings);
    Ok(Config {
        file: path.to_owned(),
        text: ConfigText(text.into()),
        linq: linq?,
        source: source?,
        sync: sync?,
        state: state?,
        status: status?,
        hooks: hooks?,
        notify: notify?,
        web: web?,
        warnings: Vec::new(),
    })
}

fn invalid_config(path: &Path, shown: String, problems: Vec<ConfigProblem>) -> ConfigError {
    ConfigError::Invalid(Box::new(Invalid::new(path.display().to_string(), shown, problems)))
}

#[cfg(test)]
mod tests;
