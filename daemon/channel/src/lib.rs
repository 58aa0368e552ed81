//! What crosses between the daemon and a worker.
//!
//! A worker decodes strangers' sound, so whatever it says may have been dictated by a
//! stranger, and the daemon takes it as hostile. One message is one frame: its length (u32,
//! little endian) and that many bytes of postcard. Every bound is checked when a frame is
//! decoded: its length by its kind, before a byte of it is kept; lengths of texts and lists;
//! numbers that are finite, times in order. [`Exchange`] holds answers to what was sent: their
//! order, their number, their size.
//!
//! The course of a worker's life:
//!
//! ```text
//! worker                          daemon
//!   Hello, Ready            ->
//!                           <-    Begin, Sound…, EndOfSound | Abandon
//!                           <-    Tune… between the sound, in a live job
//!   SpeechStarted, Segment,
//!   Activity, Heard,
//!   Partial, SpeechStopped,
//!   Spotted…                ->      as the job's task says
//!   Finished | Failed       ->      one of them for each Begin, and nothing after it
//!                           <-    Begin…
//! ```
//!
//! `Finished` may come before the end of a file that has something behind its sound. After
//! `Finished` or `Failed` a worker reads and drops everything up to the next `Begin`: sound that
//! was on its way, the end of it, a `Tune` or an `Abandon` that crossed. So neither side ever waits to learn
//! which job a message belongs to. The end of the stream ends the worker.
//!
//! The worker reads and writes with [`read`] and [`write()`]; the daemon brings its own bytes to
//! a [`Decoder`].
//!
//! ```
//! use earnest_channel::{Decoder, FromWorker, Job, SoundKind, Task, ToWorker, encode, read, write};
//!
//! let mut pipe = Vec::new();
//! let task = Task::Transcribe { words: false };
//! let job = Job { kind: SoundKind::Container, task };
//! write(&mut pipe, &ToWorker::Begin(job))?;
//! let begun: Option<ToWorker> = read(&mut &pipe[..])?;
//! assert_eq!(begun, Some(ToWorker::Begin(job)));
//!
//! let frame = encode(&FromWorker::Ready)?;
//! let (mut bytes, mut decoder) = (&frame[..], Decoder::new());
//! assert_eq!(decoder.push(&mut bytes)?, Some(FromWorker::Ready));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod exchange;
mod fault;
mod frame;
mod message;

pub use check::OutOfBounds;
pub use exchange::{Due, Exchange, Misbehaviour};
pub use fault::{Failure, Flaw, SoundFault};
pub use frame::{DecodeError, Decoder, EncodeError, Message, ReadError, encode, read, write};
pub use message::{
    Confinement, Encoding, FromWorker, Hello, Job, Kernels, KernelsError, LiveTask, Partial,
    Report, SoundKind, Spotted, Task, ToWorker, Tuning,
};

/// The version of these messages. Daemon and worker are one program, so they agree unless
/// somebody replaced it under a running daemon.
pub const VERSION: u16 = 3;

/// Most bytes of sound in a message: two seconds of 16-bit sound at 16 kHz, and what a socket
/// takes at once.
pub const MAX_SOUND_BYTES: usize = 64 << 10;

/// Most bytes of a segment's text, and of its words' texts together. 15 s of the fastest
/// speech are 500 bytes; a decoder that only ever took its longest tokens still fits.
pub const MAX_TEXT_BYTES: usize = 8 << 10;

/// Most tokens, and most words, of a segment: decoding stops at 6.5 tokens a second, so 15 s
/// have less than 100.
pub const MAX_TOKENS: usize = 256;

/// The latest time in a stream, in milliseconds: a year. Microphones stay open for long, and
/// every sum of such times is far from overflow.
pub const MAX_MILLISECONDS: u64 = 366 * 24 * 3_600_000;

/// Most bytes of a worker's frame, which a segment with all its words may take.
pub const MAX_ANSWER_BYTES: usize = 32 << 10;

/// Sound between two messages of [`FromWorker::Heard`], in samples at 16 kHz: 10 s.
pub const HEARD_SAMPLES: u64 = 160_000;

/// Most phrases of a tuning: those of a few command lists together.
pub const MAX_PHRASES: usize = 256;

/// Most bytes of a phrase.
pub const MAX_PHRASE_BYTES: usize = 200;

/// The shortest silence that may end an utterance, in milliseconds: within words there are
/// pauses of a tenth of a second and more.
pub const MIN_LIVE_SILENCE: u16 = 200;

/// The longest silence that may end an utterance, in milliseconds.
pub const MAX_LIVE_SILENCE: u16 = 5_000;
