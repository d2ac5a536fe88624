//! What a channel is told, and that it is told once.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tokio::runtime::Runtime;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{Process, World, expect_documented, people, wait_until};

/// A channel that accepts everything after refusing what `before` says.
pub(crate) struct Channel {
    runtime: Runtime,
    server: MockServer,
}

impl Channel {
    pub(crate) fn new(before: &[u16]) -> Channel {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            for status in before {
                let refused = ResponseTemplate::new(*status);
                Mock::given(any()).respond_with(refused).up_to_n_times(1).mount(&server).await;
            }
            Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
            server
        });
        Channel { runtime, server }
    }

    fn url(&self) -> String {
        format!("{}/hook/s3cr3t", self.server.uri())
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.runtime.block_on(self.server.received_requests()).unwrap()
    }

    /// The events of each message, of a channel that takes JSON.
    fn events(&self) -> Vec<String> {
        let of = |request: &Request| {
            let document: Value = serde_json::from_slice(&request.body).unwrap();
            let events = document["events"].as_array().unwrap().clone();
            events.iter().map(|event| event.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        self.requests().iter().map(|request| of(request).join("+")).collect()
    }

    pub(crate) fn set(&self, world: &mut World, format: &str) {
        world.set("notify.url", &format!("{:?}", self.url()));
        world.set("notify.format", &format!("{format:?}"));
    }
}

fn conflict(world: &World) {
    world.edit("Title 001", "Lady");
    world.change("First001", "title", "Dame");
}

#[test]
fn each_format_has_counts_and_no_contact() {
    for format in ["slack", "teams", "ntfy", "json"] {
        let channel = Channel::new(&[]);
        let mut world = World::synced(&people::csv(1..=2));
        channel.set(&mut world, format);
        conflict(&world);
        world.once().expect(3);
        let requests = channel.requests();
        assert_eq!(requests.len(), 1, "{format}");
        let (request, body) = (&requests[0], String::from_utf8(requests[0].body.clone()).unwrap());
        assert!(body.contains("1 conflict"), "{format}: {body}");
        for private in ["First0", "people.example", "Lady", "Dame"] {
            assert!(!body.contains(private), "{format}: {body}");
        }
        let text = "linqsync: Waiting for a decision: 1 conflict.";
        match format {
            "ntfy" => {
                assert_eq!(body, text);
                assert_eq!(request.headers["title"], "linqsync");
            }
            "slack" => {
                let document: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(document["text"], text);
            }
            "teams" => {
                let document: Value = serde_json::from_str(&body).unwrap();
                let attachment = &document["attachments"][0];
                assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
                assert_eq!(attachment["content"]["body"][0]["text"], text);
            }
            _ => {
                let document: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(document["counts"]["conflicts"], 1);
                expect_documented(&body);
            }
        }
    }
}

#[test]
fn a_change_is_told_once_over_runs_and_restarts() {
    let channel = Channel::new(&[]);
    let mut world = World::synced(&people::csv(1..=3));
    channel.set(&mut world, "json");
    world.once().expect(0);
    assert!(channel.events().is_empty(), "nothing waits");
    conflict(&world);
    for _ in 0..3 {
        world.once().expect(3);
    }
    assert_eq!(channel.events(), ["attention"]);
    world.set("sync.schedule", "\"every 1s\"");
    let daemon = world.start(&["-v"]);
    wait_until("two runs were made", || daemon.stderr().matches("nothing to do").count() >= 2);
    assert_eq!(channel.events(), ["attention"], "another process knows it, too");
    world.edit("Title 002", "Cook");
    world.change("First002", "title", "Baker");
    wait_until("another conflict is told", || channel.events().len() == 2);
    daemon.terminate();
    daemon.ended().expect(0);
    world.run(&["resolve", "--all", "--yes", "--take", "source"]).expect(0);
    world.once().expect(0);
    assert_eq!(channel.events().len(), 2, "what a person has decided is no news");
}

#[test]
fn what_is_held_is_told_as_held() {
    let channel = Channel::new(&[]);
    let mut world = World::synced(&people::csv(1..=20));
    channel.set(&mut world, "json");
    world.write(people::csv(1..=9));
    world.once().expect(4);
    world.once().expect(4);
    assert_eq!(channel.events(), ["held"]);
    let body: Value = serde_json::from_slice(&channel.requests()[0].body).unwrap();
    assert_eq!(body["counts"]["held_deletes"], 11);
}

#[test]
fn an_outage_and_its_end_are_told_once_by_one_shot_runs() {
    let channel = Channel::new(&[]);
    let mut world = World::synced(&people::csv(1..=2));
    channel.set(&mut world, "json");
    world.fault("list status=401");
    for _ in 0..2 {
        world.once().expect(5);
    }
    assert_eq!(channel.events(), ["unhealthy"]);
    world.linq().clear_faults();
    for _ in 0..2 {
        world.let_the_probe_come();
        world.once().expect(0);
    }
    assert_eq!(channel.events(), ["unhealthy", "recovered"]);
}

#[test]
fn only_the_events_that_are_asked_for_are_told() {
    let channel = Channel::new(&[]);
    let mut world = World::synced(&people::csv(1..=20));
    channel.set(&mut world, "json");
    world.set("notify.on", "[\"held\"]");
    conflict(&world);
    world.once().expect(3);
    assert!(channel.events().is_empty());
    world.write(people::csv(1..=9));
    world.once().expect(4);
    assert_eq!(channel.events(), ["held"]);
}

#[test]
fn a_channel_that_fails_is_tried_again_and_what_it_missed_is_told_later() {
    let channel = Channel::new(&[503, 429, 400]);
    let mut world = World::synced(&people::csv(1..=2));
    channel.set(&mut world, "json");
    conflict(&world);
    let ended = world.run(&["--once"]).expect(3);
    assert_eq!(channel.requests().len(), 3, "a 4xx is no reason to go on");
    assert!(ended.stderr.contains("HTTP 400"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cr3t"), "{}", ended.stderr);
    world.once().expect(3);
    world.once().expect(3);
    assert_eq!(channel.requests().len(), 4, "it was not told before");
}

#[test]
fn a_redirect_is_not_followed_and_a_silent_channel_holds_no_daemon_up() {
    let elsewhere = Channel::new(&[]);
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let away = ResponseTemplate::new(307).insert_header("location", elsewhere.url());
        Mock::given(any()).respond_with(away).mount(&server).await;
        server
    });
    let mut world = World::synced(&people::csv(1..=2));
    world.set("notify.url", &format!("\"{}/s3cr3t\"", server.uri()));
    let ended = world.run(&["notify", "--test"]).expect(1);
    assert!(ended.stderr.contains("redirects are not followed"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cr3t"), "{}", ended.stderr);
    assert!(elsewhere.requests().is_empty());

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    world.set("notify.url", &format!("\"http://{address}/s3cr3t\""));
    conflict(&world);
    let daemon = world.start(&["-v"]);
    let _connection = silent.accept().unwrap();
    world.edit("Title 002", "Cook");
    wait_until("a run is made", || world.contact("First002").title.as_deref() == Some("Cook"));
    daemon.terminate();
    let said = daemon.ended().expect(0).stderr;
    assert!(!said.contains("s3cr3t"), "{said}");
}

#[test]
fn the_url_may_be_in_a_file_and_is_read_anew() {
    let (channel, mut world) = (Channel::new(&[]), World::synced(&people::csv(1..=2)));
    world.run(&["notify", "--test"]).expect(2);
    let file = world.path("notify.url");
    world.set("notify.url_file", "\"notify.url\"").set("notify.format", "\"json\"");
    world.run(&["notify", "--test"]).expect(2);
    std::fs::write(&file, channel.url() + "\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ended = world.run(&["notify", "--test"]).expect(2);
    assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ended = world.run(&["notify", "--test", "--json"]).expect(0);
    expect_documented(&ended.stdout);
    let body: Value = serde_json::from_slice(&channel.requests()[0].body).unwrap();
    assert_eq!((&body["test"], body["events"].as_array().unwrap().len()), (&true.into(), 0));
    world.set("notify.on", "[\"held\", \"helt\"]");
    let ended = world.run(&["check", "--offline"]).expect(2);
    assert!((ended.stderr + &ended.stdout).contains("notify.on"));
}

#[test]
fn a_message_leads_to_the_inbox_where_there_is_one() {
    for (format, link) in [
        ("slack", "<https://sync.acme.example/|Open the inbox>"),
        ("teams", "\"url\":\"https://sync.acme.example/\""),
        ("json", "\"inbox\":\"https://sync.acme.example/\""),
        ("ntfy", ""),
    ] {
        let (channel, mut world) = (Channel::new(&[]), World::synced(&people::csv(1..=2)));
        channel.set(&mut world, format);
        world.set("web.listen", "\"127.0.0.1:0\"").set("web.password_file", "\"web.password\"");
        world.set("web.public_url", "\"https://sync.acme.example\"");
        conflict(&world);
        world.once().expect(3);
        let request = channel.requests().remove(0);
        let body = String::from_utf8(request.body).unwrap();
        assert!(body.contains(link), "{format}: {body}");
        if format == "ntfy" {
            assert_eq!(request.headers["click"], "https://sync.acme.example/");
        }
    }
}

#[test]
fn another_configuration_does_not_tell_twice_what_is_on_its_way() {
    let channel = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::synced(&people::csv(1..=2));
    let url = format!("\"http://{}/s3cr3t\"", channel.local_addr().unwrap());
    world.set("notify.url", &url).set("sync.schedule", "\"every 1h\"");
    conflict(&world);
    let daemon = world.start(&["-v"]);
    let (mut told, _) = channel.accept().unwrap();
    let last = || world.state().last_runs(1).unwrap().remove(0);
    let before = last().id;
    daemon.hang_up();
    wait_until("a run by the configuration that was read again", || {
        last().id != before && last().ending.is_some()
    });
    channel.set_nonblocking(true).unwrap();
    std::io::Write::write_all(&mut told, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    daemon.terminate();
    daemon.ended().expect(0);
    assert!(channel.accept().is_err(), "it was told twice");
    world.once().expect(3);
    assert!(channel.accept().is_err(), "it is not known that it was told");
}

#[test]
fn a_channel_and_a_switch_on_this_machine_are_told_without_a_proxy() {
    let (channel, switch) = (Channel::new(&[]), Channel::new(&[]));
    let mut world = World::synced(&people::csv(1..=2));
    channel.set(&mut world, "json");
    world.set("hooks.ping_url", &format!("{:?}", switch.url()));
    conflict(&world);
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut command = world.command(&[]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &address);
    }
    let daemon = Process::start(command);
    wait_until("both are told", || !channel.requests().is_empty() && !switch.requests().is_empty());
    daemon.terminate();
    daemon.ended().expect(0);
    assert!(proxy.accept().is_err(), "somebody called the proxy");
}
