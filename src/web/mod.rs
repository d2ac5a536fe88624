//! The inbox: what waits, and decisions about it, in a browser.
//!
//! Owns the pages, who gets in, and what a browser may do with the answers. It only records
//! decisions, through `decisions` as the commands do, and asks for runs. Every text of
//! Linq or the source is hostile: pages are made by templates that escape, and need no script.
//!
//! | file | owns |
//! |---|---|
//! | `server` | connections, their limits in number, size and time |
//! | `routes` | which page answers what; who may see and do what |
//! | `guarded` | what is checked of each request, and the headers of each answer |
//! | `passwords` | the password file |
//! | `sessions`, `attempts` | who is logged in, and how often that may be tried |
//! | `caller` | that nothing begins for a caller who has gone |
//! | `form` | what a browser sends |
//! | `deciding` | decisions about exactly what was shown |
//! | `frame`, `lists`, `contact`, `past`, `overview` | the pages |

mod attempts;
mod caller;
mod contact;
mod deciding;
mod form;
mod frame;
mod guarded;
mod lists;
mod overview;
pub mod passwords;
mod past;
mod routes;
mod server;
mod sessions;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::config::{Config, WebConfig};
use crate::model::{LinqId, RunId, Timestamp};

pub use server::Web;

/// What the daemon says of itself.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// How it is, in a line.
    pub line: String,
    /// Whether runs do what they should.
    pub healthy: bool,
    /// When the run began that is being made.
    pub running_since: Option<Timestamp>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
}

/// A run that somebody asks for in the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunWanted {
    /// Who asks.
    pub by: String,
    /// What is to be put back; `None` for an ordinary run.
    pub undo: Option<UndoRequest>,
}

/// What is to be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRequest {
    /// What this run did.
    pub run: RunId,
    /// To this contact alone.
    pub contact: Option<LinqId>,
}

/// A role, and what stands for the line of its password.
pub type Known = (passwords::InboxRole, [u8; 32]);

/// Says what an undo would do, in words, as long as somebody wants to know it.
pub type Foresee =
    dyn Fn(&Config, UndoRequest, &dyn Fn() -> bool) -> Result<String, String> + Send + Sync;
/// Says whose password it is, by the password file.
pub type RoleOf = dyn Fn(&Path, &str) -> Result<Option<Known>, String> + Send + Sync;

/// What takes much memory, and is done in a process of its own. Both block, and say why they
/// could not do it.
#[derive(Clone)]
pub struct Helpers {
    /// What an undo would do, in words.
    pub foresee: Arc<Foresee>,
    /// Whose password it is, by the password file.
    pub role_of: Arc<RoleOf>,
}

/// What the inbox is given from outside.
#[derive(Clone)]
pub struct InboxOutside {
    /// Tells the time.
    pub clock: fn() -> Timestamp,
    /// What the daemon says of itself.
    pub glance: Arc<dyn Fn() -> Glance + Send + Sync>,
    /// Asks for a run; `false` if too many are asked for already.
    pub ask: Arc<dyn Fn(RunWanted) -> bool + Send + Sync>,
    /// What is done in a process of its own.
    pub helpers: Helpers,
}

/// The inbox, shared by its connections.
pub(crate) struct Inbox {
    config: Mutex<Arc<Config>>,
    outside: InboxOutside,
    sessions: Mutex<sessions::Sessions>,
    attempts: Mutex<attempts::Attempts>,
    /// One password is looked at at a time: that takes memory.
    hashing: Mutex<()>,
    /// One undo is planned at a time.
    planning: Mutex<()>,
    /// One form is decided on at a time.
    deciding: Mutex<()>,
}

impl Inbox {
    fn new(config: Arc<Config>, outside: InboxOutside) -> Inbox {
        Inbox {
            config: Mutex::new(config),
            outside,
            sessions: Mutex::default(),
            attempts: Mutex::default(),
            hashing: Mutex::default(),
            planning: Mutex::default(),
            deciding: Mutex::default(),
        }
    }

    /// The configuration in force, and its section about this.
    fn config(&self) -> Option<(Arc<Config>, WebConfig)> {
        let config = Arc::clone(&locked(&self.config));
        let web = config.web.clone()?;
        Some((config, web))
    }

    fn now(&self) -> Timestamp {
        (self.outside.clock)()
    }
}

/// What is behind a lock; a panic of somebody else leaves nothing half done there.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
