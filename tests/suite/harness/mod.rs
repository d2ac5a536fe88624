//! What the tests share.
//!
//! [`World`] is a directory with a CSV file and a `sync.toml`, and a Linq to talk
//! to. [`Process`] is a running linqsync, [`EndedProcess`] one that has ended, [`PrintedRun`] and
//! [`PrintedPlan`] are what it reported; everything that is printed as JSON is compared with the
//! page about it. A [`Terminal`] is what a
//! person sits before. A [`Stage`] is a world to which one can go back. [`people`] makes CSV
//! text, and [`TestFiles`] tells whether anything on disk was touched.
//!
//! Every process logs all there is, and none of it may name anybody or the token:
//! [`log`] sees to that in every test.

mod documented;
mod files;
mod log;
pub(crate) mod people;
mod process;
mod reports;
mod stage;
mod terminal;
mod world;

pub(crate) use documented::{DocumentedMember, PAGE, anchor, expect_documented};
pub(crate) use files::{TestFiles, names_in};
pub(crate) use process::{EndedProcess, Process, wait_until};
pub(crate) use reports::{PrintedPlan, PrintedRun};
pub(crate) use stage::Stage;
pub(crate) use terminal::{ScreenSeen, Terminal};
pub(crate) use world::{TOKEN, World};
