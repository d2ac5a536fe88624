//! What a plan consists of: steps, as data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::disposition::Standings;
use crate::model::{
    Agreement, Base, ConflictPolicy, Exclusion, Field, FieldChange, Fingerprint, IntentId, LinkId,
    LinqId, RecordIndex, RunId, Side, Values,
};

/// Everything one run is going to do, and everything that waits.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The steps: linked pairs by link, then records in the order of the source,
    /// then contacts by id. At most one for each pair, record or contact.
    pub steps: Vec<Step>,
    /// How the linked pairs stand.
    pub standings: Standings,
    /// Records that wait for a whole listing which may never come.
    pub delayed: usize,
    /// Writes to the source that are left out, because it must not be written now.
    pub postponed: usize,
    /// Why nothing at all is written, if so.
    pub halt: Option<String>,
    /// Linked records whose bytes or key are not those that their link remembers.
    pub rewritten: Vec<(LinkId, RecordIndex)>,
    /// Refusals of Linq that still stand, since what would be sent is the same.
    pub refused: Vec<Fingerprint>,
    /// Records without name, e-mail and phone that are known not to be anybody.
    pub nobodies: Vec<RecordIndex>,
    /// Intents of earlier runs that nothing is left to be done for.
    pub settled: Vec<IntentId>,
    /// How many records and contacts take no part, the source first.
    pub outside: [usize; 2],
    /// What people should know although it needs no step.
    pub notices: Vec<String>,
    /// What was asked for and is not done, since things are not as they were.
    pub skipped: Vec<Skipped>,
}

/// Something that was asked for and is not done.
#[derive(Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Whom it is about.
    pub subject: Subject,
    /// What is not done, and why, for people.
    pub why: String,
}

impl fmt::Debug for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Skipped({:?}, {})", self.subject.linq_id, self.why)
    }
}

/// What is to be done for one person: at most one write to each side, what
/// becomes of the link, and what waits.
#[derive(Clone, Debug)]
pub struct Step {
    /// Whom it is about.
    pub subject: Subject,
    /// The write to Linq.
    pub linq: Option<LinqWrite>,
    /// The write to the source.
    pub source: Option<SourceWrite>,
    /// What becomes of the link, apart from what the writes bring about.
    pub link: LinkPlan,
    /// What is not done, and why.
    pub waits: Vec<Wait>,
    /// Why the step is there.
    pub reason: StepReason,
    /// Why its fields are written, where that is told for each.
    pub why: BTreeMap<Field, FieldReason>,
    /// Whether a person has approved its deletion.
    pub approved: bool,
    /// The decisions of people that it carries out.
    pub decided: Vec<CarriedOut>,
}

/// A decision of a person that a step carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarriedOut {
    /// What was decided, by [`crate::model::Waiting::question_id`].
    pub question_id: Fingerprint,
    /// The field; `None` where it is about the whole contact.
    pub field: Option<Field>,
}

/// Whom a step is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The link, if the pair is linked already.
    pub link: Option<LinkId>,
    /// The contact in Linq, if there is one.
    pub linq_id: Option<LinqId>,
    /// The record in the source, if there is one.
    pub record: Option<RecordIndex>,
    /// How the source names the record.
    pub source_key: Option<String>,
    /// The line on which the record begins.
    pub line: Option<u32>,
    /// A name for people.
    pub name: String,
}

/// A write to Linq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinqWrite {
    /// Creates a contact, unless Linq turns out to have it.
    Create {
        /// Its values; the owner is in `user_email` instead.
        values: Values,
        /// The user who is to own it; `None` leaves that to Linq.
        user_email: Option<String>,
        /// The unanswered create of an earlier run that this one repeats: it is
        /// looked for before anything is sent.
        doubt: Option<IntentId>,
    },
    /// Changes some fields of a contact.
    Update {
        /// The contact.
        id: LinqId,
        /// The fields, at least one.
        set: Vec<FieldChange>,
        /// The contact as it was seen; if it differs by now, the step is void.
        expected: Values,
    },
    /// Deletes a contact, for everybody and for good.
    Delete {
        /// The contact.
        id: LinqId,
        /// The contact as it was seen; if it differs by now, the step is void.
        expected: Values,
    },
}

/// A write to the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceWrite {
    /// Adds a record for a contact.
    Create {
        /// Its values.
        values: Values,
        /// The contact.
        linq_id: LinqId,
    },
    /// Changes some fields of a record.
    Update {
        /// The record.
        at: RecordIndex,
        /// The fields; may be empty when only the id column is filled.
        set: Vec<FieldChange>,
        /// The id to keep in the id column.
        linq_id: Option<LinqId>,
    },
    /// Removes a record.
    Delete {
        /// The record.
        at: RecordIndex,
    },
}

/// What becomes of a link, apart from what the writes bring about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkPlan {
    /// It stays, or there is none.
    #[default]
    Keep,
    /// The two sides agree on further fields.
    Agree(Vec<(Field, Agreement)>),
    /// A record and a contact that are the same person are linked.
    Join {
        /// What they agree on already.
        base: Box<Base>,
        /// The unanswered create of an earlier run that is answered by this.
        doubt: Option<IntentId>,
    },
    /// The writes put back what both sides had: with them, the base becomes this.
    PutBack(Box<Base>),
    /// Both halves are back: the released pair is kept the same again.
    Relink(Vec<(Field, Agreement)>),
    /// One half is gone and stays gone: the other is left alone from now on.
    Release,
    /// The pair takes no part, for this reason: it is left alone until it does again.
    Exclude(Exclusion),
    /// Both halves are gone.
    Forget,
    /// The deletion was seen for the first time, on this side.
    Missing(Side),
    /// What seemed to be gone is there again.
    Found,
}

impl LinkPlan {
    /// Whether the pair is left alone from now on.
    pub const fn releases(&self) -> bool {
        match self {
            LinkPlan::Release | LinkPlan::Exclude(_) => true,
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::PutBack(_)
            | LinkPlan::Relink(_)
            | LinkPlan::Forget
            | LinkPlan::Missing(_)
            | LinkPlan::Found => false,
        }
    }
}

/// Something that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The two sides differ in a field, and a person decides.
    Conflict {
        /// The field.
        field: Field,
        /// What both sides agreed on last, in Linq's spelling; empty if nothing.
        base: String,
        /// The source's value.
        source: String,
        /// Linq's value.
        linq: String,
        /// What clashes.
        clash: Clash,
    },
    /// It cannot be told who this is; a person decides.
    Ambiguous {
        /// The contacts that it may be.
        candidates: Vec<LinqId>,
    },
    /// A deletion on this side waits for approval.
    HeldDeletion(Side),
    /// Clearing a field on this side waits for approval.
    HeldClearing(Side, FieldChange),
    /// Changing a field on this side waits for approval.
    HeldChange {
        /// The side.
        side: Side,
        /// The field and both values.
        change: FieldChange,
        /// Why, for people.
        reason: String,
    },
    /// A field, or the whole contact, cannot be synchronised as it is.
    Rejected {
        /// The field; `None` for the whole contact.
        field: Option<Field>,
        /// Why, for people.
        reason: String,
        /// What was refused, if a side refused it.
        refusal: Option<Fingerprint>,
        /// The side that cannot take it.
        side: Side,
    },
    /// A deletion on this side waits until it has been seen for long enough.
    Grace(Side),
}

impl Wait {
    /// A field, or the whole contact, that is not sent to Linq as it is.
    pub fn for_unsendable(field: Option<Field>, reason: &str) -> Wait {
        Wait::Rejected { field, reason: reason.to_owned(), refusal: None, side: Side::Linq }
    }
}

/// Why a person has to decide about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// Both sides changed it.
    BothEdited,
    /// Both have a value, and were not yet one person when they got it.
    NeverAgreed,
    /// The source's value is read under other settings than what was agreed on.
    ReadAnew,
    /// What was written to this side was changed back there, again and again.
    ChangedBack(Side),
}

impl Clash {
    /// Why `field` waits, for people.
    pub fn clash_reason(self, field: Field) -> String {
        match self {
            Clash::BothEdited => format!("{field} was edited on both sides"),
            Clash::NeverAgreed => format!("{field} is not the same on both sides"),
            Clash::ReadAnew => format!(
                "{field} is not the same on both sides since the settings or the columns of \
                 the source were changed"
            ),
            Clash::ChangedBack(side) => format!(
                "something in {side} keeps changing {field} back, so it is not written any \
                 more: edit it on one side, or resolve it"
            ),
        }
    }
}

/// Why a step is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepReason {
    /// One of the reasons that need no further words.
    Rule(PlanRule),
    /// A record and a contact were recognised as one person by this.
    Matched(Tier),
    /// Words of their own.
    Because(String),
    /// What this run did is put back.
    Undo(RunId),
}

/// Why a field is written. The fields of one step may have different reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldReason {
    /// It was edited on this side only.
    Edited(Side),
    /// This side has it, the other one has none, and neither was edited.
    Filled(Side),
    /// The two sides clash, and `sync.on_conflict` says that this one is right.
    Policy(Clash, ConflictPolicy, Side),
    /// It was edited on this side, while on the other one a value was only changed back.
    NewAgainstOld(Side),
    /// Linq chose an owner itself.
    ChosenByLinq,
    /// A person decided a conflict in favour of this side, or of another value.
    Resolved(Option<Side>),
    /// A person rejected the edit on this side.
    Rejected(Side),
    /// Linq did not take it, and a person wants it to be sent again.
    SentAgain,
}

/// The rules of the decision table, and those for what is not linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanRule {
    /// New in the source.
    NewInSource,
    /// New in Linq.
    NewInLinq,
    /// Edited in the source only.
    EditedInSource,
    /// Edited in Linq only.
    EditedInLinq,
    /// Edited on both sides.
    EditedOnBoth,
    /// Deleted in the source, unchanged in Linq.
    DeletedInSource,
    /// Deleted in Linq, unchanged in the source.
    DeletedInLinq,
    /// Deleted in the source, edited in Linq.
    EditBeatsDeletionInSource,
    /// Deleted in Linq, edited in the source.
    EditBeatsDeletionInLinq,
    /// Deleted on both sides.
    DeletedOnBoth,
    /// Outside the configured scope from now on.
    LeftScope,
    /// The record is outside the selection of the source from now on.
    LeftSelection,
    /// A deletion or a change that a person has rejected.
    Rejected,
    /// A released pair whose halves are both there again.
    BackAgain,
    /// Linked and unchanged, with a field that waits or an id to fill in.
    Unchanged,
}

/// What a record and a contact were matched by, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The journal of an interrupted run.
    Journal,
    /// The id column.
    Id,
    /// The e-mail address.
    Email,
    /// The phone number, with a first name that agrees.
    Phone,
    /// First name, last name and company.
    Name,
    /// Every field that the source carries.
    EveryField,
    /// The decision of a person.
    Decision,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Journal => "what an interrupted run had begun",
            Tier::Id => "the id column",
            Tier::Email => "e-mail",
            Tier::Phone => "phone and first name",
            Tier::Name => "name and company",
            Tier::EveryField => "every field",
            Tier::Decision => "a person's decision",
        })
    }
}

impl fmt::Display for StepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepReason::Rule(rule) => rule.fmt(f),
            StepReason::Matched(tier) => write!(f, "the same person on both sides, by {tier}"),
            StepReason::Because(words) => f.write_str(words),
            StepReason::Undo(run) => write!(f, "put back as it was before run {run}"),
        }
    }
}

impl fmt::Display for FieldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldReason::Edited(Side::Source) => f.write_str("edited in the source"),
            FieldReason::Edited(Side::Linq) => f.write_str("edited in Linq"),
            FieldReason::Filled(Side::Source) => f.write_str("filled from the source"),
            FieldReason::Filled(Side::Linq) => f.write_str("filled from Linq"),
            FieldReason::Policy(clash, policy, winner) => {
                let clash = match clash {
                    Clash::BothEdited => "edited on both sides",
                    Clash::NeverAgreed | Clash::ReadAnew | Clash::ChangedBack(_) => {
                        "not the same on both sides"
                    }
                };
                write!(f, "{clash}: {winner} wins by sync.on_conflict = \"{}\"", policy.name())
            }
            FieldReason::NewAgainstOld(side) => {
                write!(f, "edited in {side}; the other side had only changed an earlier value back")
            }
            FieldReason::ChosenByLinq => f.write_str("Linq chose this owner itself"),
            FieldReason::Resolved(Some(side)) => write!(f, "conflict resolved: {side} is right"),
            FieldReason::Resolved(None) => f.write_str("conflict resolved with another value"),
            FieldReason::Rejected(side) => {
                write!(f, "put back: a person rejected the edit in {side}")
            }
            FieldReason::SentAgain => f.write_str("sent again, since Linq had not taken it"),
        }
    }
}

impl fmt::Display for PlanRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlanRule::NewInSource => "new in the source",
            PlanRule::NewInLinq => "new in Linq",
            PlanRule::EditedInSource => "edited in the source",
            PlanRule::EditedInLinq => "edited in Linq",
            PlanRule::EditedOnBoth => "edited on both sides",
            PlanRule::DeletedInSource => "deleted in the source",
            PlanRule::DeletedInLinq => "deleted in Linq",
            PlanRule::EditBeatsDeletionInSource => {
                "deleted in the source and edited in Linq: the edit wins"
            }
            PlanRule::EditBeatsDeletionInLinq => {
                "deleted in Linq and edited in the source: the edit wins"
            }
            PlanRule::DeletedOnBoth => "deleted on both sides",
            PlanRule::LeftScope => "no longer owned by a user in `linq.scope`",
            PlanRule::LeftSelection => "the row or card takes no part any more (source.only)",
            PlanRule::Rejected => "put back: a person rejected what was done",
            PlanRule::BackAgain => "back on both sides",
            PlanRule::Unchanged => "unchanged",
        })
    }
}

impl Step {
    /// A step about `subject` that does nothing yet.
    pub fn new(subject: Subject, reason: StepReason) -> Step {
        Step {
            subject,
            linq: None,
            source: None,
            link: LinkPlan::Keep,
            waits: Vec::new(),
            reason,
            why: BTreeMap::new(),
            approved: false,
            decided: Vec::new(),
        }
    }

    /// A step about nobody that does nothing.
    pub(super) fn empty_step() -> Step {
        Step::new(Subject::default(), StepReason::Rule(PlanRule::Unchanged))
    }

    /// Whether the step neither does anything nor lets anything wait.
    pub fn is_empty(&self) -> bool {
        !self.has_effect() && self.waits.is_empty()
    }

    /// Whether carrying out the step changes anything on either side or in the state.
    pub fn has_effect(&self) -> bool {
        self.linq.is_some() || self.source.is_some() || self.link != LinkPlan::Keep
    }

    /// Takes out all that the step does, and whatever waits to be done by it.
    pub(super) fn clear_actions(&mut self) {
        self.linq = None;
        self.source = None;
        self.link = LinkPlan::Keep;
        self.waits.retain(|wait| !matches!(wait, Wait::HeldDeletion(_) | Wait::Grace(_)));
    }

    /// Whether a person has decided all of the changes in `set`.
    pub fn is_all_decided(&self, set: &[FieldChange]) -> bool {
        set.iter().all(|change| self.decided.iter().any(|one| one.field == Some(change.field)))
    }

    /// Why it writes `field`, for people.
    pub fn reason_of(&self, field: Field) -> String {
        self.why.get(&field).map_or_else(|| self.reason.to_string(), ToString::to_string)
    }

    /// Why it writes the fields of `set`, for people: each reason once.
    pub fn reason_for(&self, set: &[FieldChange]) -> String {
        let mut reasons: Vec<String> = Vec::new();
        for reason in set.iter().map(|change| self.reason_of(change.field)) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        if reasons.is_empty() { self.reason.to_string() } else { reasons.join("; ") }
    }

    /// The fields that it changes on `side`.
    pub fn changes_on(&self, side: Side) -> &[FieldChange] {
        match side {
            Side::Linq => match &self.linq {
                Some(LinqWrite::Update { set, .. }) => set,
                Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) | None => &[],
            },
            Side::Source => match &self.source {
                Some(SourceWrite::Update { set, .. }) => set,
                Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) | None => &[],
            },
        }
    }

    /// The side from which the step deletes, if it does.
    pub fn deletes_on(&self) -> Option<Side> {
        match (&self.linq, &self.source) {
            (Some(LinqWrite::Delete { .. }), _) => Some(Side::Linq),
            (_, Some(SourceWrite::Delete { .. })) => Some(Side::Source),
            _ => None,
        }
    }
}

impl LinqWrite {
    /// What Linq would be asked to store, as a fingerprint: by it a write is known that Linq
    /// refused as a whole.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut content: BTreeMap<&str, String> = BTreeMap::new();
        let mut put = |field: Field, text: &str| content.insert(field.name(), text.to_owned());
        match self {
            LinqWrite::Create { values, user_email, .. } => {
                for field in values.filled_fields().iter() {
                    put(field, &values[field]);
                }
                if let Some(owner) = user_email {
                    put(Field::Owner, owner);
                }
                content.insert("", "create".to_owned());
            }
            LinqWrite::Update { id, set, .. } => {
                for change in set {
                    put(change.field, &change.to);
                }
                content.insert("", format!("update {id}"));
            }
            LinqWrite::Delete { id, .. } => {
                content.insert("", format!("delete {id}"));
            }
        }
        let mut hasher = blake3::Hasher::new();
        for (name, text) in &content {
            for part in [name.as_bytes(), text.as_bytes()] {
                hasher.update(&part.len().to_le_bytes());
                hasher.update(part);
            }
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }
}
