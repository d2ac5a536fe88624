//! Plans and runs as people read them, in 80 columns.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::model::{Field, FieldChange, Side, Values};
use crate::observe::record_at;
use crate::plan::{
    LinkPlan, LinqWrite, Observation, Plan, Skipped, SourceWrite, Step, StepReason, Wait, cell_name,
};
use crate::report::{ExcludedCounts, Open, RunReport, SideCounts, released};

use super::text::{count_noun, shown_text, wrap_text};

/// How many people one part of a plan shows before it only counts them.
const SHOWN: usize = 40;

const NEW: Style = AnsiColor::Green.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
const GONE: Style = AnsiColor::Red.on_default();
const WAITS: Style = AnsiColor::Magenta.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A plan in words; `source` is what the source is called.
pub(crate) fn plan_text(plan: &Plan, seen: &Observation, source: &str) -> String {
    let mut text = String::new();
    add_part(&mut text, "to Linq", &plan_rows(plan, seen, to_linq));
    add_part(&mut text, &format!("to {source}"), &plan_rows(plan, seen, to_source));
    add_part(&mut text, "the same person on both sides", &plan_rows(plan, seen, linked_row));
    let released: Vec<String> = released(plan).map(released_text).collect();
    add_part(&mut text, "released: no longer synced, deleted on no side", &released);
    text += &waiting_text(plan, seen);
    add_part(&mut text, "left as it is", &plan.skipped.iter().map(skipped_row).collect::<Vec<_>>());
    text += &notices_text(&plan.notices);
    if let Some(halt) = &plan.halt {
        let halt = wrap_text(&format!("nothing will be written: {halt}"), 0);
        let _ = writeln!(text, "{GONE}{halt}{GONE:#}");
    }
    let [records, contacts] = plan.outside;
    let all =
        [seen.source.records.len(), seen.linq.contacts.len()].map(|all| all + seen.census.pairs);
    if records + contacts > 0 {
        let part = takes_part([all[0], records], [all[1], contacts]);
        let _ = writeln!(text, "{BOLD}Takes part:{BOLD:#} {}", wrap_text(&part, 12));
    }
    let _ = writeln!(text, "{BOLD}Plan:{BOLD:#} {}", plan_summary(plan, seen));
    text
}

/// How many of all take part on each side, and how many do not.
pub(crate) fn takes_part([records, out]: [usize; 2], [contacts, without]: [usize; 2]) -> String {
    format!(
        "{} of {records} rows or cards ({out} not), {} of {contacts} contacts in Linq ({without} not)",
        records.saturating_sub(out),
        contacts.saturating_sub(without),
    )
}

/// Who waits for a person's decision, and why.
pub(crate) fn waiting_text(plan: &Plan, seen: &Observation) -> String {
    let mut text = String::new();
    let mut waiting = plan_rows(plan, seen, waiting_row);
    waiting.extend(unreadable_rows(seen));
    add_part(&mut text, "needs attention", &waiting);
    text
}

/// What people should know.
pub(crate) fn notices_text(notices: &[String]) -> String {
    notices.iter().fold(String::new(), |text, notice| {
        text + &wrap_text(&format!("note: {}", shown_text(notice, 400)), 0) + "\n"
    })
}

/// A step in words: what it does on either side, and what waits.
pub(crate) fn step_text(step: &Step, seen: &Observation) -> String {
    let mut text = linked_row(step, seen);
    for (side, row) in [("to Linq", to_linq(step, seen)), ("to the source", to_source(step, seen))]
    {
        if !row.is_empty() {
            let _ = write!(text, "  {side}\n{row}");
        }
    }
    text += &waiting_row(step, seen);
    if text.is_empty() {
        let _ = writeln!(text, "  {}", indent_reason(&step.reason.to_string()));
    }
    text
}

fn add_part(text: &mut String, title: &str, rows: &[String]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "{BOLD}{title}{BOLD:#}");
    for row in rows.iter().take(SHOWN) {
        text.push_str(row);
    }
    if rows.len() > SHOWN {
        let more = rows.len() - SHOWN;
        let _ = writeln!(text, "  … and {more} more (--json shows all of them)");
    }
    text.push('\n');
}

fn plan_rows(
    plan: &Plan,
    seen: &Observation,
    row: fn(&Step, &Observation) -> String,
) -> Vec<String> {
    plan.steps.iter().map(|step| row(step, seen)).filter(|row| !row.is_empty()).collect()
}

fn to_linq(step: &Step, _: &Observation) -> String {
    match &step.linq {
        Some(LinqWrite::Create { values, .. }) => {
            title_line(step, '+', NEW, &step.reason.to_string()) + &filled_lines(values)
        }
        Some(LinqWrite::Update { set, .. }) => {
            title_line(step, '~', CHANGED, &step.reason_for(set)) + &change_lines(set)
        }
        Some(LinqWrite::Delete { .. }) => title_line(step, '-', GONE, &step.reason.to_string()),
        None => String::new(),
    }
}

fn to_source(step: &Step, _: &Observation) -> String {
    match &step.source {
        Some(SourceWrite::Create { values, .. }) => {
            title_line(step, '+', NEW, &step.reason.to_string()) + &filled_lines(values)
        }
        Some(SourceWrite::Update { set, linq_id, .. }) => {
            let reason = if set.is_empty() && linq_id.is_some() {
                "its Linq id is filled in".to_owned()
            } else {
                step.reason_for(set)
            };
            title_line(step, '~', CHANGED, &reason) + &change_lines(set)
        }
        Some(SourceWrite::Delete { .. }) => title_line(step, '-', GONE, &step.reason.to_string()),
        None => String::new(),
    }
}

fn linked_row(step: &Step, _: &Observation) -> String {
    match &step.link {
        LinkPlan::Join { .. } => title_line(step, '=', NEW, &step.reason.to_string()),
        LinkPlan::Keep
        | LinkPlan::Agree(_)
        | LinkPlan::PutBack(_)
        | LinkPlan::Relink(_)
        | LinkPlan::Release
        | LinkPlan::Exclude(_)
        | LinkPlan::Forget
        | LinkPlan::Missing(_)
        | LinkPlan::Found => String::new(),
    }
}

fn released_text(step: &Step) -> String {
    title_line(step, '○', DIM, &step.reason.to_string())
}

fn waiting_row(step: &Step, seen: &Observation) -> String {
    let mut text = String::new();
    for wait in &step.waits {
        let why = match wait {
            Wait::Conflict { field, clash, .. } => clash.clash_reason(*field),
            Wait::Ambiguous { .. } => step.reason.to_string(),
            Wait::HeldDeletion(side) => format!("{}; deleting it in {side} is held", step.reason),
            Wait::HeldClearing(side, change) => {
                format!("clearing {} in {side} is held", change.field)
            }
            Wait::HeldChange { reason, .. } | Wait::Rejected { reason, .. } => reason.clone(),
            Wait::Grace(side) => {
                format!("{}; it stays in {side} until sync.delete_grace is over", step.reason)
            }
        };
        let sign = if matches!(wait, Wait::Ambiguous { .. }) { '?' } else { '!' };
        text += &title_line(step, sign, WAITS, &why);
        text += &wait_details(step, wait, seen);
    }
    text
}

fn wait_details(step: &Step, wait: &Wait, seen: &Observation) -> String {
    let line = |name: &str, value: &str| format!("      {name:<13} {}\n", quote_value(value));
    match wait {
        Wait::Conflict { base, source, linq, .. } => {
            line("source", source) + &line("Linq", linq) + &line("last synced", base)
        }
        Wait::Rejected { field: Some(field), .. } => step
            .subject
            .record
            .map(|index| {
                let record = record_at(seen, index);
                let value = quote_value(&record.values[*field]);
                format!("      {} {value}\n", shown_text(&cell_name(*field, record, seen), 50))
            })
            .unwrap_or_default(),
        Wait::HeldChange { change, .. } => change_lines(std::slice::from_ref(change)),
        Wait::Ambiguous { .. }
        | Wait::HeldDeletion(_)
        | Wait::HeldClearing(..)
        | Wait::Rejected { field: None, .. }
        | Wait::Grace(_) => String::new(),
    }
}

fn unreadable_rows(seen: &Observation) -> impl Iterator<Item = String> {
    seen.source.unreadable.iter().map(|row| {
        let reason = indent_reason(&row.reason);
        format!("  {WAITS}!{WAITS:#} {} (line {})\n      {reason}\n", row.label, row.line)
    })
}

/// "  + Ana Silva (row:311)" and the reason in a line of its own.
fn title_line(step: &Step, sign: char, style: Style, reason: &str) -> String {
    let place = match (&step.subject.source_key, step.subject.linq_id) {
        (Some(key), _) => shown_text(key, 24),
        (None, Some(id)) => format!("id {id}"),
        (None, None) => String::new(),
    };
    let place = if place.is_empty() { place } else { format!(" ({place})") };
    let (name, reason) = (shown_text(&step.subject.name, 44), indent_reason(reason));
    format!("  {style}{sign}{style:#} {name}{DIM}{place}{DIM:#}\n      {DIM}{reason}{DIM:#}\n")
}

/// Somebody, where they are, and two lines about them; the second may be empty.
pub(crate) fn head_of(name: &str, place: &str, first: &str, second: &str) -> String {
    let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
    let mut text = format!("  {}{DIM}{place}{DIM:#}\n", shown_text(name, 44));
    for line in [first, second].into_iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "      {DIM}{}{DIM:#}", indent_reason(line));
    }
    text
}

/// A reason, below the person whom it concerns.
fn indent_reason(reason: &str) -> String {
    wrap_text(&shown_text(reason, 200), 6)
}

fn skipped_row(skipped: &Skipped) -> String {
    let step = Step::new(skipped.subject.clone(), StepReason::Because(String::new()));
    title_line(&step, '·', DIM, &skipped.why)
}

fn filled_lines(values: &Values) -> String {
    let lines = values.filled_fields();
    lines
        .iter()
        .fold(String::new(), |text, field| text + &value_line(field, &quote_value(&values[field])))
}

pub(crate) fn change_lines(set: &[FieldChange]) -> String {
    set.iter().fold(String::new(), |text, change| {
        let (from, to) = (quote_value(&change.from), quote_value(&change.to));
        let both = value_line(change.field, &format!("{from} → {to}"));
        if both.chars().count() <= 80 {
            return text + &both;
        }
        text + &value_line(change.field, &from) + &format!("      {:<13} → {to}\n", "")
    })
}

fn value_line(field: Field, value: &str) -> String {
    format!("      {:<13} {value}\n", field.name())
}

pub(crate) fn quote_value(value: &str) -> String {
    if value.trim().is_empty() {
        "(none)".to_owned()
    } else {
        format!("“{}”", shown_text(value, 50))
    }
}

/// What a plan comes to, in a line.
pub(super) fn plan_summary(plan: &Plan, seen: &Observation) -> String {
    let mut done = [SideCounts::default(), SideCounts::default()];
    for step in &plan.steps {
        for (side, counts) in [Side::Source, Side::Linq].into_iter().zip(&mut done) {
            count_step(step, side, counts);
        }
    }
    let [source, linq] = done;
    let links = plan.steps.iter().filter(|s| matches!(s.link, LinkPlan::Join { .. })).count();
    let released = match released(plan).count() {
        0 => String::new(),
        count => format!("; {count} to release"),
    };
    let waits: usize = plan.steps.iter().filter(|step| !step.waits.is_empty()).count()
        + seen.source.unreadable.len();
    if plan.steps.is_empty() && waits == 0 {
        return format!(
            "nothing to do; {} in sync",
            count_noun(plan.standings.in_sync, "contact", "contacts")
        );
    }
    let is_unreleased = released.is_empty();
    if is_unreleased
        && links + waits == 0
        && source == SideCounts::default()
        && linq == SideCounts::default()
    {
        let steps = count_noun(plan.steps.len(), "change", "changes");
        return format!("nothing to write; {steps} to remember");
    }
    format!(
        "{} to create, {} to update, {} to delete; {} to link{released}; {} waiting",
        source.created + linq.created,
        source.updated + linq.updated,
        source.deleted + linq.deleted,
        links,
        waits,
    )
}

fn count_step(step: &Step, side: Side, counts: &mut SideCounts) {
    match side {
        Side::Linq => match &step.linq {
            Some(LinqWrite::Create { .. }) => counts.created += 1,
            Some(LinqWrite::Update { .. }) => counts.updated += 1,
            Some(LinqWrite::Delete { .. }) => counts.deleted += 1,
            None => {}
        },
        Side::Source => match &step.source {
            Some(SourceWrite::Create { .. }) => counts.created += 1,
            Some(SourceWrite::Update { set, .. }) => counts.updated += usize::from(!set.is_empty()),
            Some(SourceWrite::Delete { .. }) => counts.deleted += 1,
            None => {}
        },
    }
}

/// A run in a few lines; `source` is what the source is called.
pub(crate) fn run_text(report: &RunReport, source: &str) -> String {
    let mut text = String::new();
    for (name, side) in [("Linq", report.linq), (source, report.source)] {
        let SideCounts { seen, created, updated, deleted } = side;
        let _ = writeln!(
            text,
            "{:<24} {} seen, {created} created, {updated} updated, {deleted} deleted",
            shown_text(name, 24),
            count_noun(seen, "contact", "contacts"),
        );
    }
    let linked = if report.linked > 0 {
        format!(", {} of them found on both sides", report.linked)
    } else {
        String::new()
    };
    // A run that ended early does not know what is in sync.
    if report.error.is_none() {
        let _ = writeln!(text, "{:<24} {}{linked}", "in sync", report.in_sync);
    }
    let ExcludedCounts { source, linq } = report.outside;
    if source + linq > 0 {
        let part = takes_part([report.source.seen, source], [report.linq.seen, linq]);
        let _ = writeln!(text, "{:<24} {}", "takes part", wrap_text(&part, 25));
    }
    let Open { conflicts, ambiguous, rejected, held_deletes, held_clears, held_changes } =
        report.open;
    let waiting: Vec<String> = [
        (conflicts, "conflict", "conflicts"),
        (ambiguous, "ambiguous match", "ambiguous matches"),
        (rejected, "rejected", "rejected"),
        (held_deletes, "held deletion", "held deletions"),
        (held_clears, "held clearing", "held clearings"),
        (held_changes, "held change", "held changes"),
        (report.skipped, "skipped step", "skipped steps"),
    ]
    .into_iter()
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, one, many)| count_noun(count, one, many))
    .collect();
    if !waiting.is_empty() {
        let waiting = wrap_text(&waiting.join(", "), 25);
        let _ = writeln!(text, "{:<24} {WAITS}{waiting}{WAITS:#}", "needs attention");
    }
    text
}
