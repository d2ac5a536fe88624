//! A Linq that does not work: when the daemon asks it again of its own accord.
//!
//! Owns that the time is kept which the state remembers, across restarts too, and that
//! there is one run when it has come, whatever the schedule says. Pure: the time is an
//! argument. Leaves a new token to `token`, and how long Linq is left alone to the state.

use crate::mirror::{LinqDown, WhyDown};
use crate::model::Timestamp;

/// For which of the remembered times a run was made already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OutageProbes {
    asked_for: Option<Timestamp>,
}

/// Whether Linq is to be left alone at `now`.
pub(super) fn is_to_be_left_alone(down: Option<LinqDown>, now: Timestamp) -> bool {
    passing_outage(down).is_some_and(|down| !down.is_over(now))
}

/// A trouble that time alone can end.
fn passing_outage(down: Option<LinqDown>) -> Option<LinqDown> {
    down.filter(|down| match down.why {
        WhyDown::Failing | WhyDown::AskedToWait => true,
        WhyDown::TokenRefused => false,
    })
}

impl OutageProbes {
    /// A run begins, while Linq is `down` or not.
    pub(super) fn note_run(&mut self, down: Option<LinqDown>) {
        self.asked_for = down.map(|down| down.next_attempt);
    }

    /// Whether a run is due because the time has come to ask Linq again. A run that ends
    /// before it asks leaves the time as it was, and the next one to the schedule.
    pub(super) fn is_probe_due(&self, down: Option<LinqDown>, now: Timestamp) -> bool {
        down.is_some_and(|down| down.is_over(now) && self.asked_for != Some(down.next_attempt))
    }

    /// When the next run comes, if the schedule says `scheduled`.
    pub(super) fn next_run(
        &self,
        down: Option<LinqDown>,
        scheduled: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let probe = down.map(|down| down.next_attempt);
        probe.filter(|at| self.asked_for != Some(*at)).or(scheduled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    #[test]
    fn linq_is_asked_once_when_the_time_has_come_and_not_before() {
        let mut weather = OutageProbes::default();
        let down = Some(LinqDown::after_failure(None, WhyDown::Failing, at(0)));
        assert!(is_to_be_left_alone(down, at(0)) && !weather.is_probe_due(down, at(0)));
        assert_eq!(weather.next_run(down, Some(at(60))), Some(at(1)), "before the schedule");
        assert!(!is_to_be_left_alone(down, at(1)) && weather.is_probe_due(down, at(1)));
        weather.note_run(down);
        assert!(!weather.is_probe_due(down, at(2)), "that run ended before it asked");
        assert_eq!(weather.next_run(down, Some(at(60))), Some(at(60)));
        let again = Some(LinqDown::after_failure(down, WhyDown::Failing, at(1)));
        assert!(!weather.is_probe_due(again, at(2)) && weather.is_probe_due(again, at(3)));
        assert!(!weather.is_probe_due(None, at(3)) && !is_to_be_left_alone(None, at(3)));
    }

    #[test]
    fn a_refused_token_is_asked_for_again_in_time_and_never_keeps_a_start_from_asking() {
        let weather = OutageProbes::default();
        let refused = Some(LinqDown::after_failure(None, WhyDown::TokenRefused, at(0)));
        assert!(!is_to_be_left_alone(refused, at(0)) && !weather.is_probe_due(refused, at(14)));
        assert!(weather.is_probe_due(refused, at(15)));
        assert_eq!(weather.next_run(refused, Some(at(60))), Some(at(15)));
    }

    #[test]
    fn after_the_clock_was_set_back_linq_is_asked_at_once() {
        let down = Some(LinqDown::after_failure(None, WhyDown::Failing, at(10_000)));
        assert!(
            !is_to_be_left_alone(down, at(0)) && OutageProbes::default().is_probe_due(down, at(0))
        );
    }
}
