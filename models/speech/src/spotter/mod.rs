//! Spots phrases: which of a list was said, and not a word more.
//!
//! A [`Spotter`] is asked about the segment under way whenever somebody has read a hypothesis of
//! it, and once more when the segment has ended. A phrase that ends in [`GOES_ON`] is one that
//! wakes: it may be followed by more speech, and is looked for at the beginning of the segment,
//! before its end too. Every other phrase is a command: the whole segment, or all that follows a
//! phrase that wakes.

use crate::{Hypothesis, SpeechError, Tokenizer};

/// What a phrase ends in that may be followed by more speech: `"hey earnest…"`.
pub const GOES_ON: char = '\u{2026}';

/// Scores a text against the segment at hand, which was encoded once.
/// [`crate::Recognizer::scorer`] makes one with the model; tests put a script in its place.
pub trait Score {
    /// The natural logarithm of the probability of each of `tokens`, given those before it, and
    /// last that the text ends behind them: one more than `tokens`. Negative infinity from where
    /// the sound is too short for so long a text.
    ///
    /// # Errors
    /// When the decoder fails, which is a fault of this program or of the machine.
    fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, SpeechError>;
}

/// How much of the segment was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It is open: more speech may come.
    SoFar,
    /// It is over.
    Whole,
    /// It was cut because it was full: what was being said goes on in the next segment.
    Cut,
}

/// Looks for a list of phrases in one segment after the other.
pub struct Spotter {}

impl std::fmt::Debug for Spotter {
    /// Phrases are somebody's words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Spotter")
    }
}

impl Spotter {
    /// A spotter of `phrases`, whose places in the list are what it answers. A phrase without a
    /// letter or digit is never found.
    pub fn new(tokenizer: &Tokenizer, phrases: &[String]) -> Spotter {
        let _ = (tokenizer, phrases);
        Spotter {}
    }

    /// Whether there is nothing to look for, so that nobody needs to ask.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// A segment begins. `goes_on` where the one before was cut because it was full: no phrase
    /// begins here then.
    pub fn begin(&mut self, goes_on: bool) {
        let _ = goes_on;
    }

    /// The phrases that the segment turned out to hold since the last time this was asked, each
    /// told once a segment. `hypothesis` is what the recogniser read in as much of the segment
    /// as was heard, `text` its text, and `scorer` scores that same sound.
    ///
    /// # Errors
    /// As [`Score::score`].
    pub fn judge(
        &mut self,
        scorer: &mut dyn Score,
        hypothesis: &Hypothesis,
        text: &str,
        extent: Extent,
    ) -> Result<Vec<usize>, SpeechError> {
        let _ = (scorer, hypothesis, text, extent);
        Ok(Vec::new())
    }
}
