//! How loud it is, ten times a second.

use earnest_audio::{Level, level};

use crate::backlog::frames;

/// Levels in a second of sound.
const A_SECOND: u64 = 10;

/// Takes pieces of sound together until they last a tenth of a second.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    frames: u64,
    peak_db: f32,
    /// The sum of frames, each as strong as its piece's mean.
    power: f64,
}

impl Meter {
    /// Measures one more piece, and says how loud the last tenth of a second was when it is one.
    pub(crate) fn measure(&mut self, pcm: &[u8], rate: u32) -> Option<Level> {
        let piece = level::of(pcm);
        let count = frames(pcm.len());
        self.peak_db = match self.frames {
            0 => piece.peak_db,
            _ => self.peak_db.max(piece.peak_db),
        };
        self.frames += count;
        self.power += 10_f64.powf(f64::from(piece.rms_db) / 10.0) * count as f64;
        if self.frames * A_SECOND < u64::from(rate) || self.frames == 0 {
            return None;
        }
        let mean = self.power / self.frames as f64;
        let level = Level {
            peak_db: self.peak_db,
            rms_db: ((10.0 * mean.log10()) as f32).max(level::SILENCE_DB),
        };
        *self = Meter::default();
        Some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcm(samples: &[i16]) -> Vec<u8> {
        samples.iter().copied().flat_map(i16::to_le_bytes).collect()
    }

    #[test]
    fn pieces_count_by_their_length() {
        let mut meter = Meter::default();
        // 60 frames at half of full scale, 40 of nothing: their mean square is 0.15.
        assert_eq!(meter.measure(&pcm(&[16_384; 60]), 1_000), None);
        let level = meter.measure(&pcm(&[0; 40]), 1_000).unwrap();
        assert!((level.peak_db + 6.02).abs() < 0.01);
        assert!((level.rms_db + 8.24).abs() < 0.01);
        // What was loud is over.
        let silence = meter.measure(&pcm(&[0; 100]), 1_000);
        assert_eq!(silence, Some(Level::SILENCE));
        assert_eq!(meter.measure(&[], 0), None);
    }
}
