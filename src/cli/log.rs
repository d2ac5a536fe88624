//! Writing the log to standard error, which neither ends nor holds up anything.
//!
//! Owns that what cannot be written is lost: on a full disk, to a reader that has gone, and to
//! one that is there and does not read, for which a write would wait for ever.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// So many bytes a pipe takes at once when it says that it takes any (`PIPE_BUF`).
const AT_ONCE: usize = 4096;
/// How long a reader may take that has read so far.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Whether nobody read the last time.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// Writes `text`, as far as it is taken.
pub(super) fn write(text: &[u8]) {
    let mut stderr = io::stderr();
    for piece in text.chunks(AT_ONCE) {
        if !takes_more(&stderr) || stderr.write_all(piece).is_err() {
            return;
        }
    }
}

fn takes_more(stderr: &io::Stderr) -> bool {
    let was_stuck = IS_STUCK.load(Ordering::Relaxed);
    let patience = if was_stuck { Timespec::default() } else { PATIENCE };
    let mut asked = [PollFd::new(stderr, PollFlags::OUT)];
    // An error is for the write to find.
    let is_stuck = matches!(poll(&mut asked, Some(&patience)), Ok(0));
    IS_STUCK.store(is_stuck, Ordering::Relaxed);
    !is_stuck
}
