//! Bodies that come in are watched: how much, how fast, and what is left when nobody reads on.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;
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
    meter: Arc<Meter>,
    rest: Option<oneshot::Sender<Body>>,
}

/// How much of a body came, and how fast. Numbers alone.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    /// Milliseconds between its first and its last piece.
    milliseconds: AtomicU64,
    first: OnceLock<Instant>,
}

/// A body that came within this was there at once, and its speed says nothing of its sender.
const MEASURABLE: Duration = Duration::from_secs(1);

impl Meter {
    /// Bytes that came.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How fast, where it took long enough to tell.
    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        let milliseconds = self.milliseconds.load(Ordering::Relaxed);
        let took = Duration::from_millis(milliseconds);
        (took >= MEASURABLE).then(|| self.bytes().saturating_mul(1000) / milliseconds)
    }

    /// So many bytes came just now.
    pub(crate) fn came(&self, bytes: usize) {
        let now = Instant::now();
        let first = *self.first.get_or_init(|| now);
        self.count(bytes, now.duration_since(first));
    }

    fn count(&self, bytes: usize, since: Duration) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
    }
}

/// What nobody read of a body.
#[derive(Debug)]
pub(crate) struct Leftover {
    rest: oneshot::Receiver<Body>,
    begun: Arc<AtomicBool>,
}

/// Watches `body`: more than `idle` may not pass between two pieces of it.
pub(crate) fn watch(body: Body, idle: Duration) -> (Watched, Leftover, Arc<Meter>) {
    let begun = Arc::new(AtomicBool::new(false));
    let meter = Arc::new(Meter::default());
    let (sender, rest) = oneshot::channel();
    let watched = Watched {
        inner: Some(body),
        idle,
        waiting: Box::pin(sleep(idle)),
        begun: Arc::clone(&begun),
        meter: Arc::clone(&meter),
        rest: Some(sender),
    };
    (watched, Leftover { rest, begun }, meter)
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
                this.meter.came(frame.data_ref().map_or(0, Bytes::len));
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
        let (watched, _, _) = watch(pieces(&["a", "bc"]), Duration::from_secs(60));
        let collected = watched.collect().await.expect("nothing is slow here");
        assert_eq!(collected.to_bytes(), "abc");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyFault>>());
        let (watched, _, _) = watch(Body::new(silent), Duration::from_secs(30));
        let before = Instant::now();
        let error = watched.collect().await.expect_err("nothing ever comes");
        assert_eq!(error, BodyFault::TooSlow);
        assert_eq!(before.elapsed().as_secs(), 30);
    }

    #[tokio::test]
    async fn what_is_left_of_a_refused_body_is_read() {
        let (mut watched, leftover, _) = watch(pieces(&["a", "b", "c"]), Duration::from_secs(60));
        assert!(watched.frame().await.is_some());
        drop(watched);
        leftover.drain(true).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_an_end_holds_its_refusal_up_for_a_moment_alone() {
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyFault>>());
        let (watched, leftover, _) = watch(Body::new(silent), Duration::from_secs(60));
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
        let (watched, leftover, _) = watch(Body::new(body), Duration::from_secs(60));
        drop(watched);
        leftover.drain(true).await;
        assert!(!asked.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_dribbles_is_measured_and_one_that_comes_at_once_is_not() {
        let slow = stream::unfold(0_u8, |count| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let frame = Ok::<_, BodyFault>(Frame::data(Bytes::from_static(b"ten bytes.")));
            (count < 5).then_some((frame, count + 1))
        });
        let slow = Body::new(StreamBody::new(Box::pin(slow)));
        let (watched, _, meter) = watch(slow, Duration::from_secs(60));
        watched.collect().await.expect("nothing is slow here");
        assert_eq!(meter.bytes(), 50);
        assert_eq!(meter.bytes_per_second(), Some(12));
        let (watched, _, meter) = watch(pieces(&["a", "bc"]), Duration::from_secs(60));
        watched.collect().await.expect("nothing is slow here");
        assert_eq!((meter.bytes(), meter.bytes_per_second()), (3, None));
    }
}
