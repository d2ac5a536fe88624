//! Which state a configuration may take over.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::mirror::{Pair, StateError};
use crate::open::{self, OpenError};
use crate::report::ReportedError;

/// A state that belongs to another pair, or lies elsewhere.
pub(super) struct Found {
    /// Where it is.
    pub(super) dir: PathBuf,
    /// Whose it is.
    pub(super) pair: Pair,
    /// How it gets to where the configuration has its state.
    pub(super) way: Way,
}

/// How a state gets to where the configuration has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is there.
    Stays,
    /// It moves, as from the default directory of one configuration to that of another.
    Moves,
    /// A copy is made of it.
    Copied,
}

/// Why there is none.
pub(super) enum Nothing {
    /// This configuration has its state already.
    Settled,
    /// It could not be told which.
    Refused(ReportedError),
}

impl From<StateError> for Nothing {
    fn from(error: StateError) -> Nothing {
        Nothing::Refused(OpenError::from(error).reported())
    }
}

/// The state in `named`; else that in the configuration's own directory; else the one at the
/// default place with the same source or the same Linq.
pub(super) fn find(config: &Config, named: Option<&Path>) -> Result<Found, Nothing> {
    let ours = open::pair(config);
    let own = &config.state.dir;
    let of_own = open::pair_in(own)?;
    if let Some(dir) = named {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let dir = if dir.file_name().is_some_and(|name| name == "state.db") {
            dir.parent().unwrap_or(&dir).to_owned()
        } else {
            dir
        };
        if dir != *own {
            refuse_to_replace(own, of_own.as_ref())?;
            return match open::pair_in(&dir)? {
                Some(pair) => Ok(Found { way: way(config, &dir), dir, pair }),
                None => Err(refused(
                    format!("there is no state of a pair in {}", dir.display()),
                    "name the directory in which state.db is".to_owned(),
                )),
            };
        }
    }
    match of_own {
        Some(pair) if pair == ours => return Err(Nothing::Settled),
        Some(pair) => return Ok(Found { dir: own.clone(), pair, way: Way::Stays }),
        None => {}
    }
    choose(config, &ours, &open::other_states(config))
}

fn refuse_to_replace(own: &Path, pair: Option<&Pair>) -> Result<(), Nothing> {
    let Some(pair) = pair else { return Ok(()) };
    Err(refused(
        format!("this configuration has a state already, in {} ({pair})", own.display()),
        "`linqsync adopt` without a directory takes that one; to take the other, move it away \
         first"
            .to_owned(),
    ))
}

/// The only one; or, of several, the only one that has both.
fn choose(config: &Config, ours: &Pair, found: &[(PathBuf, Pair)]) -> Result<Found, Nothing> {
    let exact = found.iter().filter(|(_, pair)| pair == ours).count();
    let mut fitting = found.iter().filter(|(_, pair)| exact == 0 || pair == ours);
    match (fitting.next(), fitting.next()) {
        (Some((dir, pair)), None) => {
            let way = way(config, dir);
            Ok(Found { dir: dir.clone(), pair: pair.clone(), way })
        }
        (Some(_), Some(_)) => {
            let listed: Vec<String> = found
                .iter()
                .map(|(dir, pair)| format!("{} ({pair}{})", dir.display(), is_there(pair)))
                .collect();
            Err(refused(
                format!("{} states may be meant: {}", found.len(), listed.join("; ")),
                "name one: `linqsync adopt DIR`".to_owned(),
            ))
        }
        (None, _) => {
            let all = config.state.all.as_ref().unwrap_or(&config.state.dir);
            Err(refused(
                format!(
                    "no state was found, in {} or below {}, that has {} or {}",
                    config.state.dir.display(),
                    all.display(),
                    ours.source,
                    ours.base_url
                ),
                "name its directory: `linqsync adopt DIR`; without one, the first run links both \
                 sides anew and deletes nothing"
                    .to_owned(),
            ))
        }
    }
}

/// Whether the source of `pair` is where it was.
pub(super) fn is_there(pair: &Pair) -> &'static str {
    if open::has_source(pair) { "" } else { ", which is not found" }
}

fn way(config: &Config, dir: &Path) -> Way {
    let all = config.state.all.as_deref();
    match (config.state.is_default, all) {
        // It is used where it is: see `open::located`.
        (true, Some(all)) if dir == all => Way::Stays,
        (true, Some(all)) if dir.parent() == Some(all) => Way::Moves,
        _ => Way::Copied,
    }
}

fn refused(message: String, hint: String) -> Nothing {
    Nothing::Refused(ReportedError { code: 2, message, hint })
}
