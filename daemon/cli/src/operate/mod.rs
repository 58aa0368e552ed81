//! The commands of operators and auditors, and of whoever may listen: each asks the daemon one
//! thing over its Unix socket, most of them with the code of an authenticator, and says what came
//! of it.
//!
//! What a command says is a function of the daemon's answer, so that it is tested without a
//! daemon. Nothing of an answer reaches a terminal before it is printable.

mod alerts;
mod app;
mod arguments;
mod audit;
mod calendar;
mod certificate;
mod commands;
mod enrol;
mod failure;
mod guard;
mod keys;
mod microphone;
mod open;
mod report;
mod review;
mod second_factor;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod token;
mod users;

use earnest_printable::describe;
use serde::Serialize;

use crate::console::Console;
use crate::daemon::{Daemon, DaemonError, Place};
use crate::exit::Exit;
use crate::output;
use crate::status::SaidAs;
use arguments::{Access, Acting, Keys, Operator, Report};
use failure::OperateError;

pub(crate) use alerts::line as alert_line;
pub(crate) use arguments::{Command, Seeing};
pub(crate) use guard::line as guard_line;
pub(crate) use microphone::lines as microphone_lines;

/// Does what a command says; says on `console` what went wrong.
pub(crate) fn run(command: &Command, console: &Console) -> Exit {
    let done = match command {
        Command::App(command) => app::run(command, console),
        Command::Token(token) => token::token(token, console),
        Command::Access(Access::Review(seeing)) => review::review(seeing, console),
        Command::Operator(Operator::Enrol(asking)) => enrol::enrol(asking, console),
        Command::Keys(Keys::Rotate { which, now, acting }) => {
            keys::rotate(*which, *now, acting, console)
        }
        Command::Audit(command) => audit::run(command, console),
        Command::Alerts(alerts) => alerts::run(alerts, console),
        Command::Commands(command) => commands::run(command, console),
        Command::Devices(seeing) => microphone::devices(seeing, console),
        Command::Microphone(command) => microphone::run(command, console),
        Command::Open(open) => open::open(open, console),
        Command::Report(Report::Transparency { place, format }) => {
            report::transparency(place, *format, console)
        }
    };
    done.unwrap_or_else(|error| {
        console.say(&format!("earnest: {}", describe(&error)));
        error.exit()
    })
}

/// Says how the guard is; says on `console` what went wrong.
pub(crate) fn guard_status(seeing: &Seeing, console: &Console) -> Exit {
    guard::status(seeing, console).unwrap_or_else(|error| {
        console.say(&format!("earnest: {}", describe(&error)));
        error.exit()
    })
}

/// The daemon at this place.
fn daemon(place: &Place) -> Result<Daemon, DaemonError> {
    Daemon::at(place.path())
}

impl Acting {
    /// The daemon, shown the code of the person's authenticator.
    fn daemon(&self) -> Result<Daemon, OperateError> {
        let daemon = daemon(&self.place)?;
        let code = match self.factor.given()? {
            Some(code) => code,
            None => {
                // Nobody is to type a code for a daemon that is not there.
                daemon.ask(daemon.client().is_up())?;
                self.factor.code()?
            }
        };
        Ok(daemon.with_second_factor(code.as_str())?)
    }
}

/// Says an answer as it was wished for.
fn say<T: Serialize>(
    answer: &T,
    format: SaidAs,
    text: impl FnOnce(&T) -> String,
    console: &Console,
) -> Result<Exit, OperateError> {
    let said = match format {
        SaidAs::Text => text(answer),
        SaidAs::Json => output::json(answer),
    };
    Ok(output::say(&said, console))
}
