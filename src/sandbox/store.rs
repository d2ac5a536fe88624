//! The organisation's contacts and users, and what reading and writing do to them.
//!
//! Owns ids, times, owners, what is kept of a value, the order of the listing and
//! the indexes of find. Leaves the form of requests to [`super::input`] and of
//! answers to [`super::routes`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::answer::Problem;
use super::contact::{Contact, Owner, Role, User};
use super::formats;
use super::input::Input;
use super::people::Person;
use super::quirks::{Duplicates, FindPhones, FindPicks, Order, Quirks, UpdatedAt, Updates};

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
    contacts: BTreeMap<u64, Entry>,
    by_email: Index,
    by_phone: Index,
    /// Lists and finds so far.
    looks: u64,
    /// Ids in the order of the listing, until something changes it.
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
struct Entry {
    contact: Contact,
    /// The look that sees the contact first.
    seen_from: u64,
}

/// The ids of the contacts that share a value.
type Index = BTreeMap<String, BTreeSet<u64>>;

/// A part of the listing.
pub(super) struct Page<'a> {
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
            by_email: Index::new(),
            by_phone: Index::new(),
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
    pub(super) fn settle(&mut self, people: &[Person]) {
        let present = self.last_write;
        for (person, ago) in people.iter().zip((1..=people.len()).rev()) {
            let at = present - TimeDelta::minutes(11) * i32::try_from(ago).unwrap_or(i32::MAX);
            let owner = self.users.get(person.owner % self.users.len().max(1));
            let owner = owner.map(|user| user.owner.clone());
            let mut contact = Contact::blank(self.new_id(), owner, at);
            for (name, text) in &person.texts {
                self.keep(&mut contact, name, Some(text));
            }
            contact.name_fully();
            self.put(Entry { contact, seen_from: 0 });
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

    pub(super) fn get(&self, id: u64) -> Result<&Contact, Problem> {
        self.contacts.get(&id).map(|entry| &entry.contact).ok_or(Problem::NoContact)
    }

    /// How many contacts the next list shows.
    pub(super) fn listed_now(&self) -> usize {
        let next = self.looks + 1;
        self.contacts.values().filter(|entry| next >= entry.seen_from).count()
            + self.ghosts.iter().filter(|(_, until)| next <= *until).count()
    }

    /// The contacts after the first `skip` of the listing, at most `take`.
    pub(super) fn list(&mut self, skip: usize, take: usize) -> Page<'_> {
        self.look();
        let listing = match self.listing.take() {
            Some(listing) => listing,
            None => self.listed(),
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
        Page { contacts, total_count }
    }

    /// The visible contact with the lowest or highest id that has this e-mail or this
    /// phone number, which is in E.164.
    pub(super) fn find(&mut self, email: Option<&str>, phone: Option<&str>) -> Option<&Contact> {
        self.look();
        let by_email = email.and_then(|email| self.by_email.get(&formats::email_key(email)));
        let by_phone = phone.and_then(|phone| self.by_phone.get(phone));
        let is_compared = |id: &&u64| match self.quirks.find_phones {
            FindPhones::Normalised => true,
            FindPhones::Kept => {
                let kept = self.contacts.get(id).map(|entry| &entry.contact.phone_number);
                kept.is_some_and(|kept| kept.as_deref() == phone)
            }
        };
        let by_phone = by_phone.into_iter().flatten().filter(is_compared);
        let ids = by_email.into_iter().flatten().chain(by_phone);
        let seen = ids.filter(|id| self.contacts.get(id).is_some_and(|entry| self.sees(entry)));
        let id = match self.quirks.find_picks {
            FindPicks::First => seen.min(),
            FindPicks::Last => seen.max(),
        };
        self.contacts.get(id?).map(|entry| &entry.contact)
    }

    pub(super) fn create(&mut self, input: &Input) -> Result<&Contact, Problem> {
        let owner = input.user_email.as_deref().map(|email| self.named(email)).transpose()?;
        match (self.quirks.duplicates, self.namesake(input)) {
            (Duplicates::Allow, _) | (_, None) => {}
            (Duplicates::Refuse, Some(_)) => {
                return Err(Problem::invalid("Email has already been taken"));
            }
            (Duplicates::Merge, Some(id)) => return self.update(id, input),
        }
        let mut contact = self.draft();
        contact.contact_owner = owner.or(contact.contact_owner);
        for (name, text) in &input.texts {
            self.keep(&mut contact, name, text.as_deref());
        }
        contact.name_fully();
        let seen_from = self.looks + self.quirks.late_visibility + 1;
        Ok(self.put(Entry { contact, seen_from }))
    }

    pub(super) fn update(&mut self, id: u64, input: &Input) -> Result<&Contact, Problem> {
        let mut contact = self.get(id)?.clone();
        match self.quirks.updates {
            Updates::Taken => {}
            Updates::Ignored => return self.get(id),
        }
        match &input.user_email {
            Some(email) => contact.contact_owner = Some(self.named(email)?),
            None if self.quirks.owner_reset => contact.contact_owner = self.default_owner(),
            None => {}
        }
        if self.quirks.refuse_clearing && input.texts.values().any(Option::is_none) {
            return Err(Problem::invalid("A value can't be blank"));
        }
        let reverts = self.quirks.reverts.filter(|name| input.texts.contains_key(name));
        self.reverting.extend(reverts.map(|member| {
            let to = contact.text_mut(member).and_then(|text| text.clone());
            Reverting { id, member, to }
        }));
        for (name, text) in &input.texts {
            if text.is_some() || !self.quirks.ignore_clearing {
                self.keep(&mut contact, name, text.as_deref());
            }
        }
        self.rewrite(contact).ok_or(Problem::NoContact)
    }

    pub(super) fn delete(&mut self, id: u64) -> Result<Contact, Problem> {
        let entry = self.contacts.remove(&id).ok_or(Problem::NoContact)?;
        self.reindex(&entry.contact, |ids| ids.remove(&id));
        self.tick();
        if self.quirks.late_deletion > 0 {
            self.ghosts.push((entry.contact.clone(), self.looks + self.quirks.late_deletion));
        }
        Ok(entry.contact)
    }

    /// A blank contact with a new id, created now, which is not among the contacts
    /// yet.
    pub(super) fn draft(&mut self) -> Contact {
        let at = self.tick();
        Contact::blank(self.new_id(), self.default_owner(), at)
    }

    /// Adds a draft as it is: without any quirk, seen at once.
    pub(super) fn adopt(&mut self, mut draft: Contact) {
        draft.name_fully();
        self.put(Entry { contact: draft, seen_from: 0 });
    }

    /// Replaces the contact of the same id and marks it as updated now; `None` if
    /// there is none.
    pub(super) fn rewrite(&mut self, mut contact: Contact) -> Option<&Contact> {
        let before = self.contacts.remove(&contact.id)?;
        let id = contact.id;
        self.reindex(&before.contact, |ids| ids.remove(&id));
        let now = self.tick();
        match self.quirks.updated_at {
            UpdatedAt::Moves => contact.updated_at = now,
            UpdatedAt::Stays => {}
        }
        contact.name_fully();
        Some(self.put(Entry { contact, seen_from: before.seen_from }))
    }

    /// The user of this e-mail, as contacts show their owner.
    pub(super) fn user(&self, email: &str) -> Result<Owner, Problem> {
        let wanted = formats::email_key(email);
        let mut owners = self.users.iter().map(|user| &user.owner);
        let found = owners.find(|owner| formats::email_key(&owner.email) == wanted);
        found.cloned().ok_or(Problem::NoUser)
    }

    /// The user whom a request names.
    fn named(&self, email: &str) -> Result<Owner, Problem> {
        if self.quirks.unknown_users { Err(Problem::NoUser) } else { self.user(email) }
    }

    fn default_owner(&self) -> Option<Owner> {
        let admin = self.users.iter().find(|user| user.role == Role::Admin);
        admin.map(|user| user.owner.clone())
    }

    /// The first contact with the e-mail of `input`, seen or not.
    fn namesake(&self, input: &Input) -> Option<u64> {
        let email = input.texts.get("email")?.as_deref()?;
        self.by_email.get(&formats::email_key(email))?.first().copied()
    }

    /// Puts what is kept of `text` into a member of `contact`.
    fn keep(&self, contact: &mut Contact, name: &str, text: Option<&str>) {
        if let Some(member) = contact.text_mut(name) {
            let kept = text.map(|text| self.quirks.kept(name, text));
            *member = kept.filter(|kept| !kept.is_empty());
        }
    }

    fn listed(&self) -> Vec<u64> {
        let mut seen: Vec<&Contact> =
            self.contacts.values().filter(|e| self.sees(e)).map(|e| &e.contact).collect();
        if !self.ghosts.is_empty() {
            seen.extend(self.ghosts.iter().map(|(contact, _)| contact));
            seen.sort_by_key(|contact| contact.id);
        }
        match self.quirks.order {
            Order::Id => {}
            Order::CreatedDesc => seen.sort_by_key(|c| Reverse((c.created_at, c.id))),
            Order::UpdatedDesc => seen.sort_by_key(|c| Reverse((c.updated_at, c.id))),
        }
        seen.into_iter().map(|contact| contact.id).collect()
    }

    /// A list or a find begins.
    fn look(&mut self) {
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
            self.rewrite(contact);
        }
    }

    fn sees(&self, entry: &Entry) -> bool {
        self.looks >= entry.seen_from
    }

    fn tick(&mut self) -> DateTime<Utc> {
        let next = self.last_write + TimeDelta::milliseconds(1);
        self.last_write = (self.now)().trunc_subsecs(3).max(next);
        self.last_write
    }

    fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn put(&mut self, entry: Entry) -> &Contact {
        let id = entry.contact.id;
        self.reindex(&entry.contact, |ids| ids.insert(id));
        &self.contacts.entry(id).insert_entry(entry).into_mut().contact
    }

    /// Changes the sets of ids in which find looks for `contact`, and forgets the
    /// order of the listing.
    fn reindex(&mut self, contact: &Contact, change: impl Fn(&mut BTreeSet<u64>) -> bool) {
        self.listing = None;
        let email = contact.email.as_deref().map(formats::email_key);
        let phone = contact.phone_number.as_deref().and_then(formats::e164);
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
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use serde_json::{Value, json};

    use super::super::probe::{ask, create, get, sandbox};
    use super::super::{Options, Sandbox};
    use super::*;

    fn patch(sandbox: &Sandbox, id: u64, contact: &Value) -> Value {
        let answer = ask(sandbox, "PATCH", &format!("/{id}"), &json!({ "contact": contact }));
        assert_eq!(answer.status, http::StatusCode::OK);
        answer.body["data"].clone()
    }

    #[test]
    fn quirk_owner_reset_gives_updated_contacts_to_the_first_admin() {
        let sandbox = sandbox(&["owner-reset"]);
        let body = json!({"contact": {"first_name": "A"}, "user_email": "sam@linq.example"});
        let id = ask(&sandbox, "POST", "", &body).id();
        let kept = ask(&sandbox, "PUT", &format!("/{id}"), &body);
        assert_eq!(kept.body["data"]["contact_owner"]["id"], 302);
        let reset = patch(&sandbox, id, &json!({"first_name": "A"}));
        assert_eq!(reset["contact_owner"]["id"], 301);
    }

    #[test]
    fn quirk_unknown_users_refuses_every_user_and_nothing_else() {
        let sandbox = sandbox(&["unknown-users"]);
        let named = json!({"contact": {"first_name": "A"}, "user_email": "sam@linq.example"});
        assert_eq!(ask(&sandbox, "POST", "", &named).body["error_code"], "USER_NOT_FOUND");
        let id = create(&sandbox, &json!({"first_name": "A"})).id();
        assert_eq!(ask(&sandbox, "PATCH", &format!("/{id}"), &named).status, 422);
        patch(&sandbox, id, &json!({"first_name": "B"}));
    }

    #[test]
    fn quirk_find_phones_decides_with_what_a_number_is_compared() {
        let found = |quirks: &[&str]| {
            let sandbox = sandbox(quirks);
            create(&sandbox, &json!({"first_name": "A", "phone_number": "(212) 555-0123"}));
            get(&sandbox, "/find?phone_number=%2B12125550123").body["id"].is_u64()
        };
        assert!(found(&["phone=raw", "find-phones=normalised"]));
        assert!(!found(&["phone=raw", "find-phones=kept"]));
        assert!(found(&["phone=e164", "find-phones=kept"]));
    }

    #[test]
    fn quirk_find_picks_decides_who_of_several_is_shown() {
        for (quirk, picked) in [("find-picks=first", 0), ("find-picks=last", 1)] {
            let sandbox = sandbox(&[quirk]);
            let ada = json!({"email": "a@b.example"});
            let ids = [create(&sandbox, &ada).id(), create(&sandbox, &ada).id()];
            assert_eq!(get(&sandbox, "/find?email=a@b.example").body["id"], ids[picked], "{quirk}");
        }
    }

    #[test]
    fn quirk_refuse_clearing_refuses_an_update_with_a_blank() {
        let sandbox = sandbox(&["refuse-clearing"]);
        let id = create(&sandbox, &json!({"first_name": "A", "title": "Cook"})).id();
        let clearing = json!({"contact": {"first_name": "A", "title": ""}});
        assert_eq!(ask(&sandbox, "PATCH", &format!("/{id}"), &clearing).status, 422);
        assert_eq!(sandbox.contact(id).unwrap().title.as_deref(), Some("Cook"));
    }

    #[test]
    fn quirk_updated_at_decides_whether_a_write_moves_it() {
        for (quirk, moves) in [("updated-at=moves", true), ("updated-at=stays", false)] {
            let sandbox = sandbox(&[quirk]);
            let id = create(&sandbox, &json!({"first_name": "A"})).id();
            patch(&sandbox, id, &json!({"first_name": "B"}));
            let contact = sandbox.contact(id).unwrap();
            assert_eq!(contact.updated_at > contact.created_at, moves, "{quirk}");
        }
    }

    #[test]
    fn quirk_reverts_puts_one_member_back_before_the_next_look() {
        let sandbox = sandbox(&["reverts=title"]);
        let id = create(&sandbox, &json!({"first_name": "A", "title": "Cook"})).id();
        let answer = patch(&sandbox, id, &json!({"first_name": "B", "title": "Chief"}));
        assert_eq!(answer["title"], "Chief");
        let listed = get(&sandbox, "").body["contacts"][0].clone();
        assert_eq!((&listed["first_name"], &listed["title"]), (&json!("B"), &json!("Cook")));
    }

    #[test]
    fn quirk_late_deletion_lists_who_was_deleted_for_a_while() {
        let sandbox = sandbox(&["late-deletion=2"]);
        let id = create(&sandbox, &json!({"first_name": "A"})).id();
        create(&sandbox, &json!({"first_name": "B"}));
        assert_eq!(ask(&sandbox, "DELETE", &format!("/{id}"), &Value::Null).status, 204);
        assert_eq!(get(&sandbox, &format!("/{id}")).status, 404);
        let counts = [(); 3].map(|()| {
            let page = get(&sandbox, "");
            (page.ids().len(), page.body["pagination"]["total_count"].clone())
        });
        assert_eq!(counts, [(2, json!(2)), (2, json!(2)), (1, json!(1))]);
    }

    #[test]
    fn quirk_errors_tells_an_error_in_another_form_and_with_the_same_status() {
        let told = |form: &str| {
            let sandbox = sandbox(&[&format!("errors={form}")]);
            let answer = get(&sandbox, "/7");
            assert_eq!(answer.status, http::StatusCode::NOT_FOUND, "{form}");
            answer.body
        };
        assert_eq!(told("documented")["error_code"], "CONTACT_NOT_FOUND");
        assert_eq!(told("list")["errors"][0]["code"], "CONTACT_NOT_FOUND");
        assert_eq!(told("typed")["error"]["type"], "CONTACT_NOT_FOUND");
        assert_eq!((told("html"), told("none")), (Value::Null, Value::Null));
    }

    #[test]
    fn quirk_phone_decides_what_is_kept_and_find_compares_numbers_all_the_same() {
        let phone = |quirk: &str, phone: &str| {
            let sandbox = sandbox(&[quirk]);
            let answer = create(&sandbox, &json!({"first_name": "A", "phone_number": phone}));
            let found = get(&sandbox, "/find?phone_number=212-555-0123").body["id"].is_u64();
            (answer.body["data"]["phone_number"].clone(), found)
        };
        assert_eq!(phone("phone=e164", "(212) 555-0123"), (json!("+12125550123"), true));
        assert_eq!(phone("phone=raw", "(212) 555-0123"), (json!("(212) 555-0123"), true));
        assert_eq!(phone("phone=any", "212.555.0123"), (json!("212.555.0123"), true));
        assert_eq!(phone("phone=raw", "ask Bob"), (Value::Null, false), "refused");
        assert_eq!(phone("phone=any", "ask Bob"), (json!("ask Bob"), false));
    }

    #[test]
    fn quirks_title_case_and_truncate_change_what_is_kept() {
        let sandbox = sandbox(&["title-case", "truncate=5"]);
        let contact = json!({"first_name": "aNNE-marie", "last_name": "Ng", "title": "señorita"});
        let kept = create(&sandbox, &contact).body["data"].clone();
        assert_eq!((&kept["first_name"], &kept["title"]), (&json!("Anne-"), &json!("señor")));
        assert_eq!(kept["full_name"], "Anne- Ng");
        let kept = patch(&sandbox, kept["id"].as_u64().unwrap(), &json!({"last_name": "mcdonald"}));
        assert_eq!(kept["last_name"], "Mcdon");
    }

    #[test]
    fn quirk_ignore_clearing_keeps_values_and_says_nothing() {
        for (quirks, expected) in [(&[][..], Value::Null), (&["ignore-clearing"], json!("CEO"))] {
            let sandbox = sandbox(quirks);
            let id = create(&sandbox, &json!({"first_name": "A", "title": "CEO"})).id();
            for blank in [json!(""), Value::Null] {
                let shown = patch(&sandbox, id, &json!({"first_name": "A", "title": blank}));
                assert_eq!(shown["title"], expected);
            }
        }
    }

    #[test]
    fn quirks_updates_and_update_answer_decide_what_is_done_and_what_is_told() {
        let ada = json!({"first_name": "Ada", "title": "CEO", "company": "X"});
        let change = json!({"first_name": "Ada", "title": "CTO"});
        for (quirks, title, told) in [
            (&["updates=taken", "update-answer=whole"], "CTO", json!("X")),
            (&["updates=taken", "update-answer=partial"], "CTO", Value::Null),
            (&["updates=ignored", "update-answer=whole"], "CEO", json!("X")),
            (&["updates=ignored", "update-answer=partial"], "CEO", Value::Null),
        ] {
            let sandbox = sandbox(quirks);
            let id = create(&sandbox, &ada).id();
            let shown = patch(&sandbox, id, &change);
            assert_eq!((&shown["id"], &shown["title"]), (&json!(id), &json!(title)), "{quirks:?}");
            assert_eq!(shown["company"], told, "{quirks:?}");
            let kept = sandbox.contact(id).unwrap();
            assert_eq!((kept.title.as_deref(), kept.company.as_deref()), (Some(title), Some("X")));
        }
    }

    #[test]
    fn quirk_blanks_decides_what_a_missing_value_looks_like_in_every_answer() {
        for (quirk, expected) in [
            ("blanks=null", Some(Value::Null)),
            ("blanks=empty", Some(json!(""))),
            ("blanks=absent", None),
        ] {
            let sandbox = sandbox(&[quirk]);
            let created = create(&sandbox, &json!({"email": "a@b.c"})).body["data"].clone();
            let listed = get(&sandbox, "").body["contacts"][0].clone();
            let found = get(&sandbox, "/find?email=a@b.c").body;
            for shown in [created, listed, found] {
                assert_eq!(shown.get("title"), expected.as_ref(), "{quirk}");
                assert_eq!(shown.get("full_name"), expected.as_ref(), "{quirk}");
                assert_eq!(shown.get("image_url"), Some(&Value::Null), "{quirk}");
            }
        }
    }

    #[test]
    fn quirk_order_decides_the_order_of_the_listing() {
        let order = |quirk: &str| {
            let sandbox = sandbox(&[quirk]);
            let ids: Vec<u64> =
                ["A", "B", "C"].map(|n| create(&sandbox, &json!({"first_name": n})).id()).into();
            assert_eq!(get(&sandbox, "").ids().len(), 3);
            patch(&sandbox, ids[0], &json!({"first_name": "A2"}));
            let listed = get(&sandbox, "").ids();
            listed.iter().map(|id| id - ids[0]).collect::<Vec<u64>>()
        };
        assert_eq!(order("order=id"), [0, 1, 2]);
        assert_eq!(order("order=created-desc"), [2, 1, 0]);
        assert_eq!(order("order=updated-desc"), [0, 2, 1]);
    }

    #[test]
    fn quirk_find_shape_decides_where_the_found_contact_is() {
        for (quirk, member) in [
            ("find-shape=bare", ""),
            ("find-shape=contact", "/contact"),
            ("find-shape=data", "/data"),
        ] {
            let sandbox = sandbox(&[quirk]);
            let id = create(&sandbox, &json!({"email": "a@b.c"})).id();
            let found = get(&sandbox, "/find?email=a@b.c").body;
            assert_eq!(found.pointer(&format!("{member}/id")), Some(&json!(id)), "{quirk}");
            let nobody = get(&sandbox, "/find?email=x@y.z").body;
            let null =
                if member == "/data" { json!({"data": null}) } else { json!({"contact": null}) };
            assert_eq!(nobody, null, "{quirk}");
        }
    }

    #[test]
    fn quirk_late_visibility_hides_a_created_contact_from_the_next_lists_and_finds() {
        let sandbox = sandbox(&["late-visibility=3"]);
        let early = sandbox.insert([("first_name", "Seen at once")]).unwrap();
        let late = create(&sandbox, &json!({"email": "a@b.c"})).id();
        assert_eq!(get(&sandbox, "").ids(), [early]);
        assert_eq!(get(&sandbox, &format!("/{late}")).id(), late, "its id shows it");
        assert_eq!(get(&sandbox, "/find?email=a@b.c").body, json!({"contact": null}));
        let third = get(&sandbox, "");
        assert_eq!(
            (third.ids(), &third.body["pagination"]["total_count"]),
            (vec![early], &json!(1))
        );
        assert_eq!(get(&sandbox, "").ids(), [early, late]);
        assert_eq!(get(&sandbox, "/find?email=a@b.c").body["id"], late);
    }

    #[test]
    fn quirk_duplicates_decides_what_a_taken_email_means() {
        let twice = |quirk: &str| {
            let sandbox = sandbox(&[quirk]);
            let first = create(&sandbox, &json!({"email": "a@b.c", "title": "CEO"})).id();
            let second = create(&sandbox, &json!({"email": "A@b.c", "first_name": "Ada"}));
            let same = second.body["data"]["id"] == first;
            (second.status.as_u16(), same, sandbox.contacts().len())
        };
        assert_eq!(twice("duplicates=allow"), (201, false, 2));
        assert_eq!(twice("duplicates=refuse"), (422, false, 1));
        assert_eq!(twice("duplicates=merge"), (201, true, 1));
    }

    #[test]
    fn without_an_admin_new_contacts_belong_to_nobody() {
        let users = vec![User::new(1, Role::Member, "sam@linq.example", "Sam", "Seller")];
        let sandbox = Sandbox::new(Options { users, ..Options::default() });
        let answer = create(&sandbox, &json!({"first_name": "A"}));
        assert_eq!(answer.body["data"]["contact_owner"], Value::Null);
        let alone = Sandbox::new(Options { users: Vec::new(), contacts: 2, ..Options::default() });
        assert!(alone.contacts().iter().all(|contact| contact.contact_owner.is_none()));
    }

    #[test]
    fn times_follow_the_given_present_and_never_repeat_or_run_backwards() {
        let seconds = Arc::new(AtomicI64::new(1_000));
        let clock = seconds.clone();
        let now: Now = Arc::new(move || {
            DateTime::UNIX_EPOCH + TimeDelta::seconds(clock.load(Ordering::Relaxed))
        });
        let sandbox = Sandbox::new(Options { now, contacts: 5, ..Options::default() });
        let write = |at: i64| {
            seconds.store(at, Ordering::Relaxed);
            let id = create(&sandbox, &json!({"first_name": "A"})).id();
            sandbox.contact(id).unwrap().created_at.timestamp_millis()
        };
        assert!(sandbox.contacts().iter().all(|c| c.created_at.timestamp() < 1_000));
        assert_eq!(write(1_000), 1_000_001);
        assert_eq!(write(1_000), 1_000_002);
        assert_eq!(write(2_000), 2_000_000);
        assert_eq!(write(1_500), 2_000_001);
    }

    #[test]
    fn a_large_organisation_is_listed_and_searched_in_full() {
        let sandbox = Sandbox::new(Options { contacts: 5_000, ..Options::default() });
        let mut seen = BTreeSet::new();
        for page in 1..=50 {
            seen.extend(get(&sandbox, &format!("?page={page}&per_page=100")).ids());
        }
        assert_eq!(seen.len(), 5_000);
        let last = sandbox.contacts().into_iter().rev().find(|c| c.email.is_some()).unwrap();
        let found = get(&sandbox, &format!("/find?email={}", last.email.unwrap()));
        assert_eq!(found.body["id"], last.id);
    }

    #[test]
    fn invented_contacts_are_the_same_for_the_same_seed() {
        let contacts =
            |seed| Sandbox::new(Options { contacts: 100, seed, ..Options::default() }).contacts();
        assert_eq!(contacts(1), contacts(1));
        assert_ne!(contacts(1), contacts(2));
        assert!(
            contacts(1)
                .iter()
                .filter_map(|c| c.phone_number.as_deref())
                .all(|p| p.starts_with('+'))
        );
    }
}
