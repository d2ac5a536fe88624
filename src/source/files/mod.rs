//! The files of a source, for tables and cards alike.
//!
//! Owns what is the same for both kinds: reading a file whole and unchanged ([`read`]),
//! which symbolic links are followed ([`links`]), how long a source must have been left
//! alone before it is believed ([`QuietTime`], [`Stillness`]), and the one directory in which
//! everything lies that is ours ([`Hidden`]). Leaves replacing files to
//! [`super::atomic`], and what files mean to the two kinds.

mod hidden;
mod links;
mod quiet_time;
mod read;

pub(super) use hidden::Hidden;
pub(super) use links::follow_link;
pub use quiet_time::QuietTime;
pub(super) use quiet_time::{Stillness, Waited};
pub(super) use read::{FileStamp, ReadError, TRIES, read_stable};
