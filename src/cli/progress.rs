//! Tells whoever waits how far a run is: one line that changes on a terminal, and
//! elsewhere a line in the log every half minute.
//!
//! The line is the process's, as is the terminal: logs are written above it.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::args::Output;
use super::log;
use super::text::harmless;
use crate::daemon::how_far;
use crate::gauge::Gauge;
use crate::linq::Client;

/// How often the line on a terminal is drawn.
const DRAWN: Duration = Duration::from_millis(200);

/// How often the log tells.
const LOGGED: Duration = Duration::from_secs(30);

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
                teller.tell(&how_far(gauge.level(), now, wait));
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

/// Standard error, above the line: for logs.
#[derive(Debug, Default)]
pub(super) struct AboveTheLine;

impl Write for AboveTheLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        LINE.suspend(|| log::write(harmless(&text).as_bytes()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::gauge::Stage;

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
}
