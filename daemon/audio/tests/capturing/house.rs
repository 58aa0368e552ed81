//! What the tests share: programs, and waits that end.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use earnest_audio::{BackOff, CaptureProgram, Loss, Microphone, MicrophoneOptions, Sounding};
use libtest_mimic::{Failed, Trial};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Pauses that keep nobody waiting.
pub(crate) const AT_ONCE: BackOff = BackOff {
    first: Duration::from_millis(5),
    most: Duration::from_millis(50),
};

/// A test that is a future.
pub(crate) fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        runtime
            .block_on(async { tokio::time::timeout(4 * PATIENCE, test()).await })
            .map_err(|_| Failed::from("it took too long"))
    })
}

/// This program with these arguments before its own.
pub(crate) fn program(arguments: &[&str], environment: &[(&str, &Path)]) -> CaptureProgram {
    let environment = environment.iter();
    CaptureProgram {
        program: env::current_exe().expect("a program knows its path"),
        arguments: arguments.iter().map(OsString::from).collect(),
        environment: environment
            .map(|(name, value)| (OsString::from(name), value.into()))
            .collect(),
    }
}

/// A stand-in for a capturing process, which does what its name says.
pub(crate) fn stand_in(name: &str) -> Microphone {
    let program = program(&["stand-in", name], &[]);
    Microphone::open_with(program, MicrophoneOptions::default(), AT_ONCE)
}

/// The next thing that is said, in time.
pub(crate) async fn next(microphone: &mut Microphone) -> Sounding {
    let next = tokio::time::timeout(PATIENCE, microphone.next()).await;
    next.expect("it says something")
}

/// The next device that is opened, and the losses before.
pub(crate) async fn opened(microphone: &mut Microphone) -> (String, u32, Vec<Loss>) {
    let mut losses = Vec::new();
    loop {
        match next(microphone).await {
            Sounding::Opened { device, rate } => return (device, rate, losses),
            Sounding::Lost { why, .. } => losses.push(why),
            Sounding::Sound(_) | Sounding::Overrun { .. } => {}
        }
    }
}

/// The next loss, and the samples before.
pub(crate) async fn lost(microphone: &mut Microphone) -> (Loss, usize) {
    let mut samples = 0;
    loop {
        match next(microphone).await {
            Sounding::Lost { why, .. } => return (why, samples),
            Sounding::Sound(pcm) => samples += pcm.len() / 2,
            Sounding::Opened { .. } | Sounding::Overrun { .. } => {}
        }
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process is there and alive.
pub(crate) fn is_alive(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat"));
    let state = status.ok().and_then(|status| {
        let (_, after) = status.rsplit_once(") ")?;
        after.chars().next()
    });
    state.is_some_and(|state| state != 'Z')
}

/// Whether nothing is left of a process.
pub(crate) fn is_gone(process: u32) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

/// A configuration of ALSA's that ends with `devices`, in a folder.
pub(crate) fn alsa(folder: &Path, devices: &str) -> std::path::PathBuf {
    let path = folder.join("asound.conf");
    let text = format!("</usr/share/alsa/alsa.conf>\n{devices}\n");
    fs::write(&path, text).expect("the folder can be written");
    path
}
