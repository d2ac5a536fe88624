//! Commands that the configuration names: run as they are, never by a shell.
//!
//! Owns what they get of this process: its environment without what is meant for linqsync
//! alone, and the directory of the configuration to begin in.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

use figment::value::Value;

use super::keys::PREFIX;
use super::parse::BadValue;
use super::settings::{ConfigLayers, Noted};

/// A program and its arguments.
///
/// `Debug` shows the program alone: arguments may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Argv {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it begins: the directory of the configuration, if that is still there.
    pub directory: PathBuf,
}

impl Argv {
    /// The command, ready to be given its standard streams.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_for_us_alone(name)) {
            command.env_remove(name);
        }
        if self.directory.is_dir() {
            command.current_dir(&self.directory);
        }
        command
    }

    /// Reads the key `name`. A program that is a relative path is found beside the file.
    pub(super) fn read_key(
        settings: &mut ConfigLayers<'_>,
        name: &'static str,
    ) -> Result<Option<Argv>, Noted> {
        let words = settings.optional(name, split_words)?;
        Ok(words.and_then(|words| {
            let (program, arguments) = words.split_first()?;
            let is_path = program.contains('/');
            let program = if is_path { settings.absolute(program) } else { program.into() };
            let directory = settings.absolute(".");
            Some(Argv { program, arguments: arguments.to_vec(), directory })
        }))
    }
}

/// Whether a variable of the environment holds a secret of ours, or speaks of this process
/// to whoever started it.
fn is_for_us_alone(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let is_ours = name == b"LINQ_TOKEN" || name.starts_with(PREFIX.as_bytes());
    let is_of_systemd = matches!(
        name,
        b"NOTIFY_SOCKET"
            | b"WATCHDOG_USEC"
            | b"WATCHDOG_PID"
            | b"INVOCATION_ID"
            | b"JOURNAL_STREAM"
    ) || name.starts_with(b"LISTEN_");
    is_ours || is_of_systemd
}

fn split_words(value: &Value) -> Result<Vec<String>, BadValue> {
    let wrong =
        BadValue::new("an array of a program and its arguments, such as [\"pass\", \"linq\"]");
    let words = value.as_array().and_then(|words| {
        words.iter().map(|word| word.as_str().map(String::from)).collect::<Option<Vec<_>>>()
    });
    words.filter(|words| words.first().is_some_and(|program| !program.is_empty())).ok_or(wrong)
}

impl fmt::Debug for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argv({} and {} arguments)", self.program.display(), self.arguments.len())
    }
}
