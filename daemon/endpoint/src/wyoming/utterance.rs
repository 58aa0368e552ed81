//! One utterance: sound in, its transcript out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use bytes::Bytes;
use earnest_channel::{Encoding, Job, SoundKind};
use earnest_policy::Transcribe;
use earnest_wyoming::{AudioFormat, Reply, Request};
use http::request::Parts;

use super::link::{Incoming, Outgoing, Silence};
use super::session::Session;
use super::telling::Telling;
use crate::admission::Admitted;
use crate::body::Meter;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::work::{self, Heard, Sound};

/// The silence that ends a sentence within the sound, which itself ends when the client says so.
const SILENCE: Duration = Duration::from_millis(700);

/// Why there is no transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client is gone.
    Gone,
    /// It is told why.
    Refused(Refusal),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Ended {
        Ended::Refused(refusal)
    }
}

impl From<Silence> for Ended {
    fn from(silence: Silence) -> Ended {
        match silence {
            Silence::Over => Ended::Gone,
            Silence::Idle => Ended::Refused(Refusal::TooSlow),
            Silence::Broken(_) => Ended::Refused(Refusal::MalformedBody),
        }
    }
}

/// Has the sound of `format` written down, which begins with `first` if that has come already,
/// until the client says that it was all.
///
/// # Errors
///
/// When the client may not ask for it, or is gone, or it fails.
pub(crate) async fn hear(
    session: &mut Session,
    head: &mut Parts,
    bill: &Bill,
    meter: &Arc<Meter>,
    format: AudioFormat,
    first: Option<Bytes>,
) -> Result<(), Ended> {
    let Session {
        shared,
        incoming,
        outgoing,
        ..
    } = session;
    let admitted = Admitted::<Transcribe>::from_request_parts(head, shared).await?;
    let job = Job {
        kind: kind(format)?,
        task: work::live(&shared.answers, SILENCE, true),
    };
    let begun = work::begin(shared, &admitted, bill, job, shared.answers).await?;
    let (sound, heard) = begun.split();
    let sound = Feed {
        sound,
        format,
        left: shared.limits.stream_bytes,
    };
    let mut feeding = std::pin::pin!(sound.all(first, incoming, outgoing, meter));
    let mut telling = std::pin::pin!(tell(heard, outgoing));
    let mut is_fed = false;
    loop {
        tokio::select! {
            told = &mut telling => return told,
            fed = &mut feeding, if !is_fed => {
                fed?;
                is_fed = true;
            }
        }
    }
}

/// The sound of 16 bits that a worker takes. Clients convert to that where it is asked for, and
/// none is known that sends another.
fn kind(format: AudioFormat) -> Result<SoundKind, Refusal> {
    match format.width {
        2 => Ok(SoundKind::Raw {
            rate: format.rate,
            channels: format.channels,
            encoding: Encoding::S16Le,
        }),
        _ => Err(Refusal::Invalid {
            param: "width",
            expected: "2: samples of 16 bits",
        }),
    }
}

/// Sends the sound on as it comes.
struct Feed {
    sound: Sound,
    format: AudioFormat,
    /// Bytes that may still come.
    left: u64,
}

impl Feed {
    async fn all(
        mut self,
        first: Option<Bytes>,
        incoming: &mut Incoming,
        outgoing: &Outgoing,
        meter: &Meter,
    ) -> Result<(), Ended> {
        if let Some(first) = first
            && !self.send(first).await?
        {
            return Ok(());
        }
        loop {
            let event = incoming.next(Some(meter)).await?;
            let request = Request::of(event).map_err(|_| Refusal::MalformedBody)?;
            match request {
                Request::AudioChunk { format, .. } if format != self.format => {
                    return Err(Ended::Refused(Refusal::Invalid {
                        param: "rate",
                        expected: "the format that the sound began with",
                    }));
                }
                Request::AudioChunk { sound, .. } => {
                    if !self.send(sound).await? {
                        return Ok(());
                    }
                }
                Request::AudioStop => {
                    self.sound.end().await;
                    return Ok(());
                }
                Request::Ping { text } => outgoing.say(&Reply::Pong { text }).await?,
                // What there is has been asked before, and is the same still.
                Request::Describe
                | Request::Transcribe { .. }
                | Request::AudioStart(_)
                | Request::Other => {}
            }
        }
    }

    /// Whether more is taken; where not, the events say why.
    async fn send(&mut self, sound: Bytes) -> Result<bool, Refusal> {
        let left = self.left.checked_sub(sound.len() as u64);
        self.left = left.ok_or(Refusal::TooLarge)?;
        Ok(self.sound.send(sound).await?.is_ok())
    }
}

async fn tell(mut heard: Heard, outgoing: &Outgoing) -> Result<(), Ended> {
    let mut telling = Telling::default();
    loop {
        let (replies, is_last) = telling.hear(heard.next().await?);
        for reply in replies {
            outgoing.say(&reply).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_16_bits_are_taken_and_no_others() {
        let format = |width| AudioFormat {
            rate: 22_050,
            width,
            channels: 2,
        };
        let taken = kind(format(2)).expect("16 bits");
        let expected = SoundKind::Raw {
            rate: 22_050,
            channels: 2,
            encoding: Encoding::S16Le,
        };
        assert_eq!(taken, expected);
        for width in [1, 3, 4, 8] {
            assert_eq!(kind(format(width)).unwrap_err().code(), "invalid_value");
        }
    }
}
