//! The one place where the daemon meets the engine that hears: preparing weights for workers,
//! and being a worker.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;

use earnest_package::Model;
use earnest_worker::Options;
pub use earnest_worker::PrepareError;

/// The daemon's first argument when it is a worker.
pub const WORKER: &str = "worker";

/// What a worker is started with, after the program's name.
pub fn worker_arguments(memory: u64, threads: usize) -> Vec<OsString> {
    let options = Options { memory, threads };
    let rest = options.arguments().into_iter().map(OsString::from);
    std::iter::once(OsString::from(WORKER))
        .chain(rest)
        .collect()
}

/// Prepares the weights of both models for this machine, into one sealed memfd that every
/// worker maps. The models are overwritten.
///
/// # Errors
///
/// When a model cannot be loaded, or the system refuses the memory.
pub fn prepare(speech: Model, voice: Model) -> Result<Arc<OwnedFd>, PrepareError> {
    earnest_worker::prepare(speech, voice).map(Arc::new)
}

/// Is a worker, to the end of the process. `arguments` are those behind [`WORKER`].
pub fn worker(arguments: Vec<OsString>) -> ExitCode {
    let told: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    match Options::parse(&told) {
        Ok(options) => earnest_worker::run(options),
        Err(error) => {
            // A daemon never gets here; a curious person reads it.
            eprintln!("earnestd: {error}");
            ExitCode::from(crate::exit::Exit::Configuration)
        }
    }
}
