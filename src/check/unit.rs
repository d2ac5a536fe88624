//! Whether the service is installed.

use std::path::Path;

use super::{CheckFinding, Grade};

/// Where systemd looks for units of the system, the first of which wins.
const PLACES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

pub(super) fn check_unit() -> CheckFinding {
    let unit =
        PLACES.iter().map(|dir| Path::new(dir).join("linqsync.service")).find(|unit| unit.exists());
    match unit {
        Some(unit) => CheckFinding::ok("service", unit.display().to_string()),
        None => {
            CheckFinding::new("service", Grade::Skipped, "no unit linqsync.service is installed")
        }
    }
}
