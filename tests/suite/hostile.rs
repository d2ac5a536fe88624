//! Answers that are not what was asked for, for every kind of request: nothing in
//! them is believed, nothing goes to another host, and once they have stopped
//! everything ends as if they had never been.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::harness::{Stage, TestFiles, World, people};

const KINDS: [&str; 6] = ["list", "get", "find", "create", "update", "delete"];

/// What is given in place of an answer. `ELSEWHERE` is another host.
const ANSWERS: [&str; 19] = [
    "html",
    "empty",
    "truncate",
    "status=204",
    "status=404",
    "status=418",
    "html after",
    "empty after",
    "status=204 after",
    "redirect=301:ELSEWHERE",
    "redirect=302:/api/partner/v2/contacts",
    "redirect=303:ELSEWHERE after",
    "redirect=307:ELSEWHERE",
    "redirect=308:ELSEWHERE after",
    "lie=no-ids",
    "lie=other",
    "lie=not-utf8",
    "lie=nested",
    "lie=huge",
];

/// What is strange and true all the same.
const TRUE: [&str; 2] = ["lie=typed", "lie=unknown"];

/// A host that must not be asked anything.
fn elsewhere() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// Every answer in place of every answer to one kind of request, for a whole run.
fn endure(kind: &str) {
    let stage = Stage::of_pairs();
    let (other, url) = elsewhere();
    for answer in ANSWERS {
        // A Linq that gives everybody another id, or says by the book that somebody was
        // deleted, cannot be told from one that is right.
        if matches!((kind, answer), ("create" | "list", "lie=other") | ("delete", "status=204")) {
            continue;
        }
        stage.reset();
        stage.world.fault(&format!("{kind} {}", answer.replace("ELSEWHERE", &url)));
        let run = stage.world.once();
        let told = format!("{kind} {answer}: {:#}\n{}", run.json, run.ended.stderr);
        assert!(matches!(run.ended.code, Some(0 | 3 | 4 | 6)), "{told}");
        // A page of which nobody can be read is still a page.
        let refused = kind == "list" && answer != "lie=no-ids";
        assert!(!refused || run.ended.code == Some(6), "{told}");
        stage.must_heal(&told);
    }
    for answer in TRUE {
        stage.reset();
        stage.world.fault(&format!("{kind} {answer}"));
        stage.must_end_well(&format!("{kind} {answer}"));
    }
    assert!(other.accept().is_err(), "{kind}: the other host was asked");
}

#[test]
fn no_answer_of_any_kind_is_believed_that_is_not_the_one_that_was_asked_for() {
    std::thread::scope(|scope| {
        let enduring = KINDS.map(|kind| (kind, scope.spawn(move || endure(kind))));
        for (kind, thread) in enduring {
            assert!(thread.join().is_ok(), "{kind}");
        }
    });
}

/// What the sandbox cannot send: bytes that are hardly HTTP, or come too slowly.
const BYTES: [&str; 9] = [
    "",
    "220 mail.example ESMTP\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"contacts\":[],",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}",
];

fn read_request(stream: &mut TcpStream) {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => seen.extend_from_slice(&buffer[..read]),
            Ok(0) | Err(_) => return,
        }
    }
}

/// The URL of a server that gives each connection to `serve`.
fn serving(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("\"http://{}\"", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&mut stream);
            serve(stream);
        }
    });
    url
}

fn expect_nothing(url: &str, what: &str) {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("linq.base_url", url).set("linq.timeout", "\"400ms\"").set("linq.max_attempts", "1");
    let before = TestFiles::at(&world.csv());
    let run = world.once().expect(6);
    assert_eq!(TestFiles::at(&world.csv()), before, "{what}");
    assert!(run.ended.took < Duration::from_secs(10), "{what}: {:?}", run.ended.took);
}

#[test]
fn bytes_that_are_hardly_http_end_a_run_in_time_and_change_nothing() {
    for bytes in BYTES {
        let url = serving(move |mut stream| drop(stream.write_all(bytes.as_bytes())));
        expect_nothing(&url, bytes);
    }
}

#[test]
fn silence_and_a_byte_now_and_then_end_a_run_in_time_and_change_nothing() {
    let silent = serving(|stream| {
        let (mut stream, mut rest) = (stream, Vec::new());
        let _ = stream.read_to_end(&mut rest);
    });
    expect_nothing(&silent, "silence");
    let slow = serving(|mut stream| {
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    expect_nothing(&slow, "a byte now and then");
    let headers = serving(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-more: and more\r\n").is_ok() {}
    });
    expect_nothing(&headers, "headers without end");
}
