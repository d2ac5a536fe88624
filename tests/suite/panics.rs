//! A panic in the middle of a run: it ends that run, and not half of it, tells nothing of
//! anybody, and the next run is as if nothing had happened.

use crate::harness::{Stage, World, people, wait_until};

/// The variable that makes a build with debug assertions panic once, at the look at the
/// clock of this number.
const DEFECT: &str = "LINQSYNC_TEST_DEFECT";

/// Every so many looks at the clock are tried.
const STRIDE: u64 = 3;

/// Lets a run panic at one look at the clock after the other, until it has not so many.
fn sweep(stage: &Stage) {
    for look in (1..).step_by(usize::try_from(STRIDE).unwrap()) {
        stage.reset();
        let mut command = stage.world.command(&["--once", "--json"]);
        command.env(DEFECT, look.to_string());
        let ended = crate::harness::Process::start(command).ended();
        if ended.code == Some(0) {
            assert!(look > 10, "a run looks at the clock more often than {look} times");
            return;
        }
        let run = crate::harness::PrintedRun::of(ended).expect(1);
        assert!(run.message().contains("a defect of linqsync ended the run"), "{}", run.message());
        for text in [&run.ended.stdout, &run.ended.stderr] {
            assert!(!text.contains("zoe.private"), "what a panic says is a person's: {text}");
        }
        assert!(run.ended.stderr.contains("src/run/defect.rs"), "{}", run.ended.stderr);
        assert!(run.json["run"].is_number(), "{:#}", run.json);
        stage.must_heal(&format!("a panic at look {look}"));
    }
}

#[test]
fn a_run_over_pairs_that_panics_anywhere_is_finished_by_the_next() {
    sweep(&Stage::of_pairs());
}

#[test]
fn a_first_run_that_panics_anywhere_is_finished_by_the_next() {
    sweep(&Stage::of_a_first_run());
}

#[test]
fn a_daemon_goes_on_after_a_run_that_panicked() {
    let mut world = World::with_csv(&people::csv(1..=30));
    world.set("sync.schedule", "\"every 1h\"");
    // One after another, so that each create looks at the clock as often.
    world.set("linq.concurrency", "1");
    let mut command = world.command(&[]);
    // So late that the next run, which has less to do, never comes to it.
    command.env(DEFECT, "55");
    let daemon = crate::harness::Process::start(command);
    wait_until("the run panicked", || daemon.stderr().contains("a defect of linqsync ended"));
    let created = world.linq().contacts().len();
    assert!((10..30).contains(&created), "{created} of 30: it was in the middle");
    world.write(world.text() + &people::row(31));
    wait_until("the next run has finished it", || world.linq().contacts().len() == 31);
    daemon.terminate();
    daemon.ended().expect(0);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}
