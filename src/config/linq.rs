//! The section `[linq]`.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use figment::value::Value;
use url::Url;

use super::parse::{self, BadValue};
use super::settings::{ConfigLayers, Noted};
use super::token::TokenOrigin;
use crate::model::Scope;

/// How to talk to Linq, and about which contacts.
#[derive(Clone, Debug)]
pub struct LinqConfig {
    /// Where the API is: https, or http on this machine; no user name, no query.
    pub base_url: Url,
    /// Where the token comes from.
    pub token: TokenOrigin,
    /// `user_email` for contacts that are created; without it Linq chooses.
    pub owner: Option<OwnerEmail>,
    /// Which contacts take part. With `owner` it names [`LinqConfig::owner`].
    pub scope: Scope,
    /// How many requests may be on their way at the same time, at most 32.
    pub concurrency: NonZeroUsize,
    /// How many requests may begin in a second; more than 0.
    pub requests_per_second: f64,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often one request is tried, at most 20 times.
    pub max_attempts: NonZeroU32,
    /// How long after a create without a known outcome a look-up that finds
    /// nothing means that nothing was created.
    pub settle: Duration,
}

/// The e-mail address of a user of Linq. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerEmail(String);

impl OwnerEmail {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are one address, whatever their case.
    fn is(&self, other: &OwnerEmail) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

impl fmt::Debug for OwnerEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerEmail(…)")
    }
}

/// The text is no e-mail address.
#[derive(Debug, thiserror::Error)]
#[error("expected an e-mail address")]
pub struct OwnerEmailError;

impl FromStr for OwnerEmail {
    type Err = OwnerEmailError;

    /// Asks for one `@` with something on both sides and no space. Linq knows
    /// better which addresses are users.
    fn from_str(text: &str) -> Result<OwnerEmail, OwnerEmailError> {
        let is_address = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        });
        let is_bare = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_address && is_bare { Ok(OwnerEmail(text.to_owned())) } else { Err(OwnerEmailError) }
    }
}

/// Who takes part, before it is known who the owner is.
#[derive(Clone)]
enum ScopeName {
    All,
    Owner,
    Owners(Vec<OwnerEmail>),
}

impl LinqConfig {
    /// Who is to own a contact whose record names nobody: `owner`, else the first of those
    /// whose contacts take part; `None` leaves that to Linq.
    pub(super) fn owner_of_new(&self) -> Option<String> {
        match (&self.owner, &self.scope) {
            (Some(owner), _) => Some(owner.0.clone()),
            (None, Scope::Owners(owners)) => owners.first().cloned(),
            (None, Scope::All) => None,
        }
    }

    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<LinqConfig, Noted> {
        let base_url = settings.required("linq.base_url", parse::base_url);
        let token = TokenOrigin::from_settings(settings);
        let owner =
            settings.optional("linq.owner", |value| parse::parse_as(value, "an e-mail address"));
        let scope = read_scope(settings, &owner);
        let concurrency =
            settings.required("linq.concurrency", |value| parse::parse_count(value, 32));
        let requests_per_second = settings.required("linq.requests_per_second", parse::parse_rate);
        let timeout = settings.required("linq.timeout", parse::some_duration);
        let max_attempts =
            settings.required("linq.max_attempts", |value| parse::parse_count(value, 20));
        let settle = settings.required("linq.settle", parse::parse_duration);
        Ok(LinqConfig {
            base_url: base_url?,
            token: token?,
            owner: owner?,
            scope: scope?,
            concurrency: concurrency?,
            requests_per_second: requests_per_second?,
            timeout: timeout?,
            max_attempts: max_attempts?,
            settle: settle?,
        })
    }
}

fn read_scope(
    settings: &mut ConfigLayers<'_>,
    owner: &Result<Option<OwnerEmail>, Noted>,
) -> Result<Scope, Noted> {
    match (settings.required("linq.scope", scope_name)?, owner) {
        (ScopeName::All, _) => Ok(Scope::All),
        (ScopeName::Owners(owners), Ok(Some(owner))) if !owners.iter().any(|one| one.is(owner)) => {
            let title = "`linq.owner` is not among the addresses of `linq.scope`".to_owned();
            let hint = "whoever is created for that owner would take no part: add the address to \
                        `scope`, or leave `owner` out";
            Err(settings.note_problem("linq.scope", title, Some(hint.to_owned())))
        }
        (ScopeName::Owners(owners), Ok(_)) => {
            Ok(Scope::Owners(owners.into_iter().map(|owner| owner.0).collect()))
        }
        (ScopeName::Owner, Ok(Some(owner))) => Ok(Scope::Owners(vec![owner.0.clone()])),
        (ScopeName::Owner, Ok(None)) => {
            let title = "`linq.scope` is `owner`, and `linq.owner` is not set".to_owned();
            let hint = "set `owner` to the e-mail address whose contacts take part".to_owned();
            Err(settings.note_problem("linq.scope", title, Some(hint)))
        }
        (ScopeName::Owner | ScopeName::Owners(_), Err(Noted)) => Err(Noted),
    }
}

/// `all`, `owner`, or the e-mail addresses of several owners.
fn scope_name(value: &Value) -> Result<ScopeName, BadValue> {
    const EXPECTED: &str = "`all`, `owner` or an array of e-mail addresses";
    match value.as_array() {
        Some([]) => Err(BadValue::new(EXPECTED)),
        Some(several) => {
            let owners = several.iter().map(|one| parse::parse_as(one, EXPECTED));
            owners.collect::<Result<Vec<OwnerEmail>, BadValue>>().map(ScopeName::Owners)
        }
        None => {
            let names = [("all", ScopeName::All), ("owner", ScopeName::Owner)];
            parse::parse_choice(value, &names)
                .map_err(|wrong| BadValue { expected: EXPECTED.to_owned(), ..wrong })
        }
    }
}
