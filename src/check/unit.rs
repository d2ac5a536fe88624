//! Whether the service is installed.

use std::path::Path;

use super::{Finding, Grade};

/// Where systemd looks for units of the system, the first of which wins.
const PLACES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

pub(super) fn look() -> Finding {
    let unit =
        PLACES.iter().map(|dir| Path::new(dir).join("linqsync.service")).find(|unit| unit.exists());
    match unit {
        Some(unit) => Finding::ok("service", unit.display().to_string()),
        None => Finding::new("service", Grade::Skipped, "no unit linqsync.service is installed"),
    }
}
