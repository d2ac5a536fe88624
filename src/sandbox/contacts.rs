//! Invented people: what a sandbox is filled with at its start.
//!
//! Owns their variety: the kinds of contact that make matching and synchronising
//! difficult. Leaves the words they are made of to [`super::words`] and their
//! numbers to [`super::phones`].

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::phones::{Country, Phones};
use super::words::{
    ARABIC, CHINESE, COMPANY_KINDS, COMPANY_NAMES, CYRILLIC, DOMAINS, GREEK, HEBREW, JAPANESE,
    LATIN, LOCATIONS, NameScript, SpelledName, TITLES,
};

/// An invented person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InventedContact {
    /// Values by the API's names; what the person lacks is not in it.
    pub(super) texts: BTreeMap<&'static str, String>,
    /// Picks the owner: an index into the users, taken modulo their number.
    pub(super) owner: usize,
}

/// What sort of contact a person makes.
#[derive(Clone, Copy)]
enum ContactPattern {
    Whole,
    /// One name, or both names in `first_name`.
    NoLastName,
    /// Nothing but a company and its number.
    Company,
    NoEmail,
    NoPhone,
    NoTitle,
    /// Neither e-mail nor number, often without a company too: find cannot see
    /// this contact.
    NamesOnly,
    /// The number and the company of a colleague.
    Switchboard,
    /// The number and the family name of somebody else.
    Family,
}

/// The shapes of 25 people. Among any 250 people each occurs.
const SHAPES: [ContactPattern; 25] = {
    let mut shapes = [ContactPattern::Whole; 25];
    shapes[1] = ContactPattern::NoLastName;
    shapes[3] = ContactPattern::NoEmail;
    shapes[5] = ContactPattern::NoPhone;
    shapes[7] = ContactPattern::NoTitle;
    shapes[9] = ContactPattern::Switchboard;
    shapes[11] = ContactPattern::Company;
    shapes[13] = ContactPattern::NoEmail;
    shapes[15] = ContactPattern::NoTitle;
    shapes[17] = ContactPattern::Switchboard;
    shapes[19] = ContactPattern::NamesOnly;
    shapes[21] = ContactPattern::Family;
    shapes[23] = ContactPattern::NoPhone;
    shapes
};

/// The scripts of 12 people.
const SCRIPTS: [&NameScript; 12] = [
    &LATIN, &GREEK, &LATIN, &CYRILLIC, &LATIN, &CHINESE, &LATIN, &JAPANESE, &LATIN, &ARABIC,
    &LATIN, &HEBREW,
];

/// Invents `count` people, the same ones for the same `seed`. No two have the same
/// names or the same e-mail address; some have the same phone number.
pub(super) fn invent_contacts(count: usize, seed: u64) -> Vec<InventedContact> {
    let mut inventor = Inventor::new(seed);
    (0..count).map(|nth| inventor.invent_contact(nth)).collect()
}

/// What has been given away already.
struct Inventor {
    rng: Rng,
    shapes: [ContactPattern; SHAPES.len()],
    full_names: BTreeSet<String>,
    emails: BTreeSet<String>,
    phones: Phones,
    host: Host,
}

/// The latest person whose company, number and family name others may share.
struct Host {
    script: &'static NameScript,
    last: String,
    company: String,
    phone: String,
    /// Given names of everybody who shares the number: they all differ, since two
    /// people with one number and one given name cannot be told apart.
    given: BTreeSet<String>,
}

struct NamePool {
    first: String,
    last: String,
    /// Both in an e-mail address.
    ascii: String,
}

impl Inventor {
    fn new(seed: u64) -> Inventor {
        let mut rng = Rng::with_seed(seed);
        let mut shapes = SHAPES;
        // The first person stays whole, so that there always is a host.
        rng.shuffle(&mut shapes[1..]);
        Inventor {
            rng,
            shapes,
            full_names: BTreeSet::new(),
            emails: BTreeSet::new(),
            phones: Phones::default(),
            host: Host {
                script: &LATIN,
                last: String::new(),
                company: String::new(),
                phone: String::new(),
                given: BTreeSet::new(),
            },
        }
    }

    fn invent_contact(&mut self, nth: usize) -> InventedContact {
        let shape = self.shapes[nth % SHAPES.len()];
        let script = if matches!(shape, ContactPattern::Family) {
            self.host.script
        } else {
            SCRIPTS[nth % SCRIPTS.len()]
        };
        let avoid = match shape {
            ContactPattern::Switchboard | ContactPattern::Family => {
                std::mem::take(&mut self.host.given)
            }
            ContactPattern::Whole
            | ContactPattern::NoLastName
            | ContactPattern::Company
            | ContactPattern::NoEmail
            | ContactPattern::NoPhone
            | ContactPattern::NoTitle
            | ContactPattern::NamesOnly => BTreeSet::new(),
        };
        let names = self.invent_names(script, nth, &avoid);
        self.host.given.extend(avoid);
        let mut texts = BTreeMap::from([
            ("email", self.invent_email(&names, nth)),
            ("company", self.invent_company()),
            ("title", self.pick_one(&TITLES).to_owned()),
            ("first_name", names.first),
            ("last_name", names.last),
        ]);
        if self.rng.u8(..5) > 0 {
            texts.insert("location", self.pick_one(&LOCATIONS).to_owned());
        }
        self.apply_pattern(shape, script, &mut texts);
        // Half of all contacts fall to the first user.
        let owner = if self.rng.bool() { 0 } else { self.rng.usize(..1000) };
        InventedContact { texts, owner }
    }

    /// Gives a person a number, and takes away what the shape lacks.
    fn apply_pattern(
        &mut self,
        shape: ContactPattern,
        script: &'static NameScript,
        texts: &mut BTreeMap<&'static str, String>,
    ) {
        match shape {
            ContactPattern::Whole => {
                let phone = self.invent_phone();
                let text = |name| texts.get(name).cloned().unwrap_or_default();
                self.host = Host {
                    script,
                    last: text("last_name"),
                    company: text("company"),
                    phone: phone.clone(),
                    given: given_names(&text("first_name")).collect(),
                };
                texts.insert("phone_number", phone);
            }
            ContactPattern::NoLastName => self.join_names(texts),
            ContactPattern::Company => {
                texts.retain(|name, _| *name == "company");
                texts.insert("phone_number", self.invent_phone());
            }
            ContactPattern::NoEmail => {
                texts.remove("email");
                texts.insert("phone_number", self.invent_phone());
            }
            ContactPattern::NoPhone => {}
            ContactPattern::NoTitle => {
                texts.remove("title");
                texts.insert("phone_number", self.invent_phone());
            }
            ContactPattern::NamesOnly => {
                texts.remove("email");
                if self.rng.bool() {
                    texts.remove("company");
                }
            }
            ContactPattern::Switchboard => {
                texts.insert("company", self.host.company.clone());
                self.share_phone(texts);
            }
            ContactPattern::Family => {
                self.share_family_name(texts);
                self.share_phone(texts);
            }
        }
    }

    /// Gives a person the number of the host.
    fn share_phone(&mut self, texts: &mut BTreeMap<&'static str, String>) {
        self.host.given.extend(given_names(&texts["first_name"]));
        texts.insert("phone_number", self.host.phone.clone());
    }

    /// Leaves the given name alone where nobody else goes by it; otherwise both
    /// names stand in `first_name`, as people type them.
    fn join_names(&mut self, texts: &mut BTreeMap<&'static str, String>) {
        let last = texts.remove("last_name").unwrap_or_default();
        if let Some(first) = texts.get_mut("first_name")
            && !self.full_names.insert(first.clone())
        {
            *first = format!("{first} {last}");
        }
    }

    /// Gives a person the family name of the host, unless somebody has the names.
    fn share_family_name(&mut self, texts: &mut BTreeMap<&'static str, String>) {
        let full_name = format!("{} {}", texts["first_name"], self.host.last);
        if self.full_names.insert(full_name) {
            texts.insert("last_name", self.host.last.clone());
        }
    }

    /// Names that nobody has yet, without the given names to `avoid`: a pair, else
    /// with a second given name, else with a number.
    fn invent_names(
        &mut self,
        script: &NameScript,
        nth: usize,
        avoid: &BTreeSet<String>,
    ) -> NamePool {
        let free: Vec<SpelledName> =
            script.given.iter().copied().filter(|given| !avoid.contains(given.0)).collect();
        for attempt in 0..6 {
            let (given, family) = (self.pick_one(&free), self.pick_one(script.family));
            let first = match attempt {
                0..3 => given.0.to_owned(),
                _ => format!("{} {}", given.0, self.pick_one(&free).0),
            };
            if self.full_names.insert(format!("{first} {}", family.0)) {
                return NamePool::new(first, family.0.to_owned(), given, family);
            }
        }
        let (given, family) = (self.pick_one(&free), self.pick_one(script.family));
        let last = format!("{} {nth}", family.0);
        self.full_names.insert(format!("{} {last}", given.0));
        NamePool::new(given.0.to_owned(), last, given, family)
    }

    fn invent_email(&mut self, names: &NamePool, nth: usize) -> String {
        let domain = self.pick_one(&DOMAINS);
        let plain = format!("{}@{domain}", names.ascii);
        if self.emails.insert(plain.clone()) {
            plain
        } else {
            format!("{}.{nth}@{domain}", names.ascii)
        }
    }

    fn invent_company(&mut self) -> String {
        format!("{} {}", self.pick_one(&COMPANY_NAMES), self.pick_one(&COMPANY_KINDS))
    }

    fn invent_phone(&mut self) -> String {
        let country = self.pick_one(&COUNTRIES);
        self.phones.next(country)
    }

    fn pick_one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())]
    }
}

fn given_names(first: &str) -> impl Iterator<Item = String> {
    first.split(' ').map(str::to_owned)
}

impl NamePool {
    fn new(first: String, last: String, given: SpelledName, family: SpelledName) -> NamePool {
        NamePool { first, last, ascii: format!("{}.{}", given.1, family.1) }
    }
}

/// How often each country's numbers are given away.
const COUNTRIES: [Country; 8] = [
    Country::UnitedStates,
    Country::UnitedStates,
    Country::UnitedStates,
    Country::UnitedStates,
    Country::Britain,
    Country::Germany,
    Country::France,
    Country::Japan,
];

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    fn count(
        people: &[InventedContact],
        is: impl Fn(&BTreeMap<&'static str, String>) -> bool,
    ) -> usize {
        people.iter().filter(|person| is(&person.texts)).count()
    }

    #[test]
    fn a_seed_always_invents_the_same_people_and_another_seed_others() {
        assert_eq!(invent_contacts(300, 7), invent_contacts(300, 7));
        assert_eq!(invent_contacts(100, 7), invent_contacts(300, 7)[..100]);
        assert_ne!(invent_contacts(300, 7), invent_contacts(300, 8));
    }

    #[test]
    fn among_250_people_every_kind_occurs_whatever_the_seed() {
        for seed in 0..20 {
            let people = invent_contacts(250, seed);
            let lacking = |name| count(&people, |texts| !texts.contains_key(name));
            assert!(lacking("company") > 0);
            for name in ["last_name", "email", "phone_number", "title", "location"] {
                assert!((10..130).contains(&lacking(name)), "{name}: {}", lacking(name));
            }
            let has = |texts: &BTreeMap<_, _>, names: &[&str]| {
                names.iter().all(|n| texts.contains_key(n))
            };
            assert_eq!(
                count(&people, |t| t.len() == 2 && has(t, &["company", "phone_number"])),
                10
            );
            assert_eq!(
                count(&people, |t| has(t, &["first_name", "last_name"])
                    && !t.contains_key("email")
                    && !t.contains_key("phone_number")),
                10
            );
            let phones: BTreeSet<_> =
                people.iter().filter_map(|p| p.texts.get("phone_number")).collect();
            let with_phone = count(&people, |t| t.contains_key("phone_number"));
            assert_eq!(with_phone - phones.len(), 30, "two switchboards and a family in 25");
            let written = |letters: RangeInclusive<char>| {
                let in_it = |name: &String| name.chars().any(|c| letters.contains(&c));
                count(&people, |t| t.get("first_name").is_some_and(in_it))
            };
            for letters in
                ['é'..='é', 'α'..='ω', 'а'..='я', '一'..='龥', 'ぁ'..='ヿ', 'ا'..='ي', 'א'..='ת']
            {
                assert!(written(letters.clone()) > 0, "{letters:?}");
            }
        }
    }

    #[test]
    fn people_with_one_number_have_different_given_names() {
        let mut given: BTreeMap<(String, String), usize> = BTreeMap::new();
        for InventedContact { texts, .. } in invent_contacts(10_000, 1) {
            if let (Some(first), Some(phone)) = (texts.get("first_name"), texts.get("phone_number"))
            {
                let parts: BTreeSet<String> = given_names(first).collect();
                for part in parts {
                    *given.entry((phone.clone(), part)).or_default() += 1;
                }
            }
        }
        assert!(given.values().all(|count| *count == 1));
    }

    #[test]
    fn nobody_shares_names_or_an_address_however_many_there_are() {
        let people = invent_contacts(30_000, 1);
        let mut names = BTreeSet::new();
        let mut emails = BTreeSet::new();
        for texts in people.iter().map(|person| &person.texts) {
            let full = [texts.get("first_name"), texts.get("last_name")];
            let full: Vec<&str> = full.into_iter().flatten().map(String::as_str).collect();
            assert!(full.is_empty() || names.insert(full.join(" ")), "{full:?}");
            if let Some(email) = texts.get("email") {
                let domain = email.split_once('@').unwrap().1;
                assert!(DOMAINS.contains(&domain), "{email}");
                assert!(emails.insert(email.to_lowercase()), "{email}");
            }
        }
    }
}
