//! Live text: how soon it comes, what it costs, and whether it keeps its word.
//!
//! The sound comes in blocks as a microphone brings it, on a clock that is made up: a block is
//! there when its last sample was spoken, and whoever is still at work on an earlier one finds it
//! waiting. The work itself is real and timed. So sixteen minutes of listening are measured
//! without waiting for them, and delays are what a person would see.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use earnest_package::VOICE_CARD;
use earnest_speech::{
    EngineOptions, Event, Live, LiveEvent, LiveOptions, Recognizer, Tokenizer, Transcriber,
    TranscriberOptions, Vad,
};
use serde_json::json;

use crate::accuracy::{COUNT_HEADS, count_cells, verdict};
use crate::bench::{Bench, open_files};
use crate::corpus::Clip;
use crate::engine::Clock;
use crate::long;
use crate::normalise::normalise;
use crate::places::Model;
use crate::report::{Report, Table, quantile};
use crate::sound::{Noise, RATE};
use crate::wer::{WordErrors, word_errors};

/// Samples of a block: 40 ms, a microphone's buffer.
const BLOCK: usize = RATE / 25;
/// The quiet between two clips that are heard apart, and its level: a room's, in dBFS.
const GAP: usize = 2 * RATE;
/// The same for clips that are near, a breath: with the quiet that clips bring along it ends an
/// utterance, and seldom the segment of a file.
const BREATH: usize = RATE * 3 / 5;
const ROOM: f64 = -65.0;
/// Seconds of quiet on which idle listening is measured.
const IDLE: usize = 300;

/// The longest recording without a transcript: an hour.
const MOST_FILE_SAMPLES: usize = 3_600 * RATE;

/// Seconds from the onset of speech to its first text, in 95 of 100 utterances.
const TARGET_FIRST: f64 = 0.7;
/// Seconds from the end of an utterance, beyond the silence, to its final text.
const TARGET_FINAL: f64 = 0.3;
/// Share of a core in speech and in silence.
const TARGET_SPEECH: f64 = 0.35;
const TARGET_SILENCE: f64 = 0.02;
/// Points of word errors over the file path.
const TARGET_POINTS: f64 = 1.0;

/// What is listened with.
pub(crate) struct Ear {
    recognizer: Recognizer,
    vad: Vad,
    tokenizer: Arc<Tokenizer>,
    clock: Clock,
}

/// One event and when it was told, in seconds of the stream's own time.
struct Told {
    event: LiveEvent,
    at: f64,
}

/// A stream that was listened to.
#[derive(Default)]
struct Heard {
    told: Vec<Told>,
    /// Processor or wall seconds of all pushes.
    work: f64,
    /// Of those, in utterances, and the seconds of sound of those.
    speaking: (f64, f64),
    /// The longest push.
    longest: f64,
    /// Blocks that waited.
    late: usize,
}

impl Ear {
    pub(crate) fn new(bench: &Bench, threads: usize, clock: Clock) -> Result<Ear> {
        let recognizer = bench.recognizer(&EngineOptions { threads })?;
        Ok(Ear {
            tokenizer: Arc::new(recognizer.tokenizer().clone()),
            recognizer,
            vad: Vad::load(&open_files(VOICE_CARD)?)?,
            clock,
        })
    }

    /// Listens to `pcm` as it is said.
    fn listen(&mut self, pcm: &[f32], options: LiveOptions) -> Result<Heard> {
        let tokenizer = Arc::clone(&self.tokenizer);
        let mut live = Live::new(&mut self.recognizer, &mut self.vad, tokenizer, options);
        let mut heard = Heard::default();
        let (mut now, mut said, mut speaking) = (0.0, 0, false);
        for block in pcm.chunks(BLOCK) {
            said += block.len();
            let there = said as f64 / RATE as f64;
            now = f64::max(now, there);
            let behind = now >= there + BLOCK as f64 / RATE as f64;
            heard.late += usize::from(behind);
            let begin = self.clock.now()?;
            let events = live.push(block, behind)?;
            let took = (self.clock.now()? - begin).as_secs_f64();
            now += took;
            heard.work += took;
            heard.longest = heard.longest.max(took);
            if speaking || !events.is_empty() {
                heard.speaking.0 += took;
                heard.speaking.1 += block.len() as f64 / RATE as f64;
            }
            for event in events {
                match event {
                    LiveEvent::SpeechStarted(_) => speaking = true,
                    LiveEvent::SpeechStopped(_) => speaking = false,
                    _ => {}
                }
                heard.told.push(Told { event, at: now });
            }
        }
        let last = live.finish()?;
        heard
            .told
            .extend(last.into_iter().map(|event| Told { event, at: now }));
        Ok(heard)
    }

    /// Reads `pcm` as a file.
    fn read(&mut self, pcm: &[f32]) -> Result<Vec<(f64, String)>> {
        let options = TranscriberOptions::default();
        let tokenizer = Arc::clone(&self.tokenizer);
        let mut transcriber =
            Transcriber::new(&mut self.recognizer, &mut self.vad, tokenizer, options);
        let mut events = transcriber.push(pcm)?;
        events.extend(transcriber.finish()?);
        let texts = events.into_iter().filter_map(|event| match event {
            Event::Segment(found) => Some((found.start as f64 / RATE as f64, found.text)),
            Event::SpeechStarted { .. } | Event::Dropped { .. } => None,
        });
        Ok(texts.collect())
    }
}

impl Heard {
    /// The finals: when each begins, and its text.
    fn finals(&self) -> Vec<(f64, String)> {
        let finals = self.told.iter().filter_map(|told| match &told.event {
            LiveEvent::Segment(found) => Some((found.start.0 as f64 / 1_000.0, found.text.clone())),
            _ => None,
        });
        finals.collect()
    }

    /// How often stable text was taken back, by a partial or by the final.
    fn broken(&self) -> usize {
        let (mut stable, mut broken) = ("", 0);
        for told in &self.told {
            match &told.event {
                LiveEvent::SpeechStarted(_) => stable = "",
                LiveEvent::Partial { stable: next, .. } => {
                    broken += usize::from(!next.starts_with(stable));
                    stable = next;
                }
                LiveEvent::Segment(found) => {
                    broken += usize::from(!found.text.starts_with(stable));
                    stable = "";
                }
                LiveEvent::SpeechStopped(_) => {
                    broken += usize::from(!stable.is_empty());
                    stable = "";
                }
                LiveEvent::Spotted { .. } => {}
            }
        }
        broken
    }
}

/// Where a clip stands in the stream: its speech, in seconds.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: f64,
    onset: f64,
    offset: f64,
    end: f64,
}

/// The clips with a room's quiet between them, and where each stands.
fn stream(clips: &[Clip], gap: usize) -> (Vec<f32>, Vec<Place>) {
    let length: usize = clips.iter().map(|clip| clip.pcm.len() + gap).sum();
    let mut pcm = Noise::White.make(length + GAP, ROOM);
    let (mut places, mut at) = (Vec::new(), gap);
    for clip in clips {
        for (sample, spoken) in pcm[at..].iter_mut().zip(&clip.pcm) {
            *sample += spoken;
        }
        let (onset, offset) = speech(&clip.pcm);
        let seconds = |samples: usize| (at + samples) as f64 / RATE as f64;
        places.push(Place {
            start: seconds(0),
            onset: seconds(onset),
            offset: seconds(offset),
            end: seconds(clip.pcm.len()),
        });
        at += clip.pcm.len() + gap;
    }
    (pcm, places)
}

/// The first and the last sample of the speech in a clip, by the level of its hundredths of a
/// second: a third of the way up from the quiet ones to the loud ones.
fn speech(pcm: &[f32]) -> (usize, usize) {
    const FRAME: usize = RATE / 100;
    const LOUD: f64 = 1.0 / 3.0;
    // A recording's digital silence is no quieter than a room.
    let level = |frame: &[f32]| {
        let power: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (10.0 * (power / frame.len() as f64 + 1e-10).log10()).max(ROOM)
    };
    let levels: Vec<f64> = pcm.chunks(FRAME).map(level).collect();
    let (quiet, loud) = (quantile(&levels, 0.05), quantile(&levels, 0.95));
    let speaks = |level: &f64| *level >= quiet + LOUD * (loud - quiet);
    let first = levels.iter().position(speaks).unwrap_or(0);
    let last = levels.iter().rposition(speaks).unwrap_or(0);
    (first * FRAME, ((last + 1) * FRAME).min(pcm.len()))
}

/// Word errors of what was found within each clip's place.
fn errors(clips: &[Clip], places: &[Place], found: &[(f64, String)]) -> Result<WordErrors> {
    let texts: Vec<String> = places
        .iter()
        .map(|place| {
            // A pre-roll reaches half a second back.
            let within = |at: f64| at >= place.start - 0.6 && at < place.end;
            let texts = found.iter().filter(|(at, _)| within(*at));
            let texts: Vec<&str> = texts.map(|(_, text)| text.as_str()).collect();
            texts.join(" ")
        })
        .collect();
    let said: Vec<&str> = clips.iter().map(|clip| clip.transcript.as_str()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (said, texts) = (normalise(&said)?, normalise(&texts)?);
    let pairs = said.iter().zip(&texts);
    Ok(pairs.map(|(said, text)| word_errors(said, text)).sum())
}

/// Word errors of the whole.
fn errors_of_all(clips: &[Clip], found: &[(f64, String)]) -> Result<WordErrors> {
    let said: Vec<&str> = clips.iter().map(|clip| clip.transcript.as_str()).collect();
    let found: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    let texts = normalise(&[&said.join(" "), &found.join(" ")])?;
    Ok(word_errors(&texts[0], &texts[1]))
}

/// The delays of one stream, in seconds.
#[derive(Default)]
struct Delays {
    /// From the onset of each clip to the first text of it.
    first: Vec<f64>,
    /// From the end of each clip's speech to its last final, beyond the silence.
    last: Vec<f64>,
    /// Clips without any text.
    mute: usize,
}

fn delays(heard: &Heard, places: &[Place], silence: f64) -> Delays {
    let mut delays = Delays::default();
    for place in places {
        let about = |start: f64| start >= place.start - 0.6 && start < place.end;
        let first = heard.told.iter().find(|told| match &told.event {
            LiveEvent::Partial { start, .. } => about(start.0 as f64 / 1_000.0),
            LiveEvent::Segment(found) => about(found.start.0 as f64 / 1_000.0),
            _ => false,
        });
        let last = heard.told.iter().rfind(|told| match &told.event {
            LiveEvent::Segment(found) => about(found.start.0 as f64 / 1_000.0),
            _ => false,
        });
        match (first, last) {
            (Some(first), Some(last)) => {
                delays.first.push(first.at - place.onset);
                delays.last.push(last.at - place.offset - silence);
            }
            _ => delays.mute += 1,
        }
    }
    delays
}

/// How one model is measured.
pub(crate) struct Settings<'a> {
    pub(crate) model: Model,
    pub(crate) threads: usize,
    pub(crate) clock: Clock,
    /// Recordings without a transcript, which are compared with what is read of them as files.
    pub(crate) files: &'a [PathBuf],
}

/// What was heard of the clips.
struct Runs {
    places: Vec<Place>,
    /// With quiet between them.
    apart: Heard,
    apart_finals: Heard,
    /// With a breath between them.
    near: Heard,
    near_finals: Heard,
    /// End to end.
    joined: Heard,
    joined_finals: Heard,
    joined_seconds: f64,
}

/// Everything about one model.
pub(crate) fn run(report: &mut Report, settings: &Settings<'_>, clips: &[Clip]) -> Result<()> {
    let (model, clock) = (settings.model.name(), settings.clock);
    let mut ear = Ear::new(&Bench::open(settings.model)?, settings.threads, clock)?;
    let options = LiveOptions::default();
    let finals = LiveOptions {
        partials: false,
        ..options
    };
    let (apart, places) = stream(clips, GAP);
    let (near, _) = stream(clips, BREATH);
    let order: Vec<usize> = (0..clips.len()).collect();
    let joined = long::joined(clips, &order);
    let runs = Runs {
        places,
        apart: ear.listen(&apart, options)?,
        apart_finals: ear.listen(&apart, finals)?,
        near: ear.listen(&near, options)?,
        near_finals: ear.listen(&near, finals)?,
        joined: ear.listen(&joined, options)?,
        joined_finals: ear.listen(&joined, finals)?,
        joined_seconds: joined.len() as f64 / RATE as f64,
    };
    println!(
        "\n{model}: {} clips, {:.0} s with quiet between them, {:.0} s end to end; {clock:?} time",
        clips.len(),
        apart.len() as f64 / RATE as f64,
        runs.joined_seconds,
    );
    let files = [ear.read(&apart)?, ear.read(&near)?, ear.read(&joined)?];
    let mut alone = Vec::new();
    for (clip, place) in clips.iter().zip(&runs.places) {
        let texts = ear.read(&clip.pcm)?;
        alone.extend(texts.into_iter().map(|(_, text)| (place.start, text)));
    }
    print_errors(report, model, clips, &runs, &files, &alone)?;
    for path in settings.files {
        compare_file(&mut ear, path, options)?;
    }
    let idle = ear.listen(&Noise::White.make(IDLE * RATE, ROOM), options)?;
    ensure!(idle.told.is_empty(), "something was heard in an empty room");
    print_delays(report, model, &runs, options.silence as f64 / RATE as f64)?;
    print_shares(report, model, &runs, idle.work / IDLE as f64)?;
    let heard = [&runs.apart, &runs.near, &runs.joined];
    let broken: usize = heard.into_iter().map(Heard::broken).sum();
    println!("stable text taken back: {broken} times");
    ensure!(broken == 0, "stable text was taken back");
    Ok(())
}

/// Word errors live and as files.
fn print_errors(
    report: &mut Report,
    model: &str,
    clips: &[Clip],
    runs: &Runs,
    files: &[Vec<(f64, String)>; 3],
    alone: &[(f64, String)],
) -> Result<()> {
    let each = |found: &[(f64, String)]| errors(clips, &runs.places, found);
    let whole = |found: &[(f64, String)]| errors_of_all(clips, found);
    let rows = [
        ("each clip as a file", each(alone)?),
        ("apart, as a file", each(&files[0])?),
        (
            "apart, live, finals alone",
            each(&runs.apart_finals.finals())?,
        ),
        ("apart, live, with partials", each(&runs.apart.finals())?),
        ("a breath between, as a file", whole(&files[1])?),
        (
            "a breath between, live, finals alone",
            whole(&runs.near_finals.finals())?,
        ),
        (
            "a breath between, live, with partials",
            whole(&runs.near.finals())?,
        ),
        ("end to end, as a file", whole(&files[2])?),
        (
            "end to end, live, finals alone",
            whole(&runs.joined_finals.finals())?,
        ),
        (
            "end to end, live, with partials",
            whole(&runs.joined.finals())?,
        ),
    ];
    let mut table = Table::new(&COUNT_HEADS);
    for (name, counts) in &rows {
        table.row(count_cells(name, *counts));
        report.record(
            "live",
            json!({"model": model, "what": name, "words": counts.words, "errors": counts.errors(), "rate": counts.rate()}),
        )?;
    }
    table.print();
    let points = |file: usize, live: usize| 100.0 * (rows[live].1.rate() - rows[file].1.rate());
    let (clip, apart) = (points(0, 3), points(1, 3));
    let (near, joined) = (points(4, 6), points(7, 9));
    println!(
        "live over file: {clip:+.2} points over each clip as a file, {apart:+.2} over the same sound, {near:+.2} with a breath between, {joined:+.2} end to end; {}",
        verdict(
            clip.max(apart).max(near).max(joined) <= TARGET_POINTS,
            "within 1 point"
        )
    );
    Ok(())
}

/// Words that differ between a recording live and as a file.
fn compare_file(ear: &mut Ear, path: &Path, options: LiveOptions) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut pcm = Vec::new();
    earnest_sound::decode_bytes(&bytes, MOST_FILE_SAMPLES, &mut pcm)?;
    let heard = ear.listen(&pcm, options)?;
    ensure!(heard.broken() == 0, "stable text was taken back");
    let join = |found: Vec<(f64, String)>| {
        let texts: Vec<String> = found.into_iter().map(|(_, text)| text).collect();
        texts.join(" ")
    };
    let texts = normalise(&[&join(ear.read(&pcm)?), &join(heard.finals())])?;
    let counts = word_errors(&texts[0], &texts[1]);
    println!(
        "{}: {} of {} words are others live than as a file; {:.1} % of a core",
        path.display(),
        counts.errors(),
        counts.words,
        100.0 * heard.work * RATE as f64 / pcm.len() as f64
    );
    Ok(())
}

/// The shares of a core.
fn print_shares(report: &mut Report, model: &str, runs: &Runs, resting: f64) -> Result<()> {
    let apart = runs.apart.speaking.0 / runs.apart.speaking.1.max(1e-9);
    let joined = runs.joined.work / runs.joined_seconds;
    let finals = runs.joined_finals.work / runs.joined_seconds;
    println!(
        "share of a core: {:.1} % in utterances, {:.1} % end to end ({:.1} % without partials), {:.2} % in silence; {}",
        100.0 * apart,
        100.0 * joined,
        100.0 * finals,
        100.0 * resting,
        verdict(
            apart.max(joined) <= TARGET_SPEECH && resting <= TARGET_SILENCE,
            "35 % in speech, 2 % in silence"
        ),
    );
    report.record(
        "live",
        json!({"model": model, "share_utterances": apart, "share_end_to_end": joined, "share_finals": finals, "share_silence": resting}),
    )
}

/// When texts come.
fn print_delays(report: &mut Report, model: &str, runs: &Runs, silence: f64) -> Result<()> {
    let found = delays(&runs.apart, &runs.places, silence);
    let mut table = Table::new(&["seconds", "median", "95 %", "99 %", "most"]);
    for (name, values) in [
        ("first text after the onset", &found.first),
        ("final beyond the silence", &found.last),
    ] {
        let shares = [0.5, 0.95, 0.99, 1.0].map(|share| quantile(values, share));
        let cells = shares.map(|value| format!("{value:.3}"));
        table.row([name.to_owned()].into_iter().chain(cells));
        report.record(
            "live",
            json!({"model": model, "what": name, "quantiles": shares}),
        )?;
    }
    table.print();
    let (first, last) = (quantile(&found.first, 0.95), quantile(&found.last, 0.95));
    println!(
        "{} clips without text; {}; {}",
        found.mute,
        verdict(first <= TARGET_FIRST, "first text within 0.7 s"),
        verdict(last <= TARGET_FINAL, "final within 0.3 s"),
    );
    for (name, heard) in [
        ("apart", &runs.apart),
        ("a breath between", &runs.near),
        ("end to end", &runs.joined),
    ] {
        let partial = |told: &&Told| matches!(told.event, LiveEvent::Partial { .. });
        println!(
            "{name}: {} partials, the longest push {:.3} s, {} blocks waited",
            heard.told.iter().filter(partial).count(),
            heard.longest,
            heard.late
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_found_where_it_is_loud() {
        let mut pcm = vec![0.0; 2 * RATE];
        for (index, sample) in pcm[RATE / 2..RATE].iter_mut().enumerate() {
            *sample = if index % 2 == 0 { 0.5 } else { -0.5 };
        }
        assert_eq!(speech(&pcm), (RATE / 2, RATE));
        assert_eq!(speech(&[]), (0, 0));
    }
}
