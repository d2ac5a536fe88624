//! Which column holds which field.
//!
//! Owns the names by which columns are recognised. A configured name wins, else
//! the header is compared, regardless of case, spaces and punctuation, with the
//! names that Linq's own import knows and with the headers that Google, Outlook,
//! HubSpot and Apple write. Where several columns could hold a field, the name
//! that stands first in [`recognised`] wins, and among equal names the leftmost
//! column.

use std::collections::BTreeMap;

use crate::model::{Field, FieldSet};

use super::{CsvOptions, Defect};

/// The columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
    fields: BTreeMap<Field, usize>,
    /// The column that identifies a row.
    pub(super) key: Option<usize>,
    /// The column that holds the Linq id.
    pub(super) id: Option<usize>,
}

/// The names by which the column of `field` is recognised, in lower case without
/// spaces and punctuation; earlier ones win. An owner is never recognised.
const fn recognised(field: Field) -> &'static [&'static str] {
    match field {
        Field::FirstName => &["firstname", "first", "givenname", "given", "forename", "fname"],
        Field::LastName => &["lastname", "last", "surname", "familyname", "family", "lname"],
        Field::Email => &[
            "email",
            "emailaddress",
            "primaryemail",
            "mail",
            "email1value",
            "email1",
            "emailaddress1",
            "workemail",
            "emailwork",
            "businessemail",
            "homeemail",
            "emailhome",
            "personalemail",
        ],
        Field::PhoneNumber => &[
            "phonenumber",
            "phone",
            "primaryphone",
            "mobilephone",
            "mobilephonenumber",
            "mobilenumber",
            "mobile",
            "cellphone",
            "cellphonenumber",
            "cell",
            "phonemobile",
            "phone1value",
            "phone1",
            "telephone",
            "telephonenumber",
            "tel",
            "businessphone",
            "workphone",
            "phonework",
            "homephone",
            "phonehome",
        ],
        Field::Company => &[
            "company",
            "companyname",
            "organization",
            "organisation",
            "organizationname",
            "organisationname",
            "organization1name",
            "accountname",
            "associatedcompany",
            "employer",
        ],
        // Outlook's `Title` is a form of address when there is a `Job Title`.
        Field::Title => &[
            "jobtitle",
            "position",
            "organizationtitle",
            "organisationtitle",
            "organization1title",
            "title",
        ],
        Field::Location => {
            &["location", "city", "address1city", "businesscity", "workcity", "homecity", "town"]
        }
        Field::Owner => &[],
    }
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
            fields.insert(*field, named(&names, name, &format!("source.columns.{field}"))?);
        }
        for field in Field::ALL {
            if !options.columns.contains_key(&field)
                && let Some(column) = recognise(&names, field, &fields, id)
            {
                fields.insert(field, column);
            }
        }
        Columns { names, fields, key, id }.checked()
    }

    fn checked(self) -> Result<Columns, Defect> {
        for (field, column) in &self.fields {
            let twice = self.fields.iter().find(|(other, c)| *other > field && *c == column);
            let also = match twice {
                Some((other, _)) => other.name(),
                None if self.id == Some(*column) => "source.id_column",
                None => continue,
            };
            return Err(self.clash(*column, field.name(), also));
        }
        if let Some(column) = self.id.filter(|id| self.key == Some(*id)) {
            return Err(self.clash(column, "source.key", "source.id_column"));
        }
        if Field::IDENTITY.into_iter().all(|field| !self.fields.contains_key(&field)) {
            return Err(Defect::new(
                None,
                "has no column for a name, an e-mail address or a phone number",
                &format!("name them in [source.columns]; {}", listed(&self.names)),
            ));
        }
        Ok(self)
    }

    fn clash(&self, column: usize, one: &str, other: &str) -> Defect {
        let problem =
            format!("cannot use its column `{}` as {one} and as {other}", self.names[column]);
        Defect::new(None, &problem, "name another column for one of them")
    }

    /// The fields that have a column.
    pub(super) fn mapped(&self) -> FieldSet {
        self.fields.keys().copied().collect()
    }

    /// The fields and their columns.
    pub(super) fn fields(&self) -> impl Iterator<Item = (Field, usize)> {
        self.fields.iter().map(|(field, column)| (*field, *column))
    }

    /// The column of `field`.
    pub(super) fn of(&self, field: Field) -> Option<usize> {
        self.fields.get(&field).copied()
    }

    /// The columns that each row must have: those of the fields, and the key.
    pub(super) fn needed(&self) -> impl Iterator<Item = usize> {
        self.fields.values().copied().chain(self.key)
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
    let plain = plain(name);
    let mut configured =
        options.columns.values().chain(options.key.iter()).chain(options.id_column.iter());
    configured.any(|wanted| same_name(wanted, name))
        || Field::ALL.into_iter().any(|field| recognised(field).contains(&plain.as_str()))
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
                |name| format!("did you mean `{name}`? {}", listed(names)),
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

fn recognise(
    names: &[String],
    field: Field,
    taken: &BTreeMap<Field, usize>,
    id: Option<usize>,
) -> Option<usize> {
    let free = |column: &usize| id != Some(*column) && !taken.values().any(|used| used == column);
    recognised(field).iter().find_map(|known| {
        (0..names.len()).filter(free).find(|column| plain(&names[*column]) == *known)
    })
}

/// A name in lower case, without spaces and punctuation.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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
    let shown: Vec<String> =
        names.iter().filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
    format!("the header has {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn options() -> CsvOptions {
        CsvOptions::new("contacts.csv")
    }

    fn header(names: &str) -> Vec<String> {
        names.split(',').map(|name| name.trim().to_owned()).collect()
    }

    fn mapping(names: &str, options: &CsvOptions) -> Vec<(Field, String)> {
        let columns = Columns::find(header(names), options).unwrap();
        columns.fields().map(|(field, column)| (field, columns.names()[column].clone())).collect()
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

    #[test]
    fn no_name_stands_for_two_fields_and_all_are_in_plain_form() {
        let all: Vec<&str> = Field::ALL.into_iter().flat_map(recognised).copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|name| plain(name) == *name));
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
        assert_eq!(columns.of(Field::Email), Some(1));
        let mut twice = options();
        twice.columns.insert(Field::Email, "EMAIL".to_owned());
        let defect = Columns::find(header("Name,Email,email"), &twice).unwrap_err();
        assert!(defect.problem.contains("more than one column `EMAIL`"));
        twice.columns.insert(Field::Email, "email".to_owned());
        let exact = Columns::find(header("Name,Email,email"), &twice).unwrap();
        assert_eq!(exact.of(Field::Email), Some(2));
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
        assert_eq!((columns.key, columns.of(Field::Email)), (Some(1), Some(1)));
        options.id_column = Some("Email".to_owned());
        assert!(Columns::find(header("First Name,Email"), &options).is_err());
        options.id_column = None;
        options.columns.insert(Field::Company, "First Name".to_owned());
        options.columns.insert(Field::Title, "First Name".to_owned());
        let defect = Columns::find(header("First Name,Email"), &options).unwrap_err();
        assert!(defect.problem.contains("as company and as title"));
    }

    #[test]
    fn a_file_without_a_header_is_told_so_without_showing_a_contact() {
        let row = "Ann,Lee,ann@example.com,+14155552671";
        let defect = Columns::find(header(row), &options()).unwrap_err();
        assert!(defect.problem.contains("no column for a name"));
        assert!(defect.hint.contains("looks like a contact") && !defect.hint.contains("Ann"));
    }
}
