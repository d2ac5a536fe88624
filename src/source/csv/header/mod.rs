//! Which column holds which field.
//!
//! Owns the choice among columns. A configured name wins, else the header is
//! compared, regardless of case, accents, spaces and punctuation, with the names of
//! [`super::names`]. Where several columns could hold a field, the best name wins,
//! and among equal names the leftmost column; for e-mail addresses and phone numbers
//! all of them are kept, the best first.

use std::collections::BTreeMap;

use crate::model::{Field, FieldSet};

use super::names::{self, meaning, plain};
use super::{CsvOptions, Defect};

/// The columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
    /// The columns of each field, the best first; none is without any.
    fields: BTreeMap<Field, Vec<usize>>,
    /// The column that identifies a row.
    pub(super) key: Option<usize>,
    /// The column that holds the Linq id.
    pub(super) id: Option<usize>,
}

impl Columns {
    /// Finds the columns among the trimmed `names` of the header.
    ///
    /// # Errors
    /// [`Defect`] when a configured column is missing or there twice, when one
    /// column is to be two things, or when nothing identifies a person.
    pub(super) fn find(names: Vec<String>, options: &CsvOptions) -> Result<Columns, Defect> {
        let configured = |name: &Option<String>, setting| {
            name.as_deref().map(|name| named(&names, name, setting)).transpose()
        };
        let key = configured(&options.key, "source.key")?;
        let id = configured(&options.id_column, "source.id_column").map_err(|mut defect| {
            defect.hint = format!("add an empty column of this name to the file; {}", defect.hint);
            defect
        })?;
        let mut fields = BTreeMap::new();
        for (field, name) in &options.columns {
            fields.insert(*field, vec![named(&names, name, &format!("source.columns.{field}"))?]);
        }
        recognise(&names, &mut fields, id);
        Columns { names, fields, key, id }.checked()
    }

    fn checked(self) -> Result<Columns, Defect> {
        let columns = |field: &Field| self.fields[field].iter().copied();
        for (field, column) in self.fields.keys().flat_map(|f| columns(f).map(move |c| (f, c))) {
            let twice = self.fields.iter().find(|(f, all)| *f > field && all.contains(&column));
            let also = match twice {
                Some((other, _)) => other.name(),
                None if self.id == Some(column) => "source.id_column",
                None => continue,
            };
            return Err(self.clash(column, field.name(), also));
        }
        if let Some(column) = self.id.filter(|id| self.key == Some(*id)) {
            return Err(self.clash(column, "source.key", "source.id_column"));
        }
        if Field::IDENTITY.into_iter().all(|field| !self.fields.contains_key(&field)) {
            return Err(Defect::new(
                None,
                "has no column for a name, an e-mail address or a phone number",
                &format!(
                    "name them in [source.columns], or to init with --column FIELD=COLUMN; {}{}",
                    listed(&self.names),
                    self.recognised()
                ),
            ));
        }
        Ok(self)
    }

    /// What was recognised, for people.
    fn recognised(&self) -> String {
        let one = |(field, columns): (&Field, &Vec<usize>)| {
            format!("`{}` as {field}", told(&self.names[columns[0]]))
        };
        let all: Vec<String> = self.fields.iter().map(one).collect();
        if all.is_empty() { String::new() } else { format!("; recognised: {}", all.join(", ")) }
    }

    fn clash(&self, column: usize, one: &str, other: &str) -> Defect {
        let problem = format!(
            "cannot use its column `{}` as {one} and as {other}",
            told(&self.names[column])
        );
        Defect::new(None, &problem, "name another column for one of them")
    }

    /// The fields that have a column.
    pub(super) fn mapped(&self) -> FieldSet {
        self.fields.keys().copied().collect()
    }

    /// The fields and their columns, the best first; each has one at least.
    pub(super) fn fields(&self) -> impl Iterator<Item = (Field, &[usize])> {
        self.fields.iter().map(|(field, columns)| (*field, columns.as_slice()))
    }

    /// The columns of `field`, the best first; empty if it has none.
    pub(super) fn of(&self, field: Field) -> &[usize] {
        self.fields.get(&field).map_or(&[], Vec::as_slice)
    }

    /// The fields and the names of their columns; of several columns of one name, which
    /// it is.
    pub(super) fn places(&self) -> BTreeMap<Field, String> {
        let place = |at: &usize| {
            let name = &self.names[*at];
            let same = |names: &[String]| names.iter().filter(|n| same_name(n, name)).count();
            match same(&self.names) {
                1 => name.clone(),
                all => format!("{name} ({} of {all})", same(&self.names[..=*at])),
            }
        };
        let places = |columns: &[usize]| columns.iter().map(place).collect::<Vec<_>>().join(", ");
        self.fields().map(|(field, columns)| (field, places(columns))).collect()
    }

    /// The columns by their names, but for the one that holds Linq's id.
    pub(super) fn by_name(&self) -> Vec<usize> {
        let mut columns: Vec<usize> =
            (0..self.names.len()).filter(|column| self.id != Some(*column)).collect();
        columns.sort_by_key(|column| &self.names[*column]);
        columns
    }

    /// Whether something of a contact is read from a column.
    pub(super) fn uses(&self, column: usize) -> bool {
        let used = [self.key, self.id];
        used.contains(&Some(column)) || self.fields.values().any(|all| all.contains(&column))
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

/// What a text would say as a name in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// It is named in the configuration: the column of this field, or that of the key or
    /// of the ids.
    Configured(Option<Field>),
    /// It is one of the names by which a column of this field is recognised.
    Known(Field),
    /// Nothing.
    Unknown,
}

impl Name {
    /// What `text` says.
    pub(super) fn of(text: &str, options: &CsvOptions) -> Name {
        let mut columns = options.columns.iter();
        if let Some((field, _)) = columns.find(|(_, wanted)| same_name(wanted, text)) {
            return Name::Configured(Some(*field));
        }
        let mut others = options.key.iter().chain(&options.id_column);
        if others.any(|wanted| same_name(wanted, text)) {
            return Name::Configured(names::field_of(text));
        }
        names::field_of(text).map_or(Name::Unknown, Name::Known)
    }

    /// The field whose column it names, if it does.
    pub(super) fn field(self) -> Option<Field> {
        match self {
            Name::Configured(field) => field,
            Name::Known(field) => Some(field),
            Name::Unknown => None,
        }
    }
}

/// Whether the texts of a row are the names of columns.
pub(super) fn is_header(texts: &[String]) -> bool {
    let filled = texts.iter().filter(|text| !text.is_empty()).count();
    let known: Vec<Field> = texts.iter().filter_map(|text| names::field_of(text)).collect();
    let fields: FieldSet = known.iter().copied().collect();
    let identifies = Field::IDENTITY.into_iter().any(|field| fields.contains(field));
    let most = known.len() == filled || fields.iter().count() > 2 && known.len() * 2 >= filled;
    identifies && fields.iter().count() > 1 && most
}

/// Whether `text` is one of the names by which columns are recognised.
pub(super) fn is_known(text: &str) -> bool {
    names::field_of(text).is_some()
}

/// The column called `wanted`: letter by letter, else regardless of case.
fn named(names: &[String], wanted: &str, setting: &str) -> Result<usize, Defect> {
    let columns = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|column| same(&names[*column])).collect()
    };
    let mut found = columns(&|name| name == wanted.trim());
    if found.is_empty() {
        found = columns(&|name| same_name(name, wanted));
    }
    match found[..] {
        [column] => Ok(column),
        [] => {
            let problem = format!("has no column `{wanted}`, which {setting} names");
            let hint = nearest(names, wanted).map_or_else(
                || listed(names),
                |name| format!("did you mean `{}`? {}", told(name), listed(names)),
            );
            Err(Defect::new(None, &problem, &hint))
        }
        _ => Err(Defect::new(
            None,
            &format!("has more than one column `{wanted}`, which {setting} names"),
            "give each of these columns a name of its own",
        )),
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// Adds the columns whose names are known to `fields`, which holds those that are
/// configured.
fn recognise(names: &[String], fields: &mut BTreeMap<Field, Vec<usize>>, id: Option<usize>) {
    let taken: Vec<usize> = fields.values().flatten().copied().chain(id).collect();
    let mut found: BTreeMap<Field, Vec<(usize, u32, usize)>> = BTreeMap::new();
    for column in (0..names.len()).filter(|column| !taken.contains(column)) {
        if let Some(meaning) = meaning(&names[column], names)
            && !fields.contains_key(&meaning.field)
        {
            let (name, number) = meaning.rank;
            found.entry(meaning.field).or_default().push((name, number, column));
        }
    }
    for (field, mut columns) in found {
        columns.sort_unstable();
        if field == Field::Title {
            // French Outlook has `Titre` twice: the form of address, then the job title.
            let best = columns[0];
            columns.retain(|column| (column.0, column.1) == (best.0, best.1));
            columns.reverse();
        }
        let several = matches!(field, Field::Email | Field::PhoneNumber);
        let kept = if several { columns.len() } else { 1 };
        fields.insert(field, columns.into_iter().take(kept).map(|(_, _, at)| at).collect());
    }
}

fn nearest<'a>(names: &'a [String], wanted: &str) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&plain(name), &plain(wanted));
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) > 0.8).then_some(nearest)
}

/// The names of the header for people, unless it looks like a contact.
fn listed(names: &[String]) -> String {
    let personal =
        |name: &String| name.contains('@') || name.bytes().filter(u8::is_ascii_digit).count() >= 5;
    if names.iter().any(personal) {
        return "its first row looks like a contact and must be a header".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("`{}`", told(name)))
        .collect();
    format!("the header has {}", shown.join(", "))
}

/// A name of the header as it is shown: nothing in it acts on a terminal.
pub(super) fn told(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
