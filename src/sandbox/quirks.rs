//! Quirks: the other readings of what the documents leave open.
//!
//! Owns their names and values. By default every quirk is off and the sandbox
//! follows the plain reading of the documents; each switch changes one thing and
//! none depends on another. Leaves their text form to [`super::quirk_text`], and what
//! they do to [`super::store`] and [`super::routes`].

/// One quirk that is switched on, read from `name` or `name=value`.
///
/// | text | meaning |
/// |---|---|
/// | `owner-reset` | an update without `user_email` gives the contact to the first admin |
/// | `phone=e164\|raw\|any` | phone numbers are kept in E.164, kept as sent, or neither checked nor changed |
/// | `title-case` | first and last names are kept as `Ada Lovelace` whatever was sent |
/// | `trim` | values are kept without the white space around them |
/// | `lower-email` | e-mail addresses are kept in lower case |
/// | `drop-emoji` | values are kept without characters beyond U+FFFF |
/// | `truncate=N` | every value is cut to N characters |
/// | `ignore-clearing` | an update with a blank value leaves the old one in place and answers 200 |
/// | `refuse-clearing` | an update with a blank value is refused with 422 |
/// | `unknown-users` | every `user_email` is refused with 422, as that of a user who has left |
/// | `updates=taken\|ignored` | an update is carried out, or answered with 200 and ignored |
/// | `update-answer=whole\|partial` | an update is answered with the whole contact, or with its id and what was sent alone |
/// | `updated-at=moves\|stays` | a write moves `updated_at`, or leaves it as it was |
/// | `reverts=NAME` | before the next list or find another writer puts back the member NAME of each contact that was updated |
/// | `blanks=null\|empty\|absent` | how answers show a field without a value |
/// | `list-lacks=NAME` | the listing never shows the member NAME, whether it is blank or not |
/// | `order=id\|created-desc\|updated-desc` | the order of the listing |
/// | `per-page=N` | a page holds N contacts, however many are asked for |
/// | `past-end=empty\|missing\|last` | a page past the end is empty, a 404, or the last page again |
/// | `find-shape=bare\|contact\|data` | the member that holds what find found |
/// | `find-phones=normalised\|kept` | find compares the number in E.164 with kept numbers in E.164, or as they are kept |
/// | `find-joins=any\|all` | find with an e-mail and a phone number shows a contact that has either, or both |
/// | `find-picks=first\|last` | of several contacts find shows the one with the lowest id, or the highest |
/// | `late-deletion=N` | a deleted contact is in the next N lists |
/// | `late-visibility=N` | a created contact is missing from the next N lists and finds |
/// | `duplicates=allow\|refuse\|merge` | a create with an e-mail that is taken makes a second contact, is refused, or updates the first |
/// | `errors=documented\|list\|typed\|html\|none` | an error is told as documented, as `{errors:[{…}]}`, as `{error:{type,messages}}`, as HTML, or by its status alone |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// `owner-reset`
    OwnerReset,
    /// `phone`
    Phone(PhoneForm),
    /// `title-case`
    TitleCase,
    /// `trim`
    Trim,
    /// `lower-email`
    LowerEmail,
    /// `drop-emoji`
    DropEmoji,
    /// `truncate`
    Truncate(usize),
    /// `ignore-clearing`
    IgnoreClearing,
    /// `refuse-clearing`
    RefuseClearing,
    /// `unknown-users`
    UnknownUsers,
    /// `updates`
    Updates(Updates),
    /// `update-answer`
    UpdateAnswer(UpdateAnswer),
    /// `updated-at`
    UpdatedAt(UpdatedAt),
    /// `reverts`
    Reverts(&'static str),
    /// `blanks`
    Blanks(Blanks),
    /// `list-lacks`
    ListLacks(&'static str),
    /// `order`
    Order(ListingOrder),
    /// `per-page`
    PerPage(usize),
    /// `past-end`
    PastEnd(PastEnd),
    /// `find-shape`
    FindShape(FindShape),
    /// `find-phones`
    FindPhones(FindPhones),
    /// `find-joins`
    FindJoins(FindJoins),
    /// `find-picks`
    FindPicks(FindPicks),
    /// `late-deletion`
    LateDeletion(u64),
    /// `late-visibility`
    LateVisibility(u64),
    /// `duplicates`
    Duplicates(Duplicates),
    /// `errors`
    Errors(ErrorForm),
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

/// What a write does to `updated_at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdatedAt {
    /// It becomes the present.
    #[default]
    Moves,
    /// It stays what it was when the contact was created.
    Stays,
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
pub enum ListingOrder {
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

/// Which spelling of a kept phone number find compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindPhones {
    /// Its E.164 form.
    #[default]
    Normalised,
    /// The one that is kept, whatever it is.
    Kept,
}

/// Whom find shows that is given an e-mail and a phone number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindJoins {
    /// A contact that has either.
    #[default]
    Any,
    /// A contact that has both.
    All,
}

/// Which of several contacts find shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindPicks {
    /// The one with the lowest id.
    #[default]
    First,
    /// The one with the highest id.
    Last,
}

/// How an error is told. The status is the same in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{status, error_code, message, errors: [text]}`
    #[default]
    Documented,
    /// `{errors: [{status, code, title, detail}]}`
    List,
    /// `{error: {type, messages}, status}`
    Typed,
    /// A page of HTML.
    Html,
    /// No body.
    None,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Quirks {
    /// Whether an update without `user_email` resets the owner.
    pub owner_reset: bool,
    /// How phone numbers are kept.
    pub phone: PhoneForm,
    /// Whether names are put into title case.
    pub title_case: bool,
    /// Whether values lose the white space around them.
    pub trim: bool,
    /// Whether e-mail addresses are put into lower case.
    pub lower_email: bool,
    /// Whether values lose characters beyond U+FFFF.
    pub drop_emoji: bool,
    /// The number of characters after which values are cut.
    pub truncate: Option<usize>,
    /// Whether blank values in updates are ignored.
    pub ignore_clearing: bool,
    /// Whether blank values in updates are refused.
    pub refuse_clearing: bool,
    /// Whether no `user_email` is that of a user.
    pub unknown_users: bool,
    /// What becomes of updates.
    pub updates: Updates,
    /// What updates are answered with.
    pub update_answer: UpdateAnswer,
    /// What a write does to `updated_at`.
    pub updated_at: UpdatedAt,
    /// The member that another writer puts back.
    pub reverts: Option<&'static str>,
    /// How answers show blanks.
    pub blanks: Blanks,
    /// The member that the listing does not show.
    pub list_lacks: Option<&'static str>,
    /// The order of the listing.
    pub order: ListingOrder,
    /// How many contacts a page holds, whatever is asked for.
    pub per_page: Option<usize>,
    /// What a page past the end is.
    pub past_end: PastEnd,
    /// The shape of find's answer.
    pub find_shape: FindShape,
    /// Which spelling of a phone number find compares.
    pub find_phones: FindPhones,
    /// Whom find shows that is given an e-mail and a phone number.
    pub find_joins: FindJoins,
    /// Which of several contacts find shows.
    pub find_picks: FindPicks,
    /// The number of lists that show a deleted contact still.
    pub late_deletion: u64,
    /// The number of lists and finds that do not see a created contact yet.
    pub late_visibility: u64,
    /// What becomes of a second contact with one e-mail.
    pub duplicates: Duplicates,
    /// How errors are told.
    pub errors: ErrorForm,
}

impl Quirks {
    /// Switches `quirk` on, in place of an earlier value of the same name.
    pub fn switch_on(&mut self, quirk: Quirk) {
        match quirk {
            Quirk::OwnerReset => self.owner_reset = true,
            Quirk::Phone(form) => self.phone = form,
            Quirk::TitleCase => self.title_case = true,
            Quirk::Trim => self.trim = true,
            Quirk::LowerEmail => self.lower_email = true,
            Quirk::DropEmoji => self.drop_emoji = true,
            Quirk::Truncate(length) => self.truncate = Some(length),
            Quirk::IgnoreClearing => self.ignore_clearing = true,
            Quirk::RefuseClearing => self.refuse_clearing = true,
            Quirk::UnknownUsers => self.unknown_users = true,
            Quirk::Updates(updates) => self.updates = updates,
            Quirk::UpdateAnswer(answer) => self.update_answer = answer,
            Quirk::UpdatedAt(updated_at) => self.updated_at = updated_at,
            Quirk::Reverts(name) => self.reverts = Some(name),
            Quirk::Blanks(blanks) => self.blanks = blanks,
            Quirk::ListLacks(name) => self.list_lacks = Some(name),
            Quirk::Order(order) => self.order = order,
            Quirk::PerPage(contacts) => self.per_page = Some(contacts),
            Quirk::PastEnd(page) => self.past_end = page,
            Quirk::FindShape(shape) => self.find_shape = shape,
            Quirk::FindPhones(phones) => self.find_phones = phones,
            Quirk::FindJoins(joins) => self.find_joins = joins,
            Quirk::FindPicks(picks) => self.find_picks = picks,
            Quirk::LateDeletion(lists) => self.late_deletion = lists,
            Quirk::LateVisibility(requests) => self.late_visibility = requests,
            Quirk::Duplicates(duplicates) => self.duplicates = duplicates,
            Quirk::Errors(form) => self.errors = form,
        }
    }

    /// What is kept of `text`, sent as a value of the writable member `name`.
    pub(super) fn kept_text(&self, name: &str, text: &str) -> String {
        let text = if self.trim { text.trim() } else { text };
        let mut kept = match name {
            "first_name" | "last_name" if self.title_case => title_case(text),
            "email" if self.lower_email => text.to_lowercase(),
            "phone_number" if self.phone == PhoneForm::E164 => {
                super::formats::to_e164(text).unwrap_or_else(|| text.to_owned())
            }
            _ => text.to_owned(),
        };
        if self.drop_emoji {
            kept.retain(|c| u32::from(c) <= 0xFFFF);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_value_replaces_an_earlier_one_and_leaves_the_others() {
        let quirks: Quirks =
            [Quirk::Truncate(5), Quirk::TitleCase, Quirk::Truncate(9)].into_iter().collect();
        assert_eq!(quirks, Quirks { truncate: Some(9), title_case: true, ..Quirks::default() });
    }

    #[test]
    fn what_is_kept_is_rewritten_by_each_quirk_alone() {
        let kept =
            |quirk, name, text| [quirk].into_iter().collect::<Quirks>().kept_text(name, text);
        assert_eq!(kept(Quirk::Trim, "title", " Cook\t"), "Cook");
        assert_eq!(kept(Quirk::LowerEmail, "email", "Ada@Example.org"), "ada@example.org");
        assert_eq!(kept(Quirk::LowerEmail, "title", "CEO"), "CEO");
        assert_eq!(kept(Quirk::DropEmoji, "company", "Café 🚀 & 株式会社"), "Café  & 株式会社");
        assert_eq!(kept(Quirk::Truncate(2), "title", "Cook"), "Co");
    }

    #[test]
    fn title_case_begins_every_part_of_a_name_anew() {
        assert_eq!(title_case("ANNE-marie o'HARA"), "Anne-Marie O'Hara");
        assert_eq!(title_case("élodie de la tour"), "Élodie De La Tour");
    }
}
