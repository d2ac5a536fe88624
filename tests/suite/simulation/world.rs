//! The world of one history: Linq, the file, the clock, the people, and what the
//! harness remembers of them.
//!
//! Owns the *events*: every request, answer, look at the clock and access to the
//! file is one. At an event people may edit, and the process may be killed, which
//! is an unwinding that nothing in the product catches: whatever was to happen
//! next does not happen, and everything is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, TimeDelta};
use linqsync::mirror::State;
use linqsync::model::{Decided, Field, Side, Timestamp};
use linqsync::sandbox::{Contact, Options, Quirk, Sandbox};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::check::mass::{AgreedValue, ChangedValue};
use super::home::Home;
use super::ledger::Ledger;
use super::scenario::{Feature, Setup, SimConditions};
use super::sheet::{SimSheet, column};

/// Whether what happens is written down: that costs more than to play it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SimTrace {
    Kept,
    Dropped,
}

/// What unwinds when the process is killed.
pub(super) struct Killed;

/// The world, shared by the transport, the file and the driver of one history.
pub(super) struct SimWorld {
    setup: Mutex<Arc<Setup>>,
    /// Where the process keeps the file and its state.
    pub(super) home: Home,
    /// Linq.
    pub(super) linq: Sandbox,
    elsewhere: OnceLock<Sandbox>,
    start: Instant,
    /// By how many seconds our clock is wrong.
    clock: AtomicI64,
    trace: SimTrace,
    inner: Mutex<Inner>,
}

/// What changes in a world.
#[derive(Default)]
pub(super) struct Inner {
    /// What happened, for people and for the comparison of two runs of one seed; nothing
    /// unless it is traced.
    pub(super) log: Vec<String>,
    /// How many lines were logged, or would have been.
    pub(super) lines: usize,
    /// What must not have happened.
    pub(super) violations: Vec<String>,
    pub(super) ledger: Ledger,
    pub(super) run: RunNow,
    pub(super) past: Past,
    /// How many late effects have come.
    pub(super) late: u32,
    /// How often what was met, over the whole history.
    pub(super) met: BTreeMap<String, u64>,
}

/// The run that is being made.
#[derive(Default)]
pub(super) struct RunNow {
    pub(super) conditions: SimConditions,
    pub(super) events: u32,
    pub(super) requests: u32,
    pub(super) stop: CancellationToken,
    /// Writes that Linq carried out or refused, in order.
    pub(super) writes: Vec<Write>,
    /// Requests that the client sent, by kind.
    pub(super) sent: BTreeMap<&'static str, u32>,
    /// What the source was asked to do: added, changed, removed.
    pub(super) added: usize,
    pub(super) changed: usize,
    pub(super) removed: usize,
    /// The file as the run last read or left it.
    pub(super) sheet: Option<SimSheet>,
    /// Linq as it was when the run began.
    pub(super) before: BTreeMap<u64, Contact>,
    /// Contacts as Linq last showed them to the run by their ids.
    pub(super) shown: BTreeMap<u64, Contact>,
    /// Whether anything but the run itself happened in it.
    pub(super) disturbed: bool,
    /// Whether earlier runs left no intent open.
    pub(super) fresh: bool,
    /// What was agreed on before, where people work on whole tables.
    pub(super) agreed: AgreedValue,
    /// What people had decided before it.
    pub(super) decisions: Vec<Decided>,
    /// The fields of contacts that they had decided about.
    pub(super) decided: BTreeSet<(u64, Field)>,
    /// What the run has changed.
    pub(super) overwrites: ChangedValue,
    /// How many links there were before.
    pub(super) links: usize,
}

/// A write that reached Linq.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) method: String,
    pub(super) id: Option<u64>,
    pub(super) status: u16,
}

/// What the harness remembers of earlier runs.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each remembers that something happened")]
pub(super) struct Past {
    /// Contacts that linqsync created.
    pub(super) posted: BTreeSet<u64>,
    /// Those of them that a listing may have left out, and said that it was whole.
    pub(super) hidden: BTreeSet<u64>,
    /// Each contact that was ever linked, with the note of its row if that was made
    /// by people.
    pub(super) linked: BTreeMap<u64, Option<String>>,
    /// What people edited since both sides were last in sync: fields of contacts, and
    /// of rows by their notes.
    pub(super) edited_contacts: BTreeSet<(u64, Field)>,
    /// Fields of contacts that Linq did not take from the source.
    pub(super) refused: BTreeSet<(u64, Field)>,
    pub(super) edited_rows: BTreeSet<(String, Field)>,
    /// Contacts that were created in Linq to put something back.
    pub(super) recreated: BTreeSet<u64>,
    /// Contacts whose row was once taken for another.
    pub(super) moved: BTreeSet<u64>,
    /// Whether rows could not be read in some run.
    pub(super) unreadable: bool,
    /// Conflicts that people made, which wait for them from then on.
    pub(super) conflicts: BTreeSet<(u64, Field)>,
    /// Whom contacts must belong to.
    pub(super) owners: BTreeMap<u64, String>,
    /// Whether a run was put back: by the will of people, who then have edited, removed
    /// and added whatever that has.
    pub(super) undone: bool,
    /// How many rows and contacts people removed.
    pub(super) removals: usize,
    /// How many rows people copied that linqsync had added: which of the two is the copy
    /// cannot be told.
    pub(super) copied_ours: usize,
    /// How many contacts people removed.
    pub(super) contacts_removed: usize,
    /// What stood in columns that were deleted, by the notes of the rows.
    pub(super) dropped: BTreeMap<Field, BTreeMap<String, String>>,
    /// Whether people pasted a block of cells a row off.
    pub(super) pasted: bool,
    /// Whether people changed the configuration, or the columns of the file.
    pub(super) reconfigured: bool,
    /// The file as it was when each run began.
    pub(super) copies: Vec<Vec<u8>>,
    /// Whether people worked on a whole table: what they did is remembered cell by cell.
    pub(super) office: bool,
    /// What the last run held: whose value of what on which side, and the value that it
    /// would get.
    pub(super) held: BTreeMap<(u64, Side, Field), String>,
    /// Whether people edited a row that linqsync added, or a contact that it created
    /// and had not linked: that may be nobody's then.
    pub(super) edited_ours: bool,
}

impl SimWorld {
    /// A world in which nobody is known yet.
    pub(super) fn new(setup: &Setup, home: Home, trace: SimTrace) -> Arc<SimWorld> {
        let start = Instant::now();
        let world = SimWorld {
            setup: Mutex::new(Arc::new(setup.clone())),
            home,
            linq: organisation(setup, start),
            elsewhere: OnceLock::new(),
            start,
            clock: AtomicI64::new(0),
            trace,
            inner: Mutex::new(Inner::default()),
        };
        world.home.save(SimSheet::new(&setup.features).bytes());
        Arc::new(world)
    }

    /// Another organisation, which has nobody.
    pub(super) fn elsewhere(&self) -> &Sandbox {
        self.elsewhere.get_or_init(|| organisation(&self.setup(), self.start))
    }

    /// What is set up at present.
    pub(super) fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody changes what is set up.
    pub(super) fn configure(&self, setup: Setup) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
    }

    /// Whether this is configured at present.
    pub(super) fn has(&self, feature: Feature) -> bool {
        self.setup().features.contains(&feature)
    }

    /// The column in which a field stands at present.
    pub(super) fn column(&self, field: Field) -> String {
        let setup = self.setup();
        setup.columns.get(&field).cloned().unwrap_or_else(|| column(field).to_owned())
    }

    /// The present, as our clock shows it.
    pub(super) fn now(&self) -> Timestamp {
        present(self.start) + TimeDelta::seconds(self.clock.load(Ordering::Relaxed))
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what happened.
    pub(super) fn log(&self, text: fmt::Arguments<'_>) {
        self.inner().lines += 1;
        self.remark(text);
    }

    /// Writes down what helps to understand what happened.
    pub(super) fn remark(&self, text: fmt::Arguments<'_>) {
        if self.is_traced() {
            let at = self.start.elapsed().as_millis();
            let text = self.home.hidden(text.to_string());
            self.inner().log.push(format!("{:>9}.{:03}  {text}", at / 1000, at % 1000));
        }
    }

    /// Whether what is logged is kept.
    pub(super) fn is_traced(&self) -> bool {
        self.trace == SimTrace::Kept
    }

    /// Writes down what must not have happened.
    pub(super) fn violation(&self, text: &str) {
        self.log(format_args!("VIOLATION: {text}"));
        self.inner().violations.push(text.to_owned());
    }

    /// Counts something that histories should meet now and then.
    pub(super) fn met(&self, what: &str) {
        *self.inner().met.entry(what.to_owned()).or_default() += 1;
    }

    /// Something happens: people may edit now, and the process may end here.
    pub(super) fn event(&self, what: &str) {
        let (due, kill) = {
            let run = &mut self.inner().run;
            run.events += 1;
            let at = run.events;
            if run.conditions.stop == Some(at) {
                run.stop.cancel();
                run.disturbed = true;
            }
            let during = run.conditions.during.iter().filter(|(when, _)| *when == at);
            let due: Vec<_> = during.map(|(_, edit)| edit.clone()).collect();
            for (_, seconds) in run.conditions.clocks.iter().filter(|(when, _)| *when == at) {
                self.clock.fetch_add(*seconds, Ordering::Relaxed);
            }
            run.disturbed |= !due.is_empty();
            let when = run.conditions.kill_when.as_ref();
            let kill = run.conditions.kill == Some(at)
                || when.is_some_and(|when| what.starts_with(when.as_str()));
            (due, kill)
        };
        for edit in due {
            self.met("an edit during a run");
            self.edit(&edit);
        }
        if kill {
            self.log(format_args!("killed: {what}"));
            self.met(&format!("killed {}", what.split(' ').take(2).collect::<Vec<_>>().join(" ")));
            std::panic::resume_unwind(Box::new(Killed));
        }
    }

    /// The file as it is.
    pub(super) fn sheet(&self) -> SimSheet {
        SimSheet::parse(&self.bytes())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.home.bytes()
    }

    /// The state, to look at.
    pub(super) fn state(&self) -> Rc<State> {
        self.home.state()
    }

    /// Whether Linq has exactly these contacts, in their order.
    pub(super) fn has_contacts(&self, contacts: &[Contact]) -> bool {
        let (mut those, mut same) = (contacts.iter(), true);
        self.linq.look_at_contacts(|contact| same &= those.next() == Some(contact));
        same && those.next().is_none()
    }

    pub(super) fn contacts(&self) -> BTreeMap<u64, Contact> {
        self.linq.contacts().into_iter().map(|contact| (contact.id, contact)).collect()
    }
}

fn organisation(setup: &Setup, start: Instant) -> Sandbox {
    let ahead = TimeDelta::seconds(setup.linq_ahead);
    Sandbox::new(Options {
        quirks: setup.quirks.iter().map(|text| text.parse::<Quirk>().unwrap()).collect(),
        now: Arc::new(move || present(start) + ahead),
        ..Options::default()
    })
}

fn present(start: Instant) -> Timestamp {
    let elapsed = TimeDelta::from_std(start.elapsed()).unwrap();
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_768_478_400) + elapsed
}
