//! One call from its first attempt to its end.
//!
//! Owns the only retry layer: attempts, waits, the budget, the second reading of
//! the token, and the stop after it is refused. Leaves what an attempt proves to
//! [`super::verdict`].

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use tokio::time::{Instant, sleep};

use super::client::Client;
use super::error::{Answered, Effect, Failure, LinqError, Rejection, Verdict};
use super::request::{Call, Draft};
use super::token::Token;
use super::transport::TransportError;
use super::verdict::{Again, Failed, Outcome, Reading, is_repeatable, judge, request_id};

/// How one attempt ended.
type End = Result<Response<Bytes>, TransportError>;

/// One attempt: with which token, how it ended and how long that took.
struct Attempt {
    token: Token,
    ended: End,
    took: Duration,
}

/// What became of a call so far.
struct Tally {
    call: Call,
    attempts: u32,
    most_attempts: u32,
    /// The most that the attempts so far may have done.
    effect: Effect,
    /// Whether the token was read again for this call.
    reread: Reread,
}

#[derive(PartialEq, Eq)]
enum Reread {
    Possible,
    Done,
}

impl Tally {
    fn of(draft: &Draft) -> Tally {
        let (call, most_attempts) = (draft.call, draft.most_attempts);
        Tally {
            call,
            attempts: 0,
            most_attempts,
            effect: Effect::NotSent,
            reread: Reread::Possible,
        }
    }

    fn add(&mut self, effect: Effect) {
        self.effect = self.effect.max(effect);
    }

    fn end(&self, verdict: Verdict) -> LinqError {
        LinqError { call: self.call, effect: self.effect, attempts: self.attempts, verdict }
    }
}

impl Client {
    /// Carries `draft` to its end. `read` says whether an answer is what the call
    /// is waiting for.
    pub(super) async fn ask<T>(
        &self,
        draft: &Draft,
        read: impl Fn(&Response<Bytes>) -> Reading<T> + Send + Sync,
    ) -> Result<T, LinqError> {
        let mut tally = Tally::of(draft);
        loop {
            let Attempt { token, ended, took } = self.attempt(draft, &mut tally).await?;
            match judge(draft, ended, &read) {
                Outcome::Done(done) => {
                    self.limiter.answered(took);
                    return Ok(done);
                }
                Outcome::TokenRefused(answered) => {
                    tally.add(Effect::Refused);
                    self.renew_or_halt(&token, answered, &mut tally).await?;
                }
                Outcome::Forbidden(rejection) => {
                    tally.add(Effect::Refused);
                    return Err(tally.end(self.judge_forbidden(rejection).await));
                }
                Outcome::Rejected(rejection) => {
                    tally.add(Effect::Refused);
                    return Err(tally.end(Verdict::Rejected(rejection)));
                }
                Outcome::Failed(failed) => self.wait_or_give_up(failed, &mut tally).await?,
            }
        }
    }

    /// Sends `draft` once, when its turn has come, with the token of that moment.
    async fn attempt(&self, draft: &Draft, tally: &mut Tally) -> Result<Attempt, LinqError> {
        self.check_halt(tally)?;
        let turn = self.limiter.turn().await;
        let no_token = |error| tally.end(Verdict::NoToken(error));
        let token = self.tokens.current().await.map_err(no_token)?;
        let header = token.header().map_err(no_token)?;
        // The token may have been refused while this call waited.
        self.check_halt(tally)?;
        tally.attempts += 1;
        self.counter.count(tally.call, tally.attempts);
        let request = match draft.to_request(header, &self.settings.user_agent) {
            Ok(request) => request,
            Err(error) => {
                let ended = Err(TransportError::NotSent(error.into()));
                return Ok(Attempt { token, ended, took: Duration::ZERO });
            }
        };
        let start = Instant::now();
        let ended = self.transport.send(request).await;
        let took = start.elapsed();
        drop(turn);
        log(tally, &ended, took);
        Ok(Attempt { token, ended, took })
    }

    fn check_halt(&self, tally: &Tally) -> Result<(), LinqError> {
        match self.halted.get() {
            Some(answered) => Err(tally.end(Verdict::Halted(answered.clone()))),
            None => Ok(()),
        }
    }

    /// After a refusal: makes sure that there is another token than `refused`, once
    /// for each call. Otherwise this client sends nothing any more.
    async fn renew_or_halt(
        &self,
        refused: &Token,
        answered: Answered,
        tally: &mut Tally,
    ) -> Result<(), LinqError> {
        let possible = std::mem::replace(&mut tally.reread, Reread::Done) == Reread::Possible;
        if possible
            && answered.status == http::StatusCode::UNAUTHORIZED
            && self.tokens.renew(refused).await
        {
            tracing::debug!(call = tally.call.kind(), "linq refused the token, trying the new one");
            return Ok(());
        }
        Err(tally.end(self.halt(answered)))
    }

    /// Decides whether a 403 concerns one contact or the token, by asking for
    /// something that every good token may read. Where that fails for another reason,
    /// nothing says that the token is refused.
    async fn judge_forbidden(&self, rejection: Rejection) -> Verdict {
        match self.can_list().await.map_err(|error| error.verdict) {
            Err(Verdict::TokenRefused(_) | Verdict::Halted(_)) => self.halt(rejection.answered),
            Err(verdict @ Verdict::NoToken(_)) => verdict,
            Ok(()) | Err(Verdict::Rejected(_) | Verdict::Failed(_)) => Verdict::Rejected(rejection),
        }
    }

    /// [`Client::check`] behind a pointer, since it leads back to [`Client::ask`].
    fn can_list(&self) -> BoxFuture<'_, Result<(), LinqError>> {
        Box::pin(self.check())
    }

    fn halt(&self, answered: Answered) -> Verdict {
        self.halted.get_or_init(|| answered.clone());
        Verdict::TokenRefused(answered)
    }

    /// After a failed attempt: waits until the next one may be made, or ends the call.
    async fn wait_or_give_up(&self, failed: Failed, tally: &mut Tally) -> Result<(), LinqError> {
        let Failed { failure, effect, again } = failed;
        tally.add(effect);
        self.limiter.troubled();
        match again {
            Again::Never => Err(tally.end(Verdict::Failed(failure))),
            Again::After(asked) => {
                self.check_retry(failure, effect, tally)?;
                #[expect(clippy::disallowed_methods, reason = "this is where the client waits")]
                sleep(self.backoff(tally.attempts, asked)).await;
                Ok(())
            }
            Again::EverybodyAfter(asked) => {
                // The others wait even if this call does not come back.
                let wait = self.backoff(tally.attempts, asked);
                self.limiter.pause(wait);
                self.asked_to_wait.send_replace(asked.map(|_| Instant::now() + wait));
                self.check_retry(failure, effect, tally)
            }
        }
    }

    /// Waits before a write whose outcome was unknown is sent for another time, after
    /// the caller has looked what became of it. Says no when it was sent often enough.
    pub(crate) async fn may_send_again(&self, sendings: u32) -> bool {
        if sendings >= self.settings.max_attempts.get() || !self.counter.allow_retry() {
            return false;
        }
        self.counter.count_retry();
        #[expect(clippy::disallowed_methods, reason = "this is where the client waits")]
        sleep(self.backoff(sendings, None)).await;
        true
    }

    fn check_retry(
        &self,
        failure: Failure,
        effect: Effect,
        tally: &Tally,
    ) -> Result<(), LinqError> {
        let again = is_repeatable(tally.call, effect)
            && tally.attempts < tally.most_attempts.min(self.settings.max_attempts.get())
            && self.counter.allow_retry();
        if again { Ok(()) } else { Err(tally.end(Verdict::Failed(failure))) }
    }
}

/// Logs an attempt: what kind, how it ended, never with what.
fn log(tally: &Tally, ended: &End, took: Duration) {
    let call = tally.call.kind();
    let attempt = tally.attempts;
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match ended {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let request_id = request_id(answer);
            tracing::debug!(call, attempt, status, request_id, ms, "linq answered");
        }
        Err(error) => tracing::debug!(call, attempt, %error, ms, "linq did not answer"),
    }
}

#[cfg(test)]
mod tests;
