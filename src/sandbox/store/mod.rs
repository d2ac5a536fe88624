//! The organisation's contacts and users, and what reading and writing do to them.
//!
//! Owns ids, times, owners, what is kept of a value, the order of the listing and
//! the indexes of find. Leaves the form of requests to [`super::input`] and of
//! answers to [`super::routes`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::answer::RequestProblem;
use super::contact::{Contact, ContactOwner, Role, User};
use super::contacts::InventedContact;
use super::formats;
use super::input::Input;
use super::quirks::{
    Duplicates, FindJoins, FindPhones, FindPicks, ListingOrder, Quirks, UpdatedAt, Updates,
};

/// What the sandbox takes for the present. Times of writes never repeat nor run
/// backwards, whatever it says: each is at least a millisecond after the last.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The id of the first contact.
const FIRST_ID: u64 = 4_100_001;

#[derive(Clone)]
pub(super) struct Store {
    quirks: Quirks,
    users: Vec<User>,
    now: Now,
    last_write: DateTime<Utc>,
    next_id: u64,
    contacts: BTreeMap<u64, StoredContact>,
    by_email: StoreIndex,
    by_phone: StoreIndex,
    /// Lists and finds so far.
    looks: u64,
    /// Ids in the order of the listing, while every contact is seen and until
    /// something changes it.
    listing: Option<Vec<u64>>,
    /// Deleted contacts, each with the last look that sees it still.
    ghosts: Vec<(Contact, u64)>,
    /// What another writer puts back before the next look.
    reverting: Vec<Reverting>,
}

#[derive(Clone)]
struct Reverting {
    id: u64,
    member: &'static str,
    to: Option<String>,
}

#[derive(Clone)]
struct StoredContact {
    contact: Contact,
    /// The look that sees the contact first.
    seen_from: u64,
}

/// The ids of the contacts that share a value.
type StoreIndex = BTreeMap<String, BTreeSet<u64>>;

/// A part of the listing.
pub(super) struct StorePage<'a> {
    pub(super) contacts: Vec<&'a Contact>,
    pub(super) total_count: usize,
}

impl Store {
    /// An organisation of these users without contacts.
    pub(super) fn new(quirks: Quirks, users: Vec<User>, now: Now) -> Store {
        let last_write = now().trunc_subsecs(3);
        Store {
            quirks,
            users,
            now,
            last_write,
            next_id: FIRST_ID,
            contacts: BTreeMap::new(),
            by_email: StoreIndex::new(),
            by_phone: StoreIndex::new(),
            looks: 0,
            listing: None,
            ghosts: Vec::new(),
            reverting: Vec::new(),
        }
    }

    pub(super) fn set_quirks(&mut self, quirks: Quirks) {
        self.quirks = quirks;
        self.listing = None;
    }

    /// Adds contacts that have been there for a while, as if they had been sent
    /// one after the other in the years before the present.
    pub(super) fn add_settled(&mut self, people: &[InventedContact]) {
        let present = self.last_write;
        for (person, ago) in people.iter().zip((1..=people.len()).rev()) {
            let at = present - TimeDelta::minutes(11) * i32::try_from(ago).unwrap_or(i32::MAX);
            let owner = self.users.get(person.owner % self.users.len().max(1));
            let owner = owner.map(|user| user.owner.clone());
            let mut contact = Contact::blank(self.new_id(), owner, at);
            for (name, text) in &person.texts {
                self.keep_text(&mut contact, name, Some(text));
            }
            contact.name_fully();
            self.put_contact(StoredContact { contact, seen_from: 0 });
        }
    }

    /// The id of the contact that is created next.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Replaces all contacts, of an organisation in which ids have come to `next_id`.
    pub(super) fn replace_all(&mut self, next_id: u64, contacts: Vec<Contact>) {
        let latest = contacts.iter().map(|contact| contact.updated_at).max();
        self.last_write = self.last_write.max(latest.unwrap_or(self.last_write));
        self.next_id = contacts.iter().map(|contact| contact.id + 1).fold(next_id, u64::max);
        self.contacts.clear();
        (self.by_email, self.by_phone) = (StoreIndex::new(), StoreIndex::new());
        self.ghosts.clear();
        self.listing = None;
        for contact in contacts {
            self.put_contact(StoredContact { contact, seen_from: 0 });
        }
    }

    /// The present.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    pub(super) fn quirks(&self) -> Quirks {
        self.quirks
    }

    /// Every contact, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values().map(|entry| &entry.contact)
    }

    pub(super) fn get(&self, id: u64) -> Result<&Contact, RequestProblem> {
        self.contacts.get(&id).map(|entry| &entry.contact).ok_or(RequestProblem::NoContact)
    }

    /// How many contacts the next list shows.
    pub(super) fn listed_now(&self) -> usize {
        if let Some(listing) = &self.listing {
            return listing.len();
        }
        let next = self.looks + 1;
        self.contacts.values().filter(|entry| next >= entry.seen_from).count()
            + self.ghosts.iter().filter(|(_, until)| next <= *until).count()
    }

    /// The contacts after the first `skip` of the listing, at most `take`.
    pub(super) fn list(&mut self, skip: usize, take: usize) -> StorePage<'_> {
        self.count_look();
        let listing = match self.listing.take() {
            Some(listing) => listing,
            None => self.listed_ids(),
        };
        let ids = listing.iter().skip(skip).take(take);
        let total_count = listing.len();
        let (there, ghosts) = (&self.contacts, &self.ghosts);
        let shown = |id: &u64| match there.get(id) {
            Some(entry) => Some(&entry.contact),
            None => ghosts.iter().map(|(contact, _)| contact).find(|contact| contact.id == *id),
        };
        let contacts = ids.filter_map(shown).collect();
        if self.contacts.len() == total_count && self.ghosts.is_empty() {
            self.listing = Some(listing);
        }
        StorePage { contacts, total_count }
    }

    /// The visible contact with the lowest or highest id that has this e-mail or this
    /// phone number, which is in E.164.
    pub(super) fn find(&mut self, email: Option<&str>, phone: Option<&str>) -> Option<&Contact> {
        self.count_look();
        let by_email = email.and_then(|email| self.by_email.get(&formats::email_key(email)));
        let by_phone = phone.and_then(|phone| self.by_phone.get(phone));
        let is_compared = |id: &&u64| match self.quirks.find_phones {
            FindPhones::Normalised => true,
            FindPhones::Kept => {
                let kept = self.contacts.get(id).map(|entry| &entry.contact.phone_number);
                kept.is_some_and(|kept| kept.as_deref() == phone)
            }
        };
        let by_phone: Vec<&u64> = by_phone.into_iter().flatten().filter(is_compared).collect();
        let by_email: Vec<&u64> = by_email.into_iter().flatten().collect();
        let ids: Vec<&u64> = match self.quirks.find_joins {
            FindJoins::All if email.is_some() && phone.is_some() => {
                by_email.into_iter().filter(|id| by_phone.contains(id)).collect()
            }
            FindJoins::All | FindJoins::Any => by_email.into_iter().chain(by_phone).collect(),
        };
        let ids = ids.into_iter();
        let seen =
            ids.filter(|id| self.contacts.get(id).is_some_and(|entry| self.is_visible(entry)));
        let id = match self.quirks.find_picks {
            FindPicks::First => seen.min(),
            FindPicks::Last => seen.max(),
        };
        self.contacts.get(id?).map(|entry| &entry.contact)
    }

    pub(super) fn create(&mut self, input: &Input) -> Result<&Contact, RequestProblem> {
        let owner = input.user_email.as_deref().map(|email| self.named_user(email)).transpose()?;
        match (self.quirks.duplicates, self.same_email(input)) {
            (Duplicates::Allow, _) | (_, None) => {}
            (Duplicates::Refuse, Some(_)) => {
                return Err(RequestProblem::invalid_because("Email has already been taken"));
            }
            (Duplicates::Merge, Some(id)) => return self.update(id, input),
        }
        let mut contact = self.new_contact();
        contact.contact_owner = owner.or(contact.contact_owner);
        for (name, text) in &input.texts {
            self.keep_text(&mut contact, name, text.as_deref());
        }
        contact.name_fully();
        let seen_from = self.looks + self.quirks.late_visibility + 1;
        Ok(self.put_contact(StoredContact { contact, seen_from }))
    }

    pub(super) fn update(&mut self, id: u64, input: &Input) -> Result<&Contact, RequestProblem> {
        let mut contact = self.get(id)?.clone();
        match self.quirks.updates {
            Updates::Taken => {}
            Updates::Ignored => return self.get(id),
        }
        match &input.user_email {
            Some(email) => contact.contact_owner = Some(self.named_user(email)?),
            None if self.quirks.owner_reset => contact.contact_owner = self.default_owner(),
            None => {}
        }
        if self.quirks.refuse_clearing && input.texts.values().any(Option::is_none) {
            return Err(RequestProblem::invalid_because("A value can't be blank"));
        }
        let reverts = self.quirks.reverts.filter(|name| input.texts.contains_key(name));
        self.reverting.extend(reverts.map(|member| {
            let to = contact.text_mut(member).and_then(|text| text.clone());
            Reverting { id, member, to }
        }));
        for (name, text) in &input.texts {
            if text.is_some() || !self.quirks.ignore_clearing {
                self.keep_text(&mut contact, name, text.as_deref());
            }
        }
        self.replace_contact(contact).ok_or(RequestProblem::NoContact)
    }

    pub(super) fn delete(&mut self, id: u64) -> Result<Contact, RequestProblem> {
        let entry = self.contacts.remove(&id).ok_or(RequestProblem::NoContact)?;
        self.reindex_contact(&entry.contact, |ids| ids.remove(&id));
        self.next_instant();
        if self.quirks.late_deletion > 0 {
            self.ghosts.push((entry.contact.clone(), self.looks + self.quirks.late_deletion));
        }
        Ok(entry.contact)
    }

    /// A blank contact with a new id, created now, which is not among the contacts
    /// yet.
    pub(super) fn new_contact(&mut self) -> Contact {
        let at = self.next_instant();
        Contact::blank(self.new_id(), self.default_owner(), at)
    }

    /// Adds a draft as it is: without any quirk, seen at once.
    pub(super) fn add_as_is(&mut self, mut draft: Contact) {
        draft.name_fully();
        self.put_contact(StoredContact { contact: draft, seen_from: 0 });
    }

    /// Replaces the contact of the same id and marks it as updated now; `None` if
    /// there is none.
    pub(super) fn replace_contact(&mut self, mut contact: Contact) -> Option<&Contact> {
        let before = self.contacts.remove(&contact.id)?;
        let id = contact.id;
        self.reindex_contact(&before.contact, |ids| ids.remove(&id));
        let now = self.next_instant();
        match self.quirks.updated_at {
            UpdatedAt::Moves => contact.updated_at = now,
            UpdatedAt::Stays => {}
        }
        contact.name_fully();
        Some(self.put_contact(StoredContact { contact, seen_from: before.seen_from }))
    }

    /// The user of this e-mail, as contacts show their owner.
    pub(super) fn find_user(&self, email: &str) -> Result<ContactOwner, RequestProblem> {
        let wanted = formats::email_key(email);
        let mut owners = self.users.iter().map(|user| &user.owner);
        let found = owners.find(|owner| formats::email_key(&owner.email) == wanted);
        found.cloned().ok_or(RequestProblem::NoUser)
    }

    /// The user whom a request names.
    fn named_user(&self, email: &str) -> Result<ContactOwner, RequestProblem> {
        if self.quirks.unknown_users { Err(RequestProblem::NoUser) } else { self.find_user(email) }
    }

    fn default_owner(&self) -> Option<ContactOwner> {
        let admin = self.users.iter().find(|user| user.role == Role::Admin);
        admin.map(|user| user.owner.clone())
    }

    /// The first contact with the e-mail of `input`, seen or not.
    fn same_email(&self, input: &Input) -> Option<u64> {
        let email = input.texts.get("email")?.as_deref()?;
        self.by_email.get(&formats::email_key(email))?.first().copied()
    }

    /// Puts what is kept of `text` into a member of `contact`.
    fn keep_text(&self, contact: &mut Contact, name: &str, text: Option<&str>) {
        if let Some(member) = contact.text_mut(name) {
            let kept = text.map(|text| self.quirks.kept_text(name, text));
            *member = kept.filter(|kept| !kept.is_empty());
        }
    }

    fn listed_ids(&self) -> Vec<u64> {
        let mut seen: Vec<&Contact> =
            self.contacts.values().filter(|e| self.is_visible(e)).map(|e| &e.contact).collect();
        if !self.ghosts.is_empty() {
            seen.extend(self.ghosts.iter().map(|(contact, _)| contact));
            seen.sort_by_key(|contact| contact.id);
        }
        match self.quirks.order {
            ListingOrder::Id => {}
            ListingOrder::CreatedDesc => seen.sort_by_key(|c| Reverse((c.created_at, c.id))),
            ListingOrder::UpdatedDesc => seen.sort_by_key(|c| Reverse((c.updated_at, c.id))),
        }
        seen.into_iter().map(|contact| contact.id).collect()
    }

    /// A list or a find begins.
    fn count_look(&mut self) {
        self.looks += 1;
        let looks = self.looks;
        if self.ghosts.iter().any(|(_, until)| looks > *until) {
            self.ghosts.retain(|(_, until)| looks <= *until);
            self.listing = None;
        }
        for Reverting { id, member, to } in std::mem::take(&mut self.reverting) {
            let Some(mut contact) = self.get(id).ok().cloned() else { continue };
            if let Some(text) = contact.text_mut(member) {
                *text = to;
            }
            self.replace_contact(contact);
        }
    }

    fn is_visible(&self, entry: &StoredContact) -> bool {
        self.looks >= entry.seen_from
    }

    fn next_instant(&mut self) -> DateTime<Utc> {
        let next = self.last_write + TimeDelta::milliseconds(1);
        self.last_write = (self.now)().trunc_subsecs(3).max(next);
        self.last_write
    }

    fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn put_contact(&mut self, entry: StoredContact) -> &Contact {
        let id = entry.contact.id;
        self.reindex_contact(&entry.contact, |ids| ids.insert(id));
        &self.contacts.entry(id).insert_entry(entry).into_mut().contact
    }

    /// Changes the sets of ids in which find looks for `contact`, and forgets the
    /// order of the listing.
    fn reindex_contact(&mut self, contact: &Contact, change: impl Fn(&mut BTreeSet<u64>) -> bool) {
        self.listing = None;
        let email = contact.email.as_deref().map(formats::email_key);
        let phone = contact.phone_number.as_deref().and_then(formats::to_e164);
        for (index, key) in [(&mut self.by_email, email), (&mut self.by_phone, phone)] {
            let Some(key) = key else { continue };
            let ids = index.entry(key.clone()).or_default();
            change(ids);
            if ids.is_empty() {
                index.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
