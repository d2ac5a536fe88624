//! What stands above a plan: its summary, what it costs, and what its signs mean.

use std::fmt::Write;

use serde::Serialize;

use crate::plan::{LinkPlan, LinqWrite, Observation, Plan, SourceWrite, Wait};
use crate::report::{RunReport, released};

use super::show;
use super::text::count_noun;

/// About how many requests a run would send, and how long these take at the configured rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Estimate {
    /// Requests to Linq.
    pub(crate) requests: u64,
    /// Seconds.
    pub(crate) seconds: u64,
}

impl Estimate {
    /// What carrying out `plan` costs, at so many requests a second: the listing is read again,
    /// a contact is looked up before it is created, and read before it is changed or deleted.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, of numbers that are small and positive"
    )]
    pub(crate) fn estimate_run(plan: &Plan, foreseen: &RunReport, per_second: f64) -> Estimate {
        let writes = plan.steps.iter().filter(|step| step.linq.is_some()).count();
        let requests = foreseen.requests.list.max(1) + 2 * writes as u64;
        let seconds = (requests as f64 / per_second).ceil() as u64;
        Estimate { requests, seconds }
    }

    fn to_text(self, per_second: f64) -> String {
        let requests =
            count_noun(usize::try_from(self.requests).unwrap_or(usize::MAX), "request", "requests");
        let time = humantime::format_duration(std::time::Duration::from_secs(self.seconds));
        format!(
            "about {requests} to Linq, {time} at {per_second} per second (linq.requests_per_second)"
        )
    }
}

/// What stands above `plan`; nothing, where there is nothing to do.
pub(super) fn foreword(
    plan: &Plan,
    seen: &Observation,
    estimate: Estimate,
    per_second: f64,
) -> String {
    let signs = sign_legend(plan, seen);
    if signs.is_empty() {
        return String::new();
    }
    let mut text = format!("Plan: {}\n", show::plan_summary(plan, seen));
    let _ = writeln!(text, "{}", estimate.to_text(per_second));
    text + &signs.join("  ") + "\n\n"
}

/// The signs that the plan uses, and what they mean.
fn sign_legend(plan: &Plan, seen: &Observation) -> Vec<&'static str> {
    let linq = |is: fn(&LinqWrite) -> bool| {
        plan.steps.iter().any(|step| step.linq.as_ref().is_some_and(is))
    };
    let source = |is: fn(&SourceWrite) -> bool| {
        plan.steps.iter().any(|step| step.source.as_ref().is_some_and(is))
    };
    let waits = |is: fn(&Wait) -> bool| plan.steps.iter().any(|step| step.waits.iter().any(is));
    let all = [
        (
            linq(|write| matches!(write, LinqWrite::Create { .. }))
                || source(|write| matches!(write, SourceWrite::Create { .. })),
            "+ create",
        ),
        (
            linq(|write| matches!(write, LinqWrite::Update { .. }))
                || source(|write| matches!(write, SourceWrite::Update { .. })),
            "~ update",
        ),
        (
            linq(|write| matches!(write, LinqWrite::Delete { .. }))
                || source(|write| matches!(write, SourceWrite::Delete { .. })),
            "- delete",
        ),
        (plan.steps.iter().any(|step| matches!(step.link, LinkPlan::Join { .. })), "= link"),
        (released(plan).next().is_some(), "○ release"),
        (
            waits(|wait| !matches!(wait, Wait::Ambiguous { .. }))
                || !seen.source.unreadable.is_empty(),
            "! waits",
        ),
        (waits(|wait| matches!(wait, Wait::Ambiguous { .. })), "? ambiguous"),
        (!plan.skipped.is_empty(), "· left as it is"),
    ];
    all.into_iter().filter(|(is_used, _)| *is_used).map(|(_, sign)| sign).collect()
}
