//! Decisions on a terminal, one after another.
//!
//! Each is remembered as soon as it is made, so that whoever quits has decided what they have
//! answered. Owns the questions and the keys.

use std::fmt::Write;

use dialoguer::Input;
use dialoguer::console::{Key, Term};

use crate::config::Config;
use crate::decisions::questions::{Questions, sentence};
use crate::mirror::State;
use crate::model::{Decision, LinqId, Side, Waiting, WaitingKind};
use crate::users;

use super::super::args::Output;
use super::super::attention::{Entry, question_id, quoted, sort};
use super::super::text::{counted, shown, wrapped};
use super::super::{now, print, refuse_command};
use super::choice::Choice;
use super::{for_the_next_run, wrong};

/// What a key does.
enum Does {
    Decide(Decision),
    /// Asks for a value.
    Edit(String),
    Skip,
    Quit,
}

/// What a person answers.
enum Answer {
    Decided(Decision),
    Skipped,
    /// No further questions.
    Enough,
}

/// Asks about each thing that `choice` means. Returns the exit code.
pub(super) fn ask(output: Output, config: &Config, choice: &Choice<'_>) -> anyhow::Result<u8> {
    let questions = match Questions::open(config) {
        Ok(questions) => questions,
        Err(error) => return refuse_command(output, &error),
    };
    let everything = Choice { all: choice.who.is_empty(), ..*choice };
    let chosen = match everything.of(&questions.state, &questions.waiting, config) {
        Ok(chosen) => chosen,
        Err(problem) => return refuse_command(output, &wrong(problem)),
    };
    let decided = questions.state.decided()?;
    let mut asked: Vec<(&Waiting, Entry)> = Vec::new();
    for waiting in chosen {
        let earlier = decided.iter().find(|one| one.about.what == waiting.what);
        asked.push((waiting, Entry::of(waiting, earlier)));
    }
    if asked.is_empty() {
        print(&format!("nothing is {}, so there is nothing to decide\n", choice.what))?;
        return Ok(0);
    }
    let (count, mut done) = (asked.len(), 0);
    for (at, (waiting, entry)) in in_order(asked).into_iter().enumerate() {
        print(&question(&questions.state, waiting, &entry, (at + 1, count)))?;
        match answer(&questions, waiting)? {
            Answer::Decided(decision) => {
                match questions.record(&[(waiting.what, decision.clone())], &users::caller(), now())
                {
                    Ok(()) => {
                        done += 1;
                        print(&format!("  {}\n\n", sentence(waiting, &decision)))?;
                    }
                    Err(error) => {
                        print(&format!("  not recorded: {}\n\n", shown(&error.message, 200)))?;
                    }
                }
            }
            Answer::Skipped => {
                print("  skipped\n\n")?;
            }
            Answer::Enough => break,
        }
    }
    let left = count - done;
    let left = match left {
        0 => String::new(),
        left => format!("{} left as it is\n", counted(left, "question", "questions")),
    };
    let told = if done == 0 { "nothing was decided\n".to_owned() } else { for_the_next_run(done) };
    print(&(told + &left))?;
    Ok(0)
}

/// In the order in which they are listed.
fn in_order(asked: Vec<(&Waiting, Entry)>) -> Vec<(&Waiting, Entry)> {
    let (waiting, mut entries): (Vec<&Waiting>, Vec<Entry>) = asked.into_iter().unzip();
    sort(&mut entries);
    let find = |entry: &Entry| waiting.iter().find(|one| question_id(one) == entry.id).copied();
    entries.into_iter().filter_map(|entry| Some((find(&entry)?, entry))).collect()
}

/// A question, with what there is to know.
fn question(
    state: &State,
    waiting: &Waiting,
    entry: &Entry,
    (at, count): (usize, usize),
) -> String {
    let mut text = format!("{at} of {count}  {}", entry.who());
    if !entry.field.is_empty() {
        let _ = write!(text, "  {}", entry.field);
    }
    text.push('\n');
    match &waiting.kind {
        WaitingKind::Conflict { base, source, linq, .. } => {
            text += &beside([("source", source), ("Linq", linq), ("last synced", base)]);
        }
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            let _ = writeln!(text, "  {} → {}", quoted(&change.from), quoted(&change.to));
        }
        WaitingKind::Ambiguous { candidates } => {
            for (number, id) in (1..=9).zip(candidates) {
                let _ = writeln!(text, "  [{number}] contact {id}{}", known(state, *id));
            }
        }
        WaitingKind::HeldDeletion { .. } | WaitingKind::Rejected { .. } => {}
    }
    let _ = writeln!(text, "  {}", wrapped(&shown(&entry.reason, 200), 2));
    if !entry.decision.is_empty() {
        let _ = writeln!(text, "  decided so far: {}", entry.decision);
    }
    text + "  " + &keys(&waiting.kind) + "\n"
}

/// What Linq knows of a candidate.
fn known(state: &State, id: LinqId) -> String {
    let Ok(Some(contact)) = state.contact(id) else { return String::new() };
    let values = &contact.values;
    let more: Vec<String> = values
        .filled()
        .iter()
        .filter(|field| !matches!(field.name(), "first_name" | "last_name" | "owner"))
        .map(|field| shown(&values[field], 30))
        .collect();
    format!(": {} {}", shown(&values.display_name(), 40), more.join(", "))
}

/// Values in columns side by side; below one another where they are too long for that.
fn beside(values: [(&str, &str); 3]) -> String {
    const WIDTH: usize = 24;
    let cells = values.map(|(name, value)| (name, quoted(value)));
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
fn keys(kind: &WaitingKind) -> String {
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

fn does(kind: &WaitingKind, key: char) -> Option<Does> {
    let key = key.to_ascii_lowercase();
    match (key, kind) {
        ('n', _) => Some(Does::Skip),
        ('q', _) => Some(Does::Quit),
        ('s', WaitingKind::Conflict { .. }) => {
            Some(Does::Decide(Decision::Take { side: Side::Source }))
        }
        ('l', WaitingKind::Conflict { .. }) => {
            Some(Does::Decide(Decision::Take { side: Side::Linq }))
        }
        ('e', WaitingKind::Conflict { source, .. }) => Some(Does::Edit(source.clone())),
        ('x', WaitingKind::Ambiguous { .. }) => Some(Does::Decide(Decision::Separate)),
        ('1'..='9', WaitingKind::Ambiguous { candidates }) => {
            let at = key.to_digit(10).map_or(0, |digit| digit as usize);
            let linq_id = *candidates.get(at.checked_sub(1)?)?;
            Some(Does::Decide(Decision::Link { linq_id }))
        }
        ('a', kind) if kind.is_held() => Some(Does::Decide(Decision::Approve)),
        ('r', kind) if kind.is_held() => Some(Does::Decide(Decision::Reject)),
        ('t', kind) if kind.is_refused() => Some(Does::Decide(Decision::Retry)),
        (_, _) => None,
    }
}

/// Waits for an answer that fits.
fn answer(questions: &Questions, waiting: &Waiting) -> anyhow::Result<Answer> {
    let terminal = Term::stdout();
    loop {
        let key = terminal.read_key()?;
        let pressed = if let Key::Char(key) = key {
            does(&waiting.kind, key)
        } else {
            matches!(key, Key::Escape | Key::CtrlC).then_some(Does::Quit)
        };
        let decision = match pressed {
            Some(Does::Decide(decision)) => decision,
            Some(Does::Edit(value)) => Decision::Value { value: edited(&terminal, value)? },
            Some(Does::Skip) => return Ok(Answer::Skipped),
            Some(Does::Quit) => return Ok(Answer::Enough),
            None => {
                print(&format!("  {}\n", keys(&waiting.kind)))?;
                continue;
            }
        };
        match questions.allows(waiting, &decision) {
            Ok(()) => return Ok(Answer::Decided(decision)),
            Err(problem) => print(&format!("  {}\n", wrapped(&problem, 2)))?,
        }
    }
}

/// A value that a person types, beginning with one that is there.
fn edited(terminal: &Term, value: String) -> anyhow::Result<String> {
    let input = Input::<String>::new().with_prompt("  value").allow_empty(true);
    // Nothing of a contact acts on the terminal.
    let is_plain = shown(&value, usize::MAX) == value;
    let value = if is_plain { value } else { String::new() };
    Ok(input.with_initial_text(value).interact_text_on(terminal)?.trim().to_owned())
}
