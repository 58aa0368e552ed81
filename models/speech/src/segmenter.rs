//! Cuts sound of any length into segments that a recogniser takes.
//!
//! Frames and their probabilities of speech go in, segments of at most
//! [`crate::MAX_SEGMENT_SAMPLES`] come out, in order and without overlap. Each frame that
//! reaches the onset threshold is in exactly one of them. A segment begins before its first
//! frame of speech and ends after its last (pre- and post-roll), because a clipped onset
//! costs words. Speech that does not pause in time is cut at its quietest point and goes on
//! in the next segment at once.
//!
//! Neighbours are read together: a pause shorter than the endpoint silence does not part
//! them. Single prompts of a few seconds gave Moonshine tiny 126 word errors, the same
//! prompts end to end in segments of up to 15 s gave 70.
//!
//! Pure: no clock, no model. Memory is bounded by one segment and one pre-roll.
//!
//! ```
//! use earnest_speech::{FRAME_SAMPLES, Segmenter, SegmenterConfig, SegmenterEvent};
//! let mut segmenter = Segmenter::new(SegmenterConfig::default());
//! let mut events = Vec::new();
//! for index in 0..120 {
//!     let probability = if (40..60).contains(&index) { 0.9 } else { 0.1 };
//!     segmenter.push(&[0.0; FRAME_SAMPLES], probability, &mut events);
//! }
//! let [SegmenterEvent::Started { at }, SegmenterEvent::Ended(segment)] = &events[..] else {
//!     panic!("one segment: {events:?}");
//! };
//! assert!(*at == segment.start && segment.start < 40 * 512 && segment.end > 60 * 512);
//! ```

mod config;
mod cut;
#[cfg(test)]
mod tests;

pub use config::{SegmenterConfig, SegmenterConfigError, SegmenterOptions};

use crate::MAX_SEGMENT_SAMPLES;
use crate::vad::FRAME_SAMPLES;

/// A stretch of sound with speech in it. Positions count samples from the stream's first.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its first sample.
    pub start: u64,
    /// One past its last sample.
    pub end: u64,
    /// Its samples, `end - start` of them, and where the sound broke off within the
    /// post-roll, the silence that completes it: at most [`MAX_SEGMENT_SAMPLES`] together.
    ///
    /// Models that were trained on whole sentences want to hear that one is over. Silence
    /// behind clips that were cut close took a sixth of the word errors away.
    pub pcm: Vec<f32>,
    /// The detector's probability of each frame of [`FRAME_SAMPLES`], the last frame perhaps
    /// in part.
    pub probabilities: Vec<f32>,
    /// What ended it.
    pub boundary: Boundary,
}

impl Segment {
    /// Its own samples, without silence that completes it.
    pub fn sound(&self) -> &[f32] {
        let length = usize::try_from(self.end - self.start).unwrap_or(usize::MAX);
        &self.pcm[..length.min(self.pcm.len())]
    }
}

/// What ended a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// A pause as long as the endpoint silence.
    Pause,
    /// The longest that a segment may be; it was cut at its quietest point.
    Limit,
    /// The sound was over.
    End,
}

/// What the segmenter found.
#[derive(Debug, Clone, PartialEq)]
pub enum SegmenterEvent {
    /// Speech began. The segment's first sample; the same as the [`Segment::start`] to come.
    Started {
        /// Samples from the stream's first.
        at: u64,
    },
    /// A segment is complete.
    Ended(Segment),
}

/// The segment that is open: what a live path reads for a tentative text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenSegment<'a> {
    /// Its first sample.
    pub start: u64,
    /// Its sound so far, trailing silence included.
    pub pcm: &'a [f32],
    /// The detector's probability of each of its frames.
    pub probabilities: OpenProbabilities<'a>,
}

/// The detector's probabilities of the frames of an open segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenProbabilities<'a>(&'a [Note]);

impl<'a> OpenProbabilities<'a> {
    /// In order, one a frame of [`FRAME_SAMPLES`].
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = f32> + ExactSizeIterator + 'a {
        self.0.iter().map(|note| note.probability)
    }
}

/// What is known of one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Note {
    probability: f32,
    level_db: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Between segments. After a cut within speech, `continuing` lets the offset threshold
    /// open the next segment, as it would have kept this one open.
    Idle { continuing: bool },
    /// In one. Both are frames.
    Open { start: u64, last_speech: u64 },
}

/// Cuts a stream into segments, as the module says.
#[derive(Debug, Clone)]
pub struct Segmenter {
    config: SegmenterConfig,
    /// The frames kept, from `first` on, and their sound.
    notes: Vec<Note>,
    pcm: Vec<f32>,
    /// The first frame kept.
    first: u64,
    /// The first frame that no segment has taken.
    floor: u64,
    state: State,
}

impl Segmenter {
    /// A segmenter at the beginning of a stream.
    pub fn new(config: SegmenterConfig) -> Segmenter {
        let frames = Segmenter::most_frames(&config);
        Segmenter {
            config,
            notes: Vec::with_capacity(frames),
            pcm: Vec::with_capacity(frames * FRAME_SAMPLES),
            first: 0,
            floor: 0,
            state: State::Idle { continuing: false },
        }
    }

    /// Takes the next frame with its probability of speech, and appends what it brings about:
    /// at most the end of one segment and the start of another.
    pub fn push(
        &mut self,
        frame: &[f32; FRAME_SAMPLES],
        probability: f32,
        events: &mut Vec<SegmenterEvent>,
    ) {
        let mut next = self.frames();
        self.notes.push(Note {
            probability,
            level_db: level_db(frame),
        });
        self.pcm.extend_from_slice(frame);
        // A cut sends `next` back to where the segment was cut, so that what stands behind
        // the cut is looked at again. What is left is shorter than a segment, so this
        // happens once a frame at most.
        while next < self.frames() {
            next = self.advance(next, events);
        }
        self.forget();
    }

    /// Ends the stream. Gives the segment that was open.
    pub fn finish(mut self) -> Option<Segment> {
        let State::Open { start, last_speech } = self.state else {
            return None;
        };
        let end = (last_speech + 1 + self.post_roll()).min(self.frames());
        let mut segment = self.take(start, end, Boundary::End);
        self.complete(&mut segment, last_speech);
        Some(segment)
    }

    /// The segment that is open, if one is.
    pub fn open(&self) -> Option<OpenSegment<'_>> {
        let State::Open { start, .. } = self.state else {
            return None;
        };
        let from = self.index(start);
        Some(OpenSegment {
            start: samples(start),
            pcm: &self.pcm[from * FRAME_SAMPLES..],
            probabilities: OpenProbabilities(&self.notes[from..]),
        })
    }

    /// Looks at frame `index`, and says which frame comes next.
    fn advance(&mut self, index: u64, events: &mut Vec<SegmenterEvent>) -> u64 {
        let probability = self.notes[self.index(index)].probability;
        match self.state {
            State::Idle { continuing } => {
                let continues = continuing && probability >= self.config.offset;
                if probability >= self.config.onset || continues {
                    let start = index.saturating_sub(self.config.pre_roll as u64);
                    let start = start.max(self.floor);
                    self.state = State::Open {
                        start,
                        last_speech: index,
                    };
                    events.push(SegmenterEvent::Started { at: samples(start) });
                } else {
                    self.state = State::Idle { continuing: false };
                }
            }
            State::Open { start, last_speech } if probability < self.config.offset => {
                if index - last_speech >= self.config.endpoint_silence as u64 {
                    self.pause(start, last_speech, index + 1, events);
                }
            }
            State::Open { start, .. } => {
                self.state = State::Open {
                    start,
                    last_speech: index,
                };
            }
        }
        match self.state {
            State::Open { start, .. } if index + 1 - start >= self.config.max_segment as u64 => {
                self.cut(start, index + 1, events)
            }
            _ => index + 1,
        }
    }

    /// Ends the segment because nobody spoke for a while.
    fn pause(&mut self, start: u64, last_speech: u64, now: u64, events: &mut Vec<SegmenterEvent>) {
        let end = (last_speech + 1 + self.post_roll()).min(now);
        let mut segment = self.take(start, end, Boundary::Pause);
        self.complete(&mut segment, last_speech);
        self.state = State::Idle { continuing: false };
        events.push(SegmenterEvent::Ended(segment));
    }

    /// Ends the segment because it is full, and gives the frame where the next may begin.
    fn cut(&mut self, start: u64, now: u64, events: &mut Vec<SegmenterEvent>) -> u64 {
        let from = self.index(start);
        let notes = &self.notes[from..self.index(now)];
        let before = cut::quietest(notes, self.config.min_before_cut);
        let cut = start + before as u64;
        let speech = |note: &Note| note.probability >= self.config.offset;
        // The frame that opened the segment is speech and stands before any cut, because a
        // pre-roll is shorter than what stands before one.
        let last_speech = notes[..before]
            .iter()
            .rposition(speech)
            .unwrap_or(before - 1);
        let continuing = last_speech + 1 == before;
        let last_speech = start + last_speech as u64;
        let end = (last_speech + 1 + self.post_roll()).min(cut);
        let mut segment = self.take(start, end, Boundary::Limit);
        self.complete(&mut segment, last_speech);
        self.state = State::Idle { continuing };
        events.push(SegmenterEvent::Ended(segment));
        cut
    }

    /// The frames from `start` to `end` as a segment; later ones do not begin before `end`.
    fn take(&mut self, start: u64, end: u64, boundary: Boundary) -> Segment {
        let range = self.index(start)..self.index(end);
        self.floor = end;
        Segment {
            start: samples(start),
            end: samples(end),
            pcm: self.pcm[range.start * FRAME_SAMPLES..range.end * FRAME_SAMPLES].to_vec(),
            probabilities: self.notes[range]
                .iter()
                .map(|note| note.probability)
                .collect(),
            boundary,
        }
    }

    /// Completes the post-roll with silence where there is less of it.
    fn complete(&self, segment: &mut Segment, last_speech: u64) {
        let whole = samples(last_speech + 1 + self.post_roll()) - segment.start;
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        let whole = whole.min(MAX_SEGMENT_SAMPLES);
        if segment.pcm.len() < whole {
            segment.pcm.resize(whole, 0.0);
        }
    }

    /// Lets go of what no segment can reach any more.
    fn forget(&mut self) {
        let needed = match self.state {
            State::Open { start, .. } => start,
            State::Idle { .. } => {
                let roll = self.frames().saturating_sub(self.config.pre_roll as u64);
                roll.max(self.floor)
            }
        };
        let surplus = self.index(needed);
        // Letting go moves what is kept; once every 64 frames is seldom enough.
        if surplus >= SURPLUS_FRAMES {
            self.notes.drain(..surplus);
            self.pcm.drain(..surplus * FRAME_SAMPLES);
            self.first = needed;
        }
    }

    /// The most frames ever kept: a segment, a pre-roll and what was not let go of yet.
    fn most_frames(config: &SegmenterConfig) -> usize {
        config.max_segment + config.pre_roll + SURPLUS_FRAMES + 1
    }

    /// Frames since the beginning of the stream.
    fn frames(&self) -> u64 {
        self.first + self.notes.len() as u64
    }

    fn post_roll(&self) -> u64 {
        self.config.post_roll as u64
    }

    /// Where a frame that is kept stands among those kept.
    fn index(&self, frame: u64) -> usize {
        usize::try_from(frame.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }
}

/// Frames that may be kept longer than needed; see [`Segmenter::forget`].
const SURPLUS_FRAMES: usize = 64;

/// The first sample of a frame.
fn samples(frame: u64) -> u64 {
    frame * FRAME_SAMPLES as u64
}

/// Mean power of a frame in dB of full scale, down to -100.
pub(crate) fn level_db(frame: &[f32]) -> f32 {
    let power = frame.iter().map(|sample| sample * sample).sum::<f32>();
    10.0 * (power / frame.len().max(1) as f32).max(1e-10).log10()
}
