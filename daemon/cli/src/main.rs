//! `earnest`, the command for people.

use std::process::ExitCode;

mod arguments;
mod console;
mod engine;
mod exit;
mod formats;
mod output;
mod sound;
mod transcribe;

fn main() -> ExitCode {
    let exit = match arguments::read() {
        Ok(job) => transcribe::transcribe(&job, &console::Console::new(job.streams_words())),
        Err(exit) => exit,
    };
    exit.into()
}
