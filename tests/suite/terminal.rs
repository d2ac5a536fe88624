//! What a person sees on a terminal of 80 columns while they wait.

use crate::harness::{ScreenSeen, Terminal, World};

/// Whether it told at some time how many of the three rows were written.
fn tells_of_writing(seen: &ScreenSeen) -> bool {
    (0..3).any(|done| seen.sent.contains(&format!("writing to Linq: {done} of 3 contacts")))
}

/// Runs linqsync on a terminal of its own to its end, which must have this exit code.
fn on_a_terminal(world: &World, arguments: &[&str], code: i32) -> ScreenSeen {
    Terminal::start(world.command(arguments)).ended(code)
}

/// Three new rows, each of which takes Linq a while.
fn slow() -> World {
    let mut world = World::with_csv(
        "First Name,Last Name,Email\n\
         Ada,King,ada@engines.example\n\
         Bo,Wang,bo@lanterns.example\n\
         Cy,Young,cy@lanterns.example\n",
    );
    world.set("linq.concurrency", "1");
    world.fault("create delay=500ms");
    world
}

#[test]
fn a_line_tells_how_far_a_run_is_and_leaves_nothing_behind() {
    let seen = on_a_terminal(&slow(), &["--once"], 0);
    assert!(tells_of_writing(&seen), "{}", seen.sent);
    let last = seen.screen.iter().rposition(|row| !row.is_empty()).unwrap();
    assert!(seen.screen[last].starts_with("in sync "), "{:#?}", seen.screen);
    assert!(!seen.screen.iter().any(|row| row.contains("writing to Linq:")), "{:#?}", seen.screen);
}

#[test]
fn logs_stand_above_the_line_and_are_not_torn_by_it() {
    let world = slow();
    world.fault("create status=503 times=1");
    let seen = on_a_terminal(&world, &["--once", "-v"], 0);
    assert!(tells_of_writing(&seen), "{}", seen.sent);
    let log = |row: &&String| row.contains("linqsync::") || row.contains("linqsync:");
    for row in seen.screen.iter().filter(log) {
        assert!(!row.contains("writing to Linq:"), "{:#?}", seen.screen);
    }
    assert!(seen.screen.iter().any(|row| log(&row)), "{:#?}", seen.screen);
}

#[test]
fn whoever_wants_no_line_gets_none() {
    for flag in ["--no-progress", "-q"] {
        let seen = on_a_terminal(&slow(), &["--once", flag], 0);
        assert!(!tells_of_writing(&seen), "{flag}: {}", seen.sent);
    }
}
