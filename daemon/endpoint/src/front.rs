//! The front door: what happens to every request and every answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, EXPECT, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::sleep;

use crate::body;
use crate::caller::Caller;
use crate::drive::until_quantum;
use crate::origin;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Who was not let in is told at a multiple of this since the request came. All that finding out
/// takes is far below it, so the time of the answer does not say how far a check got: a wrong
/// token and one of another application are told apart by nobody.
pub(crate) const IDENTITY_TICK: Duration = Duration::from_millis(10);

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
    let (mut head, body) = request.into_parts();
    // Serving puts it there, so there is no request without one.
    let Some(caller) = head.extensions.get::<Arc<Caller>>().cloned() else {
        return Refusal::Unauthenticated.complete(Response::default(), "");
    };
    let waits = head.headers.contains_key(EXPECT);
    let (watched, leftover, meter) = body::watch(body, shared.limits.body_idle);
    let bill = Bill::open(&shared, *caller, &head, meter);
    let response = match origin::check(caller.door, &head.uri, &head.headers, &shared.origins) {
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
    let refusal = response.extensions().get::<Refusal>().cloned();
    match &refusal {
        Some(refusal) => {
            bill.failed(refusal);
            leftover.drain(waits).await;
        }
        None => bill.answered(response.status()),
    }
    hold(&shared, &bill, refusal.as_ref()).await;
    let id = bill.id();
    let response = match refusal {
        Some(refusal) => refusal.complete(response, &id),
        None => response,
    };
    let (mut head, body) = response.into_parts();
    mark(&mut head.headers, &id);
    Response::from_parts(head, Body::new(Billed { body, _bill: bill }))
}

/// Waits until the answer may go out without its time telling anything.
async fn hold(shared: &Shared, bill: &Bill, refusal: Option<&Refusal>) {
    let elapsed = bill.arrived().elapsed();
    let wait = match refusal {
        Some(refusal) if refusal.is_of_identity() => until_quantum(elapsed, IDENTITY_TICK),
        // What a worker was asked for is told at a whole quantum, good or bad, long or short.
        _ if bill.is_work() => shared.answers.pad(elapsed),
        _ => return,
    };
    if !wait.is_zero() {
        sleep(wait).await;
    }
}

fn mark(headers: &mut HeaderMap, id: &str) {
    // Answers are what somebody said: nothing keeps them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

impl Refusal {
    /// The whole answer to the request with this id: `response` has the status, and what the
    /// router adds to it.
    fn complete(&self, response: Response, id: &str) -> Response {
        let (mut head, _) = response.into_parts();
        head.status = self.status();
        head.headers.remove(CONTENT_LENGTH);
        self.describe(&mut head.headers);
        Response::from_parts(head, Body::from(self.json(id)))
    }
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
