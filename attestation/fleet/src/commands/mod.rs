//! The command line, and what each command does.

mod challenge;
mod context;
mod device;
mod enroll;
mod failures;
mod keys;
mod log;
mod policy;
mod quote;
mod reference;
mod result;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::SystemTime;

use clap::{Parser, Subcommand};

use crate::exit::{self, Exit, Failure};
use context::Context;

/// Earnest's fleet manager: enrols devices, verifies their evidence, signs policies.
///
/// Everything is files: what a device sends comes in as files, what it gets goes out as files,
/// over whatever channel there is. Data goes to standard output, talk to standard error.
#[derive(Debug, Parser)]
#[command(name = "earnest-fleet", version, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make, rotate and show the fleet's keys.
    #[command(subcommand, after_help = exit::HELP)]
    Keys(keys::Keys),
    /// Enrol a device: bind its attestation key to its TPM.
    #[command(subcommand, after_help = exit::HELP)]
    Enroll(enroll::Enroll),
    /// Show or forget an enrolled device.
    #[command(subcommand, after_help = exit::HELP)]
    Device(device::Device),
    /// Issue a nonce, which one device answers once with its evidence.
    #[command(after_help = exit::HELP)]
    Challenge(challenge::Challenge),
    /// Verify a device's evidence against reference values and the policy.
    ///
    /// The nonce is consumed, whatever the evidence is worth. Exits with 0 only if everything
    /// passed.
    #[command(after_help = exit::HELP)]
    Verify(verify::Verify),
    /// Make, show and compare reference values.
    #[command(subcommand, after_help = exit::HELP)]
    Reference(reference::Reference),
    /// Write the policy of verification, and sign the policies that open sealed models.
    #[command(subcommand, after_help = exit::HELP)]
    Policy(policy::Policy),
    /// Show a result, if it is genuine.
    #[command(subcommand, after_help = exit::HELP)]
    Result(result::ResultCommand),
    /// Show any firmware event log, and the PCRs that it leads to.
    #[command(subcommand, after_help = exit::HELP)]
    Log(log::Log),
    /// Check any TPM's quote.
    #[command(subcommand, after_help = exit::HELP)]
    Quote(quote::Quote),
}

/// Does what this process was called for.
pub fn main() -> Exit {
    let now = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // A clock before 1970 makes every certificate invalid, which is what it should do.
        Err(_) => 0,
    };
    let (mut out, mut talk) = (io::stdout().lock(), io::stderr().lock());
    run(std::env::args_os(), now, &mut out, &mut talk)
}

/// Does what `arguments` ask for (the first is the program's name), at `now` (seconds since
/// 1970). Data goes to `out`, talk to `talk`.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    now: i64,
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Exit {
    let command = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line.command,
        Err(error) => return told(&error, out, talk),
    };
    let mut context = Context::new(now, out, talk);
    let done = match command {
        Command::Keys(keys) => keys.run(&mut context),
        Command::Enroll(enroll) => enroll.run(&mut context),
        Command::Device(device) => device.run(&mut context),
        Command::Challenge(challenge) => challenge.run(&mut context),
        Command::Verify(verify) => verify.run(&mut context),
        Command::Reference(reference) => reference.run(&mut context),
        Command::Policy(policy) => policy.run(&mut context),
        Command::Result(result) => result.run(&mut context),
        Command::Log(log) => log.run(&mut context),
        Command::Quote(quote) => quote.run(&mut context),
    };
    match done {
        Ok(exit) => exit,
        Err(failure) => failed(&failure, &mut context),
    }
}

/// Says what clap has to say: help that was asked for is data.
fn told(error: &clap::Error, out: &mut dyn Write, talk: &mut dyn Write) -> Exit {
    let text = error.render();
    // An output that is closed is no reason for anything.
    match error.use_stderr() {
        true => {
            let _ = write!(talk, "{text}");
            Exit::Usage
        }
        false => {
            let _ = write!(out, "{text}");
            Exit::Success
        }
    }
}

fn failed(failure: &Failure, context: &mut Context<'_>) -> Exit {
    context.say(&format!("earnest-fleet: {}", failure.message()));
    if let Some(advice) = failure.advice() {
        context.say(&format!("  {advice}"));
    }
    failure.exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declaration_holds_together() {
        CommandLine::command().debug_assert();
    }
}
