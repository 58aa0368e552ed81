//! From a stream of sound to the segments and words of a transcript.
//!
//! A [`Transcriber`] counts samples and gives tokens; a transcript has milliseconds and lines of
//! text. A [`Scribe`] is the one place that turns the one into the other, so that the command
//! and the daemon's workers write the same.

use std::sync::Arc;

use earnest_transcript::{Milliseconds, Segment, Word};

use crate::{
    DecodeOptions, DetectSpeech, Event, Live, LiveOptions, Recognize, Recognizer, SegmentText,
    SpeechError, Timekeeper, Tokenizer, Transcriber, TranscriberOptions, Vad, align_words,
};

/// The models, ready to hear one stream after the other.
#[derive(Debug)]
pub struct Engine {
    recognizer: Recognizer,
    vad: Vad,
    tokenizer: Arc<Tokenizer>,
}

impl Engine {
    /// Both models, loaded.
    pub fn new(recognizer: Recognizer, vad: Vad) -> Engine {
        Engine {
            tokenizer: Arc::new(recognizer.tokenizer().clone()),
            recognizer,
            vad,
        }
    }

    /// A scribe at the beginning of a stream; see [`Scribe::new`].
    pub fn scribe(&mut self, words: bool) -> Scribe<&mut Recognizer, &mut Vad> {
        let tokenizer = Arc::clone(&self.tokenizer);
        Scribe::new(&mut self.recognizer, &mut self.vad, tokenizer, words)
    }

    /// A listener at the beginning of a stream; see [`Live::new`].
    pub fn live(&mut self, options: LiveOptions) -> Live<&mut Recognizer, &mut Vad> {
        let tokenizer = Arc::clone(&self.tokenizer);
        Live::new(&mut self.recognizer, &mut self.vad, tokenizer, options)
    }

    /// A timekeeper at the beginning of a stream, which leaves the recogniser alone.
    pub fn timekeeper(&mut self) -> Timekeeper<&mut Vad> {
        Timekeeper::new(&mut self.vad)
    }
}

/// What a scribe has to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Somebody began to speak. A segment may follow, or none where it was no speech.
    SpeechStarted(Milliseconds),
    /// What was said.
    Segment(Segment),
}

impl Heard {
    /// What was said, where something was.
    pub fn segment(self) -> Option<Segment> {
        match self {
            Heard::Segment(segment) => Some(segment),
            Heard::SpeechStarted(_) => None,
        }
    }
}

/// Writes one stream down.
#[derive(Debug)]
pub struct Scribe<R, D> {
    transcriber: Transcriber<R, D>,
    writer: Writer,
}

impl<R: Recognize, D: DetectSpeech> Scribe<R, D> {
    /// A scribe at the beginning of a stream; `tokenizer` is that of the recogniser's model.
    /// With `words`, segments have the times of their words, which costs an alignment each.
    pub fn new(recognizer: R, detector: D, tokenizer: Arc<Tokenizer>, words: bool) -> Scribe<R, D> {
        let options = TranscriberOptions {
            decode: DecodeOptions {
                cross_attention: words,
                ..DecodeOptions::default()
            },
            ..TranscriberOptions::default()
        };
        let writer = Writer {
            tokenizer: Arc::clone(&tokenizer),
            words,
        };
        Scribe {
            transcriber: Transcriber::new(recognizer, detector, tokenizer, options),
            writer,
        }
    }

    /// Takes the next samples, 16 kHz mono, and tells what ended in them.
    ///
    /// # Errors
    /// As [`Transcriber::push`].
    pub fn push(&mut self, pcm: &[f32]) -> Result<Vec<Heard>, SpeechError> {
        self.writer.all(self.transcriber.push(pcm)?)
    }

    /// Ends the stream and tells what was open.
    ///
    /// # Errors
    /// As [`Transcriber::finish`].
    pub fn finish(self) -> Result<Vec<Heard>, SpeechError> {
        self.writer.all(self.transcriber.finish()?)
    }

    /// Samples taken so far.
    pub fn heard(&self) -> u64 {
        self.transcriber.heard()
    }
}

/// A text as formats write it: one line, a single space between two words. Tokens of two spaces
/// come along in odd texts.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

/// Turns events into lines.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) words: bool,
}

impl Writer {
    fn all(&self, events: Vec<Event>) -> Result<Vec<Heard>, SpeechError> {
        let told = events.into_iter().filter_map(|event| match event {
            Event::SpeechStarted { at } => {
                Some(Ok(Heard::SpeechStarted(Milliseconds::of_sample(at))))
            }
            Event::Segment(heard) => Some(self.segment(heard).map(Heard::Segment)),
            Event::Dropped { .. } => None,
        });
        told.collect()
    }

    pub(crate) fn segment(&self, heard: SegmentText) -> Result<Segment, SpeechError> {
        let words = match self.words {
            true => self.words(&heard)?,
            false => Vec::new(),
        };
        Ok(Segment {
            start: Milliseconds::of_sample(heard.start),
            end: Milliseconds::of_sample(heard.end),
            text: line(&heard.text),
            avg_logprob: heard.hypothesis.average_logprob(),
            compression_ratio: heard.compression_ratio,
            no_speech_prob: heard.no_speech_probability,
            words,
            tokens: heard.hypothesis.tokens,
        })
    }

    fn words(&self, heard: &SegmentText) -> Result<Vec<Word>, SpeechError> {
        let words = align_words(&self.tokenizer, &heard.hypothesis, &heard.pcm);
        let words = words.map_err(|error| SpeechError::Runtime {
            stage: "word timing",
            reason: error.to_string(),
        })?;
        // The sound that was read may end with silence that is no part of the file.
        let at =
            |sample: usize| Milliseconds::of_sample((heard.start + sample as u64).min(heard.end));
        let word = |word: crate::Word| Word {
            start: at(word.start),
            end: at(word.end),
            text: word.text,
            probability: word.probability,
        };
        Ok(words.into_iter().map(word).collect())
    }
}
