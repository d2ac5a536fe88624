//! A decision in a word, as a table or a page has it.

use super::decision_choices;
use crate::model::{Decision, LinqId, Side, Waiting, WaitingKind};
use crate::text::shown_text;

/// The decision about `waiting` that `text` names, with `value` where it takes one.
///
/// # Errors
/// Why it is none, for people.
pub(crate) fn decision_of(text: &str, value: &str, waiting: &Waiting) -> Result<Decision, String> {
    let words = text.to_lowercase();
    let (word, rest) = words.split_once(char::is_whitespace).unwrap_or((&words, ""));
    let choices = decision_choices(&waiting.kind);
    let unknown = || {
        let of = shown_text(text, 40);
        if choices.is_empty() {
            format!("`{of}` cannot be decided: correct it in the source, and the next run reads it")
        } else {
            format!("`{of}` is no decision here; write one of: {}", choices.join(", "))
        }
    };
    let is_choice = choices.iter().any(|choice| choice.split(' ').next() == Some(word));
    if !is_choice || (!rest.is_empty() && word != "link") {
        return Err(unknown());
    }
    Ok(match word {
        "source" => Decision::Take { side: Side::Source },
        "linq" => Decision::Take { side: Side::Linq },
        "clear" => Decision::Value { value: String::new() },
        "value" if value.trim().is_empty() => {
            return Err("`value` is empty; `clear` as the decision clears the field".to_owned());
        }
        "value" => Decision::Value { value: value.trim().to_owned() },
        "link" => Decision::Link { linq_id: candidate(rest, waiting).ok_or_else(unknown)? },
        "separate" => Decision::Separate,
        "approve" => Decision::Approve,
        "reject" => Decision::Reject,
        "retry" => Decision::Retry,
        _ => return Err(unknown()),
    })
}

/// The contact that `link` names: without an id the only candidate.
fn candidate(text: &str, waiting: &Waiting) -> Option<LinqId> {
    let WaitingKind::Ambiguous { candidates } = &waiting.kind else { return None };
    match (text.trim(), candidates.as_slice()) {
        ("", [only]) => Some(*only),
        ("", _) => None,
        (id, _) => id.parse().ok().map(LinqId),
    }
}
