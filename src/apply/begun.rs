//! Intents, made durable together.
//!
//! Owns who waits for whom: writes are made several at a time, and come to their intents at
//! about the same time. Making one intent durable takes the disk as long as making all of them.

use std::cell::RefCell;

use tokio::task::yield_now;

use crate::mirror::{NewIntent, StateError};
use crate::model::IntentId;

/// Intents that wait to be made durable, and those that were and are not fetched so far, each
/// with the number of its turn.
#[derive(Debug, Default)]
pub(crate) struct Begun(RefCell<Turns>);

#[derive(Debug, Default)]
struct Turns {
    last: u64,
    waiting: Vec<(u64, NewIntent)>,
    durable: Vec<(u64, IntentId)>,
}

impl Begun {
    /// Has `begin` make `intent` durable, with all that have come by then. If that fails, the
    /// others are still waiting, and try for themselves.
    pub(super) async fn add(
        &self,
        intent: NewIntent,
        begin: impl FnOnce(&[NewIntent]) -> Result<Vec<IntentId>, StateError>,
    ) -> Result<IntentId, StateError> {
        let turn = self.wait(intent);
        // Whoever has an answer by now gets as far as this.
        yield_now().await;
        if let Some(id) = self.fetch(turn) {
            return Ok(id);
        }
        let mut waiting = std::mem::take(&mut self.0.borrow_mut().waiting);
        waiting.sort_by_key(|(other, _)| *other != turn);
        let (turns, intents): (Vec<u64>, Vec<NewIntent>) = waiting.into_iter().unzip();
        let others = turns.into_iter().skip(1);
        match begin(&intents) {
            Ok(ids) => {
                let others = others.zip(ids[1..].iter().copied());
                self.0.borrow_mut().durable.extend(others);
                Ok(ids[0])
            }
            Err(error) => {
                let others = others.zip(intents.into_iter().skip(1));
                self.0.borrow_mut().waiting.extend(others);
                Err(error)
            }
        }
    }

    fn wait(&self, intent: NewIntent) -> u64 {
        let mut turns = self.0.borrow_mut();
        turns.last += 1;
        let turn = turns.last;
        turns.waiting.push((turn, intent));
        turn
    }

    fn fetch(&self, turn: u64) -> Option<IntentId> {
        let mut turns = self.0.borrow_mut();
        let at = turns.durable.iter().position(|(one, _)| *one == turn)?;
        Some(turns.durable.swap_remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;
    use crate::mirror::IntentKind;
    use crate::model::LinqId;

    fn intent(n: u64) -> NewIntent {
        NewIntent { link: None, kind: IntentKind::DeleteInLinq { linq_id: LinqId(n) } }
    }

    fn number(intent: &NewIntent) -> IntentId {
        let IntentKind::DeleteInLinq { linq_id } = &intent.kind else {
            panic!("{:?}", intent.kind)
        };
        IntentId(linq_id.0.cast_signed() + 100)
    }

    #[tokio::test]
    async fn intents_that_come_together_are_made_durable_at_once_and_each_gets_its_number() {
        let (begun, times) = (Begun::default(), Cell::new(0));
        let begin = |intents: &[NewIntent]| {
            times.set(times.get() + 1);
            Ok(intents.iter().map(number).collect())
        };
        let all = join_all((1..=20).map(|n| begun.add(intent(n), begin))).await;
        let ids: Vec<IntentId> = all.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids, (101..=120).map(IntentId).collect::<Vec<_>>());
        assert_eq!(times.get(), 1);
        assert_eq!(begun.add(intent(7), begin).await.unwrap(), IntentId(107));
    }

    #[tokio::test]
    async fn where_it_fails_for_one_the_others_try_for_themselves() {
        let (begun, failures) = (Begun::default(), Cell::new(2));
        let begin = |intents: &[NewIntent]| {
            if failures.get() > 0 {
                failures.set(failures.get() - 1);
                return Err(StateError::UnknownIntent(IntentId(0)));
            }
            Ok(intents.iter().map(number).collect())
        };
        let all = join_all((1..=4).map(|n| begun.add(intent(n), begin))).await;
        let failed = all.iter().filter(|one| one.is_err()).count();
        let ids: Vec<i64> = all.into_iter().flatten().map(|id| id.0).collect();
        assert_eq!((failed, ids), (2, vec![103, 104]));
    }
}
