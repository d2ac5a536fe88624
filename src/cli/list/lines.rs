//! What needs attention: a line for each thing, and as a table.

use std::borrow::Cow;
use std::io::Write;

use super::super::args::OutputArgs;
use super::super::attention::{self, AttentionEntry};
use super::super::pager::{self, Pages};
use super::super::rows::Stop;
use super::super::{ignore_closed_pipe, print_bytes, print_text, refuse_command, table};
use super::{count_text, decided_by_question, each_in_sync, gather_items, list_hint};
use crate::config::Config;
use crate::decisions::{ListState, kinds};
use crate::mirror::{State, StateError};
use crate::open::OpenError;
use crate::report::ReportedError;

/// Lists everything that needs attention, a line for each thing. Returns the exit code.
pub(super) fn list_attention(output: OutputArgs, state: &State) -> anyhow::Result<u8> {
    let entries = match list_entries(state, &ListState::ATTENTION) {
        Ok(entries) => entries,
        Err(error) => return refuse_command(output, &OpenError::from(error).to_reported_error()),
    };
    if entries.is_empty() {
        print_text("nothing needs attention\n")?;
        return Ok(0);
    }
    let mut text = attention::render_entries(&entries, pager::terminal_columns());
    for state in ListState::ATTENTION {
        let of_it: Vec<&AttentionEntry> =
            entries.iter().filter(|entry| entry.state == state).collect();
        if !of_it.is_empty() {
            let is_refused = of_it.iter().any(|entry| !entry.choices.is_empty());
            text += &(count_text(state, &of_it) + list_hint(state, is_refused) + "\n");
        }
    }
    text += "in a spreadsheet: `linqsync list --csv`, then `linqsync resolve --from FILE`\n";
    let mut pages = Pages::open();
    ignore_closed_pipe(pages.write_all(text.as_bytes()).and_then(|()| pages.flush()))?;
    Ok(0)
}

/// What waits on these lists, sorted.
fn list_entries(state: &State, wanted: &[ListState]) -> Result<Vec<AttentionEntry>, StateError> {
    let decided = decided_by_question(state)?;
    let kinds: Vec<&str> = wanted.iter().flat_map(|state| kinds(*state)).copied().collect();
    let mut entries = Vec::new();
    state.each_waiting(&kinds, |waiting| {
        entries.push(AttentionEntry::from_waiting(&waiting, decided.get(&waiting.question_id)));
        Ok::<(), StateError>(())
    })?;
    attention::sort_entries(&mut entries);
    Ok(entries)
}

/// Prints a table. Returns the exit code.
pub(super) fn list_table(
    output: OutputArgs,
    config: &Config,
    state: &State,
    wanted: Option<ListState>,
) -> anyhow::Result<u8> {
    let table = match wanted {
        Some(list @ (ListState::InSync | ListState::Duplicates)) => {
            contact_rows(state, config, list)
                .map(|rows| table::write_table(table::COLUMNS, rows.into_iter()))
        }
        Some(ListState::Ignored) => match state.ignored() {
            Ok(ignored) => {
                let entries = ignored
                    .iter()
                    .map(|ignored| AttentionEntry::from_waiting(&ignored.about, None));
                let entries: Vec<AttentionEntry> = entries.collect();
                Ok(table::write_table(
                    table::COLUMNS,
                    entries.iter().map(AttentionEntry::table_row),
                ))
            }
            Err(error) => Err(OpenError::from(error).to_reported_error()),
        },
        Some(
            ListState::Conflicts | ListState::Ambiguous | ListState::Held | ListState::Rejected,
        )
        | None => {
            let wanted = wanted.map_or(ListState::ATTENTION.to_vec(), |state| vec![state]);
            let entries = list_entries(state, &wanted);
            entries
                .map(|entries| {
                    table::write_table(
                        table::COLUMNS,
                        entries.iter().map(AttentionEntry::table_row),
                    )
                })
                .map_err(|error| OpenError::from(error).to_reported_error())
        }
    };
    let bytes = match table {
        Ok(bytes) => bytes,
        Err(error) => return refuse_command(output, &error),
    };
    print_bytes(&bytes)?;
    Ok(0)
}

/// The rows of contacts about which nothing is asked.
fn contact_rows(
    state: &State,
    config: &Config,
    list: ListState,
) -> Result<Vec<[Cow<'static, str>; 18]>, ReportedError> {
    let mut rows = Vec::new();
    if list == ListState::InSync {
        let listed = each_in_sync(state, |item| {
            rows.push(table::contact_row(list.name(), &item.json, ""));
            Ok(())
        });
        if let Err(Stop::State(error)) = listed {
            return Err(OpenError::from(error).to_reported_error());
        }
        return Ok(rows);
    }
    for (number, group) in (1..).zip(gather_items(state, config, list)?) {
        let reason = format!("group {number}: perhaps one contact");
        for member in group.json.as_array().into_iter().flatten() {
            rows.push(table::contact_row(list.name(), member, &reason));
        }
    }
    Ok(rows)
}
