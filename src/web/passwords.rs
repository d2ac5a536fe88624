//! The password file: a line for each role, hashed with Argon2id.
//!
//! ```text
//! decide:$argon2id$v=19$m=19456,t=2,p=1$…
//! look:$argon2id$v=19$m=19456,t=2,p=1$…
//! ```
//!
//! Owns its form, reading and writing. It is read anew whenever it is needed, so that another
//! password holds at once.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::config::is_open_to_others;

/// The longest file that is read.
const MOST_BYTES: u64 = 16 * 1024;
/// The shortest password.
pub const SHORTEST: usize = 10;
/// The longest one.
pub const LONGEST: usize = 1024;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InboxRole {
    /// See everything, and decide.
    Decide,
    /// See everything.
    Look,
}

impl InboxRole {
    /// Both of them.
    pub const ALL: [InboxRole; 2] = [InboxRole::Decide, InboxRole::Look];

    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            InboxRole::Decide => "decide",
            InboxRole::Look => "look",
        }
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<InboxRole> {
        InboxRole::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Why the password file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It cannot be read.
    #[error("cannot read the password file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write the password file {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read or change it.
    #[error("the password file {} can be read or changed by others (mode {mode:04o}): chmod 600 it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is something else.
    #[error("{}:{line} is not a line of a password file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The password is no good.
    #[error("the password must have {SHORTEST} to {LONGEST} characters")]
    Length,
    /// It is the password of the other role.
    #[error("this is the password of the other role")]
    OfTheOther,
    /// It cannot be hashed.
    #[error("the password cannot be hashed")]
    Hash,
}

/// The passwords in a file, hashed.
#[derive(Clone, Default)]
pub struct Passwords(Vec<(InboxRole, String)>);

impl Passwords {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, others can, or it is something else.
    pub fn read(path: &Path) -> Result<Passwords, PasswordError> {
        let failed = |source| PasswordError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.mode() & 0o7777;
        if is_open_to_others(metadata.uid(), mode) {
            return Err(PasswordError::OpenToOthers { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
        let mut found = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let malformed = || PasswordError::Malformed { path: path.to_owned(), line: number };
            let (name, hash) = line.split_once(':').ok_or_else(malformed)?;
            let role = InboxRole::from_name(name).ok_or_else(malformed)?;
            let is_hash = PasswordHash::new(hash).is_ok() && hash.starts_with("$argon2id$");
            if !is_hash || found.iter().any(|(known, _)| *known == role) {
                return Err(malformed());
            }
            found.push((role, hash.to_owned()));
        }
        Ok(Passwords(found))
    }

    /// The role of a password, and what stands for its line. Takes as long for a wrong one.
    pub fn role_of(&self, password: &str) -> Option<(InboxRole, [u8; 32])> {
        if password.chars().count() > LONGEST {
            return None;
        }
        let mut found = None;
        for (role, hash) in &self.0 {
            let Ok(parsed) = PasswordHash::new(hash) else { continue };
            let is_right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            if is_right && found.is_none() {
                found = Some((*role, key(*role, hash)));
            }
        }
        found
    }

    /// Whether a role has a password.
    pub fn has_role(&self, wanted: InboxRole) -> bool {
        self.0.iter().any(|(role, _)| *role == wanted)
    }

    /// Whether the line that `key` stands for is still there.
    pub fn has(&self, wanted: &[u8; 32]) -> bool {
        self.0.iter().any(|(role, hash)| key(*role, hash) == *wanted)
    }

    /// Gives a role another password; that of the other role stays.
    ///
    /// # Errors
    /// When the password is no good.
    pub fn set(&mut self, role: InboxRole, password: &str) -> Result<(), PasswordError> {
        let length = password.chars().count();
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(PasswordError::Length);
        }
        if self.role_of(password).is_some_and(|(of, _)| of != role) {
            return Err(PasswordError::OfTheOther);
        }
        let hash = Argon2::default()
            .hash_password(password.as_bytes())
            .map_err(|_| PasswordError::Hash)?
            .to_string();
        self.0.retain(|(known, _)| *known != role);
        self.0.push((role, hash));
        self.0.sort();
        Ok(())
    }

    /// Writes them to `path`, in place of what is there: with its owner, group and mode as far
    /// as that can be done, and else for this user alone.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PasswordError> {
        let failed = |source| PasswordError::Write { path: path.to_owned(), source };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(dir)
            .map_err(failed)?;
        for (role, hash) in &self.0 {
            writeln!(file, "{}:{hash}", role.name()).map_err(failed)?;
        }
        if let Ok(before) = std::fs::metadata(path) {
            make_like(file.as_file(), &before).map_err(failed)?;
        }
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Gives a new file the owner, group and mode of the one `before` it. Whom it cannot be given to
/// cannot read it.
fn make_like(file: &File, before: &std::fs::Metadata) -> io::Result<()> {
    let given = fchown(file, Some(before.uid()), Some(before.gid()));
    let given = given.or_else(|_| fchown(file, None, Some(before.gid())));
    let mode = before.mode() & 0o777;
    let is_private = !is_open_to_others(file.metadata()?.uid(), mode);
    let mode = if given.is_ok() && is_private { mode } else { mode & 0o700 };
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// What stands for a line.
fn key(role: InboxRole, hash: &str) -> [u8; 32] {
    *blake3::hash(format!("{}:{hash}", role.name()).as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_a_password_and_a_new_one_leaves_the_other_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.password");
        let mut passwords = Passwords::default();
        passwords.set(InboxRole::Look, "only for looking").unwrap();
        passwords.set(InboxRole::Decide, "this one decides").unwrap();
        passwords.write(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("decide:$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let mut read = Passwords::read(&path).unwrap();
        let role = |passwords: &Passwords, text| passwords.role_of(text).map(|(role, _)| role);
        assert_eq!(role(&read, "only for looking"), Some(InboxRole::Look));
        assert_eq!(role(&read, "this one decides"), Some(InboxRole::Decide));
        assert_eq!(role(&read, ""), None);
        let (_, key) = read.role_of("this one decides").unwrap();
        read.set(InboxRole::Decide, "another one now").unwrap();
        assert!(!read.has(&key) && passwords.has(&key));
        assert_eq!(role(&read, "only for looking"), Some(InboxRole::Look));
        assert_eq!(role(&read, "this one decides"), None);
        assert!(matches!(read.set(InboxRole::Look, "short"), Err(PasswordError::Length)));
        let other = read.set(InboxRole::Look, "another one now");
        assert!(matches!(other, Err(PasswordError::OfTheOther)));
    }

    #[test]
    fn what_is_open_to_others_or_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.password");
        for (text, mode) in [
            ("decide:hunter2\n", 0o600),
            ("admin:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g\n", 0o600),
            ("token\n", 0o600),
            ("", 0o660),
            ("", 0o604),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(Passwords::read(&path).is_err(), "{text} {mode:o}");
        }
    }
}
