//! How fast a model of 60 MB is sealed and opened, and how much memory opening takes:
//! `cargo run --release -p earnest-package --example sealing`.
//!
//! The files are random bytes under a card of their own; neither the cipher nor the digests
//! care what they encrypt and count.

use std::error::Error;
use std::fs::File;
use std::time::Instant;

use earnest_package::{
    Card, ContentKey, Digest, Model, ReleaseSigningKey, Role, Sealing, Unsealing,
};

/// Sizes of the files, about those of the larger speech model.
const FILES: [(Role, usize); 3] = [
    (Role::Encoder, 20_000_000),
    (Role::Decoder, 38_000_000),
    (Role::Tokenizer, 2_000_000),
];

/// Each measure is taken this often; the median is told.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("model.sealed");
    let content_key = ContentKey::generate()?;
    let (release_key, _) = ReleaseSigningKey::generate()?;
    let public = release_key.public();
    let bytes: usize = FILES.iter().map(|(_, size)| size).sum();

    // Opened first in a process that never held the model, so that the peak is opening's own.
    if let Some(path) = std::env::args().nth(1) {
        return open_once(&path);
    }
    let model = model()?;
    let mut seal_times = Vec::new();
    for _ in 0..ROUNDS {
        let sealing = Sealing {
            content_key: &content_key,
            release_key: &release_key,
            version: 1,
        };
        let begin = Instant::now();
        model.seal_package(&sealing, File::create(&path)?)?;
        seal_times.push(begin.elapsed().as_secs_f64());
    }
    drop(model);
    tell("seal", bytes, seal_times);

    let mut open_times = Vec::new();
    for _ in 0..ROUNDS {
        let unsealing = Unsealing {
            content_key: &content_key,
            release_key: &public,
            least_version: 1,
        };
        let begin = Instant::now();
        drop(Model::open_sealed_package(File::open(&path)?, &unsealing)?);
        open_times.push(begin.elapsed().as_secs_f64());
    }
    tell("open", bytes, open_times);

    // The keys go along in a file of the same private folder: they are this program's own.
    let keys = [&content_key.expose()[..], &public.spki()].concat();
    std::fs::write(path.with_extension("keys"), keys)?;
    let child = std::process::Command::new(std::env::current_exe()?)
        .arg(&path)
        .status()?;
    match child.success() {
        true => Ok(()),
        false => Err("opening in a process of its own failed".into()),
    }
}

/// Opens the package and tells the most memory that this process ever held.
fn open_once(path: &str) -> Result<(), Box<dyn Error>> {
    let keys = std::fs::read(format!("{}keys", path.trim_end_matches("sealed")))?;
    let content_key = ContentKey::from_slice(&keys[..32])?;
    let public = earnest_package::ReleaseVerifyingKey::from_spki(&keys[32..])?;
    let unsealing = Unsealing {
        content_key: &content_key,
        release_key: &public,
        least_version: 1,
    };
    let before = peak()?;
    let model = Model::open_sealed_package(File::open(path)?, &unsealing)?;
    let (after, bytes) = (peak()?, FILES.iter().map(|(_, size)| size).sum::<usize>());
    println!(
        "peak memory of opening: {:.1} MB for {:.1} MB of model ({model:?})",
        (after - before) as f64 / 1e6,
        bytes as f64 / 1e6,
    );
    Ok(())
}

/// The most memory that this process ever held, in bytes.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
    Ok(digits.parse::<u64>()? * 1024)
}

fn tell(what: &str, bytes: usize, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    println!(
        "{what}: {:.1} MB in {:.0} ms, {:.0} MB/s",
        bytes as f64 / 1e6,
        seconds * 1e3,
        bytes as f64 / 1e6 / seconds
    );
}

fn model() -> Result<Model, Box<dyn Error>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut files = Vec::new();
    let mut text = String::from(
        r#"format = 1
name = "measured"
title = "Random bytes"
kind = "speech"
language = "en"
licence = { spdx = "MIT", stated = "here" }
speech = { sample_rate = 16000, samples_per_frame = 384, layers = 1, heads = 1, head_dimension = 1, vocabulary = 3, start_token = 1, end_token = 2, max_tokens_per_second = 6.5 }

[[source]]
registry = "npm"
name = "measured"
version = "1"
archive = "measured.tgz"
size = 1
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"#,
    );
    for (role, size) in FILES {
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            // xorshift64 (Marsaglia, 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend(state.to_le_bytes());
        }
        bytes.truncate(size);
        let digest = Digest::of(&bytes);
        text.push_str(&format!(
            "\n[[file]]\nrole = \"{role}\"\nname = \"{role}\"\nsource = \"measured\"\n\
             path = \"{role}\"\nsize = {size}\nsha256 = \"{digest}\"\n"
        ));
        files.push((role, bytes));
    }
    Ok(Model::from_files(&Card::parse(&text)?, files)?)
}
