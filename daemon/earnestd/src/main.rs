//! `earnestd`, the daemon. Started as `earnestd worker`, it is one of its own workers; as
//! `earnestd capture`, the process that has the microphone.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Error;
use clap::Parser as _;
use earnest_printable::describe;
use earnestd::arguments::Arguments;
use earnestd::configuration::{Accounts, Configuration};
use earnestd::device::DeviceGround;
use earnestd::exit::Exit;
use earnestd::plan::Plan;
use earnestd::{engine, log, microphone, process, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let face = arguments.next();
    let rest = || arguments.collect::<Vec<OsString>>();
    // Before anything is read: a worker locks itself in first.
    if face.as_deref() == Some(engine::WORKER.as_ref()) {
        return engine::worker(rest());
    }
    if face.as_deref() == Some(microphone::CAPTURE.as_ref()) {
        return microphone::capture(rest());
    }
    earnest_tpm::quiet_library();
    match daemon(&Arguments::parse()) {
        Ok(()) => Exit::Success.into(),
        Err((exit, error)) => {
            eprintln!("earnestd: {}", describe(error.as_ref()));
            exit.into()
        }
    }
}

/// Configures, guards itself, builds, runs, and drains.
fn daemon(arguments: &Arguments) -> Result<(), (Exit, Error)> {
    let accounts = Accounts::of_this_machine();
    let configuration = Configuration::load(&arguments.config, &accounts)
        .map_err(|error| (Exit::Configuration, error.into()))?;
    if arguments.check {
        print!("{}", Plan(&configuration));
        return Ok(());
    }
    log::start(&configuration.log);
    process::settle(&configuration.run).map_err(|error| (Exit::Privileges, error.into()))?;
    let listeners = run::listeners(&configuration).map_err(|error| (Exit::Listen, error))?;
    let ground = DeviceGround::new(&configuration).map_err(|error| (Exit::Device, error.into()))?;
    let ports = ground
        .ports()
        .map_err(|error| (Exit::Device, error.into()))?;
    let ports = [ports, configuration.collector_port()].concat();
    process::confine(&ports).map_err(|error| (Exit::Privileges, error.into()))?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| (Exit::System, error.into()))?;
    let ran = runtime.block_on(run::run(configuration, ground, listeners));
    // A TPM that gives no answer keeps its thread, and nobody waits for it.
    runtime.shutdown_background();
    ran.map_err(|error| (Exit::System, error))
}
