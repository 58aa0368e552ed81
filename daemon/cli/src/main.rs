//! `earnest`, the command for people.

use std::process::ExitCode;

mod arguments;
mod console;
mod daemon;
mod device;
mod doctor;
mod exit;
mod explain;
mod operate;
mod output;
mod run;
mod status;
mod transcribe;

use arguments::Job;

fn main() -> ExitCode {
    // libtss2 would write to standard error whatever it does not like.
    earnest_tpm::quiet_library();
    let exit = match arguments::read() {
        Ok(Job::Transcribe(job)) => {
            transcribe::transcribe(&job, &console::Console::new(job.streams_words()))
        }
        Ok(Job::Status(arguments)) => status::status(&arguments, &console::Console::new(false)),
        Ok(Job::Doctor(arguments)) => doctor::doctor(&arguments, &console::Console::new(false)),
        Ok(Job::Run(arguments)) => return run::run(&arguments, &console::Console::new(false)),
        Ok(Job::Operate(command)) => operate::run(&command, &console::Console::new(false)),
        Ok(Job::Device(command)) => device::run(&command, &console::Console::new(false)),
        Err(exit) => exit,
    };
    exit.into()
}
