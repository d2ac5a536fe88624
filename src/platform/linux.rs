//! Linux: `/proc` (proc(5)) and calls that only its kernel has.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::{LockHolder, Usage, fits_an_address};

/// How often the lock holder is looked for. The system lists its locks in parts; one may be
/// missing while others come and go.
const LOOKS: usize = 3;

/// The program to start for this one to run again: also after its file was replaced by
/// another version. `path` is where it was when it started.
pub(crate) fn own_program(path: &Path) -> PathBuf {
    let exe = Path::new("/proc/self/exe");
    if exe.exists() { exe.to_owned() } else { path.to_owned() }
}

/// Writes nothing: the kernel lists who holds which lock.
pub(crate) fn note_holder(_: &File) {}

/// Who holds the lock on `file`, which this process does not hold. The lines of
/// `/proc/locks` read `1: FLOCK ADVISORY WRITE 812 08:01:131 0 EOF`.
pub(crate) fn lock_holder(file: &File) -> Option<LockHolder> {
    let inode = file.metadata().ok()?.ino().to_string();
    let holder = |locks: String| {
        locks.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let held = columns.get(1) == Some(&"FLOCK");
            let here = columns.get(5)?.rsplit(':').next() == Some(inode.as_str());
            let pid = columns.get(4)?.parse().ok()?;
            (held && here).then_some(pid)
        })
    };
    let pid = (0..LOOKS).find_map(|_| holder(std::fs::read_to_string("/proc/locks").ok()?))?;
    Some(LockHolder { pid, since: started_at(pid) })
}

/// When a process started: the modification time of its directory in `/proc`.
fn started_at(pid: u32) -> Option<SystemTime> {
    std::fs::metadata(format!("/proc/{pid}")).ok()?.modified().ok()
}

/// The words that a process was started with.
pub(crate) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words: Vec<OsString> =
        line.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
    words.pop();
    Some(words)
}

/// What this process uses now; nothing where the system does not tell.
pub(crate) fn usage() -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // Reading the directory takes one itself.
    Usage { files: files.saturating_sub(1), ..from_stat(&stat).unwrap_or_default() }
}

fn from_stat(stat: &str) -> Option<Usage> {
    // The name, in parentheses, may hold anything; the state follows it.
    let (_, rest) = stat.rsplit_once(')')?;
    let columns: Vec<&str> = rest.split_whitespace().collect();
    let column = |number: usize| columns.get(number - 3)?.parse::<f64>().ok();
    #[expect(clippy::cast_precision_loss, reason = "100 and 4096")]
    let (tick, page) =
        (rustix::param::clock_ticks_per_second() as f64, rustix::param::page_size() as f64);
    let cpu = column(14)? + column(15)? + column(16)? + column(17)?;
    Some(Usage { cpu: cpu / tick, memory: column(24)? * page, files: 0 })
}

/// What keeps a socket's address usable.
pub(crate) type AddressGuard = File;

/// The address of the socket `name` in `dir`. A path that is too long leads through the open
/// directory, which is to be kept open as long as the address is used.
pub(crate) fn socket_address(
    dir: &Path,
    name: &str,
) -> io::Result<(PathBuf, Option<AddressGuard>)> {
    let direct = dir.join(name);
    if fits_an_address(&direct) {
        return Ok((direct, None));
    }
    let open = File::open(dir)?;
    let through = PathBuf::from(format!("/proc/self/fd/{}/{name}", open.as_raw_fd()));
    Ok((through, Some(open)))
}

/// Keeps this process's memory out of core dumps, where the kernel can.
pub(crate) fn forbid_core_dumps() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Makes all files below `dir` durable, at once: one by one takes minutes where there are
/// many.
pub(crate) fn sync_directory_tree(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_counted_behind_the_name_whatever_it_is() {
        let before = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 100 100 50 20 0 4 0 99 1000000 256 rest";
        let usage = from_stat(before).unwrap();
        let page = f64::from(u32::try_from(rustix::param::page_size()).unwrap());
        assert!((usage.memory - 256.0 * page).abs() < 0.5);
        assert!((usage.cpu - 4.0).abs() < 0.001, "at 100 ticks a second");
        assert!(from_stat("").is_none());
    }

    #[test]
    fn this_process_uses_something() {
        let usage = usage();
        assert!(usage.memory > 1e6 && usage.files >= 3, "{usage:?}");
    }
}
