//! Delivering a message: a few attempts, each within a time, to the host that is named.
//!
//! A redirect is not followed, and the address is in no message: whoever has it can write to
//! the channel.

use std::time::Duration;

use reqwest::StatusCode;

use super::Message;
use super::format::request;
use crate::config::{NotifyConfig, UrlError};
use crate::listening::leads_to_this_machine;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a message is tried in a row.
const ATTEMPTS: u32 = 3;

/// Why a channel was not told.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Its address is not known.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// There is no way to send anything.
    #[error("cannot send requests")]
    Client(#[source] reqwest::Error),
    /// It was not reached.
    #[error("the channel was not reached")]
    NotReached(#[source] reqwest::Error),
    /// It did not accept the message.
    #[error("the channel answered HTTP {0}")]
    Refused(StatusCode),
}

impl DeliveryError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            DeliveryError::Url(_) => "correct notify.url_file, notify.url or the credential",
            DeliveryError::Client(_) => "please report this",
            DeliveryError::NotReached(_) => "look at the network, and at the host in the URL",
            DeliveryError::Refused(status) if status.is_redirection() => {
                "redirects are not followed: use the URL that it leads to"
            }
            DeliveryError::Refused(_) => {
                "make a new webhook, and look whether notify.format is right for it"
            }
        }
    }

    fn passes(&self) -> bool {
        match self {
            DeliveryError::NotReached(_) => true,
            DeliveryError::Refused(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            DeliveryError::Url(_) | DeliveryError::Client(_) => false,
        }
    }
}

/// Tells the channel of `config`.
///
/// # Errors
/// When it was not told after a few attempts.
pub async fn deliver(config: &NotifyConfig, message: &Message) -> Result<(), DeliveryError> {
    let url = config.url.read()?;
    let mut builder = reqwest::Client::builder()
        .timeout(LIMIT)
        .user_agent(concat!("linqsync/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false);
    if leads_to_this_machine(&url) {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(DeliveryError::Client)?;
    let mut attempt = 1;
    loop {
        let sent = request(&client, url.clone(), config.format, message).send().await;
        let error = match sent {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => DeliveryError::Refused(answer.status()),
            Err(error) => DeliveryError::NotReached(error.without_url()),
        };
        if attempt == ATTEMPTS || !error.passes() {
            return Err(error);
        }
        tracing::debug!(attempt, %error, "the channel of [notify] was not told yet");
        #[expect(clippy::disallowed_methods, reason = "the pause between two attempts")]
        tokio::time::sleep(Duration::from_secs(u64::from(attempt))).await;
        attempt += 1;
    }
}
