//! What a change of settings, or of the columns of the source, makes of the links.
//!
//! Nothing is deleted, cleared or overwritten because of such a change, now or later.
//! What was agreed on in a field that is read from elsewhere says nothing about its values
//! of today: that half of the base becomes void. A pair of which one half may only not be
//! read any more is released. And what piled up on a side that was not sent so far becomes
//! a question.

use std::collections::BTreeMap;

use crate::model::{
    Base, Field, FieldSet, Link, LinkId, LinkStatus, LinqContact, MeaningChange, Policy, Side,
    SourceRecord,
};

use super::observation::Observation;
use super::recognise::recognise_records;

/// The links as they are after `change`, in the order of those that were `seen`. Of those
/// that are released the status is another.
pub fn reread_links(seen: &Observation, policy: &Policy, change: &MeaningChange) -> Vec<Link> {
    let mut anew = seen.clone();
    for link in &mut anew.links {
        let contact = anew.linq.contacts.get(&link.linq_id);
        make_void(&mut link.base, contact, change.read_anew);
        if change.keys {
            link.key = None;
        }
    }
    let found = recognise_records(&anew, policy).links;
    let strangers =
        seen.source.records.len() - found.iter().filter(|link| link.1.is_some()).count();
    let identity = Field::IDENTITY.into_iter().any(|field| change.read_anew.contains(field));
    // A record that is not recognised any more may be one of those that are missing.
    let missing = if change.membership || identity && strangers > 0 {
        RecordAbsence::MayBeThere
    } else {
        RecordAbsence::IsGone
    };
    let mut links: Vec<Link> = Vec::with_capacity(found.len());
    for (link, position) in found {
        let half = Half {
            record: position.map(|position| &seen.source.records[position]),
            contact: seen.linq.contacts.get(&link.linq_id),
        };
        links.push(half.half_after(link, policy, change, missing));
    }
    if !change.membership {
        keep_the_many(&mut links, &seen.links);
    }
    links
}

/// Where more than half of all pairs would be released although nothing says that they are
/// not read any more, the source is another one: they stay, and stop the run.
fn keep_the_many(after: &mut [Link], before: &[Link]) {
    let linked =
        |links: &[Link]| links.iter().filter(|link| link.status == LinkStatus::Linked).count();
    if linked(after) * 2 >= linked(before) {
        return;
    }
    let statuses: BTreeMap<LinkId, LinkStatus> =
        before.iter().map(|link| (link.id, link.status)).collect();
    for link in after {
        link.status = statuses.get(&link.id).copied().unwrap_or(link.status);
    }
}

/// What it means that the record of a link was not found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RecordAbsence {
    /// It may be there, and not be read or recognised any more.
    MayBeThere,
    /// It was removed.
    IsGone,
}

/// What there is of a link.
struct Half<'a> {
    record: Option<&'a SourceRecord>,
    contact: Option<&'a LinqContact>,
}

impl Half<'_> {
    fn half_after(
        &self,
        link: &Link,
        policy: &Policy,
        change: &MeaningChange,
        missing: RecordAbsence,
    ) -> Link {
        let mut link = link.clone();
        // Somebody may have edited the record whose contact is gone: nothing tells any more
        // once it is known as it is written by now.
        let is_edited = self.record.is_some_and(|record| match link.content {
            Some(content) => content != record.content,
            None => link.fingerprint != record.fingerprint,
        });
        let hides_an_edit = self.contact.is_none() && is_edited;
        if let Some(record) = self.record {
            // As it is written by now: what differs from this later is an edit.
            link.key.clone_from(&record.key);
            link.fingerprint = record.fingerprint;
            link.content = Some(record.content);
        }
        let [from_source, from_linq] = change.newly_followed;
        let is_out_of_sight = self.record.is_none()
            && (missing == RecordAbsence::MayBeThere
                || from_source
                || may_hide_edits(Side::Linq, policy, change))
            || self.contact.is_none()
                && (from_linq || may_hide_edits(Side::Source, policy, change))
            || hides_an_edit;
        // An edit that was not sent so far had kept the other half's deletion from it.
        let is_alone = self.record.is_none() || self.contact.is_none();
        let mut is_kept = false;
        for (side, fields) in Side::ALL.into_iter().zip(change.newly_sent) {
            is_kept |= self.ask_for_what_piled_up(&mut link.base, side, fields, policy) && is_alone;
        }
        let is_out_of_sight = is_out_of_sight || is_kept;
        if change.selection && link.status == LinkStatus::Released {
            // What differs in a pair that comes back because of the setting is no edit.
            let each = Side::ALL.into_iter();
            for (side, field) in each.flat_map(|side| Field::ALL.map(|field| (side, field))) {
                if link.base.half_text(side, field).is_some() {
                    link.base.make_void(side, field, "");
                }
            }
        }
        if is_out_of_sight {
            link.status = LinkStatus::Released;
        }
        link
    }

    /// Of `fields`, which `side` did not send so far, those that it has changed meanwhile
    /// are agreed on no more. What was never agreed on is no case for a policy either.
    /// Returns whether there are any.
    fn ask_for_what_piled_up(
        &self,
        base: &mut Base,
        side: Side,
        fields: FieldSet,
        policy: &Policy,
    ) -> bool {
        let values = match side {
            Side::Source => self.record.map(|record| &record.values),
            Side::Linq => self.contact.map(|contact| &contact.values),
        };
        let Some(values) = values else { return false };
        let mut any = false;
        for field in fields.iter() {
            let differs = match base.half_text(side, field) {
                Some(half) => !policy.canon.means_same(field, half, &values[field]),
                None => !values[field].trim().is_empty(),
            };
            if differs {
                for side in Side::ALL {
                    base.make_void(side, field, "");
                }
                any = true;
            }
        }
        any
    }
}

/// Whether an edit on `side` that is not sent may have been in a place that is not read any
/// more, and have kept a deletion from it so far.
fn may_hide_edits(side: Side, policy: &Policy, change: &MeaningChange) -> bool {
    change.read_anew.iter().any(|field| !policy.writes_field(side.other(), field))
}

/// Makes the source's half of `fields` void. Where nothing was known of Linq's, it is what
/// Linq shows.
fn make_void(base: &mut Base, contact: Option<&LinqContact>, fields: FieldSet) {
    for field in fields.iter() {
        let shown = contact.map(|contact| contact.values[field].as_str()).unwrap_or_default();
        base.make_void(Side::Source, field, shown);
    }
}
