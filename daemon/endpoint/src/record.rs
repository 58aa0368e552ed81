//! What is recorded of a request: who, when, how it ended, and never what it said.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use earnest_telemetry::{App, Door, Event, Refusal as Reason, Scope, Telemetry};
use earnest_transcript::Milliseconds;
use http::StatusCode;
use http::request::Parts;

use crate::refusal::Refusal;

/// The status that is recorded where the caller went away before there was any: nginx's "client
/// closed request".
const WENT_AWAY: u16 = 499;

/// The account of one request. Clones are of one account, which is closed and recorded when the
/// last of them is dropped: after the last byte of the answer, or when the caller has gone.
#[derive(Debug, Clone)]
pub(crate) struct Bill(Arc<Account>);

#[derive(Debug)]
struct Account {
    telemetry: Telemetry,
    request: u64,
    begun: Duration,
    /// The user on the other end, where that is known.
    uid: Option<u32>,
    door: Door,
    leave: OnceLock<Leave>,
    reason: OnceLock<Reason>,
    status: AtomicU16,
    sound_milliseconds: AtomicU64,
}

/// Who was let in, and for what.
#[derive(Debug, Clone)]
struct Leave {
    app: App,
    uid: u32,
    scope: Scope,
}

impl Bill {
    /// Opens the account of the request with this number.
    pub(crate) fn new(telemetry: &Telemetry, request: u64, uid: Option<u32>, door: Door) -> Bill {
        Bill(Arc::new(Account {
            telemetry: telemetry.clone(),
            request,
            begun: telemetry.clock().now(),
            uid,
            door,
            leave: OnceLock::new(),
            reason: OnceLock::new(),
            status: AtomicU16::new(WENT_AWAY),
            sound_milliseconds: AtomicU64::new(0),
        }))
    }

    /// The request was let in, and this is whose it is.
    pub(crate) fn let_in(&self, app: &str, uid: u32, scope: Scope) {
        let app = App::new(app);
        let leave = Leave { app, uid, scope };
        if self.0.leave.set(leave.clone()).is_ok() {
            self.0.telemetry.record(Event::RequestBegun {
                request: self.0.request,
                app: leave.app,
                uid,
                scope,
                door: self.0.door,
                trace: None,
            });
        }
    }

    /// Why it will be refused, where the refusal itself does not say.
    pub(crate) fn because(&self, reason: Reason) {
        // The first reason is the one that counts.
        let _ = self.0.reason.set(reason);
    }

    /// So much sound was heard.
    pub(crate) fn heard(&self, duration: Milliseconds) {
        self.0
            .sound_milliseconds
            .store(duration.0, Ordering::Relaxed);
    }

    /// It is answered with this.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.0.status.store(status.as_u16(), Ordering::Relaxed);
    }

    /// It is refused, be it in the middle of an answer.
    pub(crate) fn failed(&self, refusal: &Refusal) {
        self.answered(refusal.status());
        let reason = self.0.reason.get().copied().or(reason(refusal));
        if let Some(reason) = reason {
            let leave = self.0.leave.get();
            self.0.telemetry.record(Event::Refused {
                app: leave.map(|leave| leave.app.clone()),
                uid: leave.map(|leave| leave.uid).or(self.0.uid),
                scope: leave.map(|leave| leave.scope),
                door: self.0.door,
                reason,
            });
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Who was not let in has been recorded as refused.
        let Some(leave) = self.leave.take() else {
            return;
        };
        let took = self.telemetry.clock().now().saturating_sub(self.begun);
        self.telemetry.record(Event::RequestEnded {
            request: self.request,
            app: leave.app,
            uid: leave.uid,
            scope: leave.scope,
            door: self.door,
            trace: None,
            status: self.status.load(Ordering::Relaxed),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            sound_milliseconds: self.sound_milliseconds.load(Ordering::Relaxed),
        });
    }
}

/// The operator's word for a refusal. A worker that failed is an event of its own.
fn reason(refusal: &Refusal) -> Option<Reason> {
    match refusal {
        Refusal::Unauthenticated => Some(Reason::NotListed),
        Refusal::ForeignHost => Some(Reason::ForeignHost),
        Refusal::ForeignOrigin => Some(Reason::ForeignOrigin),
        Refusal::NotFound
        | Refusal::MethodNotAllowed
        | Refusal::ModelNotFound
        | Refusal::TokenNotFound
        | Refusal::TranslationNotOffered
        | Refusal::UnsupportedLanguage { .. }
        | Refusal::UnsupportedMediaType => Some(Reason::Unsupported),
        Refusal::Missing { .. }
        | Refusal::Invalid { .. }
        | Refusal::MalformedForm
        | Refusal::MalformedBody
        | Refusal::MalformedJson
        | Refusal::InvalidAudio => Some(Reason::Malformed),
        Refusal::TooLarge => Some(Reason::TooLarge),
        Refusal::TooSlow => Some(Reason::TimedOut),
        Refusal::Busy { .. } => Some(Reason::Busy),
        Refusal::DeviceNotProven => Some(Reason::GateClosed),
        Refusal::WorkerFailed => None,
    }
}

impl<S: Sync> FromRequestParts<S> for Bill {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Bill, Refusal> {
        // The front door puts one there for every request.
        let bill = parts.extensions.get::<Bill>().cloned();
        bill.ok_or(Refusal::WorkerFailed)
    }
}

#[cfg(test)]
mod tests {
    use earnest_telemetry::Clock;

    use super::*;

    fn events(telemetry: &Telemetry) -> Vec<String> {
        let recent = telemetry.recent();
        recent.iter().map(|one| one.event.to_string()).collect()
    }

    #[test]
    fn an_account_is_closed_once_with_its_last_holder() {
        let clock = Clock::simulated(Duration::from_secs(1));
        let telemetry = Telemetry::new(clock.clone());
        let bill = Bill::new(&telemetry, 7, Some(1000), Door::Unix);
        bill.let_in("notes", 1000, Scope::Transcribe);
        let other = bill.clone();
        bill.answered(StatusCode::OK);
        bill.heard(Milliseconds(5_000));
        drop(bill);
        assert_eq!(
            events(&telemetry),
            ["request 7 begun (notes): transcribe for uid 1000 over unix"]
        );
        clock.advance(Duration::from_millis(20));
        drop(other);
        assert_eq!(
            events(&telemetry)[1..],
            ["request 7 ended (notes): 200 after 20 ms, 5000 ms of sound"]
        );
    }

    #[test]
    fn the_reason_is_recorded_that_the_caller_is_not_told() {
        let telemetry = Telemetry::new(Clock::simulated(Duration::ZERO));
        let bill = Bill::new(&telemetry, 7, Some(1000), Door::Unix);
        bill.because(Reason::OtherOwner);
        bill.failed(&Refusal::Unauthenticated);
        drop(bill);
        assert_eq!(
            events(&telemetry),
            ["refused: other_owner (uid 1000) over unix"]
        );
    }

    #[test]
    fn who_went_away_is_recorded_as_gone() {
        let telemetry = Telemetry::new(Clock::simulated(Duration::ZERO));
        let bill = Bill::new(&telemetry, 7, Some(1000), Door::Unix);
        bill.let_in("notes", 1000, Scope::Transcribe);
        drop(bill);
        assert!(events(&telemetry)[1].contains("499"));
    }
}
