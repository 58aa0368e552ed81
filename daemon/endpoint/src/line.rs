//! The connection under an answer that has no end of its own: somebody listens, or speaks over a
//! websocket, for hours.
//!
//! Such an answer ends when the daemon is told to, in good order and within the same bound as
//! every other. A websocket leaves HTTP behind, and whoever serves the connection would take it
//! for over; so the task that has it holds a [`Line`], and the connection is over with the last
//! of them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tokio::sync::{mpsc, watch};

use crate::refusal::Refusal;
use crate::shared::Shared;

/// One request's hold on its connection.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    stopping: watch::Receiver<()>,
    held: mpsc::Sender<Infallible>,
}

/// The end of a connection that knows whether anybody holds it.
#[derive(Debug)]
pub(crate) struct Holders(mpsc::Receiver<Infallible>);

/// Why an answer that has no end is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// The daemon ends; there is time for a last word.
    Draining,
    /// That time is over.
    Cut,
}

impl Line {
    /// A line of a connection, which ends when `stopping` says.
    pub(crate) fn new(stopping: watch::Receiver<()>) -> (Line, Holders) {
        // Nothing is ever sent: what counts is who is there.
        let (held, holders) = mpsc::channel(1);
        (Line { stopping, held }, Holders(holders))
    }

    /// Waits until the answer is to end. May be dropped and asked again.
    pub(crate) async fn hangup(&mut self) -> Hangup {
        tokio::select! {
            biased;
            () = self.held.closed() => Hangup::Cut,
            // Whoever could stop it is gone, too.
            _ = self.stopping.changed() => Hangup::Draining,
        }
    }
}

impl Holders {
    /// Waits until nobody holds the line any more.
    pub(crate) async fn gone(mut self) {
        let _ = self.0.recv().await;
    }
}

impl FromRequestParts<Arc<Shared>> for Line {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Line, Refusal> {
        // Serving puts it there.
        let line = parts.extensions.get::<Line>().cloned();
        line.ok_or(Refusal::WorkerFailed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_over_with_the_last_who_holds_it() {
        let (_stop, stopping) = watch::channel(());
        let (line, holders) = Line::new(stopping);
        let second = line.clone();
        drop(line);
        let mut gone = std::pin::pin!(holders.gone());
        let waited = timeout(Duration::from_secs(3600), gone.as_mut()).await;
        assert!(waited.is_err());
        drop(second);
        gone.await;
    }

    #[tokio::test]
    async fn whoever_holds_it_hears_of_the_end() {
        let (stop, stopping) = watch::channel(());
        let (mut line, holders) = Line::new(stopping);
        stop.send_replace(());
        assert_eq!(line.hangup().await, Hangup::Draining);
        drop(holders);
        assert_eq!(line.hangup().await, Hangup::Cut);
    }
}
