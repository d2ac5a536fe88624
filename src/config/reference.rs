//! The reference of `sync.toml`, made from the commented example.
//!
//! Owns nothing that is not in `sync.toml.example`, which is loaded by a test and has
//! every key: what its comments say is what the manual page, the documentation and
//! the schema for editors say. Leaves the printing to those who print.

use serde_json::{Map, Value, json};

use super::keys;
use crate::model::Field;

/// The commented example.
pub const EXAMPLE: &str = include_str!("../../sync.toml.example");

/// A section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name: `source.columns`.
    pub name: String,
    /// What it is about, where the example says so.
    pub about: String,
    /// Its keys, in order.
    pub entries: Vec<ReferenceEntry>,
}

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceEntry {
    /// Its name within the section.
    pub key: String,
    /// A value for it, in TOML's spelling.
    pub example: String,
    /// The value that it has when nobody sets it, in TOML's spelling.
    pub default: Option<String>,
    /// What it is for.
    pub about: String,
    /// The environment variable that sets it.
    pub variable: String,
}

/// The words at the top of the example: where the file is looked for.
pub fn introduction() -> String {
    let lines = EXAMPLE.lines().take_while(|line| !line.is_empty());
    join_words(lines.filter_map(comment_text))
}

/// Every section, in the order of the example.
pub fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut about: Vec<&str> = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let about = join_words(about.drain(..));
            sections.push(Section { name: name.to_owned(), about, entries: Vec::new() });
        } else if let (Some(assignment), Some(section)) =
            (parse_assignment(line), sections.last_mut())
        {
            let entry = reference_entry(&section.name, assignment, join_words(about.drain(..)));
            section.entries.push(entry);
        } else if let Some(words) = comment_text(line) {
            about.push(words);
        } else {
            about.clear();
        }
    }
    sections
}

fn comment_text(line: &str) -> Option<&str> {
    line.strip_prefix("# ")
}

fn join_words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

/// Key and value of a line that sets one, or would if it were not commented out.
fn parse_assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix('#').unwrap_or(line);
    let (key, value) = line.split_once(" = ")?;
    let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_key.then_some((key, value))
}

fn reference_entry(section: &str, (key, example): (&str, &str), about: String) -> ReferenceEntry {
    let known = keys::find_key(&format!("{section}.{key}"));
    ReferenceEntry {
        key: key.to_owned(),
        example: example.to_owned(),
        default: known.and_then(|known| known.default.map(|text| known.in_toml(text))),
        about,
        variable: known.map(keys::ConfigKey::environment_variable).unwrap_or_default(),
    }
}

/// A JSON schema (2020-12) of the configuration, for editors.
pub fn config_schema() -> Value {
    let mut root = object_schema("The configuration of linqsync");
    for section in sections() {
        let place = section.name.split('.').fold(&mut root, |place, name| {
            let properties = &mut place["properties"];
            if properties.get(name).is_none() {
                properties[name] = object_schema(&section.about);
            }
            &mut properties[name]
        });
        for entry in &section.entries {
            place["properties"][&entry.key] = property_schema(&section.name, entry);
        }
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["required"] = json!(["source"]);
    root["properties"]["source"]["required"] = json!(["path"]);
    root
}

fn object_schema(about: &str) -> Value {
    json!({
        "type": "object",
        "description": about,
        "additionalProperties": false,
        "properties": Map::new(),
    })
}

fn property_schema(section: &str, entry: &ReferenceEntry) -> Value {
    let name = format!("{section}.{}", entry.key);
    let mut property = kind_schema(&name, &entry.example);
    property["description"] = json!(entry.about);
    if let Some(default) = entry.default.as_deref().and_then(toml_value) {
        property["default"] = default;
    }
    property
}

/// What a value may be: what the example is, but for keys that take more or less.
fn kind_schema(name: &str, example: &str) -> Value {
    let direction = json!({ "enum": ["both", "push", "pull"] });
    let deletion = json!({ "enum": ["propagate", "keep"] });
    let conflict = json!({ "enum": ["hold", "source", "linq", "newest"] });
    let named = Field::ALL.map(Field::name).into_iter().chain(["default"]);
    let switches: Map<String, Value> =
        (named.clone()).map(|name| (name.to_owned(), json!({ "type": "boolean" }))).collect();
    let conflicts: Map<String, Value> =
        named.map(|name| (name.to_owned(), conflict.clone())).collect();
    match name {
        "linq.scope" => json!({ "anyOf": [{ "enum": ["all", "owner"] }, {
            "type": "array",
            "items": { "type": "string", "format": "email" },
            "minItems": 1,
        }]}),
        "linq.requests_per_second" => json!({ "type": "number", "exclusiveMinimum": 0 }),
        "source.kind" => json!({ "enum": ["csv", "vcard"] }),
        "source.encoding" => {
            json!({ "anyOf": [{ "enum": super::Encoding::KNOWN }, { "type": "string" }] })
        }
        "source.columns.location" | "source.only.values" => {
            json!({ "anyOf": [{ "type": "string" }, {
                "type": "array",
                "items": { "type": "string" },
                "minItems": 1,
            }]})
        }
        "source.vcard_version" => json!({ "enum": ["3.0", "4.0"] }),
        "notify.format" => json!({ "enum": ["slack", "teams", "ntfy", "json"] }),
        "notify.on" => json!({
            "type": "array",
            "items": { "enum": super::NotifyEvent::ALL.map(|(name, _)| name) },
            "minItems": 1,
        }),
        "sync.direction" => direction,
        "sync.on_conflict" => json!({ "anyOf": [conflict, {
            "type": "object",
            "additionalProperties": false,
            "properties": conflicts,
        }]}),
        "sync.blank_clears" => json!({ "anyOf": [{ "type": "boolean" }, {
            "type": "object",
            "additionalProperties": false,
            "properties": switches,
        }]}),
        "sync.deletes" => json!({ "anyOf": [deletion, {
            "type": "object",
            "additionalProperties": false,
            "properties": { "linq": deletion, "source": deletion },
        }]}),
        "sync.max_deletes" | "sync.max_changes" => json!({ "type": ["integer", "string"] }),
        _ if name.starts_with("sync.fields.") => direction,
        _ => match toml_value(example) {
            Some(Value::Number(_)) => json!({ "type": "integer", "minimum": 1 }),
            Some(Value::Bool(_)) => json!({ "type": "boolean" }),
            Some(Value::Array(_)) => {
                json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
            }
            _ => json!({ "type": "string" }),
        },
    }
}

/// A value in TOML's spelling, as JSON.
fn toml_value(toml: &str) -> Option<Value> {
    let text = format!("value = {toml}");
    let value = toml_edit::de::from_str::<Value>(&text).ok()?;
    value.get("value").cloned()
}
