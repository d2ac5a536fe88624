//! Decisions about exactly what was shown.
//!
//! A question is named by what it is about, values and all, and by what was decided about it
//! when the page was made. If anything of that has changed, nothing at all is decided.

use std::collections::BTreeMap;

use super::form::FormFields;
use super::guarded::Visit;
use super::locked;
use crate::decisions::{
    AttentionEntry, ListState, Questions, decision_of, list_of, question_id, sort_entries,
};
use crate::model::{Decided, Decision, Fingerprint, Waiting};

/// Why nothing was decided.
pub(super) enum Refused {
    /// What was shown has changed.
    Stale,
    /// Whoever decides has gone meanwhile.
    Gone,
    /// It cannot be decided like this, and why.
    Wrong(String),
}

/// What names a question as it is shown.
pub(super) fn token(waiting: &Waiting, decided: Option<&Decided>) -> String {
    let seen = decided.map(|decided| {
        let what = serde_json::to_string(&(&decided.decision, &decided.by, decided.at));
        blake3::hash(what.unwrap_or_default().as_bytes()).to_hex()
    });
    let seen = seen.as_ref().and_then(|hex| hex.get(..8)).unwrap_or("0");
    format!("{}-{seen}", question_id(waiting))
}

/// What names a whole list as it is shown.
pub(super) fn digest<'a>(tokens: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for token in tokens {
        hasher.update(token.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// What is on a list, in the order in which it is shown, with the names of the questions.
pub(super) fn listed<'q>(
    waiting: &'q [Waiting],
    decided: &BTreeMap<Fingerprint, Decided>,
    is_meant: impl Fn(&Waiting) -> bool,
) -> Vec<(String, AttentionEntry, &'q Waiting)> {
    let mut by_id: BTreeMap<String, &Waiting> = BTreeMap::new();
    let mut entries = Vec::new();
    for waiting in waiting.iter().filter(|waiting| is_meant(waiting)) {
        by_id.insert(question_id(waiting), waiting);
        entries.push(AttentionEntry::from_waiting(waiting, decided.get(&waiting.question_id)));
    }
    sort_entries(&mut entries);
    let named = entries.into_iter().filter_map(|entry| {
        let waiting = *by_id.get(&entry.id)?;
        Some((token(waiting, decided.get(&waiting.question_id)), entry, waiting))
    });
    named.collect()
}

/// Records what a form decides; how much that is.
///
/// # Errors
/// [`Refused`]; then nothing is recorded.
pub(super) fn decide(visit: &Visit<'_>, by: &str) -> Result<usize, Refused> {
    let (inbox, config, form) = (visit.inbox, visit.config, &visit.form);
    let _one_at_a_time = locked(&inbox.deciding);
    let questions = Questions::open(config).map_err(|error| Refused::Wrong(error.message))?;
    let decided = questions.decided().map_err(|error| Refused::Wrong(error.message))?;
    let chosen = if form.get("list").is_empty() {
        one_by_one(form, &questions, &decided)?
    } else {
        whole_list(form, &questions, &decided)?
    };
    for (waiting, decision) in &chosen {
        questions.check_decision(waiting, decision).map_err(Refused::Wrong)?;
    }
    let decisions: Vec<(Fingerprint, Decision)> =
        chosen.iter().map(|(waiting, decision)| (waiting.question_id, decision.clone())).collect();
    if decisions.is_empty() {
        return Ok(0);
    }
    if !visit.caller.begin() {
        return Err(Refused::Gone);
    }
    match questions.store_decisions(&decisions, by, inbox.now()) {
        Ok(()) => Ok(decisions.len()),
        // It was carried out or became void in this moment.
        Err(error) if error.code == 2 => Err(Refused::Stale),
        Err(error) => Err(Refused::Wrong(error.message)),
    }
}

type Chosen<'q> = Vec<(&'q Waiting, Decision)>;

fn one_by_one<'q>(
    form: &FormFields,
    questions: &'q Questions,
    decided: &BTreeMap<Fingerprint, Decided>,
) -> Result<Chosen<'q>, Refused> {
    let named: BTreeMap<String, &Waiting> = questions
        .waiting
        .iter()
        .map(|waiting| (token(waiting, decided.get(&waiting.question_id)), waiting))
        .collect();
    let mut chosen = Vec::new();
    for (token, word) in form.below("d.").filter(|(_, word)| !word.is_empty()) {
        let waiting = *named.get(token).ok_or(Refused::Stale)?;
        let value = form.get(&format!("v.{token}"));
        let decision = decision_of(word, value, waiting).map_err(Refused::Wrong)?;
        chosen.push((waiting, decision));
    }
    // A value without the choice that it is for would be dropped in silence.
    for (token, value) in form.below("v.").filter(|(_, value)| !value.trim().is_empty()) {
        if form.get(&format!("d.{token}")) != "value" {
            let text = "A value is filled in, and “another value” is not chosen beside it.";
            return Err(Refused::Wrong(format!("{text} Nothing was recorded: {value}")));
        }
    }
    Ok(chosen)
}

fn whole_list<'q>(
    form: &FormFields,
    questions: &'q Questions,
    decided: &BTreeMap<Fingerprint, Decided>,
) -> Result<Chosen<'q>, Refused> {
    let wrong = |text: &str| Refused::Wrong(text.to_owned());
    let list = ListState::ATTENTION.into_iter().find(|list| list.name() == form.get("list"));
    let list = list.ok_or_else(|| wrong("There is no such list."))?;
    if form.get("sure") != "yes" {
        return Err(wrong("It was not confirmed that the whole list is meant."));
    }
    let listed = listed(&questions.waiting, decided, |one| list_of(&one.kind) == list);
    if digest(listed.iter().map(|(token, ..)| token.as_str())) != form.get("shown") {
        return Err(Refused::Stale);
    }
    let word = form.get("all");
    let decide = |(_, _, waiting): (String, AttentionEntry, &'q Waiting)| {
        if crate::decisions::decision_choices(&waiting.kind).is_empty() {
            // Only the source can put it right.
            return None;
        }
        Some(decision_of(word, "", waiting).map(|decision| (waiting, decision)))
    };
    listed.into_iter().filter_map(decide).collect::<Result<_, _>>().map_err(Refused::Wrong)
}
