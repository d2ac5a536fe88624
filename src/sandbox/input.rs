//! The body of a create or update (schema `ContactInput`).
//!
//! Owns reading it and refusing what the documents refuse. Leaves the users and
//! the contacts to [`super::store`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::RequestProblem;
use super::contact::{IDENTITY, WRITABLE};
use super::formats;
use super::quirks::PhoneForm;

/// What a create or update asks for. Members that the schema does not know are
/// not in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// The writable members that were given; `None` for a blank.
    pub(super) texts: BTreeMap<&'static str, Option<String>>,
    /// The user who shall own the contact, if one was named.
    pub(super) user_email: Option<String>,
}

impl Input {
    /// Reads `body`, which must be a JSON object with the member `contact`.
    pub(super) fn read_body(body: &[u8], phone: PhoneForm) -> Result<Input, RequestProblem> {
        let body: Value = serde_json::from_slice(body).map_err(|_| RequestProblem::NotJson)?;
        let Some(Value::Object(contact)) = body.get("contact") else {
            return Err(RequestProblem::invalid_because("The contact parameter is required"));
        };
        let mut errors = Vec::new();
        let input = Input {
            texts: member_texts(contact, &mut errors),
            user_email: body
                .get("user_email")
                .and_then(|value| member_text("user_email", value, &mut errors)),
        };
        if errors.is_empty() {
            errors = input.errors(phone);
        }
        if errors.is_empty() { Ok(input) } else { Err(RequestProblem::Invalid(errors)) }
    }

    fn errors(&self, phone: PhoneForm) -> Vec<String> {
        let given = |name: &str| self.texts.get(name).and_then(Option::as_deref);
        let mut errors = Vec::new();
        if IDENTITY.into_iter().all(|name| given(name).is_none()) {
            errors.push(NO_IDENTITY.to_owned());
        }
        if given("email").is_some_and(|email| !formats::is_email(email)) {
            errors.push("Email is invalid".to_owned());
        }
        let checked = phone != PhoneForm::Any;
        if checked && given("phone_number").is_some_and(|text| formats::to_e164(text).is_none()) {
            errors.push("Phone number is invalid".to_owned());
        }
        errors
    }
}

/// The documents' own words.
const NO_IDENTITY: &str =
    "At least one of the name, email, or phone number fields must be filled out for the contact";

fn member_texts(
    contact: &Map<String, Value>,
    errors: &mut Vec<String>,
) -> BTreeMap<&'static str, Option<String>> {
    let given = WRITABLE.into_iter().filter_map(|name| Some((name, contact.get(name)?)));
    given.map(|(name, value)| (name, member_text(name, value, errors))).collect()
}

/// The text of one member; `None` for a blank, which `null` is too.
fn member_text(name: &str, value: &Value, errors: &mut Vec<String>) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            errors.push(format!("{name} must be a string"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Input, RequestProblem> {
        Input::read_body(body.as_bytes(), PhoneForm::E164)
    }

    fn errors(body: &str) -> Vec<String> {
        match read(body) {
            Err(RequestProblem::Invalid(errors)) => errors,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn blanks_are_told_from_members_that_were_not_given() {
        let body = r#"{"contact": {"first_name": "Ada", "title": "", "company": null,
            "location": " ", "tags": ["x"], "user_email": "x@example.com"}}"#;
        let input = read(body).unwrap();
        let expected = [
            ("company", None),
            ("first_name", Some("Ada".to_owned())),
            ("location", None),
            ("title", None),
        ];
        assert_eq!(input.texts, expected.into_iter().collect());
        assert_eq!(input.user_email, None, "inside the contact it is one more unknown member");
    }

    #[test]
    fn the_owner_is_named_beside_the_contact_and_a_blank_names_nobody() {
        let named = |value: &str| {
            let body = format!(r#"{{"contact": {{"email": "a@b.c"}}, "user_email": {value}}}"#);
            read(&body).unwrap().user_email
        };
        assert_eq!(named(r#""jo@example.com""#).as_deref(), Some("jo@example.com"));
        assert_eq!(named(r#""""#), None);
        assert_eq!(named("null"), None);
    }

    #[test]
    fn what_the_documents_refuse_is_refused() {
        assert_eq!(read("{").unwrap_err(), RequestProblem::NotJson);
        for body in ["{}", "[]", r#"{"first_name": "Ada"}"#, r#"{"contact": "Ada"}"#] {
            assert_eq!(errors(body), ["The contact parameter is required"], "{body}");
        }
        for contact in ["{}", r#"{"title": "CEO"}"#, r#"{"first_name": " ", "company": "X"}"#] {
            assert_eq!(errors(&format!(r#"{{"contact": {contact}}}"#)), [NO_IDENTITY], "{contact}");
        }
        let both = r#"{"contact": {"email": "ada", "phone_number": "911"}}"#;
        assert_eq!(errors(both), ["Email is invalid", "Phone number is invalid"]);
        let typed = r#"{"contact": {"first_name": 5, "title": {}}, "user_email": false}"#;
        let strings = [
            "first_name must be a string",
            "title must be a string",
            "user_email must be a string",
        ];
        assert_eq!(errors(typed), strings);
    }

    #[test]
    fn the_quirk_phone_any_takes_every_phone_number() {
        let body = br#"{"contact": {"phone_number": "ask Bob"}}"#;
        let input = Input::read_body(body, PhoneForm::Any).unwrap();
        assert_eq!(input.texts["phone_number"].as_deref(), Some("ask Bob"));
    }
}
