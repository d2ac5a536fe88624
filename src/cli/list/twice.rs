//! Contacts that look like one another, within one side.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::text::shown;
use super::{Item, person};
use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{Field, LinqId, RecordIndex, Side, SourceRecord, Values};
use crate::open;
use crate::plan::duplicates;
use crate::report::ReportedError;
use crate::run::RunError;
use crate::source::Access;

/// Contacts in Linq that look like one another: each group is one item.
pub(super) fn in_linq_twice(state: &State, config: &Config) -> Result<Vec<Item>, StateError> {
    let contacts = state.contacts()?;
    let people: Vec<(_, &Values)> = contacts.iter().map(|(id, c)| (*id, &c.values)).collect();
    let groups = duplicates(&people, config.policy().canon);
    let member = |id: &LinqId| {
        person(*id, &contacts[id].values, json!({ "side": Side::Linq.name(), "source_key": null }))
    };
    Ok(groups.iter().map(|ids| group(Side::Linq, ids.iter().map(member).collect())).collect())
}

/// Records of the source that look like one another: each group is one item.
pub(super) fn in_source_twice(config: &Config) -> Result<Vec<Item>, ReportedError> {
    let mut source = open::source(config, Access::ReadOnly);
    let reading = source.read().map_err(|error| RunError::from(error).reported())?;
    let records: BTreeMap<RecordIndex, &SourceRecord> =
        reading.records.iter().map(|record| (record.index, record)).collect();
    let people: Vec<(_, &Values)> = records.iter().map(|(at, r)| (*at, &r.values)).collect();
    let groups = duplicates(&people, config.policy().canon);
    let member = |at: &RecordIndex| row(records[at]);
    Ok(groups.iter().map(|rows| group(Side::Source, rows.iter().map(member).collect())).collect())
}

fn group(side: Side, members: Vec<Item>) -> Item {
    let names: String = members.iter().flat_map(|one| ["    ", &one.text]).collect();
    Item {
        text: format!("perhaps one person, in {side}\n{names}"),
        json: json!(members.into_iter().map(|member| member.json).collect::<Vec<_>>()),
        is_refused: false,
        contact: String::new(),
    }
}

fn row(record: &SourceRecord) -> Item {
    let name = record.values.display_name();
    let json = json!({
        "side": Side::Source.name(),
        "linq_id": null,
        "source_key": record.name_in_source(),
        "label": record.label,
        "line": record.line,
        "name": name,
        "person": record.values.only(Field::IDENTITY.into_iter().collect()),
    });
    let place = shown(&record.name_in_source(), 24);
    Item {
        text: format!("{} ({place})\n", shown(&name, 40)),
        json,
        is_refused: false,
        contact: String::new(),
    }
}
