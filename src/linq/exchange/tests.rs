//! Repeating, waiting, giving up, and the token, against a Linq that follows a script.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::linq::scripted::{
    Scripted, answer_with, client_with, is_alone, no_connection, scripted_answer, scripted_timeout,
    test_client,
};
use crate::linq::{
    Deletion, FindBy, Lookup, RejectionReason, RequestCounts, TokenSource, TokenUnavailable, Update,
};
use crate::model::{Field, LinqId, Values};

const ADA: &str = r#"{"data":{"id":7,"first_name":"Ada"}}"#;
const GONE: &str = r#"{"status":"error","error_code":"CONTACT_NOT_FOUND"}"#;

fn found() -> AttemptEnd {
    scripted_answer(200, ADA)
}

fn update() -> Update {
    Update::new([(Field::FirstName, "Ada".to_owned())], None).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum CallKind {
    List,
    Find,
    Get,
    Create,
    Patch,
    Put,
    Delete,
}

const KINDS: [CallKind; 7] = [
    CallKind::List,
    CallKind::Find,
    CallKind::Get,
    CallKind::Create,
    CallKind::Patch,
    CallKind::Put,
    CallKind::Delete,
];

async fn make(client: &Client, kind: CallKind) -> Result<(), LinqError> {
    let id = LinqId(7);
    match kind {
        CallKind::List => client.list_page(1, 100).await.map(drop),
        CallKind::Find => client.find(FindBy::Email("ada@example.org")).await.map(drop),
        CallKind::Get => client.get(id).await.map(drop),
        CallKind::Create => client.create(&Values::default(), None).await.map(drop),
        CallKind::Patch => client.patch(id, &update()).await.map(drop),
        CallKind::Put => client.put(id, &update()).await.map(drop),
        CallKind::Delete => client.delete(id).await.map(drop),
    }
}

/// How a first attempt can end so that asking again may help, and what is
/// known about its effect.
const PASSING: [(fn() -> AttemptEnd, RequestEffect); 12] = [
    (no_connection, RequestEffect::NotSent),
    (scripted_timeout, RequestEffect::Unknown),
    (|| Err(TransportError::Broken("cut".into())), RequestEffect::Unknown),
    (|| scripted_answer(429, ""), RequestEffect::Refused),
    (|| scripted_answer(408, ""), RequestEffect::Unknown),
    (|| scripted_answer(425, ""), RequestEffect::Unknown),
    (|| scripted_answer(500, r#"{"error_code":"INTERNAL_ERROR"}"#), RequestEffect::Unknown),
    (|| scripted_answer(502, "<html>"), RequestEffect::Unknown),
    (|| scripted_answer(503, ""), RequestEffect::Unknown),
    (|| scripted_answer(200, "<html>log in</html>"), RequestEffect::Unknown),
    (|| scripted_answer(200, r#"{"status":"error"}"#), RequestEffect::Unknown),
    (|| scripted_answer(206, ADA), RequestEffect::Unknown),
];

#[tokio::test(start_paused = true)]
async fn a_create_is_repeated_only_if_linq_certainly_did_not_take_it() {
    for (end, effect) in PASSING {
        let linq = Scripted::in_order(vec![end, found]);
        let created = make(&test_client(&linq), CallKind::Create).await;
        match (effect, created) {
            (RequestEffect::NotSent | RequestEffect::Refused, Ok(())) => {
                assert_eq!(linq.request_count(), 2);
            }
            (RequestEffect::Unknown, Err(error)) => {
                assert_eq!((error.effect, error.attempts), (RequestEffect::Unknown, 1), "{error}");
                assert!(matches!(error.verdict, Remedy::Failed(_)), "{error}");
                assert_eq!(linq.request_count(), 1, "{error}");
            }
            (effect, other) => panic!("{effect:?} led to {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_reads_is_repeated_up_to_six_times_and_a_change_is_not() {
    const CHANGES: [CallKind; 3] = [CallKind::Patch, CallKind::Put, CallKind::Delete];
    for kind in KINDS.into_iter().filter(|kind| *kind != CallKind::Create) {
        for (end, effect) in PASSING {
            let once = CHANGES.contains(&kind);
            let attempts = if once { 1 } else { 6 };
            let linq = Scripted::in_order(vec![end]);
            let error = make(&test_client(&linq), kind).await.unwrap_err();
            assert_eq!(
                (error.attempts, linq.request_count()),
                (attempts, attempts as usize),
                "{kind:?} {error}"
            );
            assert_eq!(error.effect, effect, "{kind:?} {error}");
            assert!(matches!(error.verdict, Remedy::Failed(_)), "{kind:?} {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_or_deletion_is_left_to_who_can_look_before_it_is_sent_again() {
    for (end, effect) in [
        ((|| scripted_answer(429, "")) as fn() -> AttemptEnd, RequestEffect::Refused),
        (no_connection, RequestEffect::NotSent),
    ] {
        let linq = Scripted::in_order(vec![end, end]);
        let client = test_client(&linq);
        let errors = [
            client.patch(LinqId(7), &update()).await.unwrap_err(),
            client.delete(LinqId(7)).await.unwrap_err(),
        ];
        assert_eq!(errors.map(|error| (error.effect, error.may_pass())), [(effect, true); 2]);
        let counts = RequestCounts { update: 1, delete: 1, ..RequestCounts::default() };
        assert_eq!(client.request_counts(), counts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_one_request_whatever_comes_of_it() {
    for (end, _) in PASSING {
        let linq = Scripted::in_order(vec![end]);
        test_client(&linq).probe_once().await.unwrap_err();
        assert_eq!(linq.request_count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_asking_again_cannot_help_is_asked_once() {
    let ends: [fn() -> AttemptEnd; 8] = [
        || scripted_answer(301, ""),
        || scripted_answer(302, ""),
        || scripted_answer(303, ""),
        || scripted_answer(304, ""),
        || scripted_answer(307, ""),
        || scripted_answer(308, ""),
        || scripted_answer(409, ""),
        || Err(TransportError::TooLarge { limit: 1 }),
    ];
    for (kind, end) in KINDS.into_iter().flat_map(|kind| ends.map(|end| (kind, end))) {
        let linq = Scripted::in_order(vec![end]);
        let error = make(&test_client(&linq), kind).await.unwrap_err();
        assert_eq!(linq.request_count(), 1, "{kind:?} {error}");
        let is_409 = error.linq_answer().is_some_and(|answered| answered.status == 409);
        let expected = if is_409 { RequestEffect::Refused } else { RequestEffect::Unknown };
        assert_eq!(error.effect, expected, "{kind:?} {error}");
        let rejected = is_409 && kind != CallKind::List;
        assert_eq!(error.rejection().is_some(), rejected, "{kind:?} {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_stops_the_client_after_one_request() {
    for kind in KINDS {
        let linq = Scripted::in_order(vec![|| scripted_answer(401, "")]);
        let client = test_client(&linq);
        let error = make(&client, kind).await.unwrap_err();
        assert!(matches!(error.verdict, Remedy::TokenRefused(_)), "{error}");
        assert_eq!((error.effect, error.attempts), (RequestEffect::Refused, 1));
        for next in KINDS {
            let error = make(&client, next).await.unwrap_err();
            assert!(matches!(error.verdict, Remedy::Halted(_)), "{error}");
            assert_eq!((error.effect, error.attempts), (RequestEffect::NotSent, 0));
        }
        assert_eq!(linq.request_count(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_stops_what_waits_for_its_turn() {
    let linq = Scripted::in_order(vec![|| scripted_answer(401, "")]);
    let client = test_client(&linq);
    let calls = (0..20).map(|_| make(&client, CallKind::Patch));
    let ended = futures_util::future::join_all(calls).await;
    let halted = |error: &LinqError| matches!(error.verdict, Remedy::Halted(_));
    let halted = ended.iter().filter(|ended| halted(ended.as_ref().unwrap_err())).count();
    assert!(linq.request_count() <= client.settings().concurrency.get(), "only what was under way");
    assert_eq!(halted + linq.request_count(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_403_for_everything_stops_the_client() {
    for kind in KINDS {
        let linq = Scripted::in_order(vec![|| scripted_answer(403, "")]);
        let client = test_client(&linq);
        let error = make(&client, kind).await.unwrap_err();
        assert!(matches!(error.verdict, Remedy::TokenRefused(_)), "{error}");
        let before = linq.request_count();
        make(&client, CallKind::Delete).await.unwrap_err();
        assert_eq!(linq.request_count(), before, "{kind:?}");
        assert!(before <= 2, "{kind:?} {before}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_for_one_contact_rejects_that_contact() {
    let linq = Scripted::new(|_, request| match request.uri().path() {
        "/api/partner/v2/contacts/7" => scripted_answer(403, ""),
        "/api/partner/v2/contacts/8" => scripted_answer(404, GONE),
        _ => scripted_answer(200, r#"{"contacts":[]}"#),
    });
    let client = test_client(&linq);
    let error = client.patch(LinqId(7), &update()).await.unwrap_err();
    assert_eq!(
        error.rejection().map(|rejection| rejection.reason),
        Some(RejectionReason::Forbidden)
    );
    assert_eq!(client.get(LinqId(8)).await.unwrap(), Lookup::Absent);
}

#[tokio::test(start_paused = true)]
async fn a_403_is_no_refused_token_because_the_listing_fails_otherwise() {
    let linq = Scripted::new(|_, request| match request.uri().path() {
        "/api/partner/v2/contacts/7" => scripted_answer(403, ""),
        "/api/partner/v2/contacts/8" => scripted_answer(404, GONE),
        _ => scripted_answer(500, ""),
    });
    let client = test_client(&linq);
    let error = client.patch(LinqId(7), &update()).await.unwrap_err();
    assert_eq!(
        error.rejection().map(|rejection| rejection.reason),
        Some(RejectionReason::Forbidden)
    );
    assert_eq!(client.get(LinqId(8)).await.unwrap(), Lookup::Absent, "requests go on");
}

/// A source that gives `first`, then `second`, then `second` again.
fn changing(first: &'static str, second: &'static str) -> (TokenSource, Arc<AtomicUsize>) {
    let readings = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&readings);
    let source = TokenSource::new(move || {
        let reading = count.fetch_add(1, Ordering::SeqCst);
        Ok(SecretString::from(if reading == 0 { first } else { second }))
    });
    (source, readings)
}

#[tokio::test(start_paused = true)]
async fn a_token_is_read_when_it_is_needed_and_once_more_when_it_is_refused() {
    let (source, readings) = changing("old", " new\n");
    let linq = Scripted::new(|_, request| {
        let status = if request.headers()["x-linq-integration-token"] == "new" { 200 } else { 401 };
        scripted_answer(status, ADA)
    });
    let client = client_with(&linq, source);
    assert_eq!(readings.load(Ordering::SeqCst), 0);
    for _ in 0..3 {
        client.get(LinqId(7)).await.unwrap();
    }
    assert_eq!(linq.tokens_sent(), ["old", "new", "new", "new"]);
    assert_eq!(readings.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_refused_together_read_the_token_once() {
    let (source, readings) = changing("old", "new");
    let linq = Scripted::with_latency(Duration::from_secs(1), |_, request| {
        let status = if request.headers()["x-linq-integration-token"] == "new" { 200 } else { 401 };
        scripted_answer(status, ADA)
    });
    let client = client_with(&linq, source);
    let calls = (0..4).map(|_| client.get(LinqId(7)));
    for found in futures_util::future::join_all(calls).await {
        found.unwrap();
    }
    assert_eq!(linq.tokens_sent(), ["old", "old", "old", "old", "new", "new", "new", "new"]);
    assert_eq!(readings.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_again_stops_the_client() {
    let (source, readings) = changing("old", "new");
    let linq = Scripted::in_order(vec![|| scripted_answer(401, "")]);
    let error = client_with(&linq, source).check_access().await.unwrap_err();
    assert!(matches!(error.verdict, Remedy::TokenRefused(_)), "{error}");
    assert_eq!(linq.tokens_sent(), ["old", "new"]);
    assert_eq!(readings.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_sent() {
    let sources: [fn() -> Result<SecretString, TokenUnavailable>; 4] = [
        || Err(TokenUnavailable::Unreadable("no such file".into())),
        || Ok(SecretString::from(" \n")),
        || Ok(SecretString::from("two\nlines")),
        || panic!("a token command that breaks"),
    ];
    for source in sources {
        let linq = Scripted::in_order(vec![found]);
        let error = client_with(&linq, TokenSource::new(source)).check_access().await.unwrap_err();
        assert!(matches!(error.verdict, Remedy::NoToken(_)), "{error}");
        assert_eq!((error.effect, linq.request_count()), (RequestEffect::NotSent, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_linq_asks_for_is_kept() {
    const NOON: (&str, &str) = ("date", "Fri, 20 Nov 2026 12:00:00 GMT");
    let cases: [(fn() -> AttemptEnd, u64); 4] = [
        (|| answer_with(503, &[("retry-after", "70")], ""), 70),
        (|| answer_with(429, &[("retry-after", "70")], ""), 70),
        (|| answer_with(503, &[NOON, ("retry-after", "Fri, 20 Nov 2026 12:02:00 GMT")], ""), 120),
        (|| answer_with(429, &[("retry-after", "315360000")], ""), 900),
    ];
    for (end, seconds) in cases {
        let linq = Scripted::in_order(vec![end, found]);
        test_client(&linq).get(LinqId(7)).await.unwrap();
        let times = linq.request_times();
        let waited = (times[1] - times[0]).as_secs();
        assert_eq!(waited, seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_make_everybody_wait() {
    let linq = Scripted::new(|n, _| {
        if n == 0 {
            answer_with(429, &[("retry-after", "60")], "")
        } else {
            scripted_answer(200, ADA)
        }
    });
    let client = test_client(&linq);
    let calls = (0..8).map(|_| client.get(LinqId(7)));
    for found in futures_util::future::join_all(calls).await {
        found.unwrap();
    }
    let start = linq.request_times()[0];
    let early = linq.request_times().into_iter().filter(|at| *at < start + Duration::from_mins(1));
    assert!(early.count() <= 4, "only what was under way already");
    assert_eq!(linq.request_count(), 9);
}

#[tokio::test(start_paused = true)]
async fn waits_grow_differ_and_end() {
    let linq = Scripted::in_order(vec![scripted_timeout]);
    test_client(&linq).get(LinqId(7)).await.unwrap_err();
    let times = linq.request_times();
    let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (longest, wait) in [500, 1_000, 2_000, 4_000, 8_000].into_iter().zip(&waits) {
        // Timers count in whole milliseconds.
        assert!(wait.as_millis() <= longest + 1, "{waits:?}");
    }
    assert!(waits.iter().any(|wait| wait.as_millis() > 500), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_linq_that_always_fails_is_not_asked_for_ever() {
    let linq = Scripted::in_order(vec![|| scripted_answer(500, "")]);
    let client = test_client(&linq);
    for _ in 0..100 {
        make(&client, CallKind::Get).await.unwrap_err();
    }
    assert_eq!(
        client.request_counts(),
        RequestCounts { get: 140, retries: 40, ..client.request_counts() }
    );
}

#[tokio::test(start_paused = true)]
async fn no_second_sees_more_requests_than_configured() {
    let linq = Scripted::in_order(vec![found]);
    let client = test_client(&linq);
    futures_util::future::join_all((0..35).map(|_| client.get(LinqId(7)))).await;
    for pair in linq.request_times().windows(11) {
        assert!(pair[10] - pair[0] >= Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_tells_whether_there_was_anything_to_delete() {
    let gone: fn() -> AttemptEnd = || scripted_answer(404, GONE);
    let done: fn() -> AttemptEnd = || scripted_answer(204, "");
    let cases = [(vec![done], Deletion::Done), (vec![gone], Deletion::AlreadyGone)];
    for (ends, expected) in cases {
        let linq = Scripted::in_order(ends);
        assert_eq!(test_client(&linq).delete(LinqId(7)).await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn errors_and_logs_hold_neither_the_token_nor_a_person() {
    const NAME: &str = "linq::exchange::tests::errors_and_logs_hold_neither_the_token_nor_a_person";
    const SECRETS: [&str; 4] = ["CANARY-token", "canary@person.example", "canary%40", "Canaria"];
    if !is_alone(NAME, &[]) {
        return;
    }
    let logs = captured::Log::default();
    let _guard = tracing::subscriber::set_default(logs.subscriber());
    let quoting = r#"{"error_code":"canary@person.example","message":"Canaria CANARY-token",
            "errors":["canary@person.example"],"data":{"first_name":"Canaria"}}"#;
    let mut told = Vec::new();
    for status in [200, 302, 400, 401, 403, 404, 409, 422, 429, 500] {
        for kind in KINDS {
            let linq = Scripted::new(move |_, _| {
                let id = ("x-request-id", "canary@person.example");
                answer_with(status, &[id, ("location", "https://Canaria.example")], quoting)
            });
            let token = TokenSource::fixed(SecretString::from(SECRETS[0]));
            let client = client_with(&linq, token);
            let ended = match kind {
                CallKind::Find => client.find(FindBy::Email(SECRETS[1])).await.map(drop),
                CallKind::Create => {
                    let person = [(Field::FirstName, "Canaria".to_owned())];
                    client.create(&Values::from_iter(person), Some(SECRETS[1])).await.map(drop)
                }
                CallKind::List
                | CallKind::Get
                | CallKind::Patch
                | CallKind::Put
                | CallKind::Delete => make(&client, kind).await,
            };
            if let Err(error) = ended {
                let cause = error.source();
                told.push(format!("{error} {error:?} {cause:?}"));
            }
        }
    }
    told.push(logs.text());
    let told = told.join("\n");
    assert!(told.contains("linq answered") && told.contains("update contact 7: 422"), "{told}");
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

mod captured {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        pub(super) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(self.clone())
                .finish()
        }

        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Log {
        type Writer = Log;

        fn make_writer(&'a self) -> Log {
            self.clone()
        }
    }
}
