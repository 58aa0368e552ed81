//! How long it takes to read a firmware event log and to replay it in SHA-256:
//! `cargo run --release -p earnest-evidence --example replay_speed -- FILE`.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use earnest_evidence::HashAlgorithm;
use earnest_evidence::firmware::EventLog;

/// Enough that a clock's coarseness does not show, and a second at most.
const ROUNDS: u32 = 2000;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("name a firmware event log");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    match EventLog::parse(&bytes) {
        Ok(log) => println!("{} bytes, {} events", bytes.len(), log.events().len()),
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let log = EventLog::parse(black_box(&bytes));
        let replay = log.map(|log| log.replay(HashAlgorithm::Sha256));
        // It was read once already, so it is read every time.
        drop(black_box(replay));
    }
    let each = start.elapsed() / ROUNDS;
    println!("read and replayed in {each:?}");
    ExitCode::SUCCESS
}
