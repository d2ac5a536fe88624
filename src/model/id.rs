//! One newtype for each kind of identifier, so that they cannot be mixed up.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// Linq's id of a contact: a 64-bit number, never reused as far as is known.
    LinqId(u64)
}
number_id! {
    /// Our id of a link between a source record and a contact in Linq.
    LinkId(i64)
}
number_id! {
    /// Our id of an intent in the journal.
    IntentId(i64)
}
number_id! {
    /// The number of a run, counted from 1 in each state directory.
    RunId(i64)
}
number_id! {
    /// Position of a record within one reading of the source, counted from 0.
    ///
    /// It is the handle by which a write names the record it means, and has no
    /// meaning for any other reading.
    RecordIndex(u32)
}

/// What the source itself calls a record: the value of the key column of a CSV
/// file. Unique among the records of a reading that carry one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceKey(pub String);

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key may be an e-mail address.
        write!(f, "SourceKey({} bytes)", self.0.len())
    }
}

impl fmt::Display for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A BLAKE3 hash that stands for some bytes, such as a row as it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of `bytes`.
    pub fn of(bytes: &[u8]) -> Fingerprint {
        Fingerprint(*blake3::hash(bytes).as_bytes())
    }

    /// The fingerprint as 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// The fingerprint that `hex` writes out, if it does.
    pub fn from_hex(hex: &str) -> Option<Fingerprint> {
        blake3::Hash::from_hex(hex).ok().map(|hash| Fingerprint(*hash.as_bytes()))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fingerprint, D::Error> {
        let hex = String::deserialize(deserializer)?;
        Fingerprint::from_hex(&hex).ok_or_else(|| D::Error::custom("not a fingerprint"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", &self.to_hex()[..8])
    }
}
