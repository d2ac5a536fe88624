//! Tests of the planner: the decision table, matching, the guard, and the laws.

mod carry_out;
mod census;
mod changed_back;
mod decisions;
mod drawn;
mod guarding;
mod holding;
mod ignoring;
mod interrupted;
mod laws;
mod linked;
mod matching;
mod meaning;
mod reference;
mod refused;
mod selecting;
mod small_identity;
mod small_scope;
mod table;
mod undo;
mod world;
