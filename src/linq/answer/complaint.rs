//! What the body of an error says.
//!
//! Owns the forms in which errors occur, and which fields they name. Leaves what follows
//! from that to [`super::super::verdict`].

use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::model::{Field, FieldSet};

/// What the body of an error says: a code for programs, texts for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::linq) struct Complaint {
    pub(in crate::linq) code: Option<String>,
    pub(in crate::linq) texts: Vec<String>,
    pub(in crate::linq) named: Named,
}

/// The fields that an error names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Each of them.
    pub fields: FieldSet,
    /// Whether each has an error of its own, so that all of them are refused. Otherwise
    /// an error names several, and it may be any of them.
    pub each: bool,
    /// What is said about single fields.
    texts: Vec<(Field, String)>,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The texts may quote values.
        f.debug_struct("Named")
            .field("fields", &self.fields)
            .field("each", &self.each)
            .finish_non_exhaustive()
    }
}

impl Named {
    /// What is said about `field`, as far as it is said about that field alone.
    pub fn texts_about(&self, field: Field) -> impl Iterator<Item = &str> {
        let about = self.texts.iter().filter(move |(of, _)| *of == field);
        about.map(|(_, text)| text.as_str())
    }
}

/// Reads the body of an error in any of the forms that occur: the documented
/// `{status, error_code, message, errors: [text]}`, `{errors: [{code, title,
/// detail}]}`, `{error: {type, messages}}`, errors by the name of the field, or something
/// else, such as HTML.
pub(in crate::linq) fn read_complaint(body: &[u8]) -> Complaint {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let codes = [&body["error_code"], &body["errors"][0]["code"], &body["error"]["type"]];
    let code = codes.into_iter().filter_map(Value::as_str).find(|text| looks_like_a_code(text));
    let mut errors = Errors::default();
    for place in [&body["message"], &body["errors"], &body["error"]["messages"], &body["error"]] {
        errors.collect_texts(place);
    }
    Complaint { code: code.map(str::to_owned), named: errors.named_fields(), texts: errors.texts }
}

/// A code is printed in errors, so nothing that could be a person's is taken for one.
fn looks_like_a_code(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The single errors of a body.
#[derive(Default)]
struct Errors {
    texts: Vec<String>,
    /// Members that were named beside a text, each with the text.
    members: Vec<(Field, String)>,
}

impl Errors {
    const MOST: usize = 10;

    /// Adds the texts at `place`, or one level below it.
    fn collect_texts(&mut self, place: &Value) {
        if let Value::Object(members) = place {
            self.collect_members(members);
        }
        let one = std::slice::from_ref(place);
        for entry in place.as_array().map_or(one, Vec::as_slice) {
            let found = [entry, &entry["detail"], &entry["message"], &entry["title"]];
            let Some(text) = found.into_iter().find_map(Value::as_str) else { continue };
            let text = printable_text(text);
            if let Some(field) = named_member(entry) {
                self.add_member(field, &text);
            }
            self.add_text(text);
        }
    }

    /// Adds errors that stand under the name of a field: `{"email": ["is invalid"]}`.
    fn collect_members(&mut self, members: &Map<String, Value>) {
        for (name, errors) in members {
            let Some(field) = field_of_member(name) else { continue };
            let one = std::slice::from_ref(errors);
            for text in errors.as_array().map_or(one, Vec::as_slice) {
                let Some(text) = text.as_str() else { continue };
                let text = printable_text(&format!("{name} {text}"));
                self.add_member(field, &text);
                self.add_text(text);
            }
        }
    }

    fn add_text(&mut self, text: String) {
        if self.texts.len() < Self::MOST && !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }

    fn add_member(&mut self, field: Field, text: &str) {
        if self.members.len() < Self::MOST {
            self.members.push((field, text.to_owned()));
        }
    }

    fn named_fields(&self) -> Named {
        if !self.members.is_empty() {
            let fields = self.members.iter().map(|(field, _)| *field).collect();
            return Named { fields, each: true, texts: self.members.clone() };
        }
        let mut named = Named { each: true, ..Named::default() };
        let mut shared = FieldSet::EMPTY;
        for text in &self.texts {
            for clause in split_sentences(text).flat_map(split_clauses) {
                let fields = fields_of_clause(clause);
                match fields.len() {
                    0 => continue,
                    1 => named.texts.extend(fields.iter().map(|field| (field, text.clone()))),
                    _ => shared.extend(fields.iter()),
                }
                named.fields.extend(fields.iter());
            }
        }
        let alone: FieldSet = named.texts.iter().map(|(field, _)| *field).collect();
        named.each = shared.iter().all(|field| alone.contains(field));
        named
    }
}

fn printable_text(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// The field that an entry names in a member of its own, as JSON:API does by a pointer.
fn named_member(entry: &Value) -> Option<Field> {
    let source = &entry["source"];
    let places = [
        &source["pointer"],
        &source["parameter"],
        &entry["field"],
        &entry["attribute"],
        &entry["param"],
    ];
    places.into_iter().filter_map(Value::as_str).find_map(field_of_member)
}

/// The field that the last part of a path such as `/data/attributes/email` names.
fn field_of_member(path: &str) -> Option<Field> {
    let last = path.rsplit(['/', '.']).next()?.trim_end_matches(']');
    match last.rsplit('[').next()? {
        "user_email" | "contact_owner" => Some(Field::Owner),
        "phone" => Some(Field::PhoneNumber),
        name => Field::from_name(name),
    }
}

fn split_sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split(". ").flat_map(|part| part.split("; ")).flat_map(|part| part.split(": "))
}

/// "Email is invalid, Phone number is invalid" are two; "the name, email or phone" is one.
fn split_clauses(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let comma = text.match_indices(',').map(|(at, _)| at).find(|at| {
            let (before, after) = (&text[..*at], &text[at + 1..]);
            says_something(before) && says_something(after)
        });
        let (clause, after) = match comma {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(clause)
    })
}

/// Whether a text has a verb: a list of fields has none.
fn says_something(text: &str) -> bool {
    const VERBS: [&str; 12] = [
        "is", "are", "must", "has", "have", "can", "cannot", "can't", "should", "needs", "does",
        "isn't",
    ];
    text.split_whitespace().any(|word| VERBS.contains(&word.to_lowercase().as_str()))
}

/// What people call the fields; the longer name of two that begin alike first.
const NAMES: [(&str, &[Field]); 22] = [
    ("user email", &[Field::Owner]),
    ("contact owner", &[Field::Owner]),
    ("owner", &[Field::Owner]),
    ("first name", &[Field::FirstName]),
    ("firstname", &[Field::FirstName]),
    ("given name", &[Field::FirstName]),
    ("last name", &[Field::LastName]),
    ("lastname", &[Field::LastName]),
    ("family name", &[Field::LastName]),
    ("surname", &[Field::LastName]),
    ("company name", &[Field::Company]),
    ("company", &[Field::Company]),
    ("job title", &[Field::Title]),
    ("title", &[Field::Title]),
    ("full name", &[Field::FirstName, Field::LastName]),
    ("name", &[Field::FirstName, Field::LastName]),
    ("email", &[Field::Email]),
    ("e-mail", &[Field::Email]),
    ("phone number", &[Field::PhoneNumber]),
    ("phone", &[Field::PhoneNumber]),
    ("telephone", &[Field::PhoneNumber]),
    ("location", &[Field::Location]),
];

/// The field that a clause is about: the one that it names first, and those that are
/// named together with it. A value that is quoted names none.
fn fields_of_clause(clause: &str) -> FieldSet {
    let text = strip_quoted(clause).to_lowercase().replace('_', " ");
    let mut found: Vec<(Range<usize>, &[Field])> = Vec::new();
    for (name, fields) in NAMES {
        for (at, _) in text.match_indices(name) {
            let range = at..at + name.len();
            let is_free =
                found.iter().all(|(other, _)| range.end <= other.start || other.end <= range.start);
            if is_free && is_word(&text, &range) {
                found.push((range, fields));
            }
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    let mut named = FieldSet::EMPTY;
    let mut end = None;
    for (range, fields) in found {
        let goes_on = end.is_none_or(|end| is_and(&text[end..range.start]));
        if !goes_on {
            break;
        }
        named.extend(fields.iter().copied());
        end = Some(range.end);
    }
    named
}

fn is_word(text: &str, range: &Range<usize>) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '@';
    !text[..range.start].ends_with(part)
        && !text[range.end..].trim_start_matches('s').starts_with(part)
}

/// Whether nothing but "and", "or" and commas stand between two names.
fn is_and(between: &str) -> bool {
    let words = between.split(|c: char| c.is_whitespace() || ",/&".contains(c));
    words.filter(|word| !word.is_empty()).all(|word| ["and", "or", "the", "fields"].contains(&word))
}

/// The text without what stands in quotation marks: it may be a value.
fn strip_quoted(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = None;
    let mut before = ' ';
    for c in text.chars() {
        let opens = match c {
            '"' | '`' => Some(c),
            '\'' if !before.is_alphanumeric() => Some(c),
            '“' => Some('”'),
            _ => None,
        };
        match (inside, opens) {
            (Some(end), _) if c == end => inside = None,
            (Some(_), _) => {}
            (None, Some(end)) => inside = Some(end),
            (None, None) => kept.push(c),
        }
        before = c;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(body: &str) -> (Vec<Field>, bool) {
        let named = read_complaint(body.as_bytes()).named;
        (named.fields.iter().collect(), named.each)
    }

    fn of_texts(texts: &[&str]) -> (Vec<Field>, bool) {
        named(
            &serde_json::json!({ "message": "Contact validation failed", "errors": texts })
                .to_string(),
        )
    }

    #[test]
    fn a_text_names_the_field_that_it_is_about() {
        use Field::{Company, Email, FirstName, LastName, Location, Owner, PhoneNumber, Title};
        let table: [(&str, &[Field]); 16] = [
            ("Email is invalid", &[Email]),
            ("Phone number is invalid", &[PhoneNumber]),
            ("first_name must be a string", &[FirstName]),
            ("user_email must be an existing user", &[Owner]),
            ("Invalid e-mail address", &[Email]),
            ("The contact's job title is too long (maximum is 255 characters)", &[Title]),
            ("Last name can't be blank", &[LastName]),
            ("Location contains forbidden characters", &[Location]),
            ("Phone number 'company' is invalid for this company", &[PhoneNumber]),
            ("Email title@location.example is invalid", &[Email]),
            ("Company \"Phone Title\" is a reserved word", &[Company]),
            ("A value can't be blank", &[]),
            ("Contact validation failed", &[]),
            ("The entitled contact is not accessible", &[]),
            ("Titles are limited to 40 characters", &[Title]),
            ("", &[]),
        ];
        for (text, fields) in table {
            assert_eq!(of_texts(&[text]), (fields.to_vec(), true), "{text}");
        }
    }

    #[test]
    fn several_errors_name_several_fields() {
        use Field::{Email, FirstName, LastName, PhoneNumber};
        let both = (vec![Email, PhoneNumber], true);
        assert_eq!(of_texts(&["Email is invalid", "Phone number is invalid"]), both);
        assert_eq!(of_texts(&["Validation failed: Email is invalid, Phone is too long"]), both);
        // It may be any of them.
        assert_eq!(
            of_texts(&["Email or phone number is invalid"]),
            (vec![Email, PhoneNumber], false)
        );
        let identity = "At least one of the name, email, or phone number fields must be filled out";
        let all = vec![FirstName, LastName, Email, PhoneNumber];
        assert_eq!(of_texts(&[identity]), (all, false));
    }

    #[test]
    fn a_member_that_is_named_beside_the_text_counts_before_the_text() {
        let pointer = r#"{"errors":[{"status":"422","detail":"is invalid in this company",
            "source":{"pointer":"/data/attributes/phone_number"}}]}"#;
        assert_eq!(named(pointer), (vec![Field::PhoneNumber], true));
        let by_name = r#"{"errors":{"email":["is invalid"],"title":["is too long"],"x":["y"]}}"#;
        assert_eq!(named(by_name), (vec![Field::Email, Field::Title], true));
        let complaint = read_complaint(by_name.as_bytes());
        assert_eq!(complaint.texts, ["email is invalid", "title is too long"]);
        let about: Vec<&str> = complaint.named.texts_about(Field::Title).collect();
        assert_eq!(about, ["title is too long"]);
        let typed = r#"{"error":{"type":"invalid","messages":["Phone number is invalid"]}}"#;
        assert_eq!(named(typed), (vec![Field::PhoneNumber], true));
        assert_eq!(named("<html>"), (vec![], true));
    }
}
