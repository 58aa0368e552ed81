//! Collectors that take, refuse, break and are away.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use earnest_telemetry::{Clock, WallClock};
use earnest_traces::{Attribute, BATCH_SPANS, Counters, Kind, Span};
use http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};

use super::*;

/// Fast where the real one waits, patient where it does not.
const FAST: Pace = Pace {
    look: Duration::from_millis(1),
    send: Duration::from_secs(60),
    first: Duration::from_millis(1),
    longest: Duration::from_millis(4),
    last: Duration::from_secs(60),
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a collector was sent: path, kind and bytes of the body.
type Taken = (String, String, usize);

/// A collector that answers with one status after another, and with the last one for ever.
async fn collector(statuses: &[u16]) -> (LoopbackAddress, mpsc::UnboundedReceiver<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = address(&listener);
    let (tell, told) = mpsc::unbounded_channel();
    let statuses: Vec<u16> = statuses.iter().rev().copied().collect();
    let statuses = Arc::new(Mutex::new(statuses));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tell, statuses) = (tell.clone(), Arc::clone(&statuses));
            let answer = service_fn(move |request: Request<Incoming>| {
                let (tell, statuses) = (tell.clone(), Arc::clone(&statuses));
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.expect("a whole body").to_bytes();
                    let kind = head
                        .headers
                        .get(CONTENT_TYPE)
                        .and_then(|kind| kind.to_str().ok());
                    let kind = kind.unwrap_or_default().to_owned();
                    let _ = tell.send((head.uri.path().to_owned(), kind, body.len()));
                    let mut statuses = statuses.lock().expect("nobody panics with it");
                    let status = match statuses.len() {
                        1 => statuses[0],
                        _ => statuses.pop().unwrap_or(200),
                    };
                    let answer = Response::builder().status(status);
                    Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).expect("an answer"))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (address, told)
}

fn address(listener: &TcpListener) -> LoopbackAddress {
    let address: SocketAddr = listener.local_addr().expect("it is bound");
    LoopbackAddress::try_from(address).expect("loopback")
}

/// Traces with so many spans in them.
fn traces(spans: usize) -> Traces {
    let clock = Clock::simulated(Duration::from_secs(5));
    let traces = Traces::new(
        clock,
        WallClock::simulated(Duration::from_secs(1_800_000_000)),
    );
    record(&traces, spans);
    traces
}

fn record(traces: &Traces, spans: usize) {
    for _ in 0..spans {
        let context = traces.context(None);
        let span = Span::new(
            Kind::Request,
            context,
            Duration::ZERO,
            Duration::from_secs(1),
        );
        traces.record(span.with(Attribute::Status(200)));
    }
}

/// Sends until `done` says that it is enough.
async fn run_until(traces: &Traces, address: LoopbackAddress, done: impl Fn(&Counters) -> bool) {
    let (stop, stopped) = oneshot::channel::<()>();
    let running = collect_at(FAST, traces.clone(), address, async {
        let _ = stopped.await;
    });
    let watching = async {
        while !done(&traces.counters()) {
            tokio::task::yield_now().await;
        }
        drop(stop);
    };
    let both = async { tokio::join!(running, watching) };
    timeout(PATIENCE, both).await.expect("it ends");
}

#[tokio::test]
async fn every_span_arrives_in_batches_at_the_right_place() {
    let (address, mut told) = collector(&[200]).await;
    let traces = traces(BATCH_SPANS + 1);
    run_until(&traces, address, |counters| {
        counters.sent > BATCH_SPANS as u64
    })
    .await;
    for _ in 0..2 {
        let (path, kind, length) = told.recv().await.expect("a batch");
        assert_eq!(
            (path.as_str(), kind.as_str()),
            ("/v1/traces", "application/x-protobuf")
        );
        assert!(length > 0);
    }
    assert!(told.try_recv().is_err(), "and nothing else");
    assert_eq!(traces.counters().lost, 0);
}

#[tokio::test]
async fn what_fails_for_now_is_sent_again_and_what_is_refused_is_not() {
    let (address, mut told) = collector(&[503, 429, 200]).await;
    let again = traces(1);
    run_until(&again, address, |counters| counters.sent == 1).await;
    assert_eq!(again.counters().lost, 0);
    for _ in 0..3 {
        told.recv().await.expect("an attempt");
    }

    let (address, mut told) = collector(&[400, 200]).await;
    let refused = traces(1);
    run_until(&refused, address, |counters| counters.lost == 1).await;
    assert_eq!(refused.counters().sent, 0);
    told.recv().await.expect("the one attempt");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_a_count() {
    // Bound and not listening, so that nobody else gets the port.
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let address = socket.local_addr().expect("it is bound");
    let address = LoopbackAddress::try_from(address).expect("loopback");
    let traces = traces(3);
    run_until(&traces, address, |counters| counters.lost == 3).await;
    // What is new is tried anew.
    record(&traces, 2);
    run_until(&traces, address, |counters| counters.lost == 5).await;
    let counters = traces.counters();
    assert_eq!(
        (counters.recorded, counters.sent, counters.waiting),
        (5, 0, 0)
    );
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = address(&listener);
    let traces = traces(1);
    let hurried = Pace {
        send: Duration::from_millis(5),
        last: Duration::from_millis(5),
        ..FAST
    };
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let running = collect_at(hurried, traces.clone(), address, std::future::ready(()));
    timeout(PATIENCE, running).await.expect("it ends by itself");
    assert_eq!(traces.counters().lost, 1);
    held.abort();
}

#[tokio::test]
async fn what_waits_at_the_end_is_sent_then() {
    let (address, _told) = collector(&[200]).await;
    let traces = traces(2);
    let slow = Pace {
        look: PATIENCE * 60,
        ..FAST
    };
    let running = collect_at(slow, traces.clone(), address, std::future::ready(()));
    timeout(PATIENCE, running).await.expect("it does not wait");
    assert_eq!(traces.counters().sent, 2);
}

#[test]
fn waits_grow_to_a_bound_and_a_collector_may_ask_for_longer() {
    let mut sender = Sender {
        pace: PACE,
        traces: Traces::off(),
        address: LoopbackAddress::v4(4318),
        held: None,
        failures: 0,
    };
    let waits: Vec<u64> = (0..9).map(|_| sender.failed(None).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    sender.taken();
    let asked = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(sender.failed(asked(30)), Duration::from_secs(30));
    assert_eq!(sender.failed(asked(1 << 40)), PACE.longest);
}

#[test]
fn answers_mean_what_the_protocol_says() {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let judge = |status: u16, headers: &HeaderMap| {
        super::judge(StatusCode::from_u16(status).expect("a status"), headers)
    };
    assert_eq!(judge(200, &headers), Sent::Taken);
    let later = Sent::Failed(Some(Duration::from_secs(7)));
    assert_eq!(judge(429, &headers), later);
    for status in [502, 503, 504] {
        assert_eq!(judge(status, &HeaderMap::new()), Sent::Failed(None));
    }
    for status in [301, 400, 404, 413, 500, 501] {
        assert_eq!(judge(status, &headers), Sent::Refused, "{status}");
    }
    headers.insert(
        RETRY_AFTER,
        HeaderValue::from_static("Mon, 23 Nov 2026 08:00:00 GMT"),
    );
    assert_eq!(judge(503, &headers), Sent::Failed(None));
}
