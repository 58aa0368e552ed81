//! A daemon with a microphone that plays what a test wants, and an application that may listen.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::earnestd::{Earnestd, Wish};
use crate::person::Person;
use crate::processes::workers;
use crate::reader::env;

/// The application that listens in tests.
pub(crate) const APP: &str = "notes";

/// Seconds of silence behind a recording: more than ends an utterance. ALSA's file plugin gives
/// the last that it read for ever, which is to be silence, too.
const SILENCE_SECONDS: usize = 3;

/// Ends utterances where the sample is over, and not at its pauses: heard as a whole, it is heard
/// right.
pub(crate) const PATIENT: &str = "silence_milliseconds = 1500";

/// The rate of recordings, in samples of two bytes.
pub(crate) const RATE: usize = 16_000;

/// A device without a clock that plays a recording whenever it is opened, and is silent from
/// then on.
pub(crate) struct Recording {
    folder: TempDir,
}

impl Recording {
    /// Of samples of 16 bits at 16 kHz.
    pub(crate) fn of(pcm: &[u8]) -> Recording {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let path = folder.path().join("sound.raw");
        fs::write(&path, quiet_at_the_end(pcm)).expect("there is room");
        let device = format!(
            "pcm.!default {{ type file slave.pcm null file /dev/null infile \"{}\" format raw }}",
            path.display()
        );
        alsa(folder.path(), &device);
        Recording { folder }
    }

    /// A daemon that hears it.
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            started_by: env(&[("ALSA_CONFIG_PATH", self.folder.path().join("asound.conf"))]),
            tables: format!("[microphone]\nlossless = true\n{PATIENT}"),
            ..Wish::default()
        }
    }
}

/// A recording, and silence behind it.
pub(crate) fn quiet_at_the_end(pcm: &[u8]) -> Vec<u8> {
    let mut bytes = pcm.to_vec();
    bytes.resize(pcm.len() + SILENCE_SECONDS * 2 * RATE, 0);
    bytes
}

/// Writes ALSA's configuration with this default device into a folder.
pub(crate) fn alsa(folder: &Path, device: &str) -> PathBuf {
    let path = folder.join("asound.conf");
    let text = format!("</usr/share/alsa/alsa.conf>\n{device}\n");
    fs::write(&path, text).expect("there is room");
    path
}

/// A daemon as wished for, with an application that may listen and have sound transcribed. Two
/// codes of the second factor are used up.
pub(crate) fn listening(wish: Wish) -> (Earnestd, Person) {
    let daemon = Earnestd::start(wish);
    let mut person = Person::enrol(&daemon);
    person.add_app(&daemon, APP, &["transcribe", "listen"]);
    (daemon, person)
}

/// The processes of this daemon that capture.
pub(crate) fn captures(daemon: &Earnestd) -> Vec<u32> {
    let mut children = workers(daemon.pid());
    children.retain(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).nth(1) == Some(b"capture")
    });
    children
}
