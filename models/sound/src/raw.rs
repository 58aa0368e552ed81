//! Raw signed 16-bit little-endian samples from anything that can be read.

use std::io::{ErrorKind, Read};

use crate::converter::Converter;
use crate::error::SoundError;
use crate::source::{Report, Status};

/// Bytes that one call reads at most: a quarter of a second of 16 kHz mono, so that a live pipe is
/// answered soon and a file is read in few calls.
const BLOCK_BYTES: usize = 8192;

/// Raw s16le PCM: what `earnest transcribe -` and a chunked upload read.
///
/// ```
/// use earnest_sound::{RawPcm, Status};
///
/// let bytes: &[u8] = &[0, 64, 0, 192]; // +0.5, -0.5
/// let mut pcm = RawPcm::new(bytes, 16_000, 1)?;
/// let mut samples = Vec::new();
/// while pcm.read(&mut samples)? == Status::More {}
/// assert_eq!(samples, [0.5, -0.5]);
/// # Ok::<(), earnest_sound::SoundError>(())
/// ```
pub struct RawPcm<R> {
    reader: R,
    converter: Converter,
    /// The first half of a sample whose second has not come.
    half: Option<u8>,
    frames: u64,
    samples: u64,
    ended: bool,
    pending: Option<SoundError>,
}

impl<R: Read> RawPcm<R> {
    /// Reads samples at `rate` Hz in `channels` interleaved channels.
    ///
    /// # Errors
    /// [`SoundError::SampleRate`] and [`SoundError::Channels`] where they are out of bounds.
    pub fn new(reader: R, rate: u32, channels: u32) -> Result<RawPcm<R>, SoundError> {
        Ok(RawPcm {
            reader,
            converter: Converter::new(rate, channels)?,
            half: None,
            frames: 0,
            samples: 0,
            ended: false,
            pending: None,
        })
    }

    /// Reads once and appends the 16 kHz mono samples that came of it to `out`, possibly none.
    ///
    /// # Errors
    /// [`SoundError::Read`]; [`SoundError::Empty`] for a stream without a byte; and
    /// [`SoundError::Truncated`] for one that ends inside a frame. Each comes after all the sound.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<Status, SoundError> {
        if self.ended {
            return match self.pending.take() {
                Some(error) => Err(error),
                None => Ok(Status::End),
            };
        }
        let before = out.len();
        let mut bytes = [0; BLOCK_BYTES];
        match self.reader.read(&mut bytes) {
            Ok(0) => self.end(None, out),
            Ok(count) => self.push(&bytes[..count], out),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.end(Some(SoundError::Read(error)), out),
        }
        self.samples += (out.len() - before) as u64;
        Ok(Status::More)
    }

    /// What has been read so far.
    pub fn report(&self) -> Report {
        Report {
            frames: self.frames,
            samples: self.samples,
            skipped: 0,
            clamped: 0,
        }
    }

    fn push(&mut self, mut bytes: &[u8], out: &mut Vec<f32>) {
        if let (Some(low), Some((&high, rest))) = (self.half, bytes.split_first()) {
            self.converter
                .push_i16(&[i16::from_le_bytes([low, high])], out);
            self.half = None;
            bytes = rest;
        }
        let pairs = bytes.chunks_exact(2);
        if let [odd] = pairs.remainder() {
            self.half = Some(*odd);
        }
        let samples: Vec<i16> = pairs.map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        self.converter.push_i16(&samples, out);
        self.frames = self.converter.frames();
    }

    fn end(&mut self, error: Option<SoundError>, out: &mut Vec<f32>) {
        self.ended = true;
        let frames = self.frames;
        let cut = self.converter.finish(out).err();
        let half = self.half.take().map(|_| SoundError::Truncated {
            declared: None,
            decoded: frames,
        });
        let empty = (frames == 0).then_some(SoundError::Empty);
        self.pending = error.or(cut).or(half).or(empty);
    }
}
