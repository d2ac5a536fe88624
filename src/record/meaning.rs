//! What a change of settings, or of the columns of the source, makes of the links.

use super::Recorder;
use crate::mirror::{HistoryEntry, LinkChange, StateChange, StateError};
use crate::model::{Link, LinkStatus, Meaning, Timestamp};
use crate::plan::reread_links;

impl Recorder<'_> {
    /// Remembers what the reading means `now`. If that is something else than in the last run,
    /// the links are brought up to it in the same transaction, and what has changed is
    /// returned, for people.
    pub(crate) fn record_meaning(
        &self,
        now: &Meaning,
        at: Timestamp,
    ) -> Result<Option<String>, StateError> {
        let before = self.state.stored_meaning()?;
        if before.as_ref() == Some(now) {
            return Ok(None);
        }
        let Some(change) = before.and_then(|before| now.change_since(&before)) else {
            self.state.remember_meaning(now)?;
            return Ok(None);
        };
        let reason = change.change_reason();
        let (mut records, mut released) = (Vec::new(), 0);
        for after in reread_links(self.seen, self.policy, &change) {
            let Some(before) = self.find_link(after.id) else { continue };
            if before.status != after.status {
                released += 1;
                records.push(release_link(&after, &reason));
            }
            if *before != after {
                let Link { id, key, fingerprint, content, base, .. } = after;
                let link = LinkChange::Update { id, key, fingerprint, content, base };
                records.push(StateChange { link, ..StateChange::default() });
            }
        }
        self.state.commit_meaning(self.run, at, &records, now, &change)?;
        Ok(Some(meaning_text(&reason, released)))
    }
}

fn meaning_text(reason: &str, released: usize) -> String {
    let who = match released {
        0 => return reason.to_owned(),
        1 => "1 linked contact is".to_owned(),
        several => format!("{several} linked contacts are"),
    };
    format!(
        "{reason} ({who} not read any more, and released: nothing happens to them until they \
         are back on both sides)"
    )
}

fn release_link(link: &Link, reason: &str) -> StateChange {
    debug_assert_eq!(link.status, LinkStatus::Released);
    let entry = HistoryEntry::for_release(link, format!("not read any more: {reason}"));
    StateChange {
        link: LinkChange::Release(link.id),
        history: vec![entry],
        ..StateChange::default()
    }
}
