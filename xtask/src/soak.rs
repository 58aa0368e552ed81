//! `cargo xtask soak`: tests of the daemon that show more the longer they last.
//!
//! Each is a test that `cargo xtask test` runs for some seconds. Here it lasts as long as a
//! person likes, and what it found is shown.

use anyhow::Result;
use clap::ValueEnum;

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
    /// For how long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: u64,
}

/// The tests that may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Every answer is what the OpenAPI document says, whatever a fuzzer asks.
    Contract,
    /// In a network of its own, the daemon listens on loopback alone and no packet goes out.
    Isolation,
}

impl What {
    /// The test's name.
    const fn test(self) -> &'static str {
        match self {
            What::Contract => "contract::answers_are_what_the_document_says",
            What::Isolation => {
                "isolation::the_daemon_at_work_listens_on_loopback_alone_and_sends_nothing_out"
            }
        }
    }
}

/// Sets up as for all tests, and runs the one.
pub(crate) fn run(options: &Options) -> Result<()> {
    test::set_up()?;
    // The features of the whole workspace, as wherever it is built.
    Program::cargo()
        .args(["test", "--workspace", "--test", "daemon", "--"])
        .args(["--exact", options.what.test(), "--nocapture"])
        .env(SECONDS, (options.minutes * 60).to_string())
        .env(models::VARIABLE, models::directory()?.to_string_lossy())
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;

    #[test]
    fn every_test_is_there_by_its_name() {
        for what in What::value_variants() {
            let (module, test) = what.test().split_once("::").unwrap();
            let file = shell::workspace().join(format!("tests/tests/daemon/{module}.rs"));
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(&format!("fn {test}()")), "{test}");
            assert!(text.contains(SECONDS), "{module}");
        }
    }
}
