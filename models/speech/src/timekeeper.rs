//! From a stream of sound to the times at which somebody spoke, and not a word of it.
//!
//! What finds speech for the recogniser finds it here, and no recogniser runs. A recogniser
//! wants context around speech and neighbours read together; who asks for times wants them
//! close, so the lines are drawn tighter. A segment has a limit that speech has not: what was
//! cut in the middle of speech is told as one stretch.

use earnest_transcript::Milliseconds;

use crate::finder::SpeechFinder;
use crate::guard::{SoundMeasures, Verdict};
use crate::segmenter::{Boundary, Segment, SegmenterConfig, SegmenterEvent, SegmenterOptions};
use crate::vad::{DetectSpeech, FRAME_SAMPLES};
use crate::{SAMPLE_RATE, SpeechError};

/// How much of the sound around the frames of speech belongs to a stretch: consonants at either
/// end are weaker than what the detector is sure of.
const ROLL: usize = SAMPLE_RATE as usize / 5;

/// This much without speech parts two stretches: more than the pause within a word or between
/// two of a phrase, and more than two rolls, so that stretches that a pause parts do not touch.
const PAUSE: usize = SAMPLE_RATE as usize / 2;

/// Somebody spoke from here to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The beginning, from the start of the sound.
    pub start: Milliseconds,
    /// The end, which is later.
    pub end: Milliseconds,
}

/// Notes when anybody speaks in one stream.
///
/// ```no_run
/// # use earnest_speech::{SpeechError, Timekeeper, Vad};
/// # fn example(vad: &mut Vad, sound: &[f32]) -> Result<(), SpeechError> {
/// let mut timekeeper = Timekeeper::new(vad);
/// let mut stretches = timekeeper.push(sound)?;
/// stretches.extend(timekeeper.finish()?);
/// for stretch in stretches {
///     println!("{:?} to {:?}", stretch.start, stretch.end);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Timekeeper<D> {
    finder: SpeechFinder<D>,
    notes: Notes,
}

impl<D: DetectSpeech> Timekeeper<D> {
    /// A timekeeper at the beginning of a stream; resets the detector.
    pub fn new(detector: D) -> Timekeeper<D> {
        Timekeeper {
            finder: SpeechFinder::new(detector, lines()),
            notes: Notes::default(),
        }
    }

    /// Takes the next samples, 16 kHz mono, and tells of the stretches that are over. The same
    /// samples give the same stretches however they were divided into blocks.
    ///
    /// # Errors
    /// As [`SpeechFinder::push`].
    pub fn push(&mut self, pcm: &[f32]) -> Result<Vec<Stretch>, SpeechError> {
        let mut stretches = Vec::new();
        for event in self.finder.push(pcm)? {
            self.notes.take(&event, &mut stretches);
        }
        if self.finder.open().is_none() {
            self.notes.let_go(self.finder.heard(), &mut stretches);
        }
        Ok(stretches)
    }

    /// Ends the stream and tells of the stretch that was open.
    ///
    /// # Errors
    /// As [`SpeechFinder::finish`].
    pub fn finish(self) -> Result<Vec<Stretch>, SpeechError> {
        let Timekeeper { finder, mut notes } = self;
        let mut stretches = Vec::new();
        for event in finder.finish()? {
            notes.take(&event, &mut stretches);
        }
        notes.tell(&mut stretches);
        Ok(stretches)
    }

    /// Samples taken so far.
    pub fn heard(&self) -> u64 {
        self.finder.heard()
    }
}

/// Where the lines are drawn.
fn lines() -> SegmenterConfig {
    SegmenterOptions {
        pre_roll: ROLL,
        post_roll: ROLL,
        endpoint_silence: PAUSE,
        ..SegmenterOptions::default()
    }
    .check()
    .expect("a test holds the lines to the rules")
}

/// The stretch that may go on, in samples.
#[derive(Debug, Default)]
struct Notes {
    held: Option<(u64, u64)>,
}

impl Notes {
    fn take(&mut self, event: &SegmenterEvent, stretches: &mut Vec<Stretch>) {
        match event {
            SegmenterEvent::Started { at } => {
                if self.held.is_some_and(|(_, end)| end != *at) {
                    self.tell(stretches);
                }
            }
            SegmenterEvent::Ended(segment) => self.segment(segment, stretches),
        }
    }

    fn segment(&mut self, segment: &Segment, stretches: &mut Vec<Stretch>) {
        let sound = SoundMeasures::of(segment.sound(), &segment.probabilities);
        if sound.judge() != Verdict::Keep {
            return;
        }
        match &mut self.held {
            Some((_, end)) if *end == segment.start => *end = segment.end,
            _ => {
                self.tell(stretches);
                self.held = Some((segment.start, segment.end));
            }
        }
        // Only a cut within speech leaves something that may go on without a gap.
        if segment.boundary != Boundary::Limit {
            self.tell(stretches);
        }
    }

    /// Tells of the stretch at hand if no later segment can begin where it ends: one begins a
    /// roll before its first frame of speech at the earliest.
    fn let_go(&mut self, heard: u64, stretches: &mut Vec<Stretch>) {
        let reach = (ROLL.div_ceil(FRAME_SAMPLES) + 1) * FRAME_SAMPLES;
        if self
            .held
            .is_some_and(|(_, end)| heard >= end + reach as u64)
        {
            self.tell(stretches);
        }
    }

    fn tell(&mut self, stretches: &mut Vec<Stretch>) {
        if let Some((start, end)) = self.held.take() {
            let stretch = Stretch {
                start: Milliseconds::of_sample(start),
                end: Milliseconds::of_sample(end),
            };
            // Sound of less than a millisecond is no speech, whatever the detector says.
            if stretch.start < stretch.end {
                stretches.push(stretch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A detector that hears speech where samples are not zero.
    struct Script;

    impl DetectSpeech for Script {
        fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
            let spoken = frame.iter().any(|sample| *sample != 0.0);
            Ok(if spoken { 0.9 } else { 0.0 })
        }

        fn reset(&mut self) {}
    }

    const SECOND: usize = SAMPLE_RATE as usize;

    /// Silence, and speech of a level that comes and goes at these seconds.
    fn sound(seconds: usize, spoken: &[(f32, f32)]) -> Vec<f32> {
        let mut pcm = vec![0.0; seconds * SECOND];
        for (from, to) in spoken {
            let [from, to] = [from, to].map(|at| (at * SECOND as f32) as usize);
            for (index, sample) in pcm[from..to].iter_mut().enumerate() {
                *sample = if index % 4_000 < 2_000 { 0.5 } else { 0.01 };
            }
        }
        pcm
    }

    fn stretches(pcm: &[f32], block: usize) -> Vec<(u64, u64)> {
        let mut timekeeper = Timekeeper::new(Script);
        let mut found = Vec::new();
        for block in pcm.chunks(block) {
            found.extend(timekeeper.push(block).unwrap());
        }
        assert_eq!(timekeeper.heard(), pcm.len() as u64);
        found.extend(timekeeper.finish().unwrap());
        found
            .iter()
            .map(|stretch| (stretch.start.0, stretch.end.0))
            .collect()
    }

    /// Whether the times are those expected, but for rolls and whole frames.
    fn check(pcm: &[f32], expected: &[(u64, u64)]) {
        let found = stretches(pcm, 4_096);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((start, end), (from, to)) in found.iter().zip(expected) {
            assert!(start <= from && from - start <= 300, "{found:?}");
            assert!(end >= to && end - to <= 300, "{found:?}");
        }
    }

    #[test]
    fn stretches_are_told_where_a_pause_parts_them() {
        check(&sound(3, &[]), &[]);
        check(&sound(3, &[(1.0, 1.5)]), &[(1_000, 1_500)]);
        check(&sound(5, &[(1.0, 2.0), (2.3, 3.0)]), &[(1_000, 3_000)]);
        check(
            &sound(6, &[(1.0, 2.0), (2.7, 4.0)]),
            &[(1_000, 2_000), (2_700, 4_000)],
        );
    }

    #[test]
    fn speech_beyond_the_longest_segment_is_one_stretch() {
        check(&sound(52, &[(1.0, 50.0)]), &[(1_000, 50_000)]);
    }

    #[test]
    fn speech_up_to_the_end_ends_with_the_sound() {
        let mut pcm = sound(3, &[(2.0, 3.0)]);
        pcm.truncate(3 * SECOND - 5_000);
        let found = stretches(&pcm, 1_000);
        assert_eq!(found.last().map(|(_, end)| *end), Some(2_687));
    }

    #[test]
    fn steady_sound_is_nobody() {
        let pcm: Vec<f32> = (0..3 * SECOND)
            .map(|index| (index as f32 * 0.3).sin() * 0.3)
            .collect();
        assert_eq!(stretches(&pcm, 4_096), []);
    }

    #[test]
    fn blocks_make_no_difference() {
        let pcm = sound(60, &[(0.1, 20.0), (20.9, 21.2), (30.0, 59.9)]);
        let whole = stretches(&pcm, pcm.len());
        for block in [160, 512, 1_000, 100_000] {
            assert_eq!(stretches(&pcm, block), whole, "blocks of {block}");
        }
    }

    #[test]
    fn stretches_are_told_as_soon_as_they_are_over() {
        let pcm = sound(20, &[(1.0, 2.0)]);
        let mut timekeeper = Timekeeper::new(Script);
        let early = timekeeper.push(&pcm[..3 * SECOND]).unwrap();
        assert_eq!(early.len(), 1);
    }

    #[test]
    fn a_pause_is_longer_than_what_is_added_to_speech() {
        let frames = |samples: usize| samples.div_ceil(FRAME_SAMPLES);
        assert!(2 * frames(ROLL) < frames(PAUSE));
        lines();
    }
}
