//! Finds the speech in a stream: level, detector and segmenter in a row.
//!
//! Samples go in in blocks of any size, events come out, and the same samples give the same
//! events however they were divided.

use crate::level::Leveller;
use crate::segmenter::{OpenSegment, Segmenter, SegmenterConfig, SegmenterEvent};
use crate::vad::{DetectSpeech, FRAME_SAMPLES};
use crate::{Segment, SpeechError};

/// Finds segments of speech in a stream of 16 kHz mono sound.
///
/// ```no_run
/// # use earnest_speech::{SpeechFinder, SegmenterConfig, SegmenterEvent, SpeechError, Vad};
/// # fn example(vad: &mut Vad, sound: &[f32]) -> Result<(), SpeechError> {
/// let mut finder = SpeechFinder::new(vad, SegmenterConfig::default());
/// for block in sound.chunks(4096) {
///     for event in finder.push(block)? {
///         if let SegmenterEvent::Ended(segment) = event {
///             println!("speech from {} to {}", segment.start, segment.end);
///         }
///     }
/// }
/// let last = finder.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SpeechFinder<D> {
    detector: D,
    leveller: Leveller,
    segmenter: Segmenter,
    /// The frame under way, and how much of it there is.
    frame: [f32; FRAME_SAMPLES],
    filled: usize,
    heard: u64,
}

impl<D: DetectSpeech> SpeechFinder<D> {
    /// A finder at the beginning of a stream; resets the detector.
    pub fn new(mut detector: D, config: SegmenterConfig) -> SpeechFinder<D> {
        detector.reset();
        SpeechFinder {
            detector,
            leveller: Leveller::new(),
            segmenter: Segmenter::new(config),
            frame: [0.0; FRAME_SAMPLES],
            filled: 0,
            heard: 0,
        }
    }

    /// Takes the next samples, and gives what they brought about. Ten seconds of sound bring
    /// a handful of segments at most; a caller bounds memory by bounding `pcm`.
    ///
    /// # Errors
    /// [`SpeechError::NotFinite`] where a sample is not a finite number: nothing of `pcm` is
    /// taken then. [`SpeechError::Runtime`] where the detector fails: the frames before have
    /// been taken, and the stream cannot go on.
    pub fn push(&mut self, pcm: &[f32]) -> Result<Vec<SegmenterEvent>, SpeechError> {
        if let Some(position) = pcm.iter().position(|sample| !sample.is_finite()) {
            return Err(SpeechError::NotFinite { position });
        }
        let mut events = Vec::new();
        let mut rest = pcm;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(FRAME_SAMPLES - self.filled));
            self.frame[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            self.heard += now.len() as u64;
            rest = later;
            if self.filled == FRAME_SAMPLES {
                self.detect(&mut events)?;
            }
        }
        Ok(events)
    }

    /// Ends the stream, and gives what its end brought about.
    ///
    /// # Errors
    /// [`SpeechError::Runtime`] where the detector fails.
    pub fn finish(mut self) -> Result<Vec<SegmenterEvent>, SpeechError> {
        let mut events = Vec::new();
        if self.filled > 0 {
            self.frame[self.filled..].fill(0.0);
            self.detect(&mut events)?;
        }
        let last = self.segmenter.finish();
        events.extend(last.map(SegmenterEvent::Ended));
        for event in &mut events {
            if let SegmenterEvent::Ended(segment) = event {
                end_at(segment, self.heard);
            }
        }
        Ok(events)
    }

    /// The segment that is open, up to the last whole frame.
    pub fn open(&self) -> Option<OpenSegment<'_>> {
        self.segmenter.open()
    }

    /// Samples taken so far.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    fn detect(&mut self, events: &mut Vec<SegmenterEvent>) -> Result<(), SpeechError> {
        self.filled = 0;
        let levelled = self.leveller.level(&self.frame);
        let probability = self.detector.probability(&levelled)?;
        self.segmenter.push(&self.frame, probability, events);
        Ok(())
    }
}

/// The last frame is filled up with zeros; they are sound to be read, but not of the stream.
fn end_at(segment: &mut Segment, heard: u64) {
    segment.end = segment.end.min(heard.max(segment.start));
}
