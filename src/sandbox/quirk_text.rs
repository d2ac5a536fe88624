//! Quirks as text, the way `--quirk` takes them.
//!
//! Owns the grammar, which [`Quirk`] documents. Leaves what they mean to
//! [`super::quirks`].

use std::str::FromStr;

use super::contact::WRITABLE;
use super::quirks::{
    Blanks, Duplicates, ErrorForm, FindJoins, FindPhones, FindPicks, FindShape, ListingOrder,
    PastEnd, PhoneForm, Quirk, UpdateAnswer, UpdatedAt, Updates,
};

/// The text does not name a quirk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuirkError {
    /// There is no quirk of that name.
    #[error(
        "no quirk is called `{0}`; there are owner-reset, phone, title-case, trim, \
         lower-email, drop-emoji, truncate, ignore-clearing, refuse-clearing, unknown-users, \
         updates, update-answer, updated-at, reverts, blanks, list-lacks, order, per-page, \
         past-end, find-shape, find-phones, find-joins, find-picks, late-deletion, late-visibility, \
         duplicates and errors"
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
            "owner-reset" => (parse_flag(Quirk::OwnerReset, value), "no value"),
            "title-case" => (parse_flag(Quirk::TitleCase, value), "no value"),
            "trim" => (parse_flag(Quirk::Trim, value), "no value"),
            "lower-email" => (parse_flag(Quirk::LowerEmail, value), "no value"),
            "drop-emoji" => (parse_flag(Quirk::DropEmoji, value), "no value"),
            "refuse-clearing" => (parse_flag(Quirk::RefuseClearing, value), "no value"),
            "unknown-users" => (parse_flag(Quirk::UnknownUsers, value), "no value"),
            "ignore-clearing" => (parse_flag(Quirk::IgnoreClearing, value), "no value"),
            "truncate" => (parse_number(value).map(Quirk::Truncate), "a number of characters"),
            "late-visibility" => {
                (parse_number(value).map(Quirk::LateVisibility), "a number of requests")
            }
            "late-deletion" => (parse_number(value).map(Quirk::LateDeletion), "a number of lists"),
            "phone" => (parse_choice(value, &PHONE_FORMS).map(Quirk::Phone), "e164, raw or any"),
            "updates" => (parse_choice(value, &UPDATES).map(Quirk::Updates), "taken or ignored"),
            "update-answer" => {
                (parse_choice(value, &UPDATE_ANSWERS).map(Quirk::UpdateAnswer), "whole or partial")
            }
            "blanks" => (parse_choice(value, &BLANKS).map(Quirk::Blanks), "null, empty or absent"),
            "updated-at" => {
                (parse_choice(value, &UPDATED_ATS).map(Quirk::UpdatedAt), "moves or stays")
            }
            "reverts" => (parse_member(value).map(Quirk::Reverts), "a member such as title"),
            "list-lacks" => (parse_member(value).map(Quirk::ListLacks), "a member such as email"),
            "order" => {
                (parse_choice(value, &ORDERS).map(Quirk::Order), "id, created-desc or updated-desc")
            }
            "per-page" => {
                (parse_number(value).filter(|n| *n > 0).map(Quirk::PerPage), "a number of contacts")
            }
            "past-end" => {
                (parse_choice(value, &PAST_ENDS).map(Quirk::PastEnd), "empty, missing or last")
            }
            "find-shape" => {
                (parse_choice(value, &FIND_SHAPES).map(Quirk::FindShape), "bare, contact or data")
            }
            "find-phones" => {
                (parse_choice(value, &FIND_PHONES).map(Quirk::FindPhones), "normalised or kept")
            }
            "find-joins" => (parse_choice(value, &FIND_JOINS).map(Quirk::FindJoins), "any or all"),
            "find-picks" => {
                (parse_choice(value, &FIND_PICKS).map(Quirk::FindPicks), "first or last")
            }
            "errors" => (
                parse_choice(value, &ERRORS).map(Quirk::Errors),
                "documented, list, typed, html or none",
            ),
            "duplicates" => {
                (parse_choice(value, &DUPLICATES).map(Quirk::Duplicates), "allow, refuse or merge")
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
const ORDERS: [(&str, ListingOrder); 3] = [
    ("id", ListingOrder::Id),
    ("created-desc", ListingOrder::CreatedDesc),
    ("updated-desc", ListingOrder::UpdatedDesc),
];
const PAST_ENDS: [(&str, PastEnd); 3] =
    [("empty", PastEnd::Empty), ("missing", PastEnd::Missing), ("last", PastEnd::Last)];
const FIND_SHAPES: [(&str, FindShape); 3] =
    [("bare", FindShape::Bare), ("contact", FindShape::Contact), ("data", FindShape::Data)];
const UPDATED_ATS: [(&str, UpdatedAt); 2] =
    [("moves", UpdatedAt::Moves), ("stays", UpdatedAt::Stays)];
const FIND_PHONES: [(&str, FindPhones); 2] =
    [("normalised", FindPhones::Normalised), ("kept", FindPhones::Kept)];
const FIND_JOINS: [(&str, FindJoins); 2] = [("any", FindJoins::Any), ("all", FindJoins::All)];
const FIND_PICKS: [(&str, FindPicks); 2] = [("first", FindPicks::First), ("last", FindPicks::Last)];
const ERRORS: [(&str, ErrorForm); 5] = [
    ("documented", ErrorForm::Documented),
    ("list", ErrorForm::List),
    ("typed", ErrorForm::Typed),
    ("html", ErrorForm::Html),
    ("none", ErrorForm::None),
];
const DUPLICATES: [(&str, Duplicates); 3] =
    [("allow", Duplicates::Allow), ("refuse", Duplicates::Refuse), ("merge", Duplicates::Merge)];

fn parse_flag(quirk: Quirk, value: Option<&str>) -> Option<Quirk> {
    value.is_none().then_some(quirk)
}

fn parse_member(value: Option<&str>) -> Option<&'static str> {
    WRITABLE.into_iter().find(|name| Some(*name) == value)
}

fn parse_number<N: FromStr>(value: Option<&str>) -> Option<N> {
    value?.parse().ok()
}

fn parse_choice<T: Copy>(value: Option<&str>, choices: &[(&str, T)]) -> Option<T> {
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
            ("order=updated-desc", Quirk::Order(ListingOrder::UpdatedDesc)),
            ("per-page=25", Quirk::PerPage(25)),
            ("past-end=last", Quirk::PastEnd(PastEnd::Last)),
            ("find-shape=data", Quirk::FindShape(FindShape::Data)),
            ("late-visibility=3", Quirk::LateVisibility(3)),
            ("trim", Quirk::Trim),
            ("lower-email", Quirk::LowerEmail),
            ("drop-emoji", Quirk::DropEmoji),
            ("refuse-clearing", Quirk::RefuseClearing),
            ("unknown-users", Quirk::UnknownUsers),
            ("updated-at=stays", Quirk::UpdatedAt(UpdatedAt::Stays)),
            ("reverts=title", Quirk::Reverts("title")),
            ("find-phones=kept", Quirk::FindPhones(FindPhones::Kept)),
            ("find-joins=all", Quirk::FindJoins(FindJoins::All)),
            ("find-picks=last", Quirk::FindPicks(FindPicks::Last)),
            ("late-deletion=2", Quirk::LateDeletion(2)),
            ("errors=typed", Quirk::Errors(ErrorForm::Typed)),
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
}
