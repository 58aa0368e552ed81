//! From a stream of sound to text as it is said.
//!
//! A [`crate::Transcriber`] answers when a segment is over. Here the segment under way is read
//! again and again, and what readings in a row agree on is told as stable: it is never taken
//! back, and the final text begins with it, because every later reading is made to. What follows
//! is tentative.
//!
//! An utterance that follows another soon is read together with that one, as a file is: its final,
//! and what may become stable before. See `context`.
//!
//! There is no clock: readings are paced by samples. See `pace` for the bound on work.
//!
//! One utterance is [`LiveEvent::SpeechStarted`], any number of [`LiveEvent::Partial`], one
//! [`LiveEvent::Segment`] where there was anything to write down, and
//! [`LiveEvent::SpeechStopped`]. Speech that goes on beyond the longest segment is cut there, and
//! is two utterances without a gap.
//!
//! What nobody wants is not done: without text and phrases the recogniser does not run.

mod context;
mod pace;
mod reader;
mod stable;

use std::sync::Arc;

use earnest_transcript::{Milliseconds, Phrase, Segment};

use crate::finder::SpeechFinder;
use crate::segmenter::{SegmenterConfig, SegmenterEvent, SegmenterOptions};
use crate::{DetectSpeech, MAX_SEGMENT_SAMPLES, Reread, SAMPLE_RATE, SpeechError, Tokenizer};

use reader::Reader;

/// How a [`Live`] listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveOptions {
    /// Samples at 16 kHz without speech that end an utterance. Lengths beyond
    /// [`LiveOptions::LEAST_SILENCE`] and [`LiveOptions::MOST_SILENCE`] count as those.
    pub silence: usize,
    /// Whether text is wanted while it is being said, too.
    pub partials: bool,
    /// Whether segments have the times of their words, which costs an alignment each.
    pub words: bool,
    /// Whether text is wanted, until [`Live::tune`] says otherwise.
    pub text: bool,
}

impl LiveOptions {
    /// The shortest silence that ends an utterance: within words there are pauses of a tenth of a
    /// second.
    pub const LEAST_SILENCE: usize = SAMPLE_RATE as usize / 5;

    /// The longest silence that may be waited for.
    pub const MOST_SILENCE: usize = SAMPLE_RATE as usize * 5;
}

impl Default for LiveOptions {
    /// Text and partials, no words, 0.7 s of silence.
    fn default() -> LiveOptions {
        LiveOptions {
            silence: SAMPLE_RATE as usize * 7 / 10,
            partials: true,
            words: false,
            text: true,
        }
    }
}

/// What is heard as it is said. Times count from the start of the sound.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveEvent {
    /// Somebody began to speak.
    SpeechStarted(Milliseconds),
    /// What is heard of the utterance under way.
    Partial {
        /// Where it began, as its [`LiveEvent::SpeechStarted`].
        start: Milliseconds,
        /// How far the sound was heard for this.
        at: Milliseconds,
        /// All of the utterance that is not taken back any more: each begins with the one before
        /// it, and the text of the segment with the last. It may be empty.
        stable: String,
        /// What may follow it and may change, with the space that parts the two, if one does. It
        /// may be empty, but not both are.
        tentative: String,
    },
    /// What was said, once the utterance is over.
    Segment(Segment),
    /// The utterance is over.
    SpeechStopped(Milliseconds),
    /// A phrase was said: its place in the list that [`Live::tune`] was given last.
    Spotted {
        /// Its place.
        phrase: usize,
        /// How far the sound was heard when it was found.
        at: Milliseconds,
    },
}

/// A segment that does not pause is cut behind this many samples, 12 s, at the earliest. Nothing
/// that is said later in a segment becomes stable, so that what is stable stands before the cut,
/// wherever that falls.
const LEAST_BEFORE_CUT: usize = 12 * SAMPLE_RATE as usize;

/// How much of the sound before the first frame of speech belongs to a segment. Recordings bring
/// little of the room along; with half a second of it before each of 234 clips the word errors
/// were 124, with this 120, with a quarter of a second 122.
const PRE_ROLL: usize = SAMPLE_RATE as usize * 3 / 8;

/// Where the lines are drawn: as for recorded sound, but for the ends of an utterance.
fn lines(options: &LiveOptions) -> SegmenterConfig {
    SegmenterOptions {
        endpoint_silence: options
            .silence
            .clamp(LiveOptions::LEAST_SILENCE, LiveOptions::MOST_SILENCE),
        pre_roll: PRE_ROLL,
        min_before_cut: LEAST_BEFORE_CUT,
        max_segment: MAX_SEGMENT_SAMPLES,
        ..SegmenterOptions::default()
    }
    .check()
    .expect("a test holds the lines to the rules")
}

/// Writes one stream down while it is being said.
///
/// ```no_run
/// # use earnest_speech::{Engine, LiveEvent, LiveOptions, SpeechError};
/// # fn example(engine: &mut Engine, sound: &[f32]) -> Result<(), SpeechError> {
/// let mut live = engine.live(LiveOptions::default());
/// for block in sound.chunks(800) {
///     for event in live.push(block, false)? {
///         if let LiveEvent::Partial { stable, tentative, .. } = event {
///             println!("{stable}[{tentative}]");
///         }
///     }
/// }
/// let last = live.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct Live<R: Reread, D> {
    finder: SpeechFinder<D>,
    reader: Reader<R>,
}

impl<R: Reread, D> std::fmt::Debug for Live<R, D> {
    /// What is heard is somebody's words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Live")
    }
}

impl<R: Reread, D: DetectSpeech> Live<R, D> {
    /// A listener at the beginning of a stream; resets the detector. `tokenizer` is that of the
    /// recogniser's model.
    pub fn new(
        recognizer: R,
        detector: D,
        tokenizer: Arc<Tokenizer>,
        options: LiveOptions,
    ) -> Live<R, D> {
        Live {
            finder: SpeechFinder::new(detector, lines(&options)),
            reader: Reader::new(recognizer, tokenizer, options),
        }
    }

    /// Takes the next samples, 16 kHz mono, and tells what they brought about. The segment under
    /// way is read once at most; where `behind` says that more sound is waiting already, it is
    /// not, so that what is late catches up.
    ///
    /// # Errors
    /// [`SpeechError::NotFinite`] where a sample is not a finite number: nothing of `pcm` is
    /// taken then. After any other error the stream cannot go on.
    pub fn push(&mut self, pcm: &[f32], behind: bool) -> Result<Vec<LiveEvent>, SpeechError> {
        let mut told = Vec::new();
        self.reader.heed(self.finder.heard(), &mut told);
        let events = self.finder.push(pcm)?;
        self.reader.hear(pcm.len());
        for event in events {
            match event {
                SegmenterEvent::Started { at } => self.reader.begin(at, &mut told),
                SegmenterEvent::Ended(segment) => self.reader.end(segment, &mut told)?,
            }
        }
        if let Some(open) = self.finder.open().filter(|_| !behind) {
            self.reader.glance(&open, &mut told)?;
        }
        Ok(told)
    }

    /// Ends the stream and tells what was open.
    ///
    /// # Errors
    /// [`SpeechError::Runtime`] where the detector or the recogniser fails.
    pub fn finish(self) -> Result<Vec<LiveEvent>, SpeechError> {
        let Live { finder, mut reader } = self;
        let mut told = Vec::new();
        reader.heed(finder.heard(), &mut told);
        for event in finder.finish()? {
            match event {
                SegmenterEvent::Started { at } => reader.begin(at, &mut told),
                SegmenterEvent::Ended(segment) => reader.end(segment, &mut told)?,
            }
        }
        Ok(told)
    }

    /// Says what is wanted from here on: text or none, and phrases to spot, in the place of those
    /// before. Text that is wanted in the middle of an utterance is told from its start. Where it
    /// is wanted no more, the utterance is told to be over with the next sound, and nothing of it
    /// is told again.
    pub fn tune(&mut self, text: bool, phrases: &[Phrase]) {
        self.reader.tune(text, phrases);
    }

    /// Samples taken so far.
    pub fn heard(&self) -> u64 {
        self.finder.heard()
    }
}

#[cfg(test)]
mod tests;
