//! Who is calling, and the extractors by which a handler gets leave.
//!
//! A handler that does anything takes a [`Permitted`] by value, and one that reaches a model an
//! [`Opened`] besides. Nothing else makes them, so a handler without leave does not compile.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use earnest_listen::{Connection, Peer, Place};
use earnest_policy::{Applicant, Denial, Origin, Permit, Scope};
use earnest_telemetry::{Door as Way, Refusal as Reason, Scope as Asked};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::house::Serving;
use crate::origin::Door;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The other end of a connection, as the kernel tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) origin: Origin,
    pub(crate) door: Door,
}

impl Caller {
    pub(crate) fn of(connection: &Connection) -> Caller {
        let origin = match *connection.peer() {
            Peer::Unix { uid, gid, pid } => Origin::Unix { uid, gid, pid },
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
        };
        Caller { origin, door }
    }

    /// The user on the other end, where that is known.
    pub(crate) fn uid(&self) -> Option<u32> {
        match self.origin {
            Origin::Unix { uid, .. } => Some(uid),
            Origin::Loopback { uid } => uid,
        }
    }

    /// The way in, in telemetry's words.
    pub(crate) fn way(&self) -> Way {
        match self.door {
            Door::Unix => Way::Unix,
            Door::Port { tls: true, .. } => Way::Tls,
            Door::Port { tls: false, .. } => Way::Clear,
        }
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
        let caller = parts.extensions.get::<Arc<Caller>>();
        // Serving puts it there, before anything else.
        let caller = caller.ok_or(Refusal::Unauthenticated)?;
        let applicant = Applicant {
            origin: caller.origin,
            bearer: bearer(&parts.headers),
            now: shared.now(),
        };
        match shared.policy.permit::<S>(&applicant) {
            Ok(permit) => {
                if let Some(bill) = parts.extensions.get::<Bill>() {
                    // The words are the same in both crates.
                    let scope = Asked::named(S::NAME).unwrap_or(Asked::See);
                    bill.let_in(permit.app().as_str(), permit.uid(), scope);
                }
                Ok(Permitted(permit))
            }
            Err(denial) => {
                because(parts, reason(&denial));
                Err(Refusal::Unauthenticated)
            }
        }
    }
}

/// Notes why, for the operator's eyes.
fn because(parts: &Parts, reason: Reason) {
    if let Some(bill) = parts.extensions.get::<Bill>() {
        bill.because(reason);
    }
}

fn reason(denial: &Denial) -> Reason {
    match denial {
        Denial::NotListed { .. } => Reason::NotListed,
        Denial::NoToken => Reason::NoToken,
        Denial::BadToken => Reason::BadToken,
        Denial::UnknownPeer => Reason::UnknownPeer,
        Denial::OtherOwner { .. } => Reason::OtherOwner,
        Denial::WrongDoor { .. } => Reason::WrongDoor,
    }
}

/// The bearer token of a request (RFC 6750, section 2.1). More than one is none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The gate is open, and there are workers.
#[derive(Debug)]
pub(crate) struct Opened(pub(crate) Serving);

impl FromRequestParts<Arc<Shared>> for Opened {
    type Rejection = Refusal;

    async fn from_request_parts(
        _parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Opened, Refusal> {
        let serving = shared.serving();
        serving.map(Opened).ok_or(Refusal::DeviceNotProven)
    }
}

/// The request came over the Unix socket. Over loopback there is nothing at this address.
#[derive(Debug)]
pub(crate) struct OverUnix;

impl FromRequestParts<Arc<Shared>> for OverUnix {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _shared: &Arc<Shared>,
    ) -> Result<OverUnix, Refusal> {
        let caller = parts.extensions.get::<Arc<Caller>>();
        match caller.is_some_and(|caller| caller.door == Door::Unix) {
            true => Ok(OverUnix),
            false => {
                because(parts, Reason::WrongDoor);
                Err(Refusal::NotFound)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(values: &[&'static str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert_eq!(bearer(&headers), expected, "{values:?}");
    }

    #[test]
    fn a_bearer_token_is_read_and_nothing_else_is_taken_for_one() {
        check(&["Bearer abc"], Some("abc"));
        check(&["bearer  abc "], Some("abc"));
        check(&[], None);
        check(&["Bearer"], None);
        check(&["Bearer "], None);
        check(&["Basic abc"], None);
        check(&["Bearer abc", "Bearer abc"], None);
    }
}
