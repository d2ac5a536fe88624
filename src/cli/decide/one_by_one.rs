//! Decisions on a terminal, one after another.
//!
//! Each is remembered as soon as it is made, so that whoever quits has decided what they have
//! answered. Owns the questions and the keys.

use std::fmt::Write;

use dialoguer::Input;
use dialoguer::console::{Key, Term};

use crate::config::Config;
use crate::decisions::questions::{Questions, decision_sentence};
use crate::mirror::State;
use crate::model::{Decision, LinqId, Side, Waiting, WaitingKind};
use crate::users;

use super::super::args::OutputArgs;
use super::super::attention::{AttentionEntry, question_id, quote_value, sort_entries};
use super::super::text::{count_noun, shown_text, wrap_text};
use super::super::{print_text, refuse_command, system_now};
use super::choice::Choice;
use super::{for_the_next_run, usage_error};

/// What a key does.
enum KeyAction {
    Decide(Decision),
    /// Asks for a value.
    Edit(String),
    Skip,
    Quit,
}

/// What a person answers.
enum DecisionInput {
    Decided(Decision),
    Skipped,
    /// No further questions.
    Enough,
}

/// Asks about each thing that `choice` means. Returns the exit code.
pub(super) fn ask_each(
    output: OutputArgs,
    config: &Config,
    choice: &Choice<'_>,
) -> anyhow::Result<u8> {
    let questions = match Questions::open(config) {
        Ok(questions) => questions,
        Err(error) => return refuse_command(output, &error),
    };
    let everything = Choice { all: choice.who.is_empty(), ..*choice };
    let chosen = match everything.matching_waits(&questions.state, &questions.waiting, config) {
        Ok(chosen) => chosen,
        Err(problem) => return refuse_command(output, &usage_error(problem)),
    };
    let decided = questions.state.stored_decisions()?;
    let mut asked: Vec<(&Waiting, AttentionEntry)> = Vec::new();
    for waiting in chosen {
        let earlier = decided.iter().find(|one| one.about.question_id == waiting.question_id);
        asked.push((waiting, AttentionEntry::from_waiting(waiting, earlier)));
    }
    if asked.is_empty() {
        print_text(&format!("nothing is {}, so there is nothing to decide\n", choice.what))?;
        return Ok(0);
    }
    let (count, mut done) = (asked.len(), 0);
    for (at, (waiting, entry)) in in_order(asked).into_iter().enumerate() {
        print_text(&question_text(&questions.state, waiting, &entry, (at + 1, count)))?;
        match read_answer(&questions, waiting)? {
            DecisionInput::Decided(decision) => {
                match questions.store_decisions(
                    &[(waiting.question_id, decision.clone())],
                    &users::calling_user(),
                    system_now(),
                ) {
                    Ok(()) => {
                        done += 1;
                        print_text(&format!("  {}\n\n", decision_sentence(waiting, &decision)))?;
                    }
                    Err(error) => {
                        print_text(&format!(
                            "  not recorded: {}\n\n",
                            shown_text(&error.message, 200)
                        ))?;
                    }
                }
            }
            DecisionInput::Skipped => {
                print_text("  skipped\n\n")?;
            }
            DecisionInput::Enough => break,
        }
    }
    let left = count - done;
    let left = match left {
        0 => String::new(),
        left => format!("{} left as it is\n", count_noun(left, "question", "questions")),
    };
    let told = if done == 0 { "nothing was decided\n".to_owned() } else { for_the_next_run(done) };
    print_text(&(told + &left))?;
    Ok(0)
}

/// In the order in which they are listed.
fn in_order(asked: Vec<(&Waiting, AttentionEntry)>) -> Vec<(&Waiting, AttentionEntry)> {
    let (waiting, mut entries): (Vec<&Waiting>, Vec<AttentionEntry>) = asked.into_iter().unzip();
    sort_entries(&mut entries);
    let find =
        |entry: &AttentionEntry| waiting.iter().find(|one| question_id(one) == entry.id).copied();
    entries.into_iter().filter_map(|entry| Some((find(&entry)?, entry))).collect()
}

/// A question, with what there is to know.
fn question_text(
    state: &State,
    waiting: &Waiting,
    entry: &AttentionEntry,
    (at, count): (usize, usize),
) -> String {
    let mut text = format!("{at} of {count}  {}", entry.name_and_place());
    if !entry.field.is_empty() {
        let _ = write!(text, "  {}", entry.field);
    }
    text.push('\n');
    match &waiting.kind {
        WaitingKind::Conflict { base, source, linq, .. } => {
            text += &side_by_side([("source", source), ("Linq", linq), ("last synced", base)]);
        }
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            let _ = writeln!(text, "  {} → {}", quote_value(&change.from), quote_value(&change.to));
        }
        WaitingKind::Ambiguous { candidates } => {
            for (number, id) in (1..=9).zip(candidates) {
                let _ =
                    writeln!(text, "  [{number}] contact {id}{}", describe_candidate(state, *id));
            }
        }
        WaitingKind::HeldDeletion { .. } | WaitingKind::Rejected { .. } => {}
    }
    let _ = writeln!(text, "  {}", wrap_text(&shown_text(&entry.reason, 200), 2));
    if !entry.decision.is_empty() {
        let _ = writeln!(text, "  decided so far: {}", entry.decision);
    }
    text + "  " + &offered_keys(&waiting.kind) + "\n"
}

/// What Linq knows of a candidate.
fn describe_candidate(state: &State, id: LinqId) -> String {
    let Ok(Some(contact)) = state.contact(id) else { return String::new() };
    let values = &contact.values;
    let more: Vec<String> = values
        .filled_fields()
        .iter()
        .filter(|field| !matches!(field.name(), "first_name" | "last_name" | "owner"))
        .map(|field| shown_text(&values[field], 30))
        .collect();
    format!(": {} {}", shown_text(&values.display_name(), 40), more.join(", "))
}

/// Values in columns side by side; below one another where they are too long for that.
fn side_by_side(values: [(&str, &str); 3]) -> String {
    const WIDTH: usize = 24;
    let cells = values.map(|(name, value)| (name, quote_value(value)));
    if cells.iter().all(|(_, value)| value.chars().count() <= WIDTH) {
        let row = |of: fn(&(&str, String)) -> String| {
            let cells = cells.iter().fold(String::new(), |mut row, cell| {
                let _ = write!(row, "{:<WIDTH$} ", of(cell));
                row
            });
            format!("  {}\n", cells.trim_end())
        };
        return row(|cell| cell.0.to_owned()) + &row(|cell| cell.1.clone());
    }
    cells.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "  {name:<13} {value}");
        text
    })
}

/// The keys that may be pressed.
fn offered_keys(kind: &WaitingKind) -> String {
    let own = match kind {
        WaitingKind::Conflict { .. } => "[s]ource  [l]inq  [e]dit".to_owned(),
        WaitingKind::Ambiguous { candidates } => {
            let last = candidates.len().min(9);
            let numbers = if last == 1 { "[1]".to_owned() } else { format!("[1]–[{last}]") };
            if last == 0 {
                "[x] separate".to_owned()
            } else {
                format!("{numbers} link  [x] separate")
            }
        }
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => "[a]pprove  [r]eject".to_owned(),
        WaitingKind::Rejected { .. } => "[t] retry".to_owned(),
    };
    format!("{own}  [n] skip  [q]uit")
}

fn key_action(kind: &WaitingKind, key: char) -> Option<KeyAction> {
    let key = key.to_ascii_lowercase();
    match (key, kind) {
        ('n', _) => Some(KeyAction::Skip),
        ('q', _) => Some(KeyAction::Quit),
        ('s', WaitingKind::Conflict { .. }) => {
            Some(KeyAction::Decide(Decision::Take { side: Side::Source }))
        }
        ('l', WaitingKind::Conflict { .. }) => {
            Some(KeyAction::Decide(Decision::Take { side: Side::Linq }))
        }
        ('e', WaitingKind::Conflict { source, .. }) => Some(KeyAction::Edit(source.clone())),
        ('x', WaitingKind::Ambiguous { .. }) => Some(KeyAction::Decide(Decision::Separate)),
        ('1'..='9', WaitingKind::Ambiguous { candidates }) => {
            let at = key.to_digit(10).map_or(0, |digit| digit as usize);
            let linq_id = *candidates.get(at.checked_sub(1)?)?;
            Some(KeyAction::Decide(Decision::Link { linq_id }))
        }
        ('a', kind) if kind.is_held() => Some(KeyAction::Decide(Decision::Approve)),
        ('r', kind) if kind.is_held() => Some(KeyAction::Decide(Decision::Reject)),
        ('t', kind) if kind.is_refused() => Some(KeyAction::Decide(Decision::Retry)),
        (_, _) => None,
    }
}

/// Waits for an answer that fits.
fn read_answer(questions: &Questions, waiting: &Waiting) -> anyhow::Result<DecisionInput> {
    let terminal = Term::stdout();
    loop {
        let key = terminal.read_key()?;
        let pressed = if let Key::Char(key) = key {
            key_action(&waiting.kind, key)
        } else {
            matches!(key, Key::Escape | Key::CtrlC).then_some(KeyAction::Quit)
        };
        let decision = match pressed {
            Some(KeyAction::Decide(decision)) => decision,
            Some(KeyAction::Edit(value)) => {
                Decision::Value { value: edit_value(&terminal, value)? }
            }
            Some(KeyAction::Skip) => return Ok(DecisionInput::Skipped),
            Some(KeyAction::Quit) => return Ok(DecisionInput::Enough),
            None => {
                print_text(&format!("  {}\n", offered_keys(&waiting.kind)))?;
                continue;
            }
        };
        match questions.check_decision(waiting, &decision) {
            Ok(()) => return Ok(DecisionInput::Decided(decision)),
            Err(problem) => print_text(&format!("  {}\n", wrap_text(&problem, 2)))?,
        }
    }
}

/// A value that a person types, beginning with one that is there.
fn edit_value(terminal: &Term, value: String) -> anyhow::Result<String> {
    let input = Input::<String>::new().with_prompt("  value").allow_empty(true);
    // Nothing of a contact acts on the terminal.
    let is_plain = shown_text(&value, usize::MAX) == value;
    let value = if is_plain { value } else { String::new() };
    Ok(input.with_initial_text(value).interact_text_on(terminal)?.trim().to_owned())
}
