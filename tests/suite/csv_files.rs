//! Files that other programs wrote: what each of them exports is taken as it is.

use crate::harness::World;

/// One e-mail address and one phone number for each place that an address book has.
const SEVERAL: &str = "First Name,E-mail Address,E-mail 2 Address,Mobile Phone,Business Phone\n\
                       Ada,,ada@two.example,,+14155552671\n\
                       Bo,bo@one.example,bo@two.example,+14155552672,\n";

#[test]
fn the_first_filled_of_several_columns_is_linqs_and_stays_where_it_stands() {
    let world = World::synced(SEVERAL);
    assert_eq!(world.text(), SEVERAL);
    let ada = world.contact("Ada");
    assert_eq!(ada.email.as_deref(), Some("ada@two.example"));
    assert_eq!(ada.phone_number.as_deref(), Some("+14155552671"));
    assert_eq!(world.contact("Bo").email.as_deref(), Some("bo@one.example"));
    world.expect_silence();

    // What Linq changes is written into the column that it came from.
    world.change("Ada", "email", "ada@new.example");
    world.once().expect(0);
    let expected = SEVERAL.replace("ada@two", "ada@new");
    assert_eq!(world.text(), expected);
    world.expect_silence();
}

#[test]
fn a_better_column_that_is_filled_in_later_changes_nothing_in_linq() {
    let world = World::synced(SEVERAL);
    world.edit("Ada,,", "Ada,ada@one.example,");
    world.expect_silence();
    world.change("Ada", "email", "ada@new.example");
    world.once().expect(0);
    let ada = "Ada,ada@one.example,ada@new.example,,+14155552671\n";
    assert!(world.text().contains(ada), "{}", world.text());
    world.expect_silence();
    // Clearing the one that is Linq's hands over the other.
    world.edit("ada@new.example", "");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").email.as_deref(), Some("ada@one.example"));
    world.expect_silence();
}

#[test]
fn what_linq_clears_is_cleared_where_it_stood_and_the_next_one_is_linqs() {
    let world = World::synced(SEVERAL);
    world.change("Bo", "email", "");
    world.once().expect(0);
    assert!(world.text().contains("Bo,,bo@two.example,"), "{}", world.text());
    assert_eq!(world.contact("Bo").email.as_deref(), Some("bo@two.example"));
    world.expect_silence();
}

#[test]
fn lines_above_the_header_stay_as_they_are() {
    let text = "Notes:\n\"Some addresses, and \"\"others\"\",\nmay be missing.\"\n\n\
                First Name,Last Name,URL,Email Address,Company,Position\n\
                Ada,King,https://x.example,ada@x.example,Engines,Countess\n";
    let world = World::synced(text);
    world.change("Ada", "title", "Lady");
    world.once().expect(0);
    assert_eq!(world.text(), text.replace("Countess", "Lady"));
    world.expect_silence();
}

#[test]
fn a_row_without_its_last_cells_is_a_row_and_is_written_as_far_as_needed() {
    let text = "First Name,Email,Title,Notes\nAda\nBo,bo@x.example\n";
    let world = World::synced(text);
    assert_eq!(world.text(), text);
    world.change("Ada", "title", "Countess");
    world.once().expect(0);
    assert_eq!(world.text(), text.replace("Ada\n", "Ada,,Countess\n"));
    world.expect_silence();
}

/// What a program exports: its name, the file, and how Ada is to be in Linq: first and
/// last name, e-mail, phone number, company, title. In each file she is the only one.
type Export = (&'static str, &'static str, [&'static str; 6]);

const ADA: [&str; 6] = ["Ada", "King", "ada@x.example", "+14155552671", "Engines Ltd", "Countess"];

const EXPORTS: [Export; 16] = [
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
        world.change("Ada", "email", "lady@x.example");
        world.once().expect(0);
        assert_eq!(world.text(), text.replace("ada@x.example", "lady@x.example"), "{program}");
    }
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

#[test]
fn a_file_in_windows_1252_keeps_its_encoding_and_refuses_what_it_lacks() {
    let western = |text: &str| -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    };
    let text = "Vorname;Nachname;E-Mail;Firma\r\nZoë;Müller;z@x.example;Köln AG\r\n";
    let world = World::new();
    world.write(western(text));
    world.sync();
    world.change("Zoë", "company", "Übersee");
    world.once().expect(0);
    let written = text.replace("Köln AG", "Übersee");
    assert_eq!(std::fs::read(world.csv()).unwrap(), western(&written));
    world.change("Zoë", "company", "Łódź");
    let run = world.once().expect(3);
    assert_eq!(run.count("rejected"), 1);
    assert_eq!(std::fs::read(world.csv()).unwrap(), western(&written));
    let shown = world.run(&["--once"]).expect(3).stdout;
    assert!(shown.contains("encoding windows-1252 lacks"), "{shown}");
}

#[test]
fn cells_that_a_spreadsheet_damaged_wait_for_repair() {
    let text = "First Name,Email,Phone\nAda,ada@x.example,+4915112345678\n";
    let world = World::synced(text);
    for damaged in ["4.91511E+12", "4915112345678"] {
        world.edit("+4915112345678", damaged);
        let run = world.once().expect(3);
        assert_eq!((run.count("rejected"), world.writes().len()), (1, 0), "{damaged}");
        world.edit(damaged, "+4915112345678");
    }
    world.edit("Ada,", "2-Mar,");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
    world.edit("2-Mar,", "Ada,");
    world.expect_silence();
}
