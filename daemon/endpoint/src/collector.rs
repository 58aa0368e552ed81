//! Spans for the collector on this device.
//!
//! It is a [`LoopbackAddress`] by type, so spans go nowhere else. They are sent in the clear and
//! to whoever listens there: what a span can tell is written in `earnest-traces`, and none of it
//! is a secret.
//!
//! Requests wait for none of this. A collector that is away, slow or broken costs the spans that
//! it does not take, and those are counted.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use earnest_listen::LoopbackAddress;
use earnest_traces::{Batch, Traces};
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Where OTLP over HTTP takes spans (OTLP 1, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// Most bytes of an answer that are read. It tells at most how many spans were left out.
const ANSWER_BYTES: usize = 16 << 10;

/// How often it is tried to send a batch. With the waits in between, that is half a minute;
/// after it, what is new is worth more.
const ATTEMPTS: u32 = 6;

/// The times that sending goes by.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Between looks for spans, while all is well. A person who follows a request waits no
    /// longer than this, and a busy device fills its room in many times of it.
    look: Duration,
    /// Longest time for one batch, from connecting to the answer.
    send: Duration,
    /// The first wait after a failure. It doubles with each.
    first: Duration,
    /// The longest wait after a failure, whatever the collector asks for.
    longest: Duration,
    /// Longest time for what is left when the daemon ends.
    last: Duration,
}

const PACE: Pace = Pace {
    look: Duration::from_secs(1),
    send: Duration::from_secs(5),
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    last: Duration::from_secs(2),
};

/// Sends spans to the collector at `address` until `shutdown` is ready, then what is left,
/// within two seconds.
pub async fn collect(traces: Traces, address: LoopbackAddress, shutdown: impl Future<Output = ()>) {
    collect_at(PACE, traces, address, shutdown).await;
}

async fn collect_at(
    pace: Pace,
    traces: Traces,
    address: LoopbackAddress,
    shutdown: impl Future<Output = ()>,
) {
    let mut sender = Sender {
        pace,
        traces,
        address,
        held: None,
        failures: 0,
    };
    let mut shutdown = pin!(shutdown);
    let mut wait = pace.look;
    loop {
        // A batch stays with the sender while it is under way, so that nothing is lost where
        // this ends in the middle. At worst a collector gets it twice, under the same numbers.
        let turn = async {
            sleep(wait).await;
            sender.send_all().await
        };
        tokio::select! {
            () = &mut shutdown => break,
            next = turn => wait = next,
        }
    }
    // What is not sent in time is counted below.
    let _ = timeout(pace.last, sender.send_all()).await;
    sender.give_up();
}

/// What is sent, and how that goes.
struct Sender {
    pace: Pace,
    traces: Traces,
    address: LoopbackAddress,
    /// The batch that is under way or is tried again.
    held: Option<Held>,
    /// Failures in a row.
    failures: u32,
}

struct Held {
    batch: Batch,
    attempts: u32,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    /// It was taken.
    Taken,
    /// It is no use to send it again.
    Refused,
    /// It may be sent again, after this time where the collector says one.
    Failed(Option<Duration>),
}

impl Sender {
    /// Sends all that there is, or up to the first failure. Returns how long to wait.
    async fn send_all(&mut self) -> Duration {
        loop {
            let next = || {
                let batch = self.traces.batch()?;
                Some(Held { batch, attempts: 0 })
            };
            let Some(mut held) = self.held.take().or_else(next) else {
                return self.pace.look;
            };
            held.attempts += 1;
            let body = held.batch.body.clone();
            let (address, limit) = (self.address, self.pace.send);
            self.held = Some(held);
            let sent = timeout(limit, send(address, body)).await;
            match sent.unwrap_or(Sent::Failed(None)) {
                Sent::Taken => self.taken(),
                Sent::Refused => {
                    tracing::debug!("the collector of spans refused a batch");
                    self.give_up();
                    self.failures = 0;
                }
                Sent::Failed(asked) => return self.failed(asked),
            }
        }
    }

    fn taken(&mut self) {
        if let Some(held) = self.held.take() {
            self.traces.sent(&held.batch);
        }
        if self.failures > 0 {
            tracing::info!("the collector of spans takes them again");
        }
        self.failures = 0;
    }

    fn failed(&mut self, asked: Option<Duration>) -> Duration {
        if self.failures == 0 {
            // Once, and not at every attempt.
            tracing::warn!("the collector of spans takes none for now");
        }
        self.failures = self.failures.saturating_add(1);
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.attempts >= ATTEMPTS)
        {
            self.give_up();
        }
        let doubled = 2_u32.saturating_pow(self.failures - 1);
        let wait = self.pace.first.saturating_mul(doubled);
        wait.max(asked.unwrap_or_default()).min(self.pace.longest)
    }

    /// Counts the batch that is held as lost.
    fn give_up(&mut self) {
        if let Some(held) = self.held.take() {
            self.traces.lost(&held.batch);
        }
    }
}

/// Sends one batch over a connection of its own, which on loopback costs next to nothing.
async fn send(address: LoopbackAddress, body: Bytes) -> Sent {
    let Some(request) = request(address, body) else {
        return Sent::Refused;
    };
    let Ok(stream) = TcpStream::connect(address.socket()).await else {
        return Sent::Failed(None);
    };
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else {
        return Sent::Failed(None);
    };
    let asking = async {
        let Ok(response) = sender.send_request(request).await else {
            return Sent::Failed(None);
        };
        let (head, body) = response.into_parts();
        // It is read so that the collector can end its answer, and says nothing that is acted on.
        let _ = Limited::new(body, ANSWER_BYTES).collect().await;
        judge(head.status, &head.headers)
    };
    // The connection is driven here and not in a task of its own, so that nothing of it outlives
    // the time that sending has.
    let mut connection = pin!(connection);
    let mut asking = pin!(asking);
    tokio::select! {
        sent = &mut asking => sent,
        // Its end may bring the answer.
        _ = &mut connection => asking.await,
    }
}

fn request(address: LoopbackAddress, body: Bytes) -> Option<Request<Full<Bytes>>> {
    let host = HeaderValue::from_str(&address.to_string()).ok()?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(PATH);
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    let kind = HeaderValue::from_static("application/x-protobuf");
    headers.insert(CONTENT_TYPE, kind);
    Some(request)
}

/// What an answer means: OTLP 1, "OTLP/HTTP Response" and "Retryable Response Codes".
fn judge(status: StatusCode, headers: &HeaderMap) -> Sent {
    match status.as_u16() {
        200..=299 => Sent::Taken,
        429 | 502..=504 => {
            let asked = headers.get(RETRY_AFTER);
            let asked = asked.and_then(|value| value.to_str().ok()?.parse().ok());
            Sent::Failed(asked.map(Duration::from_secs))
        }
        _ => Sent::Refused,
    }
}

#[cfg(test)]
mod tests;
