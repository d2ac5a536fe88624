//! What commands ask of that which waits, beyond its rows.

use super::State;
use super::error::StateError;

impl State {
    /// How many contacts have a conflict, in however many fields.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn count_in_conflict(&self) -> Result<usize, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT count(DISTINCT coalesce(waiting ->> '$.linq_id', waiting ->> '$.label'))
                 FROM waiting WHERE waiting ->> '$.kind.kind' = 'conflict'",
            )?
            .query_row([], |row| row.get(0))
            .map(|count: u32| count as usize)
        })
    }
}
