//! Values into types: one small function for each kind of value.
//!
//! Each says what it expects when it gets something else. Leaves what was found
//! and where to [`super::settings`].

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::str::FromStr;
use std::time::Duration;

use figment::value::Value;
use url::{Host, Url};

/// A value is not what it must be.
#[derive(Debug)]
pub(super) struct BadValue {
    /// What it must be, to stand behind "must be".
    pub(super) expected: String,
    /// What was probably meant.
    pub(super) hint: Option<String>,
}

impl BadValue {
    pub(super) fn new(expected: impl Into<String>) -> BadValue {
        BadValue { expected: expected.into(), hint: None }
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> BadValue {
        BadValue { hint: Some(hint.into()), ..self }
    }
}

/// A text that is not blank.
pub(super) fn parse_text(value: &Value) -> Result<String, BadValue> {
    let text = value.as_str().filter(|text| !text.trim().is_empty());
    text.map(String::from).ok_or_else(|| BadValue::new("a text"))
}

/// A text that is not blank, or several.
pub(super) fn parse_texts(value: &Value) -> Result<Vec<String>, BadValue> {
    let wrong = || BadValue::new("a text or an array of texts");
    match value.as_array() {
        Some([]) => Err(wrong()),
        Some(several) => several.iter().map(|one| parse_text(one).map_err(|_| wrong())).collect(),
        None => parse_text(value).map(|one| vec![one]).map_err(|_| wrong()),
    }
}

/// `true` or `false`.
pub(super) fn parse_switch(value: &Value) -> Result<bool, BadValue> {
    value.to_bool().ok_or_else(|| BadValue::new("`true` or `false`"))
}

/// One of the named choices.
pub(super) fn parse_choice<T: Clone>(value: &Value, choices: &[(&str, T)]) -> Result<T, BadValue> {
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
    let wrong = BadValue::new(match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    });
    let Some(text) = value.as_str() else { return Err(wrong) };
    if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(chosen.clone());
    }
    Err(match super::keys::nearest_name(text, choices.iter().map(|(name, _)| *name)) {
        Some(nearest) => wrong.with_hint(format!("did you mean `{nearest}`?")),
        None => wrong,
    })
}

/// A text that `T` can read.
pub(super) fn parse_as<T: FromStr>(value: &Value, expected: &str) -> Result<T, BadValue> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| BadValue::new(expected))
}

/// A whole number from 1 to `most`.
pub(super) fn parse_count<N: From<NonZeroU8>>(value: &Value, most: u8) -> Result<N, BadValue> {
    let number = value.to_i128().and_then(|number| NonZeroU8::new(u8::try_from(number).ok()?));
    let wrong = || BadValue::new(format!("a whole number from 1 to {most}"));
    number.filter(|number| number.get() <= most).map(N::from).ok_or_else(wrong)
}

/// A rate: more than nothing.
pub(super) fn parse_rate(value: &Value) -> Result<f64, BadValue> {
    let wrong = || BadValue::new("a number greater than 0");
    let Value::Num(_, number) = value else { return Err(wrong()) };
    let whole = number.to_i128().and_then(|whole| u32::try_from(whole).ok()).map(f64::from);
    let rate = whole.or_else(|| number.to_f64());
    rate.filter(|rate| rate.is_finite() && *rate > 0.0).ok_or_else(wrong)
}

/// A length of time, possibly none.
pub(super) fn parse_duration(value: &Value) -> Result<Duration, BadValue> {
    let wrong = BadValue::new("a duration such as \"30s\", \"5m\" or \"400d\"");
    if let Some(number) = value.to_i128() {
        return Err(wrong.with_hint(format!("did you mean \"{number}s\"?")));
    }
    let text = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
    text.filter(|duration| *duration <= LONGEST).ok_or(wrong)
}

/// A century: more is a slip, and far less than what arithmetic on dates can take.
const LONGEST: Duration = Duration::from_hours(24 * 365 * 100);

/// A length of time.
pub(super) fn some_duration(value: &Value) -> Result<Duration, BadValue> {
    let wrong = || BadValue::new("a duration longer than nothing, such as \"30s\"");
    parse_duration(value)
        .and_then(|duration| if duration.is_zero() { Err(wrong()) } else { Ok(duration) })
}

/// An address to listen on.
pub(super) fn parse_listen(value: &Value) -> Result<SocketAddr, BadValue> {
    parse_as(value, "an address and a port such as \"127.0.0.1:9463\"")
}

/// The address of the API. The token goes there: only https, except on this
/// machine, and nothing in it that could be a secret itself.
pub(super) fn base_url(value: &Value) -> Result<Url, BadValue> {
    let url: Url = parse_as(value, "an address such as \"https://api.linqapp.com\"")?;
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(&host) => {}
        _ => {
            let wrong = BadValue::new("an https address");
            return Err(
                wrong.with_hint("plain http is for this machine only, as http://127.0.0.1:8080")
            );
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadValue::new("an address without user name and password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BadValue::new("an address without `?` and `#`"));
    }
    Ok(url)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The address of a web page.
pub(super) fn web_url(value: &Value) -> Result<Url, BadValue> {
    let expected = "an address that begins with https:// or http://";
    let url: Url = parse_as(value, expected)?;
    let web = matches!(url.scheme(), "https" | "http") && url.has_host();
    if web { Ok(url) } else { Err(BadValue::new(expected)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Result<Url, BadValue> {
        base_url(&Value::from(text))
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "https://api.linqapp.com",
            "https://10.0.0.1:8443/linq/",
            "http://127.0.0.1:8080",
            "http://127.8.8.8",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            base(good).unwrap();
        }
        for bad in [
            "http://api.linqapp.com",
            "http://localhost.example.org",
            "http://[::2]",
            "http://0.0.0.0",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "api.linqapp.com",
            "localhost:8080",
            "https://",
            "https://sam@api.linqapp.com",
            "https://:pw@api.linqapp.com",
            "https://api.linqapp.com/?a=b",
            "https://api.linqapp.com/#a",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_have_units_and_an_end() {
        assert_eq!(parse_duration(&Value::from("400d")).unwrap(), Duration::from_hours(24 * 400));
        assert!(parse_duration(&Value::from("0s")).unwrap().is_zero());
        assert!(some_duration(&Value::from("0s")).is_err());
        for bad in ["30", "-1s", "soon", "", "101y", "99999999999999999y"] {
            assert!(parse_duration(&Value::from(bad)).is_err(), "{bad}");
        }
        let hint = parse_duration(&Value::from(30)).unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("did you mean \"30s\"?"));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let within = |number: i64| parse_count::<NonZeroU8>(&Value::from(number), 32).is_ok();
        for (number, good) in
            [(-1, false), (0, false), (1, true), (32, true), (33, false), (257, false)]
        {
            assert_eq!(within(number), good, "{number}");
        }
        assert!(parse_count::<NonZeroU8>(&Value::from("4"), 32).is_err());
        assert_eq!(parse_rate(&Value::from(10)).ok(), Some(10.0));
        assert_eq!(parse_rate(&Value::from(0.5)).ok(), Some(0.5));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(parse_rate(&Value::from(bad)).is_err(), "{bad}");
        }
    }
}
