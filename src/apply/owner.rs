//! For whom contacts are created: users whom Linq knows, as far as it has told.
//!
//! Owns which user a create names and that one contact is created first for a user of whom
//! nothing is known. Leaves what follows from a refusal to [`super::refused`].

use tokio::sync::MutexGuard;

use crate::model::{Field, Side};
use crate::observe::record_at;
use crate::plan::Step;
use crate::record::RefusedField;

use super::refused::Creating;
use super::{Apply, Halt, WriteOutcome};

/// The turn of the one create that finds out whether Linq knows a user, where that is not
/// known.
pub(super) type OwnerProbe<'a> = Option<MutexGuard<'a, ()>>;

impl Apply<'_> {
    /// Whether Linq has refused `email`, for whom the contact of `step` is to be created, and
    /// there is nobody else who could own it.
    pub(super) fn is_hopeless(&self, step: &Step, email: &str) -> bool {
        self.learned.is_unknown(email) && self.owner_of(step) != Some(email)
    }

    /// The contact of `step` is not created, as the others for the same user.
    pub(super) fn not_sent(&self, step: &Step) -> Result<WriteOutcome, Halt> {
        self.recorder().not_sent(step, self.now())?;
        Ok(WriteOutcome::Refused)
    }

    /// Sees to it that no two contacts are created for a user of whom it is not known whether
    /// Linq knows them: the first tells. An owner of its own whom Linq does not know is left
    /// out. `None` where the contact is not created.
    pub(super) async fn settle_owner(
        &self,
        step: &Step,
        creating: &mut Creating,
    ) -> Result<Option<OwnerProbe<'_>>, Halt> {
        loop {
            let Some(email) = creating.sent.user_email.clone() else { return Ok(Some(None)) };
            if self.learned.is_known(&email) {
                return Ok(Some(None));
            }
            let turn = self.learned.owner_turn().lock().await;
            if self.stop.is_cancelled() {
                return Err(Halt::Stopped);
            }
            if self.learned.is_known(&email) {
                return Ok(Some(None));
            }
            if let Some(why) = self.refused_owner(step, &email) {
                creating.without_owner(why, self.default_owner());
                continue;
            }
            if self.is_hopeless(step, &email) {
                self.not_sent(step)?;
                return Ok(None);
            }
            return Ok(Some(Some(turn)));
        }
    }

    /// The owner whom the step's record names.
    pub(super) fn owner_of(&self, step: &Step) -> Option<&str> {
        let writes = self.policy.writes_field(Side::Linq, Field::Owner);
        let record = record_at(self.seen, step.subject.record.filter(|_| writes)?);
        let owner = record.values[Field::Owner].trim();
        (!owner.is_empty() && !record.is_rejected(Field::Owner)).then_some(owner)
    }

    /// The refusal of the owner whom the step's record names, if that is `email` and Linq does
    /// not know them.
    pub(super) fn refused_owner(&self, step: &Step, email: &str) -> Option<RefusedField> {
        let own = self.owner_of(step).filter(|own| *own == email)?;
        self.learned.refused_owner(own)
    }

    /// The owner of contacts whose record names none that Linq knows.
    pub(super) fn default_owner(&self) -> Option<String> {
        self.policy.default_owner.clone().filter(|owner| !self.learned.is_unknown(owner))
    }
}
