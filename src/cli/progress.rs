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

use super::args::OutputArgs;
use super::log;
use super::text::harmless_text;
use crate::daemon::how_far;
use crate::linq::Client;
use crate::progress::Progress;

/// How often the line on a terminal is drawn.
const DRAWN: Duration = Duration::from_millis(200);

/// How often the log tells.
const LOGGED: Duration = Duration::from_secs(30);

/// The line at the foot of the terminal. It draws nothing until it is shown.
static LINE: LazyLock<ProgressBar> = LazyLock::new(ProgressBar::hidden);

/// Does `work`, for which `client` asks Linq, and tells how far it is.
pub(super) async fn with_progress<T>(
    output: OutputArgs,
    client: &Client,
    work: impl Future<Output = T>,
) -> T {
    show_progress(
        ProgressLine::for_output(output),
        client.progress(),
        &client.asked_to_wait(),
        work,
    )
    .await
}

/// Does `work`, and tells what `gauge` shows and until when Linq has set a rate limit.
async fn show_progress<T>(
    mut teller: ProgressLine,
    gauge: &Progress,
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
                teller.show_text(&how_far(gauge.current_reading(), now, wait));
            }
        }
    }
}

/// Where it is told. Nothing is left on the terminal when it is dropped.
struct ProgressLine {
    ticks: Interval,
    draws: bool,
}

impl ProgressLine {
    fn for_output(output: OutputArgs) -> ProgressLine {
        if output.no_progress || output.quiet || !io::stderr().is_terminal() {
            return ProgressLine::in_the_log();
        }
        LINE.set_style(progress_style());
        LINE.set_draw_target(ProgressDrawTarget::stderr());
        ProgressLine { ticks: interval_of(DRAWN), draws: true }
    }

    fn in_the_log() -> ProgressLine {
        ProgressLine { ticks: interval_of(LOGGED), draws: false }
    }

    fn show_text(&self, text: &str) {
        if self.draws {
            LINE.set_message(text.to_owned());
            LINE.tick();
        } else {
            tracing::info!("{text}");
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.draws {
            LINE.finish_and_clear();
            LINE.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

/// The first is one period from now.
fn interval_of(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn progress_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Standard error, above the line: for logs.
#[derive(Debug, Default)]
pub(super) struct AboveTheLine;

impl Write for AboveTheLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        LINE.suspend(|| log::write(harmless_text(&text).as_bytes()));
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
    use crate::progress::ProgressStage;

    #[tokio::test(start_paused = true)]
    async fn without_a_terminal_the_log_tells_every_half_minute() {
        let paper = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&paper);
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .with_writer(move || CapturedProgress(Arc::clone(&writer)))
            .finish();
        let _logs = tracing::subscriber::set_default(subscriber);
        let gauge = Progress::default();
        let (pause, waiting) = watch::channel(None);
        let work = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            gauge.begin_stage(ProgressStage::Listing, Some(12_000));
            gauge.advance_by(400);
            tokio::time::sleep(Duration::from_secs(35)).await;
            pause.send_replace(Some(Instant::now() + Duration::from_secs(30)));
            tokio::time::sleep(Duration::from_secs(30)).await;
        };
        show_progress(ProgressLine::in_the_log(), &gauge, &waiting, work).await;
        let told = String::from_utf8(paper.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(told, @"
        INFO reading Linq: 400 of 12,000 contacts, 40 a second, 4m 50s left
        INFO reading Linq: 400 of 12,000 contacts; Linq asks for a pause of 26 s
        ");
    }

    #[derive(Debug)]
    struct CapturedProgress(Arc<Mutex<Vec<u8>>>);

    impl Write for CapturedProgress {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
