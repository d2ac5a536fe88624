//! Keeps an organisation's contacts the same in two places: Linq on one side,
//! a CSV file on the other (the *source*).
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
//! [`run`] puts the four in a row. Around them stand the adapters, which never
//! import one another: [`source`] (files), [`linq`] (HTTP) and [`mirror`]
//! (SQLite). [`model`] holds the nouns they share. The edges are [`config`],
//! [`check`], [`report`], [`schedule`], [`daemon`], [`telemetry`] and [`cli`];
//! [`sandbox`] is a local server that behaves like Linq, for trying things out and for
//! the tests.

// Tests prepare files of their own, and nothing else.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod apply;
pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod gauge;
pub mod linq;
pub mod lock;
pub mod mirror;
pub mod model;
pub mod observe;
pub mod open;
pub mod plan;
pub mod record;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod source;
pub mod telemetry;
pub mod undo;
mod weather;
