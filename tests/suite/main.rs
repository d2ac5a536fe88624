//! End-to-end tests: the built program, as a person or a timer starts it, against
//! the sandbox on a port of its own, with real files.
//!
//! Each module holds the tests of one idea, and [`harness`] what they share. Tests
//! run beside one another: each has its own directory, its own Linq and its own
//! child processes, and waits for what it can see, never for a time.

#![allow(clippy::disallowed_methods, reason = "tests prepare files and watch the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a surprise is a failure"
)]

/// The simulation asks for memory and gives it back all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod accidents;
mod adopt;
mod agreements;
mod as_found;
mod asked;
mod attention;
mod blanks;
mod cells;
mod checks;
mod configuration;
mod conflicts;
mod copies;
mod csv_files;
#[path = "../oracles/csv_laws.rs"]
mod csv_laws;
mod daemon;
mod damage;
mod decided_by;
mod decisions;
mod deletions;
mod dependencies;
mod dialects;
mod direction;
mod documents;
mod doubt;
mod drift;
mod dry_run;
mod editors;
mod edits;
mod exporters;
mod exports;
mod faults;
mod first_hour;
mod first_sync;
mod fuzz_targets;
mod guarantees;
mod guard;
mod harness;
mod hidden_directory;
mod hostile;
mod ignoring;
mod inbox;
mod inbox_security;
mod init;
mod kill_sweep;
mod killed;
mod late_saves;
mod locks;
mod looking;
mod mass_edits;
mod matching;
mod names;
mod notify;
mod output;
mod packages;
mod panics;
mod past;
mod phones;
mod planning;
mod purge;
mod put_back;
mod quality;
mod readings;
mod refusals;
mod refused;
mod rejections;
mod reports;
mod retries;
mod saved_plan;
mod schemas;
mod secrets;
mod security;
mod selection;
mod service_beside;
mod service_endures;
mod service_failures;
mod service_hooks;
mod service_journal;
mod service_listener;
mod service_metrics;
mod service_mounts;
mod service_signals;
mod service_systemd;
mod service_units;
mod service_watch;
mod service_weather;
mod service_worker;
mod settings;
mod signals;
mod simulation;
mod spreadsheet;
mod spreadsheets;
mod state_loss;
mod state_places;
mod state_under_fire;
mod terminal;
mod tidy;
mod truth;
mod trying_out;
mod undo;
mod undo_whole;
mod unwritable;
mod updates;
mod vcards;
mod vcards_addresses;
mod vcards_afterwards;
mod vcards_beside_others;
mod vcards_links;
mod vocabulary;
mod walk;
mod who;
mod work;
