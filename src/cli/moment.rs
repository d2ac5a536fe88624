//! Instants as people type them: `2026-11-20`, `2026-11-20 14:30`, `2d` ago, `yesterday`.
//!
//! Without a zone they are local time. Owns the forms, and nothing else.

use chrono::{
    DateTime, Local, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};

use crate::model::Timestamp;

/// Which end of a day is meant where only the day is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayEnd {
    /// Its beginning.
    First,
    /// Its last millisecond.
    Last,
}

/// The instant that `text` names at `now`.
///
/// # Errors
/// That it names none, for people.
pub(super) fn parse_moment(text: &str, now: Timestamp, end: DayEnd) -> Result<Timestamp, String> {
    moment_in(&Local, text, now, end).ok_or_else(|| {
        format!(
            "“{}” is no time; write 2026-11-20, \"2026-11-20 14:30\", 2026-11-20T14:30:00Z, 2d \
             (two days ago) or yesterday",
            super::text::shown_text(text, 40)
        )
    })
}

fn moment_in<Z: TimeZone>(zone: &Z, text: &str, now: Timestamp, end: DayEnd) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    if let Ok(ago) = humantime::parse_duration(text) {
        return now.checked_sub_signed(TimeDelta::from_std(ago).ok()?);
    }
    let today = now.with_timezone(zone).date_naive();
    let day = match text.to_lowercase().as_str() {
        "now" => return Some(now),
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        text => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
    };
    if let Some(day) = day {
        return match end {
            DayEnd::First => local_instant(zone, day.and_time(NaiveTime::MIN)),
            DayEnd::Last => {
                let next = local_instant(zone, day.succ_opt()?.and_time(NaiveTime::MIN))?;
                next.checked_sub_signed(TimeDelta::milliseconds(1))
            }
        };
    }
    let forms = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    // As reports print them.
    if let Some(utc) = text.strip_suffix(" UTC") {
        let at = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(utc, form).ok())?;
        return Some(at.and_utc());
    }
    let at = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    local_instant(zone, at)
}

/// The first instant with this local time; where clocks skip it, an hour later.
fn local_instant<Z: TimeZone>(zone: &Z, at: NaiveDateTime) -> Option<Timestamp> {
    let found = match zone.from_local_datetime(&at) {
        LocalResult::Single(found) | LocalResult::Ambiguous(found, _) => found,
        LocalResult::None => zone.from_local_datetime(&(at + TimeDelta::hours(1))).earliest()?,
    };
    Some(found.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn an_instant_is_read_in_the_forms_in_which_people_type_it() {
        let now = at("2026-11-20T12:00:00Z");
        let zone = chrono_tz::Europe::Berlin;
        let read = |text: &str| moment_in(&zone, text, now, DayEnd::First);
        for (text, expected) in [
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
            ("2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            (" 2026-11-20 08:30 ", "2026-11-20T07:30:00Z"),
            ("2026-11-20T08:30:15", "2026-11-20T07:30:15Z"),
            ("2026-11-20 08:30:15 UTC", "2026-11-20T08:30:15Z"),
            ("2d", "2026-11-18T12:00:00Z"),
            ("1h 30m", "2026-11-20T10:30:00Z"),
            ("today", "2026-11-19T23:00:00Z"),
            ("Yesterday", "2026-11-18T23:00:00Z"),
            // Skipped, and there twice.
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(read(text), Some(at(expected)), "{text}");
        }
        for wrong in ["", "soon", "2026-13-01", "20.11.2026", "5"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let last = moment_in(&zone, "2026-11-20", now, DayEnd::Last).unwrap();
        assert_eq!(last, at("2026-11-20T22:59:59.999Z"));
    }
}
