//! When the next run is due.
//!
//! Owns the times of a schedule in a time zone with its changes of the clock, the
//! jitter, and what a clock that was set means. Pure: the time, the zone and the
//! randomness are arguments. Leaves the ticking to the daemon.

use std::time::Duration;

use chrono::{DateTime, Local, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use croner::{Cron, JobType};

use crate::config::{Config, Schedule};
use crate::model::Timestamp;

/// The times at which runs are due, one after the other.
#[derive(Debug)]
pub struct Timetable {
    schedule: Schedule,
    jitter: Duration,
    random: fastrand::Rng,
    /// When the next run is due without jitter; `None` if the pattern has no further
    /// time.
    nominal: Option<Timestamp>,
    next: Option<Timestamp>,
    /// When it was last looked at, and how far the zone was from UTC then.
    looked: (Timestamp, i32),
}

impl Timetable {
    /// The times after `now`. `seed` is where the randomness of the jitter begins.
    pub fn new<Tz: TimeZone>(
        schedule: &Schedule,
        jitter: Duration,
        seed: u64,
        zone: &Tz,
        now: Timestamp,
    ) -> Timetable {
        let mut timetable = Timetable {
            schedule: schedule.clone(),
            jitter,
            random: fastrand::Rng::with_seed(seed),
            nominal: None,
            next: None,
            looked: (now, zone_offset(zone, now)),
        };
        timetable.plan_next(zone, now);
        timetable
    }

    /// When the next run is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether a run is due at `now`; then the next one is planned. However many
    /// times were missed, it is due once.
    pub fn is_due<Tz: TimeZone>(&mut self, zone: &Tz, now: Timestamp) -> bool {
        let (before, distance) = std::mem::replace(&mut self.looked, (now, zone_offset(zone, now)));
        let due = self.next.is_some_and(|next| next <= now);
        // A clock that was set back, or a zone that changed, makes the plan worthless.
        if due || now < before || distance != self.looked.1 {
            self.plan_next(zone, now);
        }
        due
    }

    fn plan_next<Tz: TimeZone>(&mut self, zone: &Tz, now: Timestamp) {
        self.nominal = match &self.schedule {
            Schedule::Cron(pattern) => next_after(pattern.as_cron(), zone, now),
            Schedule::Every(pause) => {
                let pause = TimeDelta::from_std(*pause).unwrap_or(TimeDelta::MAX);
                let latest = now.checked_add_signed(pause);
                let after = self.nominal.and_then(|last| last.checked_add_signed(pause));
                // The rhythm is kept, unless the time has gone over it or was set back.
                let in_rhythm = self.nominal.into_iter().chain(after);
                in_rhythm.filter(|next| *next > now && Some(*next) <= latest).min().or(latest)
            }
        };
        let jitter = self.random.f64();
        self.next = self.nominal.map(|nominal| {
            let pause = (nominal - now).to_std().unwrap_or_default();
            let most = self.jitter.min(pause / 10);
            nominal + TimeDelta::from_std(most.mul_f64(jitter)).unwrap_or_default()
        });
    }
}

fn zone_offset<Tz: TimeZone>(zone: &Tz, at: Timestamp) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// How many times of a pattern are looked at for its longest pause: two years of Mondays.
const TIMES: usize = 104;
/// However often runs are due, an hour without a success is no reason to call somebody.
const AT_LEAST: Duration = Duration::from_hours(1);

/// The longest pause between two times of a schedule, as far as they can be foreseen at
/// `now`; `None` if there is no further time.
pub fn longest_pause<Tz: TimeZone>(
    schedule: &Schedule,
    zone: &Tz,
    now: Timestamp,
) -> Option<Duration> {
    match schedule {
        Schedule::Every(pause) => Some(*pause),
        Schedule::Cron(pattern) => {
            let after = |from: &Timestamp| next_after(pattern.as_cron(), zone, *from);
            let times: Vec<Timestamp> =
                std::iter::successors(after(&now), after).take(TIMES).collect();
            let first = times.first()?;
            let pauses = times.windows(2).map(|two| two[1] - two[0]);
            pauses.max().unwrap_or(*first - now).to_std().ok()
        }
    }
}

/// For how long no run may have succeeded: what `status.stale_after` says, else three times
/// the longest pause of the schedule, and at least an hour.
pub fn stale_after(config: &Config, now: Timestamp) -> Duration {
    config.status.stale_after.unwrap_or_else(|| {
        let pause = longest_pause(&config.sync.schedule, &Local, now);
        pause.map_or(AT_LEAST, |pause| pause.saturating_mul(3).max(AT_LEAST))
    })
}

/// The first time after `after` at which `times` and the clocks of `zone` agree.
///
/// Where clocks are set, it does what cron does: a pattern that names an hour and a
/// minute has one time a day, the first instant after a gap for a time within it and
/// the first of two for a time that comes twice; a pattern with a wildcard follows
/// the clock as it is.
pub fn next_after<Tz: TimeZone>(times: &Cron, zone: &Tz, after: Timestamp) -> Option<Timestamp> {
    let is_fixed = matches!(times.determine_job_type(), JobType::FixedTime);
    // Times are whole seconds, and croner keeps the fraction that it is given.
    let mut from = DateTime::from_timestamp(after.timestamp(), 0)?;
    let mut wall = local_time(zone, from);
    // Two changes of the clock between two times are more than any zone has.
    for _ in 0..8 {
        let distance = zone_offset(zone, from);
        let found = next_on_paper(times, wall)?;
        let at = instant_of_local(found, distance)?;
        if zone_offset(zone, at) == distance {
            if is_fixed && is_second(zone, found, at) {
                (from, wall) = (at, found);
                continue;
            }
            return Some(at);
        }
        let change = first_change(zone, from, at);
        // At this instant clocks are set from one time to another.
        let (set_from, set_to) = (wall_at(change, distance), local_time(zone, change));
        if is_fixed && found < set_to {
            return Some(change);
        }
        // What was skipped is skipped, and what comes twice comes twice, except for a
        // fixed time.
        from = change;
        wall = if is_fixed { set_from.max(set_to) } else { set_to } - TimeDelta::seconds(1);
    }
    None
}

/// The next time of the pattern on a clock that is never set.
fn next_on_paper(times: &Cron, after: NaiveDateTime) -> Option<NaiveDateTime> {
    times.find_next_occurrence(&after.and_utc(), false).ok().map(|found| found.naive_utc())
}

fn local_time<Tz: TimeZone>(zone: &Tz, at: Timestamp) -> NaiveDateTime {
    wall_at(at, zone_offset(zone, at))
}

fn wall_at(at: Timestamp, distance: i32) -> NaiveDateTime {
    at.naive_utc() + TimeDelta::seconds(i64::from(distance))
}

fn instant_of_local(wall: NaiveDateTime, distance: i32) -> Option<Timestamp> {
    Some(wall.checked_sub_signed(TimeDelta::seconds(i64::from(distance)))?.and_utc())
}

/// Whether `at` is the second of two instants at which clocks show `wall`.
fn is_second<Tz: TimeZone>(zone: &Tz, wall: NaiveDateTime, at: Timestamp) -> bool {
    let first = zone.from_local_datetime(&wall).earliest();
    first.is_some_and(|first: DateTime<Tz>| first.with_timezone(&Utc) < at)
}

/// The first whole second after `from` at which the zone's offset is not what it was,
/// given that it is another one at `to`.
fn first_change<Tz: TimeZone>(zone: &Tz, from: Timestamp, to: Timestamp) -> Timestamp {
    let before = zone_offset(zone, from);
    let (mut same, mut other) = (from.timestamp(), to.timestamp());
    let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap_or(to);
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if zone_offset(zone, at(middle)) == before { same = middle } else { other = middle }
    }
    at(other)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Tz {
        name.parse().unwrap()
    }

    fn cron(pattern: &str) -> Cron {
        match pattern.parse().unwrap() {
            Schedule::Cron(pattern) => pattern.as_cron().clone(),
            Schedule::Every(_) => panic!("{pattern} is no pattern"),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime<Utc>>().unwrap()
    }

    /// The next times after an instant, as clocks on the wall show them.
    fn times(pattern: &str, tz: &str, after: &str, count: usize) -> Vec<String> {
        let (cron, tz) = (cron(pattern), zone(tz));
        let mut from = at(after);
        let next = || {
            from = next_after(&cron, &tz, from).unwrap();
            from.with_timezone(&tz).format("%m-%d %H:%M:%S %z").to_string()
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn a_time_of_the_day_stays_that_time_when_clocks_are_set() {
        let at_eight = |tz, after| times("0 0 8 * * *", tz, after, 3);
        assert_eq!(
            at_eight("Europe/Berlin", "2026-03-28T00:00:00Z"),
            ["03-28 08:00:00 +0100", "03-29 08:00:00 +0200", "03-30 08:00:00 +0200"]
        );
        assert_eq!(
            at_eight("America/New_York", "2026-10-31T00:00:00Z"),
            ["10-31 08:00:00 -0400", "11-01 08:00:00 -0500", "11-02 08:00:00 -0500"]
        );
        assert_eq!(
            at_eight("Australia/Lord_Howe", "2026-04-03T20:00:00Z"),
            ["04-04 08:00:00 +1100", "04-05 08:00:00 +1030", "04-06 08:00:00 +1030"]
        );
    }

    #[test]
    fn a_time_that_the_clocks_skip_in_spring_comes_right_after_the_gap() {
        for (tz, after, expected) in [
            ("Europe/Berlin", "2026-03-28T01:30:00Z", "03-29 03:00:00 +0200"),
            ("America/New_York", "2026-03-07T07:30:00Z", "03-08 03:00:00 -0400"),
        ] {
            assert_eq!(times("0 30 2 * * *", tz, after, 1), [expected]);
        }
        // Lord Howe sets its clocks by half an hour: 02:00 becomes 02:30.
        let lord_howe = times("0 15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z", 2);
        assert_eq!(lord_howe, ["10-04 02:30:00 +1100", "10-05 02:15:00 +1100"]);
    }

    #[test]
    fn a_time_that_comes_twice_in_autumn_is_taken_once() {
        for (tz, pattern, after, expected) in [
            (
                "Europe/Berlin",
                "0 30 2 * * *",
                "2026-10-24T12:00:00Z",
                ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"],
            ),
            (
                "America/New_York",
                "0 30 1 * * *",
                "2026-10-31T12:00:00Z",
                ["11-01 01:30:00 -0400", "11-02 01:30:00 -0500"],
            ),
            (
                "Australia/Lord_Howe",
                "0 45 1 * * *",
                "2026-04-04T00:00:00Z",
                ["04-05 01:45:00 +1100", "04-06 01:45:00 +1030"],
            ),
        ] {
            assert_eq!(times(pattern, tz, after, 2), expected, "{tz}");
        }
        // Also for a program that starts between the two.
        let between = times("0 30 2 * * *", "Europe/Berlin", "2026-10-25T01:05:00Z", 1);
        assert_eq!(between, ["10-26 02:30:00 +0100"]);
    }

    #[test]
    fn a_pattern_with_a_wildcard_goes_on_at_its_pace_through_both() {
        let quarters = |tz, after| times("0 */15 * * * *", tz, after, 4);
        assert_eq!(
            quarters("Europe/Berlin", "2026-03-29T00:44:00Z"),
            [
                "03-29 01:45:00 +0100",
                "03-29 03:00:00 +0200",
                "03-29 03:15:00 +0200",
                "03-29 03:30:00 +0200"
            ]
        );
        assert_eq!(
            quarters("Europe/Berlin", "2026-10-25T00:44:00Z"),
            [
                "10-25 02:45:00 +0200",
                "10-25 02:00:00 +0100",
                "10-25 02:15:00 +0100",
                "10-25 02:30:00 +0100"
            ]
        );
        assert_eq!(
            quarters("Australia/Lord_Howe", "2026-04-04T14:44:00Z"),
            [
                "04-05 01:45:00 +1100",
                "04-05 01:30:00 +1030",
                "04-05 01:45:00 +1030",
                "04-05 02:00:00 +1030"
            ]
        );
    }

    #[test]
    fn a_pattern_without_a_further_time_has_none() {
        assert_eq!(next_after(&cron("0 0 0 30 2 *"), &Utc, at("2026-01-01T00:00:00Z")), None);
    }

    proptest! {
        /// Compares with looking at every second.
        #[test]
        fn the_next_time_of_a_wildcard_is_the_first_second_that_fits(
            zone_name in proptest::sample::select(vec![
                "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC",
            ]),
            pattern in proptest::sample::select(vec![
                "0 */5 * * * *", "30 7 * * * *", "*/20 * 1-3 * * *", "0 10,40 2 * * *",
            ]),
            change in proptest::sample::select(vec![
                "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z",
                "2026-11-01T06:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z",
            ]),
            around in -9_000_i64..9_000,
        ) {
            let (tz, cron) = (zone(zone_name), cron(pattern));
            let after = at(change) + TimeDelta::seconds(around);
            let fits = |at: &Timestamp| {
                cron.is_time_matching(&at.with_timezone(&tz).naive_local().and_utc()).unwrap()
            };
            let seconds = (1..100_000).map(|second| after + TimeDelta::seconds(second));
            let expected = seconds.into_iter().find(fits);
            prop_assert_eq!(next_after(&cron, &tz, after), expected);
        }
    }

    fn timetable(schedule: &str, jitter: u64, now: &str) -> Timetable {
        let schedule = schedule.parse().unwrap();
        Timetable::new(&schedule, Duration::from_secs(jitter), 7, &Utc, at(now))
    }

    #[test]
    fn times_that_were_missed_come_to_one_run() {
        for schedule in ["0 */5 * * * *", "every 5m"] {
            let mut table = timetable(schedule, 0, "2026-11-20T10:00:00Z");
            assert!(!table.is_due(&Utc, at("2026-11-20T10:04:59Z")), "{schedule}");
            assert!(table.is_due(&Utc, at("2026-11-20T10:05:00Z")), "{schedule}");
            assert!(!table.is_due(&Utc, at("2026-11-20T10:05:01Z")), "{schedule}");
            // Asleep, or busy with a run of an hour.
            assert!(table.is_due(&Utc, at("2026-11-20T11:07:00Z")), "{schedule}");
            assert!(!table.is_due(&Utc, at("2026-11-20T11:07:01Z")), "{schedule}");
        }
    }

    #[test]
    fn a_year_of_ticks_makes_as_many_runs_as_there_are_times() {
        let tz = zone("America/New_York");
        let start = at("2026-01-01T05:00:00Z");
        for (schedule, expected) in
            [("0 0 * * * *", 365 * 24), ("0 30 2 * * *", 365), ("every 6h", 4 * 365)]
        {
            let schedule: Schedule = schedule.parse().unwrap();
            let mut table = Timetable::new(&schedule, Duration::ZERO, 1, &tz, start);
            let ticks = (1..=365 * 24 * 60).map(|minute| start + TimeDelta::minutes(minute));
            let runs = ticks.into_iter().filter(|now| table.is_due(&tz, *now)).count();
            assert_eq!(runs, expected, "{schedule}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_the_daemon() {
        for schedule in ["0 */5 * * * *", "every 5m"] {
            let mut table = timetable(schedule, 0, "2026-11-20T10:00:00Z");
            assert!(!table.is_due(&Utc, at("2016-01-01T00:00:01Z")), "{schedule}");
            assert!(table.next().unwrap() <= at("2016-01-01T00:05:01Z"), "{schedule}");
            assert!(table.is_due(&Utc, at("2036-01-01T00:00:00Z")), "{schedule}: set forward");
            assert!(table.next().unwrap() <= at("2036-01-01T00:05:00Z"), "{schedule}");
        }
    }

    #[test]
    fn a_zone_that_changes_is_noticed() {
        let start = at("2026-11-20T10:00:00Z");
        let schedule = "0 0 12 * * *".parse().unwrap();
        let mut table = Timetable::new(&schedule, Duration::ZERO, 1, &Utc, start);
        assert_eq!(table.next(), Some(at("2026-11-20T12:00:00Z")));
        assert!(!table.is_due(&zone("Europe/Berlin"), start));
        assert_eq!(table.next(), Some(at("2026-11-20T11:00:00Z")));
    }

    #[test]
    fn jitter_is_spread_over_its_length_and_never_takes_more_than_a_tenth() {
        let mut table = timetable("0 0 * * * *", 60, "2026-11-20T00:00:00Z");
        let mut late = Vec::new();
        for hour in 1..=200 {
            let nominal = at("2026-11-20T00:00:00Z") + TimeDelta::hours(hour);
            let next = table.next().unwrap();
            late.push((next - nominal).num_milliseconds());
            assert!(table.is_due(&Utc, next));
        }
        assert!(late.iter().all(|ms| (0..=60_000).contains(ms)), "{late:?}");
        assert!(late.iter().any(|ms| *ms < 10_000) && late.iter().any(|ms| *ms > 50_000));
        let quick = timetable("* * * * * *", 60, "2026-11-20T00:00:00Z").next().unwrap();
        assert!(quick <= at("2026-11-20T00:00:01.100Z"), "{quick}");
    }
}
