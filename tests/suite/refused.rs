//! One refused field never holds back the others of its contact, and nothing that was
//! refused is forgotten.

use linqsync::mirror::State;
use linqsync::sandbox::RouteKind;
use serde_json::{Value, json};

use crate::harness::{World, people};

const HEADER: &str = "First Name,Last Name,Email,Phone,Company,Title\n";

fn with_rows(quirks: &[&str], rows: &str) -> World {
    let world = World::with_quirks(quirks);
    world.write(HEADER.to_owned() + rows);
    world
}

/// `list rejected --json`
fn rejected(world: &World) -> Vec<Value> {
    let listed = world.run(&["list", "rejected", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["items"].as_array().unwrap().clone()
}

/// Field, value and cell of what is rejected.
fn cells(world: &World) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut cells: Vec<[String; 3]> = rejected(world)
        .iter()
        .map(|item| [text(&item["kind"]["field"]), text(&item["value"]), text(&item["cell"])])
        .collect();
    cells.sort();
    cells
}

/// Lets a day pass for what was refused.
fn let_a_day_pass(world: &World) {
    let path = world.path("state").join("state.db");
    drop(State::open_beside(&world.path("state")).unwrap());
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute("UPDATE rejections SET at = at - 86400000", []).unwrap();
}

#[test]
fn a_new_contact_arrives_without_the_fields_that_linq_refuses() {
    let world = with_rows(
        &[],
        "Ann,Bell,ann@x.example,n/a,Works,Chief\nBob,Cole,bob at x,555-0101,Mill,Cook\n",
    );
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected")), ([2, 2, 0, 0], 3), "{:#}", run.json);
    let [ann, bob] = ["Ann", "Bob"].map(|name| world.contact(name));
    assert_eq!((ann.email.as_deref(), ann.phone_number), (Some("ann@x.example"), None));
    assert_eq!((bob.email, bob.phone_number), (None, None));
    assert_eq!((bob.company.as_deref(), bob.title.as_deref()), (Some("Mill"), Some("Cook")));
    let expected = [
        ["email", "bob at x", "`Email` in row 3"],
        ["phone_number", "555-0101", "`Phone` in row 3"],
        ["phone_number", "n/a", "`Phone` in row 2"],
    ];
    assert_eq!(cells(&world), expected);
    // One refusal, and one create that lands.
    assert_eq!(world.requests(RouteKind::Create).len(), 4);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    world.edit("bob at x,555-0101", "bob@x.example,+14155550101");
    world.edit("n/a", "");
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn an_edit_beside_a_refused_one_arrives_in_the_same_run() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("p002@people.example", "nobody at all");
    world.edit("+14155550002", "n/a");
    world.edit("Title 002", "Chief");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected"), run.count("in_sync")), ([3, 0, 1, 0], 2, 2));
    let second = world.contact("First002");
    assert_eq!(second.title.as_deref(), Some("Chief"));
    assert_eq!(second.email.as_deref(), Some("p002@people.example"));
    let fields: Vec<String> = cells(&world).into_iter().map(|[field, ..]| field).collect();
    assert_eq!(fields, ["email", "phone_number"]);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    // What Linq has flows back while they wait.
    world.change("First002", "company", "Mill");
    world.once().expect(3);
    assert!(world.text().contains("nobody at all,n/a,Mill,Chief"), "{}", world.text());
}

#[test]
fn what_is_refused_without_a_word_is_found_by_trying_with_few_requests() {
    for form in ["errors=none", "errors=html"] {
        let world = with_rows(&[form], "Ann,Bell,ann@x.example,n/a,Works,Chief\n");
        let run = world.once().expect(3);
        assert_eq!((run.linq()[0], run.count("rejected")), (1, 1), "{form}: {:#}", run.json);
        let ann = world.contact("Ann");
        assert_eq!(ann.last_name.as_deref(), Some("Bell"));
        assert_eq!(ann.email.as_deref(), Some("ann@x.example"));
        assert_eq!((ann.title.as_deref(), ann.phone_number), (Some("Chief"), None));
        assert_eq!(cells(&world), [["phone_number", "n/a", "`Phone` in row 2"]]);
        assert!(world.writes().len() <= 9, "{} requests", world.writes().len());

        world.linq().forget_requests();
        world.edit("ann@x.example,n/a,Works,Chief", "nobody,+14155550101,Mill,Cook");
        world.once().expect(3);
        let ann = world.contact("Ann");
        assert_eq!(ann.phone_number.as_deref(), Some("+14155550101"));
        assert_eq!((ann.company.as_deref(), ann.title.as_deref()), (Some("Mill"), Some("Cook")));
        assert_eq!(cells(&world), [["email", "nobody", "`Email` in row 2"]]);
        assert!(world.writes().len() <= 7, "{} requests", world.writes().len());
    }
}

#[test]
fn a_contact_of_which_nothing_is_left_names_what_was_refused() {
    let world = with_rows(&[], ",,nobody,n/a,Works,Chief\n,,cy@x.example,n/a,,\n");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("rejected")), (1, 3), "{:#}", run.json);
    let expected = [
        ["email", "nobody", "`Email` in row 2"],
        ["phone_number", "n/a", "`Phone` in row 2"],
        ["phone_number", "n/a", "`Phone` in row 3"],
    ];
    assert_eq!(cells(&world), expected);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
}

#[test]
fn an_owner_whom_linq_does_not_know_holds_back_nothing_else() {
    let mut world = World::with_csv(
        "First Name,Email,Owner\nAda,a@e.example,nobody@linq.example\n\
         Bo,b@e.example,sam@linq.example\nCy,c@e.example,nobody@linq.example\n",
    );
    world.set("source.columns.owner", "\"Owner\"");
    let text = world.text();
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected")), ([3, 3, 0, 0], 2), "{:#}", run.json);
    assert_eq!(world.contact("Bo").contact_owner.unwrap().email, "sam@linq.example");
    assert_eq!(world.requests(RouteKind::Create).len(), 4, "the same owner is not tried twice");
    let expected = [
        ["owner", "nobody@linq.example", "`Owner` in row 2"],
        ["owner", "nobody@linq.example", "`Owner` in row 4"],
    ];
    assert_eq!(cells(&world), expected);
    assert_eq!(world.text(), text, "the owner that Linq chose is no edit");
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);

    // An edit of the owner of a contact that is there, beside another one.
    world.edit("Bo,b@e.example,sam@linq.example", "Bo,bo@e.example,nobody@linq.example");
    world.once().expect(3);
    assert_eq!(world.contact("Bo").email.as_deref(), Some("bo@e.example"));
    assert_eq!(world.contact("Bo").contact_owner.unwrap().email, "sam@linq.example");

    // Whoever takes it out gets the one that Linq has.
    world.write(world.text().replace("nobody@linq.example", ""));
    world.once();
    world.write(world.text().replace("nobody@linq.example", "sam@linq.example"));
    world.once();
    assert!(!world.text().contains("nobody"), "{}", world.text());
}

#[test]
fn for_an_unknown_owner_of_the_configuration_one_create_is_sent_and_one_message_told() {
    let mut world = World::with_csv(&people::csv(1..=60));
    world.set("linq.owner", "\"ghost@linq.example\"");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("rejected")), (0, 60), "{:#}", run.json);
    assert_eq!(world.requests(RouteKind::Create).len(), 1);
    assert!(world.requests(RouteKind::Find).len() < 20, "nobody is looked for in vain");
    let told: Vec<String> = run
        .notices()
        .lines()
        .filter(|line| line.contains("linq.owner"))
        .map(str::to_owned)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`ghost@linq.example`") && told[0].contains("60 contacts"));
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    // A person wants it to be tried once more: with one request.
    world.run(&["retry", "--all"]).expect(0);
    world.once().expect(3);
    assert_eq!(world.writes().len(), 1);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    world.set("linq.owner", "\"sam@linq.example\"");
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn what_linq_refused_for_a_while_is_sent_again_after_a_day_or_on_request() {
    for retried in [true, false] {
        let world = World::synced(&people::csv(1..=4));
        world.edit("Title 001", "Chief");
        world.edit("Company 002", "Mill");
        world.write(world.text() + &people::row(5));
        world.fault("create status=422");
        world.fault("update status=422");
        let run = world.once().expect(3);
        assert_eq!((run.linq(), run.count("rejected")), ([4, 0, 0, 0], 3), "{:#}", run.json);
        world.linq().clear_faults();
        world.linq().forget_requests();
        world.once().expect(3);
        assert_eq!(world.writes(), []);
        if retried {
            world.run(&["retry", "p001@people.example"]).expect(0);
            assert_eq!(world.once().expect(3).linq(), [4, 0, 1, 0]);
            let told = world.run(&["retry", "--all"]).expect(0).stdout;
            assert!(told.contains("2 decisions"), "{told}");
        } else {
            let_a_day_pass(&world);
        }
        world.once().expect(0);
        assert_eq!(world.contact("First005").title.as_deref(), Some("Title 005"));
        world.expect_silence();
    }
}

#[test]
fn what_is_never_to_be_sent_again_waits_for_an_edit() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.retry_rejected", "\"never\"");
    world.edit("Title 001", "Chief");
    world.fault("update status=403");
    world.once().expect(3);
    world.linq().clear_faults();
    let_a_day_pass(&world);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    world.edit("Chief", "Cook");
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn a_403_on_writes_alone_is_no_refused_token_and_ends_with_the_rights() {
    let world = World::synced(&people::csv(1..=6));
    for n in 1..=5 {
        world.edit(&format!("Title {n:03}"), "Chief");
    }
    world.fault("update status=403");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[2], run.count("rejected")), (0, 5), "{:#}", run.json);
    world.linq().clear_faults();
    world.run(&["retry", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq(), [6, 0, 5, 0]);
    world.expect_silence();
}

#[test]
fn a_403_while_the_listing_fails_is_no_refused_token() {
    let world = World::synced(&people::csv(1..=2));
    world.edit("Title 001", "Chief");
    world.fault("update status=403");
    world.fault("list status=500 nth=2 times=1000");
    let run = world.once();
    assert_ne!(run.ended.code, Some(5), "{:#}", run.json);
    world.linq().clear_faults();
    world.run(&["retry", "--all"]).expect(0);
    world.let_the_probe_come();
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn nothing_but_what_linq_refused_can_be_sent_again() {
    let world = World::synced(&people::csv(1..=2));
    world.edit("+14155550001", "1.41556E+10");
    world.once().expect(3);
    let ended = world.run(&["retry", "p001@people.example"]).expect(2);
    assert!(ended.stderr.contains("refused by Linq"), "{}", ended.stderr);
    assert!(world.run(&["retry", "--all"]).expect(0).stdout.contains("nothing was decided"));
    world.run(&["retry"]).expect(2);
}

#[test]
fn a_decision_to_send_again_outlasts_a_run_that_cannot_carry_it_out_and_is_void_after_an_edit() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("Title 001", "Chief");
    world.edit("Title 002", "Cook");
    world.fault("update status=422");
    world.once().expect(3);
    world.linq().clear_faults();
    world.run(&["retry", "--all"]).expect(0);
    world.fault("update status=500");
    world.once();
    world.linq().clear_faults();
    world.let_the_probe_come();
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));

    world.edit("Chief", "Head");
    world.fault("update status=422");
    world.once().expect(3);
    world.linq().clear_faults();
    world.run(&["retry", "--all"]).expect(0);
    world.edit("Head", "Title 001");
    world.change("First001", "title", "Title 001");
    let run = world.once().expect(0);
    assert!(run.notices().contains("sending title again was not carried out"), "{:#}", run.json);
    world.expect_silence();
}

#[test]
fn a_decision_to_send_again_is_shown_until_it_is_carried_out() {
    let world = with_rows(&[], "Ann,Bell,ann@x.example,n/a,Works,Chief\n");
    world.once().expect(3);
    world.run(&["retry", "ann@x.example"]).expect(0);
    assert_eq!(rejected(&world)[0]["decided"], json!({ "decision": "retry" }));
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes().len(), 1);
    assert_eq!(rejected(&world)[0]["decided"], Value::Null);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
}

#[test]
fn a_refused_field_of_a_card_is_named_with_its_property_and_its_file() {
    let mut world = World::new();
    std::fs::create_dir(world.path("cards")).unwrap();
    world.set("source.path", "\"cards\"");
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nN:Roux;Ida;;;\r\nFN:Ida Roux\r\n\
                TEL:n/a\r\nTITLE:Chef\r\nEND:VCARD\r\n";
    std::fs::write(world.path("cards/ida.vcf"), card).unwrap();
    world.once().expect(3);
    assert_eq!(world.contact("Ida").title.as_deref(), Some("Chef"));
    assert_eq!(cells(&world), [["phone_number", "n/a", "TEL in ida.vcf"]]);
    assert_eq!(std::fs::read_to_string(world.path("cards/ida.vcf")).unwrap(), card);
}
