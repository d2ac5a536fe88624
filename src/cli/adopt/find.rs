//! Which state a configuration may take over.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::mirror::{StateError, SyncPair};
use crate::open::{self, OpenError};
use crate::report::ReportedError;

/// A state that belongs to another pair, or lies elsewhere.
pub(super) struct OtherState {
    /// Where it is.
    pub(super) dir: PathBuf,
    /// Whose it is.
    pub(super) pair: SyncPair,
    /// How it gets to where the configuration has its state.
    pub(super) way: AdoptWay,
}

/// How a state gets to where the configuration has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdoptWay {
    /// It is there.
    Stays,
    /// It moves, as from the default directory of one configuration to that of another.
    Moves,
    /// A copy is made of it.
    Copied,
}

/// Why there is none.
pub(super) enum NoOtherState {
    /// This configuration has its state already.
    Settled,
    /// It could not be told which.
    Refused(ReportedError),
}

impl From<StateError> for NoOtherState {
    fn from(error: StateError) -> NoOtherState {
        NoOtherState::Refused(OpenError::from(error).to_reported_error())
    }
}

/// The state in `named`; else that in the configuration's own directory; else the one at the
/// default place with the same source or the same Linq.
pub(super) fn find_state(
    config: &Config,
    named: Option<&Path>,
) -> Result<OtherState, NoOtherState> {
    let ours = open::configured_pair(config);
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
                Some(pair) => Ok(OtherState { way: adopt_way(config, &dir), dir, pair }),
                None => Err(refuse_adoption(
                    format!("there is no state of a pair in {}", dir.display()),
                    "name the directory in which state.db is".to_owned(),
                )),
            };
        }
    }
    match of_own {
        Some(pair) if pair == ours => return Err(NoOtherState::Settled),
        Some(pair) => return Ok(OtherState { dir: own.clone(), pair, way: AdoptWay::Stays }),
        None => {}
    }
    choose_state(config, &ours, &open::other_states(config))
}

fn refuse_to_replace(own: &Path, pair: Option<&SyncPair>) -> Result<(), NoOtherState> {
    let Some(pair) = pair else { return Ok(()) };
    Err(refuse_adoption(
        format!("this configuration has a state already, in {} ({pair})", own.display()),
        "`linqsync adopt` without a directory takes that one; to take the other, move it away \
         first"
            .to_owned(),
    ))
}

/// The only one; or, of several, the only one that has both.
fn choose_state(
    config: &Config,
    ours: &SyncPair,
    found: &[(PathBuf, SyncPair)],
) -> Result<OtherState, NoOtherState> {
    let exact = found.iter().filter(|(_, pair)| pair == ours).count();
    let mut fitting = found.iter().filter(|(_, pair)| exact == 0 || pair == ours);
    match (fitting.next(), fitting.next()) {
        (Some((dir, pair)), None) => {
            let way = adopt_way(config, dir);
            Ok(OtherState { dir: dir.clone(), pair: pair.clone(), way })
        }
        (Some(_), Some(_)) => {
            let listed: Vec<String> = found
                .iter()
                .map(|(dir, pair)| format!("{} ({pair}{})", dir.display(), is_there(pair)))
                .collect();
            Err(refuse_adoption(
                format!("{} states may be meant: {}", found.len(), listed.join("; ")),
                "name one: `linqsync adopt DIR`".to_owned(),
            ))
        }
        (None, _) => {
            let all = config.state.all.as_ref().unwrap_or(&config.state.dir);
            Err(refuse_adoption(
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
pub(super) fn is_there(pair: &SyncPair) -> &'static str {
    if open::has_source(pair) { "" } else { ", which is not found" }
}

fn adopt_way(config: &Config, dir: &Path) -> AdoptWay {
    let all = config.state.all.as_deref();
    match (config.state.is_default, all) {
        // It is used where it is: see `open::located`.
        (true, Some(all)) if dir == all => AdoptWay::Stays,
        (true, Some(all)) if dir.parent() == Some(all) => AdoptWay::Moves,
        _ => AdoptWay::Copied,
    }
}

fn refuse_adoption(message: String, hint: String) -> NoOtherState {
    NoOtherState::Refused(ReportedError { code: 2, message, hint })
}
