//! Which of several values of a field is the one that both sides keep the same.
//!
//! Where a source has several places for a field, such as two e-mail addresses, the
//! first that is filled is Linq's. Once both sides have agreed on one, that one stays
//! Linq's for as long as it is there: whoever fills in a better place beside it changes
//! nothing in Linq, and what Linq changes is written where it stood.

use crate::model::{Agreement, Field, Link, OtherValue, Policy, SourceRecord};

use super::observation::Observation;
use super::recognise::recognise;

/// Chooses the values of the records that have several, by what their links agreed on.
pub fn choose(seen: &mut Observation, policy: &Policy) {
    if seen.source.records.iter().all(|record| record.others.is_empty()) {
        return;
    }
    seen.source.records.iter_mut().for_each(choose_filled);
    let mut choices: Vec<(usize, Field, String)> = Vec::new();
    for (link, position) in recognise(seen, policy).links {
        if let Some(position) = position {
            let agreed = agreed(link, &seen.source.records[position]);
            choices.extend(agreed.map(|(field, text)| (position, field, text.to_owned())));
        }
    }
    for (position, field, text) in choices {
        seen.source.records[position].choose(field, &text);
    }
}

/// Takes the first further value where the value itself is blank, because it was just
/// cleared.
fn choose_filled(record: &mut SourceRecord) {
    for OtherValue { field, text, .. } in record.others.clone() {
        if record.values[field].is_empty() {
            record.choose(field, &text);
        }
    }
}

/// What `link` agreed on in the fields of which `record` has several values.
fn agreed<'a>(link: &'a Link, record: &SourceRecord) -> impl Iterator<Item = (Field, &'a str)> {
    let fields = record.others.iter().map(|other| (other.field, link.base.get(other.field)));
    fields.filter_map(|(field, agreement)| {
        let Agreement { source, linq } = agreement?;
        (!linq.trim().is_empty()).then_some((field, source.as_str()))
    })
}
