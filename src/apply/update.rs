//! Updates in Linq: the fields that changed, without those that Linq refuses.
//!
//! Owns the order of the attempts: as little as possible is left out, and what was certainly
//! refused is tried in smaller parts. Leaves one attempt to [`super::patch`], and who is to
//! blame to [`super::refused_field`].

use crate::linq::{Fetched, LinqRejection, RejectionReason};
use crate::mirror::{IntentKind, IntentOutcome};
use crate::model::{Base, FieldChange, FieldSet, IntentId, LinqId, Values};
use crate::plan::{LinkPlan, LinqWrite, Step};
use crate::record::{Parts, RefusedField};

use super::change::{Before, RereadNeed, SentWrite};
use super::patch::carried_field;
use super::refused::{Blame, find_blame, refusal_reason, refused_field};
use super::{Apply, Halt, WriteOutcome};

/// An update in the making: it is sent whole, and in parts once Linq has refused it.
struct Updating<'a> {
    step: &'a Step,
    write: &'a LinqWrite,
    id: LinqId,
    set: &'a [FieldChange],
    /// What the contact has by now.
    current: Values,
    /// What is still to be sent, the next part last.
    parts: Vec<Vec<FieldChange>>,
    /// Fields that are not sent along, since Linq refuses what the contact has in them.
    avoided: FieldSet,
    refused: Vec<RefusedField>,
    agreed: Base,
    landed: Option<Fetched>,
    /// Whether parts were tried because Linq did not say what it refused.
    tried_parts: bool,
}

/// What became of one part of an update.
enum UpdatePart {
    /// It landed, or was taken apart: on to the next.
    GoesOn,
    /// The update ends with this.
    Ends(Box<WriteOutcome>),
}

impl Apply<'_> {
    pub(super) async fn update(
        &self,
        step: &Step,
        write: &LinqWrite,
        id: LinqId,
        set: &[FieldChange],
        expected: &Values,
    ) -> Result<WriteOutcome, Halt> {
        let current = match self.read_before(id, expected, RereadNeed::IfOld).await? {
            Before::Changed(fetched) => return self.report_stale(fetched),
            Before::Nothing => return Ok(WriteOutcome::Vanished(id)),
            Before::Unproven => return Ok(WriteOutcome::Hidden),
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
            if let UpdatePart::Ends(outcome) = self.update_part(&mut updating, part).await? {
                self.record_refused(&updating)?;
                return Ok(*outcome);
            }
        }
        self.record_refused(&updating)?;
        if updating.tried_parts {
            self.learned.learn_from_attempt(updating.landed.is_some());
        }
        Ok(updating.landed.map_or(WriteOutcome::Refused, WriteOutcome::Updated))
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
        part: Vec<FieldChange>,
    ) -> Result<UpdatePart, Halt> {
        let Updating { step, write, id, .. } = *updating;
        let base = match &step.link {
            LinkPlan::PutBack(base) => base.as_ref().clone(),
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::Relink(_)
            | LinkPlan::Release
            | LinkPlan::Exclude(_)
            | LinkPlan::Forget
            | LinkPlan::Missing(_)
            | LinkPlan::Found => Base::default(),
        };
        let kind = IntentKind::UpdateInLinq { linq_id: id, changes: part.clone(), base };
        let intent = self.write_intent(step, kind).await?;
        let Ok(update) = self.update_of(&part, &updating.current, updating.avoided) else {
            // The planner refuses to clear the last identity; this is its second lock.
            let reason = "a contact in Linq needs a name, an e-mail or a phone number";
            let outcome = self.record_refusal(step, write, intent, FieldSet::EMPTY, reason)?;
            return Ok(UpdatePart::Ends(Box::new(outcome)));
        };
        let current = updating.current.clone();
        match self.patch_until_answered(id, update, &part, current, updating.avoided).await {
            Ok(SentWrite::Landed(answer)) => self.part_landed(updating, part, intent, answer).await,
            Ok(SentWrite::Unclear(shown)) => {
                self.recorder().record_unclear(step, intent, &part, &shown, self.now())?;
                Ok(UpdatePart::Ends(Box::new(WriteOutcome::Stale(*shown))))
            }
            Ok(SentWrite::Gone) => {
                self.state.close_intent(intent, IntentOutcome::Abandoned)?;
                Ok(UpdatePart::Ends(Box::new(WriteOutcome::Vanished(id))))
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
        part: Vec<FieldChange>,
        intent: IntentId,
        answer: Fetched,
    ) -> Result<UpdatePart, Halt> {
        const KEPT: &str = "Linq answered that it took the change, and kept the old value";
        let answer = self.confirmed_answer(updating.id, answer, &part).await?;
        let taken = self.taken_changes(&part, &answer);
        if taken.is_empty() && !part.is_empty() {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            let kept = |change: FieldChange| RefusedField {
                field: change.field,
                text: change.to.into(),
                reason: KEPT.to_owned(),
            };
            updating.refused.extend(part.into_iter().map(kept));
            return Ok(UpdatePart::GoesOn);
        }
        let left = updating.fields_left();
        let parts = Parts { earlier: &updating.agreed, left };
        let step = updating.step;
        updating.agreed =
            self.recorder().record_updated(step, intent, &taken, &answer, parts, self.now())?;
        updating.current.clone_from(&answer.contact.values);
        updating.landed = Some(answer);
        Ok(UpdatePart::GoesOn)
    }

    /// Decides what is sent in the place of a part that Linq refused.
    fn part_refused(
        &self,
        updating: &mut Updating<'_>,
        part: Vec<FieldChange>,
        intent: IntentId,
        rejection: &LinqRejection,
    ) -> Result<UpdatePart, Halt> {
        let carried = carried_field(&part, &updating.current, updating.avoided);
        match find_blame(&part, carried, rejection, self.learned) {
            Blame::Fields(fields) => {
                let (out, rest): (Vec<FieldChange>, Vec<FieldChange>) =
                    part.into_iter().partition(|change| fields.contains(change.field));
                let why = |change: &FieldChange| refused_field(change.field, &change.to, rejection);
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
            Blame::All => return self.handle_refusal(updating, &part, intent, rejection),
        }
        self.state.close_intent(intent, IntentOutcome::Refused)?;
        Ok(UpdatePart::GoesOn)
    }

    /// Linq refused the contact as a whole, or what is left of its update.
    fn handle_refusal(
        &self,
        updating: &mut Updating<'_>,
        part: &[FieldChange],
        intent: IntentId,
        rejection: &LinqRejection,
    ) -> Result<UpdatePart, Halt> {
        if rejection.reason == RejectionReason::NoSuchContact {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            return Ok(UpdatePart::Ends(Box::new(WriteOutcome::Vanished(updating.id))));
        }
        if part.len() == updating.set.len() {
            let said = refusal_reason(rejection, &rejection.texts().join("; "));
            let Updating { step, write, .. } = *updating;
            let outcome = self.record_refusal(step, write, intent, FieldSet::EMPTY, &said)?;
            return Ok(UpdatePart::Ends(Box::new(outcome)));
        }
        self.state.close_intent(intent, IntentOutcome::Refused)?;
        let why = |change: &FieldChange| refused_field(change.field, &change.to, rejection);
        updating.refused.extend(part.iter().map(why));
        Ok(UpdatePart::GoesOn)
    }
}

impl Updating<'_> {
    /// The fields of the step that are not in Linq so far.
    fn fields_left(&self) -> FieldSet {
        let to_send = self.parts.iter().flatten().map(|change| change.field);
        to_send.chain(self.refused.iter().map(|one| one.field)).collect()
    }
}
