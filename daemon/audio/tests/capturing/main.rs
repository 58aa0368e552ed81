//! Microphones of a process of their own: this program is that process, too, in its own right,
//! as a stand-in that breaks a rule, and as a daemon that is killed.

mod daemon;
mod file;
mod house;
mod recovery;
mod server;
mod stand_in;

use std::env;
use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let first = arguments.next();
    match first.as_deref().and_then(|first| first.to_str()) {
        Some("capture") => earnest_audio::capture(arguments),
        Some("stand-in") => stand_in::run(arguments),
        Some("daemon") => daemon::run(),
        _ => {
            let mut trials = recovery::trials();
            trials.extend(daemon::trials());
            trials.extend(file::trials());
            trials.extend(server::trials());
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}
