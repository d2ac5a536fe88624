//! Makes a failing history smaller: what can be taken out without another outcome
//! is taken out.

use super::driver::play;
use super::scenario::{Act, Scenario, SimConditions};
use super::world::SimTrace;

/// The smallest history found that fails like `scenario`, which fails with
/// `violation`.
pub(super) fn smaller(scenario: &Scenario, violation: &str) -> Scenario {
    let kind = kind(violation);
    let fails = |scenario: &Scenario| {
        play(scenario, SimTrace::Dropped)
            .violations
            .first()
            .is_some_and(|found| self::kind(found) == kind)
    };
    let mut best = scenario.clone();
    loop {
        let simpler = candidates(&best).into_iter().find(|candidate| fails(candidate));
        match simpler {
            Some(simpler) => best = simpler,
            None => return best,
        }
    }
}

/// What a violation is about, without the particulars.
pub(super) fn kind(violation: &str) -> String {
    let mut quoted = false;
    let kept = |c: &char| {
        quoted ^= *c == '"';
        !quoted && c.is_alphabetic()
    };
    violation.chars().filter(kept).take(40).collect()
}

/// Every history that is one thing simpler.
fn candidates(of: &Scenario) -> Vec<Scenario> {
    let mut simpler = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut scenario = of.clone();
        change(&mut scenario);
        if scenario != *of {
            simpler.push(scenario);
        }
    };
    for at in 0..of.acts.len() {
        with(&|scenario| drop(scenario.acts.remove(at)));
    }
    for at in 0..of.setup.quirks.len() {
        with(&|scenario| drop(scenario.setup.quirks.remove(at)));
    }
    for feature in &of.setup.features {
        with(&|scenario| scenario.setup.features.retain(|kept| kept != feature));
    }
    with(&|scenario| scenario.setup.concurrency = 1);
    with(&|scenario| scenario.setup.per_second = 1000);
    with(&|scenario| scenario.setup.per_page = 100);
    with(&|scenario| scenario.setup.salt = 0);
    with(&|scenario| scenario.setup.grace_minutes = 0);
    with(&|scenario| scenario.setup.linq_ahead = 0);
    with(&|scenario| "hold".clone_into(&mut scenario.setup.on_conflict));
    with(&|scenario| "both".clone_into(&mut scenario.setup.direction));
    with(&|scenario| "5%".clone_into(&mut scenario.setup.max_deletes));
    for at in 0..of.acts.len() {
        let conditions = |change: &dyn Fn(&mut SimConditions)| {
            let mut scenario = of.clone();
            if let Act::Run(conditions) = &mut scenario.acts[at] {
                change(conditions);
            }
            scenario
        };
        let Act::Run(run) = &of.acts[at] else { continue };
        let changes: [&dyn Fn(&mut SimConditions); 9] = [
            &|run| run.errand = None,
            &|run| run.preview = false,
            &|run| run.kill = None,
            &|run| run.kill_when = None,
            &|run| run.stop = None,
            &|run| run.outage = None,
            &|run| run.weather = None,
            &|run| run.during.clear(),
            &|run| run.clocks.clear(),
        ];
        simpler.extend(changes.into_iter().map(conditions).filter(|simpler| simpler != of));
        simpler.extend(
            run.faults
                .keys()
                .map(|key| conditions(&|run| run.faults.retain(|kept, _| kept != key))),
        );
        simpler
            .extend((0..run.strikes.len()).map(|i| conditions(&|run| drop(run.strikes.remove(i)))));
        if run.during.len() > 1 {
            simpler.extend(
                (0..run.during.len()).map(|i| conditions(&|run| drop(run.during.remove(i)))),
            );
        }
    }
    simpler
}
