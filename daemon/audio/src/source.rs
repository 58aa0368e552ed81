//! What a source of sound gives, and what one is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::{Loss, Microphone};

/// What a microphone has to say.
#[derive(Clone, PartialEq, Eq)]
pub enum Sounding {
    /// The device is open. After a loss this says that it is back.
    Opened {
        /// Its name.
        device: String,
        /// Samples a second of the sound that follows.
        rate: u32,
    },
    /// Sound: mono, 16 bits a sample, little endian, at the rate of the last opening. Fifty to
    /// a hundred milliseconds.
    Sound(Bytes),
    /// Sound was lost before this: nobody took it in time.
    Overrun {
        /// Frames lost, as far as is known: where the device lost them itself, at least so many.
        frames: u64,
    },
    /// The device is gone, or never came. It is tried again without being asked.
    Lost {
        /// Why.
        why: Loss,
        /// When it is tried again.
        again_in: Duration,
    },
}

/// Without the sound.
impl fmt::Debug for Sounding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sounding::Opened { device, rate } => formatter
                .debug_struct("Opened")
                .field("device", device)
                .field("rate", rate)
                .finish(),
            Sounding::Sound(pcm) => write!(formatter, "Sound({} bytes)", pcm.len()),
            Sounding::Overrun { frames } => write!(formatter, "Overrun({frames} frames)"),
            Sounding::Lost { why, again_in } => formatter
                .debug_struct("Lost")
                .field("why", why)
                .field("again_in", again_in)
                .finish(),
        }
    }
}

/// The next thing that a source has to say.
pub type Next<'a> = Pin<Box<dyn Future<Output = Sounding> + Send + 'a>>;

/// Where sound comes from: a [`Microphone`], or a script in a test.
pub trait Source: Send {
    /// What it says next. Nothing is lost where this is dropped before it is done.
    fn next(&mut self) -> Next<'_>;
}

impl Source for Microphone {
    fn next(&mut self) -> Next<'_> {
        Box::pin(Microphone::next(self))
    }
}
