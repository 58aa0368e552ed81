//! Raw samples from anything that can be read.

use std::io::{ErrorKind, Read};

use crate::converter::Converter;
use crate::error::SoundError;
use crate::source::{Report, Status};

/// Bytes that one call reads at most: a quarter of a second of 16 kHz mono, so that a live pipe is
/// answered soon and a file is read in few calls.
const BLOCK_BYTES: usize = 8192;

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleEncoding {
    /// Signed 16 bits, little endian.
    S16Le,
    /// Floating point of 32 bits, little endian, full scale at ±1.
    F32Le,
}

impl SampleEncoding {
    /// Bytes of a sample.
    const fn bytes(self) -> usize {
        match self {
            SampleEncoding::S16Le => 2,
            SampleEncoding::F32Le => 4,
        }
    }
}

/// Raw PCM: what `earnest transcribe -` and a chunked upload read.
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
    encoding: SampleEncoding,
    converter: Converter,
    /// The first bytes of a sample whose last have not come.
    cut: Vec<u8>,
    frames: u64,
    samples: u64,
    ended: bool,
    pending: Option<SoundError>,
}

impl<R: Read> RawPcm<R> {
    /// Reads samples of signed 16 bits at `rate` Hz in `channels` interleaved channels.
    ///
    /// # Errors
    /// [`SoundError::SampleRate`] and [`SoundError::Channels`] where they are out of bounds.
    pub fn new(reader: R, rate: u32, channels: u32) -> Result<RawPcm<R>, SoundError> {
        RawPcm::encoded(reader, SampleEncoding::S16Le, rate, channels)
    }

    /// Reads samples at `rate` Hz in `channels` interleaved channels.
    ///
    /// # Errors
    /// As [`RawPcm::new`].
    pub fn encoded(
        reader: R,
        encoding: SampleEncoding,
        rate: u32,
        channels: u32,
    ) -> Result<RawPcm<R>, SoundError> {
        Ok(RawPcm {
            reader,
            encoding,
            converter: Converter::new(rate, channels)?,
            cut: Vec::new(),
            frames: 0,
            samples: 0,
            ended: false,
            pending: None,
        })
    }

    /// Reads once and appends the 16 kHz mono samples that came of it to `out`, possibly none.
    ///
    /// # Errors
    /// [`SoundError::Read`]; [`SoundError::Empty`] for a stream without a byte;
    /// [`SoundError::NotFinite`] for a sample that is no number, with which the stream ends; and
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
            Ok(count) => {
                if let Err(error) = self.push(&bytes[..count], out) {
                    self.end(Some(error), out);
                }
            }
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

    fn push(&mut self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), SoundError> {
        // A sample's first bytes may have come with the last block.
        let mut whole = std::mem::take(&mut self.cut);
        whole.extend_from_slice(bytes);
        let size = self.encoding.bytes();
        self.cut = whole.split_off(whole.len() / size * size);
        let samples = whole.chunks_exact(size);
        match self.encoding {
            SampleEncoding::S16Le => {
                let samples: Vec<i16> = samples.map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
                self.converter.push_i16(&samples, out);
            }
            SampleEncoding::F32Le => {
                let samples: Vec<f32> = samples
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect();
                self.converter.push(&samples, out)?;
            }
        }
        self.frames = self.converter.frames();
        Ok(())
    }

    fn end(&mut self, error: Option<SoundError>, out: &mut Vec<f32>) {
        self.ended = true;
        let frames = self.frames;
        let cut = self.converter.finish(out).err();
        let inside = !std::mem::take(&mut self.cut).is_empty();
        let half = inside.then_some(SoundError::Truncated {
            declared: None,
            decoded: frames,
        });
        let empty = (frames == 0).then_some(SoundError::Empty);
        self.pending = error.or(cut).or(half).or(empty);
    }
}
