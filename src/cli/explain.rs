//! `explain`: one contact, as both sides have it, and what the next run would do.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::config::Config;
use crate::mirror::{HistoryRow, State};
use crate::model::{Canon, Field, Link, LinkStatus, LinqId, Side, SourceRecord, Values, Who};
use crate::open::{self, OpenError};
use crate::plan::{AccountedContact, Observation, Plan, Step, account_for_all};
use crate::report::{ReportedError, step_rows};
use crate::run::{Extent, RunPurpose};

use super::args::{ExplainArgs, OutputArgs};
use super::history::entry_text;
use super::named::{SameName, find_named};
use super::once::{file_name, open_to_look, preview_run};
use super::show::{quote_value, step_text};
use super::text::{shown_text, wrap_text};
use super::{failed_command, print_json, print_text, report_error, whose};

/// How many of the last events are told.
const EVENTS: usize = 5;

/// Explains a contact. Returns the exit code.
pub(super) async fn explain(
    output: OutputArgs,
    config: &Config,
    args: &ExplainArgs,
) -> anyhow::Result<u8> {
    let Known { state, name, ids, linked } = match known(config, &args.who) {
        Ok(known) => known,
        Err(error) => return report_refusal(output, &error),
    };
    // A linked contact is asked for alone; what becomes of any other depends on all of them.
    let extent = if linked.is_empty() { Extent::Everybody } else { Extent::Named(&linked) };
    let opened = match open_to_look(config) {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, &error.to_reported_error()),
    };
    let (plan, seen, _) =
        match preview_run(output, config, opened, RunPurpose::Sync, extent).await? {
            Ok(planned) => planned,
            Err(error) => return report_refusal(output, &error),
        };
    let policy = config.policy();
    let who = Who::new(&name, policy.canon);
    let everybody = account_for_all(&seen, &policy)?;
    let meant: Vec<&AccountedContact<'_>> =
        everybody.iter().filter(|person| person.is_meant(&who)).collect();
    let gone = if meant.is_empty() { whose::history_of(&state, &ids) } else { Ok(Vec::new()) };
    let gone = match gone {
        Ok(gone) => gone,
        Err(error) => return report_refusal(output, &error.to_reported_error()),
    };
    if meant.is_empty() && gone.is_empty() {
        let message = format!("no contact matches {}", shown_text(&args.who, 60));
        let hint =
            "name a Linq id, an e-mail, a phone number, a full name, a key or row:N".to_owned();
        return report_refusal(output, &ReportedError { code: 2, message, hint });
    }
    let mut told = Vec::new();
    for person in meant {
        told.push(Explanation::explain_contact(person, &plan, &seen, &state, policy.canon)?);
    }
    let source = file_name(&config.source.path);
    if output.json {
        print_json(&json!({
            "schema": "linqsync.explain/1",
            "contacts": told.iter().map(Explanation::to_json).collect::<Vec<_>>(),
            "gone": gone,
            "error": null,
        }))?;
        return Ok(0);
    }
    for told in &told {
        print_text(&told.to_text(&source))?;
    }
    if !gone.is_empty() {
        print_text("on neither side any more; what was done last:\n")?;
        print_text(&event_lines(&gone, &source))?;
    }
    Ok(0)
}

/// Whom the state knows by what was typed.
struct Known {
    state: State,
    /// What names the contact.
    name: String,
    /// The ids that it has, and had.
    ids: BTreeSet<LinqId>,
    /// Those of them that are linked.
    linked: BTreeSet<LinqId>,
}

fn known(config: &Config, who: &str) -> Result<Known, ReportedError> {
    let state = open::open_state_reading(config).map_err(|error| error.to_reported_error())?;
    let name = find_named(&state, config, who).map_err(|error| error.to_reported_error())?;
    let name = name.map_err(SameName::to_reported_error)?;
    let ids = whose::linq_ids(&state, config, &name).map_err(|error| error.to_reported_error())?;
    let links = state.links_of(&ids).map_err(|error| OpenError::from(error).to_reported_error())?;
    let is_linked = |link: &&Link| link.status == LinkStatus::Linked;
    let linked = links.iter().filter(is_linked).map(|link| link.linq_id).collect();
    Ok(Known { state, name, ids, linked })
}

fn report_refusal(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// Everything there is to tell of somebody.
struct Explanation<'a> {
    person: &'a AccountedContact<'a>,
    history: Vec<HistoryRow>,
    steps: Vec<&'a Step>,
    seen: &'a Observation,
    halt: Option<&'a String>,
    canon: Canon,
}

impl<'a> Explanation<'a> {
    fn explain_contact(
        person: &'a AccountedContact<'a>,
        plan: &'a Plan,
        seen: &'a Observation,
        state: &State,
        canon: Canon,
    ) -> anyhow::Result<Explanation<'a>> {
        let id = person.link.map(|link| link.linq_id).or(person.contact.map(|c| c.id));
        let history = id.map(|id| state.history_of(id)).transpose()?.unwrap_or_default();
        let is_about = |step: &&Step| {
            let subject = &step.subject;
            let record = person.record.map(|record| record.index);
            (subject.link.is_some() && subject.link == person.link.map(|link| link.id))
                || (subject.record.is_some() && subject.record == record)
                || (subject.linq_id.is_some() && subject.linq_id == id)
        };
        let steps = plan.steps.iter().filter(is_about).collect();
        Ok(Explanation { person, history, steps, seen, halt: plan.halt.as_ref(), canon })
    }

    /// What the record and the contact are to one another.
    fn pair_relation(&self) -> String {
        let link = self.person.link;
        match (link.map(|link| link.status), self.person.record, self.person.contact) {
            (Some(LinkStatus::Linked), Some(_), Some(_)) => format!("linked{}", self.why_linked()),
            (Some(LinkStatus::Linked), None, _) => {
                "linked; its record is gone or unreadable".to_owned()
            }
            (Some(LinkStatus::Linked), _, None) => "linked; Linq does not list it".to_owned(),
            (Some(LinkStatus::Released), ..) => {
                let why = self.why_outside();
                format!("released{why}: remembered, and left alone until both halves are back")
            }
            (None, ..) if self.person.is_ambiguous => {
                "not linked: it is ambiguous who it is".to_owned()
            }
            (None, ..) if !self.person.takes_part => format!("takes no part{}", self.why_outside()),
            (None, Some(_), Some(_)) => "on both sides, not linked so far".to_owned(),
            (None, Some(_), None) => "in the source only, not linked so far".to_owned(),
            (None, None, _) => "in Linq only, not linked so far".to_owned(),
        }
    }

    /// Why it takes no part, where a person or the selection of the source is why.
    fn why_outside(&self) -> String {
        let AccountedContact { record, contact, link, .. } = self.person;
        let ignoring = &self.seen.ignoring;
        let id = link.map(|link| link.linq_id).or(contact.map(|contact| contact.id));
        if id.is_some_and(|id| ignoring.has(id))
            || record.is_some_and(|record| ignoring.has_record(record.index))
        {
            return " (ignored: `linqsync resolve WHO --unignore` looks at it again)".to_owned();
        }
        let is_outside = self.person.record.is_some_and(|record| record.is_outside);
        let is_alone = self.person.link.is_none() && self.person.record.is_none();
        match &self.seen.source.only {
            Some(only) if is_outside => {
                format!(" (source.only: rows or cards whose {} take part)", only.selection)
            }
            Some(_) if is_alone => {
                " (source.only: its row or card is, or may be, one that takes no part, or it would be \
                 one itself)"
                    .to_owned()
            }
            Some(_) | None => String::new(),
        }
    }

    fn why_linked(&self) -> String {
        use crate::mirror::HistoryAction;
        let links = |row: &&HistoryRow| {
            matches!(row.entry.action, HistoryAction::Link | HistoryAction::Create)
        };
        match self.history.iter().rev().find(links) {
            Some(row) => format!(" since run {}: {}", row.run, row.entry.reason),
            None => String::new(),
        }
    }

    fn title_line(&self) -> String {
        let place = [
            self.person.record.map(SourceRecord::name_in_source),
            self.person.link.map(|link| format!("id {}", link.linq_id)),
            self.person.contact.map(|contact| format!("id {}", contact.id)),
        ];
        let mut place: Vec<String> = place.into_iter().flatten().collect();
        place.dedup();
        format!(
            "{} ({})",
            shown_text(&self.person.display_name(), 40),
            shown_text(&place.join(", "), 36)
        )
    }

    fn to_text(&self, source: &str) -> String {
        let mut text = format!("{}\n", self.title_line());
        let _ = writeln!(text, "  {}", wrap_text(&shown_text(&self.pair_relation(), 200), 2));
        text += &self.field_lines();
        if !self.history.is_empty() {
            text += "\nwhat was done last\n";
            text += &event_lines(&self.history, source);
        }
        text += "\nthe next run\n";
        match (self.halt, self.steps.as_slice()) {
            (Some(halt), _) => {
                let _ =
                    writeln!(text, "  {}", wrap_text(&format!("would write nothing: {halt}"), 2));
            }
            (None, []) => text += "  would do nothing about it\n",
            (None, steps) => steps.iter().for_each(|step| text += &step_text(step, self.seen)),
        }
        text + "\n"
    }

    fn field_lines(&self) -> String {
        let mut text = String::new();
        let none = Values::default();
        let record = self.person.record.map_or(&none, |record| &record.values);
        let contact = self.person.contact.map_or(&none, |contact| &contact.values);
        for field in Field::ALL {
            let (mine, theirs) = (&record[field], &contact[field]);
            let base = self.person.link.and_then(|link| link.base.half_text(Side::Linq, field));
            if mine.is_empty() && theirs.is_empty() && base.is_none_or(str::is_empty) {
                continue;
            }
            if !self.seen.source.mapped.contains(field) {
                let _ =
                    writeln!(text, "  {:<13} Linq        {}", field.name(), quote_value(theirs));
                continue;
            }
            if let Some(only) = self.only_side(mine, theirs) {
                let _ = writeln!(text, "  {:<13} {}", field.name(), quote_value(only));
                continue;
            }
            let same = self.canon.means_same(field, mine, theirs);
            let agreed = base.is_some_and(|base| self.canon.means_same(field, base, theirs));
            if same && agreed {
                let _ = writeln!(text, "  {:<13} {}", field.name(), quote_value(theirs));
                continue;
            }
            let known = base.map_or("(nothing so far)".to_owned(), quote_value);
            for (position, (whose, value)) in [
                ("source", quote_value(mine)),
                ("Linq", quote_value(theirs)),
                ("last synced", known),
            ]
            .into_iter()
            .enumerate()
            {
                let name = if position == 0 { field.name() } else { "" };
                let _ = writeln!(text, "  {name:<13} {whose:<11} {value}");
            }
        }
        text
    }

    /// The value of whoever was never on more than one side.
    fn only_side<'v>(&self, mine: &'v str, theirs: &'v str) -> Option<&'v str> {
        match (self.person.link, self.person.record, self.person.contact) {
            (None, Some(_), None) => Some(mine),
            (None, None, Some(_)) => Some(theirs),
            (Some(_), ..) | (None, Some(_), Some(_)) | (None, None, None) => None,
        }
    }

    fn to_json(&self) -> Value {
        let AccountedContact { link, record, contact, .. } = self.person;
        json!({
            "name": self.person.display_name(),
            "linq_id": link.map(|link| link.linq_id).or(contact.map(|contact| contact.id)),
            "source_key": record.map(SourceRecord::name_in_source),
            "standing": self.pair_relation(),
            "source": record.map(|record| &record.values),
            "linq": contact.map(|contact| &contact.values),
            "base": link.map(|link| &link.base),
            "history": self.history,
            "next": self.steps.iter().flat_map(|step| step_rows(step, self.seen)).collect::<Vec<_>>(),
            "halt": self.halt,
        })
    }
}

fn event_lines(history: &[HistoryRow], source: &str) -> String {
    let last = history.iter().rev().take(EVENTS);
    let text: String = last.map(|row| entry_text(row, source)).collect();
    match history.len().saturating_sub(EVENTS) {
        0 => text,
        more => format!("{text}  … and {more} more (`linqsync history --contact`)\n"),
    }
}
