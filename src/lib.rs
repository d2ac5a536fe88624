//! Keeps an organisation's contacts the same in two places: Linq on one side,
//! a CSV file or a directory of vCards on the other (the *source*).
//!
//! Three records are kept for every contact: what Linq last showed, what the
//! source last showed, and what both last agreed on (the *base*). A run is four
//! verbs in a row, and data flows through them once:
//!
//! 1. [`observe`] reads both sides and the state into one [`plan::Observation`];
//! 2. [`plan`] turns it into a [`plan::Plan`], as a pure function;
//! 3. [`apply`] carries the plan out through the journal;
//! 4. [`record`] writes down what landed, and is alone in advancing the base.
//!
//! # One edit, from end to end
//!
//! Somebody changes Ada's title in the file. [`daemon`] notices the save and makes a
//! run. [`source::Source::read_records`] gives a [`source::SourceReading`] with her row as a
//! [`model::SourceRecord`]; [`linq::walk`] reads the whole listing, her
//! [`model::LinqContact`] among it; the [`mirror`] has the [`model::Link`] of the two
//! with its [`model::Base`]. The planner finds that the source's text differs from the
//! source's half of the base, and Linq's does not from Linq's: [`plan::decide::decide_pair`] says
//! `WriteLinq`, and a [`plan::Step`] with the one field comes out. [`apply`] writes an
//! intent into the journal, reads her contact once more, sends the change, and hands
//! what Linq answered to [`record`], which closes the intent, advances the base and
//! adds a line to the history, in one transaction. A last plan is empty:
//! [`report::RunReport`] says `clean`.
//!
//! # In which order to read
//!
//! | chapter | what it is about |
//! |---|---|
//! | [`model`] | the nouns, and when two texts mean the same |
//! | [`plan`] | every decision, with its tables: the heart of it |
//! | [`observe`] | how it is known that somebody is gone |
//! | [`apply`], [`record`] | doing, and remembering what was done |
//! | [`run`] | the four verbs in a row, several times where something changed meanwhile |
//! | [`source`] | files that keep every byte that nobody changed |
//! | [`linq`] | an API that may fail at any moment, and what its answers prove |
//! | [`mirror`], [`lock`] | the state, and who may have it |
//! | [`undo`] | a run that puts another one back |
//! | [`users`] | who decides, by name |
//! | `platform` | what each operating system does in its own way |
//! | [`config`], [`open`], [`check`], [`report`], [`telemetry`], [`cli`] | the edges |
//! | [`schedule`], [`daemon`] | when runs are made, and what goes on around them |
//! | [`notification`] | what a channel is told, once |
//! | [`web`] | what waits, and decisions about it, in a browser |
//! | [`sandbox`] | a server that behaves like Linq, for the tests and for trying things out |
//!
//! The adapters ([`source`], [`linq`], [`mirror`]) never import one another. Which module
//! may use which is in ARCHITECTURE.md, and a test compares.
//!
//! # The words
//!
//! *side*: the source or Linq · *key*, *id*: how the source and Linq identify a contact ·
//! *link*: a row or card and a contact that are one person · *base*: what both had when
//! they last agreed, per field, in both spellings · *canonical*: the form in which two
//! texts are compared, never stored · *run*, *plan*, *step* · *conflict*: both sides
//! changed a field · *ambiguous*: nobody can tell who somebody is · *held*: waits for
//! approval · *rejected*: cannot be synchronised as it is · *released*: remembered and left
//! alone · *guard*: what holds back · *intent*: a write that may be on its way · *settle*:
//! how long a create without an answer is waited for.

#![cfg(unix)]
// Tests prepare files of their own, and nothing else.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod apply;
pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
mod decisions;
pub mod linq;
mod listening;
pub mod lock;
pub mod mirror;
pub mod model;
pub mod notification;
pub mod observe;
pub mod open;
pub mod plan;
mod platform;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod source;
pub mod telemetry;
mod text;
pub mod undo;
pub mod users;
pub mod web;
