//! `cargo xtask soak`: tests of the daemon that show more the longer they last.
//!
//! Most are tests that `cargo xtask test` runs for some seconds. Here each lasts as long as a
//! person likes, and what it found is shown. Listening is the benches' affair, and its minutes
//! are of sound, which is heard faster than it passes.

use anyhow::Result;
use clap::ValueEnum;

use crate::bench;
use crate::models;
use crate::shell::Program;
use crate::test;

/// By which the tests are told how long they last.
const SECONDS: &str = "EARNEST_SOAK_SECONDS";

/// Use the daemon for as long as you like, and see what comes of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is looked at.
    #[arg(value_enum)]
    what: What,
    /// For how long: ten minutes, and listening two hours, where nothing is said.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: Option<u64>,
}

/// The tests that may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Every answer is what the OpenAPI document says, whatever a fuzzer asks.
    Contract,
    /// In a network of its own, the daemon listens on loopback alone and no packet goes out.
    Isolation,
    /// Whoever listens to the microphone misses nothing, is told nothing that was not said, and
    /// hears again after each of sixty losses of the device.
    Listen,
}

/// Minutes of a test, and of listening.
const TEST_MINUTES: u64 = 10;
const LISTENING_MINUTES: u64 = 120;

impl What {
    /// The test's name, where it is one.
    const fn test(self) -> Option<&'static str> {
        match self {
            What::Contract => Some("contract::answers_are_what_the_document_says"),
            What::Isolation => Some(
                "isolation::the_daemon_at_work_listens_on_loopback_alone_and_sends_nothing_out",
            ),
            What::Listen => None,
        }
    }
}

/// Sets up as for all tests, and runs the one.
pub(crate) fn run(options: &Options) -> Result<()> {
    let Some(test) = options.what.test() else {
        let minutes = options.minutes.unwrap_or(LISTENING_MINUTES);
        return bench::hand_over(&["soak", "--minutes", &minutes.to_string()].map(str::to_owned));
    };
    test::set_up()?;
    let minutes = options.minutes.unwrap_or(TEST_MINUTES);
    // The features of the whole workspace, as wherever it is built.
    Program::cargo()
        .args(["test", "--workspace", "--test", "daemon", "--"])
        .args(["--exact", test, "--nocapture"])
        .env(SECONDS, (minutes * 60).to_string())
        .env(models::VARIABLE, models::directory()?.to_string_lossy())
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;

    #[test]
    fn every_test_is_there_by_its_name() {
        for test in What::value_variants().iter().filter_map(|what| what.test()) {
            let (module, test) = test.split_once("::").unwrap();
            let file = shell::workspace().join(format!("tests/tests/daemon/{module}.rs"));
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(&format!("fn {test}()")), "{test}");
            assert!(text.contains(SECONDS), "{module}");
        }
    }
}
