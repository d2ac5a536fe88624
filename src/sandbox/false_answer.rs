//! Lies: true answers, told wrongly.
//!
//! Owns what each lie does to an answer that was carried out. Leaves when it is
//! told to [`super::fault`].

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

/// What is wrong with an answer.
///
/// | text | meaning |
/// |---|---|
/// | `short` | a page lacks its last contact |
/// | `empty-page` | a page has no contacts |
/// | `repeat` | a page after the first shows the contacts of the page before |
/// | `twice` | a page ends with its first contact once more |
/// | `more`, `fewer` | `total_count` is one too many, or too few |
/// | `no-totals` | a page says nothing about the whole |
/// | `page-size` | pages are counted as asked for, and hold 25 contacts at most |
/// | `typed` | ids come as texts and phone numbers as numbers |
/// | `unknown` | every object has members that nobody knows |
/// | `no-ids` | contacts have no id |
/// | `other` | the answer is about the contact with the next id |
/// | `not-utf8` | the texts are not UTF-8 |
/// | `nested` | the answer is an array in an array, a hundred thousand times |
/// | `huge` | the answer is followed by nine million spaces |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FalseAnswer {
    /// `short`
    Short,
    /// `empty-page`
    EmptyPage,
    /// `repeat`
    Repeat,
    /// `twice`
    Twice,
    /// `more`
    More,
    /// `fewer`
    Fewer,
    /// `no-totals`
    NoTotals,
    /// `page-size`
    PageSize,
    /// `typed`
    Typed,
    /// `unknown`
    Unknown,
    /// `no-ids`
    NoIds,
    /// `other`
    Other,
    /// `not-utf8`
    NotUtf8,
    /// `nested`
    Nested,
    /// `huge`
    Huge,
}

impl FalseAnswer {
    /// Every lie by its name.
    pub const ALL: [(&'static str, FalseAnswer); 15] = [
        ("short", FalseAnswer::Short),
        ("empty-page", FalseAnswer::EmptyPage),
        ("repeat", FalseAnswer::Repeat),
        ("twice", FalseAnswer::Twice),
        ("more", FalseAnswer::More),
        ("fewer", FalseAnswer::Fewer),
        ("no-totals", FalseAnswer::NoTotals),
        ("page-size", FalseAnswer::PageSize),
        ("typed", FalseAnswer::Typed),
        ("unknown", FalseAnswer::Unknown),
        ("no-ids", FalseAnswer::NoIds),
        ("other", FalseAnswer::Other),
        ("not-utf8", FalseAnswer::NotUtf8),
        ("nested", FalseAnswer::Nested),
        ("huge", FalseAnswer::Huge),
    ];

    /// The lie of this name.
    pub(super) fn from_name(name: &str) -> Option<FalseAnswer> {
        FalseAnswer::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, lie)| lie)
    }

    /// The request that is carried out in place of `asked`.
    pub(super) fn altered_request(self, asked: &Request<Bytes>) -> Request<Bytes> {
        match self {
            FalseAnswer::Repeat => with_query_number(
                asked,
                "page",
                query_number(asked, "page").saturating_sub(1).max(1),
            ),
            FalseAnswer::PageSize => with_query_number(asked, "per_page", 25),
            FalseAnswer::Short
            | FalseAnswer::EmptyPage
            | FalseAnswer::Twice
            | FalseAnswer::More
            | FalseAnswer::Fewer
            | FalseAnswer::NoTotals
            | FalseAnswer::Typed
            | FalseAnswer::Unknown
            | FalseAnswer::NoIds
            | FalseAnswer::Other
            | FalseAnswer::NotUtf8
            | FalseAnswer::Nested
            | FalseAnswer::Huge => asked.clone(),
        }
    }

    /// The true answer to what was `asked`, told wrongly.
    pub(super) fn alter_answer(
        self,
        asked: &Request<Bytes>,
        truth: Response<Bytes>,
    ) -> Response<Bytes> {
        match self {
            FalseAnswer::NotUtf8 => truth.map(|body| broken_texts(&body)),
            FalseAnswer::Nested => truth.map(|_| "[".repeat(100_000).into()),
            FalseAnswer::Huge => {
                truth.map(|body| [&body[..], &vec![b' '; 9_000_000]].concat().into())
            }
            FalseAnswer::Short
            | FalseAnswer::EmptyPage
            | FalseAnswer::Repeat
            | FalseAnswer::Twice
            | FalseAnswer::More
            | FalseAnswer::Fewer
            | FalseAnswer::NoTotals
            | FalseAnswer::PageSize
            | FalseAnswer::Typed
            | FalseAnswer::Unknown
            | FalseAnswer::NoIds
            | FalseAnswer::Other => truth.map(|body| match serde_json::from_slice(&body) {
                Ok(mut told) => {
                    self.alter_body(asked, &mut told);
                    told.to_string().into()
                }
                Err(_) => body,
            }),
        }
    }

    fn alter_body(self, asked: &Request<Bytes>, told: &mut Value) {
        let total = told["pagination"]["total_count"].as_u64().unwrap_or(0);
        match self {
            FalseAnswer::Typed => each_contact(told, &retype_values),
            FalseAnswer::Unknown => each_contact(told, &|contact| {
                contact["tags"] = json!(["x", {"deep": [null]}]);
            }),
            FalseAnswer::NoIds => each_contact(told, &|contact| contact["id"] = Value::Null),
            FalseAnswer::Other => each_contact(told, &|contact| {
                contact["id"] = json!(contact["id"].as_u64().unwrap_or(0) + 1);
            }),
            _ if told.get("pagination").is_none() => {}
            FalseAnswer::Short => drop(told["contacts"].as_array_mut().and_then(Vec::pop)),
            FalseAnswer::EmptyPage => told["contacts"] = json!([]),
            FalseAnswer::Repeat => {
                told["pagination"]["current_page"] = json!(query_number(asked, "page").max(1));
            }
            FalseAnswer::Twice => {
                let first = told["contacts"][0].clone();
                told["contacts"]
                    .as_array_mut()
                    .into_iter()
                    .for_each(|list| list.push(first.clone()));
            }
            FalseAnswer::More => told["pagination"]["total_count"] = json!(total + 1),
            FalseAnswer::Fewer => {
                told["pagination"]["total_count"] = json!(total.saturating_sub(1));
            }
            FalseAnswer::NoTotals => told["pagination"] = Value::Null,
            FalseAnswer::PageSize => {
                let per_page = query_number(asked, "per_page").clamp(1, 100);
                told["pagination"]["per_page"] = json!(per_page);
                told["pagination"]["total_pages"] = json!(total.div_ceil(per_page));
            }
            FalseAnswer::NotUtf8 | FalseAnswer::Nested | FalseAnswer::Huge => {}
        }
    }
}

/// Changes every contact of an answer, whatever its envelope.
fn each_contact(told: &mut Value, change: &dyn Fn(&mut Value)) {
    if let Some(list) = told.get_mut("contacts").and_then(Value::as_array_mut) {
        list.iter_mut().for_each(change);
        return;
    }
    for envelope in ["data", "contact"] {
        if let Some(contact) = told.get_mut(envelope).filter(|inner| inner.is_object()) {
            change(contact);
            return;
        }
    }
    if told.get("id").is_some() {
        change(told);
    }
}

fn retype_values(contact: &mut Value) {
    contact["id"] = json!(contact["id"].to_string());
    let digits = contact["phone_number"].as_str().map(|text| text.trim_start_matches('+'));
    if let Some(number) = digits.and_then(|digits| digits.parse::<u64>().ok()) {
        contact["phone_number"] = json!(number);
    }
}

/// Puts a byte into the first text value that no UTF-8 has.
fn broken_texts(body: &[u8]) -> Bytes {
    let text = body.windows(2).position(|two| two == b":\"");
    let at = text.map_or(body.len(), |colon| colon + 2);
    [&body[..at], b"\xff", &body[at..]].concat().into()
}

fn query_pairs(asked: &Request<Bytes>) -> Vec<(String, String)> {
    let query = asked.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A number of the query; 0 where there is none.
fn query_number(asked: &Request<Bytes>, name: &str) -> u64 {
    let given = query_pairs(asked).into_iter().rfind(|(given, _)| given == name);
    given.and_then(|(_, text)| text.parse().ok()).unwrap_or(0)
}

/// The request with another number in its query.
fn with_query_number(asked: &Request<Bytes>, name: &str, number: u64) -> Request<Bytes> {
    let mut pairs = query_pairs(asked);
    pairs.retain(|(given, _)| given != name);
    pairs.push((name.to_owned(), number.to_string()));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut request = asked.clone();
    if let Ok(uri) = format!("{}?{query}", asked.uri().path()).parse() {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::testing::{get_path, new_request, test_sandbox, try_ask};
    use super::super::{Options, Sandbox};
    use super::*;

    fn told(lie: &str, path: &str) -> Value {
        let sandbox = Sandbox::new(Options { contacts: 250, ..Options::default() });
        sandbox.add_fault(format!("any lie={lie}").parse().unwrap());
        get_path(&sandbox, path).body
    }

    fn shown(body: &Value) -> usize {
        body["contacts"].as_array().unwrap().len()
    }

    #[test]
    fn a_lie_about_a_page_changes_what_it_says_and_nothing_else() {
        let truth = told("unknown", "?page=2&per_page=100");
        assert_eq!((shown(&truth), &truth["pagination"]["total_count"]), (100, &json!(250)));
        assert_eq!(truth["contacts"][0]["tags"][0], "x");
        for (lie, contacts, total) in [
            ("short", 99, 250),
            ("empty-page", 0, 250),
            ("twice", 101, 250),
            ("more", 100, 251),
            ("fewer", 100, 249),
        ] {
            let body = told(lie, "?page=2&per_page=100");
            assert_eq!(
                (shown(&body), &body["pagination"]["total_count"]),
                (contacts, &json!(total)),
                "{lie}"
            );
        }
        assert_eq!(told("no-totals", "?page=2")["pagination"], Value::Null);
        let small = told("page-size", "?page=2&per_page=100");
        assert_eq!((shown(&small), &small["pagination"]["total_pages"]), (25, &json!(3)));
        let (first, second) =
            (told("unknown", "?per_page=100"), told("repeat", "?page=2&per_page=100"));
        assert_eq!(first["contacts"][0]["id"], second["contacts"][0]["id"]);
        assert_eq!(second["pagination"]["current_page"], 2);
    }

    #[test]
    fn a_lie_about_a_contact_reaches_it_in_every_envelope() {
        for shape in ["bare", "contact", "data"] {
            let sandbox = test_sandbox(&[&format!("find-shape={shape}")]);
            let ada = [("email", "a@b.example"), ("phone_number", "+14155550001")];
            let id = sandbox.insert(ada).unwrap();
            sandbox.add_fault("any lie=typed".parse().unwrap());
            let found = get_path(&sandbox, "/find?email=a@b.example").body.to_string();
            assert!(found.contains(&format!("\"id\":\"{id}\"")), "{found}");
            assert!(found.contains("\"phone_number\":14155550001"), "{found}");
        }
        assert_eq!(told("no-ids", "?per_page=1")["contacts"][0]["id"], Value::Null);
    }

    #[test]
    fn a_body_that_cannot_be_read_is_none() {
        for lie in ["not-utf8", "nested"] {
            assert_eq!(told(lie, "?per_page=1"), Value::Null, "{lie}");
        }
        let huge = test_sandbox(&["phone=any"]);
        huge.add_fault("list lie=huge".parse().unwrap());
        assert!(try_ask(&huge, "GET", "", &Value::Null).is_ok());
        assert_eq!(query_number(&new_request("GET", "?page=7", ""), "page"), 7);
    }
}
