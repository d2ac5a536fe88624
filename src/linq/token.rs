//! The token: read when it is first needed, and once more after a refusal.
//!
//! Owns keeping it and putting it into a header. Leaves where it comes from (a
//! file, a command, the environment) to the configuration.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// The header that carries the token.
pub(super) const HEADER: &str = "x-linq-integration-token";

/// Reads the token from wherever it is kept. Reading may block and may be
/// repeated: files and commands can give another token later.
#[derive(Clone)]
pub struct TokenSource(KeptToken);

type Read = dyn Fn() -> Result<SecretString, TokenUnavailable> + Send + Sync;

#[derive(Clone)]
enum KeptToken {
    Known(SecretString),
    Elsewhere(Arc<Read>),
}

/// Why there is no token to send.
#[derive(Debug, thiserror::Error)]
pub enum TokenUnavailable {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(Box<dyn Error + Send + Sync>),
    /// It is empty, or holds characters that no HTTP header can carry.
    #[error("the token is empty or holds characters that a token cannot have")]
    Malformed,
}

impl TokenSource {
    /// A token that `read` gives.
    pub fn new(
        read: impl Fn() -> Result<SecretString, TokenUnavailable> + Send + Sync + 'static,
    ) -> TokenSource {
        TokenSource(KeptToken::Elsewhere(Arc::new(read)))
    }

    /// A token that is known already and never changes.
    pub fn fixed(token: SecretString) -> TokenSource {
        TokenSource(KeptToken::Known(token))
    }

    /// Reads the token away from the threads that drive requests.
    async fn read_token(&self) -> Result<SecretString, TokenUnavailable> {
        let read = match &self.0 {
            KeptToken::Known(token) => return Ok(token.clone()),
            KeptToken::Elsewhere(read) => Arc::clone(read),
        };
        match spawn_blocking(move || read()).await {
            Ok(token) => token,
            Err(panicked) => Err(TokenUnavailable::Unreadable(panicked.into())),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}

/// A token as it was read the `reading`th time it changed.
#[derive(Clone)]
pub(super) struct Token {
    secret: SecretString,
    reading: u64,
}

impl Token {
    fn new(secret: SecretString, reading: u64) -> Result<Token, TokenUnavailable> {
        let token = Token { secret, reading };
        let header = token.header_value()?;
        if header.is_empty() { Err(TokenUnavailable::Malformed) } else { Ok(token) }
    }

    /// The token as a header's value, which `Debug` does not show.
    pub(super) fn header_value(&self) -> Result<HeaderValue, TokenUnavailable> {
        let mut value = HeaderValue::from_str(self.secret.expose_secret().trim())
            .map_err(|_| TokenUnavailable::Malformed)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Keeps the token between requests.
pub(super) struct Keeper {
    source: TokenSource,
    kept: Mutex<Option<Token>>,
}

impl Keeper {
    pub(super) fn new(source: TokenSource) -> Keeper {
        Keeper { source, kept: Mutex::new(None) }
    }

    /// The token, read if this is the first time that it is needed.
    pub(super) async fn current_token(&self) -> Result<Token, TokenUnavailable> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = &*kept {
            return Ok(token.clone());
        }
        let token = Token::new(self.source.read_token().await?, 0)?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Whether there is another token than `refused` by now. It is read again,
    /// while every other call waits for it, unless one of them did so already.
    pub(super) async fn renew_token(&self, refused: &Token) -> bool {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|token| token.reading != refused.reading) {
            return true;
        }
        let reread = self.source.read_token().await;
        match reread.and_then(|secret| Token::new(secret, refused.reading + 1)) {
            Ok(token) if token.header_value().ok() != refused.header_value().ok() => {
                *kept = Some(token);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}
