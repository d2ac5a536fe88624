//! Every member on the page about JSON is printed: a world in which everything that
//! documents tell of happens, and every command that tells of it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{DocumentedMember, PAGE, World, people, wait_until};
use crate::notify::Channel;
use crate::service_metrics::{get, telling};

/// The members that were printed so far.
#[derive(Default)]
struct Printed(BTreeSet<DocumentedMember>);

impl Printed {
    /// Takes in what a command prints.
    #[track_caller]
    fn by(&mut self, world: &World, arguments: &[&str]) {
        let ended = world.run(&[arguments, &["--json"]].concat());
        self.document(&ended.stdout);
    }

    #[track_caller]
    fn document(&mut self, text: &str) {
        let document = serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"));
        self.0.extend(PAGE.compare(&document).unwrap());
    }
}

/// Two sides of 14 people who agree on everything.
fn synced() -> World {
    let row = |n: usize| {
        let title = if n == 14 { "" } else { "Pilot" };
        format!("First{n:02},Last{n:02},p{n:02}@people.example,,Works,{title},Turin,{n}\n")
    };
    let rows: String = (1..=14).map(row).collect();
    let mut world = World::with_csv(&format!(
        "First Name,Last Name,Email,Phone,Company,Title,City,Key\n{rows}"
    ));
    world.set("source.key", "\"Key\"").set("linq.concurrency", "1");
    world.set("source.columns.location", "\"City\"");
    world.sync();
    world
}

#[test]
fn every_member_on_the_page_about_json_is_printed() {
    let mut printed = Printed::default();
    what_a_new_user_sees(&mut printed);
    what_runs_and_lists_say(&mut printed);
    what_is_told_of_pairs_that_are_left_alone(&mut printed);
    what_is_told_of_who_takes_no_part(&mut printed);
    what_is_told_of_the_past(&mut printed);
    what_the_service_tells(&mut printed);
    what_a_channel_is_told(&mut printed);
    let missing: Vec<DocumentedMember> = PAGE.members().difference(&printed.0).cloned().collect();
    assert!(missing.is_empty(), "on the page and not printed: {missing:#?}");
}

fn what_a_new_user_sees(printed: &mut Printed) {
    let world = World::with_csv(
        "First Name,Last Name,Email,Phone,Company,Title,City,Owner\nAda,King,a@e.example,,,,,\n",
    );
    let columns = ["--column", "location=City", "--column", "owner=Owner"];
    printed.by(&world, &[&["init", "contacts.csv", "-c", "new.toml"][..], &columns].concat());
    printed.by(&world, &["check", "--offline"]);
    printed.by(&world, &["status"]);
    let mut world = World::synced(&people::csv(1..=2));
    std::fs::rename(world.csv(), world.path("people.csv")).unwrap();
    world.set("source.path", "\"people.csv\"");
    printed.by(&world, &["adopt", "--yes"]);
    printed.by(&world, &["adopt"]);
}

fn what_runs_and_lists_say(printed: &mut Printed) {
    let world = synced();
    // Two conflicts, an ambiguous row, twins, a rejected row and a column that was blanked.
    world.edit("p01@people.example,,Works,Pilot", "p01@people.example,,Works,Chief");
    world.change("First01", "title", "CTO");
    world.edit("p02@people.example,,Works,Pilot", "p02@people.example,,Works,Chief");
    world.change("First02", "title", "CTO");
    world.write(world.text().replace(",Pilot,", ",,"));
    world.linq().insert([("first_name", "Max"), ("email", "max@e.example")]).unwrap();
    world.write(world.text() + "Zoe,Quiet,max@e.example,,,,,\n");
    world.write(world.text() + "Dee,Zhou,dee@e.example,,,,,\nDee,Zhou,dee@e.example,,,,,\n");
    world.write(world.text() + "Torn,row\n");
    world.write(world.text() + "Kai,Pole,kai@e.example,1.41556E+10,,,,\n");
    world.write(world.text() + "Ann,Bell,ann@e.example,n/a,,,,\n");
    printed.by(&world, &["plan"]);
    printed.by(&world, &["--once"]);
    let zoe = world.run(&["list", "ambiguous", "--json"]).expect(0).stdout;
    let zoe: serde_json::Value = serde_json::from_str(&zoe).unwrap();
    let candidate = zoe["items"][0]["kind"]["candidates"][0].to_string();
    for decision in [
        &["resolve", "p01@people.example", "--take", "source"][..],
        &["resolve", "p02@people.example", "--field", "title", "--value", "Head"],
        &["resolve", "max@e.example", "--link", &candidate],
        &["approve", "--all"],
        &["retry", "--all"],
    ] {
        world.run(decision).expect(0);
        printed.by(&world, decision);
    }
    for state in ["in-sync", "conflicts", "ambiguous", "held", "rejected", "duplicates"] {
        printed.by(&world, &["list", state]);
    }
    printed.by(&world, &["verify"]);
    printed.by(&world, &["status"]);
    printed.by(&world, &["report"]);
    world.write("First Name,Last Name,Email,Phone,Company,Title,City,Key\n");
    printed.by(&world, &["--once"]);
}

fn what_is_told_of_pairs_that_are_left_alone(printed: &mut Printed) {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.direction", "\"push\"");
    world.remove("First002");
    printed.by(&world, &["--once"]);
    printed.by(&world, &["status"]);
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.delete_grace", "\"1h\"");
    world.remove("First002");
    printed.by(&world, &["--once"]);
}

fn what_is_told_of_who_takes_no_part(printed: &mut Printed) {
    let mut world = World::with_csv(
        "Sync,First Name,Email\nyes,Ada,ada@e.example\nno,Bo,bo@e.example\nyes,Ada,ada@e.example\n",
    );
    world.set("source.only.column", "\"Sync\"").set("source.only.values", "\"yes\"");
    printed.by(&world, &["--once"]);
    world.run(&["resolve", "row:4", "--ignore"]).expect(0);
    printed.by(&world, &["list", "ignored"]);
    printed.by(&world, &["status"]);
}

fn what_is_told_of_the_past(printed: &mut Printed) {
    let mut world = synced();
    world.set("linq.max_attempts", "1");
    world.edit("Works", "Docks");
    world.remove("First05");
    world.once().expect(0);
    world.edit("Docks", "Harbour");
    printed.by(&world, &["history", "--run", "2"]);
    printed.by(&world, &["history"]);
    printed.by(&world, &["undo", "2", "--dry-run"]);
    printed.by(&world, &["explain", "p01@people.example"]);
    printed.by(&world, &["explain", "p05@people.example"]);
    printed.by(&world, &["explain", "nobody@people.example"]);
    printed.by(&world, &["export"]);
    world.run(&["undo", "2"]).expect(3);
    printed.by(&world, &["history", "--run", "3"]);
    printed.by(&world, &["purge", "p05@people.example", "--yes"]);
    world.fault("any status=503");
    world.once().expect(6);
    printed.by(&world, &["status"]);
}

fn what_a_channel_is_told(printed: &mut Printed) {
    let (channel, mut world) = (Channel::new(&[]), World::synced(&people::csv(1..=2)));
    channel.set(&mut world, "json");
    printed.by(&world, &["notify", "--test"]);
    std::fs::write(world.path("typed"), "only for looking\n").unwrap();
    let mut command = world.command(&["web-password", "--json"]);
    let typed = std::fs::File::open(world.path("typed")).unwrap();
    let ended = command.stdin(typed).output().unwrap();
    printed.document(&String::from_utf8(ended.stdout).unwrap());
    for request in channel.requests() {
        printed.document(&String::from_utf8(request.body).unwrap());
    }
}

fn what_the_service_tells(printed: &mut Printed) {
    let mut world = World::with_csv(&people::csv(1..=2));
    let (hook, output) = (world.path("hook"), world.path("changes"));
    std::fs::write(&hook, format!("#!/bin/sh\ncat > {}\n", output.display())).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o700)).unwrap();
    world.set("hooks.on_change", &format!("[\"{}\"]", hook.display()));
    let (daemon, address) = telling(&mut world);
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    daemon.hang_up();
    wait_until("the configuration was read again", || {
        let told: serde_json::Value =
            serde_json::from_str(&get(&address, "/status.json").2).unwrap();
        told["last_reload"].is_object()
    });
    printed.document(&get(&address, "/status.json").2);
    printed.by(&world, &["status"]);
    wait_until("the hook has run", || output.exists());
    daemon.terminate();
    daemon.ended().expect(0);
    printed.document(&std::fs::read_to_string(&output).unwrap());
}
