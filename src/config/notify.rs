//! The section `[notify]`: which channel is told what.
//!
//! Owns where the address of the channel comes from, and reading it. The address is a secret:
//! whoever has it can write to the channel. It is never part of a message.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use figment::value::Value;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::parse::{self, BadValue};
use super::settings::{ConfigLayers, Noted};
use super::token::is_open_to_others;

/// The longest address that is read from a file.
const MOST_BYTES: u64 = 8 * 1024;

/// A channel, and what it is told.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    /// Where its address comes from.
    pub url: UrlSource,
    /// What it understands.
    pub format: NotifyFormat,
    /// What it is told.
    pub on: Vec<NotifyEvent>,
}

/// Where the address of the channel comes from.
#[derive(Clone, Debug)]
pub enum UrlSource {
    /// The systemd credential `notify-url`.
    Credential(PathBuf),
    /// `notify.url_file`.
    File(PathBuf),
    /// `notify.url`.
    Inline(SecretString),
}

/// What a channel understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyFormat {
    /// An incoming webhook of Slack, or of what is compatible with it.
    Slack,
    /// A workflow of Microsoft Teams that waits for a webhook.
    Teams,
    /// A topic of ntfy.
    Ntfy,
    /// A JSON document, for programs.
    Json,
}

/// What a channel is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotifyEvent {
    /// Another conflict, ambiguous match or rejected field waits for a person.
    Attention,
    /// Other deletions, clearings or changes are held.
    Held,
    /// Runs fail.
    Unhealthy,
    /// Runs succeed again.
    Recovered,
}

impl NotifyEvent {
    /// All of them, with their names.
    pub const ALL: [(&'static str, NotifyEvent); 4] = [
        ("attention", NotifyEvent::Attention),
        ("held", NotifyEvent::Held),
        ("unhealthy", NotifyEvent::Unhealthy),
        ("recovered", NotifyEvent::Recovered),
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, event)| *event == self).map_or("", |(name, _)| name)
    }
}

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The file cannot be read.
    #[error("cannot read the notification URL from {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read or change the file.
    #[error("{} can be read or changed by others (mode {mode:04o}): chmod 600 it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What is there is no address.
    #[error("the notification URL is not an http or https URL")]
    NotAnAddress,
}

impl UrlSource {
    /// Reads the address; from a file anew each time.
    ///
    /// # Errors
    /// When it cannot be had, or is none.
    pub fn read(&self) -> Result<Url, UrlError> {
        let text = match self {
            UrlSource::Credential(path) => read_file(path, true)?,
            UrlSource::File(path) => read_file(path, false)?,
            UrlSource::Inline(url) => url.clone(),
        };
        let url: Url = text.expose_secret().trim().parse().map_err(|_| UrlError::NotAnAddress)?;
        let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
        if is_web { Ok(url) } else { Err(UrlError::NotAnAddress) }
    }
}

fn read_file(path: &Path, is_credential: bool) -> Result<SecretString, UrlError> {
    let failed = |source| UrlError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if !is_credential && is_open_to_others(metadata.uid(), mode) {
        return Err(UrlError::OpenToOthers { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(SecretString::from(text))
}

impl NotifyConfig {
    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<Option<NotifyConfig>, Noted> {
        let url = settings.optional("notify.url", parse::web_url);
        let file = settings.optional("notify.url_file", parse::parse_text);
        let format = settings.required("notify.format", |value| {
            let formats = [
                ("slack", NotifyFormat::Slack),
                ("teams", NotifyFormat::Teams),
                ("ntfy", NotifyFormat::Ntfy),
                ("json", NotifyFormat::Json),
            ];
            parse::parse_choice(value, &formats)
        });
        let on = settings.required("notify.on", events);
        let credential = settings
            .environment
            .get_nonempty("CREDENTIALS_DIRECTORY")
            .map(|directory| Path::new(directory).join("notify-url"))
            .filter(|path| path.exists());
        let file = file?.map(|path| settings.absolute(path));
        let url = url?.map(|url| SecretString::from(String::from(url)));
        let (format, on) = (format?, on?);
        let source = credential
            .map(UrlSource::Credential)
            .or_else(|| file.map(UrlSource::File))
            .or_else(|| url.map(UrlSource::Inline));
        Ok(source.map(|url| NotifyConfig { url, format, on }))
    }
}

fn events(value: &Value) -> Result<Vec<NotifyEvent>, BadValue> {
    let wrong =
        || BadValue::new("an array of \"attention\", \"held\", \"unhealthy\", \"recovered\"");
    let several = value.as_array().ok_or_else(wrong)?;
    let mut events = Vec::new();
    for one in several {
        events.push(parse::parse_choice(one, &NotifyEvent::ALL)?);
    }
    if events.is_empty() { Err(wrong()) } else { Ok(events) }
}
