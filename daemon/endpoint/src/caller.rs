//! Who is calling, and the extractors by which a handler gets leave.
//!
//! A handler that does anything takes a [`Permitted`] by value, and one that reaches a model an
//! [`Admitted`](crate::admission::Admitted). Nothing else makes them, so a handler without leave
//! does not compile.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use earnest_anomaly::Subject;
use earnest_listen::{Connection, Peer, Place};
use earnest_policy::{
    Applicant, Audit, Browse, Command, Denial, Face, Listen, Operate, Origin, Permit, Scope,
    SecondFactorRefused, Source, Tokens, Transcribe, Unsaved, Vad,
};
use earnest_telemetry::{Door as Way, Event, FactorOutcome, Refusal as Reason};
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use http::request::Parts;

use crate::admission::lightly;
use crate::client::SECOND_FACTOR;
use crate::origin::Door;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::work::whole_seconds;

/// The name of the cookie of a browser's session. Browsers take one of this prefix from a secure
/// origin alone, for all its paths and for no other host (RFC 6265bis, section 4.1.3.2).
pub(crate) const SESSION_COOKIE: &str = "__Host-earnest";

/// The other end of a connection, as the kernel tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) origin: Origin,
    pub(crate) door: Door,
    /// The SHA-256 of the certificate that it proved to have the key of.
    pub(crate) certificate: Option<[u8; 32]>,
}

impl Caller {
    pub(crate) fn of(connection: &Connection) -> Caller {
        let is_wyoming = connection.place().is_wyoming();
        let origin = match *connection.peer() {
            Peer::Unix { uid, gid, pid } => Origin::Unix { uid, gid, pid },
            Peer::Loopback { uid, .. } if is_wyoming => Origin::Bare { uid },
            Peer::Loopback { uid, .. } => Origin::Loopback { uid },
        };
        let door = match connection.place() {
            Place::Unix(_) => Door::Unix,
            Place::Tls(address) => Door::Port {
                number: address.port(),
                tls: true,
            },
            Place::Clear(address) => Door::Port {
                number: address.port(),
                tls: false,
            },
            Place::Wyoming(_) => Door::Wyoming,
        };
        Caller {
            origin,
            door,
            certificate: connection.peer().certificate().copied(),
        }
    }

    /// The user on the other end, where that is known.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.origin.uid()
    }

    /// The way in, in telemetry's words.
    pub(crate) fn way(&self) -> Way {
        match self.door {
            Door::Unix => Way::Unix,
            Door::Port { tls: true, .. } => Way::Tls,
            Door::Port { tls: false, .. } => Way::Clear,
            Door::Wyoming => Way::Wyoming,
        }
    }

    /// Whose failures are counted.
    pub(crate) fn source(&self) -> Source {
        self.uid().map_or(Source::Unknown, Source::Uid)
    }

    /// Whose behaviour it is as long as nothing was proven.
    pub(crate) fn subject(&self) -> Subject {
        self.uid().map_or(Subject::Unknown, Subject::Uid)
    }

    /// Who asks, and what it shows.
    pub(crate) fn applicant<'a>(&self, headers: &'a HeaderMap, shared: &Shared) -> Applicant<'a> {
        Applicant {
            origin: self.origin,
            bearer: bearer(headers),
            certificate: self.certificate,
            session: cookie(headers, SESSION_COOKIE),
            second_factor: single(headers, &SECOND_FACTOR),
            now: shared.now(),
            wall: shared.wall.now(),
        }
    }
}

/// The way in at a listener, in telemetry's words.
pub(crate) fn way(place: &Place) -> Way {
    match place {
        Place::Unix(_) => Way::Unix,
        Place::Tls(_) => Way::Tls,
        Place::Clear(_) => Way::Clear,
        Place::Wyoming(_) => Way::Wyoming,
    }
}

/// Leave of the policy.
#[derive(Debug)]
pub(crate) struct Permitted<S: Scope>(pub(crate) Permit<S>);

impl<S: Scope> FromRequestParts<Arc<Shared>> for Permitted<S> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Permitted<S>, Refusal> {
        let permit = permit::<S>(parts, shared);
        // A code that was used, and one that was wrong, count after a crash, too.
        if shared.policy.unsaved() == Unsaved::Changes {
            shared.save().await?;
        }
        let permit = permit?;
        if OF_APPS.contains(&S::NAME) {
            lightly(shared, &permit)?;
        }
        if let Some(bill) = parts.extensions.get::<Bill>()
            && let Some(begun) = bill.let_in(&permit)
        {
            shared.note(bill.number(), begun);
        }
        Ok(Permitted(permit))
    }
}

/// Leave of the policy, in the audit log before anything comes of it.
#[derive(Debug)]
pub(crate) struct Written<S: Scope>(pub(crate) Permit<S>);

impl<S: Scope> FromRequestParts<Arc<Shared>> for Written<S> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Written<S>, Refusal> {
        let permit = permit::<S>(parts, shared)?;
        lightly(shared, &permit)?;
        let bill = parts.extensions.get::<Bill>().cloned();
        // The front door puts one there for every request.
        let bill = bill.ok_or(Refusal::Unauthenticated)?;
        if let Some(begun) = bill.let_in(&permit) {
            shared.write_down(&bill, begun).await?;
        }
        Ok(Written(permit))
    }
}

/// Asks the policy. A source that guesses is not even listened to.
///
/// # Errors
///
/// With what the caller may be told. The reason is noted.
pub(crate) fn permit<S: Scope>(parts: &Parts, shared: &Shared) -> Result<Permit<S>, Refusal> {
    let caller = parts.extensions.get::<Arc<Caller>>();
    // Serving puts it there, before anything else.
    let caller = caller.ok_or(Refusal::Unauthenticated)?;
    // What the kernel says of a peer cannot be guessed, where that is all that it goes by.
    if !matches!(caller.door, Door::Unix | Door::Wyoming)
        && let Err(locked) = shared.listens_to(caller.source())
    {
        because(parts, Reason::Locked);
        return Err(Refusal::RateLimited {
            retry_after: whole_seconds(locked.retry_after),
        });
    }
    let applicant = caller.applicant(&parts.headers, shared);
    let permitted = shared.policy.permit::<S>(&applicant);
    let shown = applicant.second_factor.is_some();
    if PROVEN.contains(&S::NAME) {
        note_factor(shared, caller, shown, permitted.as_ref().err());
    }
    if let Some(bill) = parts.extensions.get::<Bill>() {
        match &permitted {
            // It proved who it is, whatever becomes of it.
            Ok(permit) => bill.asked_by(permit.app()),
            Err(denial) => deny(bill, denial),
        }
    }
    permitted.map_err(|denial| face(&denial))
}

/// Asks the policy where another scope would do as well: a denial is nobody's failure, and is
/// noted nowhere.
pub(crate) fn quietly<S: Scope>(parts: &Parts, shared: &Shared) -> Option<Permit<S>> {
    let caller = parts.extensions.get::<Arc<Caller>>()?;
    // Who guesses is not listened to. Asking for the other scope says so.
    if caller.door != Door::Unix && shared.listens_to(caller.source()).is_err() {
        return None;
    }
    let applicant = caller.applicant(&parts.headers, shared);
    let permit = shared.policy.permit::<S>(&applicant).ok()?;
    if let Some(bill) = parts.extensions.get::<Bill>() {
        bill.asked_by(permit.app());
    }
    Some(permit)
}

/// The scopes of applications, of which there may be any number of requests.
const OF_APPS: [&str; 5] = [
    Vad::NAME,
    Command::NAME,
    Transcribe::NAME,
    Listen::NAME,
    Tokens::NAME,
];

/// The scopes that take a second factor.
const PROVEN: [&str; 3] = [Operate::NAME, Audit::NAME, Browse::NAME];

/// Records what became of a second factor that was shown where one is due.
fn note_factor(shared: &Shared, caller: &Caller, shown: bool, denial: Option<&Denial>) {
    let outcome = match denial {
        Some(Denial::SecondFactor { why, .. }) => factor_outcome(why),
        // Every other denial comes before the code is looked at.
        Some(_) => return,
        None => FactorOutcome::Passed,
    };
    if let Some(uid) = caller.uid().filter(|_| shown) {
        shared.record(Event::SecondFactor { uid, outcome });
    }
}

/// The operator's word for a code that was refused.
pub(crate) fn factor_outcome(why: &SecondFactorRefused) -> FactorOutcome {
    match why {
        SecondFactorRefused::Wrong | SecondFactorRefused::Ended => FactorOutcome::Refused,
        SecondFactorRefused::Replayed => FactorOutcome::Replayed,
        SecondFactorRefused::Locked { .. } => FactorOutcome::Locked,
    }
}

/// Notes whose denial it is, and why, for the operator's eyes.
pub(crate) fn deny(bill: &Bill, denial: &Denial) {
    bill.because(reason(denial));
    if let Denial::InsufficientScope { app, scope } = denial {
        bill.asked_by(app);
        bill.asked_for(scope);
    }
}

/// All that a caller is told of a denial.
pub(crate) fn face(denial: &Denial) -> Refusal {
    match denial.face() {
        Face::Credentials => Refusal::Unauthenticated,
        Face::Scope => Refusal::InsufficientScope,
        Face::SecondFactorRequired => Refusal::SecondFactorRequired,
        // How long a code is not judged is told to nobody who may be guessing it.
        Face::SecondFactorRefused | Face::Locked { .. } => Refusal::SecondFactorRefused,
        Face::Sealed => Refusal::DeviceNotProven,
    }
}

/// Notes why, for the operator's eyes.
pub(crate) fn because(parts: &Parts, reason: Reason) {
    if let Some(bill) = parts.extensions.get::<Bill>() {
        bill.because(reason);
    }
}

fn reason(denial: &Denial) -> Reason {
    match denial {
        Denial::NotListed { .. } | Denial::NotOfApp { .. } | Denial::AppNotNamed { .. } => {
            Reason::NotListed
        }
        Denial::NoToken | Denial::NoSession => Reason::NoToken,
        Denial::BadToken => Reason::BadToken,
        Denial::UnknownPeer => Reason::UnknownPeer,
        Denial::OtherOwner { .. } => Reason::OtherOwner,
        Denial::NoCertificate { .. } => Reason::NoCertificate,
        Denial::OtherCertificate { .. }
        | Denial::UnknownCertificate
        | Denial::CertificateEnded { .. } => Reason::OtherCertificate,
        Denial::WrongAudience { .. } => Reason::WrongAudience,
        Denial::Revoked { .. } => Reason::Revoked,
        Denial::InsufficientScope { .. } => Reason::InsufficientScope,
        Denial::WrongDoor { .. } => Reason::WrongDoor,
        Denial::BookSealed => Reason::GateClosed,
        Denial::BadSession => Reason::BadSession,
        Denial::NotEnrolled { .. } | Denial::NoSecondFactor { .. } => Reason::SecondFactorRequired,
        Denial::SecondFactor {
            why: SecondFactorRefused::Locked { .. },
            ..
        } => Reason::Locked,
        Denial::SecondFactor { .. } => Reason::SecondFactorRefused,
    }
}

/// The bearer token of a request (RFC 6750, section 2.1). More than one is none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, &AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The value of a header that there is exactly one of.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// A cookie of this name (RFC 6265, section 4.2.1). More than one is none: somebody has put
/// another beside it.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim_matches(' ').split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// The request came over the Unix socket. Over loopback there is nothing at this address.
#[derive(Debug)]
pub(crate) struct OverUnix;

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Refusal> {
        // Serving puts it there.
        let caller = parts.extensions.get::<Arc<Caller>>();
        caller
            .map(|caller| **caller)
            .ok_or(Refusal::Unauthenticated)
    }
}

impl FromRequestParts<Arc<Shared>> for OverUnix {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _shared: &Arc<Shared>,
    ) -> Result<OverUnix, Refusal> {
        match door(parts) {
            Some(Door::Unix) => Ok(OverUnix),
            _ => Err(wrong_door(parts)),
        }
    }
}

/// The request came where there is nobody between: over the Unix socket, or with TLS.
#[derive(Debug)]
pub(crate) struct OverClosed;

impl FromRequestParts<Arc<Shared>> for OverClosed {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _shared: &Arc<Shared>,
    ) -> Result<OverClosed, Refusal> {
        match door(parts) {
            Some(Door::Unix | Door::Port { tls: true, .. }) => Ok(OverClosed),
            _ => Err(wrong_door(parts)),
        }
    }
}

/// The request came over loopback with TLS, as browsers come.
#[derive(Debug)]
pub(crate) struct OverTls;

impl FromRequestParts<Arc<Shared>> for OverTls {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _shared: &Arc<Shared>,
    ) -> Result<OverTls, Refusal> {
        match door(parts) {
            Some(Door::Port { tls: true, .. }) => Ok(OverTls),
            _ => Err(wrong_door(parts)),
        }
    }
}

fn door(parts: &Parts) -> Option<Door> {
    parts.extensions.get::<Arc<Caller>>().map(|one| one.door)
}

fn wrong_door(parts: &Parts) -> Refusal {
    because(parts, Reason::WrongDoor);
    Refusal::NotFound
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_bearer_token_is_read_and_nothing_else_is_taken_for_one() {
        let check = |values: &[&'static str], expected: Option<&str>| {
            let headers = headers("authorization", values);
            assert_eq!(bearer(&headers), expected, "{values:?}");
        };
        check(&["Bearer abc"], Some("abc"));
        check(&["bearer  abc "], Some("abc"));
        check(&[], None);
        check(&["Bearer"], None);
        check(&["Bearer "], None);
        check(&["Basic abc"], None);
        check(&["Bearer abc", "Bearer abc"], None);
    }

    #[test]
    fn one_cookie_of_the_name_is_a_session_and_two_are_none() {
        let check = |values: &[&'static str], expected: Option<&str>| {
            let headers = headers("cookie", values);
            assert_eq!(cookie(&headers, SESSION_COOKIE), expected, "{values:?}");
        };
        check(&["__Host-earnest=abc"], Some("abc"));
        check(&["a=b; __Host-earnest=abc; c=d"], Some("abc"));
        check(&["a=b", "__Host-earnest=abc"], Some("abc"));
        check(&[], None);
        check(&["earnest=abc; __host-earnest=abc"], None);
        check(&["__Host-earnest=abc; __Host-earnest=abd"], None);
        check(&["__Host-earnest=abc", "__Host-earnest=abd"], None);
    }
}
