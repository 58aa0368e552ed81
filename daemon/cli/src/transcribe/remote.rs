//! Reading by the daemon: sound goes over its Unix socket as it is, and segments come back as
//! they end. Nothing of the sound is parsed here.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use earnest_endpoint::client::{ClientError, Kind, Lines, StreamOptions};
use earnest_endpoint::{FlawName, StreamLine};
use earnest_printable::printable;
use earnest_sound::{SampleEncoding, Sound, SoundError};
use earnest_transcript::{Milliseconds, Segment};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use super::Failure;
use crate::arguments::{Input, Size};
use crate::daemon::{Daemon, DaemonError};
use crate::exit::Exit;

/// A daemon that reads.
pub(super) struct Remote(Daemon);

/// Something that the daemon says of the sound.
#[derive(Debug)]
pub(super) enum Told {
    /// Somebody began to speak.
    SpeechStarted,
    /// What was said.
    Segment(Segment),
    /// That was all.
    End {
        /// The length of what was read.
        duration: Milliseconds,
        /// What is wrong with the sound.
        flaw: Option<RemoteFlaw>,
    },
}

/// What is wrong with sound that was read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RemoteFlaw {
    /// It ends before its end.
    #[error("the sound is truncated; what there was is transcribed")]
    Truncated,
    /// The header states another length.
    #[error("the header states another length than the file has; all of it is transcribed")]
    HeaderLength,
}

impl RemoteFlaw {
    /// How the command ends for it.
    pub(super) fn exit(self) -> Exit {
        match self {
            RemoteFlaw::Truncated => Exit::Truncated,
            RemoteFlaw::HeaderLength => Exit::HeaderLength,
        }
    }
}

impl From<FlawName> for RemoteFlaw {
    fn from(name: FlawName) -> RemoteFlaw {
        match name {
            FlawName::Truncated => RemoteFlaw::Truncated,
            FlawName::HeaderLength => RemoteFlaw::HeaderLength,
        }
    }
}

impl Remote {
    /// This daemon, if it serves the model that was asked for.
    pub(super) fn new(daemon: Daemon, size: Option<Size>) -> Result<Remote, DaemonError> {
        if let Some(size) = size {
            let expected = size.served();
            let names = daemon.ask(daemon.client().models())?;
            if !names.iter().any(|name| name == expected) {
                let found = names.into_iter().next();
                return Err(DaemonError::OtherModel {
                    expected,
                    found: found.unwrap_or_else(|| "nothing".to_owned()),
                });
            }
        }
        Ok(Remote(daemon))
    }

    /// Begins to send an input.
    pub(super) fn begin(&self, input: &Input, words: bool) -> Result<Reading, Failure> {
        let sent = Arc::new(AtomicU64::new(0));
        let (kind, source, length) = match input {
            Input::File(path) => {
                let (file, length) = self.open(path)?;
                (Kind::File, Source::File(file), length)
            }
            Input::Standard => (Kind::File, Source::Standard(tokio::io::stdin()), None),
            Input::Raw { rate, channels } => {
                let kind = raw(*rate, *channels)?;
                (kind, Source::Standard(tokio::io::stdin()), None)
            }
        };
        let sound = Counted {
            source,
            sent: Arc::clone(&sent),
        };
        let options = StreamOptions { kind, words };
        let lines = self.0.ask(self.0.client().stream(options, sound))?;
        Ok(Reading {
            lines,
            sent,
            length,
        })
    }

    /// A file and its length, if it has one: with the errors that reading it here would have.
    fn open(&self, path: &Path) -> Result<(File, Option<u64>), SoundError> {
        let failed = |source| SoundError::Open {
            path: path.to_owned(),
            source,
        };
        self.0.wait(async {
            let file = File::open(path).await.map_err(failed)?;
            let about = file.metadata().await.map_err(failed)?;
            if about.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            match about.is_file().then_some(about.len()) {
                Some(0) => Err(SoundError::Empty),
                length => Ok((file, length)),
            }
        })
    }
}

/// A segment as it may stand in a terminal and in a cue, whoever it is that answers at the socket.
fn shown(mut segment: Segment) -> Segment {
    segment.text = printable(&segment.text);
    for word in &mut segment.words {
        word.text = printable(&word.text);
    }
    segment
}

/// Raw sound, if its rate and channels are within the bounds that hold here, too.
fn raw(rate: u32, channels: u32) -> Result<Kind, SoundError> {
    Sound::raw(io::empty(), SampleEncoding::S16Le, rate, channels)?;
    Ok(Kind::Raw {
        rate,
        // Sound has far fewer channels than this, or there was an error before.
        channels: u16::try_from(channels).unwrap_or(u16::MAX),
        float: false,
    })
}

/// An input on its way, and what comes of it.
pub(super) struct Reading {
    lines: Lines,
    sent: Arc<AtomicU64>,
    length: Option<u64>,
}

impl Reading {
    /// The next that the daemon says. There is nothing after an end or an error.
    pub(super) fn next(&mut self, remote: &Remote) -> Result<Told, DaemonError> {
        let line = loop {
            match remote.0.ask(self.lines.next())? {
                // Told to those who ask for them.
                Some(StreamLine::Partial(_) | StreamLine::SpeechStopped { .. }) => continue,
                line => break line,
            }
        };
        match line {
            Some(StreamLine::SpeechStarted { .. }) => Ok(Told::SpeechStarted),
            Some(StreamLine::Segment(segment)) => Ok(Told::Segment(shown(segment.segment()))),
            Some(StreamLine::Done { duration, flaw }) => Ok(Told::End {
                duration: milliseconds(duration),
                flaw: flaw.map(RemoteFlaw::from),
            }),
            // The client makes an error of an error's line, and there is no line after an end.
            Some(_) | None => Err(DaemonError::Failed(ClientError::BrokeOff)),
        }
    }

    /// How much of the input has been taken, from 0 to 1, where its length is known.
    pub(super) fn share(&self) -> Option<f64> {
        let sent = self.sent.load(Ordering::Relaxed);
        self.length.map(|length| sent as f64 / length as f64)
    }
}

/// Seconds in whole milliseconds. Casting saturates, and takes what is no number for zero.
fn milliseconds(seconds: f64) -> Milliseconds {
    Milliseconds((seconds * 1000.0).round() as u64)
}

/// Where sound comes from.
enum Source {
    File(File),
    Standard(tokio::io::Stdin),
}

/// Sound, with a count of the bytes that were taken.
struct Counted {
    source: Source,
    sent: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = match &mut self.source {
            Source::File(file) => Pin::new(file).poll_read(context, buffer),
            Source::Standard(standard) => Pin::new(standard).poll_read(context, buffer),
        };
        let taken = buffer.filled().len().saturating_sub(before) as u64;
        self.sent.fetch_add(taken, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_sound_has_the_bounds_that_it_has_here() {
        let kind = raw(8_000, 2).unwrap();
        let expected = Kind::Raw {
            rate: 8_000,
            channels: 2,
            float: false,
        };
        assert_eq!(kind, expected);
        for (rate, channels) in [(0, 1), (8_000, 0), (8_000, 70_000)] {
            let refused = raw(rate, channels);
            assert!(refused.is_err(), "{rate} Hz, {channels} channels");
        }
    }

    #[test]
    fn a_file_that_cannot_be_sent_fails_as_it_does_here() {
        let remote = Remote(Daemon::at("/nowhere").unwrap());
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.wav");
        std::fs::write(&empty, "").unwrap();
        let exit = |path: &Path| Exit::from(&remote.open(path).err().unwrap());
        assert_eq!(exit(&folder.path().join("none.wav")), Exit::NotOpened);
        assert_eq!(exit(folder.path()), Exit::NotOpened);
        assert_eq!(exit(&empty), Exit::Empty);
    }

    #[test]
    fn no_number_of_seconds_overflows() {
        assert_eq!(milliseconds(1.234_5), Milliseconds(1_235));
        assert_eq!(milliseconds(f64::NAN), Milliseconds(0));
        assert_eq!(milliseconds(f64::INFINITY), Milliseconds(u64::MAX));
    }
}
