//! The inbox in a browser: pages and decisions, from end to end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Process, World, people, wait_until};

/// The passwords of the two roles.
pub(crate) const DECIDES: &str = "this one decides";
pub(crate) const LOOKS: &str = "only for looking";

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.to_lowercase().starts_with(&format!("{name}: "));
        self.head.lines().find(named).and_then(|line| line.split_once(": ")).map(|(_, v)| v)
    }

    /// The value of a hidden field, or of what is chosen with a word.
    pub(crate) fn field(&self, name: &str) -> String {
        let at = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&at).nth(1).unwrap_or_else(|| panic!("{name}: {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }

    /// The names of the questions, in order.
    pub(crate) fn questions(&self) -> Vec<String> {
        let all = self.body.split("name=\"d.").skip(1);
        let mut named: Vec<String> =
            all.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        named.dedup();
        named
    }
}

/// Sends `request` as it is.
pub(crate) fn send(address: &str, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A form as browsers send it.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields).finish()
}

/// A browser with its cookie.
pub(crate) struct Browser {
    pub(crate) address: String,
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

/// What a browser says of where a form of a page comes from, which goes by the page's
/// `Referrer-Policy` (Fetch, "append a request `Origin` header").
fn origin_of_forms(address: &str) -> String {
    let page = send(address, &format!("GET /login HTTP/1.1\r\nhost: {address}\r\n\r\n"));
    match page.header("referrer-policy") {
        Some("no-referrer") => "null".to_owned(),
        _ => format!("http://{address}"),
    }
}

impl Browser {
    pub(crate) fn new(address: &str) -> Browser {
        Browser { address: address.to_owned(), cookie: String::new(), csrf: String::new() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let Browser { address, cookie, .. } = self;
        send(
            address,
            &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n"),
        )
    }

    /// Sends a form without anything that is not in it.
    pub(crate) fn post_bare(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let Browser { address, cookie, .. } = self;
        let body = encoded(fields);
        let origin = origin_of_forms(address);
        send(
            address,
            &format!(
                "POST {path} HTTP/1.1\r\nhost: {address}\r\norigin: {origin}\r\n\
                 cookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            ),
        )
    }

    /// Sends a form of a page.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_bare(path, &[&[("csrf", self.csrf.as_str())], fields].concat())
    }

    /// Sends a form and looks at the page that it leads to.
    #[track_caller]
    pub(crate) fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.post(path, fields);
        assert_eq!(answer.status, 303, "{}", answer.body);
        self.get(answer.header("location").unwrap())
    }

    pub(crate) fn log_in(&mut self, name: &str, password: &str) -> Answer {
        let answer = self.post_bare("/login", &[("name", name), ("password", password)]);
        if let Some(cookie) = answer.header("set-cookie") {
            cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
            self.csrf = self.get("/").field("csrf");
        }
        answer
    }
}

/// Sets the password of a role.
pub(crate) fn set_password(world: &World, role: &str, password: &str) -> std::process::Output {
    let path = world.path("typed");
    std::fs::write(&path, format!("{password}\n")).unwrap();
    let mut command = world.command(&["web-password", "--role", role]);
    command.stdin(File::open(path).unwrap()).output().unwrap()
}

/// A daemon with an inbox, and where it is.
pub(crate) fn serving(world: &mut World) -> (Process, String) {
    world.set("web.listen", "\"127.0.0.1:0\"").set("web.password_file", "\"web.password\"");
    for (role, password) in [("decide", DECIDES), ("look", LOOKS)] {
        assert!(set_password(world, role, password).status.success());
    }
    let last = || world.state().last_runs(1).unwrap().into_iter().next();
    let before = last().map(|run| run.id);
    let daemon = world.start(&["-v"]);
    let mut address = String::new();
    wait_until("it says where the inbox is", || {
        let said = daemon.stderr();
        let line = said.lines().find(|line| line.contains("serving the inbox"));
        let found = line.and_then(|line| line.split("address=").nth(1));
        found.and_then(|rest| rest.split_whitespace().next()).is_some_and(|found| {
            found.clone_into(&mut address);
            true
        })
    });
    wait_until("a run was made", || {
        last().is_some_and(|run| Some(run.id) != before && run.ending.is_some())
    });
    (daemon, address)
}

/// A daemon, its inbox, and somebody who may decide.
pub(crate) fn deciding(world: &mut World) -> (Process, Browser) {
    // No run comes unasked.
    world.set("sync.schedule", "\"every 1h\"").set("sync.watch", "false");
    let (daemon, address) = serving(world);
    let mut browser = Browser::new(&address);
    assert_eq!(browser.log_in("Maria", DECIDES).status, 303);
    (daemon, browser)
}

pub(crate) fn end(daemon: Process) -> String {
    daemon.terminate();
    daemon.ended().expect(0).stderr
}

/// Waits until the run after `before` has ended, however.
fn run_after(world: &World, browser: &Browser, act: impl FnOnce()) {
    let last = || world.state().last_runs(1).unwrap().into_iter().next();
    let before = last().map(|run| run.id);
    act();
    wait_until("a run was made", || {
        last().is_some_and(|run| Some(run.id) != before && run.ending.is_some())
    });
    wait_until("the daemon says so", || !browser.get("/").body.contains("A run is being made"));
}

fn conflicts(world: &World, numbers: std::ops::RangeInclusive<usize>) {
    for n in numbers {
        world.edit(&format!("Title {n:03}"), &format!("Lady {n}"));
        world.change(&format!("First{n:03}"), "title", &format!("Dame {n}"));
    }
}

#[test]
fn a_conflict_is_decided_in_the_browser_and_carried_out_with_the_name_of_who_decided() {
    let mut world = World::synced(&people::csv(1..=3));
    conflicts(&world, 1..=2);
    let (daemon, browser) = deciding(&mut world);
    let overview = browser.get("/");
    assert!(overview.body.contains("Something waits") && overview.body.contains("Conflicts (2)"));
    let list = browser.get("/list/conflicts");
    for shown in ["Lady 1", "Dame 1", "Title 001", "Lady 2"] {
        assert!(list.body.contains(shown), "{shown}: {}", list.body);
    }
    let [first, second] = list.questions().try_into().unwrap();
    let (d1, d2, v2) = (format!("d.{first}"), format!("d.{second}"), format!("v.{second}"));
    let decided = browser.submit(
        "/decide",
        &[("back", "conflicts"), (&d1, "linq"), (&d2, "value"), (&v2, "Countess & <co>")],
    );
    assert!(decided.body.contains("2 decisions were recorded"), "{}", decided.body);
    assert!(decided.body.contains("by web: decide-role/Maria"), "{}", decided.body);
    run_after(&world, &browser, || {
        assert!(browser.submit("/sync", &[]).body.contains("A run was asked for"));
    });
    assert_eq!(world.contact("First001").title.as_deref(), Some("Dame 1"));
    assert_eq!(world.contact("First002").title.as_deref(), Some("Countess & <co>"));
    assert!(world.text().contains("Dame 1") && world.text().contains("Countess & <co>"));
    let told = world.run(&["history"]).expect(0).stdout;
    assert!(told.contains("web: decide-role/Maria"), "{told}");
    let page = browser.get("/history").body;
    assert!(page.contains("asked for in the inbox by web: decide-role/Maria (Sync now)"), "{page}");
    assert!(browser.get("/").body.contains("Everything is in sync"));
    end(daemon);
}

#[test]
fn a_held_list_is_approved_as_a_whole_exactly_as_it_was_shown() {
    let mut world = World::synced(&people::csv(1..=40));
    world.write(people::csv(1..=28));
    let (daemon, browser) = deciding(&mut world);
    let list = browser.get("/list/held");
    assert_eq!(list.questions().len(), 12);
    let shown = list.field("shown");
    let whole = [("back", "held"), ("list", "held"), ("all", "approve"), ("shown", &*shown)];
    let unsure = browser.post("/decide", &whole);
    assert_eq!(unsure.status, 422, "it is asked whether all are meant");
    // One comes back: the list is another one.
    world.write(people::csv(1..=29));
    world.once().expect(4);
    let whole = [&whole[..], &[("sure", "yes")]].concat();
    let stale = browser.post("/decide", &whole);
    assert_eq!((stale.status, stale.body.contains("This page is stale")), (409, true));
    assert!(world.state().stored_decisions().unwrap().is_empty());
    let shown = browser.get("/list/held").field("shown");
    let whole = [("list", "held"), ("all", "approve"), ("shown", &*shown), ("sure", "yes")];
    assert!(browser.submit("/decide", &whole).body.contains("11 decisions were recorded"));
    run_after(&world, &browser, || drop(browser.submit("/sync", &[])));
    assert_eq!(world.people_in_linq().len(), 29);
    end(daemon);
}

#[test]
fn a_held_deletion_is_rejected_and_comes_back() {
    let mut world = World::synced(&people::csv(1..=20));
    world.write(people::csv(1..=9));
    let (daemon, browser) = deciding(&mut world);
    let list = browser.get("/list/held");
    let names: Vec<String> = list.questions().iter().map(|one| format!("d.{one}")).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "reject")).collect();
    let id = world.contact("First020").id;
    let page = browser.get(&format!("/contact/{id}")).body;
    let row = "<td><bdi>(not there)</bdi></td><td><bdi>Title 020</bdi></td>";
    assert!(page.contains(row), "its row is gone: {page}");
    browser.submit("/decide", &fields);
    run_after(&world, &browser, || drop(browser.submit("/sync", &[])));
    assert_eq!(world.people_in_csv().len(), 20);
    end(daemon);
}

#[test]
fn a_rejected_field_is_sent_again_and_an_ambiguous_row_is_told_apart() {
    let mut world = World::synced(&people::csv(1..=2));
    world.fault("update status=422");
    world.edit("Title 001", "Chief");
    // Two rows that look alike wait as ambiguous.
    let row = "Twin,Twin,twin@people.example,,,\n";
    world.write(world.text() + row + row);
    let (daemon, browser) = deciding(&mut world);
    let rejected = browser.get("/list/rejected");
    assert!(rejected.body.contains("send it again"), "{}", rejected.body);
    assert!(rejected.body.contains("in the spreadsheet or card or in Linq"), "{}", rejected.body);
    // The page of the contact has the value that was rejected.
    let id = world.contact("First001").id;
    let page = browser.get(&format!("/contact/{id}")).body;
    let row = "<td><bdi>Chief</bdi></td><td><bdi>Title 001</bdi></td><td><bdi>Title 001</bdi></td>";
    assert!(page.contains(row) && page.contains("when last synced"), "{page}");
    let ambiguous = browser.get("/list/ambiguous");
    assert!(ambiguous.body.contains("somebody else: create it"), "{}", ambiguous.body);
    world.linq().clear_faults();
    let retry: Vec<String> = rejected.questions().iter().map(|q| format!("d.{q}")).collect();
    let separate: Vec<String> = ambiguous.questions().iter().map(|q| format!("d.{q}")).collect();
    let fields = retry.iter().map(|name| (name.as_str(), "retry"));
    let fields: Vec<(&str, &str)> =
        fields.chain(separate.iter().map(|name| (name.as_str(), "separate"))).collect();
    browser.submit("/decide", &fields);
    run_after(&world, &browser, || drop(browser.submit("/sync", &[])));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    assert_eq!(world.people_in_linq().len(), 4);
    end(daemon);
}

#[test]
fn a_stale_page_decides_nothing_also_if_somebody_else_has_decided() {
    let mut world = World::synced(&people::csv(1..=2));
    conflicts(&world, 1..=2);
    let (daemon, browser) = deciding(&mut world);
    let [first, second] = browser.get("/list/conflicts").questions().try_into().unwrap();
    let (d1, d2) = (format!("d.{first}"), format!("d.{second}"));
    world.run(&["resolve", "First001 Last001", "--take", "source"]).expect(0);
    let stale = browser.post("/decide", &[(&d1, "linq"), (&d2, "linq")]);
    assert_eq!((stale.status, stale.body.contains("This page is stale")), (409, true));
    assert_eq!(world.state().stored_decisions().unwrap().len(), 1, "all or nothing");
    // The value that was shown changes.
    world.change("First002", "title", "Queen");
    world.once().expect(3);
    assert_eq!(browser.post("/decide", &[(&d2, "linq")]).status, 409);
    // What is filled in and not chosen is not dropped in silence.
    let question = browser.get("/list/conflicts").questions().remove(0);
    let (d, v) = (format!("d.{question}"), format!("v.{question}"));
    assert_eq!(browser.post("/decide", &[(&d, "linq"), (&v, "Typed")]).status, 422);
    assert_eq!(browser.post("/decide", &[(&d, "approve")]).status, 422);
    assert!(world.state().stored_decisions().unwrap().is_empty());
    end(daemon);
}

#[test]
fn a_contact_has_both_sides_its_question_and_its_history_and_is_found() {
    let mut world = World::synced(&people::csv(1..=3));
    conflicts(&world, 1..=1);
    let id = world.contact("First001").id;
    let (daemon, browser) = deciding(&mut world);
    let page = browser.get(&format!("/contact/{id}")).body;
    for shown in ["Lady 1", "Dame 1", "Title 001", "Run 1", "What waits"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert_eq!(browser.get("/contact/987654").status, 404);
    let found = browser.post("/search", &[("text", "first002")]);
    assert!(found.body.contains("1 found") && found.body.contains("Last002"), "{}", found.body);
    assert!(browser.post("/search", &[("text", "nobody")]).body.contains("0 found"));
    let table = browser.get("/list/conflicts.csv");
    let printed = world.run(&["list", "conflicts", "--csv"]).expect(0).stdout;
    assert_eq!(table.body, printed);
    let table = browser.get("/list/all.csv").body;
    assert_eq!(table, world.run(&["list", "--csv"]).expect(0).stdout);
    end(daemon);
}

#[test]
fn duplicates_are_shown_for_both_sides() {
    let twin = "Twin,Twin,twin@people.example,,,\n";
    let mut world = World::synced(&people::csv(1..=2));
    world.write(world.text() + twin + twin);
    let (daemon, browser) = deciding(&mut world);
    let page = browser.get("/list/duplicates").body;
    assert!(page.contains("Group 1, in ") && page.contains("twin@people.example"), "{page}");
    end(daemon);
}

#[test]
fn an_undo_is_shown_as_a_plan_and_then_made_by_the_daemon() {
    let mut world = World::synced(&people::csv(1..=3));
    world.edit("Title 001", "Chief");
    let (daemon, browser) = deciding(&mut world);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    let run = world.state().last_runs(1).unwrap()[0].id.to_string();
    let page = browser.get(&format!("/history/{run}"));
    assert!(page.body.contains("Chief") && page.body.contains("Show what an undo"));
    let plan = browser.post("/undo/plan", &[("run", &run), ("contact", "")]);
    assert!(plan.body.contains("Title 001"), "{}", plan.body);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"), "only a plan");
    let shown = plan.field("shown");
    let stale = browser.post("/undo", &[("run", &run), ("shown", "another")]);
    assert_eq!(stale.status, 409);
    run_after(&world, &browser, || {
        let asked = browser.submit("/undo", &[("run", &run), ("contact", ""), ("shown", &shown)]);
        assert!(asked.body.contains("was asked for"), "{}", asked.body);
    });
    assert_eq!(world.contact("First001").title.as_deref(), Some("Title 001"));
    assert!(world.text().contains("Title 001"));
    let told = browser.get("/history").body;
    assert!(told.contains("web: decide-role/Maria"), "{told}");
    end(daemon);
}

#[test]
fn an_undo_is_not_made_for_a_browser_that_has_gone() {
    let mut world = World::synced(&people::csv(1..=3));
    world.edit("Title 001", "Chief");
    let (daemon, browser) = deciding(&mut world);
    let run = world.state().last_runs(1).unwrap()[0].id.to_string();
    let plan = browser.post("/undo/plan", &[("run", &run), ("contact", "")]);
    let shown = plan.field("shown");
    world.fault("any delay=3s");
    let Browser { address, cookie, csrf } = &browser;
    let body = encoded(&[("csrf", csrf), ("run", &run), ("contact", ""), ("shown", &shown)]);
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /undo HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream);
    // One plan is made at a time: this one after the one that nobody waits for.
    let again = browser.post("/undo/plan", &[("run", &run), ("contact", "")]);
    assert_eq!((again.status, again.field("shown")), (200, shown));
    world.linq().clear_faults();
    run_after(&world, &browser, || drop(browser.submit("/sync", &[])));
    assert!(world.state().last_runs(9).unwrap().iter().all(|run| run.undoes.is_none()));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    end(daemon);
}

#[test]
fn after_a_run_that_failed_nothing_is_said_to_be_in_sync() {
    let mut world = World::synced(&people::csv(1..=3));
    let (daemon, browser) = deciding(&mut world);
    let before = browser.get("/").body;
    assert!(before.contains("Everything is in sync") && before.contains("<dt>In sync</dt>"));
    world.fault("list status=400");
    run_after(&world, &browser, || drop(browser.submit("/sync", &[])));
    let page = browser.get("/").body;
    assert!(page.contains("it is not known whether both sides are in sync"), "{page}");
    assert!(!page.contains("Everything is in sync") && !page.contains("<dt>In sync</dt>"));
    conflicts(&world, 1..=1);
    world.linq().clear_faults();
    end(daemon);
}

#[test]
fn a_state_that_cannot_be_read_is_not_shown_as_no_run_and_nothing_that_waits() {
    let mut world = World::synced(&people::csv(1..=3));
    conflicts(&world, 1..=1);
    let (daemon, browser) = deciding(&mut world);
    let (place, aside) = (world.path("state"), world.path("aside"));
    let damage = |make: &dyn Fn()| {
        std::fs::rename(&place, &aside).unwrap();
        make();
        let pages = ["/", "/list/conflicts", "/list/all.csv", "/history", "/contact/1"];
        let pages = pages.map(|path| browser.get(path));
        if place.exists() {
            std::fs::remove_dir_all(&place).unwrap();
        }
        std::fs::rename(&aside, &place).unwrap();
        pages
    };
    for page in damage(&|| {
        std::fs::create_dir(&place).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o700)).unwrap();
        for file in std::fs::read_dir(&aside).unwrap().map(|file| file.unwrap()) {
            if file.path().extension().is_some_and(|ending| ending == "db") {
                let copy = place.join(file.file_name());
                std::fs::write(&copy, "no database, however long ".repeat(1000)).unwrap();
                std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }) {
        assert_eq!(page.status, 503, "{}", page.body);
        assert!(page.body.contains("The state could not be read"), "{}", page.body);
        assert!(page.body.contains("Conflicts (?)"), "{}", page.body);
        assert!(!page.body.contains("no run yet") && !page.body.contains("Nothing waits"));
    }
    let [overview, rest @ ..] = damage(&|| ());
    assert!(overview.body.contains("There was no run yet"), "{}", overview.body);
    for page in rest {
        assert!(page.status == 503 && page.body.contains("There was no run yet"), "{}", page.body);
    }
    assert!(browser.get("/").body.contains("Conflicts (1)"));
    assert!(end(daemon).contains("the inbox cannot read the state"));
}

#[test]
fn every_page_has_one_heading_labels_for_its_fields_and_no_script() {
    let mut world = World::synced(&people::csv(1..=3));
    conflicts(&world, 1..=1);
    let id = world.contact("First001").id;
    let (daemon, browser) = deciding(&mut world);
    let contact = format!("/contact/{id}");
    let paths = [
        "/",
        "/list/conflicts",
        "/list/held",
        "/list/ambiguous",
        "/list/rejected",
        "/list/duplicates",
        "/history",
        "/history/1",
        "/search",
        &contact,
        "/nowhere",
    ];
    for path in paths {
        let Answer { status, body, .. } = browser.get(path);
        assert_eq!(status, if path == "/nowhere" { 404 } else { 200 }, "{path}");
        assert_eq!(body.matches("<h1").count(), 1, "{path}");
        assert!(
            body.contains("<html lang=\"en\">") && body.contains("name=\"viewport\""),
            "{path}"
        );
        for not in ["<script", "javascript:", " style=", "onclick", "<img", "//cdn"] {
            assert!(!body.contains(not), "{path} has {not}");
        }
        let mut fields: BTreeMap<&str, usize> = BTreeMap::new();
        for part in body.split("<input ").skip(1).chain(body.split("<label").skip(1)) {
            let id = part.split("id=\"").nth(1).or_else(|| part.split("for=\"").nth(1));
            let is_own = part.split('>').next().unwrap().contains("id=\"")
                || part.split('>').next().unwrap().contains("for=\"");
            if let (Some(id), true) = (id, is_own) {
                *fields.entry(id.split('"').next().unwrap()).or_default() += 1;
            }
        }
        assert!(fields.values().all(|count| *count >= 1), "{path}: {fields:?}");
    }
    let style = browser.get("/style.css");
    assert!(style.body.contains("prefers-color-scheme: dark"));
    end(daemon);
}

#[test]
fn hostile_texts_are_shown_and_do_nothing() {
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "{{ frame.csrf }}",
        "</textarea></fieldset></form><form action=//evil.example>",
        "a\u{202e}b\u{200b}c",
        "javascript:alert(1)",
    ];
    let mut text = "First Name,Last Name,Email,Company,Title\n".to_owned();
    for (n, value) in hostile.iter().enumerate() {
        let value = value.replace('"', "\"\"");
        let row = [&*value, &*value, &format!("h{n}@people.example"), &*value, &format!("Old{n}")];
        text += &row.map(|cell| format!("\"{cell}\"")).join(",");
        text.push('\n');
    }
    let mut world = World::with_csv(&text);
    world.sync();
    for (n, value) in hostile.iter().enumerate() {
        let id = world
            .linq()
            .contacts()
            .into_iter()
            .find(|contact| contact.email.as_deref() == Some(&format!("h{n}@people.example")));
        let id = id.unwrap().id;
        world.linq().set(id, "title", value).unwrap();
        let value = value.replace('"', "\"\"");
        world.edit(&format!(",\"Old{n}\"\n"), &format!(",\"source {value}\"\n"));
    }
    let (daemon, browser) = deciding(&mut world);
    let contact = world.linq().contacts()[0].id;
    let found = browser.post("/search", &[("text", "<script>")]).body;
    let pages = ["/", "/list/conflicts", "/history", "/history/1", &format!("/contact/{contact}")]
        .map(|path| browser.get(path).body);
    assert!(pages[1].contains("&#60;script&#62;"), "{}", pages[1]);
    for page in pages.iter().chain([&found]) {
        for not in ["<script", "<img", "<form action=//", " onmouseover='", "\u{202e}", "\u{200b}"]
        {
            assert!(!page.contains(not), "{not}: {page}");
        }
    }
    end(daemon);
}

#[test]
fn another_configuration_opens_keeps_and_closes_the_inbox() {
    let mut world = World::synced(&people::csv(1..=2));
    conflicts(&world, 1..=1);
    let (daemon, browser) = deciding(&mut world);
    let reloaded = |times: usize| {
        daemon.hang_up();
        wait_until("the configuration is in force", || {
            daemon.stderr().matches("the new configuration is in force").count() == times
        });
    };
    // Whoever is logged in stays so, and what is decided goes by the new configuration.
    world.set("sync.fields.title", "\"push\"");
    reloaded(1);
    assert_eq!(browser.get("/list/conflicts").status, 200);
    world.unset("web.listen").unset("web.password_file");
    reloaded(2);
    assert!(TcpStream::connect(&browser.address).is_err(), "it is closed");
    world.set("web.listen", &format!("\"{}\"", browser.address));
    world.set("web.password_file", "\"web.password\"");
    reloaded(3);
    assert_eq!(browser.get("/").status, 303, "sessions are in memory");
    let mut again = Browser::new(&browser.address);
    assert_eq!(again.log_in("Maria", DECIDES).status, 303);
    assert_eq!(again.get("/").status, 200);
    end(daemon);
}
