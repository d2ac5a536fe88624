//! The systemd units: hardened, and about a program that is as they say.

use std::path::{Path, PathBuf};
use std::process::Command;

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(unit(name)).unwrap()
}

const SERVICES: [&str; 3] = ["linqsync.service", "linqsync@.service", "linqsync-once.service"];

/// Where systemd is not installed, this says so and leaves the score unproven.
fn systemd_analyze(arguments: &[&str]) -> Option<std::process::Output> {
    match Command::new("systemd-analyze").args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            // Past the capturing of tests, so that it is seen.
            use std::io::Write;
            let mut terminal = std::fs::OpenOptions::new().write(true).open("/dev/stderr").unwrap();
            writeln!(terminal, "\nNOT PROVEN: systemd-analyze {arguments:?}: {error}").unwrap();
            None
        }
    }
}

#[test]
fn every_service_is_hardened_to_a_score_of_1_3_or_better() {
    for name in SERVICES {
        let path = unit(name);
        let path = path.to_str().unwrap();
        let arguments = ["security", "--offline=true", "--threshold=13", "--no-pager", path];
        let Some(output) = systemd_analyze(&arguments) else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", said.lines().last().unwrap_or_default());
    }
}

#[test]
fn systemd_understands_every_line_of_every_unit() {
    let Some(output) = systemd_analyze(&["--version"]) else { return };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version: u32 = said.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0);
    let dir = tempfile::tempdir().unwrap();
    let instance = ("linqsync@.service", "linqsync@sales.service");
    let units = [SERVICES[0], instance.0, SERVICES[2], "linqsync-once.timer"];
    for name in units {
        // The program need not be installed for that.
        let mut text = text(name).replace("/usr/bin/linqsync", env!("CARGO_BIN_EXE_linqsync"));
        if version < 253 {
            // It says that it passes over the type, and keeps to the one before.
            text = text.replace("Type=notify-reload\n", "");
        }
        for name in [Some(name), (name == instance.0).then_some(instance.1)].into_iter().flatten() {
            std::fs::write(dir.path().join(name), &text).unwrap();
        }
    }
    for name in units {
        let name = if name == instance.0 { instance.1 } else { name };
        let path = dir.path().join(name);
        let path = path.to_str().unwrap();
        let arguments = ["verify", "--man=no", "--recursive-errors=no", path];
        let Some(output) = systemd_analyze(&arguments) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains(name), "{name}: {said}");
    }
    let nonsense = dir.path().join("nonsense.service");
    std::fs::write(&nonsense, "[Service]\nExecStart=/nowhere/linqsync\n").unwrap();
    let arguments = ["verify", "--man=no", nonsense.to_str().unwrap()];
    let Some(output) = systemd_analyze(&arguments) else { return };
    assert!(!output.status.success(), "it finds mistakes");
}

/// The last value of a setting.
fn setting(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    text.lines().filter_map(value).next_back()
}

#[test]
fn a_unit_is_down_for_good_after_a_wrong_configuration_and_nothing_else() {
    for name in ["linqsync.service", "linqsync@.service"] {
        let text = text(name);
        // The last that systemd knows counts.
        assert_eq!(setting(&text, "Type").as_deref(), Some("notify-reload"), "{name}");
        assert!(text.contains("\nType=notify\nType=notify-reload\n"), "{name}");
        assert_eq!(setting(&text, "StartLimitIntervalSec").as_deref(), Some("0"), "{name}");
        assert_eq!(setting(&text, "OOMPolicy").as_deref(), Some("continue"), "{name}");
        assert_eq!(setting(&text, "Restart").as_deref(), Some("on-failure"), "{name}");
        // Everything but a wrong configuration passes.
        assert_eq!(setting(&text, "RestartPreventExitStatus").as_deref(), Some("2"), "{name}");
        assert!(setting(&text, "WatchdogSec").is_some(), "{name}");
        assert!(setting(&text, "ExecReload").unwrap().contains("-HUP"), "{name}");
    }
    let once = text("linqsync-once.service");
    assert_eq!(setting(&once, "Type").as_deref(), Some("oneshot"));
    assert_eq!(setting(&once, "Restart"), None);
    assert_eq!(setting(&once, "SuccessExitStatus").as_deref(), Some("3 4"));
}

#[test]
fn the_source_may_keep_its_group() {
    for name in SERVICES {
        let filters: Vec<String> = text(name)
            .lines()
            .filter_map(|line| Some(line.strip_prefix("SystemCallFilter=")?.to_owned()))
            .collect();
        // Later lines count: what is given back after it was taken is there.
        let taken = filters.iter().position(|filter| filter.starts_with('~')).unwrap();
        let given = filters.iter().position(|filter| filter == "@chown").unwrap();
        assert!(given > taken, "{name}: {filters:?}");
    }
    let shared = text("examples/shared-group.conf");
    assert_eq!(setting(&shared, "PrivateUsers").as_deref(), Some("no"));
    assert!(setting(&shared, "SupplementaryGroups").is_some());
}

#[test]
fn the_services_differ_in_what_they_are_and_not_in_how_they_are_hardened() {
    let hardening = |name| {
        let text = text(name);
        text[text.find("# Everything else is out of reach.").unwrap()..]
            .split("[Install]")
            .next()
            .unwrap()
            .trim()
            .to_owned()
    };
    for name in SERVICES {
        assert_eq!(hardening(name), hardening(SERVICES[0]), "{name}");
    }
}

#[test]
fn each_instance_has_a_configuration_a_token_and_a_state_of_its_own() {
    let text = text("linqsync@.service");
    assert!(setting(&text, "ExecStart").unwrap().ends_with("/etc/linqsync/%i.toml"));
    assert!(setting(&text, "LoadCredential").unwrap().ends_with("/etc/linqsync/%i.token"));
    assert_eq!(setting(&text, "StateDirectory").as_deref(), Some("linqsync-%i"));
}

#[test]
fn the_alerts_ask_for_metrics_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.yml");
    let alerts = std::fs::read_to_string(path).unwrap();
    let metrics = linqsync::daemon::metrics::Metrics::new("/nowhere".into());
    let now = chrono::DateTime::UNIX_EPOCH;
    let health = linqsync::daemon::health::Health::new(now, None, std::time::Duration::ZERO);
    let mut report = linqsync::report::RunReport::new(now);
    report.conclude_outcome(now);
    let status = linqsync::daemon::status::DaemonStatus {
        started_at: now,
        configured_at: now,
        schedule: String::new(),
        ticked: tokio::time::Instant::now(),
        waiting_for: None,
        running_since: None,
        far: None,
        next_run: None,
        linq_down: None,
        last_run: Some(report),
        health,
        reload: None,
    };
    let text = metrics.render_text(linqsync::daemon::metrics::Form::OpenMetrics, &status, now);
    let mut asked = 0;
    for expression in alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")) {
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in words.filter(|word| word.starts_with("linqsync_")) {
            assert!(text.contains(&format!("\n{name}")), "{name} of `{expression}`");
            asked += 1;
        }
    }
    assert!(asked >= 6);
}
