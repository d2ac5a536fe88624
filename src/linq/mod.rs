//! Linq: the contacts that live behind its REST API (version 2).
//!
//! Owns HTTP: the transport, the token, pace, retries, the answers' envelopes,
//! what an answer proves, and the walk over the whole listing. Leaves every
//! decision to [`crate::plan`], the order of writes to the caller, and files and
//! state to the other adapters.
//!
//! In reading order: [`Transport`] is the seam, [`HttpTransport`] its implementation on
//! the network; a [`Client`] makes the seven calls; [`walk`] reads everything;
//! a [`LinqError`] says what is known about the effect and what to do next.
//!
//! Three rules hold everywhere:
//!
//! - Nothing is believed that is not the documented answer in a known envelope.
//!   A login page, an empty body or a bare 404 proves nothing.
//! - The token goes to the configured scheme, host and port only. Redirects are
//!   never followed and no address from an answer is ever fetched.
//! - No error, log event or `Debug` output holds the token, a query or a
//!   contact's values.

mod answer;
mod backoff;
mod client;
mod counts;
mod error;
mod exchange;
mod limit;
mod request;
mod settings;
mod token;
mod transport;
mod verdict;
mod walk;
mod width;
mod wire;

#[cfg(test)]
mod scripted;

pub use answer::{Fetched, Named, Page, Pagination};
pub use backoff::Backoff;
pub use client::{Client, Deletion, Lookup, SearchResult};
pub use counts::RequestCounts;
pub use error::{
    Answered, Failure, LinqError, LinqRejection, RejectionReason, Remedy, RequestEffect,
};
pub use request::{Call, FindBy, Update, UpdateError};
pub use settings::{BaseUrl, BaseUrlError, ClientSettings, Rate};
pub use token::{TokenSource, TokenUnavailable};
pub use transport::{Sending, Transport, TransportError};
pub use walk::{Completeness, Listing, ListingDoubt, walk};
pub use wire::{HttpTransport, WireError};
