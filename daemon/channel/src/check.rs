//! The bounds on what messages hold, which serde's types cannot say.

use earnest_transcript::{Milliseconds, Segment};

use crate::{
    FromWorker, Job, MAX_LIVE_SILENCE, MAX_MILLISECONDS, MAX_PHRASE_BYTES, MAX_PHRASES,
    MAX_SOUND_BYTES, MAX_TEXT_BYTES, MAX_TOKENS, MIN_LIVE_SILENCE, Partial, Report, SoundKind,
    Task, ToWorker, Tuning,
};

/// A message with something in it that no honest side says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// A list or text with too much in it, or too little.
    #[error("{what}: expected {least} to {most}, found {found}")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there must be.
        least: usize,
        /// How many there may be.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// A number that is not one, or not in its range.
    #[error("{what} is out of its range")]
    Range {
        /// Which number.
        what: &'static str,
    },
    /// A time before the one that it follows, or after all time.
    #[error("{what} is at {found} ms, expected {earliest} ms to {latest} ms")]
    Time {
        /// Which time.
        what: &'static str,
        /// The earliest that it may be.
        earliest: u64,
        /// The latest that it may be.
        latest: u64,
        /// What it is.
        found: u64,
    },
    /// A text with a character that moves a cursor or ends a line.
    #[error("{what} holds a control character")]
    Control {
        /// Which text.
        what: &'static str,
    },
}

/// The latest sample: a millisecond is 16 of them.
const MAX_SAMPLES: u64 = MAX_MILLISECONDS * 16;

/// By how much a probability may pass 1, and its logarithm 0, because sums of 32-bit floating
/// point are rounded.
const ROUNDING: f32 = 1e-3;

pub(crate) fn to_worker(message: &ToWorker) -> Result<(), OutOfBounds> {
    match message {
        ToWorker::Begin(job) => begin(job),
        ToWorker::Sound(bytes) => length("bytes of sound", 1, bytes.len(), MAX_SOUND_BYTES),
        ToWorker::EndOfSound | ToWorker::Abandon => Ok(()),
        ToWorker::Tune(tuning) => phrases(tuning),
    }
}

fn phrases(tuning: &Tuning) -> Result<(), OutOfBounds> {
    length("phrases", 0, tuning.phrases.len(), MAX_PHRASES)?;
    for phrase in &tuning.phrases {
        length("bytes of a phrase", 1, phrase.words.len(), MAX_PHRASE_BYTES)?;
        text("a phrase", &phrase.words)?;
    }
    Ok(())
}

fn begin(job: &Job) -> Result<(), OutOfBounds> {
    if let Task::Live(live) = job.task {
        let silence = MIN_LIVE_SILENCE..=MAX_LIVE_SILENCE;
        if job.kind == SoundKind::Container || !silence.contains(&live.silence) {
            return Err(OutOfBounds::Range {
                what: "a live job's sound or silence",
            });
        }
    }
    match job.kind {
        SoundKind::Raw { rate: 0, .. } => Err(OutOfBounds::Range { what: "the rate" }),
        SoundKind::Raw { channels: 0, .. } => Err(OutOfBounds::Range {
            what: "the number of channels",
        }),
        SoundKind::Raw { .. } | SoundKind::Container => Ok(()),
    }
}

pub(crate) fn from_worker(message: &FromWorker) -> Result<(), OutOfBounds> {
    match message {
        // Its parts are checked as they are made.
        FromWorker::Hello(_) | FromWorker::Ready | FromWorker::Failed(_) => Ok(()),
        FromWorker::SpeechStarted { at } => time("speech", *at, 0, MAX_MILLISECONDS),
        FromWorker::Segment(heard) => segment(heard),
        FromWorker::Activity { start, end } => activity(*start, *end),
        FromWorker::Heard { samples: found } => samples(*found),
        FromWorker::Finished(found) => report(found),
        FromWorker::Partial(found) => partial(found),
        FromWorker::SpeechStopped { at } => time("the end of speech", *at, 0, MAX_MILLISECONDS),
        FromWorker::Spotted(found) => time("a phrase", found.at, 0, MAX_MILLISECONDS),
    }
}

fn partial(partial: &Partial) -> Result<(), OutOfBounds> {
    time("a partial's start", partial.start, 0, MAX_MILLISECONDS)?;
    time(
        "a partial's end",
        partial.at,
        partial.start.0,
        MAX_MILLISECONDS,
    )?;
    text("stable text", &partial.stable)?;
    text("tentative text", &partial.tentative)?;
    let both = partial.stable.len() + partial.tentative.len();
    length("bytes of a partial", 1, both, MAX_TEXT_BYTES)
}

fn segment(segment: &Segment) -> Result<(), OutOfBounds> {
    let (start, end) = (segment.start.0, segment.end.0);
    time("a segment's start", segment.start, 0, MAX_MILLISECONDS)?;
    time("a segment's end", segment.end, start, MAX_MILLISECONDS)?;
    text("a segment's text", &segment.text)?;
    length("tokens", 0, segment.tokens.len(), MAX_TOKENS)?;
    number("avg_logprob", segment.avg_logprob, f32::MIN, ROUNDING)?;
    number(
        "compression_ratio",
        segment.compression_ratio,
        0.0,
        f32::MAX,
    )?;
    number(
        "no_speech_prob",
        segment.no_speech_prob,
        0.0,
        1.0 + ROUNDING,
    )?;

    length("words", 0, segment.words.len(), MAX_TOKENS)?;
    let spelt = segment.words.iter().map(|word| word.text.len()).sum();
    length("bytes of words", 0, spelt, MAX_TEXT_BYTES)?;
    let mut earliest = start;
    for word in &segment.words {
        time("a word's start", word.start, earliest, end)?;
        time("a word's end", word.end, word.start.0, end)?;
        text("a word", &word.text)?;
        number(
            "a word's probability",
            word.probability,
            0.0,
            1.0 + ROUNDING,
        )?;
        earliest = word.start.0;
    }
    Ok(())
}

/// A stretch of no length would be one in which nobody spoke.
fn activity(start: Milliseconds, end: Milliseconds) -> Result<(), OutOfBounds> {
    time("a stretch's start", start, 0, MAX_MILLISECONDS - 1)?;
    time("a stretch's end", end, start.0 + 1, MAX_MILLISECONDS)
}

fn report(report: &Report) -> Result<(), OutOfBounds> {
    samples(report.samples)?;
    match report.speech <= report.samples {
        true => Ok(()),
        false => Err(OutOfBounds::Range {
            what: "the samples within speech",
        }),
    }
}

fn samples(found: u64) -> Result<(), OutOfBounds> {
    match found <= MAX_SAMPLES {
        true => Ok(()),
        false => Err(OutOfBounds::Range {
            what: "the number of samples",
        }),
    }
}

fn length(what: &'static str, least: usize, found: usize, most: usize) -> Result<(), OutOfBounds> {
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(OutOfBounds::Length {
            what,
            least,
            most,
            found,
        }),
    }
}

fn number(what: &'static str, found: f32, least: f32, most: f32) -> Result<(), OutOfBounds> {
    // Not a number is in no range.
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(OutOfBounds::Range { what }),
    }
}

fn time(
    what: &'static str,
    found: Milliseconds,
    earliest: u64,
    latest: u64,
) -> Result<(), OutOfBounds> {
    match (earliest..=latest).contains(&found.0) {
        true => Ok(()),
        false => Err(OutOfBounds::Time {
            what,
            earliest,
            latest,
            found: found.0,
        }),
    }
}

fn text(what: &'static str, text: &str) -> Result<(), OutOfBounds> {
    length(what, 0, text.len(), MAX_TEXT_BYTES)?;
    match text.chars().any(char::is_control) {
        true => Err(OutOfBounds::Control { what }),
        false => Ok(()),
    }
}
