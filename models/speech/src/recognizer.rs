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

/// How to decode, and what to keep beside the tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Keep the decoder's cross-attention, from which word times are read.
    pub cross_attention: bool,
    /// Somebody speaks, for sure: the text does not end before its first token. Where sound
    /// breaks off within a word, decoders often write nothing at all.
    pub spoken: bool,
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

/// Reads the same sound more than once: from where an earlier reading left off, or to hear how
/// well a given text fits it. [`crate::Recognizer`] does so with the model; tests put a script in
/// its place.
pub trait Reread {
    /// Sound as the encoder left it.
    type Encoded;

    /// Takes in `pcm`, 16 kHz mono, at most [`crate::MAX_SEGMENT_SAMPLES`] samples.
    ///
    /// # Errors
    /// As [`Recognize::recognize`].
    fn encode(&mut self, pcm: &[f32]) -> Result<Self::Encoded, SpeechError>;

    /// Reads on behind `prefix`, which the hypothesis begins with, however unlikely it is: its
    /// `logprobs` are what the sound says of it. A prefix longer than the cap on tokens is cut
    /// there.
    ///
    /// # Errors
    /// [`SpeechError::Runtime`] where the decoder fails.
    fn read(
        &mut self,
        encoded: &Self::Encoded,
        prefix: &[u32],
        options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError>;

    /// How likely `tokens` are as the whole text, as [`crate::Score::score`] has it.
    ///
    /// # Errors
    /// [`SpeechError::Runtime`] where the decoder fails.
    fn score(&mut self, encoded: &Self::Encoded, tokens: &[u32]) -> Result<Vec<f32>, SpeechError>;
}

/// One recogniser serves stream after stream.
impl<R: Reread + ?Sized> Reread for &mut R {
    type Encoded = R::Encoded;

    fn encode(&mut self, pcm: &[f32]) -> Result<R::Encoded, SpeechError> {
        (**self).encode(pcm)
    }

    fn read(
        &mut self,
        encoded: &R::Encoded,
        prefix: &[u32],
        options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        (**self).read(encoded, prefix, options)
    }

    fn score(&mut self, encoded: &R::Encoded, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        (**self).score(encoded, tokens)
    }
}
