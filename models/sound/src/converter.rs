//! Interleaved sound of any rate and channel count, pushed in, 16 kHz mono out.

use crate::MAXIMUM_CHANNELS;
use crate::error::{SoundError, check_channels};
use crate::resampler::Resampler;

/// Frames that are mixed at a time, which bounds the scratch memory whatever a caller pushes.
const BLOCK_FRAMES: usize = 1024;

/// Checks, mixes down and resamples what is pushed: the way in for sound that arrives on its own
/// (a microphone, a websocket).
///
/// - Channels are mixed by their mean; one channel passes as it is.
/// - A sample that is NaN or infinite is an error that names its place.
/// - A finite sample beyond ±1 (floating point files may hold them) is clamped to ±1, as a
///   loudspeaker's converter would, and counted in [`clamped`](Self::clamped); the resampler's
///   overshoot is clamped too. So everything handed out is finite and within ±1.
/// - How the input is split over pushes, even inside a frame, does not change one bit.
///
/// ```
/// let mut converter = earnest_sound::Converter::new(44_100, 2)?;
/// let mut out = Vec::new();
/// converter.push(&[0.5, -0.5].repeat(44_100), &mut out)?;
/// converter.finish(&mut out)?;
/// assert_eq!(out.len(), 16_000);
/// # Ok::<(), earnest_sound::SoundError>(())
/// ```
pub struct Converter {
    channels: usize,
    resampler: Resampler,
    mono: Vec<f32>,
    /// The samples of a frame that is not whole yet: fewer than `channels`.
    partial: Vec<f32>,
    frames: u64,
    clamped: u64,
}

impl Converter {
    /// A converter for sound at `rate` Hz in `channels` interleaved channels.
    ///
    /// # Errors
    /// [`SoundError::SampleRate`] and [`SoundError::Channels`] where they are out of bounds.
    pub fn new(rate: u32, channels: u32) -> Result<Converter, SoundError> {
        check_channels(channels)?;
        Ok(Converter {
            channels: channels as usize,
            resampler: Resampler::new(rate)?,
            mono: Vec::with_capacity(BLOCK_FRAMES),
            partial: Vec::with_capacity(MAXIMUM_CHANNELS as usize),
            frames: 0,
            clamped: 0,
        })
    }

    /// Takes interleaved samples and appends the 16 kHz samples that they complete to `out`.
    ///
    /// # Errors
    /// [`SoundError::NotFinite`] names the first bad sample; the frames before it have been taken.
    pub fn push(&mut self, interleaved: &[f32], out: &mut Vec<f32>) -> Result<(), SoundError> {
        let start = out.len();
        let result = self.take(interleaved, out);
        for sample in &mut out[start..] {
            *sample = sample.clamp(-1.0, 1.0);
        }
        result
    }

    /// As [`push`](Self::push), for 16-bit samples, where `-32768` is -1.
    pub fn push_i16(&mut self, interleaved: &[i16], out: &mut Vec<f32>) {
        let mut block = [0.0; BLOCK_FRAMES];
        for samples in interleaved.chunks(BLOCK_FRAMES) {
            for (to, from) in block.iter_mut().zip(samples) {
                *to = f32::from(*from) / 32768.0;
            }
            self.push(&block[..samples.len()], out)
                .expect("a 16-bit integer is a finite number");
        }
    }

    /// Appends the resampler's tail and makes the converter ready for another stream.
    ///
    /// # Errors
    /// [`SoundError::Truncated`] where the last frame lacks channels; it has been dropped.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), SoundError> {
        let start = out.len();
        self.resampler.finish(out);
        for sample in &mut out[start..] {
            *sample = sample.clamp(-1.0, 1.0);
        }
        let decoded = std::mem::take(&mut self.frames);
        if self.partial.is_empty() {
            Ok(())
        } else {
            self.partial.clear();
            Err(SoundError::Truncated {
                declared: None,
                decoded,
            })
        }
    }

    /// Frames taken since the start of the stream.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Input samples beyond ±1 that were clamped, over all streams.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    fn take(&mut self, mut interleaved: &[f32], out: &mut Vec<f32>) -> Result<(), SoundError> {
        if !self.partial.is_empty() {
            let missing = (self.channels - self.partial.len()).min(interleaved.len());
            self.partial.extend_from_slice(&interleaved[..missing]);
            interleaved = &interleaved[missing..];
            if self.partial.len() < self.channels {
                return Ok(());
            }
            let frame = std::mem::take(&mut self.partial);
            let result = self.mix(&frame, out);
            self.partial = frame;
            self.partial.clear();
            result?;
        }
        let whole = interleaved.len() - interleaved.len() % self.channels;
        for block in interleaved[..whole].chunks(BLOCK_FRAMES * self.channels) {
            self.mix(block, out)?;
        }
        self.partial.extend_from_slice(&interleaved[whole..]);
        Ok(())
    }

    /// Mixes and resamples whole frames, at most [`BLOCK_FRAMES`].
    fn mix(&mut self, frames: &[f32], out: &mut Vec<f32>) -> Result<(), SoundError> {
        self.mono.clear();
        // The sum of finite samples within ±1 is finite, and one scan without branches is cheap.
        let bad = frames.iter().position(|sample| !sample.is_finite());
        let good = &frames[..bad.map_or(frames.len(), |at| at - at % self.channels)];
        let mut clamped = 0;
        let mut clamp = |sample: f32| {
            clamped += u64::from(sample.abs() > 1.0);
            sample.clamp(-1.0, 1.0)
        };
        match self.channels {
            1 => self.mono.extend(good.iter().map(|&sample| clamp(sample))),
            channels => {
                let scale = 1.0 / channels as f32;
                self.mono.extend(
                    good.chunks_exact(channels)
                        .map(|frame| frame.iter().map(|&s| clamp(s)).sum::<f32>() * scale),
                );
            }
        }
        self.clamped += clamped;
        self.resampler.push(&self.mono, out);
        self.frames += self.mono.len() as u64;
        match bad {
            None => Ok(()),
            Some(at) => Err(SoundError::NotFinite {
                frame: self.frames,
                channel: (at % self.channels) as u32,
            }),
        }
    }
}
