//! The sections `[state]`, `[status]` and `[hooks]`.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::argv::Argv;
use super::parse;
use super::settings::{ConfigLayers, Noted};

/// Where linqsync keeps what it knows.
#[derive(Clone, Debug)]
pub struct StateConfig {
    /// The directory; absolute.
    pub dir: PathBuf,
    /// The directory with the state of each configuration of the user; absolute. Earlier
    /// versions kept one state for all of them in it.
    pub all: Option<PathBuf>,
    /// Whether `dir` is the directory that this configuration gets below `all`, since nothing
    /// names another.
    pub is_default: bool,
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
    pub(super) fn read(settings: &mut ConfigLayers<'_>, file: &Path) -> Result<StateConfig, Noted> {
        let all = settings.environment.user_states();
        let dir = settings.optional("state.dir", parse::parse_text).and_then(|dir| {
            let named = dir.map(PathBuf::from).or_else(|| settings.environment.service_state());
            let own = || all.as_ref().map(|all| (all.join(directory_name(file)), true));
            named.map(|dir| (settings.absolute(dir), false)).or_else(own).ok_or_else(|| {
                let title = "`state.dir` is not set, and there is no home directory".to_owned();
                settings.note_problem("state.dir", title, None)
            })
        });
        let history = settings.required("state.history", parse::some_duration);
        let (dir, is_default) = dir?;
        Ok(StateConfig { dir, all, is_default, history: history? })
    }
}

/// How much of a digest stands in the name of a directory.
const DIGITS: usize = 12;

/// What the state directory of the configuration in `file` is called: by its name and by a
/// digest of its path, `crm-7f3a9c0e52d1` for `crm/sync.toml`. A directory that is reached
/// through a symbolic link is the one that it leads to.
fn directory_name(file: &Path) -> String {
    let (parent, name) = (file.parent().unwrap_or(file), file.file_name().unwrap_or_default());
    let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
    let named = match file.file_stem() {
        Some(stem) if stem != "sync" => stem,
        _ => parent.file_name().unwrap_or_default(),
    };
    let is_plain = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named: String = named.to_string_lossy().chars().filter(is_plain).take(40).collect();
    let named = named.trim_start_matches('.');
    let digest = blake3::hash(parent.join(name).as_os_str().as_bytes()).to_hex();
    let digest = digest.get(..DIGITS).unwrap_or_default();
    if named.is_empty() { digest.to_owned() } else { format!("{named}-{digest}") }
}

impl StatusConfig {
    /// Whether anybody is told the metrics.
    pub fn is_told(&self) -> bool {
        self.listen.is_some() || self.textfile.is_some()
    }

    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<StatusConfig, Noted> {
        let listen = settings.optional("status.listen", parse::parse_listen);
        let textfile = settings.optional("status.textfile", parse::parse_text);
        let stale_after = settings.optional("status.stale_after", parse::some_duration);
        Ok(StatusConfig {
            listen: listen?,
            textfile: textfile?.map(|path| settings.absolute(path)),
            stale_after: stale_after?,
        })
    }
}

impl HooksConfig {
    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<HooksConfig, Noted> {
        let on_change = Argv::read_key(settings, "hooks.on_change");
        let on_health = Argv::read_key(settings, "hooks.on_health");
        let ping_url = settings.optional("hooks.ping_url", parse::web_url);
        Ok(HooksConfig { on_change: on_change?, on_health: on_health?, ping_url: ping_url? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_configuration_has_a_directory_of_its_own() {
        let name = |file: &str| directory_name(Path::new(file));
        let crm = name("/srv/crm/sync.toml");
        assert!(crm.starts_with("crm-") && crm.len() == "crm-".len() + DIGITS, "{crm}");
        assert_eq!(crm, name("/srv/crm/sync.toml"));
        assert!(name("/srv/crm/sales.toml").starts_with("sales-"));
        assert!(name("/srv/.a b/sync.toml").starts_with("ab-"));
        assert_eq!(name("/sync.toml").len(), DIGITS);
        let others = ["/srv/crm/sync.toml", "/opt/crm/sync.toml", "/srv/crm/sales.toml"];
        let names: std::collections::BTreeSet<String> = others.into_iter().map(name).collect();
        assert_eq!(names.len(), others.len());
    }

    #[test]
    fn one_directory_under_two_names_is_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("crm"), dir.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let name = |dir: &Path| directory_name(&dir.join("sync.toml"));
        assert_eq!(name(&real), name(&link));
    }
}
