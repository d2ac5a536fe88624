//! What people do to the two sides.

use std::collections::BTreeMap;

use fastrand::Rng;
use linqsync::model::{Field, Side};
use linqsync::sandbox::Contact;

use super::scenario::{DrawnText, Feature, SimEdit, SimPerson};
use super::sheet::{ID, KEY, NOTES, SimSheet, column, is_mapped};
use super::texts::{USERS, typed};
use super::world::SimWorld;

/// The text of a contact's field.
pub(super) fn member(contact: &Contact, field: Field) -> &str {
    let text = match field {
        Field::FirstName => &contact.first_name,
        Field::LastName => &contact.last_name,
        Field::Email => &contact.email,
        Field::PhoneNumber => &contact.phone_number,
        Field::Company => &contact.company,
        Field::Title => &contact.title,
        Field::Location => &contact.location,
        Field::Owner => return contact.contact_owner.as_ref().map_or("", |owner| &owner.email),
    };
    text.as_deref().unwrap_or_default()
}

impl SimWorld {
    /// Somebody does this, if there is anybody to do it to.
    pub(super) fn edit(&self, edit: &SimEdit) {
        match edit {
            SimEdit::AddRow(person) => self.add_row(person),
            SimEdit::AddContact(person) => self.add_contact(person),
            SimEdit::AddBoth(person) => {
                self.add_row(person);
                self.add_contact(person);
            }
            SimEdit::Cell { who, field, text } => self.on_row(*who, |world, sheet, row| {
                world.type_into_row(sheet, row, *field, *text);
            }),
            SimEdit::Member { who, field, text } => {
                if let Some(contact) = self.pick(*who) {
                    self.type_into_contact(&contact, *field, *text);
                }
            }
            SimEdit::Same { who, field, text } => self.type_the_same(*who, *field, *text),
            SimEdit::Note { who, serial } => self.on_row(*who, |world, sheet, row| {
                let note = sheet.cell(row, NOTES).split(" and ").next().unwrap_or("").to_owned();
                // Whose row it is can be told from the first note.
                if !note.is_empty() {
                    world.put(sheet, row, NOTES, &format!("{note} and remark-{serial}."));
                }
            }),
            SimEdit::RemoveRow { who } => self.on_row(*who, |world, sheet, row| {
                for (name, text) in sheet.header.clone().iter().zip(sheet.rows[row].clone()) {
                    world.inner().ledger.replace(Side::Source, &text, "");
                    world.log(format_args!("  was {name}: {text:?}"));
                }
                sheet.rows.remove(row);
                world.inner().past.removals += 1;
            }),
            SimEdit::RemoveContact { who } => self.remove_contact(*who),
            SimEdit::CopyRow { who, serial } => self.on_row(*who, |world, sheet, row| {
                let copy = sheet.rows[row].clone();
                let is_ours = tag(sheet.cell(row, NOTES)).is_none();
                world.inner().past.copied_ours += usize::from(is_ours);
                for (name, text) in sheet.header.iter().zip(&copy) {
                    // Ids are linqsync's.
                    if name != ID {
                        world.inner().ledger.replace(Side::Source, "", text);
                    }
                }
                sheet.rows.push(copy);
                let last = sheet.rows.len() - 1;
                world.put(sheet, last, NOTES, &note(*serial));
                let fields = Field::ALL.map(|field| (note(*serial), field));
                world.inner().past.edited_rows.extend(fields);
            }),
            SimEdit::Shuffle { salt } => {
                let mut sheet = self.sheet();
                Rng::with_seed(*salt).shuffle(&mut sheet.rows);
                self.save(&sheet, "sorts the rows");
            }
            SimEdit::Requote => {
                let mut sheet = self.sheet();
                sheet.requote();
                self.save(&sheet, "saves with other quotation marks");
            }
            SimEdit::Office(office) => self.work(office),
            SimEdit::Owner { who, user } => {
                if let Some(contact) = self.pick(*who) {
                    self.own(contact.id, USERS[*user as usize % USERS.len()]);
                }
            }
        }
    }

    fn pick(&self, who: u32) -> Option<Contact> {
        let contacts = self.linq.contacts();
        let at = (who as usize).checked_rem(contacts.len())?;
        contacts.into_iter().nth(at)
    }

    fn on_row(&self, who: u32, change: impl FnOnce(&SimWorld, &mut SimSheet, usize)) {
        let mut sheet = self.sheet();
        if let Some(row) = (who as usize).checked_rem(sheet.rows.len()) {
            change(self, &mut sheet, row);
            self.save(&sheet, &format!("works on row {row}"));
        }
    }

    /// Saves the file.
    fn save(&self, sheet: &SimSheet, what: &str) {
        self.log(format_args!("a person {what} in the source"));
        self.home.save(sheet.bytes());
    }

    fn put(&self, sheet: &mut SimSheet, row: usize, name: &str, text: &str) {
        let old = sheet.cell(row, name).to_owned();
        if sheet.at(name).is_none() || old == text {
            return;
        }
        self.log(format_args!("  row {row}, {name}: {old:?} becomes {text:?}"));
        sheet.put(row, name, text);
        self.inner().ledger.replace(Side::Source, &old, text);
    }

    fn type_into_row(&self, sheet: &mut SimSheet, row: usize, field: Field, text: DrawnText) {
        let name = self.column(field);
        let new = typed(field, text, sheet.cell(row, &name));
        let before = sheet.clone();
        let is_short = sheet.rows[row].len() < sheet.at(&name).unwrap_or_default();
        self.put(sheet, row, &name, &new);
        if has_nothing_of(&before, sheet, row) {
            self.inner().past.removals += 1;
        }
        let tag = tag(sheet.cell(row, NOTES)).unwrap_or_default();
        let past = &mut self.inner().past;
        past.edited_ours |= tag.is_empty();
        if is_short {
            // The cells in between are blank from now on.
            past.edited_rows.extend(Field::ALL.map(|field| (tag.clone(), field)));
        }
        past.edited_rows.insert((tag, field));
    }

    fn add_row(&self, person: &SimPerson) {
        let mut sheet = self.sheet();
        let row = sheet.add();
        let serial = self.serial();
        self.put(&mut sheet, row, NOTES, &note(serial));
        self.put(&mut sheet, row, KEY, &format!("E{serial}"));
        for (field, text) in person {
            self.type_into_row(&mut sheet, row, *field, *text);
        }
        self.save(&sheet, "adds a row");
    }

    /// A number that no row has.
    fn serial(&self) -> u32 {
        let notes = self.sheet().rows.len();
        u32::try_from(1000 + notes + 10 * self.inner().lines).unwrap()
    }

    fn add_contact(&self, person: &SimPerson) {
        let texts: BTreeMap<Field, String> =
            person.iter().map(|(field, text)| (*field, typed(*field, *text, ""))).collect();
        if Field::IDENTITY.iter().all(|field| texts.get(field).is_none_or(|t| t.trim().is_empty()))
        {
            return;
        }
        let named = |field: Field| if field == Field::Owner { "user_email" } else { field.name() };
        let members = texts.iter().filter(|(field, text)| {
            !text.is_empty() && (**field != Field::Owner || USERS.contains(&text.as_str()))
        });
        let id = self.linq.insert(members.map(|(field, text)| (named(*field), text.as_str())));
        let id = id.unwrap();
        self.log(format_args!("a person adds {id} in Linq: {texts:?}"));
        let contact = self.linq.contact(id).unwrap();
        let mut inner = self.inner();
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Owner) {
            if is_mapped(&self.setup().features, field) {
                inner.ledger.replace(Side::Linq, "", member(&contact, field));
            }
        }
        inner.past.owners.insert(id, member(&contact, Field::Owner).to_owned());
        inner.past.edited_contacts.extend(Field::ALL.map(|field| (id, field)));
    }

    fn type_into_contact(&self, contact: &Contact, field: Field, text: DrawnText) {
        let old = member(contact, field);
        let new = typed(field, text, old);
        if field == Field::Owner {
            if USERS.contains(&new.as_str()) {
                self.own(contact.id, &new);
            }
            return;
        }
        let is_last = |of: &Field| *of == field || member(contact, *of).is_empty();
        let nobody = new.trim().is_empty() && Field::IDENTITY.iter().all(is_last);
        if old == new || nobody {
            // Linq has no contact without name, e-mail and phone number.
            return;
        }
        self.log(format_args!(
            "a person in Linq: {}, {field}: {old:?} becomes {new:?}",
            contact.id
        ));
        self.linq.set(contact.id, field.name(), &new).unwrap();
        let mut inner = self.inner();
        if is_mapped(&self.setup().features, field) {
            inner.ledger.replace(Side::Linq, old, &new);
        }
        let past = &mut inner.past;
        past.edited_ours |=
            past.posted.contains(&contact.id) && !past.linked.contains_key(&contact.id);
        past.edited_contacts.insert((contact.id, field));
    }

    fn own(&self, id: u64, user: &str) {
        self.log(format_args!("a person in Linq: {id} now belongs to {user}"));
        self.linq.set(id, "user_email", user).unwrap();
        let mut inner = self.inner();
        inner.past.owners.insert(id, user.to_owned());
        if self.has(Feature::Owner) {
            inner.past.edited_contacts.insert((id, Field::Owner));
        }
    }

    /// Types the same on both sides, into a row and into a contact that has its
    /// e-mail address or its names.
    fn type_the_same(&self, who: u32, field: Field, text: DrawnText) {
        let sheet = self.sheet();
        let Some(row) = (who as usize).checked_rem(sheet.rows.len()) else { return };
        let same = |contact: &Contact, field: Field| {
            sheet.cell(row, column(field)).eq_ignore_ascii_case(member(contact, field))
        };
        let twin = self
            .linq
            .contacts()
            .into_iter()
            .find(|contact| same(contact, Field::Email) && same(contact, Field::FirstName));
        self.edit(&SimEdit::Cell { who, field, text });
        if let Some(twin) = twin {
            self.type_into_contact(&twin, field, text);
        }
    }

    fn remove_contact(&self, who: u32) {
        let Some(contact) = self.pick(who) else { return };
        self.log(format_args!("a person removes {} in Linq", contact.id));
        self.linq.remove(contact.id).unwrap();
        let mut inner = self.inner();
        for field in Field::ALL {
            inner.ledger.replace(Side::Linq, member(&contact, field), "");
        }
        inner.past.removals += 1;
        inner.past.contacts_removed += 1;
    }
}

/// Whether an edit left neither a name nor an address of whom this row was: that is
/// somebody else in their place.
fn has_nothing_of(before: &SimSheet, after: &SimSheet, row: usize) -> bool {
    let identity = [Field::FirstName, Field::LastName, Field::Email, Field::PhoneNumber];
    !identity.into_iter().map(column).any(|name| {
        let was = before.cell(row, name).trim();
        !was.is_empty() && was == after.cell(row, name).trim()
    })
}

/// The note of a new row, by which the harness knows it.
fn note(serial: u32) -> String {
    format!("note-{serial}.")
}

/// By what the harness knows a row; nothing for one that linqsync added.
pub(super) fn tag(notes: &str) -> Option<String> {
    let tag = notes.split(" and ").next().unwrap_or_default();
    (!tag.is_empty()).then(|| tag.to_owned())
}
