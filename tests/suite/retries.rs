//! How often what is sent, and when a Linq in trouble is left alone.

use std::time::Duration;

use linqsync::mirror::WhyDown;
use linqsync::sandbox::RouteKind;

use crate::harness::{World, people, wait_until};

/// Something to do for every kind of request, and at most three attempts.
fn busy() -> World {
    let mut world = World::synced(&people::csv(1..=3));
    world.set("linq.max_attempts", "3");
    world.edit("Title 001", "Chief");
    world.write(world.text().replace(&people::row(2), "") + &people::row(4));
    world.remove("First003");
    world
}

/// How often each kind of request is sent when it always ends like this. The table
/// in docs/retries.md says the same.
#[test]
fn what_is_sent_again_and_how_often_depends_on_what_it_may_have_done() {
    let table: [(&str, [usize; 6]); 8] = [
        // list, find, get, create, update, delete
        ("status=500", [3, 3, 3, 3, 3, 3]),
        ("drop-before", [3, 3, 3, 3, 3, 3]),
        ("status=429", [3, 3, 3, 3, 3, 3]),
        ("status=401", [1, 1, 1, 1, 1, 1]),
        // Whether it is the token or one contact, one page of the listing tells.
        ("status=403", [1, 1, 1, 1, 1, 1]),
        // Of a new contact the names, the e-mail address and the phone number are tried
        // alone, since nothing says which of them is refused.
        ("status=422", [1, 1, 1, 4, 1, 1]),
        ("status=413", [1, 1, 1, 4, 1, 1]),
        ("redirect=302:/", [1, 1, 1, 1, 1, 1]),
    ];
    let kinds = [
        ("list", RouteKind::List),
        ("find", RouteKind::Find),
        ("get", RouteKind::Get),
        ("create", RouteKind::Create),
        ("update", RouteKind::Update),
        ("delete", RouteKind::Delete),
    ];
    std::thread::scope(|scope| {
        for (at, (name, kind)) in kinds.into_iter().enumerate() {
            let table = &table;
            scope.spawn(move || {
                for (fault, expected) in table {
                    let world = busy();
                    world.fault(&format!("{name} {fault}"));
                    let run = world.once();
                    let sent = world.requests(kind).len();
                    let told = format!("{name} {fault}: {:#}\n{}", run.json, run.ended.stderr);
                    // Find and get are asked for more than one thing.
                    let things = sent.div_ceil(expected[at]);
                    let alone = !matches!(kind, RouteKind::Find | RouteKind::Get);
                    assert!(sent == expected[at] || !alone && things <= 3, "{sent} {told}");
                    assert!(sent >= 1, "{told}");
                }
            });
        }
    });
}

#[test]
fn a_wait_that_linq_asked_for_is_kept_by_the_next_run_too() {
    let mut world = busy();
    world.set("linq.max_attempts", "1");
    world.fault("list status=429 retry-after=3 times=1");
    world.once().expect(6);
    let down = world.state().linq_down().unwrap().unwrap();
    assert_eq!(down.why, WhyDown::AskedToWait);
    let next = world.once().expect(0);
    assert!(next.ended.stderr.contains("rate limited by Linq"), "{}", next.ended.stderr);
    assert!(next.ended.took >= Duration::from_secs(1), "{:?}", next.ended.took);
    assert_eq!(world.state().linq_down().unwrap(), None);
}

#[test]
fn a_wait_that_linq_asked_for_with_a_date_is_obeyed_and_kept() {
    let mut world = busy();
    world.set("linq.max_attempts", "1");
    world.fault("list status=429 retry-at=4s times=1");
    world.once().expect(6);
    let down = world.state().linq_down().unwrap().unwrap();
    assert_eq!(down.why, WhyDown::AskedToWait);
    assert!((down.next_attempt - down.since).num_seconds() >= 2, "{down:?}");
    let next = world.once().expect(0);
    assert!(next.ended.took >= Duration::from_secs(1), "{:?}", next.ended.took);
}

#[test]
fn nobody_is_left_alone_for_longer_than_a_quarter_of_an_hour_whatever_linq_says() {
    for asked in ["retry-after=315360000", "retry-at=10years"] {
        let mut world = busy();
        world.set("linq.max_attempts", "1");
        world.fault(&format!("list status=429 {asked} times=1"));
        world.once().expect(6);
        let down = world.state().linq_down().unwrap().unwrap();
        let minutes = (down.next_attempt - down.since).num_minutes();
        assert!((14..=15).contains(&minutes), "{asked}: {down:?}");
    }
}

#[test]
fn too_many_requests_at_one_create_make_every_other_wait() {
    let mut world = World::with_csv(&people::csv(1..=30));
    world.set("linq.max_attempts", "3");
    world.fault("create status=429 retry-after=2 nth=6 times=1");
    let refused = std::sync::Arc::new(std::sync::Mutex::new(None));
    let late = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (since, early) = (std::sync::Arc::clone(&refused), std::sync::Arc::clone(&late));
    let creates = std::sync::atomic::AtomicUsize::new(0);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        if moment != linqsync::sandbox::ObservedMoment::Arrived
            || request.kind != Some(RouteKind::Create)
        {
            return;
        }
        let mut since = since.lock().unwrap();
        if creates.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 5 {
            *since = Some(std::time::Instant::now());
        } else if since.is_some_and(|since| since.elapsed() < Duration::from_millis(1_900)) {
            early.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }));
    let run = world.once().expect(0);
    assert!(refused.lock().unwrap().is_some());
    // Those that were under way at that moment.
    let early = late.load(std::sync::atomic::Ordering::SeqCst);
    assert!(early <= 3, "{early} creates came while all should wait");
    assert_eq!((run.linq()[1], world.linq().contacts().len()), (30, 30));
}

#[test]
fn a_wait_that_linq_asked_for_is_kept_after_a_kill() {
    let world = busy();
    world.fault("list status=503 retry-after=4 times=1");
    let listings = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&listings);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        if moment == linqsync::sandbox::ObservedMoment::Arrived
            && request.kind == Some(RouteKind::List)
        {
            seen.lock().unwrap().push(std::time::Instant::now());
        }
    }));
    let process = world.start(&["--once"]);
    wait_until("it waits", || process.stderr().contains("rate limited by Linq"));
    process.kill();
    world.once().expect(0);
    let listings = listings.lock().unwrap();
    let waited = listings[1].duration_since(listings[0]);
    assert!(waited >= Duration::from_millis(3_900), "{waited:?}");
}

#[test]
fn a_linq_that_failed_is_met_with_one_request_until_it_works_again() {
    let world = busy();
    world.fault("any status=503");
    let first = world.once().expect(6);
    assert_eq!(first.requests("list"), 3);
    let hint = first.json["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("Linq down since ") && hint.contains(", next probe "), "{hint}");
    let since = world.state().linq_down().unwrap().unwrap().since;
    for runs in 2..=3 {
        assert_eq!(world.once().expect(6).requests("list"), 1, "one cheap request");
        let down = world.state().linq_down().unwrap().unwrap();
        assert_eq!((down.why, down.runs, down.since), (WhyDown::Failing, runs, since));
    }
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!(world.state().linq_down().unwrap(), None);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn a_refused_token_is_remembered_for_a_quarter_of_an_hour() {
    let world = busy();
    world.fault("any status=401");
    world.once().expect(5);
    let down = world.state().linq_down().unwrap().unwrap();
    assert_eq!(down.why, WhyDown::TokenRefused);
    let minutes = (down.next_attempt - down.since).num_minutes();
    assert_eq!(minutes, 15);
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!(world.state().linq_down().unwrap(), None);
}

#[test]
fn a_run_that_linq_fails_all_over_ends_within_its_budget() {
    let mut world = World::with_csv(&people::csv(1..=40));
    world.set("linq.max_attempts", "6");
    world.fault("any status=500 nth=5 times=100000");
    world.once().expect(6);
    let sent = world.linq().requests().len();
    assert!(sent <= 4 + 20 + 60, "{sent} requests");
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 40);
    world.expect_silence();
}
