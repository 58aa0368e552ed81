//! Answers that are worked out while they are sent.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use earnest_policy::AnswerRules;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

/// Pieces of an answer that may wait for the caller to take them. More would only hide from the
/// worker that nobody reads.
const PIECES: usize = 8;

/// An answer that is worked out while it is sent. The work stands in the body itself: it goes on
/// only as the caller takes what it gives, and when the caller goes, all that it holds is
/// dropped.
///
/// Where answers are padded, pieces go out at whole quanta since the request came, all that there
/// are by then together: who watches the connection learns when a quantum had any, and not when
/// in it a word was found.
pub(crate) struct Driven {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pieces: mpsc::Receiver<Bytes>,
    padding: Option<Quanta>,
}

/// The times at which a padded answer goes on.
struct Quanta {
    begun: Instant,
    rules: AnswerRules,
    held: BytesMut,
    due: Option<Pin<Box<Sleep>>>,
}

/// Most bytes that are held for the end of a quantum. At the bound the work waits.
const HELD_BYTES: usize = 256 << 10;

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

/// The body that `work` makes, at whole quanta where `padding` says since when and by which rules.
pub(crate) fn drive<W>(
    padding: Option<(Instant, AnswerRules)>,
    work: impl FnOnce(Pieces) -> W,
) -> Body
where
    W: Future<Output = ()> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(PIECES);
    Body::new(Driven {
        work: Some(Box::pin(work(Pieces(sender)))),
        pieces,
        padding: padding.map(|(begun, rules)| Quanta {
            begun,
            rules,
            held: BytesMut::new(),
            due: None,
        }),
    })
}

impl Driven {
    /// The next piece, as it comes.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // Work first: a piece that it makes now is taken below.
        if let Some(work) = &mut self.work
            && work.as_mut().poll(context).is_ready()
        {
            self.work = None;
        }
        self.pieces.poll_recv(context)
    }
}

impl Quanta {
    /// Waits for the end of the quantum, and gives what is held then.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let due = self
            .due
            .get_or_insert_with(|| Box::pin(sleep(self.rules.pad(self.begun.elapsed()))));
        match due.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.due = None;
                Poll::Ready(self.held.split().freeze())
            }
        }
    }
}

/// What is left of the quantum that this time falls into; a whole one at its end, because what is
/// done just then was done after it.
pub(crate) fn until_quantum(elapsed: Duration, quantum: Duration) -> Duration {
    let into = elapsed.as_nanos().checked_rem(quantum.as_nanos());
    // A quantum is far shorter than 2^64 ns, which is 584 years.
    let into = u64::try_from(into.unwrap_or(0)).unwrap_or(0);
    quantum.saturating_sub(Duration::from_nanos(into))
}

impl HttpBody for Driven {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        loop {
            let has_room = match &this.padding {
                None => return this.poll_piece(context).map(|piece| piece.map(frame)),
                Some(quanta) => quanta.held.len() < HELD_BYTES,
            };
            let piece = match has_room {
                true => this.poll_piece(context),
                false => Poll::Pending,
            };
            let Some(quanta) = &mut this.padding else {
                return Poll::Pending;
            };
            match piece {
                Poll::Ready(Some(piece)) => quanta.held.extend_from_slice(&piece),
                Poll::Ready(None) if quanta.held.is_empty() => return Poll::Ready(None),
                Poll::Pending if quanta.held.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => {
                    return quanta.poll_due(context).map(|held| Some(frame(held)));
                }
            }
        }
    }
}

fn frame(bytes: Bytes) -> Result<Frame<Bytes>, std::convert::Infallible> {
    Ok(Frame::data(bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_driven_body_is_what_its_work_sends_however_much() {
        let body = drive(None, |pieces| async move {
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
        let body = drive(None, |pieces| async move {
            pieces.send("a").await;
            std::future::pending::<()>().await;
            drop(inside);
        });
        let mut body = body;
        assert!(body.frame().await.is_some());
        drop(body);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_padded_answer_goes_on_at_whole_quanta_alone() {
        let begun = Instant::now();
        let quantum = Duration::from_millis(250);
        let rules = AnswerRules::new(None, None, Some(quantum)).expect("a quantum");
        let mut body = drive(Some((begun, rules)), |pieces| async move {
            for wait in [10, 20, 300, 700] {
                sleep(Duration::from_millis(wait)).await;
                pieces.send(format!("{wait},")).await;
            }
        });
        let mut heard = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.expect("infallible").into_data().expect("data");
            heard.push((begun.elapsed().as_millis(), data));
        }
        let expected = [(250, "10,20,"), (500, "300,"), (1250, "700,")];
        let expected = expected.map(|(at, text)| (at, Bytes::from_static(text.as_bytes())));
        assert_eq!(heard, expected);
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_quantum_ends_at_a_whole_one(
            elapsed in 0..10_000_000_000_u64,
            quantum in 1_000_000..5_000_000_000_u64,
        ) {
            let (elapsed, quantum) = (Duration::from_nanos(elapsed), Duration::from_nanos(quantum));
            let left = until_quantum(elapsed, quantum);
            prop_assert!(left > Duration::ZERO && left <= quantum);
            prop_assert_eq!((elapsed + left).as_nanos() % quantum.as_nanos(), 0);
        }
    }
}
