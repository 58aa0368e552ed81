//! Speech that is quiet, and speech in noise.

use anyhow::Result;
use serde_json::json;

use crate::accuracy::{COUNT_HEADS, count_cells, read_all, score, verdict};
use crate::bootstrap;
use crate::corpus::Clip;
use crate::engine::Reader;
use crate::report::{Report, Table};
use crate::sound::{at_peak, in_noise};
use crate::wer::WordErrors;

/// Peak of quiet speech, in dBFS.
const QUIET: f64 = -30.0;
/// Peak of speech at full level, in dBFS.
const FULL: f64 = -0.1;
/// Power of speech over that of the noise, in dB.
const SIGNAL_TO_NOISE: f64 = 10.0;
/// Points that quiet speech may cost.
const TARGET_POINTS: f64 = 2.0;
/// Errors in noise, ours over theirs, at most.
const TARGET_RATIO: f64 = 1.2;

/// Reads `clips` at full level, quiet, and in noise.
pub(crate) fn run<'a>(
    report: &mut Report,
    model: &str,
    clips: &[Clip],
    ours: &'a mut dyn Reader,
    theirs: &'a mut dyn Reader,
) -> Result<()> {
    let full = changed(clips, |_, pcm| at_peak(pcm, FULL));
    let quiet = changed(clips, |_, pcm| at_peak(pcm, QUIET));
    let noisy = changed(clips, |index, pcm| {
        in_noise(pcm, SIGNAL_TO_NOISE, 100 + index as u64)
    });
    let mut readers = [ours, theirs];
    let mut table = Table::new(&COUNT_HEADS);
    let mut rows = Vec::new();
    for (what, clips) in [
        ("peak at full scale", &full),
        ("peak at -30 dBFS", &quiet),
        ("in white noise, 10 dB", &noisy),
    ] {
        for reader in &mut readers {
            let texts = read_all(*reader, clips)?;
            let counts = score(clips, &texts)?;
            let sum: WordErrors = counts.iter().copied().sum();
            table.row(count_cells(&format!("{}, {what}", reader.name()), sum));
            report.record(
                "robust",
                json!({
                    "model": model, "engine": reader.name(), "sound": what,
                    "words": sum.words, "errors": sum.errors(), "rate": sum.rate(),
                }),
            )?;
            rows.push(counts);
        }
    }
    println!("\n{model}: {} clips", clips.len());
    table.print();
    let rate = |row: usize| rows[row].iter().copied().sum::<WordErrors>().rate();
    let points = 100.0 * (rate(2) - rate(0));
    println!(
        "quiet speech: {points:+.2} points; {}",
        verdict(points <= TARGET_POINTS, "at most 2 points")
    );
    let noise = bootstrap::compare(&rows[4], &rows[5]);
    println!(
        "noise: ratio {:.3} (95 %: {:.3} to {:.3}); {}",
        noise.ratio,
        noise.ratio_interval.low,
        noise.ratio_interval.high,
        verdict(noise.ratio <= TARGET_RATIO, "at most 1.2")
    );
    report.record(
        "robust",
        json!({
            "model": model, "quiet_points": points, "noise_ratio": noise.ratio,
            "noise_ratio_95": [noise.ratio_interval.low, noise.ratio_interval.high],
        }),
    )
}

fn changed(clips: &[Clip], change: impl Fn(usize, &[f32]) -> Vec<f32>) -> Vec<Clip> {
    clips
        .iter()
        .enumerate()
        .map(|(index, clip)| Clip {
            pcm: change(index, &clip.pcm),
            ..clip.clone()
        })
        .collect()
}
