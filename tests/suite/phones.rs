//! Phone numbers: sent in E.164, kept as they are spelled.

use linqsync::sandbox::RouteKind;

use crate::harness::World;

const HEADER: &str = "First Name,Email,Phone,Title\n";
const IDA: &str = "Ida,ida@x.example,06 12 34 56 78,Chef\n";

fn in_france(rows: &str) -> World {
    let mut world = World::new();
    world.set("sync.region", "\"FR\"");
    world.write(HEADER.to_owned() + rows);
    world
}

fn phone(world: &World, first_name: &str) -> String {
    world.contact(first_name).phone_number.unwrap_or_default()
}

/// The phone numbers that were sent in requests of one kind.
fn sent(world: &World, kind: RouteKind) -> Vec<String> {
    let bodies = world.requests(kind).into_iter().filter_map(|request| request.body);
    let phone =
        |body: serde_json::Value| Some(body["contact"]["phone_number"].as_str()?.to_owned());
    bodies.filter_map(phone).collect()
}

#[test]
fn a_national_number_is_created_in_e164_and_stays_as_it_is_in_the_source() {
    let world = in_france(IDA);
    world.once().expect(0);
    assert_eq!(sent(&world, RouteKind::Create), ["+33612345678"]);
    assert_eq!(phone(&world, "Ida"), "+33612345678");
    let asked: Vec<String> = world.requests(RouteKind::Find).into_iter().map(|r| r.query).collect();
    assert!(asked.contains(&"phone_number=%2B33612345678".to_owned()), "{asked:?}");
    assert_eq!(world.text(), HEADER.to_owned() + IDA);
    world.run(&["verify"]).expect(0);
    world.expect_silence();
}

#[test]
fn an_edited_number_is_sent_in_e164_and_whatever_comes_back_leaves_the_spelling() {
    let world = in_france(IDA);
    world.sync();
    world.edit("06 12 34 56 78", "06.98.76.54.32");
    world.once().expect(0);
    assert_eq!(sent(&world, RouteKind::Update), ["+33698765432"]);
    world.change("Ida", "title", "Cuisinière");
    world.once().expect(0);
    assert_eq!(world.text(), HEADER.to_owned() + "Ida,ida@x.example,06.98.76.54.32,Cuisinière\n");
    // Another spelling in Linq is no edit, another number is one.
    world.change("Ida", "phone_number", "+33 6 98 76 54 32");
    world.once().expect(0);
    assert!(world.text().contains("06.98.76.54.32"));
    world.change("Ida", "phone_number", "+33711223344");
    world.once().expect(0);
    assert!(world.text().contains("+33711223344"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn an_undo_puts_back_the_spelling_of_the_source_and_the_number_of_linq() {
    let world = in_france(IDA);
    world.sync();
    world.edit("06 12 34 56 78", "06.98.76.54.32");
    let run = world.once().expect(0).json["run"].to_string();
    world.run(&["undo", &run]).expect(0);
    assert_eq!(world.text(), HEADER.to_owned() + IDA);
    assert_eq!(phone(&world, "Ida"), "+33612345678");
    world.expect_silence();
}

#[test]
fn a_conflict_that_is_decided_for_the_source_sends_e164_and_keeps_the_spelling() {
    let world = in_france(IDA);
    world.sync();
    world.edit("06 12 34 56 78", "06.98.76.54.32");
    world.change("Ida", "phone_number", "+33711223344");
    world.once().expect(3);
    world.run(&["resolve", "--all", "--take", "source"]).expect(0);
    world.once().expect(0);
    assert_eq!(phone(&world, "Ida"), "+33698765432");
    assert!(world.text().contains("06.98.76.54.32"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn an_extension_stays_in_the_source_alone_even_when_the_state_is_lost() {
    let world =
        World::with_csv(&(HEADER.to_owned() + "Bo,bo@x.example,(415) 555-2671 ext. 5,Cook\n"));
    let text = world.text();
    world.once().expect(0);
    assert_eq!(sent(&world, RouteKind::Create), ["+14155552671"]);
    world.expect_silence();
    std::fs::remove_dir_all(world.path("state")).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.linq()[1], run.source()[1]), (1, 0, 0));
    assert_eq!(world.text(), text);
    world.run(&["verify"]).expect(0);
    world.expect_silence();
}

#[test]
fn another_number_in_linq_is_told_with_its_cell_and_sent_again_on_request() {
    let mut world = World::with_csv(&(HEADER.to_owned() + IDA));
    // Read as American numbers, by linqsync and by Linq.
    world.once().expect(0);
    assert_eq!(phone(&world, "Ida"), "+10612345678");
    world.set("sync.region", "\"FR\"");
    world.linq().forget_requests();
    let run = world.once().expect(3);
    assert_eq!((run.count("rejected"), world.writes().len()), (1, 0));
    let verified = world.run(&["verify"]).expect(3);
    assert!(!verified.stdout.contains("spelling"), "{}", verified.stdout);
    let listed = world.run(&["list", "rejected"]).expect(0).stdout;
    for word in ["another phone number", "`Phone` in row 2", "06 12 34 56 78"] {
        assert!(listed.contains(word), "no {word:?} in\n{listed}");
    }
    world.run(&["retry", "Ida@x.example"]).expect(0);
    world.once().expect(0);
    assert_eq!(phone(&world, "Ida"), "+33612345678");
    world.expect_silence();
}

#[test]
fn a_number_that_linq_would_take_for_an_american_one_is_not_sent() {
    let world = in_france("Ida,ida@x.example,555 123 4567,Chef\n");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected")), ([1, 1, 0, 0], 1));
    assert_eq!(world.contact("Ida").phone_number, None);
    world.edit("555 123 4567", "06 12 34 56 78");
    world.once().expect(0);
    assert_eq!(phone(&world, "Ida"), "+33612345678");
    world.expect_silence();
}

#[test]
fn a_number_that_is_possible_in_the_region_is_sent_in_e164_also_where_nobody_has_it() {
    let mut world = World::new();
    world.set("sync.region", "\"GB\"");
    world.write(HEADER.to_owned() + "Ida,ida@x.example,07700 900123,Chef\n");
    world.once().expect(0);
    assert_eq!(sent(&world, RouteKind::Create), ["+447700900123"]);
    world.expect_silence();
    // Nobody in Britain has it, and somebody in America does.
    world.edit("07700 900123", "415 555 2671");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
    let listed = world.run(&["list", "rejected"]).expect(0).stdout;
    assert!(listed.contains("`Phone` in row 2") && listed.contains("(+44 …)"), "{listed}");
    assert_eq!(phone(&world, "Ida"), "+447700900123");
}
