//! `earnest`, the command for people.

use std::process::ExitCode;

mod arguments;
mod console;
mod device;
mod engine;
mod exit;
mod output;
mod sound;
mod transcribe;

use arguments::Job;

fn main() -> ExitCode {
    // libtss2 would write to standard error whatever it does not like.
    earnest_tpm::quiet_library();
    let exit = match arguments::read() {
        Ok(Job::Transcribe(job)) => {
            transcribe::transcribe(&job, &console::Console::new(job.streams_words()))
        }
        Ok(Job::Device(command)) => device::run(&command, &console::Console::new(false)),
        Err(exit) => exit,
    };
    exit.into()
}
