//! Who gets into the inbox, and what a browser may do there.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::harness::{World, people};
use crate::inbox::{
    Answer, Browser, DECIDES, LOOKS, deciding, encoded, end, send, serving, set_password,
};

const PAGES: [&str; 9] = [
    "/",
    "/list/conflicts",
    "/list/all.csv",
    "/list/duplicates",
    "/contact/1",
    "/history",
    "/history/1",
    "/search",
    "/undo",
];

/// A world with a conflict and a hold.
fn waiting() -> World {
    let world = World::synced(&people::csv(1..=20));
    world.edit("Title 001", "Lady");
    world.change("First001", "title", "Dame");
    world
}

#[test]
fn without_a_password_there_is_the_page_to_log_in_and_nothing_else() {
    let mut world = waiting();
    let (daemon, address) = serving(&mut world);
    let nobody = Browser::new(&address);
    for path in PAGES {
        let Answer { status, head, body } = nobody.get(path);
        assert!(status == 303 && head.contains("location: /login") && body.is_empty(), "{path}");
    }
    for path in ["/decide", "/sync", "/undo", "/undo/plan", "/search", "/logout"] {
        assert_eq!(nobody.post_bare(path, &[("csrf", "")]).header("location"), Some("/login"));
    }
    let login = nobody.get("/login").body;
    assert!(!login.contains("First001") && !login.contains("Conflicts"), "{login}");
    let mut guess = Browser::new(&address);
    guess.cookie = format!("linqsync={}", "0".repeat(64));
    assert_eq!(guess.get("/").status, 303);
    assert_eq!(guess.log_in("", "a wrong password").status, 403);
    end(daemon);
}

#[test]
fn each_answer_forbids_scripts_frames_caching_and_guessing() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    let nobody = Browser::new(&browser.address);
    let mut answers: Vec<Answer> = PAGES.iter().map(|path| browser.get(path)).collect();
    answers.extend(["/", "/login", "/style.css", "/nowhere"].map(|path| nobody.get(path)));
    answers.push(nobody.post_bare("/login", &[("password", "a wrong password")]));
    answers.push(browser.post_bare("/decide", &[]));
    answers.push(send(&browser.address, "DELETE / HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    answers.push(send(&browser.address, "GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n"));
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{}", answer.head);
        }
    }
    end(daemon);
}

#[test]
fn the_cookie_is_kept_from_scripts_other_sites_and_plain_http() {
    let mut world = waiting();
    world.set("web.public_url", "\"https://sync.acme.example\"");
    let (daemon, address) = serving(&mut world);
    let mut browser = Browser::new(&address);
    let cookie = browser.log_in("", DECIDES).header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-linqsync="), "{cookie}");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
    assert!(browser.cookie.len() >= "__Host-linqsync=".len() + 64, "long enough not to be guessed");
    let again = browser.log_in("", DECIDES).header("set-cookie").unwrap().to_owned();
    assert_ne!(cookie, again, "another one with each login");
    let old = Browser { cookie: cookie.split(';').next().unwrap().to_owned(), ..browser };
    assert_eq!(old.get("/").status, 303, "the one before has ended");
    end(daemon);
}

#[test]
fn a_form_needs_the_token_of_its_session_and_comes_from_here() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    let question = format!("d.{}", browser.get("/list/conflicts").questions()[0]);
    let other = {
        let mut other = Browser::new(&browser.address);
        other.log_in("", DECIDES);
        other.csrf
    };
    for csrf in ["", "0", other.as_str()] {
        for path in ["/decide", "/sync", "/undo", "/search", "/logout"] {
            let refused = browser.post_bare(path, &[("csrf", csrf), (&question, "linq")]);
            assert_eq!(refused.status, 403, "{path} {csrf}");
        }
    }
    let body = encoded(&[("csrf", &browser.csrf), (&question, "linq")]);
    let from = |more: &str, content: &str| {
        let Browser { address, cookie, .. } = &browser;
        let length = body.len();
        send(
            address,
            &format!(
                "POST /decide HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n{more}\
                 content-type: {content}\r\ncontent-length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(from("origin: https://evil.example\r\n", form).status, 403);
    assert_eq!(from("origin: null\r\n", form).status, 403);
    for site in ["cross-site", "same-site", "none"] {
        let of_site = format!("origin: null\r\nsec-fetch-site: {site}\r\n");
        assert_eq!(from(&of_site, form).status, 403, "{site}");
    }
    let evil = "origin: https://evil.example\r\nsec-fetch-site: same-origin\r\n";
    assert_eq!(from(evil, form).status, 403);
    assert_eq!(from("sec-fetch-site: cross-site\r\n", form).status, 403);
    assert_eq!(from("", "text/plain").status, 415);
    assert!(world.state().stored_decisions().unwrap().is_empty());
    assert_eq!(from("origin: null\r\nsec-fetch-site: same-origin\r\n", form).status, 303);
    assert_eq!(world.state().stored_decisions().unwrap().len(), 1);
    end(daemon);
}

#[test]
fn get_and_head_change_nothing_and_other_methods_are_refused() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    let Browser { address, cookie, csrf } = &browser;
    let question = browser.get("/list/conflicts").questions().remove(0);
    let before = world.state().last_runs(1).unwrap()[0].id;
    for path in ["/decide", "/sync", "/undo", "/undo/plan", "/logout"] {
        let path = format!("{path}?csrf={csrf}&d.{question}=linq&run=1");
        assert_eq!(browser.get(&path).status, 404, "{path}");
        let head = format!("HEAD {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n");
        let answer = send(address, &head);
        assert!(answer.status == 404 && answer.body.is_empty());
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"] {
        let request =
            format!("{method} /decide HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n");
        assert!(matches!(send(address, &request).status, 400 | 405 | 421), "{method}");
    }
    assert!(world.state().stored_decisions().unwrap().is_empty());
    assert_eq!(world.state().last_runs(1).unwrap()[0].id, before);
    assert_eq!(browser.get("/").status, 200, "still logged in");
    end(daemon);
}

#[test]
fn who_may_look_sees_everything_and_decides_nothing() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    let question = format!("d.{}", browser.get("/list/conflicts").questions()[0]);
    let mut looker = Browser::new(&browser.address);
    assert_eq!(looker.log_in("Otto", LOOKS).status, 303);
    let list = looker.get("/list/conflicts").body;
    assert!(list.contains("Lady") && list.contains("Dame") && !list.contains("type=\"radio\""));
    assert!(!looker.get("/").body.contains("Sync now"));
    for path in ["/decide", "/sync", "/undo/plan", "/undo"] {
        let refused = looker.post(path, &[(&question, "linq"), ("run", "1")]);
        assert_eq!(refused.status, 403, "{path}");
    }
    assert_eq!(looker.post("/search", &[("text", "First002")]).status, 200);
    assert!(world.state().stored_decisions().unwrap().is_empty());
    end(daemon);
}

#[test]
fn passwords_are_tried_a_few_times_and_then_no_more_also_with_the_right_one() {
    let mut world = waiting();
    let (daemon, address) = serving(&mut world);
    let mut browser = Browser::new(&address);
    for password in ["a wrong password", "", "x", &"x".repeat(500_000), "\u{0}\n\"{}"] {
        assert_eq!(browser.log_in("", password).status, 403);
    }
    let refused = browser.log_in("", DECIDES);
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert!(browser.cookie.is_empty());
    let said = end(daemon);
    assert!(said.contains("a wrong password for the inbox"), "{said}");
}

#[test]
fn a_host_that_is_not_ours_is_refused() {
    let mut world = waiting();
    world.set("web.public_url", "\"https://sync.acme.example\"");
    let (daemon, address) = serving(&mut world);
    let get =
        |host: &str| send(&address, &format!("GET /login HTTP/1.1\r\nhost: {host}\r\n\r\n")).status;
    for good in ["localhost", "127.0.0.1:9464", "sync.acme.example", "SYNC.acme.example:443"] {
        assert_eq!(get(good), 200, "{good}");
    }
    for bad in [
        "evil.example",
        "sync.acme.example.evil.example",
        "sync.acme.example:8080",
        "localhost.evil.example",
        "",
    ] {
        assert_eq!(get(bad), 421, "{bad}");
    }
    assert_eq!(send(&address, "GET /login HTTP/1.0\r\n\r\n").status, 421);
    end(daemon);
}

#[test]
fn a_form_that_is_too_long_is_not_taken() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    let long = "x".repeat(2 * 1024 * 1024);
    let Browser { address, cookie, csrf } = &browser;
    let body = encoded(&[("csrf", csrf), ("text", &long)]);
    let request = format!(
        "POST /search HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.write_all(body.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(browser.get("/").status, 200);
    end(daemon);
}

#[test]
fn another_password_ends_the_sessions_of_the_one_before_and_so_does_logging_out() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    let mut looker = Browser::new(&browser.address);
    looker.log_in("", LOOKS);
    assert!(set_password(&world, "decide", "quite another one").status.success());
    assert_eq!(browser.get("/").status, 303);
    assert_eq!(looker.get("/").status, 200, "the other role is left alone");
    assert_eq!(looker.post("/logout", &[]).status, 303);
    assert_eq!(looker.get("/").status, 303);
    end(daemon);
}

#[test]
fn the_password_file_is_private_and_keeps_the_other_role() {
    let mut world = World::synced(&people::csv(1..=2));
    let good = set_password(&world, "decide", DECIDES);
    assert!(good.status.success());
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(said.contains("[web]") && !said.contains(DECIDES), "{said}");
    let path = world.path("web.password");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    let line = std::fs::read_to_string(&path).unwrap();
    assert!(line.starts_with("decide:$argon2id$") && !line.contains(DECIDES));
    assert!(set_password(&world, "look", LOOKS).status.success());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with(&line));
    for (role, bad) in [("look", "short"), ("look", DECIDES), ("look", "two\nlines of it")] {
        assert_eq!(set_password(&world, role, bad).status.code(), Some(2), "{bad}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(set_password(&world, "look", "another one now").status.code(), Some(2));
    // A token that is in the way stays.
    world.set("web.listen", "\"127.0.0.1:0\"").set("web.password_file", "\"linq.token\"");
    let token = std::fs::read_to_string(world.path("linq.token"));
    let refused = set_password(&world, "look", "another one now");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(world.path("linq.token")).ok(), token.ok());
}

#[test]
fn another_password_leaves_owner_group_and_mode_of_the_file_as_they_are() {
    let world = World::synced(&people::csv(1..=2));
    assert!(set_password(&world, "decide", DECIDES).status.success());
    let path = world.path("web.password");
    let is_root = std::fs::metadata(&path).unwrap().uid() == 0;
    // What is root's may be read by a group: so the shipped unit reads it.
    let wanted =
        if is_root { (12_345, 0o640) } else { (std::fs::metadata(&path).unwrap().gid(), 0o400) };
    if is_root {
        std::os::unix::fs::chown(&path, None, Some(wanted.0)).unwrap();
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(wanted.1)).unwrap();
    assert!(set_password(&world, "look", LOOKS).status.success());
    let file = std::fs::metadata(&path).unwrap();
    assert_eq!((file.gid(), file.mode() & 0o7777), wanted);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).unwrap();
    assert_eq!(set_password(&world, "look", "another one now").status.code(), Some(2));
}

#[test]
fn an_address_that_others_reach_needs_a_public_one_with_tls() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("web.listen", "\"0.0.0.0:0\"").set("web.password_file", "\"web.password\"");
    let refused = world.run(&["check", "--offline"]).expect(2);
    let said = refused.stderr + &refused.stdout;
    assert!(said.contains("web.listen") && said.contains("TLS"), "{said}");
    world.set("web.public_url", "\"http://sync.acme.example\"");
    world.run(&["check", "--offline"]).expect(2);
    world.set("web.public_url", "\"https://sync.acme.example\"");
    let checked = world.run(&["check", "--offline"]);
    let said = checked.stderr + &checked.stdout;
    assert!(!said.contains("web.listen") && said.contains("nobody can log in"), "{said}");
    assert!(set_password(&world, "decide", DECIDES).status.success());
    let checked = world.run(&["check", "--offline"]);
    assert!(!checked.stdout.contains("nobody can log in"), "{}", checked.stdout);
    world.unset("web.listen");
    world.run(&["check", "--offline"]).expect(2);
}

#[test]
fn nothing_of_anybody_is_in_the_logs_and_addresses_of_the_inbox() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    browser.post("/search", &[("text", "First002")]);
    let mut seen = String::new();
    for path in PAGES {
        let page = browser.get(path).body;
        let linked = page.split("href=\"").skip(1).chain(page.split("action=\"").skip(1));
        for part in linked {
            seen += part.split('"').next().unwrap();
        }
    }
    for private in ["First0", "Last0", "people.example", "Lady", "Dame", "555"] {
        assert!(!seen.contains(private), "{private}: {seen}");
    }
    let cookie = browser.cookie.split('=').nth(1).unwrap().to_owned();
    let said = end(daemon);
    for private in ["First0", "people.example", "Lady", "Dame", DECIDES, &cookie, "Maria"] {
        assert!(!said.contains(private), "{private}");
    }
}

#[test]
fn logging_in_leaves_the_daemon_as_small_as_it_was() {
    let mut world = waiting();
    let (daemon, browser) = deciding(&mut world);
    browser.get("/list/conflicts");
    let kilobytes = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = kilobytes();
    for _ in 0..4 {
        let mut again = Browser::new(&browser.address);
        assert_eq!(again.log_in("", DECIDES).status, 303);
    }
    let after = kilobytes();
    assert!(after < before + 10_000, "{before} kB and then {after} kB");
    end(daemon);
}
