//! What a client is told: where Linq is, and how hard it may be asked.
//!
//! Owns the rules for a base URL. Leaves reading the configuration to
//! [`crate::config`].

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use http::HeaderValue;
use url::Url;

use super::backoff::Backoff;

/// Where Linq is. Plain http only on this machine; no user, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why a URL cannot be the base URL. Names the rule, not the URL, which may hold
/// a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Anyone on the way could read the token.
    #[error("the base URL must begin with https:// (http:// is for this machine only)")]
    NotHttps,
    /// The token is the only credential.
    #[error("the base URL must not hold a user or password")]
    HoldsUser,
    /// Requests bring their own query.
    #[error("the base URL must not hold a query or fragment")]
    HoldsQuery,
}

impl BaseUrl {
    /// Where Linq runs for everybody: `https://api.linqapp.com`.
    pub const DEFAULT: &str = "https://api.linqapp.com";

    /// The base URL `url`, whose path is put before the API's own.
    ///
    /// # Errors
    /// [`BaseUrlError`] names the rule that `url` breaks.
    pub fn new(url: Url) -> Result<BaseUrl, BaseUrlError> {
        let base = BaseUrl(url);
        let is_safe = base.is_https() || (base.0.scheme() == "http" && base.is_loopback());
        if !is_safe {
            return Err(BaseUrlError::NotHttps);
        }
        if !base.0.username().is_empty() || base.0.password().is_some() {
            return Err(BaseUrlError::HoldsUser);
        }
        if base.0.query().is_some() || base.0.fragment().is_some() {
            return Err(BaseUrlError::HoldsQuery);
        }
        Ok(base)
    }

    /// The URL itself.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        crate::listening::leads_to_this_machine(&self.0)
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// How many requests reach Linq at most: so many within any span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many.
    pub most: NonZeroU32,
    /// Within so long, however it is laid over them.
    pub within: Duration,
}

impl Rate {
    /// So many a second.
    pub const fn per_second(most: NonZeroU32) -> Rate {
        Rate { most, within: Duration::from_secs(1) }
    }

    /// So many a second, of which parts count too: one in two seconds is 0.5. What is no
    /// positive number is the slowest that there is, one a day.
    pub fn from_per_second(rate: f64) -> Rate {
        const SLOWEST: f64 = 1.0 / 86_400.0;
        let rate = if rate.is_finite() { rate.max(SLOWEST) } else { SLOWEST };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and a cast saturates"
        )]
        let most = NonZeroU32::new(rate as u32).unwrap_or(NonZeroU32::MIN);
        Rate { most, within: Duration::from_secs_f64(f64::from(most.get()) / rate) }
    }
}

/// How a client asks. The same seed and the same answers give the same waits.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Where Linq is.
    pub base_url: BaseUrl,
    /// Most requests under way at a time.
    pub concurrency: NonZeroUsize,
    /// How many requests are begun at most.
    pub rate: Rate,
    /// How long ago the latest requests of an earlier client ended: they count, too.
    pub recent: Vec<Duration>,
    /// Most attempts for one request, the first included.
    pub max_attempts: NonZeroU32,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// Where the randomness of the waits begins.
    pub seed: u64,
    /// What the client calls itself.
    pub user_agent: HeaderValue,
}

impl ClientSettings {
    /// The defaults: 4 at a time, 10 a second, 6 attempts.
    pub fn new(base_url: BaseUrl, seed: u64) -> ClientSettings {
        const FOUR: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
        const SIX: NonZeroU32 = NonZeroU32::MIN.saturating_add(5);
        const TEN: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
        ClientSettings {
            base_url,
            concurrency: FOUR,
            rate: Rate::per_second(TEN),
            recent: Vec::new(),
            max_attempts: SIX,
            backoff: Backoff::default(),
            seed,
            user_agent: HeaderValue::from_static(concat!("linqsync/", env!("CARGO_PKG_VERSION"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_to_parts_of_a_request_a_second() {
        let of = |rate| {
            let Rate { most, within } = Rate::from_per_second(rate);
            (most.get(), within.as_millis())
        };
        assert_eq!([of(10.0), of(2.5), of(1.0)], [(10, 1000), (2, 800), (1, 1000)]);
        assert_eq!([of(0.5), of(1.5), of(0.1)], [(1, 2000), (1, 666), (1, 10_000)]);
        assert_eq!([of(f64::MIN_POSITIVE), of(f64::NAN)], [(1, 86_400_000); 2]);
        assert_eq!(Rate::from_per_second(10.0), Rate::per_second(NonZeroU32::new(10).unwrap()));
    }

    fn base(text: &str) -> Result<BaseUrl, BaseUrlError> {
        BaseUrl::new(Url::parse(text).unwrap())
    }

    #[test]
    fn a_token_is_sent_in_the_clear_on_this_machine_only() {
        for url in [
            BaseUrl::DEFAULT,
            "http://127.0.0.1:8080",
            "http://127.8.8.8",
            "http://[::1]:9",
            "http://localhost:1/prefix",
        ] {
            assert!(base(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.linqapp.com",
            "http://localhost.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "mailto:a@b.example",
        ] {
            assert_eq!(base(url), Err(BaseUrlError::NotHttps), "{url}");
        }
    }

    #[test]
    fn a_base_url_holds_neither_credentials_nor_a_query() {
        assert_eq!(base("https://user@api.example"), Err(BaseUrlError::HoldsUser));
        assert_eq!(base("https://:pw@api.example"), Err(BaseUrlError::HoldsUser));
        assert_eq!(base("https://api.example/?a=1"), Err(BaseUrlError::HoldsQuery));
        assert_eq!(base("https://api.example/#a"), Err(BaseUrlError::HoldsQuery));
    }
}
