//! Who is logged in: in memory alone, for a time.
//!
//! A session is known by the digest of what its browser has, and ends with the password that
//! began it.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::passwords::InboxRole;
use crate::model::Timestamp;

/// How long a session may be left alone.
const IDLE: TimeDelta = TimeDelta::hours(2);
/// How long it lasts at most.
const LONGEST: TimeDelta = TimeDelta::hours(12);
/// How many there are at most; the one that was used longest ago goes for another.
const MOST: usize = 256;

/// Somebody who is logged in.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) role: InboxRole,
    /// The name that they gave; may be empty.
    pub(super) name: String,
    /// What each of their forms must have.
    pub(super) csrf: String,
    /// The line of the password file by which they came in, as a digest.
    pub(super) key: [u8; 32],
    began: Timestamp,
    used: Timestamp,
    /// What the next page says.
    note: Option<String>,
}

impl Session {
    /// Who decides, as the history says it.
    pub(super) fn by(&self) -> String {
        if self.name.is_empty() {
            format!("web: {}-role", self.role.name())
        } else {
            format!("web: {}-role/{}", self.role.name(), self.name)
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<[u8; 32], Session>);

impl Sessions {
    /// Begins a session; what the browser is to have.
    pub(super) fn begin(
        &mut self,
        role: InboxRole,
        name: String,
        key: [u8; 32],
        now: Timestamp,
    ) -> Option<String> {
        self.0.retain(|_, session| !session.is_over(now));
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, s)| s.used).map(|(id, _)| *id)
        {
            self.0.remove(&oldest);
        }
        let (token, csrf) = (random()?, random()?);
        let session = Session { role, name, csrf, key, began: now, used: now, note: None };
        self.0.insert(digest(&token), session);
        Some(token)
    }

    /// The session of a browser that has `token`.
    pub(super) fn of(&mut self, token: &str, now: Timestamp) -> Option<Session> {
        let id = digest(token);
        if self.0.get(&id)?.is_over(now) {
            self.0.remove(&id);
            return None;
        }
        let session = self.0.get_mut(&id)?;
        session.used = now;
        Some(session.clone())
    }

    /// What the next page of this browser says.
    pub(super) fn note(&mut self, token: &str, note: String) {
        if let Some(session) = self.0.get_mut(&digest(token)) {
            session.note = Some(note);
        }
    }

    /// Takes what this page is to say.
    pub(super) fn take_note(&mut self, token: &str) -> Option<String> {
        self.0.get_mut(&digest(token))?.note.take()
    }

    /// Ends a session.
    pub(super) fn end(&mut self, token: &str) {
        self.0.remove(&digest(token));
    }
}

impl Session {
    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set back ends it too.
        let (idle, age) = (now - self.used, now - self.began);
        idle > IDLE || age > LONGEST || age < -TimeDelta::minutes(5)
    }
}

fn digest(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// What nobody can guess; `None` if the system has no randomness to give.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(blake3::Hash::from_bytes(bytes).to_hex().to_string())
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    #[test]
    fn a_session_ends_when_it_is_left_alone_and_in_any_case_after_half_a_day() {
        let mut sessions = Sessions::default();
        let mut begin = || sessions.begin(InboxRole::Look, String::new(), [0; 32], at(0)).unwrap();
        let (left, used) = (begin(), begin());
        assert_ne!(left, used);
        for minute in (0..=720).step_by(100) {
            assert!(sessions.of(&used, at(minute)).is_some(), "{minute}");
        }
        assert!(sessions.of(&left, at(121)).is_none());
        assert!(sessions.of(&used, at(721)).is_none());
        assert!(sessions.of("", at(0)).is_none());
    }

    #[test]
    fn there_are_only_so_many_and_the_one_used_longest_ago_goes() {
        let mut sessions = Sessions::default();
        let first = sessions.begin(InboxRole::Look, String::new(), [0; 32], at(0)).unwrap();
        for _ in 0..MOST {
            sessions.begin(InboxRole::Look, String::new(), [0; 32], at(1)).unwrap();
        }
        assert_eq!(sessions.0.len(), MOST);
        assert!(sessions.of(&first, at(1)).is_none());
    }
}
