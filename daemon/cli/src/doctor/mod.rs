//! `earnest doctor`: what is wrong on this machine, and what to do about it.
//!
//! It looks and changes nothing: no TPM is asked, none in software is started, no token is
//! taken. What it cannot see as this user it says, and does not guess. Each look is a function
//! of what was found, so that each verdict is tested without the machine that it is about.

mod configuration;
mod device;
mod finding;
mod keeping;
mod kernel;
mod microphone;
mod people;
mod service;

use std::path::PathBuf;

use clap::Args;

use crate::console::Console;
use crate::daemon::Place;
use crate::exit::Exit;
use crate::output;
use crate::status::SaidAs;
use configuration::Told;
use finding::Report;

/// Where the daemon's configuration is unless told otherwise.
const CONFIGURATION: &str = "/etc/earnest/earnestd.toml";

/// What `earnest doctor` was asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The daemon's configuration.
    #[arg(long, value_name = "FILE", default_value = CONFIGURATION)]
    config: PathBuf,

    #[command(flatten)]
    place: Place,

    /// How to say it.
    #[arg(long, value_enum, default_value_t = SaidAs::Text)]
    format: SaidAs,
}

/// Looks at everything, and says what was found.
pub(crate) fn doctor(arguments: &Arguments, console: &Console) -> Exit {
    let report = examine(arguments);
    let text = match arguments.format {
        SaidAs::Text => report.to_string(),
        SaidAs::Json => report.json(),
    };
    match output::say(&text, console) {
        Exit::Success if !report.is_well() => Exit::NotWell,
        said => said,
    }
}

fn examine(arguments: &Arguments) -> Report {
    let mut report = Report::default();
    let (told, found) = Told::load(&arguments.config);
    report.extend(found);
    // The configuration says where the socket is, unless somebody else does.
    let socket = match (&arguments.place.socket, &told.socket) {
        (None, Some(socket)) if !is_named_in_environment() => socket.clone(),
        _ => arguments.place.path(),
    };
    report.extend(keeping::look(&arguments.config, &told));
    report.extend(device::look(&told));
    report.extend(kernel::look());
    report.extend(microphone::look(&told));
    report.extend(service::look(&socket, &told));
    report
}

fn is_named_in_environment() -> bool {
    std::env::var_os(crate::daemon::SOCKET_VARIABLE).is_some_and(|value| !value.is_empty())
}
