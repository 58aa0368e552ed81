//! Which devices there are.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::arguments::Request;
use crate::child::{Child, Heard};
use crate::{CaptureProgram, Device, Loss};

/// How long a process may take to tell the devices: twice what it gives itself.
const TIME_TO_TELL: Duration = Duration::from_secs(10);

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
    let mut child = Child::start(program, &Request::Devices).map_err(DevicesError::Unstartable)?;
    let told = timeout(TIME_TO_TELL, told(&mut child)).await;
    let told = told.unwrap_or(Err(Loss::Stalled));
    child.end().await;
    told.map_err(DevicesError::Lost)
}

async fn told(child: &mut Child) -> Result<Vec<Device>, Loss> {
    match child.next().await {
        Heard::Devices(devices) => Ok(devices),
        Heard::Lost(why) => Err(why),
        // The child's rules let neither through before it was asked for sound.
        Heard::Opened { .. } | Heard::Sound(_) | Heard::Overrun { .. } => Err(Loss::Broken),
    }
}
