//! Word errors beside ONNX Runtime, and whether both read the same tokens.
//!
//! Earnest reads as its users have it, with VAD and segmentation in the path; ONNX Runtime is
//! given the whole clip. Both texts go through Whisper's normaliser.

use anyhow::Result;
use serde_json::json;

use crate::bootstrap::{self, Interval};
use crate::corpus::{Clip, Set};
use crate::engine::{Clock, Engine, Reader};
use crate::normalise::normalise;
use crate::report::{Report, Table};
use crate::wer::{WordErrors, word_errors};

/// Errors of ours over theirs, at most.
const TARGET_RATIO: f64 = 1.05;
/// Share of clips on which both read the same tokens, at least.
const TARGET_IDENTITY: f64 = 0.99;
/// Differing clips that are printed in full.
const SHOWN: usize = 20;

/// What a reader makes of every clip.
pub(crate) fn read_all(reader: &mut dyn Reader, clips: &[Clip]) -> Result<Vec<String>> {
    clips.iter().map(|clip| reader.read(&clip.pcm)).collect()
}

/// Errors of each text against the transcript of its clip.
pub(crate) fn score(clips: &[Clip], texts: &[String]) -> Result<Vec<WordErrors>> {
    let transcripts: Vec<&str> = clips.iter().map(|clip| clip.transcript.as_str()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let transcripts = normalise(&transcripts)?;
    let texts = normalise(&texts)?;
    Ok(transcripts
        .iter()
        .zip(&texts)
        .map(|(transcript, text)| word_errors(transcript, text))
        .collect())
}

/// One row of counts.
pub(crate) fn count_cells(name: &str, counts: WordErrors) -> [String; 7] {
    [
        name.to_owned(),
        counts.words.to_string(),
        counts.substitutions.to_string(),
        counts.deletions.to_string(),
        counts.insertions.to_string(),
        counts.errors().to_string(),
        format!("{:.2} %", 100.0 * counts.rate()),
    ]
}

/// The heads over [`count_cells`].
pub(crate) const COUNT_HEADS: [&str; 7] = [
    "word errors",
    "words",
    "subst.",
    "del.",
    "ins.",
    "errors",
    "rate",
];

/// Compares the texts of two readers of the same clips.
pub(crate) fn compare_texts(
    report: &mut Report,
    model: &str,
    clips: &[Clip],
    ours: (&str, &[String]),
    theirs: (&str, &[String]),
) -> Result<()> {
    let sides = [
        (ours.0, score(clips, ours.1)?),
        (theirs.0, score(clips, theirs.1)?),
    ];
    println!("\n{model}: {} clips", clips.len());
    let mut table = Table::new(&COUNT_HEADS);
    for (name, counts) in &sides {
        for set in [Some(Set::Asterisk), Some(Set::LibriVox), None] {
            let sum: WordErrors = clips
                .iter()
                .zip(counts)
                .filter(|(clip, _)| set.is_none_or(|only| clip.set == only))
                .map(|(_, counts)| *counts)
                .sum();
            let label = format!("{name}, {}", set.map_or("pooled", Set::name));
            table.row(count_cells(&label, sum));
            report.record(
                "accuracy",
                json!({
                    "model": model, "engine": name, "set": set.map_or("pooled", Set::name),
                    "words": sum.words, "substitutions": sum.substitutions,
                    "deletions": sum.deletions, "insertions": sum.insertions,
                    "rate": sum.rate(),
                }),
            )?;
        }
    }
    table.print();
    let [(_, ours), (_, theirs)] = &sides;
    let found = bootstrap::compare(ours, theirs);
    println!(
        "ratio {:.3} {}, difference {:+.2} points {}; {}",
        found.ratio,
        interval(found.ratio_interval, 1.0, 3),
        100.0 * found.difference,
        interval(found.difference_interval, 100.0, 2),
        verdict(found.ratio <= TARGET_RATIO, "ratio at most 1.05"),
    );
    report.record(
        "accuracy",
        json!({
            "model": model, "ratio": found.ratio,
            "ratio_95": [found.ratio_interval.low, found.ratio_interval.high],
            "difference": found.difference,
            "difference_95": [found.difference_interval.low, found.difference_interval.high],
            "resamples": bootstrap::RESAMPLES,
        }),
    )
}

/// What an engine reads in every clip, given whole.
pub(crate) fn read_tokens(engine: &mut dyn Engine, clips: &[Clip]) -> Result<Vec<Vec<u32>>> {
    clips
        .iter()
        .map(|clip| Ok(engine.run(&clip.pcm, Clock::Wall)?.tokens))
        .collect()
}

/// One engine's name and its tokens for each clip.
pub(crate) type Tokens<'a> = (&'a str, &'a [Vec<u32>]);

/// Compares the tokens that two engines read in the same segments.
pub(crate) fn compare_tokens(
    report: &mut Report,
    model: &str,
    clips: &[Clip],
    ours: Tokens<'_>,
    theirs: Tokens<'_>,
    shown: bool,
    decode: &dyn Fn(&[u32]) -> String,
) -> Result<()> {
    let differing: Vec<(&Clip, &[u32], &[u32])> = clips
        .iter()
        .zip(ours.1.iter().zip(theirs.1))
        .filter(|(_, (ours, theirs))| ours != theirs)
        .map(|(clip, (ours, theirs))| (clip, ours.as_slice(), theirs.as_slice()))
        .collect();
    let share = 1.0 - differing.len() as f64 / clips.len().max(1) as f64;
    println!(
        "\n{model}, {} and {}, the same segments: identical tokens for {} of {} clips, {:.2} %; {}",
        ours.0,
        theirs.0,
        clips.len() - differing.len(),
        clips.len(),
        100.0 * share,
        verdict(share >= TARGET_IDENTITY, "at least 99 %"),
    );
    let texts: Vec<[String; 2]> = differing
        .iter()
        .map(|(_, ours, theirs)| [decode(ours), decode(theirs)])
        .collect();
    for ((clip, ..), [our_text, their_text]) in
        differing
            .iter()
            .zip(&texts)
            .take(if shown { SHOWN } else { 0 })
    {
        println!(
            "  {}\n    {}: {our_text}\n    {}: {their_text}",
            clip.name, ours.0, theirs.0
        );
    }
    let names: Vec<&str> = differing
        .iter()
        .map(|(clip, ..)| clip.name.as_str())
        .collect();
    report.record(
        "identity",
        json!({"model": model, "engines": [ours.0, theirs.0], "clips": clips.len(), "share": share, "differing": names}),
    )?;
    let clips: Vec<Clip> = differing.iter().map(|(clip, ..)| (*clip).clone()).collect();
    if shown && !clips.is_empty() {
        let side = |index: usize| -> Result<WordErrors> {
            let texts: Vec<String> = texts.iter().map(|pair| pair[index].clone()).collect();
            Ok(score(&clips, &texts)?.into_iter().sum())
        };
        println!(
            "  word errors on these: {} {}, {} {}",
            ours.0,
            side(0)?.errors(),
            theirs.0,
            side(1)?.errors()
        );
    }
    Ok(())
}

/// Whether a target is met, in words.
pub(crate) fn verdict(met: bool, target: &str) -> String {
    format!("target {target}: {}", if met { "met" } else { "MISSED" })
}

fn interval(found: Interval, scale: f64, digits: usize) -> String {
    format!(
        "(95 %: {:.digits$} to {:.digits$})",
        scale * found.low,
        scale * found.high
    )
}
