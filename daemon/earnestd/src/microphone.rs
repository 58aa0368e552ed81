//! The one place where the daemon meets microphones: being the process that captures, and what
//! that process and the listening to it are told.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use earnest_audio::{CaptureProgram, Microphone, MicrophoneOptions};
use earnest_guardian::Guardian;
use earnest_live::{Live, LiveSettings};
use earnest_telemetry::Telemetry;

use crate::configuration::Configuration;

/// The daemon's first argument when it is the process that captures.
pub const CAPTURE: &str = "capture";

/// What ALSA, and what leads to a sound server, look for in an environment. The process that
/// captures gets nothing else of the daemon's.
const ENVIRONMENT: &[&str] = &[
    "ALSA_CONFIG_DIR",
    "ALSA_CONFIG_PATH",
    "HOME",
    "PIPEWIRE_REMOTE",
    "PIPEWIRE_RUNTIME_DIR",
    "PULSE_CLIENTCONFIG",
    "PULSE_COOKIE",
    "PULSE_RUNTIME_PATH",
    "PULSE_SERVER",
    "XDG_RUNTIME_DIR",
];

/// Captures, to the end of the process. `arguments` are those behind [`CAPTURE`].
pub fn capture(arguments: Vec<OsString>) -> ExitCode {
    earnest_audio::capture(arguments)
}

/// The microphone that is configured, closed until somebody listens or it is to stay open.
/// Where there is a guard, it has its say.
pub fn live(
    configuration: &Configuration,
    program: &Path,
    telemetry: Telemetry,
    guard: Option<Guardian>,
) -> Live {
    let required = configuration
        .guard
        .as_ref()
        .is_some_and(|guard| guard.required);
    let settings = &configuration.microphone;
    let program = CaptureProgram {
        program: program.to_owned(),
        arguments: vec![CAPTURE.into()],
        environment: environment(),
    };
    let options = MicrophoneOptions {
        device: settings.device.clone(),
        rate: settings.rate,
        buffer: settings.buffer,
        lossless: settings.lossless,
    };
    let answers = &configuration.answers;
    let held_back = answers.certainty_floor().is_some() || answers.redact_digits().is_some();
    let settings = LiveSettings {
        enabled: settings.enabled,
        silence: settings.silence,
        warm: settings.warm,
        pre_roll: settings.pre_roll,
        listeners: settings.listeners,
        muted: settings.muted,
        // What would be withheld or replaced is known at the end of an utterance alone.
        partials: !held_back,
        lossless: settings.lossless,
        capture: Some(program.clone()),
    };
    let make = move || Box::new(Microphone::open(program.clone(), options.clone())) as _;
    match guard {
        Some(guard) => Live::guarded(settings, make, telemetry, guard, required),
        None => Live::new(settings, make, telemetry),
    }
}

fn environment() -> Vec<(OsString, OsString)> {
    let set = |name: &&str| Some((OsString::from(name), std::env::var_os(name)?));
    ENVIRONMENT.iter().filter_map(set).collect()
}
