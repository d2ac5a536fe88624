//! Two values that differ are never agreed on, unless Linq was seen to rewrite the one into
//! the other: whatever becomes of a decision between the two sides.

use std::fs;

use linqsync::sandbox::{LoggedRequest, ObservedMoment, RouteKind};

use crate::harness::World;

const TEAM: &str = "First Name,Email,Title\nAda,ada@engines.example,Clerk\nBo,bo@e.example,\n";

/// A source with Ada's title, as a table or as cards.
#[derive(Clone, Copy, Debug)]
enum PairShape {
    Table,
    Cards,
}

const SHAPES: [PairShape; 2] = [PairShape::Table, PairShape::Cards];

/// Ada's title is `Cook` in the source and `Pilot` in Linq, and both had `Clerk`.
fn conflict(shape: PairShape) -> World {
    let mut world = World::new();
    match shape {
        PairShape::Table => world.write(TEAM),
        PairShape::Cards => {
            world.set("source.path", "\"cards\"");
            fs::create_dir(world.path("cards")).unwrap();
            for (name, email, title) in
                [("Ada", "ada@engines.example", "Clerk"), ("Bo", "bo@e.example", "Tailor")]
            {
                let card = format!(
                    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nN:;{name};;;\r\nFN:{name}\r\n\
                     EMAIL:{email}\r\nTITLE:{title}\r\nEND:VCARD\r\n"
                );
                fs::write(world.path(&format!("cards/{name}.vcf")), card).unwrap();
            }
        }
    }
    world.sync();
    retitle(&world, shape, "Clerk", "Cook");
    world.change("Ada", "title", "Pilot");
    world.once().expect(3);
    world
}

/// A person types another title.
#[track_caller]
fn retitle(world: &World, shape: PairShape, from: &str, to: &str) {
    match shape {
        PairShape::Table => world.edit(from, to),
        PairShape::Cards => {
            let path = world.path("cards/Ada.vcf");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(path, text.replace(from, to)).unwrap();
        }
    }
}

fn title_in_source(world: &World, shape: PairShape) -> String {
    match shape {
        PairShape::Table => {
            let text = world.text();
            text.lines().nth(1).unwrap().rsplit(',').next().unwrap().to_owned()
        }
        PairShape::Cards => {
            let text = fs::read_to_string(world.path("cards/Ada.vcf")).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("TITLE:"));
            line.unwrap_or_default().to_owned()
        }
    }
}

fn title_in_linq(world: &World) -> String {
    world.contact("Ada").title.unwrap_or_default()
}

fn resolve(world: &World, value: &str) {
    let who = ["resolve", "ada@engines.example", "--field", "title", "--value", value];
    world.run(&who).expect(0);
}

/// Runs until nothing changes, and then expects that what is told is true: two titles that
/// differ wait, and are no difference that is meant.
#[track_caller]
fn expect_truth(world: &World, shape: PairShape, told: &str) {
    let mut last = None;
    for _ in 0..4 {
        let run = world.once();
        last = Some(run);
    }
    let run = last.unwrap();
    let (source, linq) = (title_in_source(world, shape), title_in_linq(world));
    let verify = world.run(&["verify"]);
    if source == linq {
        run.expect(0);
        verify.expect(0);
        return;
    }
    let waits = run.count("conflicts") + run.count("rejected");
    let explained = world.run(&["explain", "ada@engines.example"]).stdout;
    assert!(waits > 0, "{told}: {source:?} and {linq:?} are no agreement\n{explained}");
    let verify = verify.expect(3);
    assert!(verify.stdout.contains("different values"), "{told}: {}", verify.stdout);
}

#[test]
fn a_value_that_linq_refuses_is_no_agreement_whatever_is_typed_then() {
    for shape in SHAPES {
        for fault in
            ["update status=422", "update status=500", "update status=403", "update drop-before"]
        {
            for typed in ["Cook", "Pilot", "Clerk", "CEO", "Duchess", ""] {
                let told = format!("{shape:?} {fault} {typed:?}");
                let world = conflict(shape);
                resolve(&world, "CEO");
                world.fault(fault);
                world.once();
                world.linq().clear_faults();
                let now = title_in_source(&world, shape);
                let (from, to) = match shape {
                    PairShape::Table => (format!(",{now}\n"), format!(",{typed}\n")),
                    PairShape::Cards => (format!("TITLE:{now}\r\n"), format!("TITLE:{typed}\r\n")),
                };
                retitle(&world, shape, &from, &to);
                expect_truth(&world, shape, &told);
            }
        }
    }
}

#[test]
fn a_run_that_is_killed_between_the_two_halves_leaves_no_agreement() {
    for shape in SHAPES {
        for moment in [ObservedMoment::Arrived, ObservedMoment::CarriedOut] {
            for typed in [None, Some("Cook"), Some("Pilot"), Some("Clerk"), Some("Duchess")] {
                let told = format!("{shape:?} {moment:?} {typed:?}");
                let world = conflict(shape);
                resolve(&world, "CEO");
                let update = |request: &LoggedRequest| request.kind == Some(RouteKind::Update);
                world.killed_at(moment, update).ended();
                world.linq().dismiss_witness();
                assert_eq!(title_in_source(&world, shape), "CEO", "{told}");
                if let Some(typed) = typed {
                    retitle(&world, shape, "CEO", typed);
                }
                expect_truth(&world, shape, &told);
            }
        }
    }
}

#[test]
fn what_linq_changes_meanwhile_is_no_agreement_either() {
    for shape in SHAPES {
        for (typed, changed) in
            [("Cook", "Pilot"), ("Cook", "Clerk"), ("CEO", "Clerk"), ("Cook", "Cook")]
        {
            let told = format!("{shape:?} {typed} {changed}");
            let world = conflict(shape);
            resolve(&world, "CEO");
            world.fault("update status=422");
            world.once();
            world.linq().clear_faults();
            retitle(&world, shape, &title_in_source(&world, shape), typed);
            world.change("Ada", "title", changed);
            expect_truth(&world, shape, &told);
        }
    }
}

#[test]
fn what_linq_rewrites_is_an_agreement() {
    let world = World::with_quirks(&["truncate=10"]);
    world.write("First Name,Email,Title\nAda,ada@e.ex,Clerk of Lovelace\n");
    world.once().expect(0);
    assert_eq!(title_in_linq(&world), "Clerk of L");
    let verify = world.run(&["verify"]).expect(0);
    assert!(verify.stdout.contains("Linq's own spelling"), "{}", verify.stdout);
    world.expect_silence();
}
