//! Decodes a file and prints what it is and how long that took; with a second argument, writes
//! the samples there as raw 16 kHz mono s16le.
//!
//! `cargo run --release -p earnest-sound --example decode -- meeting.flac [meeting.raw]`

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use earnest_sound::{SAMPLE_RATE, Source, Status};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: decode SOUND-FILE [RAW-FILE]")?;
    let mut raw = match arguments.next() {
        Some(path) => Some(BufWriter::new(std::fs::File::create(path)?)),
        None => None,
    };
    let start = Instant::now();
    let mut source = Source::open(Path::new(&path))?;
    let mut block = Vec::new();
    let ending = loop {
        block.clear();
        match source.read(&mut block) {
            Ok(Status::More) => {}
            Ok(Status::End) => break None,
            Err(error) => break Some(error),
        }
        if let Some(raw) = &mut raw {
            for sample in &block {
                let sample = (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16;
                raw.write_all(&sample.to_le_bytes())?;
            }
        }
    };
    let taken = start.elapsed().as_secs_f64();
    let report = source.report();
    let seconds = report.samples as f64 / f64::from(SAMPLE_RATE);
    println!("{:?}\n{report:?}", source.info());
    println!(
        "{seconds:.3} s of sound in {taken:.3} s: {:.4} % of its length",
        100.0 * taken / seconds
    );
    match ending {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
