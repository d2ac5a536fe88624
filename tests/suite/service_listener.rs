//! The listener among slow, hostile and confused callers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Process, World, people, wait_until};
use crate::service_metrics::{get, samples, telling};

fn ready() -> (World, Process, String) {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let (daemon, address) = telling(&mut world);
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    (world, daemon, address)
}

#[track_caller]
fn end(daemon: Process) {
    daemon.terminate();
    daemon.ended().expect(0);
}

/// The answer to these words.
fn asked(address: &str, words: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(words.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn callers_that_never_ask_or_never_read_keep_nobody_out() {
    let (_world, daemon, address) = ready();
    let silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let began = Instant::now();
    assert_eq!(get(&address, "/healthz").0, 200);
    let greedy: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20);
            // It may have hung up by then.
            let _ = stream.write_all(request.as_bytes());
            stream
        })
        .collect();
    assert_eq!(get(&address, "/healthz").0, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop((silent, greedy));
    end(daemon);
}

#[test]
fn nonsense_and_endless_heads_are_harmless() {
    let (_world, daemon, address) = ready();
    for words in [
        "\r\n\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\n", "a".repeat(1_000_000)),
        format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(100_000)),
        "POST /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        let _ = stream.write_all(words.as_bytes());
    }
    assert_eq!(get(&address, "/healthz").0, 200);
    end(daemon);
}

#[test]
fn a_page_in_a_browser_cannot_ask_in_the_name_of_a_host_of_its_own() {
    let (_world, daemon, address) = ready();
    let port = address.rsplit(':').next().unwrap();
    let status = |host: &str| {
        let answer = asked(&address, &format!("GET /status.json HTTP/1.1\r\n{host}\r\n"));
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "192.0.2.7"] {
        assert_eq!(status(&format!("host: {host}\r\n")), "200", "{host}");
        assert_eq!(status(&format!("host: {host}:{port}\r\n")), "200", "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "a b", "@"] {
        assert_eq!(status(&format!("host: {host}:{port}\r\n")), "421", "{host}");
    }
    let absolute = "GET http://evil.example/status.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert!(asked(&address, absolute).contains(" 421 "));
    assert!(asked(&address, "GET /livez HTTP/1.0\r\n\r\n").contains(" 200 "));
    end(daemon);
}

#[test]
fn metrics_are_told_in_the_form_that_is_asked_for() {
    let (_world, daemon, address) = ready();
    let told = |accept: &str| {
        let answer = asked(
            &address,
            &format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n"),
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    };
    let (head, body) = told("*/*");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("# TYPE linqsync_runs_total counter\n"), "{body}");
    assert!(!body.contains("# EOF"));
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3";
    let (head, body) = told(prometheus);
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(samples(&body).contains_key("linqsync_runs_total{outcome=\"clean\"}"));
    end(daemon);
}

#[test]
fn what_goes_on_is_a_metric() {
    let mut world = World::with_csv(&people::csv(1..=30));
    world.set("sync.schedule", "\"every 24h\"").set("linq.max_attempts", "1");
    world.set("linq.timeout", "\"60s\"");
    world.fault("list delay=1s times=1");
    let (daemon, address) = telling(&mut world);
    let metric = |name: &str| {
        let body = get(&address, "/metrics").2;
        let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse::<f64>().unwrap())
    };
    wait_until("a run is being made", || metric("linqsync_running") == Some(1.0));
    wait_until("it is over", || metric("linqsync_running") == Some(0.0));
    assert_eq!(metric("linqsync_listing_complete"), Some(1.0));
    assert!(metric("linqsync_next_run_timestamp_seconds").unwrap() > 1e9);
    assert_eq!(metric("linqsync_stale_after_seconds"), Some(3.0 * 86_400.0));
    assert_eq!(metric("linqsync_linq_down{reason=\"failing\"}"), Some(0.0));
    let text: String = world.text().lines().take(11).flat_map(|line| [line, "\n"]).collect();
    world.write(text);
    wait_until("deletions are held", || {
        metric("linqsync_held{kind=\"deletions\"}").is_some_and(|held| held > 0.0)
    });
    assert_eq!(metric("linqsync_held{kind=\"changes\"}"), Some(0.0));
    world.fault("list lie=no-ids times=1");
    world.once();
    assert_eq!(metric("linqsync_listing_complete"), Some(0.0));
    world.fault("any status=503");
    world.once().expect(6);
    assert_eq!(metric("linqsync_linq_down{reason=\"failing\"}"), Some(1.0));
    assert_eq!(metric("linqsync_linq_down{reason=\"token_refused\"}"), Some(0.0));
    assert_eq!(get(&address, "/livez"), (200, get(&address, "/livez").1, "alive\n".to_owned()));
    end(daemon);
}

#[test]
fn sighup_with_an_address_that_is_taken_keeps_all_of_the_old_configuration() {
    let (mut world, daemon, address) = ready();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    world.set("status.listen", &format!("\"{taken}\"")).set("sync.schedule", "\"every 7h\"");
    world.set("state.dir", "\"moved\"");
    daemon.hang_up();
    wait_until("it was refused", || daemon.stderr().contains("stays as it was"));
    assert!(!daemon.stderr().contains("in force"), "{}", daemon.stderr());
    assert!(daemon.stderr().contains(&taken.to_string()), "{}", daemon.stderr());
    let status: serde_json::Value = serde_json::from_str(&get(&address, "/status.json").2).unwrap();
    assert_eq!(status["schedule"], "every 1day");
    world.set("state.dir", "\"state\"");
    world.once().expect(0);
    drop(other);
    daemon.hang_up();
    wait_until("it is in force", || daemon.stderr().contains("in force"));
    assert_eq!(get(&taken.to_string(), "/livez").0, 200);
    assert!(TcpStream::connect(&address).is_err(), "the old address is free");
    end(daemon);
}

#[test]
fn an_address_with_the_same_port_takes_the_place_of_the_one_before() {
    let (mut world, daemon, address) = ready();
    let port = address.rsplit(':').next().unwrap().to_owned();
    // What was left to the system has a number by now.
    world.set("status.listen", &format!("\"127.0.0.1:{port}\""));
    daemon.hang_up();
    wait_until("it is in force or refused", || daemon.stderr().contains("the configuration"));
    assert_eq!(get(&address, "/livez").0, 200);
    world.set("status.listen", &format!("\"0.0.0.0:{port}\""));
    daemon.hang_up();
    wait_until("it is told where", || daemon.stderr().contains(&format!("0.0.0.0:{port}")));
    wait_until("it is served", || TcpStream::connect(&address).is_ok());
    assert_eq!(get(&address, "/livez").0, 200);
    end(daemon);
}
