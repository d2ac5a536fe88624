//! Pairs at rest: linked, the same on both sides, and nothing to be done about them.
//!
//! A pair that the last plan found at rest, and whose halves are as they were then, comes to
//! nothing in the next plan as well. So it need not be read: it is enough to know how many
//! such pairs there are, and by what each of them could be taken for somebody else. All that
//! is kept of a pair holds under one *epoch*, which stands for everything that decides what
//! values mean and how they are compared: under another one every pair is planned again.

use std::collections::BTreeSet;

use super::{
    Canon, Counted, Fingerprint, Link, LinkId, LinqContact, LinqId, SourceKey, SourceRecord,
    Values, full_name_key,
};

/// What one half of a pair was, in 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Stands for `contact` as it is shown: its values, and when Linq says it was changed.
    pub fn of_contact(contact: &LinqContact) -> Digest {
        let mut text = Hasher::default();
        for field in super::Field::ALL {
            text.add_text(contact.values[field].as_bytes());
        }
        let millis = contact.updated_at.map(|at| at.timestamp_millis());
        text.add_text(&millis.map(i64::to_le_bytes).unwrap_or_default());
        text.digest()
    }

    /// Stands for `record` as it is written and by what it is known. What its values are
    /// follows from that within one epoch.
    pub fn of_record(record: &SourceRecord) -> Digest {
        let mut text = Hasher::default();
        text.add_text(&record.fingerprint.0);
        text.add_text(&record.content.0);
        text.add_text(record.key.as_ref().map_or(&[], |key| key.0.as_bytes()));
        text.add_text(&record.linq_id.map(|id| id.0.to_le_bytes()).unwrap_or_default());
        text.digest()
    }
}

/// Texts one after another, each with its length before it.
#[derive(Default)]
struct Hasher(blake3::Hasher);

impl Hasher {
    fn add_text(&mut self, text: &[u8]) {
        self.0.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(text);
    }

    fn digest(&self) -> Digest {
        let mut digest = [0; 16];
        self.0.finalize_xof().fill(&mut digest);
        Digest(digest)
    }
}

/// Something by which somebody can be recognised, in 64 bits: an e-mail address, a phone
/// number or a name as they are compared, a key, the bytes of a record. Two that differ may
/// have the same mark; two that are the same have it for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

impl Mark {
    fn for_text(kind: u8, text: &[u8]) -> Mark {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(text);
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        Mark(u64::from_le_bytes(bytes))
    }

    /// The mark of a value as it is compared.
    pub fn of_value(canonical: &str) -> Mark {
        Mark::for_text(b'v', canonical.as_bytes())
    }

    /// The mark of a record's key.
    pub fn of_key(key: &SourceKey) -> Mark {
        Mark::for_text(b'k', key.0.as_bytes())
    }

    /// The mark of a record's bytes.
    pub fn of_bytes(fingerprint: Fingerprint) -> Mark {
        Mark::for_text(b'b', &fingerprint.0)
    }

    /// The marks of an e-mail address.
    pub fn of_email(values: &Values, canon: Canon) -> Option<Mark> {
        canon.email_key(values).map(|key| Mark::for_text(b'e', key.as_bytes()))
    }

    /// The mark of a phone number.
    pub fn of_phone(values: &Values, canon: Canon) -> Option<Mark> {
        canon.phone_key(values).map(|key| Mark::for_text(b'p', key.as_bytes()))
    }

    /// The marks of values: e-mail, phone and full name, as far as there are any.
    pub fn of_values(values: &Values, canon: Canon) -> impl Iterator<Item = Mark> {
        let name = full_name_key(values).map(|key| Mark::for_text(b'n', key.as_bytes()));
        [Mark::of_email(values, canon), Mark::of_phone(values, canon), name].into_iter().flatten()
    }

    /// By what the record of a link is known, beside its values.
    pub fn of_link(link: &Link) -> impl Iterator<Item = Mark> {
        let key = link.key.as_ref().map(Mark::of_key);
        key.into_iter().chain([Mark::of_bytes(link.fingerprint)])
    }
}

/// A pair at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The link.
    pub link: LinkId,
    /// Its contact.
    pub linq_id: LinqId,
    /// The contact as it is shown.
    pub contact: Digest,
    /// The record as it is written.
    pub record: Digest,
    /// What is counted of it.
    pub counted: Counted,
    /// All by which the pair could be taken for somebody else, each once, in order.
    pub marks: Vec<Mark>,
}

impl Rest {
    /// The pair of `link`, `record` and `contact`, if it can be at rest: it is kept the same,
    /// nothing of it is missing or doubted, and its record is known by more than its values.
    pub fn for_pair(
        link: &Link,
        record: &SourceRecord,
        contact: &LinqContact,
        canon: Canon,
    ) -> Option<Rest> {
        let is_whole = link.status == super::LinkStatus::Linked
            && link.source_missing_since.is_none()
            && link.linq_missing_since.is_none()
            && record.rejected.is_empty();
        let is_as_known = link.linq_id == contact.id
            && record.fingerprint == link.fingerprint
            && link.content == Some(record.content)
            && record.key == link.key
            && record.linq_id.is_none_or(|id| id == contact.id);
        let known = link.base.known_values();
        let has_marks = |values: &Values| Mark::of_values(values, canon).next().is_some();
        if !is_whole || !is_as_known || !has_marks(&record.values) || !has_marks(&known) {
            return None;
        }
        let marks: BTreeSet<Mark> = [&record.values, &contact.values, &known]
            .into_iter()
            .flat_map(|values| Mark::of_values(values, canon))
            .chain(Mark::of_link(link))
            .collect();
        Some(Rest {
            link: link.id,
            linq_id: contact.id,
            contact: Digest::of_contact(contact),
            record: Digest::of_record(record),
            counted: Counted {
                filled: [record.values.filled_fields(), contact.values.filled_fields()],
                has_key: record.key.is_some(),
                has_id: record.linq_id.is_some(),
            },
            marks: marks.into_iter().collect(),
        })
    }
}
