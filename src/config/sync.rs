//! The section `[sync]`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use figment::value::Value;

use super::keys;
use super::parse::{self, BadValue};
use super::settings::{ConfigLayers, Noted};
use crate::model::{
    ConflictPolicy, DeletePolicy, Deletes, Direction, Field, FieldSet, Limit, Region,
};

/// What a run may do, and when one begins.
#[derive(Clone, Debug)]
pub struct SyncConfig {
    /// Which sides are written.
    pub direction: Direction,
    /// When the daemon begins a run.
    pub schedule: Schedule,
    /// How much later than that a run may begin, so that not everybody asks Linq in the
    /// same second; never more than a tenth of the time until then.
    pub jitter: Duration,
    /// Whether the daemon also begins one soon after the source changes.
    pub watch: bool,
    /// What happens to a field that both sides edited.
    pub on_conflict: ConflictPolicy,
    /// What happens to one of these fields.
    pub field_conflicts: BTreeMap<Field, ConflictPolicy>,
    /// Fields of which a blank in the source clears nothing in Linq.
    pub kept_by_blanks: FieldSet,
    /// Whether deletions are carried over.
    pub deletes: Deletes,
    /// How many deletions a run may carry out on one side.
    pub max_deletes: Limit,
    /// The same as a flag gives it, for one run.
    pub max_deletes_of_run: Option<Limit>,
    /// How many values of one field a run may replace on one side.
    pub max_changes: Limit,
    /// How long after Linq refused something it is sent again; `None` for never.
    pub retry_rejected: Option<Duration>,
    /// How long a deletion must have been seen before it is carried out.
    pub delete_grace: Duration,
    /// How phone numbers without a country code are read.
    pub region: Region,
    /// Directions of single fields; none contradicts `direction`.
    pub fields: BTreeMap<Field, Direction>,
}

/// When the daemon begins a run. `Display` is how `sync.toml` writes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// At the times of a cron pattern, in local time.
    Cron(CronPattern),
    /// So long after the last one began; at least a second.
    Every(Duration),
}

/// A cron pattern of six fields, the first of them seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct CronPattern {
    text: String,
    times: Box<Cron>,
}

impl CronPattern {
    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The times that it means.
    pub fn as_cron(&self) -> &Cron {
        &self.times
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Cron(pattern) => f.write_str(&pattern.text),
            Schedule::Every(pause) => write!(f, "every {}", humantime::format_duration(*pause)),
        }
    }
}

/// The text is no schedule.
#[derive(Debug, thiserror::Error)]
#[error("expected \"every 5m\" or a cron pattern of six fields, the first of them seconds")]
pub struct ScheduleError;

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        if let Some(pause) = text.strip_prefix("every ") {
            let pause = humantime::parse_duration(pause.trim()).map_err(|_| ScheduleError)?;
            let possible = (Duration::from_secs(1)..=LONGEST_PAUSE).contains(&pause);
            return if possible { Ok(Schedule::Every(pause)) } else { Err(ScheduleError) };
        }
        // As tokio-cron-scheduler reads it, without the optional seventh field.
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build();
        let times = Box::new(parser.parse(text).map_err(|_| ScheduleError)?);
        Ok(Schedule::Cron(CronPattern { text: text.to_owned(), times }))
    }
}

/// A year: who wants fewer runs does not want a daemon.
const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 366);

impl SyncConfig {
    pub(super) fn read(settings: &mut ConfigLayers<'_>) -> Result<SyncConfig, Noted> {
        let direction = settings.required("sync.direction", parse_direction);
        let schedule = settings.required("sync.schedule", parse_schedule);
        let jitter = settings.required("sync.jitter", parse::parse_duration);
        let watch = settings.required("sync.watch", parse::parse_switch);
        let on_conflict = settings.required("sync.on_conflict", on_conflict);
        let kept_by_blanks = settings.required("sync.blank_clears", kept_by_blanks);
        let deletes = settings.required("sync.deletes", parse_deletes);
        let max_deletes = settings.required("sync.max_deletes", parse_limit);
        let max_changes = settings.required("sync.max_changes", parse_limit);
        let retry_rejected = settings.required("sync.retry_rejected", duration_or_never);
        let delete_grace = settings.required("sync.delete_grace", parse::parse_duration);
        let region = settings.required("sync.region", |value| {
            parse::parse_as(value, "a region of two letters such as `US`, `GB` or `DE`")
        });
        let fields = read_field_directions(settings, direction.as_ref().ok().copied());
        let (on_conflict, field_conflicts) = on_conflict?;
        Ok(SyncConfig {
            direction: direction?,
            schedule: schedule?,
            jitter: jitter?,
            watch: watch?,
            on_conflict,
            field_conflicts,
            kept_by_blanks: kept_by_blanks?,
            deletes: deletes?,
            max_deletes: max_deletes?,
            max_deletes_of_run: None,
            max_changes: max_changes?,
            retry_rejected: retry_rejected?,
            delete_grace: delete_grace?,
            region: region?,
            fields: fields?,
        })
    }
}

fn parse_direction(value: &Value) -> Result<Direction, BadValue> {
    parse::parse_choice(value, &Direction::ALL.map(|direction| (direction.name(), direction)))
}

fn parse_schedule(value: &Value) -> Result<Schedule, BadValue> {
    let wrong =
        || BadValue::new("\"every 5m\" or a cron pattern of six fields, the first of them seconds");
    let text = value.as_str().ok_or_else(wrong)?;
    text.parse().map_err(|ScheduleError| {
        let with_seconds = format!("0 {text}");
        if text.split_whitespace().count() == 5 && with_seconds.parse::<Schedule>().is_ok() {
            wrong().with_hint(format!("did you mean \"{with_seconds}\"?"))
        } else {
            wrong()
        }
    })
}

fn parse_limit(value: &Value) -> Result<Limit, BadValue> {
    let count = value.to_i128().and_then(|count| u64::try_from(count).ok());
    let limit = count.map(Limit::Count).or_else(|| value.as_str()?.parse().ok());
    limit.ok_or_else(|| BadValue::new("a number such as 20, or a percentage such as \"5%\""))
}

/// A length of time, or "never".
fn duration_or_never(value: &Value) -> Result<Option<Duration>, BadValue> {
    if value.as_str() == Some("never") {
        return Ok(None);
    }
    parse::some_duration(value).map(Some).map_err(|wrong| BadValue {
        expected: "a duration such as \"24h\", or \"never\"".to_owned(),
        ..wrong
    })
}

/// One policy for all fields, or a table of them, in which `default` is that of fields that it
/// does not name: without it they hold.
fn on_conflict(
    value: &Value,
) -> Result<(ConflictPolicy, BTreeMap<Field, ConflictPolicy>), BadValue> {
    let policy = |value: &Value| {
        parse::parse_choice(value, &ConflictPolicy::ALL.map(|policy| (policy.name(), policy)))
    };
    let wrong = |error: BadValue| {
        let expected = "`hold`, `source`, `linq`, `newest`, or a table such as \
                        { default = \"hold\", title = \"linq\" }";
        BadValue { expected: expected.to_owned(), ..error }
    };
    let Some(table) = value.as_dict() else {
        return policy(value).map(|all| (all, BTreeMap::new()));
    };
    let (mut all, mut fields) = (ConflictPolicy::Hold, BTreeMap::new());
    for (name, value) in table {
        let chosen = policy(value).map_err(wrong)?;
        if name == "default" {
            all = chosen;
        } else if let Some(field) = Field::from_name(name) {
            fields.insert(field, chosen);
        } else {
            return Err(wrong(no_field(name)));
        }
    }
    Ok((all, fields))
}

/// Whether a blank clears, for all fields or in a table of them, in which `default` is that of
/// fields that it does not name: without it they do. Returns those of which it does not.
fn kept_by_blanks(value: &Value) -> Result<FieldSet, BadValue> {
    let wrong = |error: BadValue| {
        let expected = "`true`, `false`, or a table such as { title = false }";
        BadValue { expected: expected.to_owned(), ..error }
    };
    let Some(table) = value.as_dict() else {
        let clears = parse::parse_switch(value).map_err(wrong)?;
        return Ok(if clears { FieldSet::EMPTY } else { FieldSet::ALL });
    };
    let (mut others, mut fields) = (true, BTreeMap::new());
    for (name, value) in table {
        let clears = parse::parse_switch(value).map_err(wrong)?;
        if name == "default" {
            others = clears;
        } else if let Some(field) = Field::from_name(name) {
            fields.insert(field, clears);
        } else {
            return Err(wrong(no_field(name)));
        }
    }
    let keeps = |field: &Field| !fields.get(field).copied().unwrap_or(others);
    Ok(Field::ALL.into_iter().filter(keeps).collect())
}

/// What a key of a table of fields was probably meant to be.
fn no_field(name: &str) -> BadValue {
    let names = Field::ALL.map(Field::name).into_iter().chain(["default"]);
    BadValue::new("").with_hint(match keys::nearest_name(name, names) {
        Some(nearest) => format!("`{name}` is no field: did you mean `{nearest}`?"),
        None => format!("`{name}` is no field"),
    })
}

/// One policy for both sides, or a table of them; a side that the table does not
/// name propagates.
fn parse_deletes(value: &Value) -> Result<Deletes, BadValue> {
    let policy = |value: &Value| {
        parse::parse_choice(value, &DeletePolicy::ALL.map(|policy| (policy.name(), policy)))
    };
    let wrong = |error: BadValue| {
        let expected = "`propagate`, `keep`, or a table such as { linq = \"keep\" }";
        BadValue { expected: expected.to_owned(), ..error }
    };
    let Some(table) = value.as_dict() else {
        return policy(value).map(|both| Deletes { linq: both, source: both }).map_err(wrong);
    };
    let mut deletes = Deletes { linq: DeletePolicy::Propagate, source: DeletePolicy::Propagate };
    for (side, value) in table {
        let chosen = policy(value).map_err(wrong)?;
        match side.as_str() {
            "linq" => deletes.linq = chosen,
            "source" => deletes.source = chosen,
            _ => {
                return Err(wrong(
                    BadValue::new("").with_hint("the sides are `linq` and `source`"),
                ));
            }
        }
    }
    Ok(deletes)
}

fn read_field_directions(
    settings: &mut ConfigLayers<'_>,
    all: Option<Direction>,
) -> Result<BTreeMap<Field, Direction>, Noted> {
    let mut fields = BTreeMap::new();
    let mut outcome = Ok(());
    for (field, key) in keys::of_fields("sync.fields") {
        match (settings.optional(key, parse_direction), all) {
            (Ok(None), _) => {}
            (Ok(Some(own)), Some(all)) if all != Direction::Both && all != own => {
                let (own, all) = (own.name(), all.name());
                let title = format!("`{key}` is `{own}`, and `sync.direction` is `{all}`");
                let hint = "a field can narrow `both` and nothing else".to_owned();
                outcome = Err(settings.note_problem(key, title, Some(hint)));
            }
            (Ok(Some(own)), _) => {
                fields.insert(field, own);
            }
            (Err(Noted), _) => outcome = Err(Noted),
        }
    }
    outcome.map(|()| fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_a_pause_or_a_pattern_with_seconds() {
        for good in ["0 */5 * * * *", "*/10 * * * * *", "0 30 8 * * MON-FRI", "0 0 0 L * *"] {
            let schedule: Schedule = good.parse().unwrap();
            assert!(matches!(schedule, Schedule::Cron(_)));
            assert_eq!(schedule.to_string(), good);
        }
        let schedule: Schedule = "every 5m".parse().unwrap();
        assert_eq!(schedule, Schedule::Every(Duration::from_mins(5)));
        assert_eq!(schedule.to_string(), "every 5m");
        for bad in [
            "",
            "*/5 * * * *",
            "* * * * * * *",
            "0 61 * * * *",
            "@daily!",
            "every",
            "every 0s",
            "every 500ms",
            "every 5",
        ] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_without_seconds_is_answered_with_one_that_has_them() {
        let wrong = parse_schedule(&Value::from("*/5 * * * *")).unwrap_err();
        assert_eq!(wrong.hint.as_deref(), Some("did you mean \"0 */5 * * * *\"?"));
    }
}
