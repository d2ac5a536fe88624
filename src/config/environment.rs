//! What surrounds the program: environment variables and the working directory.
//!
//! Owns where files are looked for and where state is kept by default. Nothing
//! else in this module asks the process; everything is handed a value of
//! [`Environment`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The environment variables and the working directory of a process.
///
/// No `Debug`: variables hold secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    directory: PathBuf,
}

impl Environment {
    /// The environment of this process.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn of_process() -> io::Result<Environment> {
        let directory = std::env::current_dir()?;
        Ok(Environment { variables: std::env::vars_os().collect(), directory })
    }

    /// An environment of these variables, with relative paths beginning at `directory`.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(
        directory: &Path,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Environment {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Environment { variables: variables.collect(), directory: directory.to_owned() }
    }

    /// The value of `name`, unless it is unset or empty.
    pub(super) fn get_nonempty(&self, name: &str) -> Option<&OsStr> {
        self.get_any(name).filter(|value| !value.is_empty())
    }

    /// The value of `name`, which may be empty.
    pub(super) fn get_any(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The names that begin with `prefix`, in order.
    pub(super) fn names_with(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.variables
            .keys()
            .filter_map(|name| name.to_str())
            .filter(move |name| name.starts_with(prefix))
    }

    /// `path`, made absolute from the working directory. One that leads upwards is that to
    /// which it leads, so that a file has one path from wherever it is named.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        let path: PathBuf = self.directory.join(path).components().collect();
        if !path.components().any(|part| part == Component::ParentDir) {
            return path;
        }
        let whole = path
            .parent()
            .zip(path.file_name())
            .and_then(|(parent, name)| Some(parent.canonicalize().ok()?.join(name)));
        whole.unwrap_or(path)
    }

    /// Where `sync.toml` is looked for when nobody names it, first match first.
    pub(super) fn config_places(&self) -> Vec<PathBuf> {
        let user = self.directory_of("XDG_CONFIG_HOME", ".config");
        [Some(self.absolute(Path::new("."))), user.map(|dir| dir.join("linqsync"))]
            .into_iter()
            .flatten()
            .chain([PathBuf::from("/etc/linqsync")])
            .map(|dir| dir.join("sync.toml"))
            .collect()
    }

    /// The state directory that systemd has made for this service.
    pub(super) fn service_state(&self) -> Option<PathBuf> {
        // A unit with several state directories gets them joined by colons.
        std::env::split_paths(self.get_nonempty("STATE_DIRECTORY")?).next()
    }

    /// The directory with the state of each configuration of the user.
    pub(super) fn user_states(&self) -> Option<PathBuf> {
        Some(self.directory_of("XDG_STATE_HOME", ".local/state")?.join("linqsync"))
    }

    /// A base directory as the XDG specification has it: a relative one in the
    /// variable is ignored.
    fn directory_of(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        let named =
            self.get_nonempty(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| Some(Path::new(self.get_nonempty("HOME")?).join(in_home)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(Path::new("/here"), variables.iter().copied())
    }

    #[test]
    fn the_file_is_looked_for_here_then_with_the_user_then_with_the_system() {
        let places = environment(&[("HOME", "/home/sam")]).config_places();
        let expected =
            ["/here/sync.toml", "/home/sam/.config/linqsync/sync.toml", "/etc/linqsync/sync.toml"];
        assert_eq!(places, expected.map(PathBuf::from));

        let xdg = environment(&[("HOME", "/home/sam"), ("XDG_CONFIG_HOME", "/cfg")]);
        assert_eq!(xdg.config_places()[1], Path::new("/cfg/linqsync/sync.toml"));
        let relative = environment(&[("XDG_CONFIG_HOME", "cfg")]);
        assert_eq!(relative.config_places().len(), 2, "no home, and a relative one is ignored");
    }

    #[test]
    fn states_are_kept_where_systemd_says_and_with_the_user() {
        let home = ("HOME", "/home/sam");
        for (variables, expected) in [
            (&[home, ("STATE_DIRECTORY", "/var/lib/linqsync")][..], Some("/var/lib/linqsync")),
            (&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")], Some("/var/lib/a")),
            (&[home, ("STATE_DIRECTORY", "")], None),
        ] {
            assert_eq!(environment(variables).service_state(), expected.map(PathBuf::from));
        }
        for (variables, expected) in [
            (&[home, ("XDG_STATE_HOME", "/state")][..], Some("/state/linqsync")),
            (&[home, ("XDG_STATE_HOME", "")], Some("/home/sam/.local/state/linqsync")),
            (&[home], Some("/home/sam/.local/state/linqsync")),
            (&[], None),
        ] {
            assert_eq!(environment(variables).user_states(), expected.map(PathBuf::from));
        }
    }
}
