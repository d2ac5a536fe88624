//! The token: where it comes from, and reading it.
//!
//! Owns the order of the places, the checks on each of them and what a token
//! looks like. No token is ever part of a message. Leaves when to read it to the
//! callers: a file and a command can be read again after Linq refused a token.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};

use super::argv::Argv;
use super::parse;
use super::said::{MOST_SAID, mask_output};
use super::settings::{ConfigLayers, Noted};

/// Where the token comes from. `Display` names the place for people.
#[derive(Clone, Debug)]
pub enum TokenOrigin {
    /// The systemd credential `linq-token`.
    Credential(PathBuf),
    /// The environment variable `LINQ_TOKEN`.
    Environment(SecretString),
    /// `linq.token_file`.
    File(PathBuf),
    /// `linq.token_command`.
    Command(Argv),
    /// `linq.token`.
    Inline(SecretString),
    /// Nowhere: no place is configured.
    Unset,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenUnreadable {
    /// No place is configured.
    #[error(
        "no token: set `linq.token_file`, `linq.token_command`, LINQ_TOKEN or the systemd \
         credential `linq-token`"
    )]
    Unset,
    /// There is no such file.
    #[error("cannot read token file {}: not found", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read token file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read or change the file.
    #[error(
        "the token file {path} can be {what} by others (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display(),
        what = if *mode & 0o022 == 0 { "read" } else { "changed" }
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The command cannot be run.
    #[error("cannot run the token command {}", program.display())]
    Command {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The command failed.
    #[error("the token command {} failed: {status}{}{said}", program.display(), if said.is_empty() { "" } else { ": " })]
    CommandFailed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it said on standard error, without secrets.
        said: String,
    },
    /// The command did not end in time and was killed.
    #[error("the token command {} did not end within {}", program.display(), humantime::format_duration(*limit))]
    CommandTooSlow {
        /// The program.
        program: PathBuf,
        /// The time it had.
        limit: Duration,
    },
    /// What was found is no token.
    #[error("the token from {origin} {problem}")]
    Malformed {
        /// The place.
        origin: String,
        /// What is wrong with it.
        problem: Malformed,
    },
}

impl TokenUnreadable {
    /// Whether the token is there, and this user may not read it.
    pub fn is_denied(&self) -> bool {
        matches!(self, TokenUnreadable::File { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Why a text cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// A token is one line.
    #[error("has more than one line")]
    SeveralLines,
    /// A token travels in a header.
    #[error("contains characters other than visible ASCII, such as a space")]
    NotVisibleAscii,
    /// More than any token.
    #[error("is longer than 64 KiB")]
    TooLong,
}

/// Where people get a token.
pub const WHERE_FROM: &str = "an integration token comes from your Linq representative: \
                              https://docs.linqapp.com/v2/authentication/";

/// How long `linq.token_command` may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
const MOST_BYTES: u64 = 64 * 1024;

impl TokenOrigin {
    /// Picks the first place that is configured.
    pub(super) fn from_settings(settings: &mut ConfigLayers<'_>) -> Result<TokenOrigin, Noted> {
        let file = settings.optional("linq.token_file", parse::parse_text);
        let command = Argv::read_key(settings, "linq.token_command");
        let inline = settings.optional("linq.token", parse::parse_text);
        let file = file?.map(|path| settings.absolute(path));
        let (command, inline) = (command?, inline?.map(SecretString::from));

        let environment = settings.environment;
        let credential = environment
            .get_nonempty("CREDENTIALS_DIRECTORY")
            .map(|directory| Path::new(directory).join("linq-token"))
            .filter(|path| path.exists());
        let variable =
            environment.get_any("LINQ_TOKEN").map(|token| token.to_string_lossy().into_owned());

        let first = credential
            .map(TokenOrigin::Credential)
            .or_else(|| variable.map(SecretString::from).map(TokenOrigin::Environment))
            .or_else(|| file.map(TokenOrigin::File))
            .or_else(|| command.map(TokenOrigin::Command))
            .or_else(|| inline.map(TokenOrigin::Inline));
        Ok(first.unwrap_or(TokenOrigin::Unset))
    }

    /// Whether another token can come from there while this process lives.
    pub fn may_change(&self) -> bool {
        match self {
            TokenOrigin::Credential(_) | TokenOrigin::File(_) | TokenOrigin::Command(_) => true,
            TokenOrigin::Environment(_) | TokenOrigin::Inline(_) | TokenOrigin::Unset => false,
        }
    }

    /// Reads the token; a file or command anew each time. Blocks, for a command
    /// up to ten seconds.
    ///
    /// # Errors
    /// When there is none, it cannot be had, or it cannot be a token.
    pub fn read(&self) -> Result<SecretString, TokenUnreadable> {
        let text = match self {
            TokenOrigin::Credential(path) => read_file(path, TokenAccess::Systemd)?,
            TokenOrigin::File(path) => read_file(path, TokenAccess::OwnerOnly)?,
            TokenOrigin::Command(argv) => run_command(argv, COMMAND_LIMIT)?,
            TokenOrigin::Environment(text) | TokenOrigin::Inline(text) => text.clone(),
            TokenOrigin::Unset => return Err(TokenUnreadable::Unset),
        };
        token_of(text.expose_secret())
            .map_err(|problem| TokenUnreadable::Malformed { origin: self.to_string(), problem })
    }
}

impl fmt::Display for TokenOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenOrigin::Credential(_) => f.write_str("the systemd credential `linq-token`"),
            TokenOrigin::Environment(_) => f.write_str("the environment variable LINQ_TOKEN"),
            TokenOrigin::File(path) => write!(f, "the file {}", path.display()),
            TokenOrigin::Command(argv) => write!(f, "the command {}", argv.program.display()),
            TokenOrigin::Inline(_) => f.write_str("`linq.token`"),
            TokenOrigin::Unset => f.write_str("nowhere"),
        }
    }
}

/// Whether a file of this owner and mode is open to others. Nobody else may change it; and
/// nobody else may read it, except that root may let a group read what is root's: so
/// Kubernetes hands out secrets.
pub(crate) fn is_open_to_others(owner: u32, mode: u32) -> bool {
    const ROOT: u32 = 0;
    let readable = if owner == ROOT { 0o004 } else { 0o044 };
    mode & (readable | 0o022) != 0
}

/// The token in `text`, which may stand between spaces and line ends.
///
/// # Errors
/// When it is none.
pub fn token_of(text: &str) -> Result<SecretString, Malformed> {
    let token = text.trim();
    if token.is_empty() {
        Err(Malformed::Empty)
    } else if u64::try_from(text.len()).is_ok_and(|len| len > MOST_BYTES) {
        Err(Malformed::TooLong)
    } else if token.contains(['\n', '\r']) {
        Err(Malformed::SeveralLines)
    } else if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(SecretString::from(token))
    } else {
        Err(Malformed::NotVisibleAscii)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenAccess {
    /// systemd keeps the file from others, whatever its mode.
    Systemd,
    OwnerOnly,
}

fn read_file(path: &Path, access: TokenAccess) -> Result<SecretString, TokenUnreadable> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            TokenUnreadable::NotFound { path }
        } else {
            TokenUnreadable::File { path, source }
        }
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if access == TokenAccess::OwnerOnly && is_open_to_others(metadata.uid(), mode) {
        return Err(TokenUnreadable::OpenToOthers { path: path.to_owned(), mode });
    }
    read_to_end(file).map_err(failed)
}

/// Reads one byte more than a token may have, so that a longer one is noticed.
/// What is not UTF-8 becomes what no token contains.
fn read_to_end(reader: impl Read) -> io::Result<SecretString> {
    let mut bytes = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(SecretString::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Runs the command in a process group of its own, so that whatever it started
/// ends with it when time is up. What it says on standard error is shown when it fails,
/// without what may be a secret.
fn run_command(argv: &Argv, limit: Duration) -> Result<SecretString, TokenUnreadable> {
    let program = || argv.program.clone();
    let failed = |source| TokenUnreadable::Command { program: program(), source };
    let mut command = argv.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().map_err(failed)?;
    let group = Pid::from_child(&child);

    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || sender.send(output_of(child)));
    let Ok(output) = receiver.recv_timeout(limit) else {
        // An error means that the group has just ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
        return Err(TokenUnreadable::CommandTooSlow { program: program(), limit });
    };
    let CommandOutput { text, said, status } = output.map_err(failed)?;
    if status.success() {
        return Ok(text);
    }
    let printed: Vec<&str> = text.expose_secret().split_whitespace().collect();
    let said = mask_output(&said, &printed);
    Err(TokenUnreadable::CommandFailed { program: program(), status, said })
}

/// What a command has printed and said, and how it ended.
struct CommandOutput {
    text: SecretString,
    said: Vec<u8>,
    status: ExitStatus,
}

fn output_of(mut child: Child) -> io::Result<CommandOutput> {
    let stderr = child.stderr.take();
    let hearing = std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = (&mut stderr).take(MOST_SAID).read_to_end(&mut said);
            // The rest is read, so that the command never waits.
            let _ = io::copy(&mut stderr, &mut io::sink());
        }
        said
    });
    let text = match child.stdout.take() {
        Some(stdout) => read_to_end(stdout)?,
        None => SecretString::default(),
    };
    let status = child.wait()?;
    Ok(CommandOutput { text, said: hearing.join().unwrap_or_default(), status })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(directory: &Path, text: &[u8], mode: u32) -> PathBuf {
        let path = directory.join("linq.token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn sh(script: &str) -> Argv {
        Argv {
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            directory: "/".into(),
        }
    }

    fn read(source: &TokenOrigin) -> Result<String, String> {
        let token = source.read().map_err(|error| error.to_string())?;
        Ok(token.expose_secret().to_owned())
    }

    #[test]
    fn a_token_file_is_read_anew_each_time_and_trimmed() {
        let directory = tempfile::tempdir().unwrap();
        let source = TokenOrigin::File(file(directory.path(), b"one\n", 0o600));
        assert_eq!(read(&source).unwrap(), "one");
        file(directory.path(), b"  two\r\n\n", 0o400);
        assert_eq!(read(&source).unwrap(), "two");
    }

    #[test]
    fn a_token_file_that_others_can_read_or_change_is_refused_and_a_credential_is_not() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, what) in
            [(0o604, "read"), (0o644, "read"), (0o660, "changed"), (0o602, "changed")]
        {
            let path = file(directory.path(), b"s3cr3t", mode);
            let error = read(&TokenOrigin::File(path.clone())).unwrap_err();
            let fix = format!(
                "can be {what} by others (mode {mode:04o}); run: chmod 600 {}",
                path.display()
            );
            assert!(error.ends_with(&fix), "{error}");
            assert_eq!(read(&TokenOrigin::Credential(path)).unwrap(), "s3cr3t");
        }
    }

    #[test]
    fn a_group_may_read_what_is_roots_and_nothing_else() {
        for (owner, mode, is_open) in [
            (0, 0o440, false),
            (0, 0o640, false),
            (0, 0o600, false),
            (0, 0o460, true),
            (0, 0o444, true),
            (0, 0o442, true),
            (1_000, 0o600, false),
            (1_000, 0o400, false),
            (1_000, 0o440, true),
            (1_000, 0o602, true),
            (1_000, 0o620, true),
        ] {
            assert_eq!(is_open_to_others(owner, mode), is_open, "{owner} {mode:o}");
        }
    }

    #[test]
    fn a_missing_token_file_is_named() {
        let error = read(&TokenOrigin::File("/nowhere/linq.token".into())).unwrap_err();
        assert_eq!(error, "cannot read token file /nowhere/linq.token: not found");
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_without_showing_it() {
        let long = "s3cr3t".repeat(20_000);
        for (text, problem) in [
            ("", Malformed::Empty),
            (" \n\t\n", Malformed::Empty),
            ("s3cr3t\ns3cr3t", Malformed::SeveralLines),
            ("s3cr3t s3cr3t", Malformed::NotVisibleAscii),
            ("s3cr3t\0", Malformed::NotVisibleAscii),
            ("s3cr3tü", Malformed::NotVisibleAscii),
            ("\u{feff}s3cr3t", Malformed::NotVisibleAscii),
            (&long, Malformed::TooLong),
        ] {
            let source = TokenOrigin::Inline(SecretString::from(text));
            let error = source.read().unwrap_err();
            assert_eq!(error.to_string(), format!("the token from `linq.token` {problem}"));
            assert!(!format!("{error:?}{source:?}").contains("s3cr3t"));
        }
        let directory = tempfile::tempdir().unwrap();
        let source = TokenOrigin::File(file(directory.path(), b"s3cr3t\xff", 0o600));
        assert!(read(&source).unwrap_err().contains("visible ASCII"));
        let source = TokenOrigin::File(file(directory.path(), long.as_bytes(), 0o600));
        assert!(read(&source).unwrap_err().contains("64 KiB"));
    }

    #[test]
    fn a_command_is_run_without_a_shell_and_its_output_trimmed() {
        let argv = Argv {
            program: "printf".into(),
            arguments: vec!["$HOME\\n".to_owned()],
            directory: "/".into(),
        };
        assert_eq!(read(&TokenOrigin::Command(argv)).unwrap(), "$HOME");
        assert_eq!(read(&TokenOrigin::Command(sh("echo; echo t0ken"))).unwrap(), "t0ken");
    }

    #[test]
    fn a_command_that_fails_gives_no_token_and_shows_none() {
        let source = TokenOrigin::Command(sh("echo s3cr3t; exit 3"));
        assert_eq!(read(&source).unwrap_err(), "the token command sh failed: exit status: 3");
        let script = "echo s3cr3t; echo locked: s3cr3t >&2; yes | head -c 300000 >&2; exit 3";
        let error = read(&TokenOrigin::Command(sh(script))).unwrap_err();
        assert!(error.starts_with("the token command sh failed: exit status: 3: locked: *** y y"));
        assert!(error.chars().count() < 300, "{error}");
        let missing = Argv {
            program: "/nowhere/pass".into(),
            arguments: vec!["s3cr3t".into()],
            directory: "/".into(),
        };
        let source = TokenOrigin::Command(missing);
        assert_eq!(read(&source).unwrap_err(), "cannot run the token command /nowhere/pass");
        assert!(!format!("{source:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_all_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .unwrap();
        // The inner shell holds the pipe's writing end for as long as it lives,
        // and says so by opening it.
        let script =
            format!("(exec 3>'{}'; tail -f /dev/null) & tail -f /dev/null", pipe.display());
        let watch = std::thread::spawn(move || File::open(pipe)?.read_to_end(&mut Vec::new()));
        let error = run_command(&sh(&script), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.to_string(), "the token command sh did not end within 300ms");
        assert_eq!(watch.join().unwrap().unwrap(), 0, "the pipe ends when the last writer is gone");
    }
}
