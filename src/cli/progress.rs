//! Tells whoever waits how far a run is: one line that changes on a terminal, and
//! elsewhere a line in the log every half minute.
//!
//! The line is the process's, as is the terminal: logs are written above it.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::args::Output;
use crate::daemon::length;
use crate::gauge::{Gauge, Level, Stage};
use crate::linq::Client;

/// How often the line on a terminal is drawn.
const DRAWN: Duration = Duration::from_millis(200);

/// How often the log tells.
const LOGGED: Duration = Duration::from_secs(30);

/// How long a stage goes on before its pace says anything.
const PACED: Duration = Duration::from_secs(2);

/// The line at the foot of the terminal. It draws nothing until it is shown.
static LINE: LazyLock<ProgressBar> = LazyLock::new(ProgressBar::hidden);

/// Does `work`, for which `client` asks Linq, and tells how far it is.
pub(super) async fn telling<T>(
    output: Output,
    client: &Client,
    work: impl Future<Output = T>,
) -> T {
    watching(Teller::of(output), client.gauge(), &client.asked_to_wait(), work).await
}

/// Does `work`, and tells what `gauge` shows and until when Linq wants to be left alone.
async fn watching<T>(
    mut teller: Teller,
    gauge: &Gauge,
    waiting: &watch::Receiver<Option<Instant>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = teller.ticks.tick() => {
                let now = Instant::now();
                let wait = waiting.borrow().map(|until| until.saturating_duration_since(now));
                teller.tell(&words(gauge.level(), now, wait));
            }
        }
    }
}

/// Where it is told. Nothing is left on the terminal when it is dropped.
struct Teller {
    ticks: Interval,
    draws: bool,
}

impl Teller {
    fn of(output: Output) -> Teller {
        if output.no_progress || output.quiet || !io::stderr().is_terminal() {
            return Teller::in_the_log();
        }
        LINE.set_style(style());
        LINE.set_draw_target(ProgressDrawTarget::stderr());
        Teller { ticks: every(DRAWN), draws: true }
    }

    fn in_the_log() -> Teller {
        Teller { ticks: every(LOGGED), draws: false }
    }

    fn tell(&self, text: &str) {
        if self.draws {
            LINE.set_message(text.to_owned());
            LINE.tick();
        } else {
            tracing::info!("{text}");
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if self.draws {
            LINE.finish_and_clear();
            LINE.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

/// The first is one period from now.
fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// What is done and how much of it, at which pace, and how long it will take.
fn words(level: Level, now: Instant, wait: Option<Duration>) -> String {
    let (doing, things) = match level.stage {
        Stage::Beginning => ("reading the source", ""),
        Stage::Listing => ("reading Linq", " contacts"),
        Stage::Asking => ("asking Linq for contacts that it did not list", ""),
        Stage::Writing => ("writing to Linq", " contacts"),
        Stage::Settling => ("waiting to see whether Linq created a contact", ""),
        Stage::Deleting => ("deleting in Linq", " contacts"),
    };
    let of = level.of.filter(|of| *of > 0);
    let amount = of.map_or_else(String::new, |of| {
        format!(": {} of {}{things}", grouped(level.done), grouped(of))
    });
    match (wait.filter(|wait| !wait.is_zero()), of) {
        (Some(wait), _) => {
            format!("{doing}{amount}; Linq asks for a pause of {} s", wait.as_secs() + 1)
        }
        (None, Some(of)) => doing.to_owned() + &amount + &pace(level, of, now),
        (None, None) => doing.to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
fn pace(level: Level, of: u64, now: Instant) -> String {
    let elapsed = now.saturating_duration_since(level.since);
    if level.done == 0 || level.done >= of || elapsed < PACED {
        return String::new();
    }
    let rate = level.done as f64 / elapsed.as_secs_f64();
    let left = Duration::try_from_secs_f64((of - level.done) as f64 / rate);
    let left = left.ok().and_then(|left| TimeDelta::from_std(left).ok());
    let left = left.map_or_else(String::new, |left| {
        format!(", {} left", length(left.max(TimeDelta::seconds(1))))
    });
    match rate {
        10.0.. => format!(", {rate:.0} a second{left}"),
        _ => format!(", {rate:.1} a second{left}"),
    }
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (head, tail) = digits.split_at(first);
    tail.as_bytes()
        .chunks(3)
        .fold(head.to_owned(), |text, three| format!("{text},{}", String::from_utf8_lossy(three)))
}

/// Standard error, above the line: for logs.
#[derive(Debug, Default)]
pub(super) struct AboveTheLine;

impl Write for AboveTheLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINE.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn told(stage: Stage, done: u64, of: Option<u64>, seconds: u64, wait: u64) -> String {
        let since = Instant::now();
        let wait = (wait > 0).then(|| Duration::from_secs(wait));
        words(Level { stage, since, done, of }, since + Duration::from_secs(seconds), wait)
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_terminal_the_log_tells_every_half_minute() {
        let paper = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&paper);
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .with_writer(move || Paper(Arc::clone(&writer)))
            .finish();
        let _logs = tracing::subscriber::set_default(subscriber);
        let gauge = Gauge::default();
        let (pause, waiting) = watch::channel(None);
        let work = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            gauge.begin(Stage::Listing, Some(12_000));
            gauge.advance(400);
            tokio::time::sleep(Duration::from_secs(35)).await;
            pause.send_replace(Some(Instant::now() + Duration::from_secs(30)));
            tokio::time::sleep(Duration::from_secs(30)).await;
        };
        watching(Teller::in_the_log(), &gauge, &waiting, work).await;
        let told = String::from_utf8(paper.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(told, @"
        INFO reading Linq: 400 of 12,000 contacts, 40 a second, 4m 50s left
        INFO reading Linq: 400 of 12,000 contacts; Linq asks for a pause of 26 s
        ");
    }

    #[derive(Debug)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn how_far_it_is_at_which_pace_and_how_long_it_takes_is_told() {
        let lines = [
            told(Stage::Beginning, 0, None, 0, 0),
            told(Stage::Listing, 0, None, 40, 0),
            told(Stage::Listing, 0, Some(0), 40, 0),
            told(Stage::Listing, 100, Some(250), 1, 0),
            told(Stage::Listing, 12_300, Some(100_000), 30, 0),
            told(Stage::Asking, 1, Some(2), 0, 0),
            told(Stage::Writing, 90, Some(1_234_567), 30, 11),
            told(Stage::Writing, 3, Some(3), 30, 0),
            told(Stage::Settling, 0, None, 10, 0),
            told(Stage::Deleting, 99, Some(100), 10, 0),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        reading the source
        reading Linq
        reading Linq
        reading Linq: 100 of 250 contacts
        reading Linq: 12,300 of 100,000 contacts, 410 a second, 3m 33s left
        asking Linq for contacts that it did not list: 1 of 2
        writing to Linq: 90 of 1,234,567 contacts; Linq asks for a pause of 12 s
        writing to Linq: 3 of 3 contacts
        waiting to see whether Linq created a contact
        deleting in Linq: 99 of 100 contacts, 9.9 a second, 1s left
        ");
    }
}
