//! `/v1/token`: tokens for unmodified clients. `earnest run` asks for them over the Unix socket,
//! where the kernel says who asks; an application with a certificate asks over TLS, and gets one
//! that is bound to it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use earnest_policy::{AppId, Audience, IssueError, Permit, Proof, RenewError, Tokens, Wish};
use earnest_telemetry::{App, Event};
use http::{HeaderMap, StatusCode};

use crate::apps::scopes;
use crate::caller::{OverClosed, Written, bearer};
use crate::json::{json, read_json};
use crate::limits::JSON_BYTES;
use crate::refusal::Refusal;
use crate::shapes::{RenewAnswer, TokenAnswer, TokenRequest};
use crate::shared::Shared;

/// Seconds after which to ask again when there are too many tokens: they last for minutes.
const TOKENS_RETRY_SECONDS: u64 = 30;

/// `POST /v1/token`.
pub(crate) async fn issue(
    _: OverClosed,
    State(shared): State<Arc<Shared>>,
    Written(permit): Written<Tokens>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    not_by_token(&permit)?;
    let request: TokenRequest = read_json(&headers, body, JSON_BYTES).await?;
    let wish = wish(&request)?;
    let (now, wall) = (shared.now(), shared.wall.now());
    let issued = shared.policy.issue(&permit, wish, now, wall);
    let issued = issued.map_err(|error| match error {
        IssueError::NotByPeer => Refusal::NotFound,
        // Whether there is an application of that name is not told to who may not speak for it.
        IssueError::NotYours { .. } => Refusal::Unauthenticated,
        IssueError::Scopes { .. } => Refusal::InsufficientScope,
        IssueError::TooMany { .. } | IssueError::NoRandomNumbers => Refusal::Busy {
            retry_after: TOKENS_RETRY_SECONDS,
        },
    })?;
    shared.record(Event::TokenIssued {
        app: App::new(issued.app.as_str()),
    });
    Ok(json(&TokenAnswer {
        token: issued.token.expose().to_owned(),
        app: issued.app.as_str().to_owned(),
        expires_in: issued.until.saturating_sub(now).as_secs(),
        scopes: issued
            .scopes
            .iter()
            .map(|scope| scope.to_string())
            .collect(),
        base_url: base_url(&shared.listeners),
    }))
}

fn wish(request: &TokenRequest) -> Result<Wish, Refusal> {
    let app: AppId = request.app.parse().map_err(|_| Refusal::Invalid {
        param: "app",
        expected: "1 to 64 of a-z, 0-9, '.', '_' and '-'",
    })?;
    let audience = request.audience.as_ref().map(|audience| {
        let audience = audience.parse::<Audience>();
        audience.map_err(|_| Refusal::Invalid {
            param: "audience",
            expected: "'earnest', or 'earnest:' and a name",
        })
    });
    let scopes = request.scopes.as_deref().map(scopes);
    Ok(Wish {
        app: Some(app),
        scopes: scopes.transpose()?,
        audience: audience.transpose()?,
    })
}

/// A token gives birth to no token, so who shows one alone finds nothing here.
fn not_by_token(permit: &Permit<Tokens>) -> Result<(), Refusal> {
    match permit.proof() {
        Proof::Peer | Proof::Certificate => Ok(()),
        Proof::Token | Proof::Session => Err(Refusal::NotFound),
    }
}

/// The first of these places that speaks TLS, as a client is told of it.
fn base_url(listeners: &[String]) -> Option<String> {
    let place = listeners.iter().find(|place| place.starts_with("https://"));
    place.map(|place| format!("{place}/v1"))
}

/// `POST /v1/token/renew`, with the token as bearer.
pub(crate) async fn renew(
    _: OverClosed,
    State(shared): State<Arc<Shared>>,
    Written(permit): Written<Tokens>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    not_by_token(&permit)?;
    let token = bearer(&headers).ok_or(Refusal::TokenNotFound)?;
    let now = shared.now();
    let until = shared.policy.renew(&permit, token, now);
    let until = until.map_err(|error| match error {
        RenewError::NotByPeer => Refusal::NotFound,
        RenewError::BadToken => Refusal::TokenNotFound,
    })?;
    Ok(json(&RenewAnswer {
        expires_in: until.saturating_sub(now).as_secs(),
    }))
}

/// `DELETE /v1/token`, with the token as bearer.
pub(crate) async fn revoke(
    _: OverClosed,
    State(shared): State<Arc<Shared>>,
    Written(permit): Written<Tokens>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    not_by_token(&permit)?;
    let token = bearer(&headers).ok_or(Refusal::TokenNotFound)?;
    match shared.policy.revoke(&permit, token, shared.now()) {
        true => {
            shared.record(Event::TokensRevoked { count: 1 });
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Refusal::TokenNotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_sent_to_tls_alone() {
        let places = |places: &[&str]| places.iter().map(|&place| place.to_owned()).collect();
        let listeners: Vec<String> = places(&[
            "unix:/run/earnest/earnest.sock",
            "http://127.0.0.1:8080",
            "https://127.0.0.1:8473",
            "https://[::1]:8473",
        ]);
        let found = base_url(&listeners);
        assert_eq!(found.as_deref(), Some("https://127.0.0.1:8473/v1"));
        assert_eq!(base_url(&listeners[..2]), None);
    }
}
