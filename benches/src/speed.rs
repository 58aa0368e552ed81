//! Time on identical segments, Earnest and ONNX Runtime in alternation in one run.
//!
//! Loading and VAD are left out on both sides. What the decoder keeps of the encoder's output
//! (keys and values of the cross-attention) is made in Earnest's encoder stage and in ONNX
//! Runtime's first step, so the sum of the two is what compares. A machine's speed drifts; alternating clip by
//! clip and taking, for each clip and engine, the median over rounds keeps the ratio honest.

use anyhow::Result;
use serde_json::json;

use crate::corpus::Clip;
use crate::engine::{Clock, Engine, Run};
use crate::report::{Report, Table, median, milliseconds};

/// Where the time of one engine went, over all clips: medians over rounds, summed, in ms.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stages {
    encoder: f64,
    first_step: f64,
    steps: f64,
    step_count: usize,
    /// Of each clip.
    totals: Vec<f64>,
}

impl Stages {
    /// Adds one clip, read in several rounds.
    fn add(&mut self, rounds: &[Run]) {
        let over = |stage: fn(&Run) -> f64| median(&rounds.iter().map(stage).collect::<Vec<f64>>());
        self.encoder += over(|run| milliseconds(run.encoder));
        self.first_step += over(|run| milliseconds(run.first_step));
        self.steps += over(|run| milliseconds(run.steps.iter().sum()));
        self.step_count += rounds.first().map_or(0, |run| run.steps.len());
        self.totals.push(over(|run| milliseconds(run.total)));
    }

    fn total(&self) -> f64 {
        self.totals.iter().sum()
    }

    fn per_step(&self) -> f64 {
        self.steps / self.step_count.max(1) as f64
    }
}

/// Reads every clip `rounds` times with every engine in turn.
pub(crate) fn measure(
    engines: &mut [&mut dyn Engine],
    clips: &[Clip],
    rounds: usize,
    clock: Clock,
) -> Result<Vec<Stages>> {
    let mut stages = vec![Stages::default(); engines.len()];
    if let Some(clip) = clips.first() {
        for engine in engines.iter_mut() {
            engine.run(&clip.pcm, clock)?;
        }
    }
    for clip in clips {
        let mut runs = vec![Vec::with_capacity(rounds); engines.len()];
        for round in 0..rounds {
            // Who goes first changes, so that neither always meets the other's cache.
            for turn in 0..engines.len() {
                let index = (turn + round) % engines.len();
                runs[index].push(engines[index].run(&clip.pcm, clock)?);
            }
        }
        for (stage, runs) in stages.iter_mut().zip(&runs) {
            stage.add(runs);
        }
    }
    Ok(stages)
}

/// Prints the table of one model and thread count, ratios against the last engine.
pub(crate) fn print(
    report: &mut Report,
    title: &str,
    names: &[&'static str],
    stages: &[Stages],
    clips: &[Clip],
) -> Result<()> {
    let seconds: f64 = clips.iter().map(Clip::seconds).sum();
    println!("\n{title}: {} clips, {seconds:.0} s of sound", clips.len());
    let mut table = Table::new(&[
        "ms a clip (mean)",
        "encoder",
        "first step",
        "both",
        "a step",
        "steps",
        "total",
        "of real time",
    ]);
    let count = clips.len().max(1) as f64;
    for (name, stage) in names.iter().zip(stages) {
        table.row([
            (*name).to_owned(),
            format!("{:.2}", stage.encoder / count),
            format!("{:.2}", stage.first_step / count),
            format!("{:.2}", (stage.encoder + stage.first_step) / count),
            format!("{:.3}", stage.per_step()),
            format!("{:.1}", stage.step_count as f64 / count),
            format!("{:.2}", stage.total() / count),
            format!("{:.4}", stage.total() / 1e3 / seconds),
        ]);
        report.record(
            "speed",
            json!({
                "run": title, "engine": name, "clips": clips.len(), "seconds": seconds,
                "encoder_ms": stage.encoder / count, "first_step_ms": stage.first_step / count,
                "step_ms": stage.per_step(), "steps": stage.step_count,
                "total_ms": stage.total() / count,
            }),
        )?;
    }
    if let [ours, .., theirs] = stages {
        let per_clip: Vec<f64> = ours
            .totals
            .iter()
            .zip(&theirs.totals)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let ratio = ours.total() / theirs.total();
        table.row([
            "ratio".to_owned(),
            format!("{:.3}", ours.encoder / theirs.encoder),
            format!("{:.3}", ours.first_step / theirs.first_step),
            format!(
                "{:.3}",
                (ours.encoder + ours.first_step) / (theirs.encoder + theirs.first_step)
            ),
            format!("{:.3}", ours.per_step() / theirs.per_step()),
            String::new(),
            format!("{ratio:.3}"),
        ]);
        table.print();
        println!(
            "ratio of totals {ratio:.3}, median of the clips' ratios {:.3}",
            median(&per_clip)
        );
        report.record(
            "speed",
            json!({"run": title, "ratio": ratio, "median_ratio": median(&per_clip)}),
        )?;
    } else {
        table.print();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clip_counts_with_the_median_of_its_rounds() {
        let run = |ms: u64| Run {
            encoder: Duration::from_millis(ms),
            steps: vec![Duration::from_millis(ms); 2],
            total: Duration::from_millis(3 * ms),
            ..Run::default()
        };
        let mut stages = Stages::default();
        stages.add(&[run(10), run(1000), run(20)]);
        assert_eq!(stages.encoder, 20.0);
        assert_eq!(stages.per_step(), 20.0);
        assert_eq!(stages.total(), 60.0);
    }
}
