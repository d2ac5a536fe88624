//! Headers of real programs, and which columns they mean.

use super::*;

fn options() -> CsvOptions {
    CsvOptions::new("contacts.csv")
}

fn header(names: &str) -> Vec<String> {
    names.split(',').map(|name| name.trim().to_owned()).collect()
}

fn found(names: &str, options: &CsvOptions) -> Result<Columns, Defect> {
    Columns::find_columns(header(names), options, &profile::NothingBelow)
}

fn at(columns: &Columns, field: Field) -> Vec<usize> {
    columns.columns_of(field).collect()
}

fn mapping(names: &str, options: &CsvOptions) -> Vec<(Field, String)> {
    let columns = found(names, options).unwrap();
    let first = |(field, all): (Field, &[FieldLocation])| (field, columns.name_of(&all[0]));
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
    let columns = found(names, &options()).unwrap();
    columns.columns_of(field).map(|column| columns.names()[column].clone()).collect()
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
    configured.columns.insert(Field::Email, vec!["E-mail 2 - Value".to_owned()]);
    let columns = found(google, &configured).unwrap();
    assert_eq!(at(&columns, Field::Email), [1], "the configured one alone");
}

#[test]
fn the_second_of_two_equal_titles_is_that_of_the_job() {
    let columns = found("Titre,Prénom,Nom,Titre", &options()).unwrap();
    assert_eq!(at(&columns, Field::Title), [3]);
}

#[test]
fn a_configured_column_wins_and_an_owner_is_only_configured() {
    let names = "Email,Private Email ,First Name,Owner";
    assert_eq!(mapping(names, &options()).len(), 2);
    let mut options = options();
    options.columns.insert(Field::Email, vec!["private email".to_owned()]);
    options.columns.insert(Field::Owner, vec!["Owner".to_owned()]);
    let mapping: BTreeMap<Field, String> = mapping(names, &options).into_iter().collect();
    assert_eq!(mapping[&Field::Email], "Private Email");
    assert_eq!(mapping[&Field::Owner], "Owner");
}

#[test]
fn the_leftmost_of_equal_columns_is_recognised_and_a_configured_one_must_be_alone() {
    let columns = found("Name,Email,email", &options()).unwrap();
    assert_eq!(at(&columns, Field::Email), [1, 2]);
    let mut twice = options();
    twice.columns.insert(Field::Email, vec!["EMAIL".to_owned()]);
    let defect = found("Name,Email,email", &twice).unwrap_err();
    assert!(defect.problem.contains("more than one column `EMAIL`"));
    twice.columns.insert(Field::Email, vec!["email".to_owned()]);
    let exact = found("Name,Email,email", &twice).unwrap();
    assert_eq!(at(&exact, Field::Email), [2]);
}

#[test]
fn a_missing_column_is_named_with_the_nearest_one() {
    let mut options = options();
    options.columns.insert(Field::FirstName, vec!["Frist Name".to_owned()]);
    let defect = found("First Name,Email", &options).unwrap_err();
    assert!(defect.problem.contains("`Frist Name`, which source.columns.first_name names"));
    assert_eq!(defect.hint, "did you mean `First Name`? the header has `First Name`, `Email`");
}

#[test]
fn a_missing_id_column_is_to_be_added() {
    let mut options = options();
    options.id_column = Some("linq_id".to_owned());
    let defect = found("First Name,Email", &options).unwrap_err();
    assert!(defect.problem.contains("`linq_id`, which source.id_column names"));
    assert!(defect.hint.starts_with("add an empty column of this name"));
}

#[test]
fn a_column_is_one_thing_only_save_that_a_field_may_be_the_key() {
    let mut options = options();
    options.key = Some("Email".to_owned());
    let columns = found("First Name,Email", &options).unwrap();
    assert_eq!((columns.key, at(&columns, Field::Email)), (Some(1), vec![1]));
    options.id_column = Some("Email".to_owned());
    assert!(found("First Name,Email", &options).is_err());
    options.id_column = None;
    options.columns.insert(Field::Company, vec!["First Name".to_owned()]);
    options.columns.insert(Field::Title, vec!["First Name".to_owned()]);
    let defect = found("First Name,Email", &options).unwrap_err();
    assert!(defect.problem.contains("as company and as title"));
}

#[test]
fn an_error_says_what_was_recognised() {
    let defect = found("Firma,Kunde", &options()).unwrap_err();
    assert!(
        defect.hint.ends_with("the header has `Firma`, `Kunde`; recognised: `Firma` as company")
    );
}

#[test]
fn a_file_without_a_header_is_told_so_without_showing_a_contact() {
    let row = "Ann,Lee,ann@example.com,+14155552671";
    let defect = found(row, &options()).unwrap_err();
    assert!(defect.problem.contains("no column for a name"));
    assert!(defect.hint.contains("looks like a contact") && !defect.hint.contains("Ann"));
}

#[test]
fn a_column_with_whole_names_is_recognised_where_there_is_no_other() {
    for (names, column) in [
        ("Name,Email,Phone,Company", 0),
        ("Email,Full Name", 1),
        ("Company,Contact,Email", 1),
        ("Name,Contact Name,Email", 1),
        ("Person - Name,Person - Email,Organization - Name", 0),
        ("Nombre,Correo", 0),
        ("Ansprechpartner,Firma,E-Mail", 0),
        ("氏名,メールアドレス", 0),
        ("姓名,邮箱", 0),
        ("이름,이메일", 0),
    ] {
        let columns = found(names, &options()).unwrap();
        assert_eq!(columns.whole_name(), Some(column), "{names}");
        assert_eq!(at(&columns, Field::LastName), [column], "{names}");
    }
    assert!(found("Name,Industry", &options()).is_err(), "a table of organisations");
    for names in ["Name,Vorname,Email", "First Name,Name,Email", "Name,Last Name", "Email,Company"]
    {
        assert_eq!(found(names, &options()).unwrap().whole_name(), None, "{names}");
    }
    let mut options = options();
    options.full_name = Some("kunde".to_owned());
    let columns = found("Kunde,First Name,Email", &options).unwrap();
    assert_eq!((columns.whole_name(), at(&columns, Field::FirstName)), (Some(0), vec![0]));
}

/// Columns of which each holds one kind of texts.
struct TestColumns(&'static [&'static str]);

impl Profiles for TestColumns {
    fn profiles_of(&self, columns: &[usize]) -> Vec<Profile> {
        let profile = |column: &usize| {
            let mut profile = Profile::default();
            profile.take_text(self.0.get(*column).copied().unwrap_or_default());
            profile
        };
        columns.iter().map(profile).collect()
    }
}

#[test]
fn what_stands_below_a_name_counts_where_it_may_mean_something_else() {
    let found =
        |names: &str, below| Columns::find_columns(header(names), &options(), &TestColumns(below));
    let columns = found("Title,First Name,Email", &["Mrs.", "Ada", "a@x.example"]).unwrap();
    assert!(at(&columns, Field::Title).is_empty());
    assert!(columns.notices[0].contains("`Title` holds forms of address"));
    let columns = found("Title,First Name,Email", &["Countess", "Ada", "a@x.example"]).unwrap();
    assert_eq!((at(&columns, Field::Title), columns.notices), (vec![0], vec![]));
    let columns = found("Name,Contact", &["Ada King", "+1 415 555 0101"]).unwrap();
    assert_eq!(columns.whole_name(), Some(0));
    assert!(columns.notices[0].contains("`Contact` holds phone numbers"));
    let columns = found("Contact,Company", &["a@x.example", "Engines"]);
    assert!(columns.unwrap_err().problem.contains("no column for a name"));
    let columns = found("First Name,Anschrift", &["Ada", "a@x.example"]).unwrap();
    assert!(columns.notices[0].contains("no column is read as email, but `Anschrift`"));
}

#[test]
fn further_columns_with_cities_follow_and_that_of_a_meeting_does_not() {
    let outlook = "First Name,Home City,Business City,Other City,Location";
    assert_eq!(columns_of(Field::Location, outlook), ["Business City", "Home City", "Other City"]);
    assert_eq!(columns_of(Field::Location, "First Name,Location,Notes"), ["Location"]);
    assert_eq!(columns_of(Field::Location, "Vorname,Ort geschäftlich,Ort"), ["Ort geschäftlich"]);
}

#[test]
fn several_columns_make_up_one_location_where_they_are_named() {
    let mut options = options();
    let columns = ["City", "State"].map(str::to_owned).to_vec();
    options.columns.insert(Field::Location, columns);
    let columns = found("Name,State,City", &options).unwrap();
    assert_eq!(at(&columns, Field::Location), [2, 1]);
    assert_eq!(columns.column_names()[&Field::Location], "City + State");
}

#[test]
fn a_header_of_many_columns_is_read_in_one_pass() {
    let header = vec!["By".to_owned(); 40_000].join(",");
    let columns = found(&format!("{header},Fornavn,E-mail"), &options());
    assert!(columns.is_ok_and(|columns| columns.columns_of(Field::Email).next() == Some(40_001)));
}
