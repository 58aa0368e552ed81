//! The microphone from end to end: what is said into the real daemon, and when it is told what.
//!
//! No sound card is needed. What is said goes through a sound server with a sink that plays into
//! its microphone and has a real clock, through a pipe that stands for the device, or lies in a
//! file that is read as fast as it is worked on.

pub(crate) mod bench;
mod figures;
mod listener;
mod moonshine;
mod pace;
mod processes;
mod room;
mod script;
pub(crate) mod soak;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The application that listens.
const APP: &str = "bench";

/// The microphone's pause that ends an utterance, in milliseconds: the default.
const SILENCE: u64 = 700;

/// Makes ALSA's default device one that reads `source`, a file or a pipe. Gives the environment in
/// which it is the default.
fn device_of(folder: &Path, source: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let device = format!(
        "type file\n  slave.pcm null\n  file /dev/null\n  infile {:?}\n  format raw",
        source.display().to_string()
    );
    Ok(vec![("ALSA_CONFIG_PATH", alsa(folder, &device)?)])
}

/// Writes ALSA's configuration with this default device.
fn alsa(folder: &Path, device: &str) -> Result<PathBuf> {
    let path = folder.join("asound.conf");
    let text = format!("</usr/share/alsa/alsa.conf>\npcm.!default {{\n  {device}\n}}\n");
    fs::write(&path, text)?;
    Ok(path)
}
