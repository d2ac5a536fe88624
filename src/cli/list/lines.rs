//! What needs attention: a line for each thing, and as a table.

use std::borrow::Cow;
use std::io::Write;

use super::super::args::Output;
use super::super::attention::{self, Entry};
use super::super::pager::{self, Pages};
use super::super::rows::Stop;
use super::super::{print, print_bytes, refuse_command, table, written};
use super::{count, decisions, each_in_sync, gathered, hint};
use crate::config::Config;
use crate::decisions::{ListState, kinds};
use crate::mirror::{State, StateError};
use crate::open::OpenError;
use crate::report::ReportedError;

/// Lists everything that needs attention, a line for each thing. Returns the exit code.
pub(super) fn list_attention(output: Output, state: &State) -> anyhow::Result<u8> {
    let entries = match entries(state, &ListState::ATTENTION) {
        Ok(entries) => entries,
        Err(error) => return refuse_command(output, &OpenError::from(error).reported()),
    };
    if entries.is_empty() {
        print("nothing needs attention\n")?;
        return Ok(0);
    }
    let mut text = attention::lines(&entries, pager::columns());
    for state in ListState::ATTENTION {
        let of_it: Vec<&Entry> = entries.iter().filter(|entry| entry.state == state).collect();
        if !of_it.is_empty() {
            let is_refused = of_it.iter().any(|entry| !entry.choices.is_empty());
            text += &(count(state, &of_it) + hint(state, is_refused) + "\n");
        }
    }
    text += "in a spreadsheet: `linqsync list --csv`, then `linqsync resolve --from FILE`\n";
    let mut pages = Pages::open();
    written(pages.write_all(text.as_bytes()).and_then(|()| pages.flush()))?;
    Ok(0)
}

/// What waits on these lists, sorted.
fn entries(state: &State, wanted: &[ListState]) -> Result<Vec<Entry>, StateError> {
    let decided = decisions(state)?;
    let kinds: Vec<&str> = wanted.iter().flat_map(|state| kinds(*state)).copied().collect();
    let mut entries = Vec::new();
    state.each_waiting(&kinds, |waiting| {
        entries.push(Entry::of(&waiting, decided.get(&waiting.what)));
        Ok::<(), StateError>(())
    })?;
    attention::sort(&mut entries);
    Ok(entries)
}

/// Prints a table. Returns the exit code.
pub(super) fn list_table(
    output: Output,
    config: &Config,
    state: &State,
    wanted: Option<ListState>,
) -> anyhow::Result<u8> {
    let table = match wanted {
        Some(list @ (ListState::InSync | ListState::Duplicates)) => contacts(state, config, list)
            .map(|rows| table::written(table::COLUMNS, rows.into_iter())),
        Some(ListState::Ignored) => match state.ignored() {
            Ok(ignored) => {
                let entries = ignored.iter().map(|ignored| Entry::of(&ignored.about, None));
                let entries: Vec<Entry> = entries.collect();
                Ok(table::written(table::COLUMNS, entries.iter().map(Entry::row)))
            }
            Err(error) => Err(OpenError::from(error).reported()),
        },
        Some(
            ListState::Conflicts | ListState::Ambiguous | ListState::Held | ListState::Rejected,
        )
        | None => {
            let wanted = wanted.map_or(ListState::ATTENTION.to_vec(), |state| vec![state]);
            let entries = entries(state, &wanted);
            entries
                .map(|entries| table::written(table::COLUMNS, entries.iter().map(Entry::row)))
                .map_err(|error| OpenError::from(error).reported())
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
fn contacts(
    state: &State,
    config: &Config,
    list: ListState,
) -> Result<Vec<[Cow<'static, str>; 18]>, ReportedError> {
    let mut rows = Vec::new();
    if list == ListState::InSync {
        let listed = each_in_sync(state, |item| {
            rows.push(table::contact(list.name(), &item.json, ""));
            Ok(())
        });
        if let Err(Stop::State(error)) = listed {
            return Err(OpenError::from(error).reported());
        }
        return Ok(rows);
    }
    for (number, group) in (1..).zip(gathered(state, config, list)?) {
        let reason = format!("group {number}: perhaps one contact");
        for member in group.json.as_array().into_iter().flatten() {
            rows.push(table::contact(list.name(), member, &reason));
        }
    }
    Ok(rows)
}
