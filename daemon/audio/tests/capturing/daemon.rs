//! A daemon that is killed while its microphone is open.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::{env, process};

use libtest_mimic::Trial;

use crate::house::{is_alive, next, opened, program, trial, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("no_child_outlives_its_daemon", killed)]
}

/// The daemon: it opens the microphone of its environment, says which process captures, and is
/// at work until it is killed.
pub(crate) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        let configuration = env::var_os("ALSA_CONFIG_PATH").unwrap_or_default();
        let program = program(
            &["capture"],
            &[("ALSA_CONFIG_PATH", configuration.as_ref())],
        );
        let options = earnest_audio::MicrophoneOptions {
            lossless: true,
            ..Default::default()
        };
        let mut microphone = earnest_audio::Microphone::open(program, options);
        opened(&mut microphone).await;
        println!("{}", children().first().copied().unwrap_or_default());
        loop {
            next(&mut microphone).await;
        }
    })
}

/// The processes that this one started.
fn children() -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process::id()));
    let tasks = tasks.into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: String = children.collect();
    let numbers = children.split_whitespace();
    numbers.filter_map(|number| number.parse().ok()).collect()
}

async fn killed() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let configuration = crate::file::silence(folder.path());
    let mut daemon = Command::new(env::current_exe().expect("a program knows its path"))
        .arg("daemon")
        .env_clear()
        .env("ALSA_CONFIG_PATH", configuration)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the daemon starts");
    let mut line = String::new();
    let output = daemon.stdout.take().expect("it is piped");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("it says");
    let child: u32 = line.trim().parse().expect("it says a number");
    assert!(child > 0 && is_alive(child));
    daemon.kill().expect("it is alive");
    daemon.wait().expect("it was killed");
    wait_until("the child is gone with it", || !is_alive(child));
}
