//! The table of all keys of `sync.toml`.
//!
//! Owns their names, their defaults and how an environment variable spells them;
//! unknown names are recognised and suggestions made from it. Leaves what a
//! value means to the sections.

use crate::model::Field;

/// A key of `sync.toml`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigKey {
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

impl ConfigKey {
    const fn text_key(name: &'static str) -> ConfigKey {
        ConfigKey { name, default: None, spelling: Spelling::Text, display: Display::Shown }
    }

    const fn toml_key(name: &'static str) -> ConfigKey {
        ConfigKey { spelling: Spelling::Toml, ..ConfigKey::text_key(name) }
    }

    const fn with_default(self, default: &'static str) -> ConfigKey {
        ConfigKey { default: Some(default), ..self }
    }

    const fn as_hidden(self) -> ConfigKey {
        ConfigKey { display: Display::Hidden, ..self }
    }

    /// The section that it belongs to: `sync` for `sync.direction`.
    pub(super) fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within the section.
    pub(super) fn leaf_name(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, leaf)| leaf)
    }

    /// A value of this key as TOML spells it, from how a variable spells it.
    pub(super) fn in_toml(&self, value: &str) -> String {
        let is_toml = self.spelling == Spelling::Toml && value.parse::<toml_edit::Value>().is_ok();
        if is_toml { value.to_owned() } else { toml_edit::Value::from(value).to_string() }
    }

    /// Whether a message must not show `value` as the value of this key: it is a
    /// secret, or an address that carries one.
    pub(super) fn hides_value(&self, value: &str) -> bool {
        match self.display {
            Display::Hidden => true,
            Display::Shown => self.name == "linq.base_url" && value.contains(['@', '?', '#']),
        }
    }

    /// The environment variable that sets it: `LINQSYNC_SYNC__DIRECTION`.
    pub(super) fn environment_variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "__").to_uppercase())
    }
}

/// What the names of our environment variables begin with.
pub(super) const PREFIX: &str = "LINQSYNC_";

/// Environment variables with our prefix that are no keys.
pub(super) const RESERVED: [&str; 2] = ["LINQSYNC_CONFIG", "LINQSYNC_LOG"];

/// Every key, in the order of the reference.
pub(super) const KEYS: &[ConfigKey] = &[
    ConfigKey::text_key("linq.base_url").with_default("https://api.linqapp.com"),
    ConfigKey::text_key("linq.token_file"),
    // An argument may be a secret, and so may be a token in the wrong place.
    ConfigKey::toml_key("linq.token_command").as_hidden(),
    ConfigKey::text_key("linq.token").as_hidden(),
    ConfigKey::text_key("linq.owner"),
    ConfigKey::toml_key("linq.scope").with_default("all"),
    ConfigKey::toml_key("linq.concurrency").with_default("4"),
    ConfigKey::toml_key("linq.requests_per_second").with_default("10"),
    ConfigKey::text_key("linq.timeout").with_default("30s"),
    ConfigKey::toml_key("linq.max_attempts").with_default("6"),
    ConfigKey::text_key("linq.settle").with_default("30s"),
    ConfigKey::text_key("source.kind"),
    ConfigKey::text_key("source.path"),
    ConfigKey::text_key("source.quiet").with_default("1s"),
    ConfigKey::text_key("source.key"),
    ConfigKey::text_key("source.id_column"),
    ConfigKey::text_key("source.encoding").with_default("auto"),
    ConfigKey::text_key("source.delimiter").with_default("auto"),
    ConfigKey::toml_key("source.formula_guard").with_default("true"),
    ConfigKey::toml_key("source.recursive").with_default("false"),
    ConfigKey::text_key("source.vcard_version").with_default("3.0"),
    ConfigKey::text_key("source.columns.first_name"),
    ConfigKey::text_key("source.columns.last_name"),
    ConfigKey::text_key("source.columns.email"),
    ConfigKey::text_key("source.columns.phone_number"),
    ConfigKey::text_key("source.columns.company"),
    ConfigKey::text_key("source.columns.title"),
    ConfigKey::toml_key("source.columns.location"),
    ConfigKey::text_key("source.columns.full_name"),
    ConfigKey::text_key("source.columns.owner"),
    ConfigKey::text_key("source.only.column"),
    ConfigKey::toml_key("source.only.values"),
    ConfigKey::toml_key("source.only.except"),
    ConfigKey::text_key("sync.direction").with_default("both"),
    ConfigKey::text_key("sync.schedule").with_default("0 */5 * * * *"),
    ConfigKey::text_key("sync.jitter").with_default("10s"),
    ConfigKey::toml_key("sync.watch").with_default("true"),
    ConfigKey::toml_key("sync.on_conflict").with_default("hold"),
    ConfigKey::toml_key("sync.blank_clears").with_default("true"),
    ConfigKey::toml_key("sync.deletes").with_default("propagate"),
    ConfigKey::toml_key("sync.max_deletes").with_default("5%"),
    ConfigKey::toml_key("sync.max_changes").with_default("50%"),
    ConfigKey::text_key("sync.retry_rejected").with_default("24h"),
    ConfigKey::text_key("sync.delete_grace").with_default("0s"),
    ConfigKey::text_key("sync.region").with_default("US"),
    ConfigKey::text_key("sync.fields.first_name"),
    ConfigKey::text_key("sync.fields.last_name"),
    ConfigKey::text_key("sync.fields.email"),
    ConfigKey::text_key("sync.fields.phone_number"),
    ConfigKey::text_key("sync.fields.company"),
    ConfigKey::text_key("sync.fields.title"),
    ConfigKey::text_key("sync.fields.location"),
    ConfigKey::text_key("sync.fields.owner"),
    ConfigKey::text_key("state.dir"),
    ConfigKey::text_key("state.history").with_default("400d"),
    ConfigKey::text_key("status.listen"),
    ConfigKey::text_key("status.textfile"),
    ConfigKey::text_key("status.stale_after"),
    ConfigKey::toml_key("hooks.on_change").as_hidden(),
    ConfigKey::toml_key("hooks.on_health").as_hidden(),
    // Whoever knows the address can silence the alarm.
    ConfigKey::text_key("hooks.ping_url").as_hidden(),
    // Whoever knows the address can write to the channel.
    ConfigKey::text_key("notify.url").as_hidden(),
    ConfigKey::text_key("notify.url_file"),
    ConfigKey::text_key("notify.format").with_default("slack"),
    ConfigKey::toml_key("notify.on")
        .with_default("[\"attention\", \"held\", \"unhealthy\", \"recovered\"]"),
    ConfigKey::text_key("web.listen"),
    ConfigKey::text_key("web.password_file"),
    ConfigKey::text_key("web.public_url"),
];

/// The key called `name`, section included.
pub(super) fn find_key(name: &str) -> Option<&'static ConfigKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether some key lies below `name`.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key_below(name, key.name).is_some())
}

/// The keys of the section `section.<field>` for every field, with the field.
pub(super) fn of_fields(section: &str) -> impl Iterator<Item = (Field, &'static str)> {
    let keys: Vec<_> = KEYS.iter().filter(|key| key.section() == section).collect();
    keys.into_iter().filter_map(|key| Some((Field::from_name(key.leaf_name())?, key.name)))
}

/// The names directly below `section`, keys and sections; below `""`, the
/// sections of the file.
pub(super) fn names_below(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter_map(
            |key| if section.is_empty() { Some(key.name) } else { key_below(section, key.name) },
        )
        .map(|rest| rest.split_once('.').map_or(rest, |(first, _)| first))
        .collect();
    names.dedup();
    names
}

fn key_below<'a>(section: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(section)?.strip_prefix('.')
}

/// The one of `names` that was probably meant by `given`, if one is close enough.
pub(super) fn nearest_name<'a>(
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
        assert_eq!(nearest_name("direcshun", sync()), Some("direction"));
        assert_eq!(nearest_name("Max_Delete", sync()), Some("max_deletes"));
        assert_eq!(nearest_name("colour", sync()), None);
        assert_eq!(nearest_name("x", sync()), None);
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
        let key = find_key("source.columns.first_name").unwrap();
        assert_eq!(key.environment_variable(), "LINQSYNC_SOURCE__COLUMNS__FIRST_NAME");
    }
}
