//! What ticks: tokio-cron-scheduler, once a second.
//!
//! Owns the scheduler and its one job, which does nothing but say that a second has
//! passed: the channel holds one such word, so that nothing piles up while the daemon
//! is busy. Leaves what is due at a tick to the daemon; the scheduler's own patterns
//! are not used for it, because they keep the zone's distance from UTC of the moment in
//! which a job is made.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every second, whatever the zone.
const EACH_SECOND: &str = "* * * * * *";

/// How long there may be no tick. The scheduler waits for the next second by the wall
/// clock, so after that was set back its job must be made anew.
const SILENCE: Duration = Duration::from_secs(5);

/// The daemon's ticks.
pub(super) struct Ticker {
    scheduler: JobScheduler,
    job: uuid::Uuid,
    say: mpsc::Sender<()>,
    ticks: mpsc::Receiver<()>,
}

impl Ticker {
    /// Ticks from now on.
    pub(super) async fn start() -> Result<Ticker, JobSchedulerError> {
        let (say, ticks) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await?;
        let job = scheduler.add(tick_job(&say)?).await?;
        scheduler.start().await?;
        Ok(Ticker { scheduler, job, say, ticks })
    }

    /// Waits for the next tick. Nothing is lost when the wait is given up.
    pub(super) async fn tick(&mut self) {
        if tokio::time::timeout(SILENCE, self.ticks.recv()).await.is_err()
            && let Err(error) = self.make_anew().await
        {
            tracing::warn!(%error, "the scheduler does not tick");
        }
    }

    async fn make_anew(&mut self) -> Result<(), JobSchedulerError> {
        tracing::debug!("no tick for a while: has the clock been set?");
        self.scheduler.remove(&self.job).await?;
        self.job = self.scheduler.add(tick_job(&self.say)?).await?;
        Ok(())
    }

    /// Ends the ticks.
    pub(super) async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the scheduler did not end");
        }
    }
}

fn tick_job(say: &mpsc::Sender<()>) -> Result<Job, JobSchedulerError> {
    let say = say.clone();
    Job::new(EACH_SECOND, move |_, _| {
        // A full channel means that a tick is waiting already.
        let _ = say.try_send(());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ticks_do_not_pile_up_and_a_job_made_anew_ticks_again() {
        let mut ticker = Ticker::start().await.unwrap();
        ticker.tick().await;
        ticker.make_anew().await.unwrap();
        ticker.ticks.recv().await.unwrap();
        assert_eq!(ticker.ticks.max_capacity(), 1);
        ticker.stop().await;
    }
}
