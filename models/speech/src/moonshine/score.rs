//! How likely the model holds a given text, over a segment that was encoded once.

use super::engine::{Encoded, Recognizer};
use crate::spotter::{Score, nothing_said};
use crate::{DecodeOptions, SpeechError};

/// A segment, to be scored against one text after the other.
#[derive(Debug)]
pub struct Scorer<'a> {
    recognizer: &'a mut Recognizer,
    encoded: &'a Encoded,
}

impl Recognizer {
    /// What scores texts against `encoded`.
    pub fn scorer<'a>(&'a mut self, encoded: &'a Encoded) -> Scorer<'a> {
        Scorer {
            recognizer: self,
            encoded,
        }
    }
}

impl Score for Scorer<'_> {
    fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        let end = self.recognizer.shape.end_token;
        let mut decoding = self
            .recognizer
            .start(self.encoded, &DecodeOptions::default());
        let mut logprobs = Vec::with_capacity(tokens.len() + 1);
        for &token in tokens.iter().chain([&end]) {
            match decoding.force(token)? {
                Some(step) => logprobs.push(step.logprob),
                // So short a sound does not hold so long a text.
                None => break,
            }
        }
        logprobs.resize(tokens.len() + 1, f32::NEG_INFINITY);
        Ok(logprobs)
    }

    fn unheard(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, SpeechError> {
        let encoded = self.recognizer.encode(&nothing_said())?;
        let mut scorer = self.recognizer.scorer(&encoded);
        texts.iter().map(|tokens| scorer.score(tokens)).collect()
    }
}
