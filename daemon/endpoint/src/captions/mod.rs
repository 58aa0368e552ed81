//! The page of live captions: what the microphone hears, in a browser, as it is said.
//!
//! A page, a script and a style, which are what they are: nothing of a request or of what is
//! heard is in them. The script reads the lines of `/v1/listen` with the cookie of its session
//! (an event source of the browser would not say why it was refused) and sets everything as text;
//! [`PAGE_POLICY`] lets it reach nothing but this origin, and lets nothing be run that is not this
//! script.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use earnest_policy::Listen;
use http::HeaderValue;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::request::Parts;

use crate::caller::{OverClosed, Permitted};
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The page.
const PAGE: &str = include_str!("captions.html");

/// Its script.
const SCRIPT: &str = include_str!("captions.js");

/// Its style.
const STYLE: &str = include_str!("captions.css");

/// The page's `Content-Security-Policy`: script, style and events of this origin, and nothing
/// else of anywhere. No text becomes markup, because the sinks that would make it take none.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                           connect-src 'self'; form-action 'none'; frame-ancestors 'none'; \
                           base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What the page has no use for, the microphone of the browser first of all.
const PERMISSIONS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("permissions-policy"),
    HeaderValue::from_static("microphone=(), camera=(), geolocation=()"),
);

/// Somebody who may listen, or could if the device were proven.
pub(crate) struct Reader;

impl FromRequestParts<Arc<Shared>> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Reader, Refusal> {
        match Permitted::<Listen>::from_request_parts(parts, shared).await {
            // Who may listen is sealed then, and the page is the same for everybody: it is what
            // says in plain words that nothing is heard. Whoever shows no session, or one that is
            // none, is refused before that.
            Ok(_) | Err(Refusal::DeviceNotProven) => Ok(Reader),
            Err(refusal) => Err(refusal),
        }
    }
}

/// `GET /captions`.
pub(crate) async fn page(_: OverClosed, _: Reader) -> Response {
    let headers = [
        (CONTENT_TYPE, kind("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, kind(PAGE_POLICY)),
        (REFERRER_POLICY, kind("no-referrer")),
        (X_FRAME_OPTIONS, kind("DENY")),
        PERMISSIONS,
    ];
    (headers, PAGE).into_response()
}

/// `GET /captions.js`.
pub(crate) async fn script(_: OverClosed, _: Reader) -> Response {
    let headers = [(CONTENT_TYPE, kind("text/javascript; charset=utf-8"))];
    (headers, SCRIPT).into_response()
}

/// `GET /captions.css`.
pub(crate) async fn style(_: OverClosed, _: Reader) -> Response {
    let headers = [(CONTENT_TYPE, kind("text/css; charset=utf-8"))];
    (headers, STYLE).into_response()
}

fn kind(value: &'static str) -> HeaderValue {
    HeaderValue::from_static(value)
}
