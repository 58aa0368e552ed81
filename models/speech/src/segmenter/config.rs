//! Where the segmenter draws its lines.

use crate::vad::FRAME_SAMPLES;
use crate::{MAX_SEGMENT_SAMPLES, SAMPLE_RATE};

/// Settings as a person writes them; [`SegmenterOptions::check`] makes a
/// [`SegmenterConfig`] of them. Lengths are samples at 16 kHz and are rounded up to whole
/// frames of the detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmenterOptions {
    /// A frame of at least this probability begins a segment. Low, because a lost word costs
    /// more than a look at a noise, which the [guard](crate::Reason) then drops: of 537
    /// recorded words and sentences at full level none is lost, at -30 dBFS none.
    pub onset: f32,
    /// A frame of at least this probability goes on with the segment that is open. Below
    /// `onset`, so that weak syllables do not end one.
    pub offset: f32,
    /// How much sound before the first frame of speech belongs to the segment. A third of a
    /// second less costs 4 % more word errors, as clipped onsets do.
    pub pre_roll: usize,
    /// How much sound after the last frame of speech belongs to the segment.
    pub post_roll: usize,
    /// This much without speech ends a segment. Long is better for recorded sound: the model
    /// reads a phrase better together with its neighbours, and people who read aloud pause
    /// for more than a second. The live path wants it short.
    pub endpoint_silence: usize,
    /// The most that a segment may hold, at most [`MAX_SEGMENT_SAMPLES`].
    pub max_segment: usize,
    /// Where the limit forces a cut, it leaves at least this much before it; more than the
    /// pre-roll. The rest of the segment is searched for the quietest point.
    pub min_before_cut: usize,
}

impl Default for SegmenterOptions {
    fn default() -> SegmenterOptions {
        const SECOND: usize = SAMPLE_RATE as usize;
        SegmenterOptions {
            onset: 0.4,
            offset: 0.2,
            pre_roll: SECOND / 2,
            post_roll: SECOND / 2,
            endpoint_silence: SECOND * 3 / 2,
            max_segment: MAX_SEGMENT_SAMPLES,
            min_before_cut: MAX_SEGMENT_SAMPLES / 2,
        }
    }
}

/// Settings that were checked against each other, in whole frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmenterConfig {
    pub(super) onset: f32,
    pub(super) offset: f32,
    pub(super) pre_roll: usize,
    pub(super) post_roll: usize,
    pub(super) endpoint_silence: usize,
    pub(super) max_segment: usize,
    pub(super) min_before_cut: usize,
}

impl Default for SegmenterConfig {
    fn default() -> SegmenterConfig {
        SegmenterOptions::default()
            .check()
            .expect("a test holds the defaults to the rules")
    }
}

/// Why settings contradict each other.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SegmenterConfigError {
    /// A threshold is not a probability, or the two are the wrong way round.
    #[error("expected 0 < offset <= onset <= 1, found offset {offset} and onset {onset}")]
    Thresholds {
        /// As given.
        onset: f32,
        /// As given.
        offset: f32,
    },
    /// The limit is too small to cut in or larger than a recogniser takes.
    #[error("expected a limit of {least} to {most} samples, found {found}")]
    Limit {
        /// One frame more than the least length before a cut.
        least: usize,
        /// [`MAX_SEGMENT_SAMPLES`].
        most: usize,
        /// As given.
        found: usize,
    },
    /// A length is zero where it must not be, or too long for the memory that it would take.
    #[error("expected {what} of {least} to {most} samples, found {found}")]
    Length {
        /// Which one.
        what: &'static str,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
        /// As given.
        found: usize,
    },
}

impl SegmenterOptions {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`SegmenterConfigError`] names the rule that is broken and what was found.
    pub fn check(self) -> Result<SegmenterConfig, SegmenterConfigError> {
        // Written so that a NaN fails it.
        let ordered = 0.0 < self.offset && self.offset <= self.onset && self.onset <= 1.0;
        if !ordered {
            return Err(SegmenterConfigError::Thresholds {
                onset: self.onset,
                offset: self.offset,
            });
        }
        // Rolls are context, not content: a quarter of the longest segment is ample. A pause
        // longer than a segment could never be waited for.
        let roll = MAX_SEGMENT_SAMPLES / 4;
        length("pre-roll", self.pre_roll, 0, roll)?;
        length("post-roll", self.post_roll, 0, roll)?;
        let pause = MAX_SEGMENT_SAMPLES;
        length("endpoint silence", self.endpoint_silence, 1, pause)?;
        let least = self.pre_roll + FRAME_SAMPLES;
        length("length before a cut", self.min_before_cut, least, pause)?;
        let frames = |samples: usize| samples.div_ceil(FRAME_SAMPLES);
        let config = SegmenterConfig {
            onset: self.onset,
            offset: self.offset,
            pre_roll: frames(self.pre_roll),
            post_roll: frames(self.post_roll),
            endpoint_silence: frames(self.endpoint_silence),
            // Rounded down: the limit holds to the sample.
            max_segment: self.max_segment / FRAME_SAMPLES,
            min_before_cut: frames(self.min_before_cut),
        };
        let least = config.min_before_cut + 1;
        if config.max_segment < least || self.max_segment > MAX_SEGMENT_SAMPLES {
            return Err(SegmenterConfigError::Limit {
                least: least * FRAME_SAMPLES,
                most: MAX_SEGMENT_SAMPLES,
                found: self.max_segment,
            });
        }
        Ok(config)
    }
}

fn length(
    what: &'static str,
    found: usize,
    least: usize,
    most: usize,
) -> Result<(), SegmenterConfigError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(SegmenterConfigError::Length {
        what,
        least,
        most,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        let config = SegmenterOptions::default().check().expect("sound");
        assert_eq!(config, SegmenterConfig::default());
        assert_eq!(config.max_segment, 468);
    }

    #[test]
    fn contradictions_are_refused() {
        let good = SegmenterOptions::default();
        let bad = [
            SegmenterOptions {
                onset: f32::NAN,
                ..good
            },
            SegmenterOptions {
                offset: 0.0,
                ..good
            },
            SegmenterOptions {
                offset: 0.6,
                onset: 0.5,
                ..good
            },
            SegmenterOptions { onset: 1.1, ..good },
            SegmenterOptions {
                max_segment: MAX_SEGMENT_SAMPLES + 1,
                ..good
            },
            SegmenterOptions {
                max_segment: good.min_before_cut,
                ..good
            },
            SegmenterOptions {
                pre_roll: usize::MAX,
                ..good
            },
            SegmenterOptions {
                post_roll: MAX_SEGMENT_SAMPLES,
                ..good
            },
            SegmenterOptions {
                endpoint_silence: 0,
                ..good
            },
            SegmenterOptions {
                min_before_cut: 0,
                ..good
            },
        ];
        for options in bad {
            assert!(options.check().is_err(), "{options:?}");
        }
    }
}
