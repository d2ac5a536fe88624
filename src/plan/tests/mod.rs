//! Tests of the planner: the decision table, matching, the guard, and the laws.

mod decisions;
mod guarding;
mod interrupted;
mod laws;
mod linked;
mod matching;
mod world;
