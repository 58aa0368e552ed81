//! What is started to capture, and what is asked of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::DeviceWish;

/// The program that captures: one that ends in `capture` with the arguments
/// after `arguments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureProgram {
    /// Its path.
    pub program: PathBuf,
    /// What stands before its own arguments: `capture`, where the program has other faces.
    pub arguments: Vec<OsString>,
    /// Its whole environment. What leads to a sound server, and what ALSA looks at, where set:
    /// `XDG_RUNTIME_DIR`, `PULSE_*`, `HOME`, `ALSA_CONFIG_PATH`. With the last of them no sound
    /// server is asked for, unless by what it names.
    pub environment: Vec<(OsString, OsString)>,
}

/// What is asked of a microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrophoneOptions {
    /// The device.
    pub device: DeviceWish,
    /// Samples a second; none lets the child choose, 16,000 first.
    pub rate: Option<u32>,
    /// The sound that the device hands over at once, where it lets itself be asked.
    pub buffer: Duration,
    /// For devices without a clock, in development and tests: the child waits for its reader
    /// where it would drop, so the reader sets the pace.
    pub lossless: bool,
}

impl Default for MicrophoneOptions {
    fn default() -> MicrophoneOptions {
        MicrophoneOptions {
            device: DeviceWish::Default,
            rate: None,
            buffer: Duration::from_millis(40),
            lossless: false,
        }
    }
}
