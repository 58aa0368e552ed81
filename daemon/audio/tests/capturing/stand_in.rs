//! Processes that stand in for the one that captures, and break its rules.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use earnest_audio::Loss;
use earnest_audio::protocol::{FromCapture, VERSION, encode};

/// Sounds of a stand-in that counts, each of [`COUNTED_SAMPLES`].
pub(crate) const COUNTED: i16 = 300;

/// Samples of one of them: 20 milliseconds.
pub(crate) const COUNTED_SAMPLES: usize = 320;

/// The rate that stand-ins say.
pub(crate) const RATE: u32 = 16_000;

/// The stand-in of the first argument.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let name = arguments.next().unwrap_or_default();
    match perform(&name.to_string_lossy()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn perform(name: &str) -> io::Result<()> {
    match name {
        // Opens, is heard for a moment, and dies.
        "dies" => {
            open(&device())?;
            say(&sound(1))?;
        }
        // Opens, is heard for a moment, and says why it goes.
        "goes" => {
            open(&device())?;
            say(&sound(1))?;
            say(&FromCapture::Lost(Loss::Vanished))?;
            sleep();
        }
        // Opens, and says nothing any more, not even when its parent is gone.
        "hangs" => {
            open(&device())?;
            sleep();
        }
        // Says what is no message.
        "raves" => {
            open(&device())?;
            write(&[0xff; 1_000])?;
            sleep();
        }
        // Says a message of another's.
        "lies" => {
            open(&device())?;
            say(&FromCapture::Devices(Vec::new()))?;
            sleep();
        }
        // Says what is allowed, for ever and as fast as it can.
        "floods" => {
            open(&device())?;
            loop {
                say(&sound(COUNTED))?;
            }
        }
        // Says its environment's names.
        "tells" => {
            let names = env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
            let names: Vec<String> = names.collect();
            open(&format!("knows {}", names.join(" ")))?;
            sleep();
        }
        // Counts.
        "counts" => {
            open(&device())?;
            for number in 0..COUNTED {
                say(&sound(number))?;
            }
            sleep();
        }
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Ok(())
}

/// A name that says which process this is.
fn device() -> String {
    process::id().to_string()
}

fn open(device: &str) -> io::Result<()> {
    say(&FromCapture::Hello { version: VERSION })?;
    say(&FromCapture::Opened {
        device: device.to_owned(),
        rate: RATE,
    })
}

fn sound(number: i16) -> FromCapture {
    let samples = [number; COUNTED_SAMPLES].into_iter();
    FromCapture::Sound(samples.flat_map(i16::to_le_bytes).collect())
}

fn say(message: &FromCapture) -> io::Result<()> {
    write(&encode(message).map_err(io::Error::other)?)
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}

/// Longer than any test takes.
fn sleep() {
    thread::sleep(Duration::from_secs(600));
}
