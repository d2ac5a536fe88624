//! macOS and other Unix systems: what POSIX offers.
//!
//! It works on Linux as well, where its tests run.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use super::{LockHolder, Usage, fits_an_address};

/// What stands in a lock file before the process id.
const NOTE: &str = "linqsync pid ";
/// More than any note.
const LONGEST_NOTE: u64 = 64;

/// The program to start for this one to run again: the file at the path where it was when it
/// started.
pub(crate) fn own_program(path: &Path) -> PathBuf {
    path.to_owned()
}

/// Writes into a lock file of ours who holds it, since the kernel does not tell. It need not
/// succeed.
pub(crate) fn note_holder(file: &File) {
    let mut file = file;
    let note = format!("{NOTE}{}\n", std::process::id());
    let _ =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes()));
}

/// Who holds the lock on `file`, which this process does not hold: by its own note, which
/// counts only while the file is locked. It was written when the process took the lock. A
/// file that holds other things names no process.
pub(crate) fn lock_holder(file: &File) -> Option<LockHolder> {
    if flock(file, FlockOperation::NonBlockingLockShared).is_ok() {
        let _ = flock(file, FlockOperation::Unlock);
        return None;
    }
    let mut note = String::new();
    let mut reader = file;
    reader.rewind().ok()?;
    reader.take(LONGEST_NOTE).read_to_string(&mut note).ok()?;
    let pid = note.strip_prefix(NOTE)?.strip_suffix('\n')?.parse().ok()?;
    Some(LockHolder { pid, since: file.metadata().ok()?.modified().ok() })
}

/// The words that a process was started with, as ps(1) prints them: a blank within one
/// divides it.
pub(crate) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let line = ps("args=", pid)?;
    Some(line.split_whitespace().map(OsString::from).collect())
}

/// What this process uses now; nothing where the system does not tell.
pub(crate) fn usage() -> Usage {
    let files = std::fs::read_dir("/dev/fd").map_or(0, Iterator::count).saturating_sub(1);
    let told = ps("rss=,time=", std::process::id()).unwrap_or_default();
    Usage { files, ..from_ps(&told).unwrap_or_default() }
}

/// Kibibytes, then `[[days-]hours:]minutes:seconds`.
fn from_ps(told: &str) -> Option<Usage> {
    let (memory, time) = told.trim().split_once(char::is_whitespace)?;
    let (days, time) = time.trim().split_once('-').unwrap_or(("0", time.trim()));
    let mut seconds = 0.0;
    for part in time.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    let cpu = seconds + days.parse::<f64>().ok()? * 86_400.0;
    Some(Usage { memory: memory.parse::<f64>().ok()? * 1024.0, cpu, files: 0 })
}

fn ps(columns: &str, pid: u32) -> Option<String> {
    let mut command = Command::new("/bin/ps");
    command.args(["-ww", "-o", columns, "-p", &pid.to_string()]);
    let ended = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    ended.status.success().then(|| String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}

/// What keeps a socket's address usable.
pub(crate) type AddressGuard = TempDir;

/// The address of the socket `name` in `dir`. A path that is too long leads through a
/// symbolic link in a private temporary directory, which is to be kept as long as the address
/// is used.
pub(crate) fn socket_address(
    dir: &Path,
    name: &str,
) -> io::Result<(PathBuf, Option<AddressGuard>)> {
    let direct = dir.join(name);
    if fits_an_address(&direct) {
        return Ok((direct, None));
    }
    let private = tempfile::Builder::new().prefix("linqsync").tempdir()?;
    let link = private.path().join("state");
    std::os::unix::fs::symlink(std::path::absolute(dir)?, &link)?;
    Ok((link.join(name), Some(private)))
}

/// Forbids core dumps of this process and of those it starts.
pub(crate) fn forbid_core_dumps() {
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}

/// Makes all files below `dir` durable, one by one.
pub(crate) fn sync_directory_tree(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_directory_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn locked() -> (tempfile::TempDir, PathBuf, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        (dir, path, file)
    }

    #[test]
    fn a_lock_names_who_holds_it_until_it_is_free() {
        let (_dir, path, held) = locked();
        note_holder(&held);
        note_holder(&held);
        let other = File::open(&path).unwrap();
        let holder = lock_holder(&other).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.since.is_some());
        flock(&held, FlockOperation::Unlock).unwrap();
        assert_eq!(lock_holder(&other), None, "an old note names nobody");
    }

    #[test]
    fn a_locked_file_with_other_contents_names_nobody() {
        for contents in ["First Name,Last Name\n", "linqsync pid Ada\n", "", "123\n"] {
            let (_dir, path, mut held) = locked();
            held.write_all(contents.as_bytes()).unwrap();
            assert_eq!(lock_holder(&File::open(&path).unwrap()), None, "{contents}");
        }
    }

    #[test]
    fn a_long_directory_is_reached_through_a_short_address() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("d".repeat(120));
        std::fs::create_dir(&long).unwrap();
        for place in [dir.path(), long.as_path()] {
            let (address, _kept) = socket_address(place, "control").unwrap();
            let listener = UnixListener::bind(&address).unwrap();
            assert!(place.join("control").exists());
            let (again, _kept) = socket_address(place, "control").unwrap();
            let _caller = UnixStream::connect(again).unwrap();
            listener.accept().unwrap();
        }
    }

    #[test]
    fn this_process_is_described_by_ps() {
        let usage = usage();
        assert!(usage.memory > 1e6 && usage.files >= 3, "{usage:?}");
        let words = command_line(std::process::id()).unwrap();
        let program = std::env::args_os().next().unwrap();
        assert_eq!(words.first(), Some(&program));
        assert_eq!(command_line(u32::MAX), None);
    }

    #[test]
    fn processor_time_is_read_in_all_its_forms() {
        for (told, memory, cpu) in [
            ("  2048 0:01.50", 2_097_152.0, 1.5),
            ("1 00:00:02", 1024.0, 2.0),
            ("1 01:01:02", 1024.0, 3662.0),
            ("1 2-01:00:00", 1024.0, 176_400.0),
        ] {
            let usage = from_ps(told).unwrap();
            assert!((usage.memory - memory).abs() < 0.5, "{told}: {usage:?}");
            assert!((usage.cpu - cpu).abs() < 0.01, "{told}: {usage:?}");
        }
        assert!(from_ps("").is_none() && from_ps("1 x").is_none());
    }

    #[test]
    fn a_tree_is_synced_with_what_is_below_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("cards")).unwrap();
        std::fs::write(dir.path().join("cards/ada.vcf"), "BEGIN:VCARD").unwrap();
        sync_directory_tree(dir.path()).unwrap();
        assert!(sync_directory_tree(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn no_core_is_dumped_and_the_program_is_the_one_at_its_path() {
        forbid_core_dumps();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        let path = Path::new("/usr/local/bin/linqsync");
        assert_eq!(own_program(path), path);
    }
}
