//! Whisper's English normaliser, the real one: a batch of texts to a Python process and back.
//!
//! Published word error rates of open models are measured after it (Radford et al. 2022,
//! appendix C). Its rules on numbers, spellings and contractions fill a thousand lines, and a
//! port would be a second thing to be wrong.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::prepare;

const SCRIPT: &str = "
import json, sys
from whisper_normalizer.english import EnglishTextNormalizer
normalise = EnglishTextNormalizer()
json.dump([normalise(text) for text in json.load(sys.stdin)], sys.stdout)
";

/// Normalises `texts`, in order.
pub(crate) fn normalise(texts: &[&str]) -> Result<Vec<String>> {
    let packages = prepare::NORMALISER.folder()?;
    ensure!(
        packages.is_dir(),
        "Whisper's normaliser is missing; run `prepare`"
    );
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONPATH", &packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run python3")?;
    let mut input = child.stdin.take().context("the child's input is piped")?;
    // The script reads all of its input before it writes, so this cannot dead-lock.
    input.write_all(&serde_json::to_vec(texts)?)?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the normaliser ended with {}",
        output.status
    );
    let normalised: Vec<String> = serde_json::from_slice(&output.stdout)?;
    ensure!(
        normalised.len() == texts.len(),
        "the normaliser gave {} texts for {}",
        normalised.len(),
        texts.len()
    );
    Ok(normalised)
}
