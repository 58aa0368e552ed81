//! JSON bodies in and out.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};

use crate::answer::encode;
use crate::refusal::Refusal;
use crate::stream::fault;

/// An answer in JSON.
pub(crate) fn json(object: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], encode(object)).into_response()
}

/// A request's body of at most `most` bytes.
///
/// # Errors
///
/// When it is too large, breaks off, or is none of JSON of this shape.
pub(crate) async fn read_json<T: for<'a> Deserialize<'a>>(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<T, Refusal> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    // A page can post text/plain to anybody without being asked; JSON it cannot.
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::UnsupportedMediaType);
    }
    let collected = Limited::new(body, most).collect().await;
    let bytes = collected.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => Refusal::TooLarge,
        Err(error) => match error.downcast::<axum::Error>() {
            Ok(error) => fault(&error),
            Err(_) => Refusal::MalformedBody,
        },
    })?;
    serde_json::from_slice(&bytes.to_bytes()).map_err(|_| Refusal::MalformedJson)
}
