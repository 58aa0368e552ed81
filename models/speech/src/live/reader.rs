//! One utterance after the other, read while it is being said and once more when it is over.

use std::ops::RangeInclusive;
use std::sync::Arc;

use earnest_transcript::{Milliseconds, Phrase};

use super::context::{Before, Context};
use super::pace::Pace;
use super::stable::Agreement;
use super::{LEAST_BEFORE_CUT, LiveEvent, LiveOptions};
use crate::guard::{SoundMeasures, Verdict, judge_text};
use crate::scribe::{Writer, line};
use crate::segmenter::{Boundary, OpenSegment, Segment, SegmenterOptions};
use crate::transcriber::{SURE_OF_SPEECH, second_look, settle};
use crate::{
    DecodeOptions, Extent, FRAME_SAMPLES, Hypothesis, Reread, SAMPLE_RATE, Score, SpeechError,
    Spotter, Tokenizer, nothing_said,
};

/// Frames of speech before the first reading, a fifth of a second: the first syllable. What is
/// read then is often wrong, and always tentative.
const FIRST_FRAMES: usize = 6;

/// Samples between two readings at least, a fifth of a second: what is read sooner again agrees
/// because it is the same sound. Half of that until there is text: it comes 0.46 s after the onset
/// at the 95th percentile, where it came after 0.66 s.
const LEAST_INTERVAL: usize = SAMPLE_RATE as usize / 5;

/// Samples of a segment before anything in it becomes stable, 2 s: a wrong beginning ("Play back a
/// ballistic" for "Playback of the list") is agreed on again and again until more is heard, and
/// every final has to live with it. Over 234 clips with tiny, readings from the beginning on gave
/// 130 word errors in 2,129 words, from 1.6 s on 128, from here on 124.
const LEAST_BEFORE_STABLE: usize = 2 * SAMPLE_RATE as usize;

/// Samples of a segment whose readings may make something stable. They are read behind what was
/// said before, as the final will be: read alone, a beginning became stable that the final would
/// not have had. Over the same clips that is 105 errors in place of the 124, and a breath apart 94
/// in place of 102; what is left of the difference to finals alone is `stable`'s.
const FIRMING: RangeInclusive<usize> = LEAST_BEFORE_STABLE..=LEAST_BEFORE_CUT;

/// How much of an utterance was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing: nobody wanted text yet.
    Nothing,
    /// Its start, and what follows.
    Start,
    /// That it is over, before it was: nobody wanted text any more.
    Stop,
}

/// The utterance under way.
struct Utterance {
    start: u64,
    told: Told,
    agreement: Agreement,
    /// The partial that was told last.
    last: (String, String),
    /// Samples of the segment that were read already, the reading under way among them.
    read: usize,
}

/// What was read of a segment that is over, or seems to be.
struct Reading<E> {
    /// For who wants text.
    text: Hypothesis,
    /// The segment without what was said before it, and what was read of that alone: for the
    /// phrases, and only where there are any or nothing was said before.
    alone: Option<(E, Hypothesis)>,
}

/// A segment that was read before it was known to be over, and where it ends.
struct Ready<E> {
    end: u64,
    reading: Reading<E>,
}

/// What a [`super::Live`] does with the segments that are found.
pub(super) struct Reader<R: Reread> {
    recognizer: R,
    writer: Writer,
    options: LiveOptions,
    spotter: Spotter,
    /// Whether a phrase is looked for while the segment is open.
    wakes: bool,
    pace: Pace,
    utterance: Option<Utterance>,
    ready: Option<Ready<R::Encoded>>,
    context: Context,
    /// Where the segment before was cut, if it was, because it was full.
    cut: Option<u64>,
}

impl<R: Reread> Reader<R> {
    pub(super) fn new(recognizer: R, tokenizer: Arc<Tokenizer>, options: LiveOptions) -> Reader<R> {
        Reader {
            recognizer,
            spotter: Spotter::new(&tokenizer, &[]),
            writer: Writer {
                tokenizer,
                words: options.words,
            },
            options,
            wakes: false,
            pace: Pace::default(),
            utterance: None,
            ready: None,
            context: Context::default(),
            cut: None,
        }
    }

    pub(super) fn tune(&mut self, text: bool, phrases: &[Phrase]) {
        self.options.text = text;
        self.spotter = Spotter::new(&self.writer.tokenizer, phrases);
        self.wakes = phrases.iter().any(|phrase| phrase.wakes);
        // Other phrases may want what was not kept.
        self.ready = None;
        if !text {
            self.context.clear();
        }
        if let Some(utterance) = &self.utterance {
            self.spotter.begin(self.cut == Some(utterance.start));
        }
    }

    /// Tells of the utterance under way what changes because text is wanted, or is no more.
    pub(super) fn heed(&mut self, heard: u64, events: &mut Vec<LiveEvent>) {
        let Some(utterance) = &mut self.utterance else {
            return;
        };
        match (self.options.text, utterance.told) {
            (true, Told::Nothing) => {
                utterance.told = Told::Start;
                events.push(LiveEvent::SpeechStarted(at(utterance.start)));
            }
            (false, Told::Start) => {
                utterance.told = Told::Stop;
                utterance.agreement.clear();
                // It was read behind text that nobody has now.
                self.ready = None;
                events.push(LiveEvent::SpeechStopped(at(heard)));
            }
            _ => {}
        }
    }

    /// So much sound came in.
    pub(super) fn hear(&mut self, samples: usize) {
        self.pace.earn(samples);
    }

    /// A segment began.
    pub(super) fn begin(&mut self, start: u64, events: &mut Vec<LiveEvent>) {
        self.spotter.begin(self.cut == Some(start));
        let mut utterance = Utterance {
            start,
            told: Told::Nothing,
            agreement: Agreement::default(),
            last: Default::default(),
            read: 0,
        };
        if self.options.text {
            utterance.told = Told::Start;
            events.push(LiveEvent::SpeechStarted(at(start)));
        }
        self.utterance = Some(utterance);
        self.ready = None;
    }

    /// A segment ended: it is read, unless it was already.
    pub(super) fn end(
        &mut self,
        segment: Segment,
        events: &mut Vec<LiveEvent>,
    ) -> Result<(), SpeechError> {
        self.cut = (segment.boundary == Boundary::Limit).then_some(segment.end);
        let (Some(utterance), ready) = (self.utterance.take(), self.ready.take()) else {
            return Ok(());
        };
        let telling = utterance.told == Told::Start;
        let end = segment.end;
        let sound = SoundMeasures::of(segment.sound(), &segment.probabilities);
        let stable = utterance.agreement.stable();
        let worth = sound.judge() == Verdict::Keep || !stable.is_empty();
        if worth && (telling || !self.spotter.is_empty()) {
            let ready = ready.filter(|ready| {
                ready.end == end
                    && segment.boundary == Boundary::Pause
                    && ready.reading.text.tokens.starts_with(stable)
            });
            let reading = match ready {
                Some(ready) => ready.reading,
                None => self.read_whole(&segment, &sound, stable, telling)?,
            };
            let extent = match segment.boundary {
                Boundary::Limit => Extent::Cut,
                Boundary::Pause | Boundary::End => Extent::Whole,
            };
            if let Some((encoded, hypothesis)) = &reading.alone {
                self.spot(encoded, hypothesis, extent, end, events)?;
            }
            if telling {
                let tokenizer = &self.writer.tokenizer;
                let text = settle(tokenizer, segment, &sound, reading.text, stable.len());
                if let Ok(text) = text {
                    self.context.keep(&text);
                    events.push(LiveEvent::Segment(self.writer.segment(text)?));
                }
            }
        }
        if telling {
            events.push(LiveEvent::SpeechStopped(at(end)));
        }
        Ok(())
    }

    fn read_whole(
        &mut self,
        segment: &Segment,
        sound: &SoundMeasures,
        stable: &[u32],
        telling: bool,
    ) -> Result<Reading<R::Encoded>, SpeechError> {
        let before = self.before(segment.start, segment.pcm.len(), telling);
        let reading = self.read_behind(before, &segment.pcm, stable, &self.decode())?;
        match second_look(segment, sound) {
            Some(close) if reading.text.tokens.is_empty() => {
                self.read_alone(close, stable, &self.decode())
            }
            _ => Ok(reading),
        }
    }

    /// What a segment is read behind, if that is wanted and can be paid for.
    fn before(&self, start: u64, samples: usize, wanted: bool) -> Option<Before> {
        if !wanted || !self.pace.allows_final() {
            return None;
        }
        self.context.before(start, samples)
    }

    /// Reads `pcm` behind what was said before it. Somebody has paid for `pcm` once.
    fn read_behind(
        &mut self,
        before: Option<Before>,
        pcm: &[f32],
        stable: &[u32],
        options: &DecodeOptions,
    ) -> Result<Reading<R::Encoded>, SpeechError> {
        let Some(before) = before else {
            return self.read_alone(pcm, stable, options);
        };
        self.pace.spend(before.pcm.len());
        let encoded = self.recognizer.encode(&[&before.pcm, pcm].concat())?;
        let prefix = [&before.tokens, stable].concat();
        let both = self.recognizer.read(&encoded, &prefix, options)?;
        let text = before.part(both, stable);
        match text {
            Some(text) if self.spotter.is_empty() => Ok(Reading { text, alone: None }),
            text => {
                self.pace.spend(pcm.len());
                let reading = self.read_alone(pcm, stable, options)?;
                Ok(Reading {
                    text: text.unwrap_or(reading.text),
                    ..reading
                })
            }
        }
    }

    fn read_alone(
        &mut self,
        pcm: &[f32],
        stable: &[u32],
        options: &DecodeOptions,
    ) -> Result<Reading<R::Encoded>, SpeechError> {
        let encoded = self.recognizer.encode(pcm)?;
        let hypothesis = self.recognizer.read(&encoded, stable, options)?;
        Ok(Reading {
            text: hypothesis.clone(),
            alone: Some((encoded, hypothesis)),
        })
    }

    /// Looks at the open segment, and reads it if that is due.
    pub(super) fn glance(
        &mut self,
        open: &OpenSegment<'_>,
        events: &mut Vec<LiveEvent>,
    ) -> Result<(), SpeechError> {
        let Some(mut utterance) = self.utterance.take() else {
            return Ok(());
        };
        let result = self.look(&mut utterance, open, events);
        self.utterance = Some(utterance);
        result
    }

    fn look(
        &mut self,
        utterance: &mut Utterance,
        open: &OpenSegment<'_>,
        events: &mut Vec<LiveEvent>,
    ) -> Result<(), SpeechError> {
        let telling = utterance.told == Told::Start;
        if !telling && self.spotter.is_empty() {
            return Ok(());
        }
        let Some(due) = self.due(utterance, open, telling) else {
            return Ok(());
        };
        let pcm = &open.pcm[..due.samples];
        utterance.read = due.samples;
        let probabilities: Vec<f32> = open.probabilities.iter().collect();
        let sound = SoundMeasures::of(pcm, &probabilities);
        if sound.judge() != Verdict::Keep {
            return Ok(());
        }
        let heard = open.start + due.samples as u64;
        let stable = utterance.agreement.stable();
        let behind = telling && (due.whole || FIRMING.contains(&due.samples));
        let before = self.before(open.start, due.samples, behind);
        self.pace.spend(due.samples);
        let options = match due.whole {
            true => self.decode(),
            // At its end, a look without the quiet is what finds a short word.
            false => DecodeOptions {
                spoken: sound.speech >= SURE_OF_SPEECH,
                ..DecodeOptions::default()
            },
        };
        let reading = self.read_behind(before, pcm, stable, &options)?;
        if let Some((encoded, hypothesis)) = &reading.alone {
            self.spot(encoded, hypothesis, Extent::SoFar, heard, events)?;
        }
        if telling && self.options.partials {
            let partial = self.partial(utterance, &sound, &reading.text, heard);
            events.extend(partial);
        }
        if due.whole && !reading.text.tokens.is_empty() {
            self.ready = Some(Ready {
                end: heard,
                reading,
            });
        }
        Ok(())
    }

    /// How much of the open segment is to be read now, if any.
    fn due(&self, utterance: &Utterance, open: &OpenSegment<'_>, telling: bool) -> Option<Due> {
        let SegmenterOptions {
            onset,
            offset,
            post_roll,
            ..
        } = SegmenterOptions::default();
        let spoken = |probability: f32| probability >= offset;
        let last = open.probabilities.iter().rposition(spoken)? + 1;
        let samples = open.pcm.len();
        // With the quiet behind it the segment is complete, if nobody goes on to speak: it is
        // read while the rest of the silence is waited for.
        let whole = (last + post_roll.div_ceil(FRAME_SAMPLES)) * FRAME_SAMPLES;
        if samples >= whole {
            let new = self.ready.as_ref().map(|ready| ready.end) != Some(open.start + whole as u64);
            let due = new && utterance.read < whole && self.pace.allows_final();
            return due.then_some(Due {
                samples: whole,
                whole: true,
            });
        }
        let wanted = self.wakes || (telling && self.options.partials);
        let frames = open.probabilities.iter().filter(|found| *found >= onset);
        let enough = frames.take(FIRST_FRAMES).count() == FIRST_FRAMES;
        let told = !utterance.last.0.is_empty() || !utterance.last.1.is_empty();
        let nothing = telling && self.options.partials && !told;
        let least = if nothing {
            LEAST_INTERVAL / 2
        } else {
            LEAST_INTERVAL
        };
        let interval = samples >= utterance.read + least;
        let news = last * FRAME_SAMPLES > utterance.read;
        let due = wanted && enough && interval && news && self.pace.allows_reading();
        due.then_some(Due {
            samples,
            whole: false,
        })
    }

    /// What there is to tell of a reading of the open segment.
    fn partial(
        &self,
        utterance: &mut Utterance,
        sound: &SoundMeasures,
        hypothesis: &Hypothesis,
        heard: u64,
    ) -> Option<LiveEvent> {
        let tokenizer = &self.writer.tokenizer;
        let text = tokenizer.decode(&hypothesis.tokens);
        let verdict = judge_text(sound, hypothesis, &text);
        let firm = verdict == Verdict::Keep;
        if FIRMING.contains(&utterance.read) {
            utterance.agreement.take(tokenizer, hypothesis, heard, firm);
        }
        let stable = line(&tokenizer.decode(utterance.agreement.stable()));
        let tentative = match firm {
            true => line(&text).strip_prefix(&stable)?.to_owned(),
            false => String::new(),
        };
        let partial = (stable, tentative);
        let empty = partial.0.is_empty() && partial.1.is_empty();
        if empty || partial == utterance.last {
            return None;
        }
        utterance.last = partial.clone();
        Some(LiveEvent::Partial {
            start: at(utterance.start),
            at: at(heard),
            stable: partial.0,
            tentative: partial.1,
        })
    }

    /// Asks for the phrases.
    fn spot(
        &mut self,
        encoded: &R::Encoded,
        hypothesis: &Hypothesis,
        extent: Extent,
        heard: u64,
        events: &mut Vec<LiveEvent>,
    ) -> Result<(), SpeechError> {
        if self.spotter.is_empty() {
            return Ok(());
        }
        let text = self.writer.tokenizer.decode(&hypothesis.tokens);
        let mut scorer = Scorer {
            recognizer: &mut self.recognizer,
            encoded,
        };
        let phrases = self.spotter.judge(&mut scorer, &text, extent)?;
        events.extend(phrases.into_iter().map(|phrase| LiveEvent::Spotted {
            phrase,
            at: at(heard),
        }));
        Ok(())
    }

    fn decode(&self) -> DecodeOptions {
        DecodeOptions {
            cross_attention: self.options.words,
            ..DecodeOptions::default()
        }
    }
}

/// What is to be read of an open segment.
struct Due {
    samples: usize,
    /// Whether that is all of it, if nobody goes on to speak.
    whole: bool,
}

/// The sound at hand, for the spotter.
struct Scorer<'a, R: Reread> {
    recognizer: &'a mut R,
    encoded: &'a R::Encoded,
}

impl<R: Reread> Score for Scorer<'_, R> {
    fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        self.recognizer.score(self.encoded, tokens)
    }

    fn unheard(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, SpeechError> {
        let encoded = self.recognizer.encode(&nothing_said())?;
        let texts = texts.iter();
        texts
            .map(|tokens| self.recognizer.score(&encoded, tokens))
            .collect()
    }
}

fn at(sample: u64) -> Milliseconds {
    Milliseconds::of_sample(sample)
}
