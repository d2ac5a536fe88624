//! End-to-end tests: the built binary, and the library against the sandbox.
#![allow(clippy::disallowed_methods, reason = "tests prepare files of their own")]

mod simulation;
