//! What the runs of `listen` come to: times, word errors, and what they cost.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::bench::{BEFORE, Run, Way};
use super::processes::PARTS;
use super::script::{Place, Script, place_at};
use crate::accuracy::{COUNT_HEADS, count_cells, verdict};
use crate::corpus::Clip;
use crate::normalise::normalise;
use crate::report::{Report, Table, median, quantile};
use crate::sound::RATE;
use crate::wer::{WordErrors, word_errors};

/// The targets: seconds to the final beyond the silence and to the first text, 95 of 100 times;
/// points of word errors over the file's; shares of a core.
const TARGET_FINAL: f64 = 0.3;
const TARGET_FIRST: f64 = 0.7;
const TARGET_POINTS: f64 = 1.0;
const TARGET_SPEECH: f64 = 0.35;
const TARGET_QUIET: f64 = 0.02;

/// The parts of that quiet which are looked at: not the beginning of listening.
const SETTLED: usize = 5 * RATE;

/// The figures that ways are compared by.
pub(super) struct Figures {
    /// Seconds from the end of speech to the final, and from the onset to the first text: the
    /// median and what 95 of 100 do not exceed.
    last: [f64; 2],
    first: [f64; 2],
    /// Shares of a core in speech and in silence.
    shares: [f64; 2],
    megabytes: f64,
    errors: WordErrors,
}

/// What was told of each clip.
#[derive(Default, Clone)]
struct Clipped {
    first: Option<Instant>,
    last: Option<Instant>,
    text: String,
    /// Seconds from the microphone's beginning.
    begins: Option<f64>,
}

/// Puts what was told to the clips. The microphone was opened some time before: the first words
/// that are told belong to the clip that was said last before, and each clip sets the clock anew.
fn assign(script: &Script, run: &Run) -> Vec<Clipped> {
    let mut clipped = vec![Clipped::default(); script.places.len()];
    let onset = |place: usize| script.places[place].onset as f64 / RATE as f64;
    let mut offset = None;
    for told in run.told.iter().filter(|told| told.has_text()) {
        let start = told.seconds("start");
        let offset = offset.get_or_insert_with(|| {
            let before = |place: &&Place| run.said.at(place.onset) < told.at;
            let count = script.places.iter().take_while(before).count();
            start - onset(count.saturating_sub(1))
        });
        let Some(place) = place_at(&script.places, start - *offset) else {
            continue;
        };
        let clip = &mut clipped[place];
        clip.first.get_or_insert(told.at);
        if clip.begins.is_none() {
            clip.begins = Some(start);
            *offset = start - onset(place);
        }
        if told.kind() == "final" {
            clip.last = Some(told.at);
            clip.text.push(' ');
            clip.text.push_str(told.text());
        }
    }
    clipped
}

/// Times of one run, in seconds.
#[derive(Default)]
struct Times {
    /// From the end of speech to the final.
    last: Vec<f64>,
    /// From the onset to the first text.
    first: Vec<f64>,
    /// The same from what a recorder beside heard.
    last_heard: Vec<f64>,
    first_heard: Vec<f64>,
}

impl Times {
    fn of(script: &Script, run: &Run, clipped: &[Clipped]) -> Times {
        let mut times = Times::default();
        for (clip, place) in clipped.iter().zip(&script.places) {
            let (Some(begun), Some(ended)) = (clip.first, clip.last) else {
                continue;
            };
            let playback = run.playback_at(place.onset + RATE / 10);
            let (onset, end) = (run.said.at(place.onset), run.said.at(place.end - 1));
            times.first.push(since(onset, begun));
            times.last.push(since(end, ended));
            let heard = |from: Instant, to| playback.map(|delay| since(from + delay, to));
            times.first_heard.extend(heard(onset, begun));
            times.last_heard.extend(heard(end, ended));
        }
        times
    }
}

/// Seconds from one moment to another, which may be the earlier.
fn since(from: Instant, to: Instant) -> f64 {
    match to.checked_duration_since(from) {
        Some(time) => time.as_secs_f64(),
        None => -from.duration_since(to).as_secs_f64(),
    }
}

/// Prints what one run comes to. `files` are the texts of the same clips as files.
pub(super) fn tell(
    report: &mut Report,
    way: Way,
    clips: &[Clip],
    script: &Script,
    run: &Run,
    files: Option<&[String]>,
) -> Result<Figures> {
    let clipped = assign(script, run);
    let times = Times::of(script, run, &clipped);
    let playback = run.playback.iter().map(|(_, delay)| delay.as_secs_f64());
    let playback: Vec<f64> = playback.collect();
    let beyond = |values: &[f64]| -> Vec<f64> {
        let silence = way.silence().unwrap_or_default();
        values.iter().map(|value| value - silence).collect()
    };
    let (beyond, beyond_heard) = (beyond(&times.last), beyond(&times.last_heard));
    println!("\nby the {}:", way.name());
    let mut table = Table::new(&["seconds", "median", "95 %", "99 %", "most"]);
    let rows = [
        ("final after the end of speech", Some(&times.last)),
        ("final beyond the silence", way.silence().map(|_| &beyond)),
        ("first text after the onset", Some(&times.first)),
        ("playback, and a recorder beside", Some(&playback)),
        (
            "final beyond the silence, from what the recorder heard",
            Some(&beyond_heard),
        ),
        ("first text, from what it heard", Some(&times.first_heard)),
    ];
    let rows = rows
        .iter()
        .filter_map(|(name, values)| Some((name, (*values)?)));
    for (name, values) in rows.filter(|(_, values)| !values.is_empty()) {
        let cells = [0.5, 0.95, 0.99, 1.0].map(|share| format!("{:.3}", quantile(values, share)));
        table.row([vec![(*name).to_owned()], cells.to_vec()].concat());
    }
    table.print();
    let (p95_last, p95_first) = (quantile(&beyond, 0.95), quantile(&times.first, 0.95));
    if way.silence().is_some() {
        println!(
            "finals {}; first text {}",
            verdict(p95_last <= TARGET_FINAL, &format!("{TARGET_FINAL} s")),
            verdict(p95_first <= TARGET_FIRST, &format!("{TARGET_FIRST} s")),
        );
    }
    println!(
        "{} clips without a final; blocks at most {:.0} ms late; {} overruns",
        clips.len() - times.last.len(),
        run.said.late.as_secs_f64() * 1e3,
        run.told
            .iter()
            .filter(|told| told.kind() == "overrun")
            .count(),
    );
    let errors = tell_errors(clips, &clipped, files)?;
    let shares = tell_costs(way, script, run, &clipped);
    report.record(
        "listen",
        json!({
            "way": way.name(), "clips": clips.len(), "heard": times.last.len(),
            "final": { "p50": median(&beyond), "p95": p95_last, "most": quantile(&beyond, 1.0) },
            "first": { "p50": median(&times.first), "p95": p95_first, "most": quantile(&times.first, 1.0) },
            "playback": { "p50": median(&playback), "p95": quantile(&playback, 0.95) },
            "heard": { "final_p95": quantile(&beyond_heard, 0.95), "first_p95": quantile(&times.first_heard, 0.95) },
            "rate": errors.rate(),
            "share_speech": shares[0], "share_quiet": shares[1], "megabytes": run.megabytes,
        }),
    )?;
    ensure!(!times.last.is_empty(), "nothing was heard");
    let two = |values: &[f64]| [quantile(values, 0.5), quantile(values, 0.95)];
    Ok(Figures {
        last: two(&times.last),
        first: two(&times.first),
        shares,
        megabytes: run.megabytes.iter().sum(),
        errors,
    })
}

/// Word errors of what was listened to.
fn tell_errors(
    clips: &[Clip],
    clipped: &[Clipped],
    files: Option<&[String]>,
) -> Result<WordErrors> {
    let said: Vec<&str> = clips.iter().map(|clip| clip.transcript.as_str()).collect();
    let said = normalise(&said)?;
    let count = |texts: &[&str]| -> Result<WordErrors> {
        let texts = normalise(texts)?;
        let pairs = said.iter().zip(&texts);
        Ok(pairs.map(|(said, text)| word_errors(said, text)).sum())
    };
    let heard: Vec<&str> = clipped.iter().map(|clip| clip.text.trim()).collect();
    let heard = count(&heard)?;
    let mut table = Table::new(&COUNT_HEADS);
    let files = match files {
        Some(files) => {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            Some(count(&files)?)
        }
        None => None,
    };
    if let Some(files) = files {
        table.row(count_cells("the daemon, as files", files));
    }
    table.row(count_cells("listened to", heard));
    table.print();
    if let Some(files) = files {
        let points = 100.0 * (heard.rate() - files.rate());
        println!(
            "listening over files: {points:+.2} points; {}",
            verdict(points <= TARGET_POINTS, "1 point")
        );
    }
    Ok(heard)
}

/// Shares of a core in speech and in quiet, of all three processes.
fn tell_costs(way: Way, script: &Script, run: &Run, clipped: &[Clipped]) -> [f64; 2] {
    let share = |spans: &[(Instant, Instant)]| {
        let (mut used, mut seconds) = ([0.0; 3], 0.0);
        for (begin, end) in spans {
            let between = run.looks.between(*begin, *end);
            used.iter_mut()
                .zip(between)
                .for_each(|(sum, one)| *sum += one);
            seconds += end.saturating_duration_since(*begin).as_secs_f64();
        }
        used.map(|used| used / f64::max(seconds, 1e-9))
    };
    let places = script.places.iter().zip(clipped);
    // An utterance is work from its first sample to its final.
    let speech: Vec<_> = places
        .filter_map(|(place, clip)| Some((run.said.at(place.onset), clip.last?)))
        .collect();
    let quiet = [(run.said.at(SETTLED), run.said.at(BEFORE - RATE / 2))];
    let all = [(run.said.at(BEFORE), run.said.at(script.pcm.len() - 1))];
    let rows = [
        ("share of a core in speech, %", share(&speech)),
        ("with the pauses between, %", share(&all)),
        ("in silence, %", share(&quiet)),
        ("while nobody listens, %", run.rest),
    ];
    let parts: &[&str] = match way {
        Way::Moonshine => &[],
        _ => &PARTS,
    };
    let mut table = Table::new(&[&[""], parts, &["all"]].concat());
    let row = |name: &str, of: [f64; 3], digits: usize| {
        let mut cells = vec![name.to_owned()];
        let of_parts = of.iter().take(parts.len());
        cells.extend(of_parts.map(|one| format!("{one:.digits$}")));
        cells.push(format!("{:.digits$}", of.iter().sum::<f64>()));
        cells
    };
    for (name, shares) in rows {
        table.row(row(name, shares.map(|share| 100.0 * share), 2));
    }
    table.row(row("megabytes at the end", run.megabytes, 1));
    table.print();
    let sums = [rows[0].1, rows[2].1].map(|shares| shares.iter().sum::<f64>());
    if way.silence().is_none() {
        return sums;
    }
    let stream = sums[1] - run.rest.iter().sum::<f64>();
    println!(
        "in speech {}; in silence {}; what listening adds in silence, {:.2} %: {}",
        verdict(sums[0] <= TARGET_SPEECH, "35 %"),
        verdict(sums[1] <= TARGET_QUIET, "2 %"),
        100.0 * stream,
        verdict(stream <= TARGET_QUIET, "2 %")
    );
    sums
}

/// Ratios of the ways to the library, where that ran, too.
pub(super) fn compare(figures: &[(Way, Figures)]) {
    let Some((_, library)) = figures.iter().find(|(way, _)| *way == Way::Moonshine) else {
        return;
    };
    println!("\nover Moonshine's library:");
    let mut table = Table::new(&[
        "",
        "final, median",
        "95 %",
        "first text, median",
        "95 %",
        "in speech",
        "in silence",
        "memory",
        "word errors",
    ]);
    for (way, own) in figures.iter().filter(|(way, _)| *way != Way::Moonshine) {
        let ratios = [
            own.last[0] / library.last[0],
            own.last[1] / library.last[1],
            own.first[0] / library.first[0],
            own.first[1] / library.first[1],
            own.shares[0] / library.shares[0],
            own.shares[1] / library.shares[1],
            own.megabytes / library.megabytes,
            own.errors.rate() / library.errors.rate(),
        ];
        let cells = ratios.map(|ratio| format!("{ratio:.2}"));
        table.row([vec![way.name().to_owned()], cells.to_vec()].concat());
    }
    table.print();
}
