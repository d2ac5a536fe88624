//! The section `[source]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;

use super::keys;
use super::parse::{self, BadValue};
use super::settings::{ConfigLayers, Noted};
use crate::model::{Field, Selection};

/// Which files are kept the same as Linq.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// The CSV file or the directory of cards; absolute.
    pub path: PathBuf,
    /// How long ago the last write to a file must be before it is read.
    pub quiet: Duration,
    /// What it is.
    pub kind: SourceKind,
    /// Which rows or cards take part, if not all of them.
    pub only: Option<Selection>,
}

/// What the source is, with the settings of that kind.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A CSV file.
    Csv(CsvConfig),
    /// A directory of vCard files.
    Vcard(VcardConfig),
}

/// How to read and write a CSV file.
#[derive(Clone, Debug)]
pub struct CsvConfig {
    /// The column that identifies a row.
    pub key: Option<String>,
    /// The column that is kept filled with the Linq id. Neither `key` nor mapped.
    pub id_column: Option<String>,
    /// The encoding.
    pub encoding: Encoding,
    /// What stands between two cells.
    pub delimiter: DelimiterSetting,
    /// Whether values from Linq that a spreadsheet would run get an apostrophe.
    pub formula_guard: bool,
    /// The columns of fields that are not to be recognised from the header; several make up
    /// one value together, for a location. No column appears twice.
    pub columns: BTreeMap<Field, Vec<String>>,
    /// The column that holds first and last name together, instead of columns for these.
    pub full_name: Option<String>,
}

/// How to read and write a directory of cards.
#[derive(Clone, Debug)]
pub struct VcardConfig {
    /// Whether subdirectories take part.
    pub recursive: bool,
    /// The version of new cards.
    pub version: VcardVersionSetting,
}

/// The encoding of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Found out from the bytes.
    Auto,
    /// This one, by a label of the WHATWG Encoding Standard.
    Named(String),
}

impl Encoding {
    /// Names of encodings that people look for: for the one that was meant, and for editors.
    pub(super) const KNOWN: [&str; 20] = [
        "auto",
        "utf-8",
        "utf-16le",
        "utf-16be",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "windows-1253",
        "windows-1254",
        "windows-1257",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-15",
        "koi8-r",
        "macintosh",
        "shift_jis",
        "euc-jp",
        "gbk",
        "big5",
        "euc-kr",
    ];

    fn read(value: &Value) -> Result<Encoding, BadValue> {
        let wrong = || {
            BadValue::new(
                "`auto` or the name of an encoding, such as `utf-8`, `windows-1250`, `shift_jis` or \
                 another label of the WHATWG Encoding Standard",
            )
        };
        let label = parse::parse_text(value).map_err(|_| wrong())?.trim().to_lowercase();
        if label == "auto" {
            return Ok(Encoding::Auto);
        }
        if encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).is_some() {
            return Ok(Encoding::Named(label));
        }
        Err(match keys::nearest_name(&label, Encoding::KNOWN) {
            Some(nearest) => wrong().with_hint(format!("did you mean `{nearest}`?")),
            None => wrong(),
        })
    }
}

/// What stands between two cells of a CSV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelimiterSetting {
    /// Found out from the header.
    Auto,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl DelimiterSetting {
    const NAMES: [(&str, DelimiterSetting); 9] = [
        ("auto", DelimiterSetting::Auto),
        ("comma", DelimiterSetting::Comma),
        ("semicolon", DelimiterSetting::Semicolon),
        ("tab", DelimiterSetting::Tab),
        ("pipe", DelimiterSetting::Pipe),
        (",", DelimiterSetting::Comma),
        (";", DelimiterSetting::Semicolon),
        ("\t", DelimiterSetting::Tab),
        ("|", DelimiterSetting::Pipe),
    ];
}

/// The version of a vCard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcardVersionSetting {
    /// RFC 2426.
    V3,
    /// RFC 6350.
    V4,
}

impl VcardVersionSetting {
    const NAMES: [(&str, VcardVersionSetting); 2] =
        [("3.0", VcardVersionSetting::V3), ("4.0", VcardVersionSetting::V4)];
}

#[derive(Clone, Copy)]
enum KindName {
    Csv,
    Vcard,
}

impl SourceConfig {
    /// Reads the settings of both kinds, so that a mistake in the other kind's is
    /// found before anybody switches.
    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<SourceConfig, Noted> {
        let path = settings.required("source.path", parse::parse_text);
        let names = [("csv", KindName::Csv), ("vcard", KindName::Vcard)];
        let kind = settings.optional("source.kind", |value| parse::parse_choice(value, &names));
        let quiet = settings.required("source.quiet", parse::parse_duration);
        let csv = CsvConfig::read(settings);
        let vcard = VcardConfig::read(settings);
        let only = selection(settings);

        let path = settings.absolute(path?);
        // A directory in the place of a table is a mistake, not an address book.
        let is_table =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let by_path = || if path.is_dir() && !is_table { KindName::Vcard } else { KindName::Csv };
        let (csv, vcard) = (csv?, vcard?);
        let only = only?;
        let kind = match kind?.unwrap_or_else(by_path) {
            KindName::Csv => {
                csv.selection_is_no_id(only.as_ref(), settings)?;
                SourceKind::Csv(csv)
            }
            KindName::Vcard => {
                selects_by_property(only.as_ref(), settings)?;
                SourceKind::Vcard(vcard)
            }
        };
        Ok(SourceConfig { path, quiet: quiet?, kind, only })
    }
}

impl CsvConfig {
    fn read(settings: &mut ConfigLayers<'_>) -> Result<CsvConfig, Noted> {
        let key = settings.optional("source.key", parse::parse_text);
        let id_column = settings.optional("source.id_column", parse::parse_text);
        let encoding = settings.required("source.encoding", Encoding::read);
        let delimiter = settings.required("source.delimiter", |value| {
            parse::parse_choice(value, &DelimiterSetting::NAMES)
        });
        let formula_guard = settings.required("source.formula_guard", parse::parse_switch);
        let columns = read_columns(settings);
        let full_name = settings.optional(FULL_NAME, parse::parse_text);
        let csv = CsvConfig {
            key: key?,
            id_column: id_column?,
            encoding: encoding?,
            delimiter: delimiter?,
            formula_guard: formula_guard?,
            columns: columns?,
            full_name: full_name?,
        };
        csv.id_column_is_free(settings)?;
        csv.full_name_is_alone(settings)?;
        Ok(csv)
    }

    /// The id column is written by us: it must not be a column of people's.
    fn id_column_is_free(&self, settings: &mut ConfigLayers<'_>) -> Result<(), Noted> {
        let Some(column) = &self.id_column else { return Ok(()) };
        let mapped = self.columns.iter().find(|(_, mapped)| mapped.contains(column));
        let used = match (self.key.as_ref() == Some(column), mapped) {
            (true, _) => "source.key".to_owned(),
            (false, Some((field, _))) => format!("source.columns.{field}"),
            (false, None) if self.full_name.as_ref() == Some(column) => FULL_NAME.to_owned(),
            (false, None) => return Ok(()),
        };
        let title = format!("`source.id_column` is the column of `{used}` as well");
        let hint = "it will be filled with Linq's ids: name a column of its own".to_owned();
        Err(settings.note_problem("source.id_column", title, Some(hint)))
    }

    /// Nobody chooses by a column that linqsync fills.
    fn selection_is_no_id(
        &self,
        only: Option<&Selection>,
        settings: &mut ConfigLayers<'_>,
    ) -> Result<(), Noted> {
        let is_id = |only: &&Selection| self.id_column.as_ref() == Some(&only.column);
        let Some(only) = only.filter(is_id) else { return Ok(()) };
        let title = format!("`{ONLY_COLUMN}` is the column of `source.id_column` as well");
        let hint = format!("`{}` is filled with Linq's ids: name another column", only.column);
        Err(settings.note_problem(ONLY_COLUMN, title, Some(hint)))
    }

    /// A column with whole names takes the place of columns for first and last names.
    fn full_name_is_alone(&self, settings: &mut ConfigLayers<'_>) -> Result<(), Noted> {
        let Some(column) = &self.full_name else { return Ok(()) };
        let names = [Field::FirstName, Field::LastName];
        let other = names.iter().find(|field| self.columns.contains_key(field));
        if let Some(field) = other {
            let title = format!("`{FULL_NAME}` cannot stand beside `source.columns.{field}`");
            let hint = "name either the column with whole names, or those for first and last name";
            return Err(settings.note_problem(FULL_NAME, title, Some(hint.to_owned())));
        }
        match self.columns.iter().find(|(_, columns)| columns.contains(column)) {
            Some((field, _)) => {
                let title =
                    format!("`{FULL_NAME}` is the column of `source.columns.{field}` as well");
                Err(settings.note_problem(FULL_NAME, title, None))
            }
            None => Ok(()),
        }
    }
}

const FULL_NAME: &str = "source.columns.full_name";

const ONLY_COLUMN: &str = "source.only.column";
const ONLY_VALUES: &str = "source.only.values";
const ONLY_EXCEPT: &str = "source.only.except";

/// Which rows or cards take part, if that is configured.
fn selection(settings: &mut ConfigLayers<'_>) -> Result<Option<Selection>, Noted> {
    let column = settings.optional(ONLY_COLUMN, parse::parse_text);
    let values = settings.optional(ONLY_VALUES, parse::parse_texts);
    let except = settings.optional(ONLY_EXCEPT, parse::parse_switch);
    match (column?, values?, except?) {
        (Some(column), Some(values), except) => {
            let (column, except) = (column.trim().to_owned(), except.unwrap_or(false));
            Ok(Some(Selection { column, values, except }))
        }
        (None, None, None) => Ok(None),
        (Some(_), None, _) => {
            let title = format!("`{ONLY_VALUES}` is missing");
            let hint = "name the values of the rows or cards that take part: values = [\"yes\"]";
            Err(settings.note_problem(ONLY_COLUMN, title, Some(hint.to_owned())))
        }
        (None, values, _) => {
            let title = format!("`{ONLY_COLUMN}` is missing");
            let hint = "name the column, or the property of vCards, that says who takes part";
            let key = if values.is_some() { ONLY_VALUES } else { ONLY_EXCEPT };
            Err(settings.note_problem(key, title, Some(hint.to_owned())))
        }
    }
}

/// What names a property of cards is no sentence.
fn selects_by_property(
    only: Option<&Selection>,
    settings: &mut ConfigLayers<'_>,
) -> Result<(), Noted> {
    let is_name =
        |only: &Selection| only.column.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match only.filter(|only| !is_name(only)) {
        None => Ok(()),
        Some(only) => {
            let title = format!("`{}` is not the name of a vCard property", only.column);
            let hint = "name one such as CATEGORIES, ORG, KIND or NOTE".to_owned();
            Err(settings.note_problem(ONLY_COLUMN, title, Some(hint)))
        }
    }
}

fn read_columns(settings: &mut ConfigLayers<'_>) -> Result<BTreeMap<Field, Vec<String>>, Noted> {
    let mut columns: BTreeMap<Field, Vec<String>> = BTreeMap::new();
    let mut outcome = Ok(());
    for (field, key) in keys::of_fields("source.columns") {
        let several = field == Field::Location;
        let read = |value: &Value| {
            if several {
                parse::parse_texts(value)
            } else {
                parse::parse_text(value).map(|one| vec![one])
            }
        };
        match settings.optional(key, read) {
            Ok(None) => {}
            Ok(Some(found)) => {
                let is_taken = |other: &Vec<String>| other.iter().any(|one| found.contains(one));
                if let Some((taken, _)) = columns.iter().find(|(_, other)| is_taken(other)) {
                    let title =
                        format!("`{key}` is the column of `source.columns.{taken}` as well");
                    outcome = Err(settings.note_problem(key, title, None));
                }
                if (1..found.len()).any(|at| found[..at].contains(&found[at])) {
                    let title = format!("`{key}` names a column twice");
                    outcome = Err(settings.note_problem(key, title, None));
                }
                columns.insert(field, found);
            }
            Err(Noted) => outcome = Err(Noted),
        }
    }
    outcome.map(|()| columns)
}

impl VcardConfig {
    fn read(settings: &mut ConfigLayers<'_>) -> Result<VcardConfig, Noted> {
        let recursive = settings.required("source.recursive", parse::parse_switch);
        let version = settings.required("source.vcard_version", |value| {
            parse::parse_choice(value, &VcardVersionSetting::NAMES)
        });
        Ok(VcardConfig { recursive: recursive?, version: version? })
    }
}
