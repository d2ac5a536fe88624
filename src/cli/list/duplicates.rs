//! Contacts that look like one another, within one side.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::text::shown_text;
use super::{ListedContact, contact_item};
use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{Field, LinqId, RecordIndex, Side, SourceRecord, Values};
use crate::open;
use crate::plan::find_duplicates;
use crate::report::ReportedError;
use crate::run::RunError;
use crate::source::SourceAccess;

/// Contacts in Linq that look like one another: each group is one item.
pub(super) fn in_linq_twice(
    state: &State,
    config: &Config,
) -> Result<Vec<ListedContact>, StateError> {
    let contacts = state.contacts()?;
    let people: Vec<(_, &Values)> = contacts.iter().map(|(id, c)| (*id, &c.values)).collect();
    let groups = find_duplicates(&people, config.policy().canon);
    let member = |id: &LinqId| {
        contact_item(
            *id,
            &contacts[id].values,
            json!({ "side": Side::Linq.name(), "source_key": null }),
        )
    };
    Ok(groups.iter().map(|ids| group_item(Side::Linq, ids.iter().map(member).collect())).collect())
}

/// Records of the source that look like one another: each group is one item.
pub(super) fn in_source_twice(config: &Config) -> Result<Vec<ListedContact>, ReportedError> {
    let mut source = open::open_source(config, SourceAccess::ReadOnly);
    let reading =
        source.read_records().map_err(|error| RunError::from(error).to_reported_error())?;
    let records: BTreeMap<RecordIndex, &SourceRecord> =
        reading.records.iter().map(|record| (record.index, record)).collect();
    let people: Vec<(_, &Values)> = records.iter().map(|(at, r)| (*at, &r.values)).collect();
    let groups = find_duplicates(&people, config.policy().canon);
    let member = |at: &RecordIndex| record_item(records[at]);
    Ok(groups
        .iter()
        .map(|rows| group_item(Side::Source, rows.iter().map(member).collect()))
        .collect())
}

fn group_item(side: Side, members: Vec<ListedContact>) -> ListedContact {
    let names: String = members.iter().flat_map(|one| ["    ", &one.text]).collect();
    ListedContact {
        text: format!("perhaps one person, in {side}\n{names}"),
        json: json!(members.into_iter().map(|member| member.json).collect::<Vec<_>>()),
        is_refused: false,
        contact: String::new(),
    }
}

fn record_item(record: &SourceRecord) -> ListedContact {
    let name = record.values.display_name();
    let json = json!({
        "side": Side::Source.name(),
        "linq_id": null,
        "source_key": record.name_in_source(),
        "label": record.label,
        "line": record.line,
        "name": name,
        "person": record.values.only_fields(Field::IDENTITY.into_iter().collect()),
    });
    let place = shown_text(&record.name_in_source(), 24);
    ListedContact {
        text: format!("{} ({place})\n", shown_text(&name, 40)),
        json,
        is_refused: false,
        contact: String::new(),
    }
}
