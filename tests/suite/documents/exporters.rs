//! Which columns of the tables of well-known programs are read, and as what.
//!
//! Owns the header rows, as facts about these programs. The table in
//! `docs/reference/exporters.md` is made from what the program makes of them; each of them
//! must lead to contacts that can be told apart.

use std::fmt::Write;

use linqsync::model::Field;
use linqsync::source::csv::{CsvOptions, TableShape, TableVersion};

use super::reference::is_up_to_date;

/// A program, the columns that matter of what it exports, and the fields that they feed.
struct Exporter {
    name: &'static str,
    header: &'static str,
    feeds: &'static str,
}

const fn exporter(name: &'static str, header: &'static str, feeds: &'static str) -> Exporter {
    Exporter { name, header, feeds }
}

/// The letters in `feeds`: names, whole names, e-mail, phone, company, title, location.
const LETTERS: [(char, Field); 7] = [
    ('n', Field::FirstName),
    ('w', Field::LastName),
    ('e', Field::Email),
    ('p', Field::PhoneNumber),
    ('c', Field::Company),
    ('t', Field::Title),
    ('l', Field::Location),
];

const EXPORTERS: &[Exporter] = &[
    exporter(
        "ActiveCampaign",
        "Email,First Name,Last Name,Phone,Date Created,IP Address,Job Title,Account Name",
        "nepct",
    ),
    exporter("Airtable", "Name,Email,Phone,Company,Title,City,Attachments", "wepctl"),
    exporter(
        "Apollo",
        "First Name,Last Name,Title,Company Name,Company Name for Emails,Email,Email Status,Seniority,Work Direct Phone,Home Phone,Mobile Phone,Corporate Phone,Other Phone,City,State,Country,Company Address,Company City,Company Phone,Account Owner",
        "nepctl",
    ),
    exporter(
        "Apple Contacts, by a converter",
        "First Name,Last Name,Company,Job Title,Email: home,Email: work,Phone: iPhone,Phone: mobile,Phone: work",
        "nepct",
    ),
    exporter("Brevo", "EMAIL,FIRSTNAME,LASTNAME,SMS,JOB_TITLE,ADDED_TIME", "nept"),
    exporter(
        "Calendly",
        "Team,Hosts' Names,User Name,User Email,Invitee Name,Invitee First Name,Invitee Last Name,Invitee Email,Invitee Time Zone,Event Type Name",
        "ne",
    ),
    exporter(
        "Capsule",
        "Type,Title,First Name,Last Name,Job Title,Organisation,Address Street,City,Phone Number,Work Phone,Mobile Phone,Email Address,Work Email",
        "nepctl",
    ),
    exporter(
        "Close",
        "lead_name,contact_name,contact_title,primary_contact_primary_phone,primary_contact_primary_email,Email 1,Phone 1",
        "wept",
    ),
    exporter(
        "Constant Contact",
        "Email address - work,Email address - home,First name,Last name,Job title,Company name,Phone - work,Phone - mobile,Street address line 1 - Home,City - Home",
        "nepctl",
    ),
    exporter(
        "Copper",
        "Copper ID,Name,Prefix,First Name,Middle Name,Last Name,Suffix,Title,Company,Account Number,Email,Email 2,Work Email,Phone Number,Mobile Phone,Work Phone,Street,City",
        "nepctl",
    ),
    exporter(
        "Dynamics 365",
        "(Do Not Modify) Contact,First Name,Last Name,Job Title,Company Name,Business Phone,Mobile Phone,Email,Address 1: City",
        "nepctl",
    ),
    exporter(
        "Eventbrite",
        "Order #,Order Date,Buyer First Name,Buyer Last Name,Buyer Email,Attendee First Name,Attendee Last Name,Attendee Email,Cell Phone,Job Title,Company,Home City",
        "nepctl",
    ),
    exporter(
        "Facebook lead ads",
        "id,created_time,ad_id,ad_name,form_id,platform,email,full_name,phone_number,company_name,job_title,city",
        "wepctl",
    ),
    exporter(
        "Freshsales",
        "Id,First name,Last name,Job title,Account,Emails,Work,Mobile,City,Account name",
        "nepctl",
    ),
    exporter(
        "Google Ads lead form",
        "GCLID,Lead Name,Lead Email,Lead Phone,Campaign ID,Form ID",
        "wep",
    ),
    exporter(
        "Google Contacts",
        "First Name,Middle Name,Last Name,Name Prefix,Nickname,Organization Name,Organization Title,Organization Department,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,Address 1 - City",
        "nepctl",
    ),
    exporter(
        "Google Contacts, before 2024",
        "Name,Given Name,Additional Name,Family Name,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Address 1 - City,Organization 1 - Name,Organization 1 - Title",
        "nepctl",
    ),
    exporter(
        "Google Forms",
        "Timestamp,Email Address,Full name,Phone number,Company,City",
        "wepcl",
    ),
    exporter(
        "Highrise",
        "Name,First name,Last name,Title,Company,Address - Work City,Phone number - Work,Phone number - Mobile,Email address - Work,Email address - Home",
        "nepctl",
    ),
    exporter(
        "HubSpot",
        "Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Contact owner,Primary Associated Company,Lead Status,Job Title,City",
        "nepctl",
    ),
    exporter(
        "Insightly",
        "RecordId,Salutation,FirstName,LastName,EmailAddress,Phone,PhoneMobile,Title,Organization,MailAddressCity",
        "nepct",
    ),
    exporter("Intercom", "User ID,Name,Email,Phone,Company name,City,Last seen", "wepcl"),
    exporter(
        "Keap",
        "Id,First Name,Last Name,Company,Email,Email 2,Phone 1,Phone 2,Job Title,City",
        "nepctl",
    ),
    exporter(
        "Klaviyo",
        "Email,Klaviyo ID,First Name,Last Name,Organization,Title,Phone Number,Address,City,Country",
        "nepctl",
    ),
    exporter(
        "LinkedIn connections",
        "First Name,Last Name,URL,Email Address,Company,Position,Connected On",
        "nect",
    ),
    exporter(
        "LinkedIn lead forms",
        "First name,Last name,Email address,Phone number,Company name,Job title,City,Campaign name",
        "nepctl",
    ),
    exporter(
        "Mailchimp",
        "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,NOTES",
        "nep",
    ),
    exporter("Meetup", "Name,User ID,Title,Event Host,Email,Joined Group on", "wet"),
    exporter("monday.com", "Name,Contacts,Email,Phone,Company,Title,Item ID", "wepct"),
    exporter(
        "Nimble",
        "first name,last name,title,company,email,phone work,phone mobile,address city",
        "nepctl",
    ),
    exporter("Notion", "Name,Company,Email,Phone,Role,Tags,Created time", "wepc"),
    exporter("Odoo", "Name,Phone,Email,Salesperson,City,Country,Company", "wepcl"),
    exporter(
        "Outlook",
        "Title,First Name,Middle Name,Last Name,Company,Department,Job Title,Business City,Home City,Business Fax,Business Phone,Home Phone,Mobile Phone,E-mail Address,E-mail Type,E-mail 2 Address,Location",
        "nepctl",
    ),
    exporter(
        "Outlook on the web",
        "First Name,Middle Name,Last Name,Title,Nickname,E-mail Address,E-mail 2 Address,Home Phone,Business Phone,Mobile Phone,Company,Job Title,Department,Business City,Home City",
        "nepctl",
    ),
    exporter(
        "Pipedrive, people",
        "Person - Name,Person - First name,Person - Last name,Person - Email - Work,Person - Email - Home,Person - Phone - Work,Person - Phone - Mobile,Person - Organization,Person - Job title,Person - Owner",
        "nepct",
    ),
    exporter(
        "Pipedrive, for import",
        "Deal - Title,Organization - Name,Organization - Address,Person - Name,Person - Email,Person - Phone,Person - Owner",
        "wepc",
    ),
    exporter(
        "QuickBooks Online",
        "Customer full name,Company name,Phone numbers,Email,Billing city,Open balance",
        "wepcl",
    ),
    exporter(
        "Salesforce",
        "Salutation,First Name,Last Name,Title,Account Name,Mailing City,Phone,Fax,Mobile,Email,Account Owner",
        "nepctl",
    ),
    exporter(
        "Salesforce Data Loader",
        "ID,FIRSTNAME,LASTNAME,EMAIL,PHONE,MOBILEPHONE,TITLE,MAILINGCITY,ACCOUNT.NAME",
        "nepctl",
    ),
    exporter(
        "Shopify",
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address City,Default Address Phone,Phone,Tags",
        "nepcl",
    ),
    exporter(
        "Square",
        "Reference ID,First Name,Last Name,Email Address,Phone Number,Nickname,Company Name,City",
        "nepcl",
    ),
    exporter("Stripe", "id,Description,Email,Name,Created (UTC),Delinquent,Card ID", "we"),
    exporter(
        "SurveyMonkey",
        "Respondent ID,Email Address,First Name,Last Name,Company,Phone Number",
        "nepc",
    ),
    exporter(
        "Thunderbird",
        "First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Screen Name,Work Phone,Home Phone,Fax Number,Mobile Number,Home City,Work City,Job Title,Department,Organization",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Brazilian Portuguese",
        "Primeiro nome,Sobrenome,Nome de exibição,Apelido,Email principal,Email secundário,Telefone comercial,Telefone residencial,Número do fax,Número do celular,Cidade,Cidade de trabalho,Cargo,Setor,Organização",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Chinese",
        "名字,姓氏,显示名称,昵称,主要电子邮件,备用电子邮件,工作电话,家庭电话,传真号码,移动电话号码,城市,职务,部门,公司",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Czech",
        "Křestní jméno,Příjmení,Zobrazované jméno,Přezdívka,První e-mail,Druhý e-mail,Telefon do zaměstnání,Telefon domů,Faxové číslo,Číslo na mobil,Město,Pozice,Oddělení,Společnost",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Danish",
        "Fornavn,Efternavn,Vis navn,Alias,Primær mail,Sekundær mail,Arbejdstelefon,Hjemmetelefon,Faxnummer,Mobilnummer,Hjemmeby,Arbejdsby,Job titel,Afdeling,Organisation",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Dutch",
        "Voornaam,Achternaam,Weergavenaam,Bijnaam,Primair e-mailadres,Secundair e-mailadres,Telefoon werk,Telefoon thuis,Faxnummer,Mobiel nummer,Woonplaats,Werklocatie,Werkfunctie,Afdeling,Organisatie",
        "nepctl",
    ),
    exporter(
        "Thunderbird, German",
        "Vorname,Nachname,Anzeigename,Spitzname,Primäre E-Mail-Adresse,Sekundäre E-Mail-Adresse,Tel. dienstlich,Tel. privat,Fax-Nummer,Mobil-Tel.-Nr.,Privat: Ort,Dienstlich: Ort,Arbeitstitel,Abteilung,Organisation",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Hungarian",
        "Utónév,Vezetéknév,Megjelenő név,Becenév,Elsődleges e-mail,Másodlagos e-mail,Munkahelyi telefon,Otthoni telefon,Fax,Mobil,Város,Város (munkahely):,Beosztás,Részleg,Szervezet",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Korean",
        "이름,성,표시명,애칭,기본 메일,추가 메일,직장 전화,자택 전화,팩스,휴대폰,구/군,직위,부서,회사명",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Polish",
        "Imię,Nazwisko,Wyświetlana nazwa,Pseudonim,Podstawowy e-mail,Dodatkowy e-mail,Telefonu służbowy,Telefon domowy,Numer faksu,Numer telefonu komórkowego,Miasto (dom),Miasto (praca),Stanowisko,Departament,Firma/Organizacja",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Spanish",
        "Nombre,Apellidos,Nombre mostrado,Apodo,Dirección de correo electrónico principal,Dirección de correo electrónico secundaria,Teléfono (Trabajo),Teléfono particular,Fax,Teléfono móvil,Ciudad donde vive,Ciudad (Trabajo),Puesto,Departamento,Organización",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Swedish",
        "Förnamn,Efternamn,Visa,Smeknamn,E-post,Ytterligare e-post,Telefon arbete,Telefon privat,Faxnummer,Mobiltelefon,Stad privat,Stad arbete,Titel,Avdelning,Organisation",
        "nepctl",
    ),
    exporter(
        "Thunderbird, Turkish",
        "İsim,Soyadı,Görüntülenecek isim,Takma adı,Birinci e-posta,İkinci e-posta,İş telefonu,Ev telefonu,Faks numarası,Cep telefonu,Ev şehri,İş şehri,İş unvanı,Bölüm,Kurum",
        "nepctl",
    ),
    exporter(
        "Typeform",
        "#,First name,Last name,Phone number,Email,Company,Submit Date (UTC)",
        "nepc",
    ),
    exporter(
        "Wix",
        "First Name,Last Name,Email 1,Email 2,Phone 1,Company,Position,Address 1 - City,Labels",
        "nepctl",
    ),
    exporter(
        "WooCommerce",
        "Billing First Name,Billing Last Name,Billing Company,Billing Address 1,Billing City,Billing Email,Billing Phone,Shipping City",
        "nepcl",
    ),
    exporter(
        "Xero",
        "*ContactName,AccountNumber,EmailAddress,FirstName,LastName,POCity,SACity,PhoneNumber,MobileNumber,DDINumber",
        "nep",
    ),
    exporter(
        "Yahoo",
        "First,Middle,Last,Email,Category,Home,Work,Pager,Fax,Mobile,Other,Yahoo! Phone,Primary,Alternate Email 1,Title,Company,Work City,Home City",
        "nepctl",
    ),
    exporter("Zendesk", "id,name,email,phone,organization,role,time_zone", "wepc"),
    exporter(
        "Zendesk Sell",
        "id,first_name,last_name,title,organization_name,email,phone,mobile,address_city",
        "nepctl",
    ),
    exporter(
        "Zoho CRM",
        "Record Id,Salutation,First Name,Last Name,Account Name,Title,Email,Secondary Email,Phone,Home Phone,Other Phone,Mobile,Fax,Mailing City,Other City",
        "nepctl",
    ),
    exporter("a table in Hungarian", "Név,E-mail cím,Telefonszám,Cég,Beosztás,Város", "wepctl"),
    exporter("a table in Russian", "ФИО,Телефон,E-mail,Должность,Компания,Город", "wepctl"),
    exporter("a table in German", "Nachname,Name,E-Mail,Telefon,Firma,Ort", "nepcl"),
    exporter(
        "Zoom",
        "First Name,Last Name,Email,Organization,Job Title,City,Phone,Registration Time,Approval Status",
        "nepctl",
    ),
];

/// What the program makes of a header.
fn shape(header: &str) -> TableShape {
    let columns = header.split(',').count();
    let row = vec![""; columns.saturating_sub(1)].join(",");
    let text = format!("{header}\n{row}Ann\n");
    let table = TableVersion::parse(text.into_bytes(), &CsvOptions::new("contacts.csv"));
    table.unwrap_or_else(|error| panic!("{header}: {error}")).0.table_shape()
}

#[test]
fn the_tables_of_well_known_programs_are_understood() {
    let mut page = String::from(
        "# What is read from the tables of well-known programs\n\n\
         <!-- Made from the program by a test: tests/suite/documents/exporters.rs. -->\n\n\
         Each row is a program, and its cells are the columns that are read as that field; of\n\
         several the first that is filled is Linq's. A column with whole names is taken apart\n\
         into first and last name. Columns that are not listed are never touched. Whatever is\n\
         missing here can be named in `[source.columns]`; `linqsync check` shows what is read\n\
         from your file.\n\n\
         | program | name | e-mail | phone | company | title | location |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for Exporter { name, header, feeds } in EXPORTERS {
        let shape = shape(header);
        let found = feeds_of(&shape);
        if found != *feeds {
            wrong.push(format!("{name}: `{found}` instead of `{feeds}`: {:?}", shape.columns));
        }
        let cells = cells(&shape);
        writeln!(page, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    is_up_to_date("docs/reference/exporters.md", &page);
}

fn feeds_of(shape: &TableShape) -> String {
    let is_fed = |(letter, field): &(char, Field)| match letter {
        'n' => shape.full_name.is_none() && shape.has_names(),
        'w' => shape.full_name.is_some(),
        _ => shape.columns.contains_key(field),
    };
    LETTERS.into_iter().filter(is_fed).map(|(letter, _)| letter).collect()
}

/// The columns of names, then of each further field.
fn cells(shape: &TableShape) -> Vec<String> {
    let columns = |field: &Field| -> Vec<String> {
        let further = shape.further.get(field).into_iter().flatten();
        let columns = shape.columns.get(field).into_iter().chain(further);
        columns.map(|column| format!("`{}`", column.replace('|', "\\|"))).collect()
    };
    let names = match &shape.full_name {
        Some(column) => format!("`{column}` (whole)"),
        None => [Field::FirstName, Field::LastName]
            .iter()
            .flat_map(columns)
            .collect::<Vec<_>>()
            .join(" + "),
    };
    let fields = LETTERS[2..].iter().map(|(_, field)| columns(field).join(", "));
    std::iter::once(names).chain(fields).collect()
}
