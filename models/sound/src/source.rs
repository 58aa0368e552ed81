//! A file or stream of any format as blocks of 16 kHz mono.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::container::Container;
use crate::converter::Converter;
use crate::decoding::{Decoding, Shape};
use crate::error::SoundError;
use crate::input::Input;

/// Changes of rate or channel count in one file: each makes a resampler anew. Chained radio
/// recordings have some; one at each packet is an attack.
const MAXIMUM_CHANGES: u32 = 1024;

/// Whether there may be more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "reading goes on until the end"]
pub enum Status {
    /// Samples may have been appended and more may come.
    More,
    /// All has been handed out; further calls say the same.
    End,
}

/// What a file says of itself, checked against its first decoded block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The container's name: "WAV", "AIFF", "FLAC", "MP3", "Ogg", "M4A", "AAC".
    pub format: &'static str,
    /// The codec's short name in lower case: "pcm_s16le", "flac", "mp3", "vorbis", "aac".
    pub codec: &'static str,
    /// The input's rate in Hz.
    pub sample_rate: u32,
    /// The input's channels.
    pub channels: u32,
    /// The frames that the header promises, where it does; a promise, which [`Source::read`]
    /// checks at the end.
    pub length_frames: Option<u64>,
}

/// What has been read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Input frames decoded.
    pub frames: u64,
    /// Samples at 16 kHz handed out.
    pub samples: u64,
    /// Damaged packets that were passed over, with silence in their place where their length is
    /// known.
    pub skipped: u64,
    /// Input samples beyond ±1 that were clamped.
    pub clamped: u64,
}

/// Reads sound of any format as 16 kHz mono, in bounded memory.
///
/// A panic inside a decoder is caught here and becomes [`SoundError::Panicked`]: a last resort for
/// mistakes in third-party parsers that a stranger's file may provoke, so that one file costs one
/// error and not the process. (The panic's message still goes to the process's panic hook.)
pub struct Source {
    info: Info,
    decoding: Option<Decoding>,
    converter: Converter,
    shape: Shape,
    /// The block decoded while opening has not been handed out yet.
    primed: bool,
    /// Frames before the last change of shape.
    base: u64,
    clamped: u64,
    changes: u32,
    report: Report,
    total_bytes: Option<u64>,
    pending: Option<SoundError>,
}

impl Source {
    /// Opens a file; its format is told by its first bytes, not by its name. What cannot seek (a
    /// named pipe) is read as a stream.
    ///
    /// # Errors
    /// Every variant of [`SoundError`]; the first block is decoded here, so that a file without a
    /// single sample fails now.
    pub fn open(path: &Path) -> Result<Source, SoundError> {
        let failed = |source| SoundError::Open {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        if metadata.is_file() {
            Source::from_seekable(file)
        } else {
            Source::from_reader(file)
        }
    }

    /// Reads a stream forward. M4A files with their index at the end need
    /// [`from_seekable`](Self::from_seekable); everything else reads as well from here, but for
    /// the stated length of Ogg.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_reader(reader: impl Read + Send + 'static) -> Result<Source, SoundError> {
        guarded("sound", || Source::build(Input::stream(Box::new(reader))))
    }

    /// Reads anything that can seek, from its very start.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_seekable(reader: impl Read + Seek + Send + 'static) -> Result<Source, SoundError> {
        let input = Input::seekable(Box::new(reader)).map_err(SoundError::Read)?;
        guarded("sound", || Source::build(input))
    }

    /// What the file says of itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// What has been read so far.
    pub fn report(&self) -> Report {
        Report {
            clamped: self.clamped + self.converter.clamped(),
            ..self.report
        }
    }

    /// The part of the file's bytes that has been read, from 0 to 1; `None` for a stream.
    pub fn progress(&self) -> Option<f64> {
        let total = self.total_bytes.filter(|&total| total > 0)?;
        let Some(decoding) = &self.decoding else {
            return Some(1.0);
        };
        Some((decoding.demuxer.watch.position() as f64 / total as f64).min(1.0))
    }

    /// Decodes one packet and appends its 16 kHz mono samples to `out`, possibly none; a packet
    /// is a tenth of a second of most formats and 65,535 frames at most.
    ///
    /// # Errors
    /// Once, after all the sound before it: [`SoundError::Truncated`] and
    /// [`SoundError::HeaderLength`] (what was handed out is good),
    /// [`SoundError::NotFinite`], [`SoundError::Decode`], [`SoundError::Read`],
    /// [`SoundError::Panicked`], and the bounds on rate and channels where a file changes them on
    /// its way. Calls after that return [`Status::End`].
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<Status, SoundError> {
        let Some(mut decoding) = self.decoding.take() else {
            return self.pending.take().map_or(Ok(Status::End), Err);
        };
        let before = out.len();
        let format = self.info.format;
        match guarded(format, || self.step(&mut decoding, out)) {
            Ok(true) => self.decoding = Some(decoding),
            Ok(false) => self.finish(None, out),
            // A decoder that panicked is dropped, whatever state it is in.
            Err(error) => self.finish(Some(error), out),
        }
        self.report.samples += (out.len() - before) as u64;
        Ok(Status::More)
    }

    fn build(mut input: Input) -> Result<Source, SoundError> {
        let total_bytes = input.length();
        let container = Container::detect(&mut input)?;
        let mut decoding = Decoding::open(input, container)?;
        let Some(shape) = decoding.next_block()? else {
            return Err(SoundError::NoSamples {
                format: container.name(),
            });
        };
        let info = Info {
            format: container.name(),
            codec: decoding.codec(),
            sample_rate: shape.rate,
            channels: shape.channels,
            length_frames: decoding.demuxer.declared,
        };
        Ok(Source {
            info,
            converter: Converter::new(shape.rate, shape.channels)?,
            shape,
            decoding: Some(decoding),
            primed: true,
            base: 0,
            clamped: 0,
            changes: 0,
            report: Report::default(),
            total_bytes,
            pending: None,
        })
    }

    /// Hands one block on; `false` at the end.
    fn step(&mut self, decoding: &mut Decoding, out: &mut Vec<f32>) -> Result<bool, SoundError> {
        if !std::mem::take(&mut self.primed) {
            let Some(shape) = decoding.next_block()? else {
                return Ok(false);
            };
            if shape != self.shape {
                self.change(shape, out)?;
            }
        }
        let base = self.base;
        let pushed = self.converter.push(&decoding.interleaved, out);
        self.report.frames = base + self.converter.frames();
        self.report.skipped = decoding.skipped;
        pushed.map_err(|error| match error {
            SoundError::NotFinite { frame, channel } => SoundError::NotFinite {
                frame: base + frame,
                channel,
            },
            error => error,
        })?;
        Ok(true)
    }

    /// Goes on with another rate or channel count.
    fn change(&mut self, shape: Shape, out: &mut Vec<f32>) -> Result<(), SoundError> {
        self.changes += 1;
        if self.changes > MAXIMUM_CHANGES {
            return Err(SoundError::Decode {
                frame: self.report.frames,
                reason: format!("more than {MAXIMUM_CHANGES} changes of rate or channels"),
            });
        }
        self.base = self.report.frames;
        self.converter.finish(out)?;
        self.clamped += self.converter.clamped();
        self.converter = Converter::new(shape.rate, shape.channels)?;
        self.shape = shape;
        Ok(())
    }

    fn finish(&mut self, error: Option<SoundError>, out: &mut Vec<f32>) {
        let cut = self.converter.finish(out).err();
        self.pending = error.or(cut);
    }
}

/// Runs `work` and turns a panic into an error. Whoever calls this drops what `work` touched.
fn guarded<T>(
    format: &'static str,
    work: impl FnOnce() -> Result<T, SoundError>,
) -> Result<T, SoundError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(SoundError::Panicked { format }))
}

/// Decodes a file that is in memory, at most `limit` samples (and one packet) of it: the face that
/// the fuzzer drives, and a convenience for short clips.
///
/// # Errors
/// As [`Source::read`]; the samples before the error stay in `out`.
pub fn decode_bytes(bytes: &[u8], limit: usize, out: &mut Vec<f32>) -> Result<Info, SoundError> {
    let mut source = Source::from_seekable(Cursor::new(bytes.to_vec()))?;
    let before = out.len();
    while out.len() - before < limit {
        if source.read(out)? == Status::End {
            break;
        }
    }
    Ok(source.info)
}
