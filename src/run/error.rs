//! Why a run ended early, its exit code, and what to do about it.

use crate::apply::Halt;
use crate::linq::{Failure, LinqError, Remedy, TransportError};
use crate::lock::LockError;
use crate::mirror::StateError;
use crate::model::RunId;
use crate::observe::ObserveError;
use crate::plan::{Unaccounted, UndoError};
use crate::report::ReportedError;
use crate::source::{SourceError, WriteError};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no source to read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source could not be written.
    #[error(transparent)]
    Write(WriteError),
    /// The source could not be copied before the first write to it.
    #[error("cannot copy the source into the state's backups")]
    BackUp(#[source] std::io::Error),
    /// Linq refused the token, or does not work.
    #[error("Linq: {0}")]
    Linq(#[from] LinqError),
    /// Linq failed on some writes alone; everything else was done.
    #[error("Linq: {0}; everything else was done")]
    GaveUp(#[source] LinqError),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A defect of linqsync: the planner lost somebody.
    #[error(transparent)]
    Plan(#[from] Unaccounted),
    /// A defect of linqsync: a panic.
    #[error("a defect of linqsync ended the run; what was done until then is remembered")]
    Defect,
    /// Nobody of that name had anything done to them by the run that is to be put back.
    #[error("run {0} changed no contact of that name")]
    NoSuchContact(RunId),
    /// A run has carried out this plan already.
    #[error("the plan was applied already, by run {0}")]
    Applied(RunId),
    /// The column that is named for Linq's ids holds something else.
    #[error(
        "source.id_column names the column `{0}`, which holds other things than Linq's ids; \
         nothing was changed"
    )]
    OtherIds(String),
    /// The program was asked to stop.
    #[error("stopped before everything was done; the next run goes on from here")]
    Stopped,
}

impl From<ObserveError> for RunError {
    fn from(error: ObserveError) -> RunError {
        match error {
            ObserveError::Linq(error) => error.into(),
            ObserveError::State(error) => error.into(),
        }
    }
}

impl From<UndoError> for RunError {
    fn from(error: UndoError) -> RunError {
        match error {
            UndoError::Unaccounted(error) => error.into(),
            UndoError::NoSuchContact(run) => RunError::NoSuchContact(run),
        }
    }
}

impl From<Halt> for RunError {
    fn from(halt: Halt) -> RunError {
        match halt {
            Halt::Linq(error) => error.into(),
            Halt::State(error) => error.into(),
            Halt::Stopped => RunError::Stopped,
        }
    }
}

impl RunError {
    /// The exit code, by the table of the command's documentation.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Source(SourceError::Locked(error))
            | RunError::Write(WriteError::Locked(error)) => lock_code(error),
            RunError::Source(SourceError::Io { .. } | SourceError::Unusable { .. })
            | RunError::NoSuchContact(_)
            | RunError::OtherIds(_)
            | RunError::Applied(_) => 2,
            RunError::Linq(error) => match error.verdict {
                Remedy::NoToken(_) => 2,
                Remedy::TokenRefused(_) | Remedy::Halted(_) => 5,
                Remedy::Rejected(_) | Remedy::Failed(_) => 6,
            },
            RunError::GaveUp(_) => 6,
            RunError::State(error) => state_code(error),
            RunError::Write(_) | RunError::BackUp(_) | RunError::Plan(_) | RunError::Defect => 1,
            RunError::Stopped => 143,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            RunError::Source(SourceError::Unusable { hint, .. }) => hint.clone(),
            RunError::Source(SourceError::Io { .. }) => {
                "check source.path in sync.toml, and that this user may read it".to_owned()
            }
            RunError::Source(SourceError::Locked(_)) | RunError::Write(WriteError::Locked(_)) => {
                "wait until the other one has finished, or stop it".to_owned()
            }
            RunError::Write(_) | RunError::BackUp(_) => {
                "check that this user may write the file's directory, and that the disk is not \
                 full; what was written to Linq is remembered"
                    .to_owned()
            }
            RunError::Linq(error) => linq_hint(error).to_owned(),
            RunError::GaveUp(_) => {
                "Linq answers other requests; the next run tries this again".to_owned()
            }
            RunError::State(error) => error.hint().unwrap_or(STATE_HINT).to_owned(),
            RunError::Plan(_) => "please report this, with what both sides looked like".to_owned(),
            RunError::Defect => "please report this, with the line of the log that names the \
                                 place; the next run goes on from here"
                .to_owned(),
            RunError::NoSuchContact(run) => {
                format!("`linqsync history --run {run}` shows whom it did something to")
            }
            RunError::Applied(_) => "make another one with `linqsync plan --out FILE`".to_owned(),
            RunError::OtherIds(_) => {
                "add an empty column to the file and name it in source.id_column".to_owned()
            }
            RunError::Stopped => "start it again to finish".to_owned(),
        }
    }

    /// The error as a report shows it.
    pub fn to_reported_error(&self) -> ReportedError {
        ReportedError::from_error(self, self.exit_code(), &self.hint())
    }
}

fn lock_code(error: &LockError) -> u8 {
    match error {
        LockError::Held { .. } => 7,
        LockError::Io { .. } => 2,
    }
}

/// What to do about a state of which no more is known.
pub(crate) const STATE_HINT: &str =
    "check that this user may read and write state.dir, and that its disk works";

pub(crate) fn state_code(error: &StateError) -> u8 {
    match error {
        StateError::Held { .. } => 7,
        StateError::Permissions { .. }
        | StateError::Foreign { .. }
        | StateError::Newer { .. }
        | StateError::NotOurs { .. }
        | StateError::NotWaiting => 2,
        StateError::Io { .. }
        | StateError::Corrupt { .. }
        | StateError::Busy { .. }
        | StateError::Full { .. }
        | StateError::AlreadyLinked(_)
        | StateError::UnknownLink(_)
        | StateError::UnknownRun(_)
        | StateError::UnknownIntent(_)
        | StateError::IllegalStep { .. }
        | StateError::Database { .. } => 1,
    }
}

fn linq_hint(error: &LinqError) -> &'static str {
    match error.verdict {
        Remedy::NoToken(_) => "set linq.token_file in sync.toml, or the variable LINQ_TOKEN",
        Remedy::TokenRefused(_) | Remedy::Halted(_) => {
            "put a token there that Linq takes, and see with `linqsync check`; nothing further was changed"
        }
        Remedy::Failed(Failure::NoAnswer(TransportError::NotSent(_))) => {
            "check linq.base_url and the connection; the next run goes on from here"
        }
        Remedy::Failed(
            Failure::Redirected(_)
            | Failure::NotBelieved { .. }
            | Failure::NoAnswer(TransportError::TooLarge { .. }),
        ) => "that is not how Linq answers: check linq.base_url; the next run goes on from here",
        Remedy::Rejected(_)
        | Remedy::Failed(
            Failure::Status(_)
            | Failure::NoAnswer(TransportError::TimedOut(_) | TransportError::Broken(_)),
        ) => "nothing is to be done unless it lasts: the next run goes on from here",
    }
}
