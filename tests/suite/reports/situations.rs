//! The situations, world by world.

use linqsync::mirror::StoredRun;

use super::{Reports, always_the_same};
use crate::harness::{World, people, wait_until};

/// Goes through all of them; the names of the files, in order.
pub(super) fn all() -> Vec<String> {
    let worlds: [fn() -> Vec<String>; 8] =
        [new, eventful, decided, held, past, kept, broken, service];
    std::thread::scope(|scope| {
        let told: Vec<_> = worlds.iter().map(|world| scope.spawn(world)).collect();
        told.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Two people in the file, two in Linq, and nothing set up.
fn new() -> Vec<String> {
    let world = World::with_csv(
        "First Name;Last Name;E-Mail;Mobile;Birthday\n\
         Ada;King;ada@engines.example;+1 415 555 2671;10.12.1815\n\
         Bo;Wang;bo@lanterns.example;;\n",
    );
    let settings = std::fs::read(world.path("sync.toml")).unwrap();
    std::fs::remove_file(world.path("sync.toml")).unwrap();
    world.linq().insert([("first_name", "Ada"), ("email", "ADA@engines.example")]).unwrap();
    let url = world.url();
    let mut reports = Reports::of(&world);
    reports.says("init-missing", &["init", "people.csv", "--base-url", &url], 2);
    std::fs::write(world.path("names.csv"), "Shoe,Hat\n41,7\n").unwrap();
    reports.says("init-no-contacts", &["init", "names.csv", "--base-url", &url], 2);
    reports.says("no-configuration", &["plan"], 2);
    reports.says("init", &["init", "contacts.csv", "--base-url", &url], 0);
    reports.says("init-again", &["init", "contacts.csv", "--base-url", &url], 2);
    std::fs::write(world.path("sync.toml"), settings).unwrap();
    reports.says("check", &["check"], 0);
    reports.says("check-offline", &["check", "--offline"], 0);
    reports.says("status-before-the-first-run", &["status"], 0);
    reports.says("history-before-the-first-run", &["history"], 0);
    reports.says("approve-before-the-first-run", &["approve", "--all"], 2);
    reports.says("plan-of-the-first-run", &["plan"], 0);
    reports.says("first-run", &["--once"], 0);
    reports.says("plan-nothing-to-do", &["plan"], 0);
    reports.says("status-in-sync", &["status"], 0);
    reports.says("verify-equal", &["verify"], 0);
    reports.says("list-in-sync", &["list", "in-sync"], 0);
    reports.says("list-nothing", &["list", "conflicts"], 0);
    reports.says("export", &["export"], 0);
    reports.told
}

/// A world in which most things that can wait do wait.
fn waiting() -> World {
    let mut world = World::with_csv(
        "First Name,Last Name,Email,Phone,Company,Title\n\
         Ada,King,ada@engines.example,+14155552671,Engines,Countess\n\
         Bo,Wang,bo@lanterns.example,,Lanterns,Engineer\n\
         Cy,Young,cy@lanterns.example,,Lanterns,\n",
    );
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Engineer", "Chief Engineer");
    world.change("Bo", "title", "CTO");
    world.edit("Engines,Countess", "Looms,Countess");
    world.write(
        world.text()
            + "Zoe,Quiet,ada@engines.example,,,\n\
               Dee,Zhou,dee@e.example,,,\nDee,Zhou,dee@e.example,,,\n\
               Kai,Pole,kai@e.example,1.41556E+10,,\nTorn,row,,,,,7\n",
    );
    world
}

fn eventful() -> Vec<String> {
    let world = waiting();
    let mut reports = Reports::of(&world);
    reports.says("plan-with-something-of-everything", &["plan"], 0);
    reports.says("explain-somebody-with-a-conflict", &["explain", "bo@lanterns.example"], 0);
    reports.says("run-with-something-of-everything", &["--once"], 3);
    reports.says("status-with-something-of-everything", &["status"], 0);
    for state in ["conflicts", "ambiguous", "rejected", "duplicates"] {
        reports.says(&format!("list-{state}"), &["list", state], 0);
    }
    reports.says("verify-different", &["verify"], 3);
    reports.says("explain-somebody-ambiguous", &["explain", "row:5"], 0);
    reports.says("explain-nobody", &["explain", "nobody@e.example"], 2);
    reports.told
}

fn decided() -> Vec<String> {
    let world = waiting();
    world.once().expect(3);
    let mut reports = Reports::of(&world);
    let bo = "bo@lanterns.example";
    reports.says("resolve-nobody", &["resolve", "nobody@e.example", "--take", "linq"], 2);
    reports.says("resolve-without-a-decision", &["resolve", bo], 2);
    reports.says("resolve-a-conflict", &["resolve", bo, "--take", "source"], 0);
    reports.says("resolve-who-somebody-is", &["resolve", "row:5", "--separate"], 0);
    reports.says("resolve-no-candidate", &["resolve", "row:5", "--link", "7"], 2);
    reports.says("list-decided", &["list", "conflicts"], 0);
    reports.told
}

fn held() -> Vec<String> {
    let mut world = World::with_csv(&people::csv(1..=14));
    world.set("linq.concurrency", "1");
    world.sync();
    world.write(people::csv(12..=14));
    let mut reports = Reports::of(&world);
    reports.says("run-that-is-stopped", &["--once"], 4);
    world.write(people::csv(1..=14));
    world.once().expect(0);
    let blank = (1..=14).fold(world.text(), |text, n| text.replace(&format!("Title {n:03}"), ""));
    world.write(blank);
    reports.says("run-with-held-clearings", &["--once"], 4);
    reports.says("list-held", &["list", "held"], 0);
    reports.says("approve-one", &["approve", "p001@people.example"], 0);
    reports.told
}

fn past() -> Vec<String> {
    let mut world = World::with_csv(&people::csv(1..=4));
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Lady");
    world.edit(&people::row(3), "");
    world.once().expect(0);
    world.edit("Chief", "Captain");
    world.once().expect(0);
    let mut reports = Reports::of(&world);
    reports.says("history", &["history"], 0);
    reports.says("history-of-a-run", &["history", "--run", "2"], 0);
    reports.says("history-of-somebody", &["history", "--contact", "p001@people.example"], 0);
    reports.says("history-of-nobody", &["history", "--contact", "nobody@e.example"], 2);
    reports.says("explain-somebody-who-is-gone", &["explain", "p003@people.example"], 0);
    reports.says("undo-shown", &["undo", "2", "--dry-run"], 0);
    reports.says("undo", &["undo", "2"], 3);
    reports.says("undo-no-such-run", &["undo", "99"], 2);
    reports.says("purge-unconfirmed", &["purge", "p003@people.example"], 2);
    reports.says("purge", &["purge", "p003@people.example", "--yes"], 0);
    reports.says("purge-nobody", &["purge", "nobody@e.example", "--yes"], 2);
    reports.told
}

fn kept() -> Vec<String> {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Title 001", "Chief");
    world.edit("Title 002", "Pilot");
    let mut reports = Reports::of(&world);
    reports.says("plan-kept", &["plan", "--out", "plan.json"], 0);
    world.edit("Pilot", "Captain");
    reports.says("apply-with-something-skipped", &["apply", "plan.json"], 3);
    reports.says("apply-again", &["apply", "plan.json"], 2);
    std::fs::write(world.path("plan.json"), "{}").unwrap();
    reports.says("apply-no-plan", &["apply", "plan.json"], 2);
    reports.told
}

fn broken() -> Vec<String> {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("linq.max_attempts", "1");
    let mut reports = Vec::new();
    world.fault("any status=503");
    reports.extend(Reports::of(&world).says("run-with-linq-down", &["--once"], 6).told.clone());
    reports.extend(Reports::of(&world).says("status-with-linq-down", &["status"], 0).told.clone());
    world.linq().clear_faults();
    std::fs::write(world.path("linq.token"), "another\n").unwrap();
    reports
        .extend(Reports::of(&world).says("run-with-a-refused-token", &["--once"], 5).told.clone());
    reports
        .extend(Reports::of(&world).says("check-with-a-refused-token", &["check"], 5).told.clone());
    world.set("sync.direcshun", "\"push\"").set("sync.schedule", "\"often\"");
    reports.extend(Reports::of(&world).says("wrong-configuration", &["plan"], 2).told.clone());
    world.unset("sync.direcshun").unset("sync.schedule");
    std::fs::remove_file(world.csv()).unwrap();
    reports.extend(Reports::of(&world).says("run-without-its-source", &["--once"], 2).told.clone());
    world.set("source.path", "\"others.csv\"");
    std::fs::write(world.path("others.csv"), people::csv(1..=1)).unwrap();
    reports
        .extend(Reports::of(&world).says("run-with-another-source", &["--once"], 2).told.clone());
    world.set("source.path", "\"contacts.csv\"");
    world.write(people::csv(1..=2));
    std::fs::remove_file(world.path("linq.token")).unwrap();
    reports.extend(Reports::of(&world).says("run-without-a-token", &["--once"], 2).told.clone());
    reports
}

fn service() -> Vec<String> {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let daemon = world.start(&[]);
    let is_over = |run: &StoredRun| run.id.0 == 2 && run.ending.is_some();
    wait_until("the first run is over", || {
        world.state().last_runs(1).unwrap().first().is_some_and(is_over)
    });
    world.edit("Title 001", "Chief");
    world.once().expect(0);
    let mut reports = Reports::of(&world);
    reports.says("status-beside-the-service", &["status"], 0);
    reports.says("undo-beside-the-service", &["undo", "2"], 7);
    daemon.terminate();
    let log = always_the_same(&world, &daemon.ended().expect(0).stderr);
    let log = format!("$ linqsync\n--- stderr\n{log}");
    reports.compare("log-of-the-service", &log);
    reports.told
}
