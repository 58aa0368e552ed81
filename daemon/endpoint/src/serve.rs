//! Serving: connections in, requests through the router, and an orderly end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use earnest_listen::{Connection, Incoming, Listener};
use hyper::body::Incoming as IncomingBody;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::caller::Caller;
use crate::limits::{HEAD_BYTES, HEADERS};
use crate::line::Line;
use crate::paced::Paced;
use crate::router::router;
use crate::shared::{Parts, Shared};
use crate::turned_away::turn_away;
use crate::wyoming;

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that did not end by themselves in time, and were closed.
    pub cut: usize,
}

/// Why serving ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener takes no connections any more.
    #[error("{place} takes no connections any more")]
    Listener {
        /// Where it listens.
        place: String,
        /// Why.
        source: earnest_listen::AcceptError,
    },
}

/// Serves `listeners` until `shutdown` is ready, then takes no more connections, lets requests
/// end within [`Limits::drain_time`](crate::Limits::drain_time), and cuts what is left.
///
/// # Errors
///
/// When a listener fails for good. The others are drained first, because a daemon that looks as
/// if it served would be worse than none.
pub async fn serve(
    parts: Parts,
    listeners: Vec<Listener>,
    shutdown: impl Future<Output = ()>,
) -> Result<Drained, ServeError> {
    let places = listeners
        .iter()
        .map(|listener| listener.place().to_string());
    let shared = Arc::new(Shared::new(parts, places.collect()));
    let router = router(&shared);
    let (stop, stopping) = watch::channel(());
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let (shared, router) = (Arc::clone(&shared), router.clone());
        accepting.spawn(accept(listener, shared, router, stopping.clone()));
    }
    drop(stopping);
    let early = tokio::select! {
        () = shutdown => None,
        first = accepting.join_next(), if !accepting.is_empty() => first,
    };
    stop.send_replace(());
    let mut drained = Drained { cut: 0 };
    let mut failed = None;
    let mut ended = early;
    loop {
        match ended {
            Some(Ok(Ok(cut))) => drained.cut += cut,
            Some(Ok(Err(error))) => failed = Some(error),
            // Nothing in an accept loop panics, and nobody aborts one.
            Some(Err(_)) => {}
            None => {}
        }
        ended = accepting.join_next().await;
        if ended.is_none() {
            break;
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(drained),
    }
}

/// Accepts until told to stop, then drains. The number of connections is bounded by the
/// listener: it accepts no more before one of them ends.
async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    router: Router,
    mut stopping: watch::Receiver<()>,
) -> Result<usize, ServeError> {
    let place = listener.place().to_string();
    let drain_time = shared.limits.drain_time;
    let mut connections = JoinSet::new();
    let failed = loop {
        let incoming = tokio::select! {
            _ = stopping.changed() => break None,
            incoming = listener.accept() => incoming,
            // Ended ones are taken out as they end, or the set would grow for ever.
            Some(_) = connections.join_next() => continue,
        };
        match incoming {
            Ok(incoming) => {
                let (shared, router) = (Arc::clone(&shared), router.clone());
                connections.spawn(connection(incoming, shared, router, stopping.clone()));
            }
            Err(source) => break Some(ServeError::Listener { place, source }),
        }
    };
    // Whoever connects from now on is refused by the system, not left waiting.
    drop(listener);
    let cut = drain(connections, drain_time).await;
    match failed {
        Some(error) => Err(error),
        None => Ok(cut),
    }
}

/// Waits for connections to end, and cuts those that take too long.
async fn drain(mut connections: JoinSet<()>, drain_time: Duration) -> usize {
    let all = async { while connections.join_next().await.is_some() {} };
    match timeout(drain_time, all).await {
        Ok(()) => 0,
        Err(_) => {
            let cut = connections.len();
            connections.shutdown().await;
            cut
        }
    }
}

async fn connection(
    incoming: Incoming,
    shared: Arc<Shared>,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    let establishing = async {
        let identified = incoming.identify().await.ok()?;
        match shared.crowd.enter(identified.peer().uid()) {
            // Handshakes fail whenever somebody tries the door; there is nobody to tell.
            Some(seat) => Some((identified.establish().await.ok()?, seat)),
            None => {
                turn_away(identified, &shared).await;
                None
            }
        }
    };
    let established = tokio::select! {
        established = establishing => established,
        _ = stopping.changed() => return,
    };
    match established {
        Some((connection, _seat)) if connection.place().is_wyoming() => {
            wyoming::serve(connection, shared, stopping).await;
        }
        Some((connection, _seat)) => {
            serve_connection(connection, &shared, router, stopping).await;
        }
        None => {}
    }
}

async fn serve_connection(
    connection: Connection,
    shared: &Shared,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    let caller = Arc::new(Caller::of(&connection));
    let (line, holders) = Line::new(stopping.clone());
    let service = router.map_request(move |mut request: http::Request<IncomingBody>| {
        request.extensions_mut().insert(Arc::clone(&caller));
        request.extensions_mut().insert(line.clone());
        request.map(Body::new)
    });
    let paced = Paced::new(connection, shared.limits.body_idle);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.head_time)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(2 * HEAD_BYTES)
        .serve_connection(TokioIo::new(paced), TowerToHyperService::new(service))
        .with_upgrades();
    let ended = {
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => Some(ended),
            _ = stopping.changed() => None,
        };
        match ended {
            Some(ended) => ended,
            None => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        }
    };
    // A websocket goes on: it keeps its place, and the daemon waits for it.
    holders.gone().await;
    // The caller went away, or spoke no HTTP. Nothing of it may be logged but its kind.
    if let Err(error) = ended {
        tracing::debug!(
            timed_out = error.is_timeout(),
            malformed = error.is_parse(),
            "a connection ended early"
        );
    }
}
