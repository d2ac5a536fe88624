//! The sections `[state]`, `[status]` and `[hooks]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::argv::Argv;
use super::parse;
use super::settings::{Noted, Settings};

/// Where linqsync keeps what it knows.
#[derive(Clone, Debug)]
pub struct StateConfig {
    /// The directory; absolute.
    pub dir: PathBuf,
    /// How long history and backups are kept.
    pub history: Duration,
}

/// How others learn how linqsync is doing.
#[derive(Clone, Debug)]
pub struct StatusConfig {
    /// Where health and metrics are served.
    pub listen: Option<SocketAddr>,
    /// The file that the metrics are written to; absolute.
    pub textfile: Option<PathBuf>,
    /// No successful run for this long is unhealthy; unset: what the schedule allows.
    pub stale_after: Option<Duration>,
}

/// What is called when something happens.
#[derive(Clone, Debug)]
pub struct HooksConfig {
    /// Run after something changed.
    pub on_change: Option<Argv>,
    /// Run after the health changed.
    pub on_health: Option<Argv>,
    /// Asked for at the start and the end of each run.
    pub ping_url: Option<Url>,
}

impl StateConfig {
    pub(super) fn read(settings: &mut Settings<'_>) -> Result<StateConfig, Noted> {
        let dir = settings.optional("state.dir", parse::text).and_then(|dir| {
            let dir = dir.map(PathBuf::from).or_else(|| settings.environment.state_dir());
            dir.map(|dir| settings.absolute(dir)).ok_or_else(|| {
                let title = "`state.dir` is not set, and there is no home directory".to_owned();
                settings.note("state.dir", title, None)
            })
        });
        let history = settings.required("state.history", parse::some_duration);
        Ok(StateConfig { dir: dir?, history: history? })
    }
}

impl StatusConfig {
    /// Whether anybody is told the metrics.
    pub fn is_told(&self) -> bool {
        self.listen.is_some() || self.textfile.is_some()
    }

    pub(super) fn read(settings: &mut Settings<'_>) -> Result<StatusConfig, Noted> {
        let listen = settings.optional("status.listen", parse::listen);
        let textfile = settings.optional("status.textfile", parse::text);
        let stale_after = settings.optional("status.stale_after", parse::some_duration);
        Ok(StatusConfig {
            listen: listen?,
            textfile: textfile?.map(|path| settings.absolute(path)),
            stale_after: stale_after?,
        })
    }
}

impl HooksConfig {
    pub(super) fn read(settings: &mut Settings<'_>) -> Result<HooksConfig, Noted> {
        let on_change = Argv::read(settings, "hooks.on_change");
        let on_health = Argv::read(settings, "hooks.on_health");
        let ping_url = settings.optional("hooks.ping_url", parse::web_url);
        Ok(HooksConfig { on_change: on_change?, on_health: on_health?, ping_url: ping_url? })
    }
}
