//! After Linq refused the token: when it may be asked again.
//!
//! Owns the pause of a quarter of an hour, which ends early when the token's file
//! changes. Leaves reading the token to the client, which does it anew for each run.

use std::os::unix::fs::MetadataExt;

use chrono::TimeDelta;

use crate::config::TokenSource;
use crate::model::Timestamp;

const PAUSE: TimeDelta = TimeDelta::minutes(15);

/// A refusal, and what the token's file looked like then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    at: Timestamp,
    file: Option<File>,
}

/// What tells that a file was written or replaced.
pub(super) type File = (u64, u64, i64, i64);

impl Refusal {
    /// Linq refused the token from `token`, which was read after `file` was looked at.
    pub(super) fn new(at: Timestamp, file: Option<File>) -> Refusal {
        Refusal { at, file }
    }

    /// Whether the token's file is another one than at the refusal.
    pub(super) fn has_new_token(&self, token: &TokenSource) -> bool {
        file(token) != self.file
    }

    /// Whether Linq may be asked again at `now`.
    pub(super) fn is_over(&self, token: &TokenSource, now: Timestamp) -> bool {
        (now - self.at).abs() >= PAUSE || self.has_new_token(token)
    }
}

/// What the token's file looks like, where the token comes from one.
pub(super) fn file(token: &TokenSource) -> Option<File> {
    let (TokenSource::Credential(path) | TokenSource::File(path)) = token else { return None };
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linq_is_asked_again_after_a_quarter_of_an_hour_or_with_a_new_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let at = |minute: i64| chrono::DateTime::from_timestamp(minute * 60, 0).unwrap();
        let token = TokenSource::File(path.clone());
        let refusal = Refusal::new(at(0), file(&token));
        assert!(!refusal.is_over(&token, at(14)));
        assert!(refusal.is_over(&token, at(15)));
        assert!(refusal.is_over(&token, at(-15)), "the clock was set back");
        std::fs::write(&path, "three").unwrap();
        assert!(refusal.is_over(&token, at(1)));
        let inline = Refusal::new(at(0), None);
        assert!(!inline.is_over(&TokenSource::Unset, at(14)));
    }
}
