//! What each operating system tells or does in its own way.
//!
//! Owns everything that Linux has and POSIX has not: `linux` uses `/proc` and calls of the
//! Linux kernel, `portable` is for macOS and other Unix systems. Both offer the same
//! functions, and only this module knows that there are two. Windows is refused when the
//! program is compiled (`main.rs`). Leaves what the answers are used for to the callers.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), test))]
mod portable;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

pub(crate) use system::{
    AddressGuard, command_line, forbid_core_dumps, lock_holder, note_holder, own_program,
    socket_address, sync_directory_tree, usage,
};

/// The process that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockHolder {
    /// Its process id.
    pub(crate) pid: u32,
    /// When it started, where the system tells.
    pub(crate) since: Option<SystemTime>,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Resident memory in bytes.
    pub(crate) memory: f64,
    /// Processor time in seconds. On Linux that of the processes is included which it has
    /// started and which have ended, as those of runs.
    pub(crate) cpu: f64,
    /// Open file descriptors.
    pub(crate) files: usize,
}

/// The longest path that fits into a socket's address on every system (104 bytes on macOS).
const LONGEST_ADDRESS: usize = 99;

fn fits_an_address(path: &Path) -> bool {
    path.as_os_str().len() <= LONGEST_ADDRESS
}

/// This program's path, as it was called or as the system knows it.
pub(crate) fn program_path() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let found = std::env::current_exe().ok();
    let is_path = called.components().count() > 1;
    found.or_else(|| is_path.then(|| std::path::absolute(&called).ok()).flatten()).unwrap_or(called)
}
