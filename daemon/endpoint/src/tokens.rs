//! `/v1/token`: tokens for unmodified clients. `earnest run` asks for them, over the Unix socket
//! alone, where the kernel says who asks.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use earnest_policy::{AppId, IssueError, RenewError, Transcribe};
use earnest_telemetry::{App, Event, WallClock};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};

use crate::answer::encode;
use crate::caller::{OverUnix, Permitted, bearer};
use crate::limits::JSON_BYTES;
use crate::refusal::Refusal;
use crate::shapes::{RenewAnswer, TokenAnswer, TokenRequest};
use crate::shared::Shared;
use crate::stream::fault;

/// Seconds after which to ask again when there are too many tokens: they last for minutes.
const TOKENS_RETRY_SECONDS: u64 = 30;

/// `POST /v1/token`.
pub(crate) async fn issue(
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Transcribe>,
    _: OverUnix,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: TokenRequest = read_json(&headers, body).await?;
    let app: AppId = request.app.parse().map_err(|_| Refusal::Invalid {
        param: "app",
        expected: "1 to 64 of a-z, 0-9, '.', '_' and '-'",
    })?;
    let now = shared.now();
    let wall = WallClock::system().now();
    let issued = shared.policy.issue(&permit, app, now, wall);
    let issued = issued.map_err(|error| match error {
        IssueError::NotByPeer | IssueError::NotYours { .. } | IssueError::Scopes { .. } => {
            Refusal::Unauthenticated
        }
        IssueError::TooMany { .. } | IssueError::NoRandomNumbers => Refusal::Busy {
            retry_after: TOKENS_RETRY_SECONDS,
        },
    })?;
    shared.telemetry.record(Event::TokenIssued {
        app: App::new(issued.app.as_str()),
    });
    Ok(json(&TokenAnswer {
        token: issued.token.expose().to_owned(),
        app: issued.app.as_str().to_owned(),
        expires_in: issued.until.saturating_sub(now).as_secs(),
        scopes: vec!["transcribe".to_owned()],
        base_url: base_url(&shared.listeners),
    }))
}

/// The first of these places that speaks TLS, as a client is told of it.
fn base_url(listeners: &[String]) -> Option<String> {
    let place = listeners.iter().find(|place| place.starts_with("https://"));
    place.map(|place| format!("{place}/v1"))
}

/// `POST /v1/token/renew`, with the token as bearer.
pub(crate) async fn renew(
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Transcribe>,
    _: OverUnix,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let token = bearer(&headers).ok_or(Refusal::TokenNotFound)?;
    let now = shared.now();
    let until = shared.policy.renew(&permit, token, now);
    let until = until.map_err(|error| match error {
        RenewError::NotByPeer => Refusal::Unauthenticated,
        _ => Refusal::TokenNotFound,
    })?;
    Ok(json(&RenewAnswer {
        expires_in: until.saturating_sub(now).as_secs(),
    }))
}

/// `DELETE /v1/token`, with the token as bearer.
pub(crate) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Transcribe>,
    _: OverUnix,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let token = bearer(&headers).ok_or(Refusal::TokenNotFound)?;
    match shared.policy.revoke(&permit, token, shared.now()) {
        true => {
            shared.telemetry.record(Event::TokensRevoked { count: 1 });
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Refusal::TokenNotFound),
    }
}

/// An answer in JSON.
pub(crate) fn json(object: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], encode(object)).into_response()
}

async fn read_json<T: for<'a> Deserialize<'a>>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Refusal> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    // A page can post text/plain to anybody without being asked; JSON it cannot.
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::UnsupportedMediaType);
    }
    let collected = Limited::new(body, JSON_BYTES).collect().await;
    let bytes = collected.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => Refusal::TooLarge,
        Err(error) => match error.downcast::<axum::Error>() {
            Ok(error) => fault(&error),
            Err(_) => Refusal::MalformedBody,
        },
    })?;
    serde_json::from_slice(&bytes.to_bytes()).map_err(|_| Refusal::MalformedJson)
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
