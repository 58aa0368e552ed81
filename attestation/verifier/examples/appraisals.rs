//! How many quotes with a log of 30 kB one core appraises in a second, from the bytes of the
//! envelope to the outcome: `cargo run --release -p earnest-verifier --features simulation
//! --example appraisals`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use earnest_verifier::simulation::{Key, Workload};

/// How long each kind of key is measured.
const TIME: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let kinds = [
        ("RSA-2048, RSASSA", Key::rsa(false)),
        ("RSA-2048, RSAPSS", Key::rsa(true)),
        ("ECC P-256", Key::ecc()),
    ];
    for (name, key) in kinds {
        let workload = Workload::new(key);
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < TIME {
            if !workload.appraise() {
                eprintln!("an honest device was refused");
                return ExitCode::FAILURE;
            }
            count += 1;
        }
        let each = start.elapsed().as_secs_f64() / f64::from(count);
        let (log, events) = (workload.log_bytes(), workload.events());
        let rate = 1.0 / each;
        println!(
            "{name}: {rate:.0}/s ({:.0} µs each; log {log} B, {events} events)",
            each * 1e6
        );
    }
    ExitCode::SUCCESS
}
