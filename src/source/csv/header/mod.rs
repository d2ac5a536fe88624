//! Which column holds which field.
//!
//! Owns the choice among columns. A configured name wins, else the header is
//! compared, regardless of case, accents, spaces and punctuation, with the names of
//! [`super::names`]. Where several columns could hold a field, the best name wins,
//! and among equal names the leftmost column; for e-mail addresses, phone numbers and cities
//! all of them are kept, the best first. What stands below a name counts where the name may
//! mean something else. Leaves what a column holds to [`profile`].

mod profile;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Field, FieldSet, SelectionBasis, WHOLE_NAME};
use crate::source::full_name::Usual;

use super::location::FieldLocation;
use super::names::{self, HeaderNames, NameMeaning, name_meaning, plain_name};
use super::wording::ColumnMeaning;
use super::{CsvOptions, Defect};

pub(super) use profile::{Profile, Profiles};

/// A field that a column may hold unread, what that is called, and how it is known.
type UnreadColumn = (Field, &'static str, fn(&Profile) -> bool);

/// The columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
    /// The places of each field, the best first; none is without any.
    fields: BTreeMap<Field, Vec<FieldLocation>>,
    /// What people should know of the columns, each a sentence.
    pub(super) notices: Vec<String>,
    /// The column that identifies a row.
    pub(super) key: Option<usize>,
    /// The column that holds the Linq id.
    pub(super) id: Option<usize>,
    /// The column that says which rows take part.
    pub(super) only: Option<usize>,
}

impl Columns {
    /// Finds the columns among the trimmed `names` of the header; `below` tells what they
    /// hold.
    ///
    /// # Errors
    /// [`Defect`] when a configured column is missing or there twice, when one
    /// column is to be two things, or when nothing identifies a contact.
    pub(super) fn find_columns(
        names: Vec<String>,
        options: &CsvOptions,
        below: &dyn Profiles,
    ) -> Result<Columns, Defect> {
        let configured = |name: &Option<String>, setting| {
            name.as_deref().map(|name| column_named(&names, name, setting)).transpose()
        };
        let key = configured(&options.key, "source.key")?;
        let id = configured(&options.id_column, "source.id_column").map_err(|mut defect| {
            defect.hint = format!("add an empty column of this name to the file; {}", defect.hint);
            defect
        })?;
        let only = options.only.as_ref().map(|only| only.column.clone());
        let only = configured(&only, "source.only.column")?;
        let mut fields = BTreeMap::new();
        for (field, columns) in &options.columns {
            let setting = format!("source.columns.{field}");
            let columns: Result<Vec<usize>, Defect> =
                columns.iter().map(|name| column_named(&names, name, &setting)).collect();
            let place = match columns?[..] {
                [column] => FieldLocation::Column(column),
                ref several => FieldLocation::Joined(several.to_vec()),
            };
            fields.insert(*field, vec![place]);
        }
        if let Some(column) = configured(&options.full_name, "source.columns.full_name")? {
            whole_name(&names, &mut fields, column);
        }
        let mut notices = Vec::new();
        recognise_names(&names, &mut fields, id, below, &mut notices);
        let marks_new_rows = options.only.as_ref().is_some_and(|only| only.first().is_some());
        let columns = Columns { names, fields, notices, key, id, only };
        let columns = columns.check_columns(marks_new_rows)?;
        Ok(columns.with_notices(below))
    }

    fn check_columns(self, marks_new_rows: bool) -> Result<Columns, Defect> {
        let columns = |field: &Field| {
            self.fields[field].iter().flat_map(|place| place.columns().iter().copied())
        };
        let sets: BTreeMap<Field, BTreeSet<usize>> =
            self.fields.keys().map(|field| (*field, columns(field).collect())).collect();
        for (field, column) in self.fields.keys().flat_map(|f| columns(f).map(move |c| (f, c))) {
            let is_other = |other: &Field| {
                let is_pair = self.whole_name() == Some(column)
                    && (*field, *other) == (Field::FirstName, Field::LastName);
                *other > *field && !is_pair && sets[other].contains(&column)
            };
            let also = match self.fields.keys().find(|other| is_other(other)) {
                Some(other) => other.name(),
                None if self.id == Some(column) => "source.id_column",
                None => continue,
            };
            return Err(self.clash_defect(column, field.name(), also));
        }
        if let Some(column) = self.id.filter(|id| self.key == Some(*id)) {
            return Err(self.clash_defect(column, "source.key", "source.id_column"));
        }
        if let Some(column) = self.id.filter(|id| self.only == Some(*id)) {
            return Err(self.clash_defect(column, "source.only.column", "source.id_column"));
        }
        if let Some(column) = self.key.filter(|key| self.only == Some(*key) && marks_new_rows) {
            // All of them would get the same key.
            return Err(self.clash_defect(column, "source.only.column", "source.key"));
        }
        if Field::IDENTITY.into_iter().all(|field| !self.fields.contains_key(&field)) {
            return Err(Defect::new(
                None,
                "has no column for a name, an e-mail address or a phone number",
                &format!(
                    "name them in [source.columns], or to init with --column FIELD=COLUMN; {}{}",
                    list_names(&self.names),
                    self.recognised_text()
                ),
            ));
        }
        Ok(self)
    }

    /// The same, which says where columns that nobody reads hold addresses or numbers.
    fn with_notices(mut self, below: &dyn Profiles) -> Columns {
        let missing = [Field::Email, Field::PhoneNumber].map(|f| !self.fields.contains_key(&f));
        if missing == [false, false] {
            return self;
        }
        let unused: Vec<usize> =
            (0..self.column_count()).filter(|column| !self.is_used(*column)).collect();
        let profiles = below.profiles_of(&unused);
        let kinds: [UnreadColumn; 2] = [
            (Field::Email, "e-mail addresses", Profile::holds_emails),
            (Field::PhoneNumber, "phone numbers", Profile::holds_phones),
        ];
        for ((field, what, holds), is_missing) in kinds.into_iter().zip(missing) {
            let holding = unused.iter().zip(&profiles).filter(|(_, profile)| holds(profile));
            let holding: Vec<String> = holding
                .map(|(column, _)| match printable(&self.names[*column]) {
                    name if name.is_empty() => format!("column {}", column + 1),
                    name => format!("`{name}`"),
                })
                .collect();
            if is_missing && !holding.is_empty() {
                self.notices.push(format!(
                    "no column is read as {field}, but {} holds {what}: name the column that \
                     contacts get theirs from in [source.columns], as {field} = \"…\"",
                    holding.join(" and ")
                ));
            }
        }
        self
    }

    /// What was recognised, for people.
    fn recognised_text(&self) -> String {
        let one = |(field, places): (&Field, &Vec<FieldLocation>)| {
            format!("`{}` as {field}", printable(&self.name_of(&places[0])))
        };
        let all: Vec<String> = self.fields.iter().map(one).collect();
        if all.is_empty() { String::new() } else { format!("; recognised: {}", all.join(", ")) }
    }

    fn clash_defect(&self, column: usize, one: &str, other: &str) -> Defect {
        let problem = format!(
            "cannot use its column `{}` as {one} and as {other}",
            printable(&self.names[column])
        );
        Defect::new(None, &problem, "name another column for one of them")
    }

    /// What is read from the column which says which rows take part, if anything is.
    pub(super) fn told_by_only(&self) -> Option<SelectionBasis> {
        let only = self.only?;
        if self.whole_name() == Some(only) {
            return Some(SelectionBasis::WholeName);
        }
        self.fields
            .keys()
            .copied()
            .find(|field| self.columns_of(*field).any(|column| column == only))
            .map(SelectionBasis::Field)
    }

    /// The fields that have a column.
    pub(super) fn mapped_fields(&self) -> FieldSet {
        self.fields.keys().copied().collect()
    }

    /// The fields and their places, the best first; each has one at least.
    pub(super) fn fields(&self) -> impl Iterator<Item = (Field, &[FieldLocation])> {
        self.fields.iter().map(|(field, places)| (*field, places.as_slice()))
    }

    /// The places of `field`, the best first; empty if it has none.
    pub(super) fn places_of(&self, field: Field) -> &[FieldLocation] {
        self.fields.get(&field).map_or(&[], Vec::as_slice)
    }

    /// The columns of `field`, the best first.
    pub(super) fn columns_of(&self, field: Field) -> impl Iterator<Item = usize> {
        self.places_of(field).iter().flat_map(|place| place.columns().iter().copied())
    }

    /// The column with whole names, if that is where names are.
    pub(super) fn whole_name(&self) -> Option<usize> {
        let places = self.places_of(Field::FirstName).iter().chain(self.places_of(Field::LastName));
        places
            .filter(|place| place.own_column().is_none())
            .flat_map(FieldLocation::columns)
            .next()
            .copied()
    }

    /// Which name comes first in whole names, where nothing in them tells.
    pub(super) fn usual_order(&self) -> Usual {
        let places = self.places_of(Field::FirstName).iter().chain(self.places_of(Field::LastName));
        places
            .map(FieldLocation::usual_order)
            .find(|usual| *usual == Usual::LastName)
            .unwrap_or_default()
    }

    /// The names of the columns of a place, as people read them.
    pub(super) fn name_of(&self, place: &FieldLocation) -> String {
        let names = place.columns().iter().map(|column| self.names[*column].as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// The fields and the names of their columns; of several columns of one name, which
    /// it is.
    pub(super) fn column_names(&self) -> BTreeMap<Field, String> {
        // How many columns have the name of each up to it, and in all.
        let mut all: BTreeMap<String, usize> = BTreeMap::new();
        let number = |name: &String| {
            let count = all.entry(fold_name(name)).or_insert(0);
            *count += 1;
            *count
        };
        let numbers: Vec<usize> = self.names.iter().map(number).collect();
        let column = |at: &usize| {
            let name = &self.names[*at];
            match all[&fold_name(name)] {
                1 => name.clone(),
                all => format!("{name} ({} of {all})", numbers[*at]),
            }
        };
        let place = |place: &FieldLocation| {
            let columns: Vec<String> = place.columns().iter().map(column).collect();
            match place {
                FieldLocation::Column(_) => columns.concat(),
                FieldLocation::WholeName(_, Usual::FirstName) => {
                    columns.concat() + WHOLE_NAME + ")"
                }
                FieldLocation::WholeName(_, Usual::LastName) => {
                    columns.concat() + WHOLE_NAME + ", last name first)"
                }
                FieldLocation::Joined(_) => columns.join(" + "),
            }
        };
        let places =
            |places: &[FieldLocation]| places.iter().map(place).collect::<Vec<_>>().join(", ");
        self.fields().map(|(field, all)| (field, places(all))).collect()
    }

    /// The columns by their names, but for the one that holds Linq's id.
    pub(super) fn by_name(&self) -> Vec<usize> {
        let mut columns: Vec<usize> =
            (0..self.names.len()).filter(|column| self.id != Some(*column)).collect();
        columns.sort_by_key(|column| &self.names[*column]);
        columns
    }

    /// Whether something of a contact is read from a column.
    pub(super) fn is_used(&self, column: usize) -> bool {
        let used = [self.key, self.id, self.only];
        used.contains(&Some(column))
            || self.fields.keys().any(|field| self.columns_of(*field).any(|c| c == column))
    }

    /// Number of columns.
    pub(super) fn column_count(&self) -> usize {
        self.names.len()
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

/// What a text would say as a name in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameColumn {
    /// It is named in the configuration: the column of this field, or that of the key or
    /// of the ids.
    Configured(Option<Field>),
    /// It is one of the names by which a column of this field is recognised.
    Known(Field),
    /// Nothing.
    Unknown,
}

impl NameColumn {
    /// What `text` says.
    pub(super) fn parse_name(text: &str, options: &CsvOptions) -> NameColumn {
        let mut columns = options.columns.iter();
        let is_named = |wanted: &Vec<String>| wanted.iter().any(|name| same_name(name, text));
        if let Some((field, _)) = columns.find(|(_, wanted)| is_named(wanted)) {
            return NameColumn::Configured(Some(*field));
        }
        if options.full_name.as_ref().is_some_and(|wanted| same_name(wanted, text)) {
            return NameColumn::Configured(Some(Field::FirstName));
        }
        let only = options.only.as_ref().map(|only| &only.column);
        let mut others = options.key.iter().chain(&options.id_column).chain(only);
        if others.any(|wanted| same_name(wanted, text)) {
            return NameColumn::Configured(names::field_of(text));
        }
        names::field_of(text).map_or(NameColumn::Unknown, NameColumn::Known)
    }

    /// The field whose column it names, if it does.
    pub(super) fn field_named(self) -> Option<Field> {
        match self {
            NameColumn::Configured(field) => field,
            NameColumn::Known(field) => Some(field),
            NameColumn::Unknown => None,
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
fn column_named(names: &[String], wanted: &str, setting: &str) -> Result<usize, Defect> {
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
            let hint = nearest_name(names, wanted).map_or_else(
                || list_names(names),
                |name| format!("did you mean `{}`? {}", printable(name), list_names(names)),
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
    fold_name(a) == fold_name(b)
}

fn fold_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Names that stand for forms of address as well as for job titles.
const MAY_BE_FORM_OF_ADDRESS: [&str; 3] = ["title", "titre", "titel"];

/// Adds the columns whose names are known to `fields`, which holds those that are
/// configured.
fn recognise_names(
    names: &[String],
    fields: &mut BTreeMap<Field, Vec<FieldLocation>>,
    id: Option<usize>,
    below: &dyn Profiles,
    notices: &mut Vec<String>,
) {
    let own: BTreeSet<Field> = fields.keys().copied().collect();
    let is_configured = |field: &Field| own.contains(field);
    let configured = fields.values().flatten().flat_map(FieldLocation::columns).copied();
    let taken: Vec<usize> = configured.chain(id).collect();
    let mut found: BTreeMap<ColumnMeaning, Vec<(NameMeaning, usize)>> = BTreeMap::new();
    let all = HeaderNames::from_columns(names);
    for column in (0..names.len()).filter(|column| !taken.contains(column)) {
        if let Some(meaning) = name_meaning(&names[column], &all) {
            found.entry(meaning.target).or_default().push((meaning, column));
        }
    }
    for (target, mut columns) in found {
        columns.sort_unstable_by_key(|(meaning, column)| (meaning.rank, *column));
        match target {
            ColumnMeaning::Field(field) if fields.contains_key(&field) => {}
            ColumnMeaning::Field(Field::Title) => {
                take_title_column(names, fields, &columns, below, notices);
            }
            ColumnMeaning::Field(field) => {
                let columns = kept_columns(field, &columns);
                fields.insert(field, columns.into_iter().map(FieldLocation::Column).collect());
            }
            // Names are before it in the order of targets.
            ColumnMeaning::FullName => {
                let has = |field| fields.contains_key(field);
                let halves = [Field::FirstName, Field::LastName];
                // Beside one half, a column of that name has the other half as well.
                let is_half = halves.iter().filter(|field| has(field)).count() == 1
                    && !halves.iter().any(is_configured);
                if is_half {
                    columns.retain(|(_, column)| names::is_surely_whole(&names[*column]));
                }
                if is_half || !halves.iter().any(has) {
                    // Of organisations `NameColumn` is their own.
                    let is_of_these = !has(&Field::Email) && is_of_organisations(names);
                    let is_own =
                        |column: &usize| is_of_these && plain_name(&names[*column]) == "name";
                    let columns = columns.iter().map(|(_, column)| *column);
                    let columns: Vec<usize> = columns.filter(|column| !is_own(column)).collect();
                    let profiles = below.profiles_of(&columns);
                    let is_name = |(_, profile): &(usize, Profile)| !profile.holds_no_names();
                    let best = columns.into_iter().zip(profiles).find(is_name);
                    if let Some((column, _)) = best {
                        whole_name(names, fields, column);
                    }
                }
            }
        }
    }
}

/// Names of columns that only a table of organisations has.
const OF_ORGANISATIONS: [&str; 10] = [
    "industry",
    "annualrevenue",
    "numberofemployees",
    "numemployees",
    "numemp",
    "employees",
    "accountnumber",
    "sic",
    "stagename",
    "closedate",
];

/// Whether the rows of a table with these columns are organisations, or deals with them.
fn is_of_organisations(names: &[String]) -> bool {
    names.iter().any(|name| OF_ORGANISATIONS.contains(&plain_name(name).as_str()))
}

fn whole_name(names: &[String], fields: &mut BTreeMap<Field, Vec<FieldLocation>>, column: usize) {
    let usual =
        if names::is_last_name_first(&names[column]) { Usual::LastName } else { Usual::FirstName };
    for field in [Field::FirstName, Field::LastName] {
        fields.insert(field, vec![FieldLocation::WholeName(column, usual)]);
    }
}

/// The columns of a field that are read, of those with a name for it, the best first.
fn kept_columns(field: Field, columns: &[(NameMeaning, usize)]) -> Vec<usize> {
    let others = columns.iter().skip(1).filter(|(meaning, _)| !meaning.is_alone);
    let kept = columns.iter().take(1).chain(others).map(|(_, column)| *column);
    let several = matches!(field, Field::Email | Field::PhoneNumber | Field::Location);
    kept.take(if several { columns.len() } else { 1 }).collect()
}

/// Takes the best column for job titles that does not hold forms of address.
fn take_title_column(
    names: &[String],
    fields: &mut BTreeMap<Field, Vec<FieldLocation>>,
    columns: &[(NameMeaning, usize)],
    below: &dyn Profiles,
    notices: &mut Vec<String>,
) {
    let mut columns = columns.to_vec();
    // French Outlook has `Titre` twice: the form of address, then the job title.
    columns.sort_by_key(|(meaning, column)| (meaning.rank, std::cmp::Reverse(*column)));
    for (_, column) in columns {
        let is_form = MAY_BE_FORM_OF_ADDRESS.contains(&plain_name(&names[column]).as_str())
            && below.profiles_of(&[column]).iter().any(Profile::holds_forms_of_address);
        if !is_form {
            fields.insert(Field::Title, vec![FieldLocation::Column(column)]);
            return;
        }
        notices.push(format!(
            "the column `{}` holds forms of address such as Mr and Dr., so it is not read as job \
             title; if it is meant to be, name it in [source.columns]",
            printable(&names[column])
        ));
    }
}

fn nearest_name<'a>(names: &'a [String], wanted: &str) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&plain_name(name), &plain_name(wanted));
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) > 0.8).then_some(nearest)
}

/// The names of the header for people, unless it looks like a contact.
fn list_names(names: &[String]) -> String {
    let personal =
        |name: &String| name.contains('@') || name.bytes().filter(u8::is_ascii_digit).count() >= 5;
    if names.iter().any(personal) {
        return "its first row looks like a contact and must be a header".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("`{}`", printable(name)))
        .collect();
    format!("the header has {}", shown.join(", "))
}

/// A name of the header as it is shown: nothing in it acts on a terminal.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
