//! The seam below the client: one request in, one answer out.
//!
//! Owns the trait and what a failure says about the request's effect. Leaves the
//! network to [`super::Wire`]; the sandbox implements the same trait in process.

use std::error::Error;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// The answer to one request, some time later.
pub type Sending<'a> = BoxFuture<'a, Result<http::Response<Bytes>, TransportError>>;

/// Carries one request to Linq and its answer back, whole. It neither retries
/// nor follows redirects: each call is at most one request on the network.
pub trait Transport: Send + Sync {
    /// Sends `request` and waits for the whole answer.
    ///
    /// # Errors
    /// [`TransportError`] when there is no whole answer. An answer of any status
    /// is no error.
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_>;
}

/// Why there is no answer. Only [`TransportError::NotSent`] promises that the
/// request had no effect.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing of the request reached Linq: no address, no connection, no TLS.
    #[error("no connection")]
    NotSent(#[source] Box<dyn Error + Send + Sync>),
    /// No whole answer came in time.
    #[error("no answer in time")]
    TimedOut(#[source] Box<dyn Error + Send + Sync>),
    /// The connection broke before the answer was whole.
    #[error("the connection broke before the answer was whole")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The answer is larger than anything Linq has reason to send. Asking again
    /// would only fetch it again.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read, after decompression.
        limit: usize,
    },
}
