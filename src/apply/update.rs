//! Updates in Linq: the fields that changed, without those that Linq refuses.
//!
//! Owns the order of the attempts: as little as possible is left out, and what was certainly
//! refused is tried in smaller parts. Leaves one attempt to [`super::patch`], and who is to
//! blame to [`super::refused`].

use crate::linq::{Fetched, Reason, Rejection};
use crate::mirror::{IntentKind, IntentOutcome};
use crate::model::{Base, Change, FieldSet, IntentId, LinqId, Values};
use crate::plan::{LinkPlan, LinqWrite, Step};
use crate::record::{Parts, RefusedField};

use super::change::{Before, Reread, Sent};
use super::patch::carried;
use super::refused::{Blame, blame, reason, refused};
use super::{Apply, Halt, Outcome};

/// An update in the making: it is sent whole, and in parts once Linq has refused it.
struct Updating<'a> {
    step: &'a Step,
    write: &'a LinqWrite,
    id: LinqId,
    set: &'a [Change],
    /// What the contact has by now.
    current: Values,
    /// What is still to be sent, the next part last.
    parts: Vec<Vec<Change>>,
    /// Fields that are not sent along, since Linq refuses what the contact has in them.
    avoided: FieldSet,
    refused: Vec<RefusedField>,
    agreed: Base,
    landed: Option<Fetched>,
    /// Whether parts were tried because Linq did not say what it refused.
    tried_parts: bool,
}

/// What became of one part of an update.
enum Part {
    /// It landed, or was taken apart: on to the next.
    GoesOn,
    /// The update ends with this.
    Ends(Box<Outcome>),
}

impl Apply<'_> {
    pub(super) async fn update(
        &self,
        step: &Step,
        write: &LinqWrite,
        id: LinqId,
        set: &[Change],
        expected: &Values,
    ) -> Result<Outcome, Halt> {
        let current = match self.before(id, expected, Reread::IfOld).await? {
            Before::Changed(fetched) => return self.stale(fetched),
            Before::Nothing => return Ok(Outcome::Vanished(id)),
            Before::Unproven => return Ok(Outcome::Hidden),
            Before::Expected(fetched) => fetched.contact.values,
            Before::Trusted => expected.clone(),
        };
        let mut updating = Updating {
            step,
            write,
            id,
            set,
            current,
            parts: vec![set.to_vec()],
            avoided: FieldSet::EMPTY,
            refused: Vec::new(),
            agreed: Base::default(),
            landed: None,
            tried_parts: false,
        };
        while let Some(part) = updating.parts.pop() {
            if let Part::Ends(outcome) = self.update_part(&mut updating, part).await? {
                self.record_refused(&updating)?;
                return Ok(*outcome);
            }
        }
        self.record_refused(&updating)?;
        if updating.tried_parts {
            self.learned.tried(updating.landed.is_some());
        }
        Ok(updating.landed.map_or(Outcome::Refused, Outcome::Updated))
    }

    fn record_refused(&self, updating: &Updating<'_>) -> Result<(), Halt> {
        let Updating { step, id, refused, .. } = updating;
        if refused.is_empty() {
            return Ok(());
        }
        Ok(self.recorder().refused_fields(step, *id, refused, self.now())?)
    }

    async fn update_part(
        &self,
        updating: &mut Updating<'_>,
        part: Vec<Change>,
    ) -> Result<Part, Halt> {
        let Updating { step, write, id, .. } = *updating;
        let base = match &step.link {
            LinkPlan::PutBack(base) => base.as_ref().clone(),
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::Relink(_)
            | LinkPlan::Release
            | LinkPlan::Forget
            | LinkPlan::Missing(_)
            | LinkPlan::Found => Base::default(),
        };
        let kind = IntentKind::UpdateInLinq { linq_id: id, changes: part.clone(), base };
        let intent = self.intend(step, kind).await?;
        let Ok(update) = self.update_of(&part, &updating.current, updating.avoided) else {
            // The planner refuses to clear the last identity; this is its second lock.
            let reason = "a contact in Linq needs a name, an e-mail or a phone number";
            let outcome = self.refuse(step, write, intent, FieldSet::EMPTY, reason)?;
            return Ok(Part::Ends(Box::new(outcome)));
        };
        let current = updating.current.clone();
        match self.patch_until_answered(id, update, &part, current, updating.avoided).await {
            Ok(Sent::Landed(answer)) => self.part_landed(updating, part, intent, answer).await,
            Ok(Sent::Unclear(shown)) => {
                self.recorder().unclear(step, intent, &part, &shown, self.now())?;
                Ok(Part::Ends(Box::new(Outcome::Stale(*shown))))
            }
            Ok(Sent::Gone) => {
                self.state.close_intent(intent, IntentOutcome::Abandoned)?;
                Ok(Part::Ends(Box::new(Outcome::Vanished(id))))
            }
            Err(error) => match error.rejection() {
                Some(rejection) => self.part_refused(updating, part, intent, rejection),
                None => Err(error.into()),
            },
        }
    }

    async fn part_landed(
        &self,
        updating: &mut Updating<'_>,
        part: Vec<Change>,
        intent: IntentId,
        answer: Fetched,
    ) -> Result<Part, Halt> {
        const KEPT: &str = "Linq answered that it took the change, and kept the old value";
        let answer = self.believed(updating.id, answer, &part).await?;
        let taken = self.taken(&part, &answer);
        if taken.is_empty() && !part.is_empty() {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            let kept = |change: Change| RefusedField {
                field: change.field,
                text: change.to.into(),
                reason: KEPT.to_owned(),
            };
            updating.refused.extend(part.into_iter().map(kept));
            return Ok(Part::GoesOn);
        }
        let left = updating.left();
        let parts = Parts { earlier: &updating.agreed, left };
        let step = updating.step;
        updating.agreed =
            self.recorder().updated(step, intent, &taken, &answer, parts, self.now())?;
        updating.current.clone_from(&answer.contact.values);
        updating.landed = Some(answer);
        Ok(Part::GoesOn)
    }

    /// Decides what is sent in the place of a part that Linq refused.
    fn part_refused(
        &self,
        updating: &mut Updating<'_>,
        part: Vec<Change>,
        intent: IntentId,
        rejection: &Rejection,
    ) -> Result<Part, Halt> {
        let carried = carried(&part, &updating.current, updating.avoided);
        match blame(&part, carried, rejection, self.learned) {
            Blame::Fields(fields) => {
                let (out, rest): (Vec<Change>, Vec<Change>) =
                    part.into_iter().partition(|change| fields.contains(change.field));
                let why = |change: &Change| refused(change.field, &change.to, rejection);
                updating.refused.extend(out.iter().map(why));
                updating.parts.extend((!rest.is_empty()).then_some(rest));
            }
            Blame::Parts(parts) => {
                updating.tried_parts = true;
                updating.parts.extend(parts.into_iter().rev());
            }
            Blame::Carried => {
                updating.avoided.extend(carried);
                updating.parts.push(part);
            }
            Blame::All => return self.refused(updating, &part, intent, rejection),
        }
        self.state.close_intent(intent, IntentOutcome::Refused)?;
        Ok(Part::GoesOn)
    }

    /// Linq refused the contact as a whole, or what is left of its update.
    fn refused(
        &self,
        updating: &mut Updating<'_>,
        part: &[Change],
        intent: IntentId,
        rejection: &Rejection,
    ) -> Result<Part, Halt> {
        if rejection.reason == Reason::NoSuchContact {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            return Ok(Part::Ends(Box::new(Outcome::Vanished(updating.id))));
        }
        if part.len() == updating.set.len() {
            let said = reason(rejection, &rejection.texts().join("; "));
            let Updating { step, write, .. } = *updating;
            let outcome = self.refuse(step, write, intent, FieldSet::EMPTY, &said)?;
            return Ok(Part::Ends(Box::new(outcome)));
        }
        self.state.close_intent(intent, IntentOutcome::Refused)?;
        let why = |change: &Change| refused(change.field, &change.to, rejection);
        updating.refused.extend(part.iter().map(why));
        Ok(Part::GoesOn)
    }
}

impl Updating<'_> {
    /// The fields of the step that are not in Linq so far.
    fn left(&self) -> FieldSet {
        let to_send = self.parts.iter().flatten().map(|change| change.field);
        to_send.chain(self.refused.iter().map(|one| one.field)).collect()
    }
}
