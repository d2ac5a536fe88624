//! What systemd is told (sd_notify(3)), where it asks for it.
//!
//! Owns the words of the protocol. The watchdog is fed only by those who have made
//! progress: see [`super::watchdog`].

use std::time::Duration;

use sd_notify::NotifyState;

/// How much longer systemd shall wait each time that there is progress.
const LONGER: Duration = Duration::from_mins(2);

/// Start-up is over: the configuration is good.
pub(super) fn notify_ready(status: &str) {
    send_notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// How it is, for `systemctl status`.
pub(super) fn notify_status(status: &str) {
    send_notify(&[NotifyState::Status(status)]);
}

/// The configuration is being read again, until [`notify_ready`].
pub(super) fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        // Without the time, systemd 253 and later refuse a reload.
        Ok(now) => send_notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "systemd is not told of the reload"),
    }
}

/// It is about to end, which takes at most this long.
pub(super) fn notify_stopping(within: Duration) {
    send_notify(&[NotifyState::Stopping, extend_timeout(within), NotifyState::Status("stopping")]);
}

/// There is progress.
pub(super) fn notify_watchdog() {
    send_notify(&[NotifyState::Watchdog]);
}

/// There is progress in something that takes long.
pub(crate) fn alive_and_busy() {
    send_notify(&[NotifyState::Watchdog, extend_timeout(LONGER)]);
}

fn extend_timeout(time: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
}

fn send_notify(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}
