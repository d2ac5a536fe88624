//! What this process uses, as `/proc/self` tells it (proc(5)).

use std::path::Path;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Resident memory in bytes.
    pub(super) memory: f64,
    /// Processor time in seconds, that of the processes included which it has started and
    /// which have ended, as those of runs.
    pub(super) cpu: f64,
    /// Open file descriptors.
    pub(super) files: f64,
}

/// What this process uses now; nothing where the system does not tell.
pub(super) fn usage() -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // Reading the directory takes one itself.
    Usage { files: super::number(files.saturating_sub(1)), ..from_stat(&stat).unwrap_or_default() }
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
    Some(Usage { cpu: cpu / tick, memory: column(24)? * page, files: 0.0 })
}

/// The size of the databases and their companions, in bytes.
pub(super) fn size_of_state(dir: &Path) -> f64 {
    let names = ["state.db", "state.db-wal", "state.db-shm", "records.db"];
    let sizes = names.iter().filter_map(|name| std::fs::metadata(dir.join(name)).ok());
    let sum: u64 = sizes.map(|metadata| metadata.len()).sum();
    super::number(usize::try_from(sum).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_counted_behind_the_name_whatever_it_is() {
        let before = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 100 100 50 20 0 4 0 99 1000000 256 rest";
        let usage = from_stat(before).unwrap();
        let page = rustix::param::page_size();
        assert!((usage.memory - 256.0 * super::super::number(page)).abs() < 0.5);
        assert!((usage.cpu - 4.0).abs() < 0.001, "at 100 ticks a second");
        assert!(from_stat("").is_none());
    }

    #[test]
    fn this_process_uses_something() {
        let usage = usage();
        assert!(usage.memory > 1e6 && usage.files >= 3.0, "{usage:?}");
    }
}
