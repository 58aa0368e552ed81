//! One segment of speech in, one hypothesis out.
//!
//! This is the seam between what finds speech (VAD, segmentation, the guards against
//! invented text) and what reads it (the encoder and the decoder). It knows no clocks and
//! no files: sound is 16 kHz mono f32 in -1..=1, and time is a count of samples.

use crate::SpeechError;

/// Samples a second of everything that enters this crate.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples that one encoder frame stands for: the product of the stem's strides, 64 * 3 * 2.
pub const SAMPLES_PER_FRAME: usize = 384;

/// What to keep of a decoding beside its tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Keep the decoder's cross-attention, from which word times are read.
    pub cross_attention: bool,
}

/// The decoder's cross-attention: how much each token looked at each frame of sound.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossAttention {
    /// Heads kept, over all layers; layer-major (`layer * heads_per_layer + head`).
    pub heads: usize,
    /// Tokens, the end token among them if it was reached.
    pub tokens: usize,
    /// Encoder frames, each of [`SAMPLES_PER_FRAME`] samples.
    pub frames: usize,
    /// Probabilities, `[token][head][frame]`, each row summing to one.
    pub weights: Vec<f32>,
}

/// What the decoder read in one segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Token ids without the start and the end token.
    pub tokens: Vec<u32>,
    /// Natural logarithm of the probability of each token, and last of the end token if it
    /// was reached: one longer than `tokens` exactly when `ended`.
    pub logprobs: Vec<f32>,
    /// Whether the decoder said that it was done; false when the cap cut it short.
    pub ended: bool,
    /// Present when [`DecodeOptions::cross_attention`] asked for it.
    pub cross_attention: Option<CrossAttention>,
}

impl Hypothesis {
    /// Mean of [`Self::logprobs`], as OpenAI's `avg_logprob`; zero when there are none.
    pub fn average_logprob(&self) -> f32 {
        if self.logprobs.is_empty() {
            return 0.0;
        }
        self.logprobs.iter().sum::<f32>() / self.logprobs.len() as f32
    }
}

/// Reads one segment of speech. [`crate::Recognizer`] does so with the model; tests put a
/// script in its place.
pub trait Recognize {
    /// Reads `pcm`, 16 kHz mono, at most [`crate::MAX_SEGMENT_SAMPLES`] samples.
    fn recognize(
        &mut self,
        pcm: &[f32],
        options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError>;
}
