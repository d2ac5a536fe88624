//! After Linq refused the token, or where there is none yet: when Linq may be asked again.
//!
//! Owns the pause, which ends early when the token's file changes or appears. Leaves reading
//! the token to the client, which does it anew for each run.

use std::os::unix::fs::MetadataExt;

use chrono::TimeDelta;

use crate::config::TokenOrigin;
use crate::mirror::{LinqDown, WhyDown};
use crate::model::Timestamp;

/// How long a refused token is left alone.
const PAUSE: TimeDelta = TimeDelta::minutes(15);
/// How often it is looked for a token that is not there.
const LOOK: TimeDelta = TimeDelta::minutes(1);

/// There is no token that Linq takes, and what the token's file looked like then.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenRefusal {
    at: Timestamp,
    pause: TimeDelta,
    file: Option<TokenFileStamp>,
}

/// What tells that a file was written or replaced.
pub(super) type TokenFileStamp = (u64, u64, i64, i64, u32);

impl TokenRefusal {
    /// Linq refused the token from `token`, which was read after `file` was looked at.
    pub(super) fn new(at: Timestamp, file: Option<TokenFileStamp>) -> TokenRefusal {
        TokenRefusal { at, pause: PAUSE, file }
    }

    /// There is no token to be read.
    pub(super) fn token_missing(at: Timestamp, file: Option<TokenFileStamp>) -> TokenRefusal {
        TokenRefusal { at, pause: LOOK, file }
    }

    /// Whether there was none to be read.
    pub(super) fn is_missing(&self) -> bool {
        self.pause == LOOK
    }

    /// Whether the token's file is another one than at the refusal.
    fn has_new_token(&self, token: &TokenOrigin) -> bool {
        token_file(token) != self.file
    }

    /// Whether Linq may be asked again at `now`, of which the state remembers `down`.
    pub(super) fn is_over(
        &self,
        token: &TokenOrigin,
        down: Option<LinqDown>,
        now: Timestamp,
    ) -> bool {
        let is_time = down
            .is_some_and(|down| down.why == WhyDown::TokenRefused && down.is_over(now))
            || (now - self.at).abs() >= self.pause;
        is_time || self.has_new_token(token)
    }
}

/// What the token's file looks like, where the token comes from one.
pub(super) fn token_file(token: &TokenOrigin) -> Option<TokenFileStamp> {
    let (TokenOrigin::Credential(path) | TokenOrigin::File(path)) = token else { return None };
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec(), file.mode()))
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
        let token = TokenOrigin::File(path.clone());
        let refusal = TokenRefusal::new(at(0), token_file(&token));
        assert!(!refusal.is_over(&token, None, at(14)));
        assert!(refusal.is_over(&token, None, at(15)));
        assert!(refusal.is_over(&token, None, at(-15)), "the clock was set back");
        std::fs::write(&path, "three").unwrap();
        assert!(refusal.is_over(&token, None, at(1)));
        let inline = TokenRefusal::new(at(0), None);
        let missing = TokenRefusal::token_missing(at(0), None);
        assert!(!missing.is_over(&TokenOrigin::Unset, None, at(0)));
        assert!(missing.is_over(&TokenOrigin::Unset, None, at(1)));
        let down = Some(LinqDown::after_failure(None, WhyDown::TokenRefused, at(0)));
        assert!(!inline.is_over(&TokenOrigin::Unset, down, at(14)));
        assert!(!inline.is_over(&TokenOrigin::Unset, None, at(14)));
    }
}
