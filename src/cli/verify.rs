//! `verify`: reads both sides anew and compares them with one another.
//!
//! It goes by the values alone: what a run believes to have agreed on proves nothing
//! here. It only explains, afterwards, where each side is meant to keep its own, for the
//! reasons by which the planner says "in sync" of a pair that differs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::config::Config;
use crate::model::{Field, LinkStatus, Policy, Side, SourceRecord};
use crate::plan::{AccountedContact, Meant, Observation, account_for_all, meant_difference};
use crate::report::ReportedError;
use crate::run::{Extent, RunPurpose};

use super::args::OutputArgs;
use super::once::{file_name, open_to_look, preview_run};
use super::show::{head_of, quote_value};
use super::text::{count_noun, shown_text, wrap_text};
use super::{failed_command, print_json, print_text, report_error};

/// How many differences are told before they are only counted.
const SHOWN: usize = 40;

/// Compares both sides. Returns the exit code: 3 when they differ.
pub(super) async fn verify_sides(output: OutputArgs, config: &Config) -> anyhow::Result<u8> {
    let opened = match open_to_look(config) {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, &error.to_reported_error()),
    };
    let (_, seen, _) =
        match preview_run(output, config, opened, RunPurpose::Sync, Extent::Everybody).await? {
            Ok(planned) => planned,
            Err(error) => return report_refusal(output, &error),
        };
    let policy = config.policy();
    let verdict = VerifyResult::compare_all(&account_for_all(&seen, &policy)?, &seen, &policy);
    let source = file_name(&config.source.path);
    if output.json {
        print_json(&verdict.to_json())?;
    } else {
        print_text(&verdict.to_text(&source))?;
    }
    Ok(if verdict.is_equal() { 0 } else { 3 })
}

fn report_refusal(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// One thing that is not the same on both sides.
struct Difference {
    name: String,
    place: String,
    why: String,
    field: Option<(Field, String, String)>,
    /// Why that is as it is meant to be, if so.
    is_meant: Option<Meant>,
}

struct VerifyResult {
    source: usize,
    linq: usize,
    pairs: usize,
    equal: usize,
    released: usize,
    differences: Vec<Difference>,
    /// Why not everything could be compared, if so.
    doubts: Vec<String>,
}

impl VerifyResult {
    fn compare_all(
        everybody: &[AccountedContact<'_>],
        seen: &Observation,
        policy: &Policy,
    ) -> VerifyResult {
        let mut verdict = VerifyResult {
            source: seen.source.records.len(),
            linq: seen.linq.contacts.len(),
            pairs: 0,
            equal: 0,
            released: 0,
            differences: Vec::new(),
            doubts: Vec::new(),
        };
        if let Some(incomplete) = &seen.linq.incomplete {
            let why = &incomplete.why;
            verdict.doubts.push(format!("Linq's listing is not whole: {why}"));
        }
        for row in &seen.source.unreadable {
            verdict.doubts.push(format!("{} cannot be read: {}", row.label, row.reason));
        }
        for person in everybody {
            verdict.compare_contact(person, seen, policy);
        }
        verdict
    }

    fn compare_contact(
        &mut self,
        person: &AccountedContact<'_>,
        seen: &Observation,
        policy: &Policy,
    ) {
        let status = person.link.map(|link| link.status);
        if status == Some(LinkStatus::Released) {
            self.released += 1;
            return;
        }
        match (person.record, person.contact) {
            (Some(_), Some(_)) if status.is_some() => self.compare_pair(person, seen, policy),
            (Some(_), Some(_)) => {
                self.add_difference(person, "on both sides, not linked so far", None, None);
            }
            (Some(_), None) | (None, Some(_)) if !person.takes_part => {}
            (Some(_), None) => {
                let stays = status.is_none() && !policy.may_write(Side::Linq);
                let is_meant = stays.then_some(Meant::OnlyThere(Side::Source));
                self.add_difference(person, "in the source only", None, is_meant);
            }
            (None, Some(_)) => {
                let stays = status.is_none() && !policy.may_write(Side::Source);
                let is_meant = stays.then_some(Meant::OnlyThere(Side::Linq));
                self.add_difference(person, "in Linq only", None, is_meant);
            }
            (None, None) => {
                self.add_difference(person, "linked, and gone from both sides", None, None);
            }
        }
    }

    fn compare_pair(&mut self, person: &AccountedContact<'_>, seen: &Observation, policy: &Policy) {
        let (Some(record), Some(contact)) = (person.record, person.contact) else { return };
        self.pairs += 1;
        let differing =
            policy.canon.differing_fields(seen.source.mapped, &record.values, &contact.values);
        if differing.is_empty() {
            self.equal += 1;
        }
        for field in differing.iter() {
            let (mine, theirs) = (&record.values[field], &contact.values[field]);
            let link = person.link;
            let is_meant =
                link.and_then(|link| meant_difference(field, link, record, contact, policy));
            let values = Some((field, mine.to_string(), theirs.to_string()));
            self.add_difference(person, "different values", values, is_meant);
        }
    }

    fn add_difference(
        &mut self,
        person: &AccountedContact<'_>,
        why: &str,
        field: Option<(Field, String, String)>,
        is_meant: Option<Meant>,
    ) {
        let id = person.link.map(|link| link.linq_id).or(person.contact.map(|c| c.id));
        let key = person.record.map(SourceRecord::name_in_source);
        let place = key.or(id.map(|id| format!("id {id}"))).unwrap_or_default();
        let (name, why) = (person.display_name(), why.to_owned());
        self.differences.push(Difference { name, place, why, field, is_meant });
    }

    fn is_equal(&self) -> bool {
        self.doubts.is_empty() && self.differences.iter().all(|d| d.is_meant.is_some())
    }

    fn to_text(&self, source: &str) -> String {
        let mut text = String::new();
        for difference in self.differences.iter().take(SHOWN) {
            let meant = difference.is_meant.map(|meant| meant.to_string());
            let why = meant.as_deref().unwrap_or(&difference.why);
            text += &head_of(&difference.name, &shown_text(&difference.place, 24), why, "");
            if let Some((field, mine, theirs)) = &difference.field {
                let _ = writeln!(
                    text,
                    "      {:<13} {} {}",
                    field.name(),
                    shown_text(source, 20),
                    quote_value(mine)
                );
                let _ = writeln!(text, "      {:<13} Linq {}", "", quote_value(theirs));
            }
        }
        if let more @ 1.. = self.differences.len().saturating_sub(SHOWN) {
            let _ = writeln!(text, "  … and {more} more (--json shows all of them)");
        }
        for doubt in &self.doubts {
            let _ =
                writeln!(text, "{}", wrap_text(&format!("note: {}", shown_text(doubt, 400)), 0));
        }
        let contacts = |count| count_noun(count, "contact", "contacts");
        let _ = writeln!(text, "{:<24} {}", shown_text(source, 24), contacts(self.source));
        let _ = writeln!(text, "{:<24} {}", "Linq", contacts(self.linq));
        let released = match self.released {
            0 => String::new(),
            released => format!(", {released} released"),
        };
        let equal = format!("{} of {} pairs{released}", self.equal, self.pairs);
        let _ = writeln!(text, "{:<24} {equal}", "equal");
        let open = self.differences.iter().filter(|d| d.is_meant.is_none()).count();
        let verdict = match (self.is_equal(), open) {
            (true, _) => "both sides are the same".to_owned(),
            (false, 0) => "not everything could be compared".to_owned(),
            (false, open) => count_noun(open, "difference", "differences"),
        };
        text + &verdict + "\n"
    }

    fn to_json(&self) -> Value {
        let difference = |d: &Difference| {
            json!({
                "name": d.name,
                "place": d.place,
                "why": d.why,
                "field": d.field.as_ref().map(|(field, ..)| field),
                "source": d.field.as_ref().map(|(_, mine, _)| mine),
                "linq": d.field.as_ref().map(|(_, _, theirs)| theirs),
                "meant": d.is_meant.map(|meant| meant.to_string()),
            })
        };
        json!({
            "schema": "linqsync.verify/1",
            "equal": self.is_equal(),
            "source": self.source,
            "linq": self.linq,
            "pairs": self.pairs,
            "equal_pairs": self.equal,
            "released": self.released,
            "differences": self.differences.iter().map(difference).collect::<Vec<_>>(),
            "doubts": self.doubts,
            "error": null,
        })
    }
}
