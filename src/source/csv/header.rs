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

    /// The fields and the names of their columns.
    pub(super) fn places(&self) -> BTreeMap<Field, String> {
        let names = |columns: &[usize]| {
            columns.iter().map(|at| self.names[*at].as_str()).collect::<Vec<_>>().join(", ")
        };
        self.fields().map(|(field, columns)| (field, names(columns))).collect()
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

/// Whether a header with `name` in it looks like one of ours.
pub(super) fn is_known(name: &str, options: &CsvOptions) -> bool {
    let mut configured =
        options.columns.values().chain(options.key.iter()).chain(options.id_column.iter());
    names::is_known(name) || configured.any(|wanted| same_name(wanted, name))
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
mod tests {
    use super::*;

    fn options() -> CsvOptions {
        CsvOptions::new("contacts.csv")
    }

    fn header(names: &str) -> Vec<String> {
        names.split(',').map(|name| name.trim().to_owned()).collect()
    }

    fn mapping(names: &str, options: &CsvOptions) -> Vec<(Field, String)> {
        let columns = Columns::find(header(names), options).unwrap();
        let first = |(field, all): (Field, &[usize])| (field, columns.names()[all[0]].clone());
        columns.fields().map(first).collect()
    }

    fn recognised_as(names: &str) -> [String; 7] {
        let mapping: BTreeMap<Field, String> = mapping(names, &options()).into_iter().collect();
        let name = |n: usize| mapping.get(&Field::ALL[n]).cloned().unwrap_or_default();
        std::array::from_fn(name)
    }

    #[test]
    fn the_headers_of_well_known_exports_are_recognised() {
        let table = [
            // Linq's import.
            (
                "First Name,Last Name,Email,Phone,Company,Title",
                ["First Name", "Last Name", "Email", "Phone", "Company", "Title", ""],
            ),
            ("first,LAST,email", ["first", "LAST", "email", "", "", "", ""]),
            // Google.
            (
                "First Name,Middle Name,Last Name,Name Prefix,Organization Name,Organization Title,\
                 E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Address 1 - City",
                [
                    "First Name",
                    "Last Name",
                    "E-mail 1 - Value",
                    "Phone 1 - Value",
                    "Organization Name",
                    "Organization Title",
                    "Address 1 - City",
                ],
            ),
            // Outlook, where Title is Dr. or Mrs.
            (
                "Title,First Name,Last Name,Company,Job Title,Business City,Home Phone,\
                 Business Phone,Mobile Phone,E-mail Address,E-mail 2 Address",
                [
                    "First Name",
                    "Last Name",
                    "E-mail Address",
                    "Mobile Phone",
                    "Company",
                    "Job Title",
                    "Business City",
                ],
            ),
            // HubSpot.
            (
                "Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,\
                 Contact owner,Associated Company,Job Title,City",
                [
                    "First Name",
                    "Last Name",
                    "Email",
                    "Phone Number",
                    "Associated Company",
                    "Job Title",
                    "City",
                ],
            ),
            // Apple, and programs in its manner.
            (
                "Given Name,Family Name,Organization,Position,Mail,Mobile",
                ["Given Name", "Family Name", "Mail", "Mobile", "Organization", "Position", ""],
            ),
            (
                "first_name,last_name,email,phone_number,company,title,location",
                [
                    "first_name",
                    "last_name",
                    "email",
                    "phone_number",
                    "company",
                    "title",
                    "location",
                ],
            ),
        ];
        for (names, expected) in table {
            assert_eq!(recognised_as(names), expected, "{names}");
        }
    }

    fn columns_of(field: Field, names: &str) -> Vec<String> {
        let columns = Columns::find(header(names), &options()).unwrap();
        columns.of(field).iter().map(|column| columns.names()[*column].clone()).collect()
    }

    #[test]
    fn all_columns_with_e_mail_addresses_and_phone_numbers_are_kept_the_best_first() {
        let outlook = "Business Phone,Home Phone,Mobile Phone,Business Fax,E-mail 2 Address,\
                       E-mail 2 Type,E-mail Address";
        assert_eq!(columns_of(Field::Email, outlook), ["E-mail Address", "E-mail 2 Address"]);
        let phones = ["Mobile Phone", "Business Phone", "Home Phone"];
        assert_eq!(columns_of(Field::PhoneNumber, outlook), phones);
        let google = "First Name,E-mail 2 - Value,E-mail 1 - Value,E-mail 10 - Value";
        let emails = ["E-mail 1 - Value", "E-mail 2 - Value", "E-mail 10 - Value"];
        assert_eq!(columns_of(Field::Email, google), emails);
        let mut configured = options();
        configured.columns.insert(Field::Email, "E-mail 2 - Value".to_owned());
        let columns = Columns::find(header(google), &configured).unwrap();
        assert_eq!(columns.of(Field::Email), [1], "the configured one alone");
    }

    #[test]
    fn the_second_of_two_equal_titles_is_that_of_the_job() {
        let columns = Columns::find(header("Titre,Prénom,Nom,Titre"), &options()).unwrap();
        assert_eq!(columns.of(Field::Title), [3]);
    }

    #[test]
    fn a_configured_column_wins_and_an_owner_is_only_configured() {
        let names = "Email,Private Email ,First Name,Owner";
        assert_eq!(mapping(names, &options()).len(), 2);
        let mut options = options();
        options.columns.insert(Field::Email, "private email".to_owned());
        options.columns.insert(Field::Owner, "Owner".to_owned());
        let mapping: BTreeMap<Field, String> = mapping(names, &options).into_iter().collect();
        assert_eq!(mapping[&Field::Email], "Private Email");
        assert_eq!(mapping[&Field::Owner], "Owner");
    }

    #[test]
    fn the_leftmost_of_equal_columns_is_recognised_and_a_configured_one_must_be_alone() {
        let columns = Columns::find(header("Name,Email,email"), &options()).unwrap();
        assert_eq!(columns.of(Field::Email), [1, 2]);
        let mut twice = options();
        twice.columns.insert(Field::Email, "EMAIL".to_owned());
        let defect = Columns::find(header("Name,Email,email"), &twice).unwrap_err();
        assert!(defect.problem.contains("more than one column `EMAIL`"));
        twice.columns.insert(Field::Email, "email".to_owned());
        let exact = Columns::find(header("Name,Email,email"), &twice).unwrap();
        assert_eq!(exact.of(Field::Email), [2]);
    }

    #[test]
    fn a_missing_column_is_named_with_the_nearest_one() {
        let mut options = options();
        options.columns.insert(Field::FirstName, "Frist Name".to_owned());
        let defect = Columns::find(header("First Name,Email"), &options).unwrap_err();
        assert!(defect.problem.contains("`Frist Name`, which source.columns.first_name names"));
        assert_eq!(defect.hint, "did you mean `First Name`? the header has `First Name`, `Email`");
    }

    #[test]
    fn a_missing_id_column_is_to_be_added() {
        let mut options = options();
        options.id_column = Some("linq_id".to_owned());
        let defect = Columns::find(header("First Name,Email"), &options).unwrap_err();
        assert!(defect.problem.contains("`linq_id`, which source.id_column names"));
        assert!(defect.hint.starts_with("add an empty column of this name"));
    }

    #[test]
    fn a_column_is_one_thing_only_save_that_a_field_may_be_the_key() {
        let mut options = options();
        options.key = Some("Email".to_owned());
        let columns = Columns::find(header("First Name,Email"), &options).unwrap();
        assert_eq!((columns.key, columns.of(Field::Email)), (Some(1), &[1][..]));
        options.id_column = Some("Email".to_owned());
        assert!(Columns::find(header("First Name,Email"), &options).is_err());
        options.id_column = None;
        options.columns.insert(Field::Company, "First Name".to_owned());
        options.columns.insert(Field::Title, "First Name".to_owned());
        let defect = Columns::find(header("First Name,Email"), &options).unwrap_err();
        assert!(defect.problem.contains("as company and as title"));
    }

    #[test]
    fn an_error_says_what_was_recognised() {
        let defect = Columns::find(header("Firma,Kunde"), &options()).unwrap_err();
        assert!(
            defect
                .hint
                .ends_with("the header has `Firma`, `Kunde`; recognised: `Firma` as company")
        );
    }

    #[test]
    fn a_file_without_a_header_is_told_so_without_showing_a_contact() {
        let row = "Ann,Lee,ann@example.com,+14155552671";
        let defect = Columns::find(header(row), &options()).unwrap_err();
        assert!(defect.problem.contains("no column for a name"));
        assert!(defect.hint.contains("looks like a contact") && !defect.hint.contains("Ann"));
    }
}
