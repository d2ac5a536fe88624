//! Everything that needs attention: in a line each, and as a table that comes back from a
//! spreadsheet with decisions.

use std::fs;

use serde_json::Value;

use crate::harness::{World, people};

/// A conflict, an ambiguous row and a value that a spreadsheet has damaged.
fn waiting() -> World {
    let mut world = World::with_csv(
        "First Name,Last Name,Email,Phone,Company,Title\n\
         Bo,Wang,bo@lanterns.example,,Lanterns,Engineer\n\
         Ada,King,ada@engines.example,+14155552671,Engines,Countess\n",
    );
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Engineer", "Chief Engineer");
    world.change("Bo", "title", "CTO");
    world.edit("Engines,Countess", "=1+1,Countess");
    world.change("Ada", "company", "Mills");
    world.write(
        world.text()
            + "Zoe,Quiet,ada@engines.example,,,\n\
               Kai,Pole,kai@e.example,1.41556E+10,,\n",
    );
    world.once().expect(3);
    world
}

/// The table of `list --csv`, as rows of cells by the names of their columns.
struct AttentionTable {
    header: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

impl AttentionTable {
    fn of(world: &World, arguments: &[&str]) -> AttentionTable {
        let text = world.run(&[&["list", "--csv"], arguments].concat()).expect(0).stdout;
        assert!(text.starts_with('\u{feff}') && text.ends_with("\r\n"), "{text:?}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        AttentionTable { header, rows: reader.records().map(Result::unwrap).collect() }
    }

    fn at(&self, column: &str) -> usize {
        self.header.iter().position(|name| name == column).unwrap()
    }

    /// The cells of a column.
    fn column(&self, name: &str) -> Vec<&str> {
        self.rows.iter().map(|row| &row[self.at(name)]).collect()
    }

    /// Fills a cell in the only row with this name in it.
    fn fill(&mut self, name: &str, column: &str, text: &str) {
        let (names, at) = (self.at("name"), self.at(column));
        let row = self.rows.iter_mut().find(|row| &row[names] == name).unwrap();
        let cells = row.iter().enumerate();
        *row = cells.map(|(index, cell)| if index == at { text } else { cell }).collect();
    }

    /// The bytes of the table with this delimiter.
    fn bytes(&self, delimiter: u8) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        writer.write_record(&self.header).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.into_inner().unwrap()
    }

    fn save(&self, world: &World) {
        fs::write(world.path("back.csv"), self.bytes(b';')).unwrap();
    }
}

#[test]
fn everything_that_needs_attention_has_a_line_with_field_value_cell_and_reason() {
    let world = waiting();
    let told = world.run(&["list"]).expect(0).stdout;
    let lines: Vec<&str> = told.lines().collect();
    let of = |name: &str| {
        let mut found = lines.iter().filter(|line| line.contains(name));
        let line = found.next().unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(found.next().is_none(), "one line each: {told}");
        *line
    };
    for (name, parts) in [
        (
            "Bo Wang",
            &["conflict", "title", "“Chief Engineer”", "“CTO”", "“Engineer”", "both sides"][..],
        ),
        ("Zoe Quiet", &["ambiguous", "row:4", "same e-mail"]),
        (
            "Kai Pole",
            &["rejected", "phone_number", "“1.41556E+10” in `Phone` in row 5", "power of ten"],
        ),
    ] {
        let line = of(name);
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let at = |name: &str| lines.iter().position(|line| line.contains(name)).unwrap();
    assert!(at("Ada King (row:3)") < at("Bo Wang") && at("Bo Wang") < at("Zoe Quiet"), "{told}");
    assert!(at("Zoe Quiet") < at("Kai Pole"), "{told}");
    for count in ["2 conflicts; ", "1 ambiguous; ", "1 rejected; "] {
        assert!(told.contains(count), "{told}");
    }
    // What is decided already says so, and who has decided it.
    world.run(&["resolve", "bo@lanterns.example", "--take", "linq"]).expect(0);
    let told = world.run(&["list"]).expect(0).stdout;
    let by = format!("[decided by {}: linq]", linqsync::users::calling_user());
    assert!(told.lines().any(|line| line.contains("Bo Wang") && line.ends_with(&by)), "{told}");
}

#[test]
fn conflicts_are_counted_the_same_by_the_run_by_status_and_by_the_list() {
    let world = World::synced("First Name,Email,Title,Company\nAda,a@x.example,Countess,Engines\n");
    world.edit("Countess,Engines", "Lady,Works");
    world.change("Ada", "title", "Dame");
    world.change("Ada", "company", "Mills");
    let run = world.once().expect(3);
    let status: Value =
        serde_json::from_str(&world.run(&["status", "--json"]).expect(0).stdout).unwrap();
    assert_eq!((run.count("conflicts"), &status["conflicts"]), (1, &1.into()));
    for arguments in [&["list"][..], &["list", "conflicts"], &["status"]] {
        let told = world.run(arguments).expect(0).stdout;
        assert!(told.contains("1 conflict in 2 fields"), "{told}");
    }
}

#[test]
fn a_table_is_decided_in_a_spreadsheet_and_comes_back() {
    let world = waiting();
    let mut table = AttentionTable::of(&world, &[]);
    assert_eq!(table.column("name"), ["Ada King", "Bo Wang", "Zoe Quiet", "Kai Pole"]);
    assert_eq!(table.column("source_value"), ["'=1+1", "Chief Engineer", "", "1.41556E+10"]);
    assert_eq!(table.column("linq_value"), ["Mills", "CTO", "", ""]);
    assert_eq!(table.column("last_synced"), ["Engines", "Engineer", "", ""]);
    assert_eq!(table.column("decision"), ["", "", "", ""]);
    let choices = table.column("choices");
    assert_eq!(choices[0], "source | linq | value | clear");
    assert!(choices[2].starts_with("link ") && choices[2].ends_with("| separate"), "{choices:?}");
    assert_eq!(choices[3], "", "what a spreadsheet has damaged is corrected in the source");

    table.fill("Ada King", "decision", " Linq ");
    table.fill("Bo Wang", "decision", "value");
    table.fill("Bo Wang", "value", "Chief; \"Ünüsual\" Officer");
    table.fill("Zoe Quiet", "decision", "separate");
    table.save(&world);
    let told = world.run(&["resolve", "--from", "back.csv"]).expect(0).stdout;
    assert!(told.contains("3 decisions for the next run"), "{told}");
    let json = world.run(&["resolve", "--from", "back.csv", "--json"]).expect(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["decided"], &json["error"]), (&0.into(), &Value::Null), "nothing new");
    let again = AttentionTable::of(&world, &[]);
    assert_eq!(again.column("decision"), ["linq", "value", "separate", ""]);
    assert_eq!(again.column("value")[1], "Chief; \"Ünüsual\" Officer");

    world.once().expect(3);
    assert!(world.text().contains("Mills,Countess"), "{}", world.text());
    let title = world.contact("Bo").title;
    assert_eq!(title.as_deref(), Some("Chief; \"Ünüsual\" Officer"));
    assert_eq!(world.contact("Zoe").email.as_deref(), Some("ada@engines.example"));
    assert_eq!(AttentionTable::of(&world, &[]).column("name"), ["Kai Pole"]);
}

#[test]
fn if_one_line_is_wrong_or_stale_nothing_is_recorded_and_every_such_line_is_named() {
    let world = waiting();
    let mut table = AttentionTable::of(&world, &[]);
    table.fill("Ada King", "decision", "linq");
    table.fill("Bo Wang", "decision", "source");
    table.fill("Zoe Quiet", "decision", "approve");
    table.fill("Kai Pole", "decision", "retry");
    // The values of the second line change.
    world.change("Bo", "title", "CEO");
    world.once().expect(3);
    table.save(&world);
    let ended = world.run(&["resolve", "--from", "back.csv"]).expect(2);
    let problem = |line: &str, why: &str| {
        let told = ended.stderr.lines().any(|told| told.contains(line) && told.contains(why));
        assert!(told, "{line} {why}: {}", ended.stderr);
    };
    problem("line 3: ", "does not wait any more, or has changed");
    problem("line 4: ", "`approve` is no decision here; write one of: link");
    problem("line 5: ", "cannot be decided: correct it in the source");
    assert!(!ended.stderr.contains("line 2"), "{}", ended.stderr);
    assert!(world.state().stored_decisions().unwrap().is_empty(), "all of them or none");
    let json = world.run(&["resolve", "--from", "back.csv", "--json"]).expect(2).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("3 lines are wrong, so nothing was recorded"), "{message}");
}

#[test]
fn what_a_line_means_is_never_guessed() {
    let world = waiting();
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("value", "CFO")], "it has a `value` and no `decision`"),
        (&[("decision", "source"), ("value", "CFO")], "which the decision `source` does not take"),
        (&[("decision", "value")], "`value` is empty"),
        (&[("decision", "sourc")], "`sourc` is no decision here; write one of: source, linq"),
        (&[("decision", "linq"), ("linq_value", "CFO")], "`linq_value` is not what was printed"),
        (&[("decision", "source"), ("id", "")], "it has no `id`"),
        (&[("decision", "link 7")], "is no decision here"),
    ];
    for (cells, why) in cases {
        let mut table = AttentionTable::of(&world, &["conflicts"]);
        cells.iter().for_each(|(column, text)| table.fill("Bo Wang", column, text));
        table.save(&world);
        let told = world.run(&["resolve", "--from", "back.csv"]).expect(2).stderr;
        assert!(told.contains("line 3: ") && told.contains(why), "{cells:?}: {told}");
        assert!(world.state().stored_decisions().unwrap().is_empty());
    }
    let mut twice = AttentionTable::of(&world, &["conflicts"]);
    twice.fill("Bo Wang", "decision", "source");
    let mut other = twice.rows[1].clone();
    twice.fill("Bo Wang", "decision", "linq");
    std::mem::swap(&mut other, &mut twice.rows[0]);
    twice.save(&world);
    let told = world.run(&["resolve", "--from", "back.csv"]).expect(2).stderr;
    assert!(told.contains("line 3: line 2 decides the same thing differently"), "{told}");
    fs::write(world.path("back.csv"), world.text()).unwrap();
    let told = world.run(&["resolve", "--from", "back.csv"]).expect(2).stderr;
    assert!(told.contains("no columns `id` and `decision`"), "{told}");
    world.run(&["resolve", "--from", "missing.csv"]).expect(2);
    world.run(&["list", "--csv", "--json"]).expect(2);
}

#[test]
fn held_changes_and_what_was_refused_are_decided_in_a_table_as_well() {
    let mut world = World::with_csv(&people::csv(1..=14));
    world.set("linq.concurrency", "1");
    world.sync();
    let blank = (1..=14).fold(world.text(), |text, n| text.replace(&format!("Title {n:03}"), ""));
    world.write(blank);
    world.once().expect(4);
    let mut table = AttentionTable::of(&world, &["held"]);
    assert_eq!(table.rows.len(), 14);
    assert_eq!((table.column("linq_value")[0], table.column("source_value")[0]), ("Title 001", ""));
    for n in 1..=14 {
        let decision = if n == 3 { "reject" } else { "approve" };
        table.fill(&format!("First{n:03} Last{n:03}"), "decision", decision);
    }
    table.save(&world);
    let ended = world.run(&["resolve", "--from", "-"]);
    assert_eq!(ended.code, Some(2), "stdin is empty here");
    world.run(&["resolve", "--from", "back.csv"]).expect(0);
    world.once().expect(0);
    assert!(world.text().contains("Title 003") && !world.text().contains("Title 001"));
    assert_eq!(world.contact("First001").title.unwrap_or_default(), "");
    let listed = AttentionTable::of(&world, &["in-sync"]);
    assert_eq!(listed.rows.len(), 14);
}
