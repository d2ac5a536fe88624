//! Values that share a place, or have several: as they are written.
//!
//! Owns when such a text says given values, whichever way it would be taken apart by
//! itself: a whole name from one cell, and a location from several. Leaves how a text is
//! taken apart, and where it stands, to [`crate::source`].

use std::fmt;

use super::text::fold_spaces;
use super::{Field, Values};

/// What of a record is written in a composed form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// The whole name, where one place holds both names.
    pub name: Option<NameText>,
    /// Whether the location has several places, whose texts stand between commas.
    pub location: bool,
}

/// A whole name as it is written.
#[derive(Clone, PartialEq, Eq)]
pub struct NameText {
    /// The text, and the text without forms of address and the like.
    texts: [String; 2],
    /// Whether the last name comes first.
    is_last_first: bool,
    /// What stands between the names.
    between: &'static str,
}

impl fmt::Debug for NameText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameText(…)")
    }
}

impl NameText {
    /// A name that is `whole`, and `core` without what belongs to neither name.
    pub fn new(whole: &str, core: &str, is_last_first: bool, between: &'static str) -> NameText {
        NameText { texts: [single_spaced(whole), single_spaced(core)], is_last_first, between }
    }

    /// Whether the last name comes first.
    pub fn is_last_first(&self) -> bool {
        self.is_last_first
    }

    /// Whether both names, written in the order of this one, are this text.
    pub fn reads_as(&self, first: &str, last: &str) -> bool {
        let (first, last) = (single_spaced(first), single_spaced(last));
        let text = match (first.is_empty(), last.is_empty()) {
            (true, true) => return false,
            (false, false) if self.is_last_first => format!("{last}{}{first}", self.between),
            (false, false) => format!("{first}{}{last}", self.between),
            (true, false) | (false, true) => format!("{first}{last}"),
        };
        self.texts.contains(&text)
    }

    /// First and last name, where one of them is as it was in `first` and `last`.
    pub fn near_names(&self, first: &str, last: &str) -> Option<[String; 2]> {
        let (first, last) = (single_spaced(first), single_spaced(last));
        let core = &self.texts[1];
        if last.is_empty() {
            return first.contains(' ').then(|| [core.clone(), String::new()]);
        }
        let (head, tail) = if self.is_last_first { (last, first) } else { (first, last) };
        let pair = |head: &str, tail: &str| {
            let pair = [head.trim().to_owned(), tail.trim().to_owned()];
            let [head, tail] = pair;
            let is_pair = !head.is_empty() && !tail.is_empty();
            is_pair.then_some(if self.is_last_first { [tail, head] } else { [head, tail] })
        };
        let behind = || {
            let rest = core.strip_prefix(head.as_str())?.strip_prefix(self.between)?;
            pair(&head, rest)
        };
        let before = || {
            let rest = core.strip_suffix(tail.as_str())?.strip_suffix(self.between)?;
            pair(rest, &tail)
        };
        (!head.is_empty()).then(behind).flatten().or_else(before)
    }
}

/// Whether two locations have the same parts between their commas.
pub fn same_parts(a: &str, b: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(',').map(single_spaced);
        parts.filter(|part| !part.is_empty()).collect()
    };
    parts(a) == parts(b)
}

impl Composed {
    /// Whether anything is.
    pub fn is_any(&self) -> bool {
        self.name.is_some() || self.location
    }

    /// The fields of `written` as `meant`, where the text says those as well.
    pub fn read_as(&self, written: &mut Values, meant: &Values) -> bool {
        let [first, last] = [Field::FirstName, Field::LastName];
        let mut is_said = false;
        if self.name.as_ref().is_some_and(|name| name.reads_as(&meant[first], &meant[last])) {
            is_said = true;
            written[first].clone_from(&meant[first]);
            written[last].clone_from(&meant[last]);
        }
        if self.location && same_parts(&written[Field::Location], &meant[Field::Location]) {
            written[Field::Location].clone_from(&meant[Field::Location]);
        }
        is_said
    }
}

fn single_spaced(text: &str) -> String {
    fold_spaces(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NameText {
        NameText::new(text, text, false, " ")
    }

    #[test]
    fn a_text_says_each_pair_of_names_that_would_be_written_so() {
        let text = name("Ann  Bell Cole");
        for (first, last) in [("Ann Bell", "Cole"), ("Ann", "Bell Cole"), ("Ann Bell Cole", "")] {
            assert!(text.reads_as(first, last), "{first} {last}");
        }
        assert!(
            !text.reads_as("Ann", "Cole")
                && !text.reads_as("", "")
                && !text.reads_as("Cole", "Ann Bell")
        );
        let other = NameText::new("Bell Cole, Ann", "Bell Cole, Ann", true, ", ");
        assert!(other.reads_as("Ann", "Bell Cole") && !other.reads_as("Ann Bell", "Cole"));
    }

    #[test]
    fn an_edited_text_keeps_the_half_that_stayed() {
        let near = |text, first, last| name(text).near_names(first, last);
        let pair = |first: &str, last: &str| Some([first.to_owned(), last.to_owned()]);
        assert_eq!(near("Ann Bell Coles", "Ann", "Bell Cole"), pair("Ann", "Bell Coles"));
        assert_eq!(near("Eve Bell Cole", "Ann", "Bell Cole"), pair("Eve", "Bell Cole"));
        assert_eq!(near("Eve Bell Coles", "Ann", "Bell Cole"), None);
        assert_eq!(near("Annette Bell", "Ann", "Bell Cole"), None);
        assert_eq!(near("Ann Bells", "Ann Bell", ""), pair("Ann Bells", ""));
        assert_eq!(near("Cher Bono", "Cher", ""), None);
    }

    #[test]
    fn parts_of_a_location_are_the_same_however_they_are_parted() {
        assert!(same_parts("Austin, TX", "Austin,TX") && same_parts("Oslo", " Oslo ,"));
        assert!(!same_parts("Austin, TX", "Austin") && !same_parts("Austin TX", "Austin, TX"));
    }
}
