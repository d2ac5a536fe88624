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
use super::error::{Answered, Failure, LinqError, LinqRejection, Remedy, RequestEffect};
use super::request::{Call, RequestDraft};
use super::token::Token;
use super::transport::TransportError;
use super::verdict::{
    Again, AnswerReading, AttemptOutcome, Failed, is_repeatable, judge_attempt, request_id,
};

/// How one attempt ended.
type AttemptEnd = Result<Response<Bytes>, TransportError>;

/// One attempt: with which token, how it ended and how long that took.
struct Attempt {
    token: Token,
    ended: AttemptEnd,
    took: Duration,
}

/// What became of a call so far.
struct AttemptTally {
    call: Call,
    attempts: u32,
    most_attempts: u32,
    /// The most that the attempts so far may have done.
    effect: RequestEffect,
    /// Whether the token was read again for this call.
    reread: TokenReread,
}

#[derive(PartialEq, Eq)]
enum TokenReread {
    Possible,
    Done,
}

impl AttemptTally {
    fn for_draft(draft: &RequestDraft) -> AttemptTally {
        let (call, most_attempts) = (draft.call, draft.most_attempts);
        AttemptTally {
            call,
            attempts: 0,
            most_attempts,
            effect: RequestEffect::NotSent,
            reread: TokenReread::Possible,
        }
    }

    fn add_effect(&mut self, effect: RequestEffect) {
        self.effect = self.effect.max(effect);
    }

    fn to_error(&self, verdict: Remedy) -> LinqError {
        LinqError { call: self.call, effect: self.effect, attempts: self.attempts, verdict }
    }
}

impl Client {
    /// Carries `draft` to its end. `read` says whether an answer is what the call
    /// is waiting for.
    pub(super) async fn send_with_retries<T>(
        &self,
        draft: &RequestDraft,
        read: impl Fn(&Response<Bytes>) -> AnswerReading<T> + Send + Sync,
    ) -> Result<T, LinqError> {
        let mut tally = AttemptTally::for_draft(draft);
        loop {
            let Attempt { token, ended, took } = self.send_attempt(draft, &mut tally).await?;
            match judge_attempt(draft, ended, &read) {
                AttemptOutcome::Done(done) => {
                    self.limiter.note_answer(took);
                    return Ok(done);
                }
                AttemptOutcome::TokenRefused(answered) => {
                    tally.add_effect(RequestEffect::Refused);
                    self.renew_or_halt(&token, answered, &mut tally).await?;
                }
                AttemptOutcome::Forbidden(rejection) => {
                    tally.add_effect(RequestEffect::Refused);
                    return Err(tally.to_error(self.judge_forbidden(rejection).await));
                }
                AttemptOutcome::Rejected(rejection) => {
                    tally.add_effect(RequestEffect::Refused);
                    return Err(tally.to_error(Remedy::Rejected(rejection)));
                }
                AttemptOutcome::Failed(failed) => self.wait_or_give_up(failed, &mut tally).await?,
            }
        }
    }

    /// Sends `draft` once, when its turn has come, with the token of that moment.
    async fn send_attempt(
        &self,
        draft: &RequestDraft,
        tally: &mut AttemptTally,
    ) -> Result<Attempt, LinqError> {
        self.check_halt(tally)?;
        let turn = self.limiter.next_turn().await;
        let no_token = |error| tally.to_error(Remedy::NoToken(error));
        let token = self.tokens.current_token().await.map_err(no_token)?;
        let header = token.header_value().map_err(no_token)?;
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
        log_attempt(tally, &ended, took);
        Ok(Attempt { token, ended, took })
    }

    fn check_halt(&self, tally: &AttemptTally) -> Result<(), LinqError> {
        match self.halted.get() {
            Some(answered) => Err(tally.to_error(Remedy::Halted(answered.clone()))),
            None => Ok(()),
        }
    }

    /// After a refusal: makes sure that there is another token than `refused`, once
    /// for each call. Otherwise this client sends nothing any more.
    async fn renew_or_halt(
        &self,
        refused: &Token,
        answered: Answered,
        tally: &mut AttemptTally,
    ) -> Result<(), LinqError> {
        let possible =
            std::mem::replace(&mut tally.reread, TokenReread::Done) == TokenReread::Possible;
        if possible
            && answered.status == http::StatusCode::UNAUTHORIZED
            && self.tokens.renew_token(refused).await
        {
            tracing::debug!(call = tally.call.kind(), "linq refused the token, trying the new one");
            return Ok(());
        }
        Err(tally.to_error(self.halt_verdict(answered)))
    }

    /// Decides whether a 403 concerns one contact or the token, by asking for
    /// something that every good token may read. Where that fails for another reason,
    /// nothing says that the token is refused.
    async fn judge_forbidden(&self, rejection: LinqRejection) -> Remedy {
        match self.can_list().await.map_err(|error| error.verdict) {
            Err(Remedy::TokenRefused(_) | Remedy::Halted(_)) => {
                self.halt_verdict(rejection.answered)
            }
            Err(verdict @ Remedy::NoToken(_)) => verdict,
            Ok(()) | Err(Remedy::Rejected(_) | Remedy::Failed(_)) => Remedy::Rejected(rejection),
        }
    }

    /// [`Client::check_access`] behind a pointer, since it leads back to [`Client::send_with_retries`].
    fn can_list(&self) -> BoxFuture<'_, Result<(), LinqError>> {
        Box::pin(self.check_access())
    }

    fn halt_verdict(&self, answered: Answered) -> Remedy {
        self.halted.get_or_init(|| answered.clone());
        Remedy::TokenRefused(answered)
    }

    /// After a failed attempt: waits until the next one may be made, or ends the call.
    async fn wait_or_give_up(
        &self,
        failed: Failed,
        tally: &mut AttemptTally,
    ) -> Result<(), LinqError> {
        let Failed { failure, effect, again } = failed;
        tally.add_effect(effect);
        self.limiter.note_trouble();
        match again {
            Again::Never => Err(tally.to_error(Remedy::Failed(failure))),
            Again::After(asked) => {
                self.check_retry(failure, effect, tally)?;
                #[expect(clippy::disallowed_methods, reason = "this is where the client waits")]
                sleep(self.backoff_after(tally.attempts, asked)).await;
                Ok(())
            }
            Again::EverybodyAfter(asked) => {
                // The others wait even if this call does not come back.
                let wait = self.backoff_after(tally.attempts, asked);
                self.limiter.pause_for(wait);
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
        sleep(self.backoff_after(sendings, None)).await;
        true
    }

    fn check_retry(
        &self,
        failure: Failure,
        effect: RequestEffect,
        tally: &AttemptTally,
    ) -> Result<(), LinqError> {
        let again = is_repeatable(tally.call, effect)
            && tally.attempts < tally.most_attempts.min(self.settings.max_attempts.get())
            && self.counter.allow_retry();
        if again { Ok(()) } else { Err(tally.to_error(Remedy::Failed(failure))) }
    }
}

/// Logs an attempt: what kind, how it ended, never with what.
fn log_attempt(tally: &AttemptTally, ended: &AttemptEnd, took: Duration) {
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
