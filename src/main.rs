//! The `linqsync` program.

fn main() {}
