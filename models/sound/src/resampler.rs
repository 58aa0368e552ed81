//! Band-limited conversion of a mono stream to 16 kHz.
//!
//! A windowed sinc (rubato's) with the cutoff below 8 kHz or the input's own half rate, whichever
//! is lower, so that nothing above folds back into the band of speech.
//!
//! # How exact it is
//! rubato's output frame `k` stands at the input position `(k + 1) r - L/2 + 1/F`, where `r` is
//! input frames for each output frame, `L` the filter's length and `F` its number of phases. For
//! every usual rate `r` is a fraction `p/q` with a small `q`; with `F = q` the phases fall exactly
//! on the positions (a polyphase filter, no interpolation), and leading zeros can be chosen so
//! that some output frame falls exactly on input frame 0. All frames before it are the filter's
//! delay and are dropped. For odd rates the phases are interpolated by a cubic and the position is
//! right to a thousandth of a frame.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters,
    SincInterpolationType, WindowFunction, calculate_cutoff,
};

use crate::SAMPLE_RATE;
use crate::error::{SoundError, check_rate};

/// The filter's length in frames of the slower side. With this window it passes up to 7 kHz
/// within 0.1 dB and suppresses what would fold back by more than 80 dB (the tests hold it to
/// that), for 384 products a sample from 48 kHz.
const LENGTH: u64 = 128;

/// The most filter coefficients (1 MB), which decides whether a rate gets exact phases.
const MAXIMUM_COEFFICIENTS: u64 = 1 << 18;

/// Turns mono samples of one rate into mono samples at [`SAMPLE_RATE`].
///
/// How the input is split over calls does not change one bit of the output. Samples may overshoot
/// the input's range a little, as any band-limited filter's do; a [`Converter`](crate::Converter)
/// clamps them.
///
/// ```
/// let mut resampler = earnest_sound::Resampler::new(48_000)?;
/// let mut out = Vec::new();
/// resampler.push(&[0.25; 4800], &mut out);
/// resampler.finish(&mut out);
/// assert_eq!(out.len(), 1600);
/// # Ok::<(), earnest_sound::SoundError>(())
/// ```
pub struct Resampler {
    rate: u32,
    /// `None` for input that already is at the right rate.
    filter: Option<Filter>,
    pushed: u64,
    produced: u64,
}

impl Resampler {
    /// A resampler for input at `rate` Hz.
    ///
    /// # Errors
    /// [`SoundError::SampleRate`] for a rate out of bounds.
    pub fn new(rate: u32) -> Result<Resampler, SoundError> {
        check_rate(rate)?;
        Ok(Resampler {
            rate,
            filter: (rate != SAMPLE_RATE).then(|| Filter::new(rate)),
            pushed: 0,
            produced: 0,
        })
    }

    /// Takes samples and appends to `out` what they complete; the last some 10 to 50 ms stay
    /// inside until more come or [`finish`](Self::finish) is called.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let before = out.len();
        self.pushed += samples.len() as u64;
        match &mut self.filter {
            None => out.extend_from_slice(samples),
            Some(filter) => filter.push(samples, out),
        }
        self.produced += (out.len() - before) as u64;
    }

    /// Appends the tail, so that the whole output has `round(pushed * 16000 / rate)` samples, and
    /// makes the resampler ready for another stream.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let target = output_length(self.pushed, self.rate);
        if let Some(filter) = &mut self.filter {
            let start = out.len();
            let missing = usize::try_from(target.saturating_sub(self.produced))
                .expect("the tail is shorter than the filter's window");
            // Each round feeds one chunk of silence and yields about a third of a filter or more;
            // the tail is half a filter and one chunk, so this ends after a few rounds.
            let silence = vec![0.0; filter.chunk];
            while out.len() - start < missing {
                filter.push(&silence, out);
            }
            out.truncate(start + missing);
            filter.reset();
        }
        self.pushed = 0;
        self.produced = 0;
    }
}

/// The number of samples at [`SAMPLE_RATE`] that `frames` at `rate` become, rounded to nearest.
pub(crate) fn output_length(frames: u64, rate: u32) -> u64 {
    let exact = (u128::from(frames) * u128::from(SAMPLE_RATE) + u128::from(rate / 2))
        / u128::from(rate.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// The sinc filter with its input gathered into chunks of one size, which is what makes the
/// output independent of how the input was split.
struct Filter {
    inner: Async<f32>,
    chunk: usize,
    pending: Vec<f32>,
    output: Vec<f32>,
    /// Output frames still to drop of the filter's delay.
    delay: usize,
    shape: Shape,
}

impl Filter {
    fn new(rate: u32) -> Filter {
        let shape = Shape::of(rate);
        let parameters = SincInterpolationParameters::new(shape.length, WINDOW)
            // The transition band is as wide as that of a filter of LENGTH on the slower side,
            // so the cutoff is that filter's; rubato scales it to the slower side's half rate.
            .f_cutoff(calculate_cutoff(LENGTH as usize, WINDOW))
            .oversampling_factor(shape.phases)
            .interpolation(shape.interpolation);
        // 20 ms: small enough for live sound, large enough that the call costs nothing.
        let chunk = rate as usize / 50;
        let ratio = f64::from(SAMPLE_RATE) / f64::from(rate);
        let inner = Async::new_sinc(ratio, 1.0, &parameters, chunk, 1, FixedAsync::Input)
            .expect("the ratio of two positive rates is finite and the chunk is not empty");
        let output = vec![0.0; inner.output_frames_max()];
        Filter {
            inner,
            chunk,
            pending: vec![0.0; shape.leading_zeros],
            output,
            delay: shape.delay,
            shape,
        }
    }

    /// Forgets the stream, and keeps the coefficients, which take longer to compute than a second
    /// of sound takes to filter.
    fn reset(&mut self) {
        self.inner.reset();
        self.pending.clear();
        self.pending.resize(self.shape.leading_zeros, 0.0);
        self.delay = self.shape.delay;
    }

    fn push(&mut self, mut samples: &[f32], out: &mut Vec<f32>) {
        // Leading zeros may fill more than one chunk on their own.
        while self.pending.len() + samples.len() >= self.chunk {
            let take = self.chunk.saturating_sub(self.pending.len());
            self.pending.extend_from_slice(&samples[..take]);
            samples = &samples[take..];
            self.process(out);
        }
        self.pending.extend_from_slice(samples);
    }

    /// Runs one chunk from the front of `pending`.
    fn process(&mut self, out: &mut Vec<f32>) {
        let frames = self.output.len();
        let input = InterleavedSlice::new(&self.pending[..self.chunk], 1, self.chunk)
            .expect("the slice holds one channel of a chunk");
        let mut output = InterleavedSlice::new_mut(&mut self.output, 1, frames)
            .expect("the buffer holds one channel of itself");
        let (_, produced) = self
            .inner
            .process_into_buffer(&input, &mut output, Some(&Indexing::new()))
            .expect("both buffers have the sizes that the filter asked for");
        let drop = self.delay.min(produced);
        self.delay -= drop;
        out.extend_from_slice(&self.output[drop..produced]);
        self.pending.drain(..self.chunk);
    }
}

/// Side lobes of -92 dB with the narrowest transition among rubato's windows of that depth.
const WINDOW: WindowFunction = WindowFunction::BlackmanHarris;

/// The filter's shape for one rate.
#[derive(Debug)]
struct Shape {
    length: usize,
    phases: usize,
    interpolation: SincInterpolationType,
    leading_zeros: usize,
    delay: usize,
}

impl Shape {
    fn of(rate: u32) -> Shape {
        let divisor = greatest_common_divisor(rate, SAMPLE_RATE);
        let (p, q) = (u64::from(rate / divisor), u64::from(SAMPLE_RATE / divisor));
        // rubato rounds lengths up to a multiple of 8; the sums below need the true one.
        let length = (LENGTH * p.max(q)).div_ceil(q).next_multiple_of(8);
        let (phases, interpolation) = if q * length <= MAXIMUM_COEFFICIENTS {
            (q, SincInterpolationType::Nearest)
        } else {
            // A longer filter is a smoother one, so fewer phases do between cubics.
            let phases = (LENGTH * 256 / length).clamp(16, 256);
            (phases, SincInterpolationType::Cubic)
        };
        let (delay, leading_zeros) = align(p, q, length, phases);
        Shape {
            length: length as usize,
            phases: phases as usize,
            interpolation,
            leading_zeros: leading_zeros as usize,
            delay: delay as usize,
        }
    }
}

/// Finds the number of output frames to drop and of input zeros to lead with, so that the first
/// frame kept stands as near to input frame 0 as can be: `(delay + 1) p/q + 1/F - L/2` is then the
/// number of zeros.
fn align(p: u64, q: u64, length: u64, phases: u64) -> (u64, u64) {
    let scale = q * phases;
    let position = |delay: u64| ((delay + 1) * p * phases + q).checked_sub(length / 2 * scale);
    let first = (length / 2 * q).div_ceil(p).saturating_sub(1);
    // With F = q one of q neighbouring frames is exact, and without it one is within 1/2q of an
    // input frame; q is at most 16,000, a second of zeros that are filtered once.
    let mut nearest: Option<(u64, u64, u64)> = None;
    for delay in first..first + q {
        let Some(position) = position(delay) else {
            continue;
        };
        let zeros = (position + scale / 2) / scale;
        let error = position.abs_diff(zeros * scale);
        if nearest.is_none_or(|(least, ..)| error < least) {
            nearest = Some((error, delay, zeros));
        }
        // Exact phases of 2,048 at most are either on the frame or further off than this.
        if error * 4096 <= scale {
            break;
        }
    }
    nearest.map_or((first, 0), |(_, delay, zeros)| (delay, zeros))
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
