//! Draws a history from a seed.
//!
//! Each seed first draws which kinds of edits and faults there are at all (swarm
//! testing), then how many, then the history. Worlds are small, for small worlds
//! collide: a few people, who share names, numbers and addresses.

mod office;

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use linqsync::model::Field;

use super::scenario::{
    Act, DrawnText, Errand, Feature, Scenario, Setup, SimConditions, SimEdit, SimOutages,
    SimPerson, WireFault,
};

/// What makes of a seed the one by which work on whole tables is drawn.
const OFFICE: u64 = 0x5EED_0FF1_CE00_0000;

/// What makes of a seed the one by which clocks are drawn.
const CLOCKS: u64 = 0x5EED_C10C_0000_0000;

/// The history of `seed`.
pub(super) fn scenario(seed: u64) -> Scenario {
    let mut rng = Rng::with_seed(seed);
    let mut setup = setup(&mut rng);
    let mut draw = Draw { swarm: Swarm::draw(&mut rng, &setup), rng, serial: 0 };
    let mut acts = draw.acts();
    // Drawn apart, so that the other histories stay what they are.
    let mut rng = Rng::with_seed(!seed);
    let keeps = [Feature::KeepInLinq, Feature::KeepInSource];
    if one_in(&mut rng, 5) && !keeps.iter().any(|keep| setup.features.contains(keep)) {
        errands(&mut rng, &mut acts);
    }
    clocks(&mut Rng::with_seed(seed ^ CLOCKS), &mut setup, &mut acts);
    // What these find is not all mended yet: docs/proof.md has the list.
    if super::number("LINQSYNC_SIM_OFFICE").is_some() {
        office::add(&mut Rng::with_seed(seed ^ OFFICE), &mut setup, &mut acts);
    }
    Scenario { setup, acts }
}

/// Lets clocks be wrong, in one history of four: Linq's, or ours, which is set during runs.
fn clocks(rng: &mut Rng, setup: &mut Setup, acts: &mut [Act]) {
    const HOUR: i64 = 3600;
    if !one_in(rng, 4) {
        return;
    }
    setup.linq_ahead = [0, 0, -HOUR, HOUR, -90, -30 * 24 * HOUR, 24 * HOUR][rng.usize(..7)];
    let steps = [-HOUR, -20, HOUR, 45, 30 * 24 * HOUR, -30 * 24 * HOUR, 1000 * 24 * HOUR];
    for act in acts {
        if let Act::Run(run) = act
            && one_in(rng, 3)
        {
            run.clocks.push((rng.u32(1..60), steps[rng.usize(..steps.len())]));
        }
    }
}

/// Gives some runs after the first another purpose.
fn errands(rng: &mut Rng, acts: &mut [Act]) {
    let runs = acts.iter_mut().filter_map(|act| match act {
        Act::Run(run) if run.weather.is_none() => Some(run),
        Act::Run(_) | Act::Edit(_) | Act::Wait(_) | Act::Decide(_) | Act::Configure(_) => None,
    });
    for run in runs.skip(1) {
        if rng.bool() {
            continue;
        }
        let undo = Errand::Undo(rng.u32(0..20));
        run.errand = Some(if rng.bool() { undo } else { Errand::Apply });
        run.preview = false;
    }
}

fn one_in(rng: &mut Rng, n: u32) -> bool {
    rng.u32(0..n) == 0
}

fn setup(rng: &mut Rng) -> Setup {
    let mut features = BTreeSet::new();
    for (feature, n) in [
        (Feature::Key, 3),
        (Feature::Ids, 3),
        (Feature::Owner, 4),
        (Feature::Location, 2),
        (Feature::Crlf, 3),
        (Feature::Bom, 5),
        (Feature::Quoted, 3),
        (Feature::Semicolons, 5),
        (Feature::KeepInLinq, 8),
        (Feature::KeepInSource, 8),
    ] {
        if one_in(rng, n) {
            features.insert(feature);
        }
    }
    let pick = |rng: &mut Rng, of: &[&str]| of[rng.usize(..of.len())].to_owned();
    Setup {
        quirks: quirks(rng),
        features,
        on_conflict: pick(rng, &["hold", "hold", "hold", "source", "linq"]),
        direction: pick(rng, &["both", "both", "both", "both", "both", "both", "push", "pull"]),
        max_deletes: pick(rng, &["5%", "5%", "100%", "1", "2"]),
        grace_minutes: if one_in(rng, 6) { 45 } else { 0 },
        concurrency: rng.usize(1..=4),
        per_second: [1, 2, 10, 10, 1000][rng.usize(..5)],
        per_page: [1, 2, 3, 100, 100][rng.usize(..5)],
        salt: rng.u64(..),
        columns: BTreeMap::new(),
        linq_ahead: 0,
    }
}

fn quirks(rng: &mut Rng) -> Vec<String> {
    let mut quirks: Vec<String> = Vec::new();
    if one_in(rng, 3) {
        return quirks;
    }
    for (texts, n) in [
        (&["owner-reset"][..], 2),
        (&["phone=raw", "phone=any"], 3),
        (&["title-case"], 5),
        (&["truncate=40"], 6),
        (&["ignore-clearing"], 5),
        (&["blanks=empty", "blanks=absent"], 2),
        (&["order=created-desc", "order=updated-desc"], 2),
        (&["find-shape=contact", "find-shape=data"], 2),
        (&["late-visibility=1", "late-visibility=4"], 8),
    ] {
        if one_in(rng, n) {
            quirks.push(texts[rng.usize(..texts.len())].to_owned());
        }
    }
    quirks
}

/// What there is at all in one history.
struct Swarm {
    fields: Vec<Field>,
    edits: Vec<EditKind>,
    texts: Vec<TextKind>,
    faults: Vec<FaultKind>,
    /// Runs out of ten that are killed.
    kills: u32,
    /// Runs out of ten with faults on the wire.
    faulty: u32,
    /// Runs out of ten during which people edit.
    during: u32,
    /// Runs out of ten in which something else is different.
    weather: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum EditKind {
    AddRow,
    AddContact,
    AddBoth,
    Cell,
    Member,
    Same,
    Note,
    RemoveRow,
    RemoveContact,
    CopyRow,
    Shuffle,
    Requote,
    Owner,
}

#[derive(Clone, Copy)]
enum TextKind {
    Blank,
    Fresh,
    Shared,
    Odd,
    Respelled,
}

#[derive(Clone, Copy, PartialEq)]
enum FaultKind {
    NotSent,
    BrokenBefore,
    BrokenAfter,
    Status,
    StatusAfter,
    TooMany,
    Html,
    EmptyAfter,
    CutAfter,
    Late,
    Refused,
}

impl Swarm {
    fn draw(rng: &mut Rng, setup: &Setup) -> Swarm {
        use EditKind as E;
        use FaultKind as F;
        let mut fields = vec![Field::FirstName, Field::Email];
        for field in [
            Field::LastName,
            Field::PhoneNumber,
            Field::Company,
            Field::Title,
            Field::Location,
            Field::Owner,
        ] {
            if rng.bool() {
                fields.push(field);
            }
        }
        // What an unanswered create has made is told by its values, in time. Where Linq
        // shows it late, or has changed its name, it can be created twice.
        let late = ["late", "title"]
            .iter()
            .any(|gap| setup.quirks.iter().any(|quirk| quirk.starts_with(gap)));
        let some = |rng: &mut Rng, n: u32| if one_in(rng, n) { rng.u32(1..=6) } else { 0 };
        let mut faults = some_of(
            rng,
            &[
                F::NotSent,
                F::BrokenBefore,
                F::BrokenAfter,
                F::Status,
                F::StatusAfter,
                F::TooMany,
                F::Html,
                F::EmptyAfter,
                F::CutAfter,
                F::Late,
                F::Refused,
            ],
        );
        if late {
            faults.retain(|fault| [F::NotSent, F::TooMany].contains(fault));
        }
        Swarm {
            fields,
            edits: some_of(
                rng,
                &[
                    E::AddRow,
                    E::AddContact,
                    E::AddBoth,
                    E::Cell,
                    E::Cell,
                    E::Member,
                    E::Member,
                    E::Same,
                    E::Note,
                    E::RemoveRow,
                    E::RemoveContact,
                    E::CopyRow,
                    E::Shuffle,
                    E::Requote,
                    E::Owner,
                ],
            ),
            texts: texts(rng),
            kills: if late { 0 } else { some(rng, 2) },
            faulty: if faults.is_empty() { 0 } else { some(rng, 2) },
            faults,
            during: some(rng, 4),
            weather: some(rng, 6),
        }
    }
}

fn some_of<T: Copy>(rng: &mut Rng, all: &[T]) -> Vec<T> {
    all.iter().copied().filter(|_| rng.bool()).collect()
}

fn texts(rng: &mut Rng) -> Vec<TextKind> {
    use TextKind as T;
    let mut texts = vec![T::Fresh, T::Fresh, T::Fresh, T::Fresh];
    for (kind, n) in [(T::Blank, 2), (T::Shared, 2), (T::Odd, 3), (T::Respelled, 3)] {
        if one_in(rng, n) {
            texts.extend(vec![kind; rng.usize(1..=3)]);
        }
    }
    texts
}

struct Draw {
    rng: Rng,
    swarm: Swarm,
    serial: u32,
}

impl Draw {
    fn acts(&mut self) -> Vec<Act> {
        let mut acts = Vec::new();
        for _ in 0..[1, 2, 3, 3, 4, 5, 6][self.rng.usize(..7)] {
            let person = self.person();
            acts.push(Act::Edit(match self.rng.u32(0..5) {
                0 | 1 => SimEdit::AddRow(person),
                2 | 3 => SimEdit::AddContact(person),
                _ => SimEdit::AddBoth(person),
            }));
        }
        for _ in 0..self.rng.u32(1..=6) {
            let conditions = self.conditions();
            acts.push(Act::Run(conditions));
            if one_in(&mut self.rng, 3) {
                let seconds = [1, 4, 60, 3600, 30 * 3600];
                acts.push(Act::Wait(seconds[self.rng.usize(..5)]));
            }
            for _ in 0..[0, 1, 1, 2, 2, 3, 5][self.rng.usize(..7)] {
                acts.extend(self.edit().map(Act::Edit));
            }
        }
        let conditions = self.conditions();
        acts.push(Act::Run(conditions));
        acts
    }

    fn next(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn person(&mut self) -> SimPerson {
        let mut person: SimPerson = BTreeMap::new();
        for field in self.swarm.fields.clone() {
            if self.rng.u32(0..4) > 0 {
                let text = self.text();
                person.insert(field, text);
            }
        }
        if person.is_empty() {
            let serial = self.next();
            person.insert(Field::FirstName, DrawnText::Fresh(serial));
        }
        person
    }

    fn text(&mut self) -> DrawnText {
        let kind = self.swarm.texts[self.rng.usize(..self.swarm.texts.len())];
        let which = self.rng.u32(0..90);
        match kind {
            TextKind::Blank => DrawnText::Blank,
            TextKind::Fresh => DrawnText::Fresh(self.next()),
            TextKind::Shared => DrawnText::Shared(which % 6),
            TextKind::Odd => DrawnText::Odd(which, self.next()),
            TextKind::Respelled => DrawnText::Respelled(which % 3),
        }
    }

    fn field(&mut self) -> Field {
        self.swarm.fields[self.rng.usize(..self.swarm.fields.len())]
    }

    fn edit(&mut self) -> Option<SimEdit> {
        if self.swarm.edits.is_empty() {
            return None;
        }
        let kind = self.swarm.edits[self.rng.usize(..self.swarm.edits.len())];
        let who = self.rng.u32(0..60);
        Some(match kind {
            EditKind::AddRow => SimEdit::AddRow(self.person()),
            EditKind::AddContact => SimEdit::AddContact(self.person()),
            EditKind::AddBoth => SimEdit::AddBoth(self.person()),
            EditKind::Cell => SimEdit::Cell { who, field: self.field(), text: self.text() },
            EditKind::Member => SimEdit::Member { who, field: self.field(), text: self.text() },
            EditKind::Same => SimEdit::Same { who, field: self.field(), text: self.text() },
            EditKind::Note => SimEdit::Note { who, serial: self.next() },
            EditKind::RemoveRow => SimEdit::RemoveRow { who },
            EditKind::RemoveContact => SimEdit::RemoveContact { who },
            EditKind::CopyRow => SimEdit::CopyRow { who, serial: self.next() },
            EditKind::Shuffle => SimEdit::Shuffle { salt: self.rng.u64(..) },
            EditKind::Requote => SimEdit::Requote,
            EditKind::Owner => SimEdit::Owner { who, user: self.rng.u32(0..3) },
        })
    }

    fn conditions(&mut self) -> SimConditions {
        let mut conditions = SimConditions { preview: one_in(&mut self.rng, 3), ..<_>::default() };
        let out_of_ten = |rng: &mut Rng, n: u32| rng.u32(0..10) < n;
        if out_of_ten(&mut self.rng, self.swarm.kills) {
            let most = [12, 30, 60][self.rng.usize(..3)];
            if self.rng.bool() {
                conditions.kill = Some(self.rng.u32(1..=most));
            } else {
                let events = [
                    "before POST",
                    "after POST",
                    "before PATCH",
                    "after PATCH",
                    "before DELETE",
                    "after DELETE",
                    "before writing",
                    "after writing",
                ];
                conditions.kill_when = Some(events[self.rng.usize(..8)].to_owned());
            }
        } else if one_in(&mut self.rng, 25) {
            conditions.stop = Some(self.rng.u32(1..30));
        }
        if out_of_ten(&mut self.rng, self.swarm.faulty) {
            for _ in 0..self.rng.u32(1..=3) {
                let kinds = ["list", "get", "find", "create", "create", "update", "delete"];
                let kind = kinds[self.rng.usize(..7)].to_owned();
                let strike = (kind, self.rng.u32(1..=2), self.fault());
                conditions.strikes.push(strike);
            }
            if self.rng.bool() {
                let request = self.rng.u32(1..=14);
                let fault = self.fault();
                conditions.faults.insert(request, fault);
            }
            if one_in(&mut self.rng, 5) {
                let fault = self.fault();
                conditions.outage = Some((self.rng.u32(1..=14), fault));
            }
        }
        if out_of_ten(&mut self.rng, self.swarm.during) {
            for _ in 0..self.rng.u32(1..=2) {
                let at = self.rng.u32(1..=40);
                conditions.during.extend(self.edit().map(|edit| (at, edit)));
            }
        }
        if out_of_ten(&mut self.rng, self.swarm.weather) {
            let which = self.rng.u32(0..20);
            conditions.weather = Some(match which % 5 {
                0 => SimOutages::Elsewhere,
                1 => SimOutages::Short(which),
                2 => SimOutages::FileMissing,
                3 => SimOutages::FileEmpty,
                _ => SimOutages::FileUnterminated(which),
            });
            // People cannot save a file that is not there.
            conditions.during.clear();
        }
        conditions
    }

    fn fault(&mut self) -> WireFault {
        let kind = self.swarm.faults[self.rng.usize(..self.swarm.faults.len())];
        let failures = [500, 502, 503, 504];
        match kind {
            FaultKind::NotSent => WireFault::NotSent,
            FaultKind::BrokenBefore => WireFault::BrokenBefore,
            FaultKind::BrokenAfter => WireFault::BrokenAfter,
            FaultKind::Status => WireFault::Status(failures[self.rng.usize(..4)]),
            FaultKind::StatusAfter => WireFault::StatusAfter(failures[self.rng.usize(..4)]),
            FaultKind::TooMany => WireFault::TooMany(self.rng.u16(1..100)),
            FaultKind::Html => WireFault::Html,
            FaultKind::EmptyAfter => WireFault::EmptyAfter,
            FaultKind::CutAfter => WireFault::CutAfter,
            FaultKind::Late => WireFault::Late(self.rng.u32(1..28)),
            FaultKind::Refused => WireFault::Status([401, 403, 404][self.rng.usize(..3)]),
        }
    }
}
