//! Quirks: the other readings of what the documents leave open.
//!
//! Owns their names and values. By default every quirk is off and the sandbox
//! follows the plain reading of the documents; each switch changes one thing and
//! none depends on another. Leaves what they do to [`super::store`] and
//! [`super::routes`].

use std::str::FromStr;

use super::contact::WRITABLE;

/// One quirk that is switched on, read from `name` or `name=value`.
///
/// | text | meaning |
/// |---|---|
/// | `owner-reset` | an update without `user_email` gives the contact to the first admin |
/// | `phone=e164\|raw\|any` | phone numbers are kept in E.164, kept as sent, or neither checked nor changed |
/// | `title-case` | first and last names are kept as `Ada Lovelace` whatever was sent |
/// | `truncate=N` | every value is cut to N characters |
/// | `ignore-clearing` | an update with a blank value leaves the old one in place and answers 200 |
/// | `updates=taken\|ignored` | an update is carried out, or answered with 200 and ignored |
/// | `update-answer=whole\|partial` | an update is answered with the whole contact, or with its id and what was sent alone |
/// | `blanks=null\|empty\|absent` | how answers show a field without a value |
/// | `list-lacks=NAME` | the listing never shows the member NAME, whether it is blank or not |
/// | `order=id\|created-desc\|updated-desc` | the order of the listing |
/// | `per-page=N` | a page holds N contacts, however many are asked for |
/// | `past-end=empty\|missing\|last` | a page past the end is empty, a 404, or the last page again |
/// | `find-shape=bare\|contact\|data` | the member that holds what find found |
/// | `late-visibility=N` | a created contact is missing from the next N lists and finds |
/// | `duplicates=allow\|refuse\|merge` | a create with an e-mail that is taken makes a second contact, is refused, or updates the first |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// `owner-reset`
    OwnerReset,
    /// `phone`
    Phone(PhoneForm),
    /// `title-case`
    TitleCase,
    /// `truncate`
    Truncate(usize),
    /// `ignore-clearing`
    IgnoreClearing,
    /// `updates`
    Updates(Updates),
    /// `update-answer`
    UpdateAnswer(UpdateAnswer),
    /// `blanks`
    Blanks(Blanks),
    /// `list-lacks`
    ListLacks(&'static str),
    /// `order`
    Order(Order),
    /// `per-page`
    PerPage(usize),
    /// `past-end`
    PastEnd(PastEnd),
    /// `find-shape`
    FindShape(FindShape),
    /// `late-visibility`
    LateVisibility(u64),
    /// `duplicates`
    Duplicates(Duplicates),
}

/// How phone numbers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneForm {
    /// In E.164; what has no such form is refused.
    #[default]
    E164,
    /// As sent; what has no E.164 form is refused.
    Raw,
    /// As sent, whatever it is.
    Any,
}

/// What becomes of an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Updates {
    /// It is carried out.
    #[default]
    Taken,
    /// It changes nothing, and is answered as if it had.
    Ignored,
}

/// What the answer to an update holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateAnswer {
    /// The contact.
    #[default]
    Whole,
    /// The contact's id and the members that were sent.
    Partial,
}

/// How answers show a field without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blanks {
    /// As `null`.
    #[default]
    Null,
    /// As `""`.
    Empty,
    /// Not at all.
    Absent,
}

/// The order of the listing. Ties are broken by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By id.
    #[default]
    Id,
    /// Newest first.
    CreatedDesc,
    /// Last written first: every update moves a contact to the first page.
    UpdatedDesc,
}

/// What a page past the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PastEnd {
    /// A page without contacts.
    #[default]
    Empty,
    /// A 404.
    Missing,
    /// The last page again, which says that it is the last page.
    Last,
}

/// The member that holds what find found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindShape {
    /// None: the contact is the answer, or `{"contact": null}`.
    #[default]
    Bare,
    /// `contact`
    Contact,
    /// `data`
    Data,
}

/// What becomes of a create with an e-mail that another contact has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// There are two contacts.
    #[default]
    Allow,
    /// It is refused with 422.
    Refuse,
    /// It updates the other contact and answers with its id.
    Merge,
}

/// All quirks of a sandbox. The default is the plain reading of the documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Whether an update without `user_email` resets the owner.
    pub owner_reset: bool,
    /// How phone numbers are kept.
    pub phone: PhoneForm,
    /// Whether names are put into title case.
    pub title_case: bool,
    /// The number of characters after which values are cut.
    pub truncate: Option<usize>,
    /// Whether blank values in updates are ignored.
    pub ignore_clearing: bool,
    /// What becomes of updates.
    pub updates: Updates,
    /// What updates are answered with.
    pub update_answer: UpdateAnswer,
    /// How answers show blanks.
    pub blanks: Blanks,
    /// The member that the listing does not show.
    pub list_lacks: Option<&'static str>,
    /// The order of the listing.
    pub order: Order,
    /// How many contacts a page holds, whatever is asked for.
    pub per_page: Option<usize>,
    /// What a page past the end is.
    pub past_end: PastEnd,
    /// The shape of find's answer.
    pub find_shape: FindShape,
    /// The number of lists and finds that do not see a created contact yet.
    pub late_visibility: u64,
    /// What becomes of a second contact with one e-mail.
    pub duplicates: Duplicates,
}

impl Quirks {
    /// Switches `quirk` on, in place of an earlier value of the same name.
    pub fn switch_on(&mut self, quirk: Quirk) {
        match quirk {
            Quirk::OwnerReset => self.owner_reset = true,
            Quirk::Phone(form) => self.phone = form,
            Quirk::TitleCase => self.title_case = true,
            Quirk::Truncate(length) => self.truncate = Some(length),
            Quirk::IgnoreClearing => self.ignore_clearing = true,
            Quirk::Updates(updates) => self.updates = updates,
            Quirk::UpdateAnswer(answer) => self.update_answer = answer,
            Quirk::Blanks(blanks) => self.blanks = blanks,
            Quirk::ListLacks(name) => self.list_lacks = Some(name),
            Quirk::Order(order) => self.order = order,
            Quirk::PerPage(contacts) => self.per_page = Some(contacts),
            Quirk::PastEnd(page) => self.past_end = page,
            Quirk::FindShape(shape) => self.find_shape = shape,
            Quirk::LateVisibility(requests) => self.late_visibility = requests,
            Quirk::Duplicates(duplicates) => self.duplicates = duplicates,
        }
    }

    /// What is kept of `text`, sent as a value of the writable member `name`.
    pub(super) fn kept(&self, name: &str, text: &str) -> String {
        let kept = match name {
            "first_name" | "last_name" if self.title_case => title_case(text),
            "phone_number" if self.phone == PhoneForm::E164 => {
                super::formats::e164(text).unwrap_or_else(|| text.to_owned())
            }
            _ => text.to_owned(),
        };
        match self.truncate {
            Some(length) => kept.chars().take(length).collect(),
            None => kept,
        }
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<I: IntoIterator<Item = Quirk>>(quirks: I) -> Quirks {
        let mut all = Quirks::default();
        quirks.into_iter().for_each(|quirk| all.switch_on(quirk));
        all
    }
}

fn title_case(text: &str) -> String {
    let mut inside_word = false;
    let mut cased = String::with_capacity(text.len());
    for c in text.chars() {
        if inside_word {
            cased.extend(c.to_lowercase());
        } else {
            cased.extend(c.to_uppercase());
        }
        inside_word = c.is_alphanumeric();
    }
    cased
}

/// The text does not name a quirk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuirkError {
    /// There is no quirk of that name.
    #[error(
        "no quirk is called `{0}`; there are owner-reset, phone, title-case, truncate, \
         ignore-clearing, updates, update-answer, blanks, list-lacks, order, per-page, \
         past-end, find-shape, late-visibility and duplicates"
    )]
    Unknown(String),
    /// The quirk takes another value.
    #[error("quirk `{name}` takes {expected}")]
    Value {
        /// The quirk.
        name: String,
        /// What it takes, for people.
        expected: &'static str,
    },
}

impl FromStr for Quirk {
    type Err = QuirkError;

    fn from_str(text: &str) -> Result<Quirk, QuirkError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let (quirk, expected) = match name {
            "owner-reset" => (flag(Quirk::OwnerReset, value), "no value"),
            "title-case" => (flag(Quirk::TitleCase, value), "no value"),
            "ignore-clearing" => (flag(Quirk::IgnoreClearing, value), "no value"),
            "truncate" => (number(value).map(Quirk::Truncate), "a number of characters"),
            "late-visibility" => (number(value).map(Quirk::LateVisibility), "a number of requests"),
            "phone" => (choice(value, &PHONE_FORMS).map(Quirk::Phone), "e164, raw or any"),
            "updates" => (choice(value, &UPDATES).map(Quirk::Updates), "taken or ignored"),
            "update-answer" => {
                (choice(value, &UPDATE_ANSWERS).map(Quirk::UpdateAnswer), "whole or partial")
            }
            "blanks" => (choice(value, &BLANKS).map(Quirk::Blanks), "null, empty or absent"),
            "list-lacks" => {
                let name = WRITABLE.into_iter().find(|name| Some(*name) == value);
                (name.map(Quirk::ListLacks), "a member such as email")
            }
            "order" => {
                (choice(value, &ORDERS).map(Quirk::Order), "id, created-desc or updated-desc")
            }
            "per-page" => {
                (number(value).filter(|n| *n > 0).map(Quirk::PerPage), "a number of contacts")
            }
            "past-end" => (choice(value, &PAST_ENDS).map(Quirk::PastEnd), "empty, missing or last"),
            "find-shape" => {
                (choice(value, &FIND_SHAPES).map(Quirk::FindShape), "bare, contact or data")
            }
            "duplicates" => {
                (choice(value, &DUPLICATES).map(Quirk::Duplicates), "allow, refuse or merge")
            }
            _ => return Err(QuirkError::Unknown(name.to_owned())),
        };
        quirk.ok_or_else(|| QuirkError::Value { name: name.to_owned(), expected })
    }
}

const PHONE_FORMS: [(&str, PhoneForm); 3] =
    [("e164", PhoneForm::E164), ("raw", PhoneForm::Raw), ("any", PhoneForm::Any)];
const UPDATES: [(&str, Updates); 2] = [("taken", Updates::Taken), ("ignored", Updates::Ignored)];
const UPDATE_ANSWERS: [(&str, UpdateAnswer); 2] =
    [("whole", UpdateAnswer::Whole), ("partial", UpdateAnswer::Partial)];
const BLANKS: [(&str, Blanks); 3] =
    [("null", Blanks::Null), ("empty", Blanks::Empty), ("absent", Blanks::Absent)];
const ORDERS: [(&str, Order); 3] =
    [("id", Order::Id), ("created-desc", Order::CreatedDesc), ("updated-desc", Order::UpdatedDesc)];
const PAST_ENDS: [(&str, PastEnd); 3] =
    [("empty", PastEnd::Empty), ("missing", PastEnd::Missing), ("last", PastEnd::Last)];
const FIND_SHAPES: [(&str, FindShape); 3] =
    [("bare", FindShape::Bare), ("contact", FindShape::Contact), ("data", FindShape::Data)];
const DUPLICATES: [(&str, Duplicates); 3] =
    [("allow", Duplicates::Allow), ("refuse", Duplicates::Refuse), ("merge", Duplicates::Merge)];

fn flag(quirk: Quirk, value: Option<&str>) -> Option<Quirk> {
    value.is_none().then_some(quirk)
}

fn number<N: FromStr>(value: Option<&str>) -> Option<N> {
    value?.parse().ok()
}

fn choice<T: Copy>(value: Option<&str>, choices: &[(&str, T)]) -> Option<T> {
    choices.iter().find(|(name, _)| Some(*name) == value).map(|(_, choice)| *choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_is_read_from_its_text() {
        let texts = [
            ("owner-reset", Quirk::OwnerReset),
            ("phone=raw", Quirk::Phone(PhoneForm::Raw)),
            ("phone=any", Quirk::Phone(PhoneForm::Any)),
            ("title-case", Quirk::TitleCase),
            ("truncate=40", Quirk::Truncate(40)),
            ("ignore-clearing", Quirk::IgnoreClearing),
            ("updates=ignored", Quirk::Updates(Updates::Ignored)),
            ("update-answer=partial", Quirk::UpdateAnswer(UpdateAnswer::Partial)),
            ("blanks=absent", Quirk::Blanks(Blanks::Absent)),
            ("list-lacks=email", Quirk::ListLacks("email")),
            ("order=updated-desc", Quirk::Order(Order::UpdatedDesc)),
            ("per-page=25", Quirk::PerPage(25)),
            ("past-end=last", Quirk::PastEnd(PastEnd::Last)),
            ("find-shape=data", Quirk::FindShape(FindShape::Data)),
            ("late-visibility=3", Quirk::LateVisibility(3)),
            ("duplicates=merge", Quirk::Duplicates(Duplicates::Merge)),
        ];
        for (text, quirk) in texts {
            assert_eq!(text.parse(), Ok(quirk), "{text}");
        }
    }

    #[test]
    fn a_wrong_quirk_says_what_is_expected() {
        let error = |text: &str| text.parse::<Quirk>().unwrap_err().to_string();
        assert!(error("owner-rest").starts_with("no quirk is called `owner-rest`; there are"));
        assert_eq!(error("order=name"), "quirk `order` takes id, created-desc or updated-desc");
        assert_eq!(error("truncate"), "quirk `truncate` takes a number of characters");
        assert_eq!(error("title-case=yes"), "quirk `title-case` takes no value");
    }

    #[test]
    fn a_later_value_replaces_an_earlier_one_and_leaves_the_others() {
        let quirks: Quirks =
            [Quirk::Truncate(5), Quirk::TitleCase, Quirk::Truncate(9)].into_iter().collect();
        assert_eq!(quirks, Quirks { truncate: Some(9), title_case: true, ..Quirks::default() });
    }

    #[test]
    fn title_case_begins_every_part_of_a_name_anew() {
        assert_eq!(title_case("ANNE-marie o'HARA"), "Anne-Marie O'Hara");
        assert_eq!(title_case("élodie de la tour"), "Élodie De La Tour");
    }
}
