//! Bodies: what comes in is watched, what goes out may be worked out while it goes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::limits::{REFUSED_BYTES, REFUSED_LIVE_TIME, REFUSED_TIME};
use crate::refusal::Refusal;

/// Why a body did not come whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFault {
    /// Nothing came for too long.
    #[error("nothing of the body came for too long")]
    TooSlow,
    /// It broke off, or its framing is broken.
    #[error("the body broke off")]
    Broken,
}

impl From<BodyFault> for Refusal {
    fn from(fault: BodyFault) -> Refusal {
        match fault {
            BodyFault::TooSlow => Refusal::TooSlow,
            // Most often nobody is there any more to read this.
            BodyFault::Broken => Refusal::MalformedBody,
        }
    }
}

/// A request's body that is given up when nothing comes for too long. What is left of it when it
/// is dropped goes to [`Leftover`].
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Option<Body>,
    idle: Duration,
    waiting: Pin<Box<Sleep>>,
    begun: Arc<AtomicBool>,
    rest: Option<oneshot::Sender<Body>>,
}

/// What nobody read of a body.
#[derive(Debug)]
pub(crate) struct Leftover {
    rest: oneshot::Receiver<Body>,
    begun: Arc<AtomicBool>,
}

/// Watches `body`: more than `idle` may not pass between two pieces of it.
pub(crate) fn watch(body: Body, idle: Duration) -> (Watched, Leftover) {
    let begun = Arc::new(AtomicBool::new(false));
    let (sender, rest) = oneshot::channel();
    let watched = Watched {
        inner: Some(body),
        idle,
        waiting: Box::pin(sleep(idle)),
        begun: Arc::clone(&begun),
        rest: Some(sender),
    };
    (watched, Leftover { rest, begun })
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if !this.begun.swap(true, Ordering::Relaxed) {
            this.waiting.as_mut().reset(Instant::now() + this.idle);
        }
        match Pin::new(inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.waiting.as_mut().reset(Instant::now() + this.idle);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                this.inner = None;
                Poll::Ready(Some(Err(BodyFault::Broken)))
            }
            Poll::Ready(None) => {
                this.inner = None;
                Poll::Ready(None)
            }
            Poll::Pending => match this.waiting.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    this.inner = None;
                    Poll::Ready(Some(Err(BodyFault::TooSlow)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => HttpBody::size_hint(inner),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let (Some(rest), Some(inner)) = (self.rest.take(), self.inner.take()) {
            // Where nobody wants the rest, the connection ends with this request.
            let _ = rest.send(inner);
        }
    }
}

impl Leftover {
    /// Reads the rest and drops it, within bounds: a client that is still writing would
    /// otherwise lose the connection before it reads why it was refused.
    ///
    /// A client that `waits` to be told to go on, and was not, has sent nothing and is not told
    /// to send now.
    pub(crate) async fn drain(mut self, waits: bool) {
        if waits && !self.begun.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut rest) = self.rest.try_recv() else {
            return;
        };
        let size = HttpBody::size_hint(&rest);
        // A body that says that it goes past the bound is not waited for at all.
        if size.lower() > REFUSED_BYTES {
            return;
        }
        let patience = match size.exact() {
            Some(_) => REFUSED_TIME,
            None => REFUSED_LIVE_TIME,
        };
        let drop_all = async {
            let mut room = REFUSED_BYTES;
            while let Some(Ok(frame)) = rest.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                match room.checked_sub(bytes) {
                    Some(left) => room = left,
                    None => return,
                }
            }
        };
        // Too slow is as good as too long: the connection ends either way.
        let _ = timeout(patience, drop_all).await;
    }
}

/// Pieces of an answer that may wait for the caller to take them. More would only hide from the
/// worker that nobody reads.
const PIECES: usize = 8;

/// An answer that is worked out while it is sent. The work stands in the body itself: it goes on
/// only as the caller takes what it gives, and when the caller goes, all that it holds is
/// dropped.
pub(crate) struct Driven {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pieces: mpsc::Receiver<Bytes>,
}

/// Where the work puts the pieces of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Pieces(mpsc::Sender<Bytes>);

impl Pieces {
    /// Sends the next piece, once there is room for it.
    pub(crate) async fn send(&self, piece: impl Into<Bytes>) {
        // The body drops the work before the other end, so the other end is there.
        let _ = self.0.send(piece.into()).await;
    }
}

/// The body that `work` makes.
pub(crate) fn drive<W>(work: impl FnOnce(Pieces) -> W) -> Body
where
    W: Future<Output = ()> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(PIECES);
    Body::new(Driven {
        work: Some(Box::pin(work(Pieces(sender)))),
        pieces,
    })
}

impl HttpBody for Driven {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        // Work first: a piece that it makes now is taken below.
        if let Some(work) = &mut this.work
            && work.as_mut().poll(context).is_ready()
        {
            this.work = None;
        }
        match this.pieces.poll_recv(context) {
            Poll::Ready(Some(piece)) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn pieces(pieces: &'static [&'static str]) -> Body {
        let frames = pieces
            .iter()
            .map(|piece| Ok::<_, BodyFault>(Frame::data(Bytes::from_static(piece.as_bytes()))));
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_watched_body_is_what_came() {
        let (watched, _) = watch(pieces(&["a", "bc"]), Duration::from_secs(60));
        let collected = watched.collect().await.expect("nothing is slow here");
        assert_eq!(collected.to_bytes(), "abc");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyFault>>());
        let (watched, _) = watch(Body::new(silent), Duration::from_secs(30));
        let before = Instant::now();
        let error = watched.collect().await.expect_err("nothing ever comes");
        assert_eq!(error, BodyFault::TooSlow);
        assert_eq!(before.elapsed().as_secs(), 30);
    }

    #[tokio::test]
    async fn what_is_left_of_a_refused_body_is_read() {
        let (mut watched, leftover) = watch(pieces(&["a", "b", "c"]), Duration::from_secs(60));
        assert!(watched.frame().await.is_some());
        drop(watched);
        leftover.drain(true).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_an_end_holds_its_refusal_up_for_a_moment_alone() {
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyFault>>());
        let (watched, leftover) = watch(Body::new(silent), Duration::from_secs(60));
        drop(watched);
        let before = Instant::now();
        leftover.drain(false).await;
        assert_eq!(before.elapsed(), REFUSED_LIVE_TIME);
    }

    #[tokio::test]
    async fn who_waits_to_be_asked_is_not_asked_for_what_is_refused() {
        let asked = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&asked);
        let body = StreamBody::new(stream::poll_fn(move |_| {
            mark.store(true, Ordering::Relaxed);
            Poll::Ready(None::<Result<Frame<Bytes>, BodyFault>>)
        }));
        let (watched, leftover) = watch(Body::new(body), Duration::from_secs(60));
        drop(watched);
        leftover.drain(true).await;
        assert!(!asked.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_driven_body_is_what_its_work_sends_however_much() {
        let body = drive(|pieces| async move {
            for number in 0..100 {
                pieces.send(format!("{number},")).await;
            }
        });
        let bytes = body.collect().await.expect("infallible").to_bytes();
        assert_eq!(bytes.iter().filter(|byte| **byte == b',').count(), 100);
        assert!(bytes.ends_with(b"98,99,"));
    }

    #[tokio::test]
    async fn work_is_dropped_with_the_body() {
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let body = drive(|pieces| async move {
            pieces.send("a").await;
            std::future::pending::<()>().await;
            drop(inside);
        });
        let mut body = body;
        assert!(body.frame().await.is_some());
        drop(body);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
