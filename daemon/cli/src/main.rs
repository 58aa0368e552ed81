//! `earnest`, the command for people.

use std::process::ExitCode;

mod arguments;
mod console;
mod daemon;
mod device;
mod doctor;
mod exit;
mod explain;
mod listen;
mod operate;
mod output;
mod run;
#[cfg(test)]
mod scripted;
mod status;
mod transcribe;

use arguments::Job;
use console::Console;

fn main() -> ExitCode {
    // libtss2 would write to standard error whatever it does not like.
    earnest_tpm::quiet_library();
    let exit = match arguments::read() {
        Ok(Job::Transcribe(job)) => {
            transcribe::transcribe(&job, &Console::new(job.streams_words()))
        }
        Ok(Job::Status(arguments)) => status::status(&arguments, &Console::without_bar()),
        Ok(Job::Listen(arguments)) => listen::listen(&arguments, &Console::without_bar()),
        Ok(Job::Doctor(arguments)) => doctor::doctor(&arguments, &Console::without_bar()),
        Ok(Job::Run(arguments)) => return run::run(&arguments, &Console::without_bar()),
        Ok(Job::Operate(command)) => operate::run(&command, &Console::without_bar()),
        Ok(Job::Device(command)) => device::run(&command, &Console::without_bar()),
        Err(exit) => exit,
    };
    exit.into()
}
