//! The text of a new `sync.toml`: the commented example with other values.

use std::path::{Path, PathBuf};

use crate::cli::args::InitArgs;
use crate::config::reference::EXAMPLE;
use crate::model::Field;
use crate::source::csv::TableShape;

/// The file for the token, beside the configuration: each pair has one of its own.
pub(super) fn token_file(target: &Path) -> PathBuf {
    match target.file_stem().and_then(|name| name.to_str()) {
        None | Some("sync") => target.with_file_name("linq.token"),
        Some(pair) => target.with_file_name(format!("{pair}.token")),
    }
}

/// The name of the service whose configuration this is: `sync` for `linqsync.service`,
/// else the instance of `linqsync@.service`.
fn pair_of_a_service(target: &Path) -> Option<&str> {
    let is_of_a_service = target.parent() == Some(Path::new("/etc/linqsync"));
    target.file_stem().and_then(|name| name.to_str()).filter(|_| is_of_a_service)
}

/// A configuration in the making.
#[derive(Clone)]
pub(super) struct Template(String);

impl Template {
    pub(super) fn new() -> Template {
        Template(EXAMPLE.to_owned())
    }

    pub(super) fn as_text(&self) -> &str {
        &self.0
    }

    /// Sets what was asked for; `path` is the source as the configuration names it.
    pub(super) fn apply_args(&mut self, args: &InitArgs, path: &Path) {
        self.set_key("source", "path", &path.to_string_lossy());
        let settings = [
            ("linq", "base_url", &args.base_url),
            ("linq", "owner", &args.owner),
            ("source", "key", &args.key),
            ("source", "id_column", &args.id_column),
            ("source", "encoding", &args.encoding),
            ("sync", "direction", &args.direction),
            ("sync", "region", &args.region),
        ];
        for (section, key, value) in settings {
            if let Some(value) = value {
                self.set_key(section, key, value);
            }
        }
        for (key, column) in &args.columns {
            let same = args.columns.iter().filter(|(other, _)| other == key);
            let columns: Vec<&str> = same.map(|(_, column)| column.as_str()).collect();
            match columns[..] {
                [_, _, ..] if key == Field::Location.name() => {
                    self.set_to("source.columns", key, &columns.into_iter().collect());
                }
                [..] => self.set_key("source.columns", key, column),
            }
        }
    }

    /// Names the state that the service has, where `target` is the
    /// configuration of one: whoever sets it up as root looks at the same state then.
    pub(super) fn places_of_a_service(&mut self, target: &Path) {
        let dir = match pair_of_a_service(target) {
            None => return,
            Some("sync") => "/var/lib/linqsync".to_owned(),
            Some(pair) => format!("/var/lib/linqsync-{pair}"),
        };
        self.set_key("state", "dir", &dir);
    }

    /// Names the file of the token, which is beside the configuration.
    pub(super) fn token_file(&mut self, file: &Path) {
        if let Some(name) = file.file_name() {
            self.set_key("linq", "token_file", &name.to_string_lossy());
        }
    }

    /// Names the columns that were recognised. A field with several is left to be
    /// recognised, and so is a column whose name is there twice: naming one would mean
    /// that one alone.
    pub(super) fn set_columns(&mut self, shape: &TableShape) {
        let is_alone =
            |column: &String| shape.header.iter().filter(|name| *name == column).count() == 1;
        for (field, column) in &shape.columns {
            let is_name = matches!(field, Field::FirstName | Field::LastName);
            let is_whole = is_name && shape.full_name.is_some();
            if is_alone(column) && !is_whole && !shape.further.contains_key(field) {
                self.set_key("source.columns", field.name(), column);
            }
        }
        if let Some(column) = shape.full_name.as_ref().filter(|column| is_alone(column)) {
            self.set_key("source.columns", "full_name", column);
        }
    }

    /// Gives a key of the example this value, where the example has it, as a comment
    /// or not.
    pub(super) fn set_key(&mut self, section: &str, key: &str, value: &str) {
        self.set_to(section, key, &value.into());
    }

    fn set_to(&mut self, section: &str, key: &str, value: &toml_edit::Value) {
        let header = format!("[{section}]");
        let (set, unset) = (format!("{key} ="), format!("#{key} ="));
        let line = format!("{key} = {}", value.to_string().trim());
        let mut inside = false;
        let lines = self.0.lines().map(|old| {
            if old.starts_with('[') {
                inside = old == header;
            }
            let meant = inside && (old.starts_with(&set) || old.starts_with(&unset));
            if meant { line.as_str() } else { old }
        });
        self.0 = lines.flat_map(|line| [line, "\n"]).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_a_service_names_the_state_and_the_token_of_that_service() {
        let lines = |target: &str| {
            let mut template = Template::new();
            template.places_of_a_service(Path::new(target));
            template.token_file(&token_file(Path::new(target)));
            let set = |line: &&str| line.starts_with("dir =") || line.starts_with("token_file =");
            template.as_text().lines().filter(set).map(String::from).collect::<Vec<_>>()
        };
        let token = "token_file = \"linq.token\"";
        assert_eq!(lines("/home/sam/sync.toml"), [token]);
        assert_eq!(lines("/etc/linqsync/sync.toml"), [token, "dir = \"/var/lib/linqsync\""]);
        assert_eq!(
            lines("/etc/linqsync/sales.toml"),
            ["token_file = \"sales.token\"", "dir = \"/var/lib/linqsync-sales\""]
        );
        let file = token_file(Path::new("/etc/linqsync/sales.toml"));
        assert_eq!(file, Path::new("/etc/linqsync/sales.token"));
    }

    #[test]
    fn a_setting_replaces_its_example_and_nothing_else() {
        let mut template = Template::new();
        template.set_key("source", "key", "Employee \"ID\"");
        template.set_key("source.columns", "owner", "Owner's e-mail");
        template.set_key("source", "path", "people.csv");
        let changed: Vec<&str> = template
            .as_text()
            .lines()
            .filter(|line| !EXAMPLE.lines().any(|old| old == *line))
            .collect();
        assert_eq!(
            changed,
            ["path = \"people.csv\"", "key = 'Employee \"ID\"'", "owner = \"Owner's e-mail\"",]
        );
        assert_eq!(template.as_text().lines().count(), EXAMPLE.lines().count());
    }
}
