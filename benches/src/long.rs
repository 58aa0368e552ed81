//! An hour made of real clips end to end: does it loop, and does length cost words?

use anyhow::Result;
use serde_json::json;

use crate::accuracy::{COUNT_HEADS, count_cells, verdict};
use crate::corpus::Clip;
use crate::engine::Reader;
use crate::loops;
use crate::normalise::normalise;
use crate::report::{Report, Table};
use crate::sound::RATE;
use crate::wer::word_errors;

/// Points that the long file may cost over its clips.
const TARGET_POINTS: f64 = 1.0;
/// Loops that are printed.
const SHOWN: usize = 10;

/// The clips of a file of `seconds`, in seeded order, all of them before any comes again. Gaps
/// are what the clips bring with them.
pub(crate) fn order(clips: &[Clip], seconds: usize) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(60);
    let mut chosen = Vec::new();
    let mut samples = 0;
    while samples < seconds * RATE && clips.iter().any(|clip| !clip.pcm.is_empty()) {
        let mut round: Vec<usize> = (0..clips.len()).collect();
        random.shuffle(&mut round);
        for index in round {
            if samples >= seconds * RATE {
                break;
            }
            samples += clips[index].pcm.len();
            chosen.push(index);
        }
    }
    chosen
}

/// The clips in `order`, end to end.
pub(crate) fn joined(clips: &[Clip], order: &[usize]) -> Vec<f32> {
    order
        .iter()
        .flat_map(|&index| &clips[index].pcm)
        .copied()
        .collect()
}

/// Reads the long file and, for comparison, each clip alone.
pub(crate) fn run(
    report: &mut Report,
    model: &str,
    clips: &[Clip],
    seconds: usize,
    ours: &mut dyn Reader,
) -> Result<()> {
    let order = order(clips, seconds);
    let alone: Vec<String> = clips
        .iter()
        .map(|clip| ours.read(&clip.pcm))
        .collect::<Result<_>>()?;
    let long = ours.read(&joined(clips, &order))?;
    let join = |text: &dyn Fn(usize) -> String| {
        order
            .iter()
            .map(|&index| text(index))
            .collect::<Vec<String>>()
            .join(" ")
    };
    let said = join(&|index| clips[index].transcript.clone());
    let alone = join(&|index| alone[index].clone());
    let texts = normalise(&[&said, &alone, &long])?;
    let (own, whole) = (
        word_errors(&texts[0], &texts[1]),
        word_errors(&texts[0], &texts[2]),
    );
    println!("\n{model}: {seconds} s of {} clips end to end", order.len());
    let mut table = Table::new(&COUNT_HEADS);
    table.row(count_cells("clips alone", own));
    table.row(count_cells("one file", whole));
    table.print();
    let points = 100.0 * (whole.rate() - own.rate());
    println!(
        "{points:+.2} points; {}",
        verdict(points <= TARGET_POINTS, "within 1 point")
    );
    let said_loops = loops::find(&texts[0]).len();
    let loops = loops::find(&texts[2]);
    println!(
        "loops: {} in the text, {said_loops} in what was said; {}",
        loops.len(),
        verdict(loops.len() <= said_loops, "none that was not said")
    );
    for found in loops.iter().take(SHOWN) {
        println!("  {} times: {}", found.times, found.phrase);
    }
    report.record(
        "long",
        json!({
            "model": model, "seconds": seconds, "clips": order.len(), "own_rate": own.rate(),
            "rate": whole.rate(), "points": points, "loops": loops.len(),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Set;

    #[test]
    fn every_clip_comes_before_any_comes_again() {
        let clips: Vec<Clip> = (0..10)
            .map(|index| Clip {
                set: Set::Asterisk,
                name: index.to_string(),
                transcript: String::new(),
                pcm: vec![0.5; RATE],
            })
            .collect();
        let chosen = order(&clips, 25);
        assert_eq!(chosen.len(), 25);
        let mut first = chosen[..10].to_vec();
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<usize>>());
        assert_eq!(joined(&clips, &chosen).len(), 25 * RATE);
        assert!(order(&[], 25).is_empty());
    }
}
