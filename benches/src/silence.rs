//! What is said to sound without speech. It ought to be nothing.

use anyhow::Result;
use serde_json::json;

use crate::accuracy::verdict;
use crate::engine::Reader;
use crate::report::{Report, Table};
use crate::sound::{Noise, RATE};

/// Seconds of each sound through the whole path.
pub(crate) const SECONDS: usize = 600;
/// Seconds that ONNX Runtime is given at once.
const REFERENCE_SECONDS: usize = 10;
/// Levels in dBFS.
const LEVELS: [f64; 3] = [-10.0, -30.0, -50.0];
/// Characters of invented text that a row shows.
const SHOWN: usize = 40;

/// Plays every sound to `ours` for ten minutes and to `theirs` for ten seconds.
pub(crate) fn run(
    report: &mut Report,
    model: &str,
    seconds: usize,
    ours: &mut dyn Reader,
    theirs: &mut dyn Reader,
) -> Result<()> {
    println!("\n{model}: {seconds} s of each sound, whole path; beside it, ONNX Runtime on 10 s");
    let mut table = Table::new(&["sound", "dBFS", "characters", "text", "ONNX Runtime says"]);
    let mut characters = 0;
    for noise in Noise::ALL {
        // Silence is the same at every level.
        let levels = if noise == Noise::Silence {
            &LEVELS[..1]
        } else {
            &LEVELS[..]
        };
        for &level in levels {
            let pcm = noise.make(seconds * RATE, level);
            let text = ours.read(&pcm)?;
            let beside = theirs.read(&pcm[..pcm.len().min(REFERENCE_SECONDS * RATE)])?;
            characters += text.chars().count();
            table.row([
                noise.name().to_owned(),
                if noise == Noise::Silence {
                    String::new()
                } else {
                    format!("{level:.0}")
                },
                text.chars().count().to_string(),
                shortened(&text),
                shortened(&beside),
            ]);
            report.record(
                "silence",
                json!({
                    "model": model, "sound": noise.name(), "level": level, "seconds": seconds,
                    "characters": text.chars().count(), "text": text, "reference": beside,
                }),
            )?;
        }
    }
    table.print();
    println!(
        "{characters} characters; {}",
        verdict(characters == 0, "none")
    );
    Ok(())
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('\u{2026}');
    }
    short
}
