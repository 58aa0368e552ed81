//! Sound files made in memory, and the sweep that the fixtures hold.
#![allow(dead_code)] // Each test program uses its own part.

use earnest_sound::{Info, SoundError, Source, Status};
use std::io::Cursor;

/// The sweep of the fixtures, from 300 Hz to 1,900 Hz in a second, its level going up and down.
pub(crate) fn sweep(rate: u32, frames: usize) -> Vec<f64> {
    sweep_from(0.0, rate, frames)
}

/// The sweep from `start` seconds on; nothing is before 0.
pub(crate) fn sweep_from(start: f64, rate: u32, frames: usize) -> Vec<f64> {
    use std::f64::consts::TAU;
    (0..frames)
        .map(|frame| {
            let t = (start + frame as f64 / f64::from(rate)).max(0.0);
            let level = 0.4 * (0.6 + 0.4 * (TAU * 3.0 * t).sin());
            level * (TAU * (300.0 * t + 800.0 * t * t)).sin()
        })
        .collect()
}

/// A WAV header field by field, so that a test can lie in any of them.
#[derive(Clone)]
pub(crate) struct Wave {
    pub(crate) tag: u16,
    pub(crate) channels: u16,
    pub(crate) rate: u32,
    pub(crate) bits: u16,
    pub(crate) data: Vec<u8>,
    /// Stand-ins for the two true lengths.
    pub(crate) riff_bytes: Option<u32>,
    pub(crate) data_bytes: Option<u32>,
    /// Chunks after the samples.
    pub(crate) trailer: Vec<u8>,
}

impl Wave {
    pub(crate) fn pcm16(rate: u32, channels: u16, samples: &[i16]) -> Wave {
        Wave {
            tag: 1,
            channels,
            rate,
            bits: 16,
            data: samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
            riff_bytes: None,
            data_bytes: None,
            trailer: Vec::new(),
        }
    }

    pub(crate) fn float(rate: u32, channels: u16, samples: &[f32]) -> Wave {
        Wave {
            tag: 3,
            bits: 32,
            data: samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
            ..Wave::pcm16(rate, channels, &[])
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let block = self.channels.wrapping_mul(self.bits / 8);
        let data = self.data_bytes.unwrap_or(self.data.len() as u32);
        let whole = (36 + self.data.len() + self.trailer.len()) as u32;
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend(self.riff_bytes.unwrap_or(whole).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16u32.to_le_bytes());
        bytes.extend(self.tag.to_le_bytes());
        bytes.extend(self.channels.to_le_bytes());
        bytes.extend(self.rate.to_le_bytes());
        bytes.extend(self.rate.wrapping_mul(u32::from(block)).to_le_bytes());
        bytes.extend(block.to_le_bytes());
        bytes.extend(self.bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(data.to_le_bytes());
        bytes.extend(&self.data);
        bytes.extend(&self.trailer);
        bytes
    }
}

/// An AIFF (or, with a compression, AIFF-C) file; `frames` as the common chunk shall have it.
pub(crate) fn aiff(
    rate: u32,
    channels: u16,
    bits: u16,
    compression: Option<&[u8; 4]>,
    frames: u32,
    data: &[u8],
) -> Vec<u8> {
    let mut common = Vec::new();
    common.extend(channels.to_be_bytes());
    common.extend(frames.to_be_bytes());
    common.extend(bits.to_be_bytes());
    common.extend(extended(rate));
    if let Some(compression) = compression {
        common.extend(compression);
        common.extend([0, 0]); // An empty name and its padding.
    }
    let mut chunks = Vec::new();
    chunks.extend(b"COMM");
    chunks.extend((common.len() as u32).to_be_bytes());
    chunks.extend(common);
    chunks.extend(b"SSND");
    chunks.extend((data.len() as u32 + 8).to_be_bytes());
    chunks.extend([0; 8]);
    chunks.extend(data);
    let mut bytes = b"FORM".to_vec();
    bytes.extend((chunks.len() as u32 + 4).to_be_bytes());
    bytes.extend(if compression.is_some() {
        b"AIFC"
    } else {
        b"AIFF"
    });
    bytes.extend(chunks);
    bytes
}

/// A whole number as an 80-bit extended one.
fn extended(value: u32) -> [u8; 10] {
    let mut bytes = [0; 10];
    if value > 0 {
        let shift = value.leading_zeros();
        let exponent = 16_383 + 31 - shift as u16;
        bytes[..2].copy_from_slice(&exponent.to_be_bytes());
        bytes[2..6].copy_from_slice(&(value << shift).to_be_bytes());
    }
    bytes
}

/// Everything that came out of a file.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) info: Option<Info>,
    pub(crate) samples: Vec<f32>,
    pub(crate) error: Option<SoundError>,
}

/// Reads a source to its end and past its error, if it has one.
pub(crate) fn drain(source: Result<Source, SoundError>) -> Outcome {
    let mut samples = Vec::new();
    let mut source = match source {
        Ok(source) => source,
        Err(error) => {
            return Outcome {
                info: None,
                samples,
                error: Some(error),
            };
        }
    };
    let mut error = None;
    loop {
        match source.read(&mut samples) {
            Ok(Status::More) => {}
            Ok(Status::End) => break,
            Err(found) => {
                assert!(error.is_none(), "an error is reported once");
                error = Some(found);
            }
        }
    }
    assert_eq!(source.report().samples, samples.len() as u64);
    Outcome {
        info: Some(source.info().clone()),
        samples,
        error,
    }
}

/// Reads a file in memory.
pub(crate) fn read(bytes: &[u8]) -> Outcome {
    drain(Source::from_seekable(Cursor::new(bytes.to_vec())))
}

/// Reads the same bytes as a stream that cannot seek.
pub(crate) fn read_stream(bytes: &[u8]) -> Outcome {
    drain(Source::from_reader(Dribble(Cursor::new(bytes.to_vec()))))
}

/// A stream that gives few bytes at a time, as a pipe may.
struct Dribble(Cursor<Vec<u8>>);

impl std::io::Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(997);
        self.0.read(&mut buffer[..count])
    }
}

/// The signal-to-noise ratio in dB of `found` against `expected`.
pub(crate) fn signal_to_noise(expected: &[f64], found: &[f32]) -> f64 {
    let signal: f64 = expected.iter().map(|e| e * e).sum();
    let noise: f64 = expected
        .iter()
        .zip(found)
        .map(|(e, f)| (e - f64::from(*f)).powi(2))
        .sum();
    10.0 * (signal / noise.max(1e-30)).log10()
}
