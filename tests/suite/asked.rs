//! Decisions on a terminal: one after another, with keys.

use crate::harness::{Terminal, World, people};

/// Conflicts of two contacts, in order of their names.
fn conflicts() -> World {
    let mut world = World::with_csv(
        "First Name,Email,Title\nAda,ada@e.example,Countess\nBo,bo@e.example,Engineer\n\
         Cy,cy@e.example,Pilot\n",
    );
    world.set("linq.concurrency", "1");
    world.sync();
    for (name, old, here, there) in [
        ("Ada", "Countess", "Lady", "Dame"),
        ("Bo", "Engineer", "Chief", "CTO"),
        ("Cy", "Pilot", "Captain", "Ace"),
    ] {
        world.edit(old, here);
        world.change(name, "title", there);
    }
    world.once().expect(3);
    world
}

fn titles(world: &World) -> Vec<String> {
    let of = |name: &str| world.contact(name).title.unwrap_or_default();
    ["Ada", "Bo", "Cy"].map(of).into()
}

#[test]
fn conflicts_are_asked_one_after_another_with_all_three_values_beside_each_other() {
    let world = conflicts();
    let mut terminal = Terminal::start(world.command(&["resolve"]));
    terminal.answer("[s]ource  [l]inq  [e]dit  [n] skip  [q]uit", "s");
    terminal.answer("[s]ource", "e");
    terminal.answer("value", "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}Boss\r");
    terminal.answer("[s]ource", "zn");
    let seen = terminal.ended(0);
    assert!(seen.sent.contains("1 of 3  Ada (row:2)  title"), "{}", seen.sent);
    let values = seen
        .sent
        .lines()
        .any(|line| ["“Lady”", "“Dame”", "“Countess”"].iter().all(|value| line.contains(value)));
    assert!(values, "{}", seen.sent);
    assert!(seen.sent.contains("2 decisions for the next run"), "{}", seen.sent);
    assert!(seen.sent.contains("1 question left as it is"), "{}", seen.sent);
    world.once().expect(3);
    assert_eq!(titles(&world), ["Lady", "Boss", "Ace"]);
}

#[test]
fn whoever_quits_has_decided_what_they_have_answered_and_nothing_else() {
    let world = conflicts();
    let mut terminal = Terminal::start(world.command(&["resolve"]));
    terminal.answer("1 of 3", "l");
    terminal.answer("2 of 3", "q");
    terminal.ended(0);
    assert_eq!(world.state().stored_decisions().unwrap().len(), 1);
    let mut terminal = Terminal::start(world.command(&["resolve", "bo@e.example"]));
    terminal.answer("1 of 1  Bo", "s");
    terminal.ended(0);
    world.once().expect(3);
    assert_eq!(titles(&world), ["Dame", "Chief", "Ace"]);
}

#[test]
fn an_ambiguous_row_is_linked_with_the_candidate_of_a_number_or_kept_apart() {
    let world = World::with_csv("First Name,Email\nAda,office@e.example\n");
    world.linq().insert([("first_name", "Zoe"), ("email", "office@e.example")]).unwrap();
    world.once().expect(3);
    let mut terminal = Terminal::start(world.command(&["resolve"]));
    terminal.answer("[1] contact", "x");
    let seen = terminal.ended(0);
    assert!(seen.sent.contains("Zoe"), "{}", seen.sent);
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 2);
}

/// So many titles blanked that it is held.
fn held() -> World {
    let mut world = World::with_csv(&people::csv(1..=14));
    world.set("linq.concurrency", "1");
    world.sync();
    let blank = (1..=14).fold(world.text(), |text, n| text.replace(&format!("Title {n:03}"), ""));
    world.write(blank);
    world.once().expect(4);
    world
}

#[test]
fn all_that_is_held_is_approved_once_a_person_has_seen_it_and_says_so() {
    let world = held();
    let mut terminal = Terminal::start(world.command(&["approve", "--all"]));
    terminal.answer("record 14 decisions?", "n");
    let seen = terminal.ended(2);
    assert!(seen.sent.contains("cancelled; nothing was decided"), "{}", seen.sent);
    assert!(world.state().stored_decisions().unwrap().is_empty());
    let mut terminal = Terminal::start(world.command(&["approve", "--all"]));
    terminal.answer("record 14 decisions?", "y");
    let seen = terminal.ended(0);
    assert!(seen.sent.contains("First014 Last014: clear title in Linq"), "{}", seen.sent);
    assert_eq!(world.state().stored_decisions().unwrap().len(), 14);
    // Without asking, where that is said, and where there is nobody to ask.
    let unasked = Terminal::start(world.command(&["reject", "--all", "--yes"]));
    unasked.ended(0);
    world.run(&["approve", "--all"]).expect(0);
}

#[test]
fn what_is_held_is_asked_one_by_one_where_no_contact_is_named() {
    let world = held();
    let mut terminal = Terminal::start(world.command(&["approve"]));
    terminal.answer("1 of 14", "a");
    terminal.answer("2 of 14", "r");
    terminal.answer("3 of 14", "q");
    terminal.ended(0);
    let decided: Vec<String> = world
        .state()
        .stored_decisions()
        .unwrap()
        .iter()
        .map(|one| format!("{:?}", one.decision))
        .collect();
    assert!(decided.contains(&"Approve".to_owned()) && decided.contains(&"Reject".to_owned()));
    // Nobody is asked through a pipe.
    for command in ["approve", "reject", "resolve"] {
        world.run(&[command]).expect(2);
    }
}

#[test]
fn a_long_list_goes_through_the_pager_on_a_terminal_and_never_into_a_pipe() {
    let world = held();
    let mut command = world.command(&["list"]);
    command.env("PAGER", "sed -e s/^/paged:/");
    let seen = Terminal::start(command).ended(0);
    assert!(seen.sent.lines().all(|line| line.starts_with("paged:")), "{}", seen.sent);
    assert!(seen.sent.contains("First014"), "{}", seen.sent);
    let wide: Vec<&str> =
        seen.sent.lines().filter(|line| line.trim_end().chars().count() > 80 + 6).collect();
    assert!(wide.is_empty(), "lines are as wide as the terminal: {wide:#?}");
    for pager in ["", "cat", "/nonexistent/pager"] {
        let mut command = world.command(&["list", "held"]);
        command.env("PAGER", pager);
        let seen = Terminal::start(command).ended(0);
        assert!(seen.sent.contains("First001"), "{pager}: {}", seen.sent);
    }
    let mut command = world.command(&["list"]);
    command.env("PAGER", "sed -e s/^/paged:/").stdout(std::process::Stdio::piped());
    let piped = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(piped.contains("First014") && !piped.contains("paged:"), "{piped}");
}

#[test]
fn an_interrupt_is_the_pagers_and_leaves_no_pager_behind() {
    let world = held();
    let mut command = world.command(&["list"]);
    command.env("PAGER", "cat; echo shown; read line <&1; echo went on");
    let mut terminal = Terminal::start(command);
    terminal.answer("shown", "");
    terminal.interrupt();
    terminal.answer("", "\r");
    assert!(terminal.ended(0).sent.contains("went on"));
}
