//! The lists of what waits, as pages and as tables.

use askama::Template;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::deciding::{digest, listed};
use super::frame::{self, Frame, WIDTH, page, questions, state, unreadable, value};
use super::guarded::{Answer, Visit, with_type};
use crate::decisions::{AttentionEntry, ListState, decision_choices, list_of, sort_entries, table};
use crate::model::{Field, LinqId, RecordIndex, Side, Values, Waiting, WaitingKind};
use crate::plan::find_duplicates;
use crate::source::SourceAccess;
use crate::text::shown_text;

/// How many questions are on a page.
const ON_A_PAGE: usize = 100;

/// A question, as a page shows it.
pub(super) struct Question {
    pub(super) token: String,
    pub(super) contact: Option<LinqId>,
    pub(super) who: String,
    pub(super) field: String,
    pub(super) reason: String,
    pub(super) values: Vec<(&'static str, String)>,
    pub(super) decided: Option<String>,
    pub(super) choices: Vec<InboxChoice>,
    pub(super) takes_value: bool,
}

/// What may be chosen.
pub(super) struct InboxChoice {
    pub(super) word: String,
    pub(super) label: String,
}

impl Question {
    pub(super) fn of((token, entry, waiting): &(String, AttentionEntry, &Waiting)) -> Question {
        let words = decision_choices(&waiting.kind);
        let takes_value = words.iter().any(|word| word == "value");
        let place = &entry.place;
        let who = match (entry.name.is_empty(), place.is_empty()) {
            (false, false) => format!("{} ({place})", entry.name),
            (false, true) => entry.name.clone(),
            (true, false) => place.clone(),
            (true, true) => format!("line {}", entry.line),
        };
        let decided = (!entry.decision.is_empty()).then(|| {
            let by = entry.by();
            let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
            shown_text(&format!("Decided{by}: {} {}", entry.decision, entry.value), WIDTH)
                + "; the next run carries it out"
        });
        Question {
            token: token.clone(),
            contact: waiting.linq_id,
            who: shown_text(&who, 120),
            field: entry.field.clone(),
            reason: shown_text(&entry.reason, WIDTH),
            values: values(entry, waiting),
            decided,
            choices: words
                .into_iter()
                .map(|word| InboxChoice { label: said(&word, waiting), word })
                .collect(),
            takes_value,
        }
    }
}

fn values(entry: &AttentionEntry, waiting: &Waiting) -> Vec<(&'static str, String)> {
    let mut shown_values = Vec::new();
    match &waiting.kind {
        WaitingKind::Conflict { .. } => {
            shown_values.push(("Source", value(&entry.source_value)));
            shown_values.push(("Linq", value(&entry.linq_value)));
            shown_values.push(("Last synced", value(&entry.last_synced)));
        }
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            shown_values.push(("Now", value(&change.from)));
            shown_values.push(("Then", value(&change.to)));
        }
        WaitingKind::Rejected { .. } => {
            if let Some(text) = &waiting.value {
                shown_values.push(("Value", value(text)));
            }
            if !entry.cell.is_empty() {
                shown_values.push(("Cell", value(&entry.cell)));
            }
        }
        WaitingKind::Ambiguous { .. } | WaitingKind::HeldDeletion { .. } => {}
    }
    for (name, field) in [("E-mail", Field::Email), ("Phone", Field::PhoneNumber)] {
        let text = &waiting.person[field];
        if !text.trim().is_empty() {
            shown_values.push((name, value(text)));
        }
    }
    shown_values
}

/// A choice in words.
fn said(word: &str, waiting: &Waiting) -> String {
    let held = match &waiting.kind {
        WaitingKind::HeldDeletion { side } => Some((
            format!("approve: delete in {side}"),
            format!("reject: keep in {side}, and bring back on the other side"),
        )),
        WaitingKind::HeldClearing { side, .. } => {
            Some((format!("approve: clear in {side}"), "reject: put the value back".to_owned()))
        }
        WaitingKind::HeldChange { side, .. } => {
            Some((format!("approve: change in {side}"), "reject: put the value back".to_owned()))
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => None,
    };
    match (word, held) {
        ("approve", Some((approve, _))) => approve,
        ("reject", Some((_, reject))) => reject,
        ("source", _) => "take the source's value".to_owned(),
        ("linq", _) => "take Linq's value".to_owned(),
        ("value", _) => "another value".to_owned(),
        ("clear", _) => "clear the field".to_owned(),
        ("retry", _) => "send it again".to_owned(),
        ("separate", _) => "somebody else: create it in Linq".to_owned(),
        (link, _) => link.replacen("link ", "it is contact ", 1),
    }
}

/// A choice for a whole list.
fn whole(list: ListState) -> Vec<InboxChoice> {
    let words: &[(&str, &str)] = match list {
        ListState::Held => &[("approve", "approve all"), ("reject", "reject all")],
        ListState::Conflicts => {
            &[("source", "take the source's values"), ("linq", "take Linq's values")]
        }
        ListState::Rejected => &[("retry", "send again what can be")],
        ListState::Ambiguous | ListState::Duplicates | ListState::InSync | ListState::Ignored => {
            &[]
        }
    };
    let choice = |(word, label): &(&str, &str)| InboxChoice {
        word: (*word).to_owned(),
        label: (*label).to_owned(),
    };
    words.iter().map(choice).collect()
}

#[derive(Template)]
#[template(path = "list.html")]
struct List {
    frame: Frame,
    heading: &'static str,
    about: &'static str,
    questions: Vec<Question>,
    total: usize,
    part: usize,
    pages: usize,
    whole: Vec<InboxChoice>,
    digest: String,
}

/// The page of a list.
pub(super) fn list(visit: &Visit<'_>, list: ListState) -> Answer {
    let (questions, decided) = match questions(visit) {
        Ok(questions) => questions,
        Err(problem) => return *problem,
    };
    let all = listed(&questions.waiting, &decided, |waiting| list_of(&waiting.kind) == list);
    let digest = digest(all.iter().map(|(token, ..)| token.as_str()));
    let pages = all.len().div_ceil(ON_A_PAGE).max(1);
    let part = visit.query.get("part").parse().unwrap_or(1).clamp(1, pages);
    let on_it = all.iter().skip((part - 1) * ON_A_PAGE).take(ON_A_PAGE).map(Question::of);
    let template = List {
        frame: Frame::of(visit, list.name()),
        heading: frame::label(list),
        about: about(list),
        questions: on_it.collect(),
        total: all.len(),
        part,
        pages,
        whole: if all.is_empty() { Vec::new() } else { whole(list) },
        digest,
    };
    page(StatusCode::OK, &template)
}

const fn about(list: ListState) -> &'static str {
    match list {
        ListState::Held => {
            "Many deletions, clearings or changes at once, which may be a mistake. Approve what is \
             meant; reject what is not, and it is put back where it was done."
        }
        ListState::Conflicts => {
            "The same field was changed on both sides. Choose the value that both are to have."
        }
        ListState::Ambiguous => {
            "It cannot be told whether a record is a contact that is in Linq already."
        }
        ListState::Rejected => {
            "What one side does not take as it is. A value is corrected where it stands, in the \
             spreadsheet or card or in Linq, and not on this page; the next run then takes it. \
             “Send it again” is for a value that is right, or that was corrected meanwhile."
        }
        ListState::Duplicates | ListState::InSync | ListState::Ignored => "",
    }
}

/// A list as a table, the same as `list --csv`; `None` for all of them.
pub(super) fn csv(visit: &Visit<'_>, list: Option<ListState>) -> Answer {
    let (questions, decided) = match questions(visit) {
        Ok(questions) => questions,
        Err(problem) => return *problem,
    };
    let is_meant = |waiting: &&Waiting| list.is_none_or(|list| list_of(&waiting.kind) == list);
    let of = |waiting: &Waiting| {
        AttentionEntry::from_waiting(waiting, decided.get(&waiting.question_id))
    };
    let mut entries: Vec<AttentionEntry> =
        questions.waiting.iter().filter(is_meant).map(of).collect();
    sort_entries(&mut entries);
    let bytes = table::write_table(table::COLUMNS, entries.iter().map(AttentionEntry::table_row));
    let mut answer = with_type(StatusCode::OK, "text/csv; charset=utf-8", Bytes::from(bytes));
    let name = HeaderValue::from_static("attachment; filename=\"linqsync.csv\"");
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    answer
}

/// Contacts that look like one another.
struct LookAlikes {
    side: Side,
    members: Vec<ContactLine>,
}

/// Somebody on a list of people.
pub(super) struct ContactLine {
    pub(super) id: Option<LinqId>,
    pub(super) text: String,
}

#[derive(Template)]
#[template(path = "duplicates.html")]
struct DuplicatesPage {
    frame: Frame,
    problem: Option<String>,
    groups: Vec<LookAlikes>,
}

/// The page of duplicates.
pub(super) fn twice(visit: &Visit<'_>) -> Answer {
    let state = match state(visit) {
        Ok(state) => state,
        Err(problem) => return *problem,
    };
    let canon = visit.config.policy().canon;
    let contacts = match state.contacts() {
        Ok(contacts) => contacts,
        Err(error) => return unreadable(visit, &error),
    };
    let people: Vec<(LinqId, &Values)> = contacts.iter().map(|(id, c)| (*id, &c.values)).collect();
    let mut groups: Vec<LookAlikes> = Vec::new();
    for ids in find_duplicates(&people, canon) {
        let member = |id: &LinqId| {
            let values = contacts.get(id).map(|contact| contact.values.clone());
            ContactLine {
                id: Some(*id),
                text: described(&values.unwrap_or_default(), &format!("id {id}")),
            }
        };
        groups.push(LookAlikes { side: Side::Linq, members: ids.iter().map(member).collect() });
    }
    let problem =
        match crate::open::open_source(visit.config, SourceAccess::ReadOnly).read_records() {
            Ok(reading) => {
                let records: Vec<(RecordIndex, &Values)> =
                    reading.records.iter().map(|record| (record.index, &record.values)).collect();
                let of = |at: RecordIndex| reading.records.iter().find(|record| record.index == at);
                for rows in find_duplicates(&records, canon) {
                    let member = |record: &crate::model::SourceRecord| ContactLine {
                        id: None,
                        text: described(&record.values, &record.name_in_source()),
                    };
                    let members = rows.iter().filter_map(|at| of(*at)).map(member).collect();
                    groups.push(LookAlikes { side: Side::Source, members });
                }
                None
            }
            Err(_) => Some("The source cannot be read; `linqsync check` says why.".to_owned()),
        };
    page(StatusCode::OK, &DuplicatesPage { frame: Frame::of(visit, "duplicates"), problem, groups })
}

/// Somebody in a line.
pub(super) fn described(values: &Values, place: &str) -> String {
    let by = [Field::Email, Field::PhoneNumber, Field::Company];
    let mut parts = vec![values.display_name()];
    parts.extend(by.iter().map(|field| values[*field].trim().to_owned()));
    parts.push(place.to_owned());
    parts.retain(|part| !part.is_empty());
    parts.dedup();
    shown_text(&parts.join(", "), WIDTH)
}
