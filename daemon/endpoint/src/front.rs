//! The front door: what happens to every request and every answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use earnest_telemetry::Door;
use http::header::{CACHE_CONTROL, EXPECT, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::body;
use crate::caller::Caller;
use crate::origin;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The request's number, for whoever reports trouble.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Keeps pages of other origins from taking answers in as images or scripts (Fetch standard,
/// "Cross-Origin-Resource-Policy").
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Looks at the head, watches the body, marks the answer and records what becomes of it.
pub(crate) async fn door(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let number = shared.next_request();
    let (mut head, body) = request.into_parts();
    let caller = head.extensions.get::<Arc<Caller>>();
    // Serving puts it there. A request without one is refused below.
    let (uid, door) = caller.map_or((None, Door::Clear), |caller| (caller.uid(), caller.way()));
    let bill = Bill::new(&shared.telemetry, number, uid, door);
    let waits = head.headers.contains_key(EXPECT);
    let (watched, leftover) = body::watch(body, shared.limits.body_idle);
    let checked = match head.extensions.get::<Arc<Caller>>() {
        Some(caller) => origin::check(caller.door, &head.uri, &head.headers, &shared.origins),
        // Serving puts it there, so there is none without a connection.
        None => Err(Refusal::Unauthenticated),
    };
    let response = match checked {
        Err(refusal) => {
            drop(watched);
            refusal.into_response()
        }
        Ok(()) => {
            head.extensions.insert(bill.clone());
            next.run(Request::from_parts(head, Body::new(watched)))
                .await
        }
    };
    match response.extensions().get::<Refusal>() {
        Some(refusal) => {
            bill.failed(refusal);
            leftover.drain(waits).await;
        }
        None => bill.answered(response.status()),
    }
    let (mut head, body) = response.into_parts();
    mark(&mut head.headers, number);
    Response::from_parts(head, Body::new(Billed { body, _bill: bill }))
}

fn mark(headers: &mut HeaderMap, number: u64) {
    // Answers are what somebody said: nothing keeps them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    let id = HeaderValue::from_str(&format!("req_{number:013x}"));
    headers.insert(
        REQUEST_ID,
        id.expect("hexadecimal digits are a header's value"),
    );
}

/// An answer's body, which keeps the account open until it is sent.
struct Billed {
    body: Body,
    _bill: Bill,
}

impl HttpBody for Billed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}
