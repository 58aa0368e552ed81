//! The process that captures.
//!
//! It makes one attempt: it opens a device and writes its sound until the device is lost, says
//! why, and ends. The next attempt is the next process's, which a sound library that leaks,
//! hangs or crashed before cannot have touched.

mod calm;
mod choice;
mod encoding;
mod intake;
mod library;
mod output;
mod pump;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread;

use earnest_printable::describe;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, raise};

use crate::arguments::Request;
use crate::protocol::{FromCapture, VERSION};

pub use encoding::Encoding;
pub use intake::{Intake, Outlet, ring};

use output::Output;

/// Captures until the device is lost or standard input ends: the whole of the child's `main`.
/// `arguments` are those after the ones of [`CaptureProgram`](crate::CaptureProgram):
/// `--devices`, or any of `--device=PATTERN`, `--rate=HERTZ`, `--buffer-milliseconds=NUMBER` and
/// `--lossless`.
///
/// Standard output carries [`protocol`](crate::protocol) and nothing else. Who starts it holds
/// the other end of its standard input: when that ends, so does the process, by a signal and
/// whatever the sound library is at. What the library has to say goes to standard error.
pub fn capture(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let request = match Request::read(arguments) {
        Ok(request) => request,
        Err(error) => {
            eprintln!("capture: {error}");
            return ExitCode::from(2);
        }
    };
    match serve(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("capture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(request: Request) -> io::Result<()> {
    give_up_what_is_not_needed()?;
    end_with_standard_input()?;
    let mut output = take_standard_output()?;
    output.say(&FromCapture::Hello { version: VERSION })?;
    match request {
        Request::Devices => {
            let devices = library::devices_in_time();
            output.say(&devices.map_or_else(FromCapture::Lost, FromCapture::Devices))
        }
        Request::Capture(options) => {
            let opened = match library::open(&options) {
                Ok(opened) => opened,
                Err(error) => {
                    eprintln!("capture: {}", describe(&error));
                    return output.say(&FromCapture::Lost(error.loss()));
                }
            };
            output.say(&FromCapture::Opened {
                device: opened.device.clone(),
                rate: opened.rate,
            })?;
            let why = pump::pump(opened, &mut output)?;
            output.say(&FromCapture::Lost(why))
        }
    }
}

/// Sound is in this process's memory: it leaves no core behind, cannot be traced by its own
/// user, and nothing that a plugin starts gains rights.
fn give_up_what_is_not_needed() -> io::Result<()> {
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(())
}

/// No child outlives the daemon: the kernel closes the other end with the daemon, however that
/// ends. A signal, because an orderly end would wait for a library that may hang.
fn end_with_standard_input() -> io::Result<()> {
    let watch = || {
        let mut byte = [0];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut byte) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        let _ = raise(Signal::SIGKILL);
    };
    thread::Builder::new()
        .name("earnest-parent".to_owned())
        .spawn(watch)?;
    Ok(())
}

/// The pipe to the daemon, for us alone: what the sound library prints goes nowhere.
fn take_standard_output() -> io::Result<Output<File>> {
    let pipe = io::stdout().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    Ok(Output::new(File::from(pipe)))
}
