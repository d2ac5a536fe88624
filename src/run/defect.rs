//! A defect on purpose, for the test of what a panic leaves behind.
//!
//! It is in builds with debug assertions only, and strikes once in a process: at the
//! look at the clock whose number, counted from 1, `LINQSYNC_TEST_DEFECT` says. A run
//! looks at the clock wherever it writes something down, so that is everywhere.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static WANTED: LazyLock<Option<u64>> =
    LazyLock::new(|| std::env::var("LINQSYNC_TEST_DEFECT").ok()?.parse().ok());

static LOOKS: AtomicU64 = AtomicU64::new(0);

/// Panics if this is the look at the clock that was asked for.
pub(super) fn on_purpose() {
    let look = LOOKS.fetch_add(1, Ordering::Relaxed) + 1;
    assert!(*WANTED != Some(look), "{PRIVATE}");
}

/// A panic may quote a person's values.
const PRIVATE: &str = "a defect that knows zoe.private@people.example";
