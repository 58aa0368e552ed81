//! Pipes: text as it is read, readers that go away, and interrupts.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::command::earnest;
use crate::sample::{sample, words};

/// A bound on waiting for what never comes, far above what a slow machine takes.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn text_is_written_while_sound_still_comes() {
    let mut child = earnest()
        .args(["-", "--rate", "16000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();

    // Speech and the silence that ends it; standard input stays open.
    stdin.write_all(&sample().bytes()).unwrap();
    stdin.write_all(&vec![0; 2 * 16_000 * 4]).unwrap();
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut all = vec![0; 4];
        stdout.read_exact(&mut all).unwrap();
        sender.send(()).unwrap();
        stdout.read_to_end(&mut all).unwrap();
        String::from_utf8(all).unwrap()
    });
    let came = receiver.recv_timeout(PATIENCE);
    drop(stdin);
    assert!(came.is_ok(), "no text before the sound had ended");
    assert_eq!(words(&reader.join().unwrap()), sample().words);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let mut child = earnest()
        .arg(sample().argument())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_unfinished_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = earnest()
        .args(["-", "--rate", "16000", sample().argument(), "--output"])
        .arg(folder.path().join("out.txt"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // With several files their names are told, once the output is open.
    let mut line = String::new();
    let stderr = child.stderr.take().unwrap();
    BufReader::new(stderr).read_line(&mut line).unwrap();
    assert_eq!(line, "-:\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(130));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
