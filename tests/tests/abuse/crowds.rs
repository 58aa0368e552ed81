//! Connections without number, and ones that never say what they want.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::client::{SAID, sample};
use crate::earnestd::Wish;
use crate::raw::Raw;
use crate::trial::{Trial, as_another_user, memory};
use crate::wait::{PATIENCE, wait_until};

/// How long a head may take (10 s), and what a busy machine adds.
const HEAD: Duration = Duration::from_secs(40);

#[test]
fn slow_headers_are_cut_and_keep_nobody_waiting() {
    let mut trial = Trial::usual();
    let mut slow: Vec<Raw> = (0..10)
        .map(|_| Raw::connect(&trial.daemon).patient_for(HEAD))
        .collect();
    for raw in &mut slow {
        assert!(raw.send(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-slow: "));
    }
    let since = Instant::now();
    trial.is_well();
    // A byte now and then does not buy more time: the head as a whole has its end.
    wait_until("the slow ones are cut", || {
        slow.retain_mut(|raw| raw.send(b"a"));
        slow.is_empty()
    });
    assert!(since.elapsed() < HEAD, "{:?}", since.elapsed());
    trial.is_well();
}

#[test]
fn a_head_without_end_is_refused() {
    let mut trial = Trial::usual();
    let before = memory(trial.daemon.pid());
    for line in ["x-long: ", "x: a\r\n"] {
        let mut raw = Raw::connect(&trial.daemon);
        raw.send(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n");
        let piece = line.repeat(10_000);
        let mut sent = 0;
        while raw.send(piece.as_bytes()) {
            sent += piece.len();
            assert!(sent < 8 << 20, "{sent} bytes were taken");
        }
    }
    let more = memory(trial.daemon.pid()).saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes more");
    trial.is_well();
}

/// Opens as many connections as it is told to, says so, and holds them until its input ends.
/// What the other side does to one of them is its business.
const HOLD: &str = "
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1100, 1100))
held = []
for _ in range(int(sys.argv[2])):
    one = socket.socket()
    one.settimeout(60)
    try:
        one.connect(('127.0.0.1', int(sys.argv[1])))
    except OSError:
        pass
    held.append(one)
print(len(held), flush=True)
sys.stdin.read()
";

/// Idle connections of another user. They end with this value.
struct Crowd(Child);

impl Crowd {
    fn of(number: usize, port: u16) -> Crowd {
        let mut process = as_another_user("/usr/bin/python3")
            .args(["-c", HOLD, &port.to_string(), &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is installed");
        let stdout = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says when");
        assert_eq!(line.trim(), number.to_string());
        Crowd(process)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            let _ = stdin.flush();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_thousand_idle_connections_keep_nobody_from_being_served() {
    let mut trial = Trial::usual();
    trial.is_well();
    let before = memory(trial.daemon.pid());
    let crowd = Crowd::of(1000, trial.daemon.port());
    let since = Instant::now();
    for _ in 0..3 {
        // Over the very listener that they hold, and over the other.
        trial.is_well();
        trial.is_well_over_unix();
    }
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
    let more = memory(trial.daemon.pid()).saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes more");
    trial.see_refused("too_many_connections", 1);
    drop(crowd);
    trial.is_well();
}

#[test]
fn connections_of_ones_own_user_beyond_the_bound_are_told_so() {
    let mut trial = Trial::of(Wish {
        clear_text: true,
        ..Wish::default()
    });
    let held: Vec<Raw> = (0..30).map(|_| Raw::connect(&trial.daemon)).collect();
    wait_until("the bound is met", || {
        let reply = trial.daemon.curl().get("/health");
        // One that is turned away is told why, or is closed.
        reply.status != 200
    });
    drop(held);
    wait_until("there is room again", || {
        trial.daemon.curl().get("/health").status == 200
    });
    trial.see_refused("too_many_connections", 1);
    let served = trial
        .daemon
        .curl()
        .transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(served.json(200)["text"], SAID);
    trial.is_well();
}
