//! Tests of the planner: the decision table, matching, the guard, and the laws.

mod carry_out;
mod decisions;
