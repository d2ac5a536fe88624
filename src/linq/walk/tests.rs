//! Listings that are quiet, that move, and that cannot be trusted.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::linq::scripted::{Scripted, ScriptedEnd, scripted_answer, test_client};
use crate::model::{Counted, Digest, LinkId, LinqContact, Rest};

fn asked_page(uri: &Uri) -> usize {
    let (_, page) = uri.query().unwrap().split_once("page=").unwrap();
    page.split('&').next().unwrap().parse().unwrap()
}

/// A page as Linq gives it.
fn page(ids: &[u64], current: usize, per_page: usize) -> Value {
    let shown: Vec<Value> = ids
        .iter()
        .skip((current - 1) * per_page)
        .take(per_page)
        .map(|id| json!({"id": id}))
        .collect();
    json!({"contacts": shown, "pagination": {
        "current_page": current, "per_page": per_page,
        "total_pages": ids.len().div_ceil(per_page), "total_count": ids.len(),
    }})
}

/// A Linq with the contacts 1 to `count`, `per_page` to a page; `alter` may
/// change the page that is asked for as the `n`th request.
fn linq(
    count: u64,
    per_page: usize,
    alter: impl Fn(usize, usize, &mut Value) + Send + Sync + 'static,
) -> Arc<Scripted> {
    let ids: Vec<u64> = (1..=count).collect();
    Scripted::new(move |n, request| {
        let current = asked_page(request.uri());
        let mut body = page(&ids, current, per_page);
        alter(n, current, &mut body);
        scripted_answer(200, body.to_string())
    })
}

fn ids(listing: &Listing) -> Vec<u64> {
    listing.contacts.keys().map(|id| id.0).collect()
}

async fn walked(linq: &Arc<Scripted>) -> Listing {
    walk(&test_client(linq), &Resting::default(), |_| false).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_quiet_listing_is_complete_in_one_request_for_each_page() {
    for (count, per_page, requests) in
        [(0, 100, 1), (1, 100, 1), (100, 100, 1), (101, 100, 2), (250, 100, 3), (250, 25, 10)]
    {
        let linq = linq(count, per_page, |_, _, _| {});
        let listing = walked(&linq).await;
        assert_eq!(listing.completeness, Completeness::Complete, "{count} by {per_page}");
        assert_eq!(ids(&listing), (1..=count).collect::<Vec<_>>());
        assert_eq!(linq.request_count(), requests, "{count} by {per_page}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_are_fewer_or_more_than_promised_are_read_within_reason() {
    let cases: [(usize, Value, usize, usize); 4] = [
        (25, json!(3), 250, 10),
        (25, Value::Null, 250, 10),
        (100, Value::Null, 250, 3),
        (1, json!(3), 12, 36),
    ];
    for (per_page, promised, seen, requests) in cases {
        let told = promised.clone();
        let linq = linq(250, per_page, move |_, _, body| {
            body["pagination"]["total_pages"] = told.clone();
        });
        let listing = walked(&linq).await;
        let complete = listing.completeness == Completeness::Complete;
        assert_eq!(complete, seen == 250, "{per_page} {promised}");
        assert_eq!((ids(&listing).len(), linq.request_count()), (seen, requests), "{promised}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_first_page_is_not_an_empty_listing() {
    let linq = linq(250, 100, |_, _, body| {
        body["contacts"] = json!([]);
        body["pagination"]["total_pages"] = Value::Null;
    });
    let doubt = ListingDoubt::CountDiffers { listed: 0, total: 250 };
    assert_eq!(walked(&linq).await.completeness, Completeness::Partial(doubt));
    assert_eq!(linq.request_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_walk_can_be_a_task_of_its_own() {
    let linq = linq(250, 100, |_, _, _| {});
    let task = tokio::spawn(async move {
        walk(&test_client(&linq), &Resting::default(), |_| false).await.unwrap()
    });
    assert_eq!(task.await.unwrap().contacts.len(), 250);
}

#[tokio::test(start_paused = true)]
async fn pages_between_are_read_at_the_same_time_and_the_last_after_them() {
    let ids: Vec<u64> = (1..=1_000).collect();
    let linq = Scripted::with_latency(Duration::from_secs(1), move |_, request| {
        scripted_answer(200, page(&ids, asked_page(request.uri()), 100).to_string())
    });
    let start = Instant::now();
    walked(&linq).await;
    // One, then eight in two rounds of four, then one.
    assert_eq!(start.elapsed().as_secs(), 4);
    let asked = linq.request_lines();
    assert!(asked[0].ends_with("?page=1&per_page=100"), "{asked:?}");
    assert!(asked[9].ends_with("?page=10&per_page=100"), "{asked:?}");
}

/// What another walk cannot mend, or never mended, is said and never complete.
#[tokio::test(start_paused = true)]
async fn a_listing_that_cannot_be_trusted_is_partial_and_ends() {
    type Alter = fn(usize, usize, &mut Value);
    let cases: [(Alter, ListingDoubt, usize); 11] = [
        (|_, _, body| body["pagination"] = Value::Null, ListingDoubt::NoTotals, 1),
        (|_, _, body| body["pagination"]["total_count"] = Value::Null, ListingDoubt::NoTotals, 3),
        (|_, _, body| body["pagination"]["total_count"] = json!("many"), ListingDoubt::NoTotals, 3),
        (|_, _, body| body["contacts"][0] = json!({"id": {}}), ListingDoubt::Unreadable(3), 3),
        (
            |_, _, body| body["pagination"]["total_count"] = json!(0),
            ListingDoubt::CountDiffers { listed: 25, total: 0 },
            9,
        ),
        (
            |_, page, body| {
                if page == 2 {
                    body["contacts"] = json!([]);
                }
            },
            ListingDoubt::CountDiffers { listed: 15, total: 25 },
            9,
        ),
        (
            |_, page, body| body["pagination"]["total_count"] = json!(25 + page),
            ListingDoubt::TotalsDiffer,
            9,
        ),
        (
            |_, page, body| body["pagination"]["total_pages"] = json!(3 + page),
            ListingDoubt::TotalsDiffer,
            12,
        ),
        (
            |_, _, body| body["pagination"]["current_page"] = json!(1),
            ListingDoubt::NoSuchPage(2),
            9,
        ),
        (
            |_, page, body| {
                if page == 2 {
                    body["contacts"][0] = json!({"id": 1, "title": "other"});
                }
            },
            ListingDoubt::Changed(LinqId(1)),
            9,
        ),
        (
            |n, _, body| {
                if n > 100_000 {
                    body["contacts"] = json!([]);
                }
                body["pagination"]["total_pages"] = json!(u64::MAX);
            },
            ListingDoubt::OddPages,
            12,
        ),
    ];
    for (alter, doubt, requests) in cases {
        let linq = linq(25, 10, alter);
        let listing = walked(&linq).await;
        assert_eq!(listing.completeness, Completeness::Partial(doubt));
        assert_eq!(linq.request_count(), requests, "{doubt}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_page_that_is_repeated_past_the_end_ends_the_walk() {
    let linq = linq(25, 10, |_, current, body| {
        if current > 3 {
            *body = page(&(1..=25).collect::<Vec<_>>(), 3, 10);
        }
        body["pagination"]["total_pages"] = json!(5);
    });
    let listing = walked(&linq).await;
    assert_eq!(listing.completeness, Completeness::Partial(ListingDoubt::NoSuchPage(4)));
    assert_eq!((ids(&listing).len(), linq.request_count()), (25, 15));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_gone_is_a_drift_and_a_first_page_that_is_gone_an_error() {
    let ids_25: Vec<u64> = (1..=25).collect();
    let linq = Scripted::new(move |n, request| match (n, asked_page(request.uri())) {
        (0..3, 3) => scripted_answer(404, ""),
        (_, current) => scripted_answer(200, page(&ids_25, current, 10).to_string()),
    });
    assert_eq!(walked(&linq).await.completeness, Completeness::Complete);
    assert_eq!(linq.request_count(), 6);
    let linq = Scripted::new(|_, _| scripted_answer(404, ""));
    let error = walk(&test_client(&linq), &Resting::default(), |_| false).await.unwrap_err();
    assert!(matches!(error.verdict, Remedy::Failed(Failure::Status(_))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_after_all_attempts_fails_the_walk() {
    let ids_25: Vec<u64> = (1..=25).collect();
    let linq = Scripted::new(move |_, request| -> ScriptedEnd {
        match asked_page(request.uri()) {
            2 => scripted_answer(500, ""),
            current => scripted_answer(200, page(&ids_25, current, 10).to_string()),
        }
    });
    let error = walk(&test_client(&linq), &Resting::default(), |_| false).await.unwrap_err();
    assert_eq!(error.to_string(), "list page 2: 500 (after 6 attempts)");
}

#[tokio::test(start_paused = true)]
async fn a_contact_listed_twice_alike_does_not_spoil_an_exact_count() {
    let linq = linq(25, 10, |_, current, body| {
        if current == 2 {
            let list = body["contacts"].as_array_mut().unwrap();
            list.push(json!({"id": 1, "signed_url": "another"}));
        }
    });
    let listing = walked(&linq).await;
    assert_eq!(listing.completeness, Completeness::Complete);
    assert_eq!(ids(&listing).len(), 25);
}

#[tokio::test(start_paused = true)]
async fn of_two_versions_the_later_changed_one_counts() {
    let linq = linq(25, 10, |_, current, body| {
        let second = if current == 1 { 20 } else { 10 };
        let at = format!("2026-11-20T22:00:{second}Z");
        if current < 3 {
            body["contacts"][0] = json!({"id": 1, "title": format!("{second}"), "updated_at": at});
        }
    });
    let listing = walked(&linq).await;
    assert_eq!(listing.completeness, Completeness::Partial(ListingDoubt::Changed(LinqId(1))));
    assert!(listing.contacts[&LinqId(1)].raw.contains(r#""title":"20""#));
}

#[tokio::test(start_paused = true)]
async fn walks_that_all_drift_are_put_together() {
    let linq = linq(25, 10, |n, current, body| {
        if current == 2 {
            // Each walk misses another contact.
            body["contacts"].as_array_mut().unwrap().remove(n / 3);
        }
    });
    let listing = walked(&linq).await;
    let doubt = ListingDoubt::CountDiffers { listed: 24, total: 25 };
    assert_eq!(listing.completeness, Completeness::Partial(doubt));
    assert_eq!(ids(&listing), (1..=25).collect::<Vec<_>>());
}

/// A change to the contacts while they are listed.
#[derive(Clone, Debug)]
enum ListingEdit {
    None,
    Add,
    Remove(prop::sample::Index),
}

fn edits(of: impl Strategy<Value = ListingEdit>) -> impl Strategy<Value = Vec<ListingEdit>> {
    prop::collection::vec(prop_oneof![4 => Just(ListingEdit::None), 1 => of], 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Contacts only come or only go: a balance of both is beyond any count.
    #[test]
    fn a_complete_listing_under_drift_in_one_direction_misses_nobody(
        count in 0_u64..30,
        per_page in 1_usize..6,
        edits in prop_oneof![
            edits(Just(ListingEdit::Add)),
            edits(any::<prop::sample::Index>().prop_map(ListingEdit::Remove)),
        ],
    ) {
        let live = Arc::new(Mutex::new(((1..=count).collect::<Vec<_>>(), VecDeque::from(edits))));
        let shared = Arc::clone(&live);
        let linq = Scripted::new(move |n, request| {
            let (ids, edits) = &mut *shared.lock().unwrap();
            match edits.pop_front() {
                Some(ListingEdit::Add) => ids.insert(0, 1_000 + u64::try_from(n).unwrap()),
                Some(ListingEdit::Remove(at)) if !ids.is_empty() => drop(ids.remove(at.index(ids.len()))),
                Some(ListingEdit::Remove(_) | ListingEdit::None) | None => {}
            }
            scripted_answer(200, page(ids, asked_page(request.uri()), per_page).to_string())
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let listing = runtime.block_on(walked(&linq));
        let seen: BTreeSet<u64> = ids(&listing).into_iter().collect();
        prop_assert_eq!(seen.len(), listing.contacts.len());
        if listing.completeness == Completeness::Complete {
            let live: BTreeSet<u64> = live.lock().unwrap().0.iter().copied().collect();
            prop_assert_eq!(seen, live);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_walk_that_drifted_is_not_repeated_where_all_who_are_looked_for_were_seen() {
    let moving =
        || linq(250, 100, |n, _, body| body["pagination"]["total_count"] = json!(248 + n % 3));
    for (looked_for, requests) in [(1, 3), (251, 9)] {
        let linq = moving();
        let all_seen = |seen: &Listing| seen.contacts.contains_key(&LinqId(looked_for));
        let listing = walk(&test_client(&linq), &Resting::default(), all_seen).await.unwrap();
        assert_eq!(listing.completeness, Completeness::Partial(ListingDoubt::TotalsDiffer));
        assert_eq!((ids(&listing).len(), linq.request_count()), (250, requests));
    }
}

/// The pairs of contacts with these ids, at rest as `linq` shows them.
async fn at_rest(linq: &Arc<Scripted>, ids: impl Fn(u64) -> bool) -> Resting {
    let contacts = walked(linq).await.contacts.into_values().map(|fetched| fetched.contact);
    let rest = |contact: LinqContact| Rest {
        link: LinkId(1),
        linq_id: contact.id,
        contact: Digest::of_contact(&contact),
        record: Digest([0; 16]),
        counted: Counted { filled: [FieldSet::EMPTY; 2], has_key: false, has_id: false },
        marks: Vec::new(),
    };
    contacts.filter(|contact| ids(contact.id.0)).map(rest).collect()
}

#[tokio::test(start_paused = true)]
async fn of_who_is_as_they_were_at_rest_only_that_is_kept() {
    let quiet = linq(250, 100, |_, _, _| {});
    let resting = at_rest(&quiet, |id| id > 10).await;
    let edited = linq(250, 100, |_, page, body| {
        if page == 2 {
            body["contacts"][0]["title"] = json!("Countess");
            body["contacts"].as_array_mut().unwrap().remove(1);
            body["contacts"].as_array_mut().unwrap().push(json!({"id": 999}));
        }
    });
    let listing = walk(&test_client(&edited), &resting, |_| false).await.unwrap();
    assert_eq!(listing.completeness, Completeness::Complete);
    let kept: Vec<u64> = (1..=10).chain([101, 999]).collect();
    assert_eq!((ids(&listing), listing.len()), (kept, 250));
    let missing = |id: u64| !listing.at_rest.contains(resting.of_id(LinqId(id)).unwrap());
    assert!(missing(101) && missing(102) && !missing(103));
    assert!(listing.mentioned.contains(Field::Title));
}

#[tokio::test(start_paused = true)]
async fn who_is_at_rest_on_one_page_and_another_on_a_later_one_has_changed() {
    let quiet = linq(25, 10, |_, _, _| {});
    let resting = at_rest(&quiet, |_| true).await;
    let moved = linq(25, 10, |_, page, body| {
        let list = body["contacts"].as_array_mut().unwrap();
        if page > 1 {
            list.push(json!({"id": 7, "title": "Countess"}));
        }
    });
    let listing = walk(&test_client(&moved), &resting, |_| false).await.unwrap();
    assert_eq!(listing.completeness, Completeness::Partial(ListingDoubt::Changed(LinqId(7))));
    assert_eq!((ids(&listing), listing.len()), (vec![7], 25));
}

#[tokio::test(start_paused = true)]
async fn a_page_with_more_contacts_than_were_asked_for_is_not_taken() {
    let linq = linq(25, 10, |_, page, body| {
        if page == 2 {
            body["contacts"] = (1_000..1_101).map(|id| json!({"id": id})).collect();
        }
    });
    let listing = walked(&linq).await;
    assert_eq!(listing.completeness, Completeness::Partial(ListingDoubt::OddPages));
    assert_eq!(ids(&listing).len(), 15);
}
