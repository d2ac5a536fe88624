//! The table of all keys of `sync.toml`.
//!
//! Owns their names, their defaults and how an environment variable spells them;
//! unknown names are recognised and suggestions made from it. Leaves what a
//! value means to the sections.

use crate::model::Field;

/// A key of `sync.toml`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Section and key: `sync.direction`.
    pub(super) name: &'static str,
    /// The value it has when nobody sets it, as an environment variable would
    /// spell it.
    pub(super) default: Option<&'static str>,
    /// How an environment variable spells its value.
    pub(super) spelling: Spelling,
    /// Whether a message may show the value.
    display: Display,
}

/// How the text of an environment variable becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// The text is the value.
    Text,
    /// The text is read as TOML: a number, a boolean, an array or a table. What
    /// is not TOML is a text.
    Toml,
}

/// Whether a message may show a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Display {
    /// It may.
    Shown,
    /// It is a secret.
    Hidden,
}

impl Key {
    const fn text(name: &'static str) -> Key {
        Key { name, default: None, spelling: Spelling::Text, display: Display::Shown }
    }

    const fn toml(name: &'static str) -> Key {
        Key { spelling: Spelling::Toml, ..Key::text(name) }
    }

    const fn or(self, default: &'static str) -> Key {
        Key { default: Some(default), ..self }
    }

    const fn hidden(self) -> Key {
        Key { display: Display::Hidden, ..self }
    }

    /// The section that it belongs to: `sync` for `sync.direction`.
    pub(super) fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within the section.
    pub(super) fn leaf(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, leaf)| leaf)
    }

    /// A value of this key as TOML spells it, from how a variable spells it.
    pub(super) fn in_toml(&self, value: &str) -> String {
        let is_toml = self.spelling == Spelling::Toml && value.parse::<toml_edit::Value>().is_ok();
        if is_toml { value.to_owned() } else { toml_edit::Value::from(value).to_string() }
    }

    /// Whether a message must not show `value` as the value of this key: it is a
    /// secret, or an address that carries one.
    pub(super) fn hides(&self, value: &str) -> bool {
        match self.display {
            Display::Hidden => true,
            Display::Shown => self.name == "linq.base_url" && value.contains(['@', '?', '#']),
        }
    }

    /// The environment variable that sets it: `LINQSYNC_SYNC__DIRECTION`.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "__").to_uppercase())
    }
}

/// What the names of our environment variables begin with.
pub(super) const PREFIX: &str = "LINQSYNC_";

/// Environment variables with our prefix that are no keys.
pub(super) const RESERVED: [&str; 2] = ["LINQSYNC_CONFIG", "LINQSYNC_LOG"];

/// Every key, in the order of the reference.
pub(super) const KEYS: &[Key] = &[
    Key::text("linq.base_url").or("https://api.linqapp.com"),
    Key::text("linq.token_file"),
    // An argument may be a secret, and so may be a token in the wrong place.
    Key::toml("linq.token_command").hidden(),
    Key::text("linq.token").hidden(),
    Key::text("linq.owner"),
    Key::toml("linq.scope").or("all"),
    Key::toml("linq.concurrency").or("4"),
    Key::toml("linq.requests_per_second").or("10"),
    Key::text("linq.timeout").or("30s"),
    Key::toml("linq.max_attempts").or("6"),
    Key::text("linq.settle").or("30s"),
    Key::text("source.kind"),
    Key::text("source.path"),
    Key::text("source.quiet").or("1s"),
    Key::text("source.key"),
    Key::text("source.id_column"),
    Key::text("source.encoding").or("auto"),
    Key::text("source.delimiter").or("auto"),
    Key::toml("source.formula_guard").or("true"),
    Key::toml("source.recursive").or("false"),
    Key::text("source.vcard_version").or("3.0"),
    Key::text("source.columns.first_name"),
    Key::text("source.columns.last_name"),
    Key::text("source.columns.email"),
    Key::text("source.columns.phone_number"),
    Key::text("source.columns.company"),
    Key::text("source.columns.title"),
    Key::toml("source.columns.location"),
    Key::text("source.columns.full_name"),
    Key::text("source.columns.owner"),
    Key::text("source.only.column"),
    Key::toml("source.only.values"),
    Key::toml("source.only.except"),
    Key::text("sync.direction").or("both"),
    Key::text("sync.schedule").or("0 */5 * * * *"),
    Key::text("sync.jitter").or("10s"),
    Key::toml("sync.watch").or("true"),
    Key::toml("sync.on_conflict").or("hold"),
    Key::toml("sync.blank_clears").or("true"),
    Key::toml("sync.deletes").or("propagate"),
    Key::toml("sync.max_deletes").or("5%"),
    Key::toml("sync.max_changes").or("50%"),
    Key::text("sync.retry_rejected").or("24h"),
    Key::text("sync.delete_grace").or("0s"),
    Key::text("sync.region").or("US"),
    Key::text("sync.fields.first_name"),
    Key::text("sync.fields.last_name"),
    Key::text("sync.fields.email"),
    Key::text("sync.fields.phone_number"),
    Key::text("sync.fields.company"),
    Key::text("sync.fields.title"),
    Key::text("sync.fields.location"),
    Key::text("sync.fields.owner"),
    Key::text("state.dir"),
    Key::text("state.history").or("400d"),
    Key::text("status.listen"),
    Key::text("status.textfile"),
    Key::text("status.stale_after"),
    Key::toml("hooks.on_change").hidden(),
    Key::toml("hooks.on_health").hidden(),
    // Whoever knows the address can silence the alarm.
    Key::text("hooks.ping_url").hidden(),
    // Whoever knows the address can write to the channel.
    Key::text("notify.url").hidden(),
    Key::text("notify.url_file"),
    Key::text("notify.format").or("slack"),
    Key::toml("notify.on").or("[\"attention\", \"held\", \"unhealthy\", \"recovered\"]"),
    Key::text("web.listen"),
    Key::text("web.password_file"),
    Key::text("web.public_url"),
];

/// The key called `name`, section included.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether some key lies below `name`.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| below(name, key.name).is_some())
}

/// The keys of the section `section.<field>` for every field, with the field.
pub(super) fn of_fields(section: &str) -> impl Iterator<Item = (Field, &'static str)> {
    let keys: Vec<_> = KEYS.iter().filter(|key| key.section() == section).collect();
    keys.into_iter().filter_map(|key| Some((Field::from_name(key.leaf())?, key.name)))
}

/// The names directly below `section`, keys and sections; below `""`, the
/// sections of the file.
pub(super) fn names_below(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter_map(
            |key| if section.is_empty() { Some(key.name) } else { below(section, key.name) },
        )
        .map(|rest| rest.split_once('.').map_or(rest, |(first, _)| first))
        .collect();
    names.dedup();
    names
}

fn below<'a>(section: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(section)?.strip_prefix('.')
}

/// The one of `names` that was probably meant by `given`, if one is close enough.
pub(super) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    let far = (given.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&given, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_column_and_a_direction() {
        for section in ["source.columns", "sync.fields"] {
            let fields: Vec<Field> = of_fields(section).map(|(field, _)| field).collect();
            assert_eq!(fields, Field::ALL, "{section}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not_suggested() {
        let sync = || names_below("sync");
        assert_eq!(nearest("direcshun", sync()), Some("direction"));
        assert_eq!(nearest("Max_Delete", sync()), Some("max_deletes"));
        assert_eq!(nearest("colour", sync()), None);
        assert_eq!(nearest("x", sync()), None);
    }

    #[test]
    fn the_file_has_these_sections() {
        assert_eq!(
            names_below(""),
            ["linq", "source", "sync", "state", "status", "hooks", "notify", "web"]
        );
        assert!(
            is_section("source.columns") && !is_section("sync.direction") && !is_section("syn")
        );
    }

    #[test]
    fn variables_are_named_after_section_and_key() {
        let key = find("source.columns.first_name").unwrap();
        assert_eq!(key.variable(), "LINQSYNC_SOURCE__COLUMNS__FIRST_NAME");
    }
}
