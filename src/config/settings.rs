//! The layers, and reading them key by key.
//!
//! Owns the order of the layers and the collecting of problems: a key that
//! cannot be read is noted with its place, and reading goes on, so that one pass
//! finds everything that is wrong. Leaves the meaning of values to the sections.

use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::environment::Environment;
use super::error::{ConfigLocation, ConfigProblem, Warning};
use super::file::ConfigFile;
use super::keys::{self, ConfigKey, KEYS, PREFIX, RESERVED, Spelling};
use super::{Overrides, parse::BadValue};

/// All layers on top of each other.
pub(super) struct ConfigLayers<'a> {
    figment: Figment,
    file: &'a ConfigFile,
    /// The directory from which relative paths begin.
    base: &'a Path,
    pub(super) environment: &'a Environment,
    pub(super) problems: Vec<ConfigProblem>,
    pub(super) warnings: Vec<Warning>,
}

/// The value cannot be read, and a problem says why.
#[derive(Debug)]
pub(super) struct Noted;

impl<'a> ConfigLayers<'a> {
    /// Lays defaults, file, environment and flags on top of each other.
    pub(super) fn new(
        text: &str,
        file: &'a ConfigFile,
        base: &'a Path,
        environment: &'a Environment,
        overrides: &Overrides,
    ) -> ConfigLayers<'a> {
        let figment = KEYS
            .iter()
            .filter_map(|key| Some(Layer::new(key, key.default?, "defaults")))
            .fold(Figment::new(), Figment::merge)
            .merge(Toml::string(text));
        let (problems, warnings) = (Vec::new(), Vec::new());
        let mut settings = ConfigLayers { figment, file, base, environment, problems, warnings };
        settings.add_variables();
        for (name, flag, text) in overrides.layers() {
            settings.add_text(name, &text, flag);
        }
        settings
    }

    fn add_variables(&mut self) {
        let environment = self.environment;
        for key in KEYS {
            let variable = key.environment_variable();
            match environment.get_nonempty(&variable).map(|value| value.to_str()) {
                None => {}
                Some(Some(text)) => self.add_text(key.name, text, &layer_of(&variable)),
                Some(None) => self.problems.push(ConfigProblem {
                    place: ConfigLocation::Layer(layer_of(&variable)),
                    title: format!("`{}` must be UTF-8 text", key.name),
                    hint: None,
                }),
            }
        }
        let variables: Vec<String> = KEYS.iter().map(ConfigKey::environment_variable).collect();
        for name in environment.names_with(PREFIX) {
            if !RESERVED.contains(&name) && !variables.iter().any(|known| known == name) {
                let nearest = keys::nearest_name(name, variables.iter().map(String::as_str));
                let nearest = nearest.map(String::from);
                self.warnings.push(Warning::UnknownVariable { name: name.to_owned(), nearest });
            }
        }
    }

    fn add_text(&mut self, name: &'static str, text: &str, layer: &str) {
        if let Some(key) = keys::find_key(name) {
            let figment = std::mem::take(&mut self.figment);
            self.figment = figment.merge(Layer::new(key, text, layer));
        }
    }

    /// The value of a key that must have one.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, BadValue>,
    ) -> Result<T, Noted> {
        match self.optional(name, read)? {
            Some(value) => Ok(value),
            // Only what hides the defaults of a whole section: an unknown key, noted as one.
            None if keys::find_key(name).is_some_and(|key| key.default.is_some()) => Err(Noted),
            None => Err(self.note_problem(name, format!("`{name}` is missing"), None)),
        }
    }

    /// The value of a key that need not have one.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, BadValue>,
    ) -> Result<Option<T>, Noted> {
        let Ok(value) = self.figment.find_value(name) else { return Ok(None) };
        match read(&value) {
            Ok(read) => Ok(Some(read)),
            Err(wrong) => {
                let found = describe_value(name, &value);
                let title = format!("`{name}` must be {}, not {found}", wrong.expected);
                Err(self.note_problem(name, title, wrong.hint))
            }
        }
    }

    /// Notes that the value of `name` cannot stay as it is.
    pub(super) fn note_problem(
        &mut self,
        name: &str,
        title: String,
        hint: Option<String>,
    ) -> Noted {
        let place = match self.layer_name(name) {
            Some(layer) => ConfigLocation::Layer(layer),
            None => self.file.location_of(name),
        };
        self.problems.push(ConfigProblem { place, title, hint });
        Noted
    }

    /// The name of the layer that sets `name`, unless it is the file or nobody.
    fn layer_name(&self, name: &str) -> Option<String> {
        let source = self.figment.find_metadata(name)?.source.as_ref()?;
        source.custom().map(String::from)
    }

    /// Whether the file itself has the final say on `name`.
    pub(super) fn is_from_file(&self, name: &str) -> bool {
        self.figment.find_metadata(name).is_some_and(|layer| layer.source.is_none())
    }

    /// `path`, made absolute from the directory of the file.
    pub(super) fn absolute(&self, path: impl AsRef<Path>) -> PathBuf {
        self.base.join(path).components().collect()
    }
}

fn layer_of(variable: &str) -> String {
    format!("environment variable {variable}")
}

/// What was found instead of what was expected. A secret is not shown.
fn describe_value(name: &str, value: &Value) -> String {
    let hidden = |text: &str| keys::find_key(name).is_none_or(|key| key.hides_value(text));
    match value {
        Value::String(_, text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(_, text) if hidden(text) => "this text".to_owned(),
        Value::String(_, text) => format!("`{text}`"),
        Value::Num(..) if hidden("") => "a number".to_owned(),
        Value::Num(_, number) => describe_number(*number),
        Value::Bool(_, truth) => format!("`{truth}`"),
        Value::Array(_, values) if values.is_empty() => "an empty array".to_owned(),
        Value::Array(..) => "this array".to_owned(),
        Value::Dict(_, dict) if dict.keys().any(|key| key.starts_with('$')) => "a date".to_owned(),
        Value::Dict(..) => "this table".to_owned(),
        Value::Char(..) => "a character".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
    }
}

fn describe_number(number: Num) -> String {
    let whole = number.to_i128().map(|whole| whole.to_string());
    let whole = whole.or_else(|| number.to_u128().map(|whole| whole.to_string()));
    whole.or_else(|| number.to_f64().map(|float| float.to_string())).unwrap_or_default()
}

/// One value of one layer.
struct Layer {
    name: String,
    key: &'static str,
    value: Value,
}

impl Layer {
    fn new(key: &ConfigKey, text: &str, name: &str) -> Layer {
        let value = match key.spelling {
            Spelling::Text => Value::from(text),
            Spelling::Toml => {
                let toml = Figment::from(Toml::string(&format!("value = {text}")));
                // Serialised again, because a value remembers the layer it was read from.
                let value = toml.find_value("value").and_then(Value::serialize);
                value.unwrap_or_else(|_| Value::from(text))
            }
        };
        Layer { name: name.to_owned(), key: key.name, value }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::from("layer", figment::Source::Custom(self.name.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let nested = figment::util::nest(self.key, self.value.clone());
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}
