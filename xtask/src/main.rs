//! Everything a person runs on this repository, as a ladder of verbs.
//!
//! Each verb stands on the ones before it: `demo` and `test` fetch the models that they need,
//! `bench` also fetches recordings and the engine to compare with. The doc comments below are the help that
//! `cargo xtask --help` prints. This crate stays light, so that the first word of it is quick
//! to build: whatever is heavy, it runs as a cargo process of its own.

mod archive;
mod bench;
mod clients;
mod cross;
mod demo;
mod fetch;
mod firmware;
mod fuzz;
mod listening;
mod models;
mod operator;
mod policy;
mod service;
mod setup;
mod shell;
mod soak;
mod test;
mod trust;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run, test and measure Earnest.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, about)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// The verbs, from what a newcomer runs first to what a maintainer runs last.
#[derive(Debug, Subcommand)]
enum Verb {
    /// From a fresh machine to a recording turned into text by a sealed model, for the clients
    /// that you have: installs, fetches, builds, provisions, seals, transcribes, proves, serves,
    /// refuses an app what it was not given, and everybody once the device is another.
    Demo(demo::Options),
    /// Format, lints, dependency policy, documentation, and every test. CI runs this verb.
    Test(test::Options),
    /// Fetch, verify or list the models.
    Models(models::Options),
    /// Measure accuracy, speed and memory beside what a user would pick instead.
    Bench(bench::Options),
    /// Run the fuzz targets.
    Fuzz(fuzz::Options),
    /// Use the daemon for minutes or hours: fuzz its interface, count its packets, listen.
    Soak(soak::Options),
    /// Build the guard's firmware, run it in QEMU, write it to a board, or measure it.
    Firmware(firmware::Options),
    /// Build the kernels for aarch64 and run their tests under emulation.
    Cross(cross::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Demo(options) => demo::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Models(options) => models::run(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Soak(options) => soak::run(&options),
        Verb::Firmware(options) => firmware::run(&options),
        Verb::Cross(options) => cross::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of reasons on one line; a backtrace of this program helps nobody.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
