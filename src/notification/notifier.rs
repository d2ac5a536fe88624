//! Telling the channel beside the runs, and remembering what it was told.
//!
//! Owns that delivery holds nothing up: it is a task of its own, one at a time. What was not
//! delivered is tried again, less and less often, with what is news by then.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Message, Situation, deliver};
use crate::config::NotifyConfig;
use crate::mirror::{Notified, State, StateError};

/// How long a process that is done waits for its message.
const LAST: Duration = Duration::from_secs(35);
/// The pause after a message that was not delivered, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Tells a channel, if there is one.
#[derive(Default)]
pub struct Notifier {
    channel: Option<(NotifyConfig, Option<Url>)>,
    sending: Option<Sending>,
    failures: u32,
    not_before: Option<Instant>,
    /// Whether there may be something that was not told.
    is_open: bool,
    health: Option<bool>,
}

/// A message on its way.
struct Sending {
    task: JoinHandle<bool>,
    told: Notified,
}

impl Notifier {
    /// A notifier for what `channel` names, with the address of the inbox.
    pub fn new(channel: Option<&NotifyConfig>, inbox: Option<&Url>) -> Notifier {
        let channel = channel.map(|channel| (channel.clone(), inbox.cloned()));
        Notifier { channel, ..Notifier::default() }
    }

    /// Goes on with another channel, or the same one. A message on its way stays so, and the
    /// pause after one that was not delivered as well.
    pub fn reconfigure(&mut self, channel: Option<&NotifyConfig>, inbox: Option<&Url>) {
        self.channel = channel.map(|channel| (channel.clone(), inbox.cloned()));
    }

    /// Something may have changed. `health` is whether runs do what they should, if that is
    /// known. Must be called within the runtime.
    pub async fn look(&mut self, state: &State, health: Option<bool>) {
        (self.is_open, self.health) = (true, health);
        self.go_on(state).await;
    }

    /// Goes on with what is to be told: cheap if there is nothing.
    pub async fn go_on(&mut self, state: &State) {
        if self.sending.as_ref().is_some_and(|sending| sending.task.is_finished()) {
            self.finish_sending(state).await;
        }
        if self.channel.is_none() {
            return;
        }
        let is_free = self.sending.is_none();
        let is_time = self.not_before.is_none_or(|at| at <= Instant::now());
        if self.is_open && is_free && is_time {
            self.is_open = false;
            if let Err(error) = self.begin(state) {
                tracing::debug!(%error, "what [notify] was told is not known");
            }
        }
    }

    /// Waits until everything is told, within a time.
    pub async fn finish(mut self, state: &State, stop: &CancellationToken) {
        if let Some(sending) = &mut self.sending {
            let ended = tokio::select! {
                ended = timeout(LAST, &mut sending.task) => ended,
                () = stop.cancelled() => return sending.task.abort(),
            };
            match ended {
                Ok(done) => {
                    let told = sending.told.clone();
                    if done.unwrap_or(false) {
                        remember(state, &told);
                    }
                }
                Err(_) => sending.task.abort(),
            }
        }
    }

    async fn finish_sending(&mut self, state: &State) {
        let Some(Sending { task, told }) = self.sending.take() else { return };
        if task.await.unwrap_or(false) {
            remember(state, &told);
            (self.failures, self.not_before) = (0, None);
        } else {
            self.failures = self.failures.saturating_add(1);
            let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1).min(10));
            let pause = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
            self.not_before = Some(Instant::now() + pause);
            self.is_open = true;
        }
    }

    fn begin(&mut self, state: &State) -> Result<(), StateError> {
        let Some((channel, inbox)) = &self.channel else { return Ok(()) };
        let before = state.notified()?;
        let situation = Situation::of(state, self.health)?;
        let mut events = situation.events_since(&before);
        events.retain(|event| channel.on.contains(event));
        let message = Message { events, counts: situation.counts, inbox: inbox.clone() };
        let told = situation.told_after(&before);
        if message.events.is_empty() {
            return if told == before { Ok(()) } else { state.remember_notified(&told) };
        }
        let channel = channel.clone();
        let task = tokio::spawn(async move {
            let done = deliver(&channel, &message).await;
            if let Err(error) = &done {
                tracing::warn!(
                    hint = error.hint(),
                    "the channel of [notify] was not told: {error}"
                );
            }
            done.is_ok()
        });
        self.sending = Some(Sending { task, told });
        Ok(())
    }
}

fn remember(state: &State, told: &Notified) {
    if let Err(error) = state.remember_notified(told) {
        tracing::debug!(%error, "what [notify] was told is not remembered");
    }
}
