//! What is wrong with a configuration, and how it is shown.
//!
//! Owns the errors and warnings of this module and their rendering: every
//! problem at once, each with its file, line, column and the line itself. The
//! text it shows has had its secrets masked by [`super::file`].

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file was named, and none is where one is looked for.
    #[error(
        "no configuration file found; looked for {}\n\
         write one with `linqsync init contacts.csv`, or see first what it does with `linqsync demo`",
        list_paths(searched)
    )]
    NotFound {
        /// The places, in the order in which they were looked at.
        searched: Vec<PathBuf>,
    },
    /// The file is there, or was named, and cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file, a variable or a flag says something that cannot be followed.
    #[error(transparent)]
    Invalid(Box<Invalid>),
}

impl ConfigError {
    /// The message for a terminal, with its `error:` and with ANSI colours. Print
    /// it through `anstream`, which takes the colours off where they do not belong.
    pub fn render(&self) -> String {
        match self {
            ConfigError::Invalid(invalid) => invalid.render(&Renderer::styled()),
            ConfigError::NotFound { .. } => {
                let report = [Group::with_title(Level::ERROR.primary_title(self.to_string()))];
                Renderer::styled().render(&report)
            }
            ConfigError::Io { source, .. } => {
                let title = format!("{self}: {source}");
                let report = [Group::with_title(Level::ERROR.primary_title(title))];
                Renderer::styled().render(&report)
            }
        }
    }

    /// The message as short lines, one for each problem, for logs and JSON:
    /// ``sync.toml:7:1: unknown key `direcshun`; did you mean `direction`?``
    pub fn lines(&self) -> Vec<String> {
        match self {
            ConfigError::Invalid(invalid) => invalid.lines(),
            ConfigError::NotFound { .. } => self.to_string().lines().map(String::from).collect(),
            ConfigError::Io { source, .. } => vec![format!("{self}: {source}")],
        }
    }
}

fn list_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// All problems of one configuration.
///
/// Its `Display` is what [`ConfigError::render`] shows, without colours and
/// without the first `error: `, which the caller adds as it does to every error.
#[derive(Debug)]
pub struct Invalid {
    /// What people call the file.
    path: String,
    /// Its text, masked.
    text: String,
    /// At least one.
    problems: Vec<ConfigProblem>,
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.render(&Renderer::plain());
        f.write_str(text.strip_prefix("error: ").unwrap_or(&text))
    }
}

impl Invalid {
    /// Puts the problems into the order of the file; what other layers say comes last.
    pub(super) fn new(path: String, text: String, mut problems: Vec<ConfigProblem>) -> Invalid {
        problems.sort_by_key(|problem| match &problem.place {
            ConfigLocation::File => (0, 0),
            ConfigLocation::Span(span) => (1, span.start),
            ConfigLocation::Layer(_) => (2, 0),
        });
        Invalid { path, text, problems }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let reports = self.problems.iter().map(|problem| renderer.render(&[self.group(problem)]));
        reports.collect::<Vec<_>>().join("\n\n")
    }

    fn group<'a>(&'a self, problem: &'a ConfigProblem) -> Group<'a> {
        let title = Level::ERROR.primary_title(problem.title.as_str());
        let origin = match &problem.place {
            ConfigLocation::Span(span) => {
                let primary = AnnotationKind::Primary.span(span.clone());
                let annotation = primary.label(problem.hint.as_deref());
                let snippet = Snippet::source(self.text.as_str()).path(self.path.as_str());
                return title.element(snippet.annotation(annotation));
            }
            ConfigLocation::File => Origin::path(self.path.as_str()),
            ConfigLocation::Layer(name) => Origin::path(name.as_str()),
        };
        let hint = problem.hint.as_deref().map(|hint| Level::HELP.message(hint));
        title.element(origin).elements(hint)
    }

    fn lines(&self) -> Vec<String> {
        let line = |problem: &ConfigProblem| {
            let place = match &problem.place {
                ConfigLocation::Span(span) => {
                    let (line, column) = line_and_column(&self.text, span.start);
                    format!("{}:{line}:{column}", self.path)
                }
                ConfigLocation::File => self.path.clone(),
                ConfigLocation::Layer(name) => name.clone(),
            };
            let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{place}: {}{hint}", problem.title)
        };
        self.problems.iter().map(line).collect()
    }
}

/// Line and column of a byte, both counted from 1, columns in characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct ConfigProblem {
    /// Where.
    pub(super) place: ConfigLocation,
    /// What.
    pub(super) title: String,
    /// What was probably meant, or what to do.
    pub(super) hint: Option<String>,
}

/// Where a problem is.
#[derive(Clone, Debug)]
pub(super) enum ConfigLocation {
    /// In the file as a whole: something is missing.
    File,
    /// At these bytes of the file.
    Span(Range<usize>),
    /// In another layer, under this name.
    Layer(String),
}

/// Something odd that does not stop the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// An environment variable has our prefix and names no key.
    UnknownVariable {
        /// Its name.
        name: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// The configuration contains the token and others can read it.
    TokenReadable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::UnknownVariable { name, nearest } => {
                write!(f, "the environment variable {name} sets nothing")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => Ok(()),
                }
            }
            Warning::TokenReadable { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "{path} contains the token and others can read it (mode {mode:04o}); \
                     run: chmod 600 {path}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(line_and_column("a\nbü = 1", 0), (1, 1));
        assert_eq!(line_and_column("a\nbü = 1", 6), (2, 4), "after a letter of two bytes");
        assert_eq!(line_and_column("a\n", 2), (2, 1));
    }

    #[test]
    fn a_missing_file_tells_where_it_was_looked_for_and_what_to_do() {
        let searched = vec![PathBuf::from("/srv/sync.toml"), PathBuf::from("/etc/sync.toml")];
        let error = ConfigError::NotFound { searched };
        insta::assert_snapshot!(error, @"
        no configuration file found; looked for /srv/sync.toml, /etc/sync.toml
        write one with `linqsync init contacts.csv`, or see first what it does with `linqsync demo`
        ");
        assert!(error.render().contains("error"));
    }
}
