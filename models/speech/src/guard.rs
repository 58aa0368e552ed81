//! Recognises text that nobody said.
//!
//! A decoder that was trained to write always finds something to write: for silence a
//! "You", for hum a run of notes, for sound that is cut badly the same phrase until the
//! cap. Each measure here is a pure function with its evidence beside its threshold. The
//! evidence is from 541 recorded clips of one speaker (letters, digits, sentences), five of
//! a reader, all of them in white noise 10 dB and 0 dB below the speech too, and ten minutes
//! each of silence, white, pink and brown noise, hum and sweeps of a tone at six levels.
//!
//! The first line is the detector itself, which sees no speech in any of those noises: at
//! the most 0.04 in steady ones, 0.65 for a moment in loud sweeps. What stands here is for
//! what slips through, and must not cost honest words.

mod repetition;

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::ZlibEncoder;

pub use repetition::repetition;

use crate::Hypothesis;
use crate::segmenter::level_db;
use crate::vad::FRAME_SAMPLES;

/// Why sound or text was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The sound hardly changes its level: noise, hum or a tone, not speech.
    Steady,
    /// The detector was never sure for long enough to say a word.
    NotSpeech,
    /// The decoder found nothing to write.
    Empty,
    /// What the decoder wrote has no letter and no digit: notes, dots.
    NoWords,
    /// The decoder was not certain of what it wrote.
    Uncertain,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Reason::Steady => "steady sound",
            Reason::NotSpeech => "not speech",
            Reason::Empty => "nothing was read",
            Reason::NoWords => "no words in the text",
            Reason::Uncertain => "uncertain text",
        })
    }
}

/// What is to be done with a segment or its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stands.
    Keep,
    /// These tokens repeat what stands before them and go; the rest stands.
    Cut(Range<usize>),
    /// Nobody said it.
    Drop(Reason),
}

/// Range between the loud and the quiet frames of a segment below which it is
/// [`Reason::Steady`]. Every honest segment has more than 5.2 dB even in noise as loud as
/// itself, and more than 13.5 dB at 10 dB; white noise, hum with its harmonics and sweeps
/// have at most 2.0 dB, band-limited pink noise 2.9 dB.
const STEADY_RANGE_DB: f32 = 3.0;

/// Best quarter of a second, as [`SoundMeasures::speech`], below which a segment is
/// [`Reason::NotSpeech`]. Of the clips, levelled, the weakest letter has 0.44 and 99 % have
/// more than 0.7; in noise 10 dB below the speech the weakest word has 0.23. A single frame
/// that passes for speech gives an eighth.
const LEAST_SPEECH: f32 = 0.2;

/// Below this the detector is in doubt, and the decoder has to be certain.
const DOUBTFUL_SPEECH: f32 = 0.5;

/// `avg_logprob` below which text is dropped where the detector is in doubt.
const DOUBTFUL_LOGPROB: f32 = -0.5;

/// `avg_logprob` below which text is dropped in any case. The least of honest sentences is
/// -0.76 (tiny and base), in 10 dB of noise -1.01; the least of single words read is -1.17.
const LEAST_LOGPROB: f32 = -1.3;

/// Frames of a quarter of a second, the shortest word said with care.
const WORD_FRAMES: usize = 8;

/// What is known of a segment before it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoundMeasures {
    /// The greatest mean of the detector's probability over a quarter of a second.
    pub speech: f32,
    /// Decibels between the quiet (10 %) and the loud (95 %) frames.
    pub range_db: f32,
}

impl SoundMeasures {
    /// Measures a segment: its sound, without silence added to it, and the detector's
    /// probability of each of its frames of [`FRAME_SAMPLES`].
    pub fn of(pcm: &[f32], probabilities: &[f32]) -> SoundMeasures {
        let window = WORD_FRAMES.min(probabilities.len()).max(1);
        let speech = probabilities
            .windows(window)
            .map(|frames| frames.iter().sum::<f32>() / window as f32)
            .fold(0.0, f32::max);
        let mut levels: Vec<f32> = pcm.chunks_exact(FRAME_SAMPLES).map(level_db).collect();
        levels.sort_unstable_by(f32::total_cmp);
        let quantile = |share: f32| {
            let index = (share * levels.len().saturating_sub(1) as f32).round() as usize;
            levels.get(index).copied().unwrap_or_default()
        };
        SoundMeasures {
            speech,
            range_db: quantile(0.95) - quantile(0.1),
        }
    }

    /// The probability that nobody speaks in the segment, as OpenAI's `no_speech_prob`: the
    /// detector's doubt about the best quarter of a second. (Whisper asks its decoder
    /// instead; Moonshine's has no such token.)
    pub fn no_speech_probability(&self) -> f32 {
        (1.0 - self.speech).clamp(0.0, 1.0)
    }

    /// Whether the segment is worth reading.
    pub fn judge(&self) -> Verdict {
        if self.range_db < STEADY_RANGE_DB {
            Verdict::Drop(Reason::Steady)
        } else if self.speech < LEAST_SPEECH {
            Verdict::Drop(Reason::NotSpeech)
        } else {
            Verdict::Keep
        }
    }
}

/// Judges what the decoder read in a segment that was measured. `text` is the tokens' text.
pub fn judge_text(sound: &SoundMeasures, hypothesis: &Hypothesis, text: &str) -> Verdict {
    if text.trim().is_empty() {
        return Verdict::Drop(Reason::Empty);
    }
    if !text.chars().any(char::is_alphanumeric) {
        return Verdict::Drop(Reason::NoWords);
    }
    let certainty = hypothesis.average_logprob();
    let doubtful = sound.speech < DOUBTFUL_SPEECH && certainty < DOUBTFUL_LOGPROB;
    if doubtful || certainty < LEAST_LOGPROB {
        return Verdict::Drop(Reason::Uncertain);
    }
    match repetition(&hypothesis.tokens, hypothesis.ended) {
        Some(again) => Verdict::Cut(again),
        None => Verdict::Keep,
    }
}

/// Bytes of the text over bytes of the text compressed by zlib, as in Whisper
/// (openai/whisper, `whisper/utils.py`, `compression_ratio`): above 2.4 text is likely a
/// loop. Of honest segments the greatest is 1.73. Zero for no text.
pub fn compression_ratio(text: &str) -> f32 {
    if text.is_empty() {
        return 0.0;
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail");
    text.len() as f32 / compressed.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURE: SoundMeasures = SoundMeasures {
        speech: 0.99,
        range_db: 30.0,
    };

    fn hypothesis(tokens: &[u32], logprob: f32) -> Hypothesis {
        Hypothesis {
            tokens: tokens.to_vec(),
            logprobs: vec![logprob; tokens.len() + 1],
            ended: true,
            cross_attention: None,
        }
    }

    /// A tone whose level swings by `swing` between frames, -1 dB at the loudest.
    fn tone(swing: f32) -> Vec<f32> {
        let frame = |index: usize| {
            let amplitude = if index.is_multiple_of(2) {
                0.9
            } else {
                0.9 / swing
            };
            (0..FRAME_SAMPLES).map(move |n| amplitude * (n as f32 * 0.3).sin())
        };
        (0..40).flat_map(frame).collect()
    }

    #[test]
    fn steady_sound_is_dropped_however_sure_the_detector_is() {
        let steady = SoundMeasures::of(&tone(1.2), &[0.99; 40]);
        assert_eq!(steady.judge(), Verdict::Drop(Reason::Steady));
        let lively = SoundMeasures::of(&tone(4.0), &[0.99; 40]);
        assert_eq!(lively.judge(), Verdict::Keep);
    }

    #[test]
    fn one_frame_that_looks_like_speech_is_no_word() {
        let mut probabilities = [0.05; 40];
        probabilities[7] = 0.9;
        let click = SoundMeasures::of(&tone(9.0), &probabilities);
        assert_eq!(click.judge(), Verdict::Drop(Reason::NotSpeech));
        probabilities[4..12].fill(0.9);
        let word = SoundMeasures::of(&tone(9.0), &probabilities);
        assert_eq!(word.judge(), Verdict::Keep);
        assert!((word.no_speech_probability() - 0.1).abs() < 1e-6);
    }

    #[test]
    fn measures_of_nothing_are_finite_and_dropped() {
        let nothing = SoundMeasures::of(&[], &[]);
        assert_eq!(nothing.speech, 0.0);
        assert_eq!(nothing.judge(), Verdict::Drop(Reason::Steady));
    }

    #[test]
    fn text_without_words_is_dropped() {
        for (text, reason) in [
            ("", Reason::Empty),
            (" ", Reason::Empty),
            ("♪♪♪", Reason::NoWords),
            ("...", Reason::NoWords),
        ] {
            let verdict = judge_text(&SURE, &hypothesis(&[5, 5], -0.1), text);
            assert_eq!(verdict, Verdict::Drop(reason), "{text:?}");
        }
    }

    #[test]
    fn certainty_is_asked_for_and_more_of_it_where_the_detector_doubts() {
        let doubt = SoundMeasures {
            speech: 0.4,
            range_db: 30.0,
        };
        let judge = |sound, logprob| judge_text(sound, &hypothesis(&[5], logprob), "You");
        assert_eq!(judge(&SURE, -1.0), Verdict::Keep);
        assert_eq!(judge(&SURE, -1.5), Verdict::Drop(Reason::Uncertain));
        assert_eq!(judge(&doubt, -1.0), Verdict::Drop(Reason::Uncertain));
        assert_eq!(judge(&doubt, -0.2), Verdict::Keep);
    }

    #[test]
    fn a_loop_is_cut_and_what_was_said_stays() {
        let mut tokens = vec![1, 2, 3];
        tokens.extend([4, 5, 6, 7].repeat(12));
        let verdict = judge_text(&SURE, &hypothesis(&tokens, -0.1), "a b");
        assert_eq!(verdict, Verdict::Cut(7..tokens.len()));
    }

    #[test]
    fn compression_tells_a_loop_from_a_sentence() {
        assert_eq!(compression_ratio(""), 0.0);
        let sentence = "He was not an ill-disposed young man, unless to be rather cold-hearted.";
        assert!(compression_ratio(sentence) < 1.5);
        assert!(compression_ratio(&"and so on ".repeat(20)) > 2.4);
    }
}
