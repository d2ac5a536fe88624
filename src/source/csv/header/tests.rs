//! Headers of real programs, and which columns they mean.

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
            ["first_name", "last_name", "email", "phone_number", "company", "title", "location"],
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
        defect.hint.ends_with("the header has `Firma`, `Kunde`; recognised: `Firma` as company")
    );
}

#[test]
fn a_file_without_a_header_is_told_so_without_showing_a_contact() {
    let row = "Ann,Lee,ann@example.com,+14155552671";
    let defect = Columns::find(header(row), &options()).unwrap_err();
    assert!(defect.problem.contains("no column for a name"));
    assert!(defect.hint.contains("looks like a contact") && !defect.hint.contains("Ann"));
}
