//! `--only WHO`: a plan, or a run, of some contacts alone.
//!
//! Everything is planned as ever, so that each contact is recognised as ever; what is not about
//! those who are named is then left out. A run carries the rest out as a saved plan.

use crate::config::Config;
use crate::mirror::State;
use crate::model::{Values, Who};
use crate::observe::record_at;
use crate::open;
use crate::plan::{Observation, Plan, SavedPlan, Step};
use crate::report::ReportedError;
use crate::run::{Extent, RunPurpose};

use super::args::Cli;
use super::named::find_named;
use super::once::{Planned, carry_out, open_to_look, open_to_write, preview_run};
use super::text::shown_text;
use super::{report_error, report_refusal};

/// Leaves in a plan what is about `only`.
///
/// # Errors
/// When no contact, or several, are called so.
pub(super) fn keep_only(
    state: &State,
    config: &Config,
    only: &[String],
    planned: &mut Planned,
) -> Result<(), ReportedError> {
    let (plan, seen, report) = planned;
    let mut whom = Vec::new();
    for text in only {
        let known = find_named(state, config, text).map_err(|error| error.to_reported_error())?;
        whom.push((text, known.map_err(super::named::SameName::to_reported_error)?));
    }
    let canon = config.policy().canon;
    let whom: Vec<(&String, Who<'_>)> =
        whom.iter().map(|(text, known)| (*text, Who::new(known, canon))).collect();
    for (text, who) in &whom {
        if !is_there(who, seen) {
            let message = format!("no contact matches {}", shown_text(text, 60));
            let hint = "name a Linq id, an e-mail, a phone number, a full name, a key or row:N";
            return Err(ReportedError { code: 2, message, hint: hint.to_owned() });
        }
    }
    let is_meant = |step: &Step| whom.iter().any(|(_, who)| is_about(step, who, seen));
    plan.steps.retain(|step| is_meant(step));
    plan.skipped.clear();
    let is_named = |label: &str| whom.iter().any(|(_, who)| who.is_place(label));
    seen.source.unreadable.retain(|row| is_named(&row.label));
    report.take_open(plan, seen);
    Ok(())
}

/// Whether either side has the contact.
fn is_there(who: &Who<'_>, seen: &Observation) -> bool {
    let records = seen.source.records.iter();
    let mut records = records.map(|record| {
        let key = record.key.as_ref().is_some_and(|key| who.is_place(&key.to_string()));
        key || who.is_place(&record.label) || who.is_contact(None, &record.values)
    });
    let mut contacts =
        seen.linq.contacts.iter().map(|(id, one)| who.is_contact(Some(*id), &one.values));
    let mut links = seen.links.iter().map(|link| {
        who.is_contact(Some(link.linq_id), &link.base.linq_values())
            || who.is_contact(None, &link.base.source_values())
    });
    let mut unreadable = seen.source.unreadable.iter().map(|row| who.is_place(&row.label));
    records.any(|is| is) || contacts.any(|is| is) || links.any(|is| is) || unreadable.any(|is| is)
}

fn is_about(step: &Step, who: &Who<'_>, seen: &Observation) -> bool {
    let subject = &step.subject;
    let record = subject.record.map(|index| record_at(seen, index));
    let contact = subject.linq_id.and_then(|id| seen.linq.contacts.get(&id));
    let link = seen.links.iter().find(|link| Some(link.id) == subject.link);
    let base = link.map(|link| [link.base.source_values(), link.base.linq_values()]);
    let places = [subject.source_key.as_deref(), record.map(|record| &*record.label)];
    let now = [record.map(|record| &record.values), contact.map(|contact| &contact.values)];
    let mut values = now.into_iter().flatten().chain(base.iter().flatten());
    places.into_iter().flatten().any(|place| who.is_place(place))
        || who.is_contact(subject.linq_id, &Values::default())
        || values.any(|values| who.is_contact(None, values))
}

/// Makes a run of the contacts alone that are named. Returns the exit code.
pub(super) async fn run_only(cli: &Cli, config: &Config) -> anyhow::Result<u8> {
    let output = cli.output;
    let opened = match open_to_look(config) {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    let planned = preview_run(output, config, opened, RunPurpose::Sync, Extent::Everybody).await?;
    let mut planned = match planned {
        Ok(planned) => planned,
        Err(error) => return report_refusal(output, error),
    };
    let opened = match open_to_write(config) {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    if let Err(error) = keep_only(&opened.state, config, &cli.only, &mut planned) {
        return report_refusal(output, error);
    }
    let (plan, seen, _): &(Plan, Observation, _) = &planned;
    let pair = open::configured_pair(config);
    let saved = SavedPlan::from_plan(plan, seen, pair.base_url, pair.source);
    if let Some(halt) = &plan.halt {
        report_error(&ReportedError { code: 4, message: halt.clone(), hint: String::new() });
    }
    carry_out(output, config, opened, RunPurpose::Apply(&saved)).await
}
