//! Settings and columns that change: nothing is deleted, cleared or overwritten because of
//! it, in that run or any later one.

use std::fs;

use crate::harness::{PrintedRun, World, people};

/// Four people with titles, and room for other columns.
const FOUR: &str = "First Name,Last Name,Email,Title,Job Role\n\
                    Ada,Bell,ada@x.example,Chief,\n\
                    Bo,Cole,bo@x.example,Cook,\n\
                    Cy,Dorn,cy@x.example,Clerk,\n\
                    Di,East,di@x.example,Coach,\n";

fn titles(world: &World) -> Vec<String> {
    let mut contacts = world.linq().contacts();
    contacts.sort_by(|a, b| a.first_name.cmp(&b.first_name));
    contacts.into_iter().map(|contact| contact.title.unwrap_or_default()).collect()
}

const TITLES: [&str; 4] = ["Chief", "Cook", "Clerk", "Coach"];

/// Three runs, each of which ends with `code` and takes nothing away on either side.
#[track_caller]
fn three_harmless_runs(world: &World, code: i32) -> PrintedRun {
    let before = world.linq().contacts();
    let first = world.once().expect(code);
    for run in [world.once().expect(code), world.once().expect(code)] {
        assert_eq!((&run.linq()[1..], &run.source()[1..]), (&[0, 0, 0][..], &[0, 0, 0][..]));
    }
    assert_eq!(first.linq()[3], 0, "{:#}", first.json);
    assert_eq!(first.source()[3], 0, "{:#}", first.json);
    assert_eq!(first.linq()[1], 0, "{:#}", first.json);
    let kept = world.linq().contacts();
    assert_eq!(kept.len(), before.len());
    for (was, is) in before.into_iter().zip(kept) {
        let [was, is] = [was, is].map(|contact| serde_json::to_value(contact).unwrap());
        for (member, value) in was.as_object().unwrap() {
            let blank = value.as_str().is_none_or(|text| text.trim().is_empty());
            assert!(
                blank || *value == is[member] || member == "updated_at",
                "{member}: {was} {is}"
            );
        }
    }
    first
}

/// What `verify` and `status` say is what the last run said.
#[track_caller]
fn agree(world: &World, in_sync: bool) {
    world.run(&["verify"]).expect(if in_sync { 0 } else { 3 });
    let status = world.run(&["status", "--json"]).expect(0);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["in_sync"], in_sync, "{status:#}");
}

#[test]
fn an_empty_column_that_is_configured_for_a_field_is_filled() {
    let mut world = World::synced(FOUR);
    world.set("source.columns.title", "\"Job Role\"");
    let run = three_harmless_runs(&world, 0);
    assert!(run.notices().contains("other columns than before for title"), "{:#}", run.json);
    assert_eq!((run.source()[2], titles(&world)), (4, TITLES.map(String::from).to_vec()));
    assert!(world.text().contains("Ada,Bell,ada@x.example,Chief,Chief\n"), "{}", world.text());
    agree(&world, true);
    // An edit there is an edit again.
    world.edit("Chief,Chief", "Chief,Boss");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Boss"));
}

#[test]
fn an_empty_column_that_is_recognised_before_another_is_filled() {
    // `Job Title` is a better name for it than `Position`.
    let world =
        World::synced("First Name,Email,Position\nAda,a@x.example,Chief\nBo,b@x.example,Cook\n");
    world.write(
        "First Name,Email,Job Title,Position\nAda,a@x.example,,Chief\nBo,b@x.example,,Cook\n",
    );
    three_harmless_runs(&world, 0);
    assert_eq!(titles(&world), ["Chief", "Cook"]);
    agree(&world, true);
}

#[test]
fn a_column_of_something_else_overwrites_nothing_whatever_the_policy_is() {
    for policy in ["hold", "source", "linq"] {
        let mut world = World::synced(FOUR);
        world.set("sync.on_conflict", &format!("\"{policy}\""));
        let text = (1..).zip(FOUR.lines().skip(1)).map(|(n, row)| format!("{row}{n}\n"));
        world.write(
            "First Name,Last Name,Email,Title,Job Role\n".to_owned() + &text.collect::<String>(),
        );
        world.set("source.columns.title", "\"Job Role\"");
        let before = world.text();
        let run = three_harmless_runs(&world, 3);
        assert_eq!((run.count("conflicts"), world.text()), (4, before));
        assert_eq!(titles(&world), TITLES);
        agree(&world, false);
        let listed = world.run(&["list", "conflicts"]).stdout;
        assert!(listed.contains("since the settings or the columns"), "{listed}");
        // People decide, one way or the other.
        world.run(&["resolve", "ada@x.example", "--take", "linq"]).expect(0);
        world.run(&["resolve", "bo@x.example", "--take", "source"]).expect(0);
        assert_eq!(world.once().expect(3).count("conflicts"), 2);
        assert_eq!(titles(&world), ["Chief", "2", "Clerk", "Coach"]);
        assert!(world.text().contains("ada@x.example,Chief,Chief\n"), "{}", world.text());
    }
}

#[test]
fn a_setting_that_is_taken_back_leaves_everything_as_it_was() {
    let mut world = World::synced(&FOUR.replace(",\n", ",x\n"));
    let before = (world.text(), world.linq().contacts());
    world.set("source.columns.title", "\"Job Role\"");
    world.once().expect(3);
    world.unset("source.columns.title");
    world.once().expect(0);
    assert_eq!((world.text(), world.linq().contacts()), before);
    world.expect_silence();
}

#[test]
fn a_column_that_is_removed_and_put_back_blank_is_filled() {
    let world = World::synced(&people::csv(1..=6));
    let phone = |n: usize| people::person(n)[3].clone();
    let without = (1..=6).fold(world.text().replace("Phone,", ""), |text, n| {
        text.replace(&format!("{},", phone(n)), "")
    });
    let blank = (1..=6).fold(world.text(), |text, n| text.replace(&phone(n), ""));
    let whole = world.text();
    world.write(&without);
    three_harmless_runs(&world, 0);
    world.write(&blank);
    let run = three_harmless_runs(&world, 0);
    assert_eq!(run.source()[2], 6);
    assert_eq!(world.contact("First004").phone_number.as_deref(), Some(phone(4).as_str()));
    assert_eq!(world.text(), whole);
    agree(&world, true);
}

#[test]
fn a_column_that_is_put_back_with_other_values_is_in_conflict() {
    let world = World::synced(&people::csv(1..=3));
    let whole = world.text();
    let without: String =
        whole.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    world.write(&without);
    world.once().expect(0);
    world.write(whole.replace("Title 00", "Other 00"));
    assert_eq!(three_harmless_runs(&world, 3).count("conflicts"), 3);
    agree(&world, false);
}

#[test]
fn a_header_that_is_renamed_or_moved_is_silent() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("Phone", "Mobile");
    world.once().expect(0);
    world.expect_silence();
    let text = world.text();
    let moved = text.lines().map(|line| {
        let (rest, title) = line.rsplit_once(',').unwrap();
        format!("{title},{rest}")
    });
    let moved = moved.collect::<Vec<_>>().join("\n") + "\n";
    world.write(&moved);
    world.edit("Title 002", "Chief");
    world.once().expect(0);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Chief"), "an edit stays one");
    world.expect_silence();
}

#[test]
fn a_row_that_is_removed_beside_a_new_column_is_deleted_by_the_next_run() {
    let world = World::synced(&people::csv(1..=5));
    let with = |(n, line): (usize, &str)| match n {
        0 => format!("{line},City\n"),
        n => format!("{line},Town {n}\n"),
    };
    let all: String = world.text().lines().enumerate().map(with).collect();
    let two = all.lines().nth(2).unwrap().to_owned() + "\n";
    world.write(all.replace(&two, ""));
    let run = world.once();
    assert!(run.notices().contains("nothing is deleted"), "{:#}", run.json);
    assert_eq!((run.linq()[3], world.linq().contacts().len()), (0, 5));
    assert_eq!(world.once().expect(0).linq()[3], 1);
    assert_eq!(world.contact("First001").location.as_deref(), Some("Town 1"));
    world.expect_silence();
}

#[test]
fn nobody_comes_back_because_of_a_new_column() {
    let mut world = World::synced(&FOUR.replace(",\n", ",x\n"));
    world.set("source.columns.title", "\"Job Role\"");
    world.once().expect(3);
    world.remove("Ada");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.source()[3]), (0, 1), "{:#}", run.json);
    assert!(!world.text().contains("Ada"));
}

/// Six people with two numbers, one of which is the key.
fn numbered() -> World {
    let mut world = World::new();
    let row = |n: usize| format!("{n},{},{}", 7 - n, people::row(n));
    let rows = (1..=6).map(row).collect::<Vec<_>>().concat();
    world.write(format!("No,Line,{}{rows}", people::HEADER));
    world.set("source.key", "\"No\"");
    world.sync();
    world
}

#[test]
fn another_key_column_makes_nobody_another_person() {
    let mut world = numbered();
    let before = (world.text(), world.linq().contacts());
    for key in ["\"Line\"", "\"No\""] {
        world.set("source.key", key);
        let run = three_harmless_runs(&world, 0);
        assert!(run.notices().contains("source.key was changed"), "{:#}", run.json);
        assert_eq!((world.text(), world.linq().contacts()), before);
    }
    world.unset("source.key");
    three_harmless_runs(&world, 0);
    assert_eq!((world.text(), world.linq().contacts()), before);
    world.edit("Title 003", "Chief");
    world.once().expect(0);
    assert_eq!(world.contact("First003").title.as_deref(), Some("Chief"));
}

#[test]
fn a_row_that_goes_while_the_key_column_changes_is_released_and_told() {
    let mut world = numbered();
    let whole = world.text();
    let row = whole.lines().nth(3).unwrap().to_owned() + "\n";
    world.edit(&row, "");
    world.set("source.key", "\"Line\"");
    let run = three_harmless_runs(&world, 0);
    assert!(run.notices().contains("1 linked contact is not read any more"), "{:#}", run.json);
    assert_eq!(world.linq().contacts().len(), 6);
    let told = world.run(&["history", "--contact", "p003@people.example"]).expect(0).stdout;
    assert!(told.contains("source.key was changed"), "{told}");
    world.write(whole);
    world.once().expect(0);
    world.expect_silence();
}

/// Runs after keys were changed in `text`: everybody keeps their contact.
#[track_caller]
fn keys_slip(text: impl FnOnce(Vec<String>) -> Vec<String>) -> World {
    let world = numbered();
    let whole = world.text();
    let (header, rows) = whole.split_once('\n').unwrap();
    let rows = text(rows.lines().map(str::to_owned).collect());
    world.write(format!("{header}\n{}\n", rows.join("\n")));
    let before = world.linq().contacts();
    let written = world.text();
    let run = world.once().expect(0);
    assert!(run.notices().contains("have another key than before"), "{:#}", run.json);
    assert_eq!((run.linq()[2], run.linq()[3], run.source()[2..].to_vec()), (0, 0, vec![0, 0]));
    let after = world.linq().contacts();
    for contact in &before {
        assert!(after.contains(contact), "{contact:?} is not as it was");
    }
    assert_eq!(world.text(), written);
    world.expect_silence();
    world
}

fn with_key(row: &str, key: &str) -> String {
    format!("{key},{}", row.split_once(',').unwrap().1)
}

#[test]
fn keys_that_are_filled_down_again_under_a_new_row_change_nobody() {
    let world = keys_slip(|mut rows| {
        rows.insert(0, format!("1,0,{}", people::row(9).trim()));
        let keyed = (1..).zip(rows).map(|(n, row)| with_key(&row, &n.to_string()));
        keyed.collect()
    });
    assert_eq!(world.linq().contacts().len(), 7);
}

#[test]
fn keys_that_are_sorted_alone_or_shifted_change_nobody() {
    keys_slip(|rows| {
        (1..=6)
            .rev()
            .zip(rows)
            .map(|(n, row): (i32, String)| with_key(&row, &n.to_string()))
            .collect()
    });
    keys_slip(|rows| {
        (2..).zip(rows).map(|(n, row): (i32, String)| with_key(&row, &n.to_string())).collect()
    });
}

#[test]
fn keys_that_are_blanked_or_written_otherwise_change_nobody() {
    keys_slip(|rows| rows.iter().map(|row| with_key(row, "")).collect());
    for like in ["000{n}", "{n}.0", "E{n}"] {
        keys_slip(|rows| {
            let key = |n: usize| like.replace("{n}", &n.to_string());
            (1..).zip(rows).map(|(n, row)| with_key(&row, &key(n))).collect()
        });
    }
}

#[test]
fn keys_that_two_people_exchanged_change_nobody() {
    keys_slip(|mut rows| {
        rows[1] = with_key(&rows[1], "5");
        rows[4] = with_key(&rows[4], "2");
        rows
    });
}

#[test]
fn an_edit_beside_keys_that_were_written_otherwise_is_an_edit() {
    let world = numbered();
    let whole = world.text();
    let (header, rows) = whole.split_once('\n').unwrap();
    let rows: Vec<String> = (1..)
        .zip(rows.lines())
        .map(|(n, row): (i32, &str)| with_key(row, &format!("0{n}")))
        .collect();
    world.write(format!("{header}\n{}\n", rows.join("\n").replace("Title 004", "Chief")));
    assert_eq!(world.once().expect(0).linq(), [6, 0, 1, 0]);
    assert_eq!(world.contact("First004").title.as_deref(), Some("Chief"));
    world.expect_silence();
}

#[test]
fn a_key_whose_row_says_something_new_is_believed() {
    let world = numbered();
    world.edit(&people::row(2), "Zoe,Young,zoe@new.example,+14155559999,New,Chief\n");
    assert_eq!(world.once().expect(0).linq(), [6, 0, 1, 0]);
    world.expect_silence();
}

#[test]
fn a_family_whose_keys_slipped_stays_who_they_are() {
    let mut world = World::new();
    world.write(
        "No,First Name,Last Name,Title\n1,Ann,Bell,Chief\n2,Bob,Bell,Cook\n3,Cay,Bell,Clerk\n",
    );
    world.set("source.key", "\"No\"");
    world.sync();
    let before = world.linq().contacts();
    world.write(
        "No,First Name,Last Name,Title\n1,Zed,Bell,\n2,Ann,Bell,Chief\n3,Bob,Bell,Cook\n4,Cay,Bell,Clerk\n",
    );
    let run = world.once();
    assert_eq!((run.linq()[2], run.linq()[3]), (0, 0), "{:#}", run.json);
    let after = world.linq().contacts();
    assert!(before.iter().all(|contact| after.contains(contact)), "{after:?}");
}

#[test]
fn another_encoding_overwrites_and_deletes_nothing() {
    let mut world = World::synced(
        "First Name,Last Name,Email,Title\nJosé,Łukasik,j@x.example,Café\nAda,Bell,a@x.example,Chief\n",
    );
    world.set("source.encoding", "\"windows-1252\"");
    let before = (world.text(), world.linq().contacts());
    let run = world.once().expect(3);
    assert!(run.notices().contains("source.encoding was changed"), "{:#}", run.json);
    for _ in 0..2 {
        world.once().expect(3);
    }
    assert_eq!((world.text(), world.linq().contacts()), before);
    world.unset("source.encoding");
    world.once().expect(0);
    assert_eq!((world.text(), world.linq().contacts()), before);
    world.expect_silence();
}

#[test]
fn an_encoding_or_delimiter_that_is_merely_named_is_no_change() {
    let mut world = World::synced(&people::csv(1..=3));
    world.set("source.encoding", "\"utf-8\"").set("source.delimiter", "\",\"");
    world.edit("Title 001", "Chief");
    let run = world.once().expect(0);
    assert!(!run.notices().contains("was changed"), "{:#}", run.json);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
}

#[test]
fn a_file_that_a_spreadsheet_saves_otherwise_keeps_its_edits() {
    let world = World::synced(&people::csv(1..=3));
    world.write(world.text().replace(',', ";").replace("Title 002", "Chief"));
    world.once().expect(0);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Chief"));
    world.expect_silence();
}

#[test]
fn another_delimiter_overwrites_and_deletes_nothing() {
    // Under the other delimiter each row is other people.
    let text = "Email;First Name,Last Name;Title\nada@x.example;Ada,Bell;Chief\nbo@x.example;Bo,Cole;Cook\n";
    let mut world = World::with_csv(text);
    world.set("source.delimiter", "\";\"");
    world.sync();
    let before = world.linq().contacts();
    world.set("source.delimiter", "\",\"");
    for _ in 0..3 {
        let run = world.once();
        assert_eq!((run.linq()[2], run.linq()[3], run.source()[3]), (0, 0, 0), "{:#}", run.json);
    }
    assert!(before.iter().all(|contact| world.linq().contacts().contains(contact)));
    world.set("source.delimiter", "\";\"");
    for _ in 0..2 {
        let run = world.once();
        assert_eq!((run.linq()[2], run.linq()[3], run.source()[3]), (0, 0, 0), "{:#}", run.json);
    }
    assert!(before.iter().all(|contact| world.linq().contacts().contains(contact)));
}

#[test]
fn the_formula_guard_can_be_switched_without_a_write() {
    let mut world =
        World::synced("First Name,Email,Title\nAda,a@x.example,'=Chief\nBo,b@x.example,Cook\n");
    assert_eq!(world.contact("Ada").title.as_deref(), Some("=Chief"));
    let before = (world.text(), world.linq().contacts());
    world.set("source.formula_guard", "false");
    assert_eq!(three_harmless_runs(&world, 3).count("conflicts"), 1);
    assert_eq!((world.text(), world.linq().contacts()), before.clone());
    world.unset("source.formula_guard");
    three_harmless_runs(&world, 0);
    assert_eq!((world.text(), world.linq().contacts()), before);
}

#[test]
fn a_scope_that_is_narrowed_and_widened_again_costs_nothing() {
    let mut world = World::with_csv(&people::csv(1..=3));
    world.set("linq.owner", "\"sam@linq.example\"");
    world.sync();
    world.change("First002", "user_email", "ada@linq.example");
    world.once().expect(0);
    let before = (world.text(), world.linq().contacts());
    world.set("linq.scope", "\"owner\"");
    three_harmless_runs(&world, 0);
    world.unset("linq.scope");
    three_harmless_runs(&world, 0);
    assert_eq!((world.text(), world.linq().contacts()), before);
    agree(&world, true);
}

#[test]
fn a_wider_direction_overwrites_nothing_that_piled_up() {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.direction", "\"push\"");
    world.change("First001", "title", "Captain");
    world.change("First003", "title", "");
    world.once();
    world.remove("First002");
    world.once();
    let before = world.text();
    world.unset("sync.direction");
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.source()[3], world.text()), (1, 0, before));
    assert!(run.notices().contains("sync.direction"), "{:#}", run.json);
    assert!(run.notices().contains("1 linked contact is not read"), "{:#}", run.json);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Captain"));
    assert_eq!(world.contact("First003").title.as_deref(), Some("Title 003"));
    assert_eq!(world.linq().contacts().len(), 3);
    // From now on what is edited in Linq arrives.
    world.change("First004", "title", "Captain");
    assert_eq!(world.once().expect(3).source()[2], 1);
}

#[test]
fn a_wider_direction_of_a_field_overwrites_nothing_that_piled_up() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.fields.title", "\"pull\"");
    world.edit("Title 001", "Chief");
    world.once().expect(0);
    world.unset("sync.fields.title");
    assert_eq!(three_harmless_runs(&world, 3).count("conflicts"), 1);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Title 001"));
}

#[test]
fn an_id_column_that_comes_goes_or_gets_another_name_changes_nobody() {
    let mut world = World::new();
    let with = |line: &str, cell: &str| format!("{line},{cell}\n");
    let text = people::csv(1..=4);
    world.write(&text);
    world.sync();
    let before = world.linq().contacts();
    let wide: String = text
        .lines()
        .map(|l| with(l, if l.starts_with("First N") { "linq_id" } else { "" }))
        .collect();
    world.write(&wide);
    world.set("source.id_column", "\"linq_id\"");
    three_harmless_runs(&world, 0);
    assert!(world.text().lines().skip(1).all(|line| !line.ends_with(',')), "{}", world.text());
    world.edit("linq_id", "Id in Linq");
    world.set("source.id_column", "\"Id in Linq\"");
    three_harmless_runs(&world, 0);
    world.write(&text);
    world.unset("source.id_column");
    three_harmless_runs(&world, 0);
    assert_eq!((world.linq().contacts(), world.text()), (before, text));
}

#[test]
fn cards_that_are_not_read_any_more_are_released_for_good() {
    let card = |name: &str| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}-1\r\nN:Bell;{name};;;\r\nFN:{name} Bell\r\n\
             EMAIL:{name}@x.example\r\nEND:VCARD\r\n"
        )
    };
    let mut world = World::new();
    fs::create_dir_all(world.path("cards/team")).unwrap();
    fs::write(world.path("cards/ada.vcf"), card("Ada")).unwrap();
    for name in ["Bo", "Cy", "Di"] {
        fs::write(world.path(&format!("cards/team/{name}.vcf")), card(name)).unwrap();
    }
    world.set("source.path", "\"cards\"").set("source.kind", "\"vcard\"");
    world.set("source.recursive", "true");
    world.sync();
    world.set("source.recursive", "false");
    let run = three_harmless_runs(&world, 0);
    assert!(run.notices().contains("3 linked contacts are not read any more"), "{:#}", run.json);
    assert_eq!(world.linq().contacts().len(), 4);
    world.change("Bo", "email", "bo@new.example");
    world.once().expect(0);
    world.set("source.recursive", "true");
    world.once().expect(0);
    let bo = fs::read_to_string(world.path("cards/team/Bo.vcf")).unwrap();
    assert!(bo.contains("bo@new.example"), "{bo}");
    assert_eq!(world.once().expect(0).count("in_sync"), 4);
}

#[test]
fn a_run_that_fails_after_a_change_of_columns_changes_nothing_about_it() {
    let mut world = World::synced(FOUR);
    let text = (1..).zip(FOUR.lines().skip(1)).map(|(n, row)| format!("{row}{n}\n"));
    let header = "First Name,Last Name,Email,Title,Job Role\n";
    world.write(header.to_owned() + &text.collect::<String>() + "Ed,Fox,ed@x.example,,\n");
    world.set("source.columns.title", "\"Job Role\"");
    world.fault("create status=500 times=20");
    world.once();
    world.linq().clear_faults();
    assert_eq!(three_harmless_runs_but_creates(&world).count("conflicts"), 4);
    assert_eq!(&titles(&world)[..4], TITLES);
}

#[track_caller]
fn three_harmless_runs_but_creates(world: &World) -> PrintedRun {
    world.once().expect(3);
    three_harmless_runs(world, 3)
}

#[test]
fn a_column_of_something_else_does_not_become_the_id_column() {
    for column in ["\"No\"", "\"Company\""] {
        let mut world = numbered();
        world.unset("source.key");
        world.once().expect(0);
        world.set("source.id_column", column);
        if column != "\"No\"" {
            world.set("source.columns.company", "\"Line\"");
        }
        let before = (world.text(), world.linq().contacts());
        for _ in 0..2 {
            let run = world.once().expect(2);
            let message = run.json["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains("source.id_column"), "{message}");
        }
        assert_eq!((world.text(), world.linq().contacts()), before);
        world.unset("source.id_column").unset("source.columns.company");
        world.once().expect(0);
        assert_eq!((world.text(), world.linq().contacts()), before);
    }
}

#[test]
fn a_create_that_was_not_answered_before_the_columns_changed_overwrites_nothing() {
    let mut world = World::synced(FOUR);
    world.write(world.text() + "Ed,Fox,ed@x.example,Guard,9\n");
    world.fault("create drop-after times=9");
    world.once();
    world.linq().clear_faults();
    world.set("source.columns.title", "\"Job Role\"");
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(world.once().ended.code);
    }
    let ed = world.contact("Ed");
    assert_eq!(ed.title.as_deref(), Some("Guard"), "{codes:?}");
    assert!(world.text().contains("ed@x.example,Guard,9\n"), "{}", world.text());
    assert_eq!(codes.last(), Some(&Some(3)));
}

#[test]
fn an_edit_beside_a_change_of_columns_is_not_deleted_by_a_later_run() {
    let world = World::synced(
        "First Name,Email,Title,Notes\nAda,ada@x.example,CEO,\nBo,bo@x.example,CTO,\n\
         Cy,cy@x.example,CFO,\n",
    );
    world.write(
        world
            .text()
            .replace("bo@x.example,CTO,", "bo@x.example,CTO,typed")
            .replace("Title", "Job Title"),
    );
    world.remove("Bo");
    for _ in 0..3 {
        world.once();
        assert!(world.text().contains("typed"), "{}", world.text());
    }
}

#[test]
fn another_file_with_another_header_stops_the_run() {
    let world = World::synced(&people::csv(1..=12));
    world.write(people::csv(101..=112).replace("Email", "E-mail Address"));
    for _ in 0..2 {
        let run = world.once().expect(4);
        assert_eq!((run.linq()[1], world.linq().contacts().len()), (0, 12), "{:#}", run.json);
    }
    world.write(people::csv(1..=12));
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 12);
}

#[test]
fn whoever_goes_while_the_keys_are_filled_down_again_waits_for_approval() {
    let mut world = World::new();
    let table = |numbers: &[usize]| {
        let rows = (1..)
            .zip(numbers)
            .map(|(key, n): (usize, &usize)| format!("E{key},{}", people::row(*n)));
        format!("No,{}", people::HEADER) + &rows.collect::<String>()
    };
    let all: Vec<usize> = (1..=12).collect();
    world.write(table(&all));
    world.set("source.key", "\"No\"");
    world.sync();
    let without: Vec<usize> = all.into_iter().filter(|n| *n != 3).collect();
    world.write(table(&without));
    for _ in 0..3 {
        let run = world.once().expect(4);
        assert_eq!((run.count("held_deletes"), run.linq()[1..].to_vec()), (1, vec![0, 0, 0]));
    }
    world.run(&["approve", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[3], 1);
    assert_eq!(world.people_in_linq().len(), 11);
    world.expect_silence();
}

#[test]
fn a_contact_created_again_while_the_mapping_changes_gets_no_second_row() {
    let text = "No,Name,Mail,Title,Notes\n1,Ann,ann@x.example,Cook,\n2,Bo,bo@x.example,Clerk,\n\
                3,Cy,cy@x.example,Pilot,\n";
    let mut world = World::with_csv(text);
    world
        .set("source.key", "\"No\"")
        .set("source.columns.first_name", "\"Name\"")
        .set("source.columns.email", "\"Mail\"")
        .set("source.columns.title", "\"Title\"");
    world.sync();
    world.remove("Bo");
    let members = [("first_name", "Bo"), ("email", "bo@x.example"), ("title", "Clerk")];
    world.linq().insert(members).unwrap();
    world.set("source.columns.title", "\"Notes\"");
    world.once();
    world.once();
    assert_eq!(world.text().matches("bo@x.example").count(), 1, "{}", world.text());
    assert!(world.text().contains("2,Bo,bo@x.example,Clerk,"), "{}", world.text());
    assert_eq!(world.linq().contacts().len(), 3);
}
