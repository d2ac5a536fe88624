//! The page about JSON, as a description that documents are compared with.
//!
//! Whatever a linqsync of these tests prints as JSON must be as `docs/reference/json.md`
//! says: each member is on the page and of its type, and none is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The page.
pub(crate) static PAGE: LazyLock<Forms> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/json.md");
    Forms::of(&std::fs::read_to_string(path).unwrap())
});

/// A member of a form, by the form's anchor and its own name.
pub(crate) type DocumentedMember = (String, String);

/// The forms of a page: tables of members, each below a heading.
pub(crate) struct Forms(BTreeMap<String, BTreeMap<String, Vec<Type>>>);

#[derive(Debug, PartialEq, Eq)]
enum Type {
    Absent,
    Null,
    Text,
    Number,
    Boolean,
    Instant,
    Constant(String),
    Form(String),
    List(Box<Type>),
}

/// The part of a link that leads to a heading, as the usual renderers make it.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

/// Compares what was printed with the page, if it is a document.
#[track_caller]
pub(crate) fn expect_documented(printed: &str) {
    let Ok(document) = serde_json::from_str::<Value>(printed) else { return };
    if document["schema"].is_string()
        && let Err(difference) = PAGE.compare(&document)
    {
        panic!("docs/reference/json.md is not what is printed: {difference}\n{document:#}");
    }
}

impl Forms {
    fn of(page: &str) -> Forms {
        let (mut forms, mut at) = (BTreeMap::new(), String::new());
        for line in page.lines() {
            if let Some(heading) = line.strip_prefix("##") {
                at = anchor(heading.trim_start_matches('#').trim());
            } else if let Some(row) = line.strip_prefix("| `")
                && !at.is_empty()
            {
                let mut cells = row.split(" | ");
                let member = cells.next().unwrap().trim_end_matches('`').to_owned();
                let types = types(cells.next().unwrap());
                let form: &mut BTreeMap<String, Vec<Type>> = forms.entry(at.clone()).or_default();
                assert!(form.insert(member, types).is_none(), "twice: {line}");
            }
        }
        Forms(forms)
    }

    /// Every member that the page has.
    pub(crate) fn members(&self) -> BTreeSet<DocumentedMember> {
        let of =
            |(form, members): (&String, &BTreeMap<String, Vec<Type>>)| -> Vec<DocumentedMember> {
                members.keys().map(|member| (form.clone(), member.clone())).collect()
            };
        self.0.iter().flat_map(of).collect()
    }

    /// The members that a document has, if it is as the page says.
    pub(crate) fn compare(&self, document: &Value) -> Result<BTreeSet<DocumentedMember>, String> {
        let form = anchor(document["schema"].as_str().unwrap_or_default());
        self.form(&form, document, &form)
    }

    fn form(
        &self,
        form: &str,
        value: &Value,
        at: &str,
    ) -> Result<BTreeSet<DocumentedMember>, String> {
        let members = self.0.get(form).ok_or(format!("{at}: no form `{form}`"))?;
        let object = value.as_object().ok_or(format!("{at}: no object"))?;
        let mut found = BTreeSet::new();
        for (name, value) in object {
            let member = if members.contains_key(name) { name } else { "*" };
            let types = members.get(member).ok_or(format!("{at}.{name} is not on the page"))?;
            found.insert((form.to_owned(), member.to_owned()));
            found.extend(self.one_of(types, value, &format!("{at}.{name}"))?);
        }
        match missing(members, object) {
            Some(name) => Err(format!("{at} has no {name}")),
            None => Ok(found),
        }
    }

    fn one_of(
        &self,
        types: &[Type],
        value: &Value,
        at: &str,
    ) -> Result<BTreeSet<DocumentedMember>, String> {
        let mut wrong = Vec::new();
        for each in types {
            match self.of_type(each, value, at) {
                Ok(found) => return Ok(found),
                Err(why) => wrong.push(why),
            }
        }
        Err(wrong.join("; "))
    }

    fn of_type(
        &self,
        each: &Type,
        value: &Value,
        at: &str,
    ) -> Result<BTreeSet<DocumentedMember>, String> {
        let fits = match each {
            Type::Form(form) => return self.form(form, value, at),
            Type::List(inner) => {
                let list = value.as_array().ok_or(format!("{at}: no list"))?;
                let inner = |value| self.of_type(inner, value, &format!("{at}[]"));
                return list.iter().map(inner).try_fold(BTreeSet::new(), |mut all, found| {
                    all.extend(found?);
                    Ok(all)
                });
            }
            Type::Absent => false,
            Type::Null => value.is_null(),
            Type::Text => value.is_string(),
            Type::Number => value.is_u64(),
            Type::Boolean => value.is_boolean(),
            Type::Instant => value.as_str().is_some_and(|text| {
                text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
            }),
            Type::Constant(text) => value == text.as_str(),
        };
        if fits { Ok(BTreeSet::new()) } else { Err(format!("{at} is no {each:?}: {value}")) }
    }
}

fn missing(members: &BTreeMap<String, Vec<Type>>, object: &Map<String, Value>) -> Option<String> {
    let needed = |(name, types): &(&String, &Vec<Type>)| {
        *name != "*" && !types.contains(&Type::Absent) && !object.contains_key(*name)
    };
    members.iter().find(needed).map(|(name, _)| name.clone())
}

/// A cell such as ``list of [side](#a-side), `"x"` or null``.
fn types(cell: &str) -> Vec<Type> {
    cell.split(", ").flat_map(|part| part.split(" or ")).map(|text| of_text(text.trim())).collect()
}

fn of_text(text: &str) -> Type {
    if let Some(inner) = text.strip_prefix("list of ") {
        return Type::List(Box::new(of_text(inner)));
    }
    if let Some((_, form)) = text.split_once("](#") {
        return Type::Form(form.trim_end_matches(')').to_owned());
    }
    match text {
        "absent" => Type::Absent,
        "null" => Type::Null,
        "text" => Type::Text,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        "instant" => Type::Instant,
        _ => {
            let constant = text.strip_prefix("`\"").and_then(|text| text.strip_suffix("\"`"));
            Type::Constant(constant.unwrap_or_else(|| panic!("no type: {text}")).to_owned())
        }
    }
}

#[test]
fn a_document_is_compared_with_the_page_member_by_member() {
    let page = Forms::of(
        "## `x/1`\n| `schema` | `\"x/1\"` | |\n| `n` | number or null | |\n\
         | `of` | list of [part](#a-part) or absent | |\n### A part\n| `*` | text | |\n",
    );
    let compared = |text: &str| page.compare(&serde_json::from_str(text).unwrap());
    let part = ("a-part".to_owned(), "*".to_owned());
    let good = compared(r#"{"schema": "x/1", "n": null, "of": [{"a": "b"}]}"#).unwrap();
    assert!(good.contains(&part) && good == page.members(), "{good:?}");
    for bad in [
        r#"{"schema": "x/1"}"#,
        r#"{"schema": "x/1", "n": "1"}"#,
        r#"{"schema": "x/1", "n": 1, "m": 1}"#,
        r#"{"schema": "x/1", "n": 1, "of": [{"a": 1}]}"#,
        r#"{"schema": "y/1", "n": 1}"#,
    ] {
        assert!(compared(bad).is_err(), "{bad}");
    }
}
