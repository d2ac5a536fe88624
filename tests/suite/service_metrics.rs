//! What is told to whoever watches the daemon, and whether it is OpenMetrics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{Process, World, expect_documented, people, wait_until};

/// A daemon that tells its status, and where.
pub(crate) fn telling(world: &mut World) -> (Process, String) {
    world.set("status.listen", "\"127.0.0.1:0\"");
    let daemon = world.start(&["-v"]);
    let mut address = String::new();
    wait_until("it says where it tells the status", || {
        let said = daemon.stderr();
        let found = said.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        found.is_some_and(|found| {
            found.clone_into(&mut address);
            said.contains('\n')
        })
    });
    (daemon, address)
}

/// Status, head and body of what is at a path.
pub(crate) fn get(address: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: application/openmetrics-text\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    expect_documented(body);
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

fn end(daemon: Process) {
    daemon.terminate();
    daemon.ended().expect(0);
}

/// The samples of a text in Prometheus' own format 0.0.4, which differs in how counters are
/// called where their type is said, and in the last line.
#[track_caller]
pub(crate) fn classic_samples(text: &str) -> BTreeMap<String, f64> {
    assert!(!text.contains("# EOF"), "{text}");
    let mut open = String::new();
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    assert!(!counters.is_empty() && counters.iter().all(|name| name.ends_with("_total")));
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let parts = (words.next(), words.next(), words.next(), words.next());
        if let (Some("#"), Some(word), Some(name), Some(rest)) = parts
            && counters.contains(&name)
        {
            let name = name.strip_suffix("_total").unwrap();
            open.extend(["# ", word, " ", name, " ", rest, "\n"]);
        } else {
            open = open + line + "\n";
        }
    }
    samples(&(open + "# EOF\n"))
}

/// The samples of a text that must be OpenMetrics 1.0: families in one piece, each with
/// its type before its samples, names that fit the type, and no sample twice.
#[track_caller]
pub(crate) fn samples(text: &str) -> BTreeMap<String, f64> {
    let text = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let (mut family, mut kind) = ("", "");
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap();
            match word {
                "HELP" => assert!(rest.ends_with('.'), "{line}"),
                "TYPE" => kind = rest,
                other => panic!("what is {other}?"),
            }
            if name != family {
                assert!(families.insert(name), "{name} comes in two pieces");
                family = name;
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let bare = name.split('{').next().unwrap();
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("what is a {other}?"),
        };
        let suffix = bare.strip_prefix(family).unwrap_or_else(|| panic!("{line} in {family}"));
        assert!(suffixes.contains(&suffix), "{line} is no {kind}");
        assert!(bare.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
        assert!(kind == "gauge" || value >= 0.0, "{line}");
        check_labels(&name[bare.len()..]);
        assert!(samples.insert(name.to_owned(), value).is_none(), "{name} comes twice");
    }
    check_histograms(&samples);
    samples
}

#[track_caller]
fn check_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let inside = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
    for label in inside.split(',') {
        let (name, value) = label.split_once('=').unwrap();
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{label}");
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
        assert!(!value.contains(['"', '\\', '\n']), "{label}");
    }
}

#[track_caller]
fn check_histograms(samples: &BTreeMap<String, f64>) {
    for (name, count) in samples.iter().filter(|(name, _)| name.ends_with("_seconds_count")) {
        let bucket = name.replace("_count", "_bucket{le=\"");
        let bound = |name: &str| {
            name[bucket.len()..name.len() - 2].replace("+Inf", "inf").parse::<f64>().unwrap()
        };
        let mut buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter(|(name, _)| name.starts_with(&bucket))
            .map(|(name, value)| (bound(name), *value))
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.windows(2).all(|two| two[0].1 <= two[1].1), "{buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)));
    }
}

#[test]
fn metrics_are_open_metrics_and_count_what_happened() {
    let mut world = World::with_csv(&people::csv(1..=5));
    world.set("sync.schedule", "\"every 24h\"");
    let (daemon, address) = telling(&mut world);
    wait_until("the first run is over", || daemon.stderr().contains("run finished"));
    world.edit("Title 001", "Chief");
    world.change("First001", "title", "Captain");
    world.fault("list status=429 retry-after=1 times=1");
    world.once().expect(3);
    let (status, head, body) = get(&address, "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let samples = samples(&body);
    let version = env!("CARGO_PKG_VERSION");
    for (name, value) in [
        (&*format!("linqsync_build_info{{version=\"{version}\",revision=\"unknown\"}}"), 1.0),
        ("linqsync_runs_total{outcome=\"clean\"}", 1.0),
        ("linqsync_runs_total{outcome=\"attention\"}", 1.0),
        ("linqsync_runs_total{outcome=\"failed\"}", 0.0),
        ("linqsync_runs_total{outcome=\"held\"}", 0.0),
        ("linqsync_run_duration_seconds_count", 2.0),
        ("linqsync_contacts{side=\"source\"}", 5.0),
        ("linqsync_contacts{side=\"linq\"}", 5.0),
        ("linqsync_changes_total{side=\"linq\",action=\"create\"}", 5.0),
        ("linqsync_changes_total{side=\"source\",action=\"delete\"}", 0.0),
        ("linqsync_waiting{state=\"conflicts\"}", 1.0),
        ("linqsync_waiting{state=\"held\"}", 0.0),
        ("linqsync_requests_total{call=\"create\",code=\"201\"}", 5.0),
        ("linqsync_requests_total{call=\"list\",code=\"429\"}", 1.0),
        ("linqsync_healthy", 1.0),
        ("linqsync_config_last_reload_successful", 1.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name} in\n{body}");
    }
    for name in [
        "linqsync_throttled_seconds_total",
        "linqsync_last_run_timestamp_seconds",
        "linqsync_last_success_timestamp_seconds",
        "linqsync_state_bytes",
        "linqsync_config_last_reload_success_timestamp_seconds",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(samples.get(name).is_some_and(|value| *value > 0.0), "{name} in\n{body}");
    }
    world.set("sync.schedule", "\"never\"");
    daemon.hang_up();
    wait_until("it was refused", || daemon.stderr().contains("stays as it was"));
    wait_until("it is told", || {
        get(&address, "/metrics").2.contains("linqsync_config_last_reload_successful 0")
    });
    end(daemon);
}

#[test]
fn health_readiness_and_status_follow_the_runs() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    world.set("status.stale_after", "\"1h\"");
    world.fault("list delay=1s times=1");
    let (daemon, address) = telling(&mut world);
    assert_eq!(get(&address, "/healthz").0, 200);
    assert_eq!(get(&address, "/readyz").0, 503, "no run has succeeded so far");
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    let status: serde_json::Value = serde_json::from_str(&get(&address, "/status.json").2).unwrap();
    assert_eq!(status["schema"], "linqsync.service/1");
    assert_eq!((&status["healthy"], &status["last_run"]["in_sync"]), (&true.into(), &2.into()));
    world.fault("any status=503");
    wait_until("it is unhealthy", || {
        world.let_the_probe_come();
        get(&address, "/healthz").0 == 503
    });
    assert!(get(&address, "/healthz").2.starts_with("Linq down since "));
    assert_eq!(get(&address, "/readyz").0, 503);
    world.linq().clear_faults();
    wait_until("it is healthy again", || {
        world.let_the_probe_come();
        get(&address, "/healthz").0 == 200
    });
    for (path, status) in [("/", 404), ("/../etc/passwd", 404), ("/metrics?a=b", 200)] {
        assert_eq!(get(&address, path).0, status, "{path}");
    }
    let all = get(&address, "/status.json").2 + &get(&address, "/metrics").2;
    assert!(!all.contains("First0") && !all.contains("people.example"), "{all}");
    end(daemon);
}

#[test]
fn silence_is_unhealthy() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("status.stale_after", "\"2s\"");
    let (daemon, address) = telling(&mut world);
    wait_until("it is unhealthy", || get(&address, "/healthz").0 == 503);
    assert!(get(&address, "/healthz").2.starts_with("no run has succeeded for"));
    wait_until("it is logged", || daemon.stderr().contains("unhealthy: no run has succeeded"));
    end(daemon);
}

#[test]
fn the_metrics_are_a_file_too_for_the_daemon_and_for_one_run() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::with_csv(&people::csv(1..=3));
    world.set("status.textfile", "\"linqsync.prom\"");
    world.once().expect(0);
    let text = || std::fs::read_to_string(world.path("linqsync.prom")).unwrap_or_default();
    let once = classic_samples(&text());
    assert_eq!(once.get("linqsync_contacts{side=\"linq\"}"), Some(&3.0));
    assert!(once["linqsync_last_success_timestamp_seconds"] > 1e9);
    let mode = std::fs::metadata(world.path("linqsync.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    world.fault("list status=401");
    world.once().expect(5);
    let failed = classic_samples(&text());
    assert_eq!(failed.get("linqsync_runs_total{outcome=\"failed\"}"), Some(&1.0));
    let success = "linqsync_last_success_timestamp_seconds";
    assert!((failed[success] - once[success]).abs() < 1.0, "of the run before");
    world.linq().clear_faults();
    let daemon = world.start(&[]);
    let clean = "linqsync_runs_total{outcome=\"clean\"} 2";
    wait_until("the daemon has written it", || text().contains(clean));
    classic_samples(&text());
    end(daemon);
    let left: Vec<_> = std::fs::read_dir(world.dir()).unwrap().collect();
    let left = left.into_iter().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with(".linqsync-")).count(), 0);
}

/// Under a timer each run is a process of its own: what a rate is made of must not begin
/// at nothing each time, nor when the daemon is started again.
#[test]
fn what_is_counted_goes_on_from_one_process_to_the_next() {
    let mut world = World::with_csv(&people::csv(1..=3));
    world.set("status.textfile", "\"linqsync.prom\"").set("sync.schedule", "\"every 24h\"");
    let text = || std::fs::read_to_string(world.path("linqsync.prom")).unwrap_or_default();
    world.once().expect(0);
    let first = classic_samples(&text());
    world.fault("list status=429 retry-after=1 times=1");
    world.edit("Title 001", "Chief");
    world.once().expect(0);
    let second = classic_samples(&text());
    let clean = "linqsync_runs_total{outcome=\"clean\"}";
    assert_eq!((first[clean], second[clean]), (1.0, 2.0));
    for (name, before) in &first {
        let gauge = name.contains("timestamp") || name.contains("bytes");
        assert!(gauge || second[name] >= *before, "{name} was {before}, and is {}", second[name]);
    }
    for (name, count) in [
        ("linqsync_changes_total{side=\"linq\",action=\"create\"}", 3.0),
        ("linqsync_changes_total{side=\"linq\",action=\"update\"}", 1.0),
        ("linqsync_requests_total{call=\"create\",code=\"201\"}", 3.0),
        ("linqsync_requests_total{call=\"list\",code=\"429\"}", 1.0),
        ("linqsync_run_duration_seconds_count", 2.0),
        ("linqsync_run_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
    ] {
        assert_eq!(second.get(name), Some(&count), "{name}");
    }
    let requests = "linqsync_request_duration_seconds_count";
    assert!(second[requests] > first[requests]);
    let throttled = second["linqsync_throttled_seconds_total"];
    assert!(throttled >= 1.0, "{throttled}");
    for runs in 3..=4_u8 {
        let daemon = world.start(&[]);
        let made = format!("{clean} {runs}\n");
        wait_until("the daemon has counted its run", || text().contains(&made));
        assert!(classic_samples(&text())["linqsync_throttled_seconds_total"] >= throttled);
        end(daemon);
    }
}

/// A collector of files tells such of itself: the same names from two sides are an error.
#[test]
fn the_file_tells_nothing_of_a_process_and_the_address_does() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("status.textfile", "\"linqsync.prom\"");
    let (daemon, address) = telling(&mut world);
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    wait_until("the file is there", || world.path("linqsync.prom").exists());
    let file = std::fs::read_to_string(world.path("linqsync.prom")).unwrap();
    let served = get(&address, "/metrics").2;
    let families = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        // A counter is called otherwise in the classic form, which files have.
        let name =
            |line: &str| line.split(' ').next().unwrap().trim_end_matches("_total").to_owned();
        lines.map(name).collect()
    };
    let more: Vec<String> = families(&served).difference(&families(&file)).cloned().collect();
    assert_eq!(more.len(), 4, "{more:?}");
    assert!(more.iter().all(|name| name.starts_with("process_")), "{more:?}");
    end(daemon);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let mut world = World::synced(&people::csv(1..=2));
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    world.set("status.listen", &format!("\"{address}\""));
    let ended = world.run(&[]).expect(1);
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
}

/// A daemon that makes run after run stays as small as it is: as many runs as at five
/// minutes each make up most of a day. `LINQSYNC_SOAK_RUNS` makes it more.
#[test]
fn run_after_run_memory_and_descriptors_stay_the_same() {
    let runs: usize = std::env::var("LINQSYNC_SOAK_RUNS").map_or(200, |runs| runs.parse().unwrap());
    let mut world = World::synced(&people::csv(1..=20));
    world.set("sync.schedule", "\"every 24h\"").set("status.textfile", "\"linqsync.prom\"");
    let (daemon, address) = telling(&mut world);
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    let usage = || {
        let samples = samples(&get(&address, "/metrics").2);
        [samples["process_open_fds"], samples["process_resident_memory_bytes"]]
    };
    for _ in 0..runs / 4 {
        world.once().expect(0);
    }
    let [files, memory] = usage();
    for _ in 0..runs - runs / 4 {
        world.once().expect(0);
    }
    let [files_after, memory_after] = usage();
    assert!((files_after - files).abs() <= 2.0, "{files} descriptors became {files_after}");
    assert!(memory_after <= memory + 4e6, "{memory} bytes became {memory_after}");
    end(daemon);
}
