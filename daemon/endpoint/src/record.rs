//! What is recorded of a request: who, when, how it ended, and never what it said.
//!
//! One account goes to three places. Events go to telemetry, whose sink is the audit log;
//! numbers go to the watch for unusual use; a span goes to the collector, where there is one.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath};
use earnest_anomaly::{Observation, Request as Seen, Subject};
use earnest_policy::{AppId, Permit, Scope, Tokens};
use earnest_telemetry::{App, Event, Refusal as Reason, Scope as Asked, TraceId};
use earnest_traces::{Attribute, Context, Kind, Method, Outcome, Route, Span, TraceParent};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::body::Meter;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The status that is recorded where the caller went away before there was any: nginx's "client
/// closed request".
const WENT_AWAY: u16 = 499;

/// The account of one request. Clones are of one account, which is closed and recorded when the
/// last of them is dropped: after the last byte of the answer, or when the caller has gone.
#[derive(Debug, Clone)]
pub(crate) struct Bill(Arc<Account>);

struct Account {
    shared: Arc<Shared>,
    request: u64,
    /// On CLOCK_BOOTTIME.
    begun: Duration,
    /// The same on the clock that timers go by.
    arrived: Instant,
    caller: Caller,
    method: Method,
    route: Option<Route>,
    context: Context,
    /// The trace that the caller named.
    trace: Option<TraceId>,
    meter: Arc<Meter>,
    leave: OnceLock<Leave>,
    /// Whose request it is, where it proved that much.
    asked_by: OnceLock<App>,
    /// What it asks for, where it was not given that.
    asked_for: OnceLock<Asked>,
    /// Whether the model was to be reached, and everything before it let the request through.
    works: AtomicBool,
    reason: OnceLock<Reason>,
    refused: AtomicBool,
    status: AtomicU16,
    heard: Mutex<HeardSums>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Account")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Who was let in, and for what.
#[derive(Debug, Clone)]
struct Leave {
    app: App,
    uid: u32,
    scope: Asked,
    is_registered: bool,
}

/// What was heard in a request, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HeardSums {
    /// Milliseconds of sound.
    pub(crate) sound: u64,
    /// Milliseconds of speech in it.
    pub(crate) speech: u64,
    /// Whether the model was uncertain of something.
    pub(crate) certainty_low: bool,
    /// Segments of text.
    pub(crate) segments: u64,
    /// A keyed digest of all bytes of the sound. It stays in memory.
    pub(crate) payload: Option<u64>,
    /// The worker's fingerprint of the sound, of which like sounds have like bits.
    pub(crate) shape: Option<u64>,
}

impl Bill {
    /// Opens the account of a request.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        caller: Caller,
        head: &Parts,
        meter: Arc<Meter>,
    ) -> Bill {
        let parent = trace_parent(&head.headers);
        let route = head.extensions.get::<MatchedPath>();
        Bill(Arc::new(Account {
            request: shared.next_request(),
            begun: shared.now(),
            arrived: Instant::now(),
            caller,
            method: Method::of(head.method.as_str()),
            route: route.and_then(|path| Route::of(path.as_str())),
            context: shared.traces.context(parent.as_ref()),
            trace: parent.map(|parent| parent.trace()),
            meter,
            leave: OnceLock::new(),
            asked_by: OnceLock::new(),
            asked_for: OnceLock::new(),
            works: AtomicBool::new(false),
            reason: OnceLock::new(),
            refused: AtomicBool::new(false),
            status: AtomicU16::new(WENT_AWAY),
            heard: Mutex::default(),
            shared: Arc::clone(shared),
        }))
    }

    /// The request's number, as it is recorded.
    pub(crate) fn number(&self) -> u64 {
        self.0.request
    }

    /// The request's number as the caller is told it: `req_0123456789abc`.
    pub(crate) fn id(&self) -> String {
        request_id(self.0.request)
    }

    /// When the request came, on the clock of timers.
    pub(crate) fn arrived(&self) -> Instant {
        self.0.arrived
    }

    /// The request was let in, and this is whose it is. Gives the event of that, once.
    pub(crate) fn let_in<S: Scope>(&self, permit: &Permit<S>) -> Option<Event> {
        let leave = Leave {
            app: App::new(permit.app().as_str()),
            uid: permit.uid(),
            scope: asked(S::NAME),
            is_registered: permit.is_registered(),
        };
        let event = Event::RequestBegun {
            request: self.0.request,
            app: leave.app.clone(),
            uid: leave.uid,
            scope: leave.scope,
            door: self.0.caller.way(),
            trace: self.0.trace,
        };
        self.0.leave.set(leave).is_ok().then_some(event)
    }

    /// Whether it is let in or not, this is whose it is.
    pub(crate) fn asked_by(&self, app: &AppId) {
        let _ = self.0.asked_by.set(App::new(app.as_str()));
    }

    /// It is not let in for the scope of this name.
    pub(crate) fn asked_for(&self, scope: &str) {
        if let Some(scope) = Asked::named(scope) {
            let _ = self.0.asked_for.set(scope);
        }
    }

    /// Everything before the model let the request through.
    pub(crate) fn works(&self) {
        self.0.works.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    pub(crate) fn is_work(&self) -> bool {
        self.0.works.load(Ordering::Relaxed)
    }

    /// Why it will be refused, where the refusal itself does not say.
    pub(crate) fn because(&self, reason: Reason) {
        // The first reason is the one that counts.
        let _ = self.0.reason.set(reason);
    }

    /// What was heard so far, to be added to.
    pub(crate) fn heard(&self) -> MutexGuard<'_, HeardSums> {
        // Numbers alone: what somebody panicked over is still good.
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is answered with this.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.0.status.store(status.as_u16(), Ordering::Relaxed);
    }

    /// It is refused, be it in the middle of an answer.
    pub(crate) fn failed(&self, refusal: &Refusal) {
        self.answered(refusal.status());
        let Some(reason) = self.0.reason.get().copied().or(reason(refusal)) else {
            return;
        };
        // What a span tells.
        let _ = self.0.reason.set(reason);
        if self.0.refused.swap(true, Ordering::Relaxed) {
            return;
        }
        let Account { shared, caller, .. } = &*self.0;
        let leave = self.0.leave.get();
        let asked_by = self.0.asked_by.get();
        let refused = Event::Refused {
            app: leave.map(|leave| &leave.app).or(asked_by).cloned(),
            uid: leave.map(|leave| leave.uid).or(caller.uid()),
            scope: leave
                .map(|leave| &leave.scope)
                .or(self.0.asked_for.get())
                .copied(),
            door: caller.way(),
            reason,
        };
        shared.note(self.0.request, refused);
        let subject = match (leave, asked_by) {
            (Some(leave), _) => leave.subject(),
            // It proved who it is, and asked for more than it was given.
            (None, Some(app)) if !app.as_str().starts_with("uid-") => Subject::App(app.clone()),
            _ => caller.subject(),
        };
        shared.observe(&subject, &Observation::Refused { reason });
        if is_guess(reason) {
            shared.guessed(caller.source());
        }
    }
}

/// The word for a scope. Those that no set has are for anybody of their kind.
fn asked(name: &str) -> Asked {
    match Asked::named(name) {
        Some(scope) => scope,
        None if name == Tokens::NAME => Asked::Vad,
        None => Asked::See,
    }
}

/// Whether it may have been a try with credentials that somebody made up or found. Who shows
/// none, or is on no list, tries nothing.
fn is_guess(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BadToken
            | Reason::WrongAudience
            | Reason::OtherOwner
            | Reason::NoCertificate
            | Reason::OtherCertificate
            | Reason::BadSession
    )
}

impl Leave {
    /// Whose behaviour this is. Programs of a user on the blanket list take any name they like,
    /// so the user answers for them.
    fn subject(&self) -> Subject {
        match self.is_registered {
            true => Subject::App(self.app.clone()),
            false => Subject::Uid(self.uid),
        }
    }
}

/// How the caller is told a request's number.
pub(crate) fn request_id(number: u64) -> String {
    format!("req_{number:013x}")
}

/// The trace that the caller says its request belongs to (W3C Trace Context). One that is broken
/// or not alone is none (section 3.2.1), and `tracestate`, which is free text, is not read.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all("traceparent").iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok()?.parse().ok(),
        _ => None,
    }
}

impl Account {
    fn ended(&self, leave: &Leave, took: Duration, heard: HeardSums) {
        let status = self.status.load(Ordering::Relaxed);
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let ended = Event::RequestEnded {
            request: self.request,
            app: leave.app.clone(),
            uid: leave.uid,
            scope: leave.scope,
            door: self.caller.way(),
            trace: self.trace,
            status,
            milliseconds,
            sound_milliseconds: heard.sound,
        };
        self.shared.note(self.request, ended);
        // Requests that reach no model have nothing to be learned from, and what was refused
        // has been observed as that.
        if self.works.load(Ordering::Relaxed) && !self.refused.load(Ordering::Relaxed) {
            let seen = Seen {
                milliseconds,
                sound_milliseconds: heard.sound,
                speech_milliseconds: heard.speech,
                certainty_low: heard.certainty_low,
                status,
                payload: heard.payload,
                shape: heard.shape,
                bytes_per_second: self.meter.bytes_per_second(),
            };
            let seen = Observation::Request(seen);
            self.shared.observe(&leave.subject(), &seen);
        }
    }

    fn trace(&self, ended: Duration, heard: HeardSums) {
        if !self.shared.traces.is_on() {
            return;
        }
        let status = self.status.load(Ordering::Relaxed);
        let outcome = match status {
            WENT_AWAY => Outcome::Abandoned,
            500.. if self.reason.get().is_none() => Outcome::Failed,
            400.. => Outcome::Refused,
            _ => Outcome::Done,
        };
        let mut span = Span::new(Kind::Request, self.context, self.begun, ended);
        span.push(Attribute::Request(self.request));
        span.push(Attribute::Method(self.method));
        span.push(Attribute::Door(self.caller.way()));
        span.push(Attribute::Status(status));
        span.push(Attribute::Outcome(outcome));
        span.push(Attribute::BodyBytes(self.meter.bytes()));
        if let Some(route) = self.route {
            span.push(Attribute::Route(route));
        }
        if let Some(leave) = self.leave.get() {
            span.push(Attribute::Scope(leave.scope));
            let pseudonym = self.shared.pseudonym(leave.app.as_str());
            span.push(Attribute::Application(pseudonym));
        }
        if let Some(reason) = self.reason.get() {
            span.push(Attribute::Refusal(*reason));
        }
        if self.works.load(Ordering::Relaxed) {
            span.push(Attribute::SoundMilliseconds(heard.sound));
            span.push(Attribute::SpeechMilliseconds(heard.speech));
            span.push(Attribute::Segments(heard.segments));
        }
        self.shared.traces.record(span);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.shared.now();
        // Who was not let in has been recorded as refused.
        if let Some(leave) = self.leave.get() {
            self.ended(leave, ended.saturating_sub(self.begun), heard);
        }
        self.trace(ended, heard);
    }
}

/// The operator's word for a refusal. A worker that failed is an event of its own.
fn reason(refusal: &Refusal) -> Option<Reason> {
    match refusal {
        Refusal::Unauthenticated => Some(Reason::NotListed),
        Refusal::InsufficientScope => Some(Reason::InsufficientScope),
        Refusal::SecondFactorRequired => Some(Reason::SecondFactorRequired),
        Refusal::SecondFactorRefused => Some(Reason::SecondFactorRefused),
        Refusal::ForeignHost => Some(Reason::ForeignHost),
        Refusal::ForeignOrigin => Some(Reason::ForeignOrigin),
        Refusal::NotFound
        | Refusal::ModelNotFound
        | Refusal::TokenNotFound
        | Refusal::AppNotFound
        | Refusal::CommandListNotFound
        | Refusal::AlertNotFound => Some(Reason::NotFound),
        Refusal::MethodNotAllowed
        | Refusal::TranslationNotOffered
        | Refusal::UnsupportedLanguage { .. }
        | Refusal::UnsupportedMediaType
        | Refusal::MicrophoneDisabled
        | Refusal::MicrophoneUnguarded => Some(Reason::Unsupported),
        Refusal::Missing { .. }
        | Refusal::Invalid { .. }
        | Refusal::Conflict { .. }
        | Refusal::MalformedForm
        | Refusal::MalformedBody
        | Refusal::MalformedJson
        | Refusal::InvalidAudio => Some(Reason::Malformed),
        Refusal::TooLarge => Some(Reason::TooLarge),
        Refusal::TooSlow | Refusal::FellBehind => Some(Reason::TimedOut),
        Refusal::Busy { .. } => Some(Reason::Busy),
        Refusal::RateLimited { .. } => Some(Reason::RateLimited),
        Refusal::BudgetSpent { .. } => Some(Reason::BudgetSpent),
        Refusal::Quarantined => Some(Reason::Quarantined),
        Refusal::DeviceNotProven => Some(Reason::GateClosed),
        Refusal::AuditUnavailable => Some(Reason::AuditUnavailable),
        Refusal::TooManyConnections => Some(Reason::TooManyConnections),
        Refusal::StateUnavailable | Refusal::KeysUnavailable | Refusal::WorkerFailed => None,
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
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_scope_has_its_word() {
        let names = [
            earnest_policy::Vad::NAME,
            earnest_policy::Command::NAME,
            earnest_policy::Transcribe::NAME,
            earnest_policy::Listen::NAME,
            earnest_policy::See::NAME,
            earnest_policy::Operate::NAME,
            earnest_policy::Audit::NAME,
        ];
        for name in names {
            assert_eq!(asked(name).name(), name);
        }
        assert_eq!(asked(Tokens::NAME), Asked::Vad);
        assert_eq!(asked(earnest_policy::Browse::NAME), Asked::See);
    }

    #[test]
    fn a_trace_is_read_where_there_is_one_and_no_more() {
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("traceparent", HeaderValue::from_static(value));
            }
            trace_parent(&headers).map(|parent| parent.trace().to_string())
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736".to_owned();
        assert_eq!(read(&[TRACE]), Some(trace));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[TRACE, TRACE]), None);
        assert_eq!(read(&["00-else"]), None);
    }

    #[test]
    fn who_shows_no_credentials_guesses_none() {
        for reason in [Reason::NoToken, Reason::NotListed, Reason::RateLimited] {
            assert!(!is_guess(reason), "{reason}");
        }
        assert!(is_guess(Reason::BadToken) && is_guess(Reason::OtherOwner));
    }
}
