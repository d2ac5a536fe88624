//! What programs export: each table is taken as it is, and is changed only where it must.

use std::collections::BTreeSet;

use crate::harness::World;

/// What a program exports: its name, the file, and how Ada is to be in Linq: first and
/// last name, e-mail, phone number, company, title. In each file she is the only one.
type Export = (&'static str, &'static str, [&'static str; 6]);

const ADA: [&str; 6] = ["Ada", "King", "ada@x.example", "+14155552671", "Engines Ltd", "Countess"];

const EXPORTS: [Export; 27] = [
    (
        "Linq",
        "First Name,Last Name,Email,Phone,Company,Title\n\
         Ada,King,ada@x.example,+14155552671,Engines Ltd,Countess\n",
        ADA,
    ),
    (
        "Google",
        "First Name,Middle Name,Last Name,Phonetic First Name,Organization Name,Organization Title,\
         Birthday,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Label,\
         Phone 1 - Value\n\
         Ada,,King,,Engines Ltd,Countess,,* myContacts,Home,ada@x.example,,Mobile,+14155552671\n",
        ADA,
    ),
    (
        "Google before 2024",
        "Name,Given Name,Additional Name,Family Name,Group Membership,E-mail 1 - Type,\
         E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Organization 1 - Name,\
         Organization 1 - Title\n\
         Ada King,Ada,,King,* myContacts,* Home,ada@x.example,Mobile,+14155552671,Engines Ltd,\
         Countess\n",
        ADA,
    ),
    (
        "Outlook",
        "\"Title\",\"First Name\",\"Last Name\",\"Company\",\"Job Title\",\"Business Fax\",\
         \"Business Phone\",\"Mobile Phone\",\"E-mail Address\",\"E-mail Type\",\"Location\"\r\n\
         \"Lady\",\"Ada\",\"King\",\"Engines Ltd\",\"Countess\",\"\",\"\",\"+14155552671\",\
         \"ada@x.example\",\"SMTP\",\"\"\r\n",
        ADA,
    ),
    (
        "Outlook in German",
        "\"Anrede\";\"Vorname\";\"Nachname\";\"Firma\";\"Position\";\"Ort geschäftlich\";\
         \"Telefon geschäftlich\";\"Mobiltelefon\";\"E-Mail-Adresse\";\"E-Mail-Typ\";\"Ort\"\r\n\
         \"Frau\";\"Ada\";\"King\";\"Engines Ltd\";\"Countess\";\"Köln\";\"\";\"+14155552671\";\
         \"ada@x.example\";\"SMTP\";\"\"\r\n",
        ADA,
    ),
    (
        "Outlook in French",
        "\"Titre\",\"Prénom\",\"Nom\",\"Société\",\"Titre\",\"Ville (bureau)\",\
         \"Téléphone (bureau)\",\"Tél. mobile\",\"Adresse de messagerie\"\r\n\
         \"Mme\",\"Ada\",\"King\",\"Engines Ltd\",\"Countess\",\"Orléans\",\"\",\
         \"+14155552671\",\"ada@x.example\"\r\n",
        ADA,
    ),
    (
        "Outlook in Spanish",
        "Título,Nombre,Segundo nombre,Apellidos,Organización,Puesto,Ciudad de trabajo,\
         Teléfono del trabajo,Teléfono móvil,Dirección de correo electrónico\r\n\
         Sra.,Ada,,King,Engines Ltd,Countess,Cádiz,,+14155552671,ada@x.example\r\n",
        ADA,
    ),
    (
        "Outlook in Italian",
        "Titolo,Nome,Cognome,Società,Posizione,Città (uff.),Ufficio,Cellulare,\
         Indirizzo posta elettronica\r\n\
         Sig.ra,Ada,King,Engines Ltd,Countess,Forlì,,+14155552671,ada@x.example\r\n",
        ADA,
    ),
    (
        "Outlook in Dutch",
        "Titel,Voornaam,Achternaam,Bedrijf,Functie,\"Werkadres, plaats\",Telefoon op werk,\
         Mobiele telefoon,E-mailadres\r\n\
         Mw.,Ada,King,Engines Ltd,Countess,Breda,,+14155552671,ada@x.example\r\n",
        ADA,
    ),
    (
        "HubSpot",
        "\"Record ID\",\"First Name\",\"Last Name\",\"Email\",\"Phone Number\",\"Contact owner\",\
         \"Associated Company\",\"Lead Status\",\"Job Title\"\n\
         \"51\",\"Ada\",\"King\",\"ada@x.example\",\"+14155552671\",\"\",\"Engines Ltd\",\"\",\
         \"Countess\"\n",
        ADA,
    ),
    (
        "Salesforce",
        "\"Salutation\",\"First Name\",\"Last Name\",\"Title\",\"Account Name\",\"Phone\",\"Fax\",\
         \"Mobile\",\"Email\",\"Account Owner\"\n\
         \"Ms.\",\"Ada\",\"King\",\"Countess\",\"Engines Ltd\",\"+14155552671\",\"\",\"\",\
         \"ada@x.example\",\"Sam\"\n",
        ADA,
    ),
    (
        "Mailchimp",
        "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,NOTES\n\
         ada@x.example,Ada,King,,+14155552671,,2,\"one\ntwo\"\n",
        ["Ada", "King", "ada@x.example", "+14155552671", "", ""],
    ),
    (
        "Thunderbird in German",
        "Vorname,Nachname,Anzeigename,Spitzname,Primäre E-Mail-Adresse,Sekundäre E-Mail-Adresse,\
         Tel. dienstlich,Mobil-Tel.-Nr.,Arbeitstitel,Organisation\n\
         Ada,King,Ada King,,ada@x.example,,,+14155552671,Countess,Engines Ltd\n",
        ADA,
    ),
    (
        "LinkedIn",
        "Notes:\n\"When exporting your connection data, you may notice that some addresses are \
         missing.\"\n\n\
         First Name,Last Name,URL,Email Address,Company,Position,Connected On\n\
         Ada,King,https://x.example/in/ada,ada@x.example,Engines Ltd,Countess,01 Nov 2026\n",
        ["Ada", "King", "ada@x.example", "", "Engines Ltd", "Countess"],
    ),
    (
        "Yahoo",
        "\"First\",\"Middle\",\"Last\",\"Email\",\"Category\",\"Home\",\"Work\",\"Pager\",\"Fax\",\
         \"Mobile\",\"Other\",\"Yahoo! Phone\",\"Primary\",\"Alternate Email 1\",\"Title\",\
         \"Company\"\r\n\
         \"Ada\",\"\",\"King\",\"ada@x.example\",\"\",\"\",\"+14155552671\",\"\",\"\",\"\",\"\",\"\",\
         \"\",\"\",\"Countess\",\"Engines Ltd\"\r\n",
        ADA,
    ),
    (
        "a converter of Apple's address book",
        "Given Name;Family Name;Organization;Job Title;Email: home;Email: work;Phone: iPhone;\
         Phone: work\n\
         Ada;King;Engines Ltd;Countess;;ada@x.example;+14155552671;\n",
        ADA,
    ),
    (
        "Outlook in Portuguese",
        "Título,Nome,Segundo nome,Sobrenome,Empresa,Cargo,Cidade do endereço comercial,\
         Telefone comercial,Telefone celular,Endereço de e-mail\r\n\
         Sra.,Ada,,King,Engines Ltd,Countess,Santos,,+14155552671,ada@x.example\r\n",
        ADA,
    ),
    (
        "Outlook in Polish",
        "Tytuł,Imię,Drugie imię,Nazwisko,Firma,Stanowisko,Adres służbowy - miejscowość,\
         Faks służbowy,Telefon służbowy,Telefon komórkowy,Adres e-mail,Adres e-mail 2\r\n\
         Pani,Ada,,King,Engines Ltd,Countess,Łódź,,,+14155552671,ada@x.example,\r\n",
        ADA,
    ),
    (
        "Outlook in Norwegian",
        "Fornavn;Mellomnavn;Etternavn;Firma;Telefon, arbeid;Mobiltelefon;Stilling;\
         Poststed, arbeid;E-postadresse\r\n\
         Ada;;King;Engines Ltd;;+14155552671;Countess;Bodø;ada@x.example\r\n",
        ADA,
    ),
    (
        "Outlook in Finnish",
        "Etunimi;Toinen nimi;Sukunimi;Yritys;Työpuhelin;Matkapuhelin;Tehtävänimike;\
         Työpaikan postitoimipaikka;Sähköpostiosoite\r\n\
         Ada;;King;Engines Ltd;;+14155552671;Countess;Hämeenlinna;ada@x.example\r\n",
        ADA,
    ),
    (
        "Outlook in Russian",
        "Обращение,Имя,Отчество,Фамилия,Организация,Должность,Город (раб. адрес),Рабочий факс,\
         Рабочий телефон,Телефон переносной,Адрес эл. почты,Адрес 2 эл. почты\r\n\
         Г-жа,Ada,,King,Engines Ltd,Countess,,,,+14155552671,ada@x.example,\r\n",
        ADA,
    ),
    (
        "Outlook in Japanese",
        "肩書き,名,姓,会社名,役職,市町村 (会社),会社 FAX,会社電話,会社電話 2,携帯電話,\
         電子メール アドレス,電子メールの種類,電子メール 2 アドレス\r\n\
         様,Ada,King,Engines Ltd,Countess,,,+14155552671,,,ada@x.example,,\r\n",
        ADA,
    ),
    (
        "Outlook in traditional Chinese",
        "頭銜,名字,姓氏,公司,部門,職稱,商務 - 市/鎮,商務傳真,商務電話,行動電話,電子郵件地址\r\n\
         ,Ada,King,Engines Ltd,,Countess,,,,+14155552671,ada@x.example\r\n",
        ADA,
    ),
    (
        "Outlook in simplified Chinese",
        "头衔,名,姓,公司,部门,职位,公司传真,公司电话,手机,电子邮件地址,电子邮件地址2\n\
         ,Ada,King,Engines Ltd,,Countess,,,+14155552671,ada@x.example,\n",
        ADA,
    ),
    (
        "Thunderbird",
        "First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Screen Name,\
         Work Phone,Home Phone,Fax Number,Pager Number,Mobile Number,Job Title,Department,\
         Organization,Web Page 1,Birth Year,Custom 1,Notes\n\
         Ada,King,Ada King,,ada@x.example,,,,,,,+14155552671,Countess,,Engines Ltd,,,,\n",
        ADA,
    ),
    (
        "a table made by hand",
        "surname|first|e-mail|tel|organisation|position\n\
         King|Ada|ada@x.example|+14155552671|Engines Ltd|Countess\n",
        ADA,
    ),
    (
        "another converter of Apple's address book",
        "First name\tLast name\tCompany\tJob title\tMobile\tHome Phone\tHome Email\tNotes\n\
         Ada\tKing\tEngines Ltd\tCountess\t+14155552671\t\tada@x.example\t\"two\nlines\"\n",
        ADA,
    ),
];

#[test]
fn what_programs_export_is_created_in_linq_and_stays_as_it_is() {
    for (program, text, ada) in EXPORTS {
        let world = World::with_csv(text);
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.source()), ([1, 1, 0, 0], [1, 0, 0, 0]), "{program}");
        assert_eq!(world.people_in_linq(), [ada.map(str::to_owned).to_vec()], "{program}");
        assert_eq!(world.text(), text, "{program}");
        world.expect_silence();
        // One edit in Linq changes exactly that cell, and one new contact adds exactly
        // that row.
        world.change("Ada", "email", "lady@x.example");
        let bo = [("first_name", "Bo"), ("email", "bo@x.example")];
        world.linq().insert(bo).unwrap();
        let run = world.once().expect(0);
        assert_eq!(run.source(), [2, 1, 1, 0], "{program}");
        let (edited, after) = (text.replace("ada@x.example", "lady@x.example"), world.text());
        let row = after.strip_prefix(&edited).unwrap_or_else(|| panic!("{program}: {after}"));
        expect_row_of_bo(row, text, program);
        world.expect_silence();
    }
}

/// Whether `row` is a row of the file `text` with a first name and an address alone.
#[track_caller]
fn expect_row_of_bo(row: &str, text: &str, program: &str) {
    let end = if text.ends_with("\r\n") { "\r\n" } else { "\n" };
    let cells = row.strip_suffix(end).unwrap_or_else(|| panic!("{program}: {row:?}"));
    assert!(!cells.contains(['\r', '\n']), "{program}: {row:?}");
    let delimiter = [',', ';', '\t', '|'].into_iter().find(|d| cells.contains(*d)).unwrap();
    let ada = text.lines().find(|line| line.contains('@')).unwrap();
    let found: Vec<&str> = cells.split(delimiter).collect();
    let is_as_hers = |cell: &&str| cell.starts_with('"') == ada.starts_with('"');
    assert!(found.iter().all(is_as_hers), "{program}: {row:?}");
    let filled = found.iter().map(|cell| cell.trim_matches('"')).filter(|cell| !cell.is_empty());
    assert_eq!(filled.collect::<BTreeSet<_>>(), ["Bo", "bo@x.example"].into(), "{program}");
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).delimiter(u8::try_from(delimiter).unwrap());
    let hers = reader.from_reader(ada.as_bytes()).into_records().next().unwrap().unwrap();
    assert_eq!(found.len(), hers.len(), "{program}: {row:?}");
}

#[test]
fn what_programs_export_is_linked_with_who_is_in_linq_already() {
    for (program, text, [first, last, email, ..]) in EXPORTS {
        let world = World::with_csv(text);
        let members = [("first_name", first), ("last_name", last), ("email", email)];
        world.linq().insert(members).unwrap();
        let run = world.once().expect(0);
        assert_eq!((run.count("linked"), run.linq()[1], run.source()[1]), (1, 0, 0), "{program}");
        assert_eq!(world.text(), text, "{program}");
        world.expect_silence();
    }
}
