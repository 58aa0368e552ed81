//! How loud sound is.

use serde::{Deserialize, Serialize};

/// What silence has, in decibels below full scale: the step of one bit in sixteen is at -90.3,
/// and nothing is quieter but nothing at all.
pub const SILENCE_DB: f32 = -96.0;

/// How loud a piece of sound is, in decibels below full scale (dBFS): 0 is the loudest that there
/// is, [`SILENCE_DB`] is nothing at all. A sine wave at full scale has an RMS of -3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Of the loudest sample.
    pub peak_db: f32,
    /// Of the root of the mean square.
    pub rms_db: f32,
}

impl Level {
    /// The level of nothing.
    pub const SILENCE: Level = Level {
        peak_db: SILENCE_DB,
        rms_db: SILENCE_DB,
    };
}

/// The level of sound of 16 bits a sample, little endian. Half a sample at the end counts for
/// nothing.
///
/// ```
/// use earnest_audio::level;
///
/// let square = [0x00, 0x40, 0x00, 0xc0]; // half of full scale, up and down
/// assert!((level::of(&square).rms_db - -6.02).abs() < 0.01);
/// ```
pub fn of(pcm: &[u8]) -> Level {
    let (samples, _) = pcm.as_chunks::<2>();
    if samples.is_empty() {
        return Level::SILENCE;
    }
    // Squares of 16 bits are below 2^30, so 2^34 of them would be needed for an overflow.
    let (peak, squares) = samples
        .iter()
        .fold((0u16, 0u64), |(peak, squares), sample| {
            let size = i16::from_le_bytes(*sample).unsigned_abs();
            (peak.max(size), squares + u64::from(size) * u64::from(size))
        });
    let mean = squares as f64 / samples.len() as f64;
    Level {
        peak_db: decibels(f64::from(peak)),
        rms_db: decibels(mean.sqrt()),
    }
}

fn decibels(size: f64) -> f32 {
    let ratio = size / 32_768.0;
    match ratio > 0.0 {
        true => (20.0 * ratio.log10()).max(f64::from(SILENCE_DB)) as f32,
        false => SILENCE_DB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcm(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
        samples.into_iter().flat_map(i16::to_le_bytes).collect()
    }

    fn check(pcm: &[u8], peak: f32, rms: f32) {
        let level = of(pcm);
        assert!((level.peak_db - peak).abs() < 0.05, "{level:?}");
        assert!((level.rms_db - rms).abs() < 0.05, "{level:?}");
    }

    #[test]
    fn nothing_and_silence_are_as_quiet_as_can_be_told() {
        check(&[], SILENCE_DB, SILENCE_DB);
        check(&[7], SILENCE_DB, SILENCE_DB);
        check(&pcm([0; 100]), SILENCE_DB, SILENCE_DB);
    }

    #[test]
    fn full_scale_is_zero_and_a_sine_is_three_below() {
        check(&pcm([i16::MIN; 100]), 0.0, 0.0);
        let sine = (0..1_600).map(|n| {
            let turn = f64::from(n) / 16.0 * std::f64::consts::TAU;
            (turn.sin() * 32_767.0) as i16
        });
        check(&pcm(sine), 0.0, -3.01);
    }

    #[test]
    fn one_click_raises_the_peak_alone() {
        let mut samples = [0i16; 10_000];
        samples[17] = -16_384;
        check(&pcm(samples), -6.02, -46.02);
    }
}
