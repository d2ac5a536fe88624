//! Plays a history: people edit, time passes, runs are made and killed, and in the
//! end everything becomes quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use linqsync::linq::{BaseUrl, Client, ClientSettings, Rate, TokenSource};
use linqsync::mirror::State;
use linqsync::model::{
    Canon, ConflictPolicy, DeletePolicy, Deletes, Direction, Field, Link, LinkStatus, LinqId,
    Policy, Region,
};
use linqsync::plan::{Census, Observation, Plan, SavedPlan, Undoing, choose_values, read_composed};
use linqsync::run::{Extent, RunOptions, RunPurpose, RunResult, Sides, preview_for, run_for};
use linqsync::source::csv::{CsvOptions, SourceAccess};
use linqsync::undo::load_undoing;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::check::{self, mass::AgreedValue};
use super::desk::SimDecisions;
use super::home::{Home, SimVersion, shared};
use super::scenario::{Act, Errand, Feature, Scenario, Setup, SimConditions, SimOutages};
use super::wire::{SimTransport, Traffic};
use super::world::{Killed, RunNow, SimTrace, SimWorld};

/// The longest that a create may still be on its way; longer than any fault.
const SETTLE: Duration = Duration::from_secs(30);

/// How many runs it may take until nothing is left to do.
const QUIET_RUNS: usize = 4;

/// What became of a history.
pub(super) struct Played {
    pub(super) log: Vec<String>,
    pub(super) violations: Vec<String>,
    pub(super) met: BTreeMap<String, u64>,
}

/// Plays `scenario` in memory.
pub(super) fn play(scenario: &Scenario, trace: SimTrace) -> Played {
    let state = shared();
    let _trial = state.begin_trial().unwrap();
    play_in(Home::memory(), scenario, trace)
}

/// Plays `scenario` in a directory of its own, traced.
pub(super) fn play_on_disk(scenario: &Scenario) -> Played {
    play_in(Home::disk(), scenario, SimTrace::Kept)
}

fn play_in(home: Home, scenario: &Scenario, trace: SimTrace) -> Played {
    let runtime = paused();
    let world = runtime.block_on(async {
        let world = SimWorld::new(&scenario.setup, home, trace);
        Driver { world: Arc::clone(&world) }.history(&scenario.acts).await;
        world
    });
    drop(runtime);
    let mut inner = world.inner();
    Played {
        log: std::mem::take(&mut inner.log),
        violations: std::mem::take(&mut inner.violations),
        met: std::mem::take(&mut inner.met),
    }
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn policy(setup: &Setup) -> Policy {
    let keep = |feature| {
        let keeps = setup.features.contains(&feature);
        if keeps { DeletePolicy::Keep } else { DeletePolicy::Propagate }
    };
    Policy {
        canon: Canon::new(Region::US),
        direction: *Direction::ALL.iter().find(|d| d.name() == setup.direction).unwrap(),
        on_conflict: *ConflictPolicy::ALL.iter().find(|c| c.name() == setup.on_conflict).unwrap(),
        deletes: Deletes { linq: keep(Feature::KeepInLinq), source: keep(Feature::KeepInSource) },
        max_deletes: setup.max_deletes.parse().unwrap(),
        delete_grace: TimeDelta::minutes(setup.grace_minutes.into()),
        ..Policy::default()
    }
}

/// How a run ended, as its process could tell.
pub(super) enum SimRunEnd {
    Killed,
    Panicked,
    Ran(Box<RunResult>),
}

/// What is known of one of the runs that changed something.
fn undoing_one(state: &State, which: u32) -> Option<Undoing<'static>> {
    let runs = state.runs_with_history(100).unwrap();
    let run = runs.get(which as usize % runs.len().max(1))?;
    Some(load_undoing(state, run.id, false, None).unwrap())
}

struct Driver {
    world: Arc<SimWorld>,
}

/// What a silent run leaves as it is.
#[derive(PartialEq)]
struct SimStillness {
    bytes: Vec<u8>,
    version: SimVersion,
    links: Vec<Link>,
}

impl Driver {
    async fn history(&self, acts: &[Act]) {
        for act in acts {
            match act {
                Act::Edit(edit) => self.world.edit(edit),
                Act::Wait(seconds) => self.wait(u64::from(*seconds)).await,
                Act::Run(conditions) => drop(self.run(conditions).await),
                Act::Decide(decide) => self.world.decide(*decide),
                Act::Configure(setting) => self.world.set(setting),
            }
            if !self.world.inner().violations.is_empty() {
                return;
            }
        }
        self.become_quiet().await;
    }

    fn policy(&self) -> Policy {
        policy(&self.world.setup())
    }

    async fn wait(&self, seconds: u64) {
        self.world.log(format_args!("{seconds} seconds pass"));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Without faults and edits there is soon nothing left to do.
    async fn become_quiet(&self) {
        let world = &self.world;
        // What was deleted until now does not count any more.
        self.wait(25 * 3600).await;
        // And what Linq did not show yet it shows by now.
        if check::shows_late(world) {
            for _ in 0..8 {
                drop(self.client(Traffic::DryRun).check_access().await);
            }
        }
        for _ in 0..QUIET_RUNS {
            let before = self.stillness();
            let SimRunEnd::Ran(ran) = self.run(&SimConditions::default()).await else { return };
            if !world.inner().violations.is_empty() {
                return;
            }
            let wrote = !world.inner().run.writes.is_empty();
            let settles = ran.left.as_ref().is_some_and(|(_, seen)| seen.changed_meaning.is_some());
            if !wrote && !settles && before == self.stillness() {
                check::quiet(world, &self.policy(), &ran);
                return;
            }
            // Longer than the grace of a deletion.
            self.wait(3600).await;
        }
        world.violation(&format!("still not quiet after {QUIET_RUNS} runs"));
    }

    fn stillness(&self) -> SimStillness {
        SimStillness {
            bytes: self.world.bytes(),
            version: self.world.home.version(),
            links: self.world.state().links().unwrap(),
        }
    }

    async fn run(&self, conditions: &SimConditions) -> SimRunEnd {
        let world = &self.world;
        let mut conditions = conditions.clone();
        let linked = |state: &State| {
            let keys = state.link_keys().unwrap().into_iter();
            keys.filter(|link| link.status == LinkStatus::Linked).count()
        };
        if linked(&world.state()) == 0 {
            // Whose Linq it is cannot be told while nobody is linked.
            conditions.weather =
                conditions.weather.filter(|weather| *weather != SimOutages::Elsewhere);
        }
        let shelter = self.brew(conditions.weather);
        let foreseen =
            if conditions.preview { self.foresee(conditions.weather).await } else { None };
        let state = world.state();
        world.remember_file();
        let office = world.inner().past.office;
        let decisions = state.stored_decisions().unwrap();
        world.inner().run = RunNow {
            fresh: state.open_intents().unwrap().is_empty(),
            links: linked(&state),
            conditions: conditions.clone(),
            before: world.contacts(),
            decided: decisions.iter().filter_map(check::mass::about).collect(),
            decisions,
            agreed: if office { check::mass::agreed(world) } else { AgreedValue::new() },
            disturbed: conditions.weather.is_some(),
            ..RunNow::default()
        };
        if world.is_traced() {
            let conditions = serde_json::to_string(&conditions).unwrap();
            world.log(format_args!("a run begins: {conditions}"));
        } else {
            world.log(format_args!("a run begins"));
        }
        let ended = self.attempt(conditions.errand).await;
        self.describe(&ended);
        if let Some(bytes) = shelter {
            world.home.save(bytes);
        }
        check::after(world, &self.policy(), &ended, foreseen.as_ref());
        ended
    }

    /// One process, from its start to its end.
    async fn attempt(&self, errand: Option<Errand>) -> SimRunEnd {
        let world = &self.world;
        let saved = if errand == Some(Errand::Apply) { self.kept_plan().await } else { None };
        let state = world.home.open_state(world.now());
        let undoing = match errand {
            Some(Errand::Undo(which)) => undoing_one(&state, which),
            Some(Errand::Apply) | None => None,
        };
        let aim = match (&undoing, &saved) {
            (Some(undoing), _) => RunPurpose::Undo(undoing),
            (None, Some(saved)) => RunPurpose::Apply(saved),
            (None, None) => RunPurpose::Sync,
        };
        if undoing.is_some() {
            world.met("an undo");
            world.inner().past.undone = true;
        }
        if saved.is_some() {
            world.met("a plan that was kept");
        }
        let mut source =
            SimDecisions::new(world, world.home.source(self.options(SourceAccess::Exclusive)));
        let client = self.client(Traffic::Run);
        let stop = world.inner().run.stop.clone();
        let clock = || {
            world.event("looking at the clock");
            world.now()
        };
        let policy = self.policy();
        let terms = RunOptions {
            // Clocks are set by years: what is old is not what is looked at here.
            history: chrono::TimeDelta::days(40_000),
            policy: &policy,
            settle: SETTLE,
            clock: &clock,
            stop: &stop,
            by: Some("anna"),
        };
        let mut sides = Sides { linq: &client, source: &mut source, state: &state };
        match AssertUnwindSafe(run_for(aim, &mut sides, &terms)).catch_unwind().await {
            Ok(mut ran) => {
                ran.left = ran.left.map(|(plan, seen)| (plan, self.with_those_at_rest(seen)));
                SimRunEnd::Ran(Box::new(ran))
            }
            Err(cause) if cause.is::<Killed>() => SimRunEnd::Killed,
            Err(_) => SimRunEnd::Panicked,
        }
    }

    /// What a run has seen, with those whom it did not read because they are at rest.
    fn with_those_at_rest(&self, seen: Observation) -> Observation {
        if seen.census.pairs == 0 {
            return seen;
        }
        let state = self.world.state();
        let mut all = seen;
        let known: BTreeSet<LinqId> = all.links.iter().map(|link| link.linq_id).collect();
        all.links = state.links().unwrap();
        let others = all.links.iter().map(|link| link.linq_id).filter(|id| !known.contains(id));
        all.linq.contacts.extend(state.contacts_of(others).unwrap());
        let mut source = self.world.home.source(self.options(SourceAccess::ReadOnly));
        if let Ok(reading) = source.read_records() {
            let there: BTreeSet<_> = all.source.records.iter().map(|one| one.index).collect();
            let others = reading.records.into_iter().filter(|one| !there.contains(&one.index));
            all.source.records.extend(others);
            all.source.records.sort_by_key(|one| one.index);
        }
        all.census = Census::default();
        choose_values(&mut all, &self.policy());
        read_composed(&mut all, &self.policy());
        all
    }

    /// A plan of what is to be done now.
    async fn kept_plan(&self) -> Option<SavedPlan> {
        let (plan, seen) = self.foresee(None).await?;
        Some(SavedPlan::from_plan(&plan, &seen, "Linq".to_owned(), "the file".to_owned()))
    }

    /// A dry run, which leaves everything as it is.
    async fn foresee(&self, weather: Option<SimOutages>) -> Option<(Plan, Observation)> {
        if weather.is_some() {
            return None;
        }
        let world = &self.world;
        let files = |world: &SimWorld| (world.bytes(), world.home.state_files());
        let (before, contacts) = (files(world), world.linq.contacts());
        let late_before = world.inner().late;
        let planned = self.previewed(Extent::Restless).await;
        let is_still = before == files(world) && world.has_contacts(&contacts);
        if !is_still && late_before == world.inner().late {
            world.violation("a dry run changed something");
        }
        world.log(format_args!("a dry run"));
        for step in planned.iter().flat_map(|(plan, _)| &plan.steps) {
            world.remark(format_args!("  foreseen: {step:?}"));
        }
        if let Some((plan, seen)) = planned.as_ref().filter(|(_, seen)| seen.census.pairs > 0) {
            self.check_those_at_rest(plan, seen).await;
        }
        planned
    }

    /// A plan that is made without those who are at rest is the same as one of everybody.
    async fn check_those_at_rest(&self, plan: &Plan, seen: &Observation) {
        let world = &self.world;
        // Each look may show somebody who was not shown before.
        if check::shows_late(world) || seen.linq.incomplete.is_some() {
            return;
        }
        let Some((all, everybody)) = self.previewed(Extent::Everybody).await else {
            world.violation("everybody cannot be read, and those who are not at rest can");
            return;
        };
        let steps = |plan: &Plan| -> Vec<String> {
            plan.steps.iter().map(|step| format!("{step:?}")).collect()
        };
        if everybody.linq.incomplete.is_none()
            && (steps(plan), &plan.standings) != (steps(&all), &all.standings)
        {
            world.log(format_args!("of everybody: {:#?}\nand not: {:#?}", all.steps, plan.steps));
            world.violation("without those at rest something else is planned");
        }
        world.met("a plan without those at rest");
    }

    /// The plan that a run would begin with.
    async fn previewed(&self, extent: Extent<'_>) -> Option<(Plan, Observation)> {
        let world = &self.world;
        let state = world.state();
        let _trial = state.begin_trial().unwrap();
        let mut source = world.home.source(self.options(SourceAccess::ReadOnly));
        let client = self.client(Traffic::DryRun);
        let stop = CancellationToken::new();
        let clock = || world.now();
        let policy = self.policy();
        let terms = RunOptions {
            // Clocks are set by years: what is old is not what is looked at here.
            history: chrono::TimeDelta::days(40_000),
            policy: &policy,
            settle: SETTLE,
            clock: &clock,
            stop: &stop,
            by: Some("anna"),
        };
        let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
        let planned = preview_for(RunPurpose::Sync, extent, &mut sides, &terms).await;
        planned.ok().map(|(plan, seen, _)| (plan, seen))
    }

    fn client(&self, traffic: Traffic) -> Client {
        let setup = &self.world.setup();
        let url = BaseUrl::new("https://linq.example".parse().unwrap()).unwrap();
        let mut settings = ClientSettings::new(url, setup.salt);
        settings.concurrency = NonZeroUsize::new(setup.concurrency).unwrap();
        settings.rate = Rate::per_second(NonZeroU32::new(setup.per_second).unwrap());
        let wire = SimTransport { world: Arc::clone(&self.world), traffic };
        Client::new(Arc::new(wire), settings, TokenSource::fixed("sandbox-token".into()))
    }

    fn options(&self, access: SourceAccess) -> CsvOptions {
        let has = |feature| self.world.setup().features.contains(&feature);
        let mut options = CsvOptions::new(self.world.home.path());
        options.access = access;
        options.key = has(Feature::Key).then(|| super::sheet::KEY.to_owned());
        options.id_column = has(Feature::Ids).then(|| super::sheet::ID.to_owned());
        let columns = self.world.setup().columns.clone().into_iter();
        options.columns.extend(columns.map(|(field, column)| (field, vec![column])));
        if has(Feature::Owner) {
            options
                .columns
                .insert(Field::Owner, vec![super::sheet::column(Field::Owner).to_owned()]);
        }
        options
    }

    /// Makes the weather; returns what the file is to be afterwards.
    fn brew(&self, weather: Option<SimOutages>) -> Option<Vec<u8>> {
        let world = &self.world;
        let bytes = world.bytes();
        match weather? {
            SimOutages::Elsewhere | SimOutages::Short(_) => return None,
            SimOutages::FileMissing => world.home.remove(),
            SimOutages::FileEmpty => world.home.save(Vec::new()),
            SimOutages::FileUnterminated(row) => {
                world.inner().past.unreadable = true;
                let mut lines: Vec<Vec<u8>> =
                    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                // Another quotation mark would end what is left open.
                let row = 1 + row as usize % lines.len();
                let row = if bytes.contains(&b'"') { lines.len() } else { row };
                lines.insert(row, b"\"left open".to_vec());
                world.home.save(lines.concat());
            }
        }
        Some(bytes)
    }

    fn describe(&self, ended: &SimRunEnd) {
        let world = &self.world;
        match ended {
            SimRunEnd::Killed => world.log(format_args!("the run was killed")),
            SimRunEnd::Panicked => world.violation("the run panicked"),
            SimRunEnd::Ran(ran) => {
                let code = ran.report.exit_code();
                let told = || serde_json::to_string(&ran.report).unwrap();
                let report = if world.is_traced() { told() } else { String::new() };
                world.log(format_args!("the run ended with {code}: {report}"));
                for notice in &ran.notices {
                    world.log(format_args!("  notice: {notice}"));
                }
                world.met(&format!("exit code {code}"));
                if let Some((plan, _)) = &ran.left {
                    for step in &plan.steps {
                        world.log(format_args!("  left: {step:?}"));
                    }
                    if let Some(halt) = &plan.halt {
                        world.log(format_args!("  halt: {halt}"));
                    }
                }
            }
        }
        world.log(format_args!("the file: {}", String::from_utf8_lossy(&world.bytes())));
    }
}
