//! From a stream of sound to a stream of text.
//!
//! Samples go in as they come, events come out: speech began, a segment was read, a stretch
//! was dropped and why. Positions are counts of samples since the stream began; there is no
//! clock. The same samples give the same events however they were divided into blocks.
//!
//! Between two pushes, [`Transcriber::open`] shows the segment under way, for who wants to
//! read a tentative text from it.

mod settle;
mod trim;

use std::sync::Arc;

use crate::finder::SpeechFinder;
use crate::guard::{Reason, SoundMeasures, Verdict};
use crate::segmenter::{Boundary, OpenSegment, Segment, SegmenterConfig, SegmenterEvent};
use crate::vad::DetectSpeech;
use crate::{DecodeOptions, Hypothesis, Recognize, SpeechError, Tokenizer};

pub(crate) use settle::{SURE_OF_SPEECH, second_look, settle};
pub(crate) use trim::remove;

/// How a [`Transcriber`] listens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TranscriberOptions {
    /// Where segments begin and end.
    pub segmenter: SegmenterConfig,
    /// What to keep of each decoding.
    pub decode: DecodeOptions,
}

/// A segment and what was said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentText {
    /// Its first sample, from the stream's first.
    pub start: u64,
    /// One past its last sample.
    pub end: u64,
    /// What was said, without a space at either end; never empty.
    pub text: String,
    /// The tokens of the text, their certainty and, where it was asked for, the decoder's
    /// attention. What the guard cut is cut here too.
    pub hypothesis: Hypothesis,
    /// The text's, as [`crate::compression_ratio`] defines it.
    pub compression_ratio: f32,
    /// How much the detector doubts that anybody spoke; see
    /// [`SoundMeasures::no_speech_probability`].
    pub no_speech_probability: f32,
    /// The sound that was read, which [`crate::align_words`] wants. Silence may follow the
    /// segment's own samples.
    pub pcm: Vec<f32>,
    /// What ended the segment.
    pub boundary: Boundary,
}

/// What happened in the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Speech began. A [`Event::Segment`] or [`Event::Dropped`] with this start follows.
    SpeechStarted {
        /// The segment's first sample.
        at: u64,
    },
    /// A segment ended and was read.
    Segment(SegmentText),
    /// A segment ended and gave no text.
    Dropped {
        /// Its first sample.
        start: u64,
        /// One past its last sample.
        end: u64,
        /// Why.
        reason: Reason,
    },
}

/// Turns one stream into text.
///
/// It may own its recogniser and its detector or borrow them, so that one that is loaded
/// serves one file after the other.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use earnest_speech::*;
/// # fn example(recognizer: &mut Recognizer, vad: &mut Vad, sound: &[f32]) -> Result<(), SpeechError> {
/// let tokenizer = Arc::new(recognizer.tokenizer().clone());
/// let options = TranscriberOptions::default();
/// let mut transcriber = Transcriber::new(recognizer, vad, tokenizer, options);
/// let mut events = transcriber.push(sound)?;
/// events.extend(transcriber.finish()?);
/// for event in events {
///     if let Event::Segment(segment) = event {
///         println!("{}", segment.text);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Transcriber<R, D> {
    reader: Reader<R>,
    finder: SpeechFinder<D>,
}

impl<R: Recognize, D: DetectSpeech> Transcriber<R, D> {
    /// A transcriber at the beginning of a stream; resets the detector. `tokenizer` is that
    /// of the recogniser's model.
    pub fn new(
        recognizer: R,
        detector: D,
        tokenizer: Arc<Tokenizer>,
        options: TranscriberOptions,
    ) -> Transcriber<R, D> {
        Transcriber {
            reader: Reader {
                recognizer,
                tokenizer,
                decode: options.decode,
            },
            finder: SpeechFinder::new(detector, options.segmenter),
        }
    }

    /// Takes the next samples, 16 kHz mono, and reads each segment that ends in them. A
    /// caller bounds the memory of the answer by bounding `pcm`.
    ///
    /// # Errors
    /// [`SpeechError::NotFinite`] where a sample is not a finite number: nothing of `pcm` is
    /// taken then. After any other error the segment at hand is lost, and the events of this
    /// call with it.
    pub fn push(&mut self, pcm: &[f32]) -> Result<Vec<Event>, SpeechError> {
        let events = self.finder.push(pcm)?;
        events
            .into_iter()
            .map(|event| self.reader.read(event))
            .collect()
    }

    /// Ends the stream, and reads the segment that was open.
    ///
    /// # Errors
    /// [`SpeechError::Runtime`] where the detector or the recogniser fails.
    pub fn finish(self) -> Result<Vec<Event>, SpeechError> {
        let Transcriber { mut reader, finder } = self;
        let events = finder.finish()?;
        events.into_iter().map(|event| reader.read(event)).collect()
    }

    /// The segment that is open: its sound and its frames' probabilities so far.
    pub fn open(&self) -> Option<OpenSegment<'_>> {
        self.finder.open()
    }

    /// Samples taken so far.
    pub fn heard(&self) -> u64 {
        self.finder.heard()
    }

    /// The recogniser, for who reads a tentative text from the open segment.
    pub fn recognizer(&mut self) -> &mut R {
        &mut self.reader.recognizer
    }
}

/// One recogniser serves stream after stream.
impl<R: Recognize + ?Sized> Recognize for &mut R {
    fn recognize(
        &mut self,
        pcm: &[f32],
        options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        (**self).recognize(pcm, options)
    }
}

/// Reads segments, and drops what nobody said.
#[derive(Debug)]
struct Reader<R> {
    recognizer: R,
    tokenizer: Arc<Tokenizer>,
    decode: DecodeOptions,
}

impl<R: Recognize> Reader<R> {
    fn read(&mut self, event: SegmenterEvent) -> Result<Event, SpeechError> {
        match event {
            SegmenterEvent::Started { at } => Ok(Event::SpeechStarted { at }),
            SegmenterEvent::Ended(segment) => self.segment(segment),
        }
    }

    fn segment(&mut self, segment: Segment) -> Result<Event, SpeechError> {
        let sound = SoundMeasures::of(segment.sound(), &segment.probabilities);
        if let Verdict::Drop(reason) = sound.judge() {
            let (start, end) = (segment.start, segment.end);
            return Ok(Event::Dropped { start, end, reason });
        }
        let hypothesis = self.hear(&segment, &sound)?;
        let (start, end) = (segment.start, segment.end);
        Ok(
            match settle(&self.tokenizer, segment, &sound, hypothesis, 0) {
                Ok(text) => Event::Segment(text),
                Err(reason) => Event::Dropped { start, end, reason },
            },
        )
    }

    /// Reads a segment, and once more without the silence behind it where nothing was found.
    fn hear(
        &mut self,
        segment: &Segment,
        sound: &SoundMeasures,
    ) -> Result<Hypothesis, SpeechError> {
        let first = self.recognizer.recognize(&segment.pcm, &self.decode)?;
        match second_look(segment, sound) {
            Some(close) if first.tokens.is_empty() => {
                self.recognizer.recognize(close, &self.decode)
            }
            _ => Ok(first),
        }
    }
}

#[cfg(test)]
mod tests;
