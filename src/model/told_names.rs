//! Names that a record tells twice: in parts, and as a whole to be shown.
//!
//! Programs that rename a contact often change one of the two alone. Owns what is
//! remembered of both, by which it is known afterwards which of them was edited. Leaves
//! reading them to the source.

use serde::{Deserialize, Serialize};

use super::{Canon, Field, Fingerprint, Values, name_contains};

/// Both ways in which a record tells its name, as one reading found them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesSeen {
    /// The parts as they are written.
    pub parts: Fingerprint,
    /// The whole as it is written.
    pub whole: Fingerprint,
    /// Whether the whole told the same name as was agreed on.
    pub is_same: bool,
    /// What the names that the whole told are known by; `None` in states of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Fingerprint>,
}

/// A name that a record tells twice.
#[derive(Clone, PartialEq, Eq)]
pub struct ToldNames {
    /// The parts as they are written.
    pub parts: Fingerprint,
    /// The whole as it is written.
    pub whole: Fingerprint,
    /// First and last name by the whole.
    pub by_whole: [String; 2],
}

impl std::fmt::Debug for ToldNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToldNames")
    }
}

/// The fields of a name.
const NAMES: [Field; 2] = [Field::FirstName, Field::LastName];

impl ToldNames {
    /// What is to be remembered where `values` were agreed on.
    pub fn names_seen(&self, values: &Values) -> NamesSeen {
        let is_same = NAMES.iter().zip(&self.by_whole).all(|(field, name)| values[*field] == *name);
        NamesSeen {
            parts: self.parts,
            whole: self.whole,
            is_same,
            told: Some(self.told_fingerprint()),
        }
    }

    fn told_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.by_whole.join("\u{1f}").as_bytes())
    }

    /// Whether the whole tells less of the name than the parts, and nothing else. People and
    /// programs shorten what is shown; that takes no name away.
    fn is_shortened(&self, values: &Values) -> bool {
        let parts = NAMES.map(|field| values[field].as_str()).join(" ");
        name_contains(&parts, &self.by_whole.join(" "))
    }

    /// Whether the name is the one that the whole tells: the whole was changed since `seen`,
    /// and the parts were not. `values` are those of the parts, `agreed` what both sides
    /// agreed on.
    pub fn goes_by_whole(
        &self,
        seen: &NamesSeen,
        values: &Values,
        agreed: &Values,
        canon: Canon,
    ) -> bool {
        let mut both = NAMES.iter().zip(&self.by_whole);
        if self.parts != seen.parts {
            return false;
        }
        let is_agreed =
            NAMES.iter().all(|field| canon.means_same(*field, &values[*field], &agreed[*field]));
        if is_agreed && self.is_shortened(values) {
            return false;
        }
        // A form of address that comes to a whole makes it no other name.
        if self.whole == seen.whole || seen.told == Some(self.told_fingerprint()) {
            return both.all(|(field, name)| canon.means_same(*field, name, &agreed[*field]));
        }
        // A whole that has always said something else, such as a nickname, is no name unless
        // it shares one.
        seen.is_same
            || both.any(|(field, name)| {
                !name.is_empty() && canon.means_same(*field, name, &values[*field])
            })
    }

    /// First and last name by the whole, by their fields.
    pub fn by_field(&self) -> impl Iterator<Item = (Field, &str)> {
        NAMES.into_iter().zip(self.by_whole.iter().map(String::as_str))
    }
}
