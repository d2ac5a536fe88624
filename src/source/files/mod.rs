//! The files of a source, for tables and cards alike.
//!
//! Owns what is the same for both kinds: reading a file whole and unchanged ([`read`]),
//! which symbolic links are followed ([`links`]), how long a source must have been left
//! alone before it is believed ([`Clock`], [`Stillness`]), and the one directory in which
//! everything lies that is ours ([`Hidden`]). Leaves replacing files to
//! [`super::atomic`], and what files mean to the two kinds.

mod clock;
mod hidden;
mod links;
mod read;

pub use clock::Clock;
pub(super) use clock::{Stillness, Waited};
pub(super) use hidden::Hidden;
pub(super) use links::follow;
pub(super) use read::{ReadError, Stamp, TRIES, read_stable};
