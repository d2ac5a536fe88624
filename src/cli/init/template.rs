//! The text of a new `sync.toml`: the commented example with other values.

use std::path::Path;

use crate::cli::args::InitArgs;
use crate::config::reference::EXAMPLE;
use crate::source::csv::Shape;

/// A configuration in the making.
#[derive(Clone)]
pub(super) struct Template(String);

impl Template {
    pub(super) fn new() -> Template {
        Template(EXAMPLE.to_owned())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Sets what was asked for; `path` is the source as the configuration names it.
    pub(super) fn ask(&mut self, args: &InitArgs, path: &Path) {
        self.set("source", "path", &path.to_string_lossy());
        let settings = [
            ("linq", "base_url", &args.base_url),
            ("linq", "owner", &args.owner),
            ("source", "key", &args.key),
            ("source", "id_column", &args.id_column),
            ("sync", "direction", &args.direction),
            ("sync", "region", &args.region),
        ];
        for (section, key, value) in settings {
            if let Some(value) = value {
                self.set(section, key, value);
            }
        }
        for (field, column) in &args.columns {
            self.set("source.columns", field.name(), column);
        }
    }

    /// Names the state that the service has, where `target` is the configuration of the
    /// service: whoever sets it up as root looks at the same state then.
    pub(super) fn state_of_a_service(&mut self, target: &Path) {
        if target.parent() != Some(Path::new("/etc/linqsync")) {
            return;
        }
        match target.file_stem().and_then(|name| name.to_str()) {
            Some("sync") => self.set("state", "dir", "/var/lib/linqsync"),
            Some(pair) => self.set("state", "dir", &format!("/var/lib/linqsync-{pair}")),
            None => {}
        }
    }

    /// Names the columns that were recognised. A field with several is left to be
    /// recognised, and so is a column whose name is there twice: naming one would mean
    /// that one alone.
    pub(super) fn columns(&mut self, shape: &Shape) {
        for (field, column) in &shape.columns {
            let same = shape.header.iter().filter(|name| *name == column).count();
            if same == 1 && !shape.further.contains_key(field) {
                self.set("source.columns", field.name(), column);
            }
        }
    }

    /// Gives a key of the example this value, where the example has it, as a comment
    /// or not.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str) {
        let header = format!("[{section}]");
        let (set, unset) = (format!("{key} ="), format!("#{key} ="));
        let line = format!("{key} = {}", toml_edit::Value::from(value));
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
    fn the_configuration_of_a_service_names_the_state_of_that_service() {
        for (target, state) in [
            ("/etc/linqsync/sync.toml", Some("dir = \"/var/lib/linqsync\"")),
            ("/etc/linqsync/sales.toml", Some("dir = \"/var/lib/linqsync-sales\"")),
            ("/home/sam/sync.toml", None),
        ] {
            let mut template = Template::new();
            template.state_of_a_service(Path::new(target));
            assert_eq!(template.text().lines().find(|line| line.starts_with("dir = ")), state);
        }
    }

    #[test]
    fn a_setting_replaces_its_example_and_nothing_else() {
        let mut template = Template::new();
        template.set("source", "key", "Employee \"ID\"");
        template.set("source.columns", "owner", "Owner's e-mail");
        template.set("source", "path", "people.csv");
        let changed: Vec<&str> = template
            .text()
            .lines()
            .filter(|line| !EXAMPLE.lines().any(|old| old == *line))
            .collect();
        assert_eq!(
            changed,
            ["path = \"people.csv\"", "key = 'Employee \"ID\"'", "owner = \"Owner's e-mail\"",]
        );
        assert_eq!(template.text().lines().count(), EXAMPLE.lines().count());
    }
}
