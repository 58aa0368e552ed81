//! The processes that hear: how they are held, and what it costs when one dies.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{SAID, pcm, sample};
use crate::earnestd::{Earnestd, Wish};
use crate::processes::{is_running, workers};
use crate::upload::Upload;
use crate::wait::{wait_for, wait_until};

/// Bytes of sound that a request sends at first: three seconds, in which somebody speaks.
const FIRST: usize = 3 * 16_000 * 2;

/// A daemon with room for two apps and one more worker that waits.
fn daemon() -> Earnestd {
    Earnestd::start(Wish {
        workers: "warm = 1\nmost = 2".to_owned(),
        ..Wish::default()
    })
}

/// A request of an app that has begun and waits for more sound: its worker has told that it
/// hears somebody.
fn begun(daemon: &Earnestd, app: &str) -> Upload {
    let mut upload = Upload::begin(daemon, app);
    upload.send(&pcm()[..FIRST]);
    let first = upload.next().expect("the worker says something");
    assert_eq!(first["type"], "speech_started", "{first}");
    upload
}

/// Sends the rest of the sound and gives the text, or the code of what went wrong.
fn finished(mut upload: Upload) -> Result<String, String> {
    upload.send(&pcm()[FIRST..]);
    upload.end();
    let lines = upload.rest();
    let text = |line: &serde_json::Value| line["text"].as_str().map(str::to_owned);
    let texts: Vec<String> = lines.iter().filter_map(text).collect();
    match lines.last() {
        Some(last) if last["type"] == "done" => Ok(texts.join(" ")),
        Some(last) => {
            let code = last["error"]["code"].as_str();
            Err(code.unwrap_or_default().to_owned())
        }
        None => Err("cut".to_owned()),
    }
}

#[test]
fn every_worker_is_locked_in() {
    let daemon = daemon();
    let mut upload = begun(&daemon, "notes");
    let workers = wait_for("a worker at work and one that waits", || {
        let workers = workers(daemon.pid());
        (workers.len() >= 2).then_some(workers)
    });
    for worker in workers {
        // One that was just started has yet to lock itself in.
        wait_until("the worker is confined", || {
            earnest_sandbox::inspect(worker).is_ok_and(|status| status.is_confined())
        });
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
        let has = |line: &str| status.lines().any(|found| found == line);
        for line in [
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
            "CapInh:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "CapAmb:\t0000000000000000",
        ] {
            assert!(has(line), "{line} is not in {status}");
        }
    }
    upload.end();
    let sandbox = daemon.status()["sandbox"].to_string();
    assert!(sandbox.contains("full"), "{sandbox}");
}

#[test]
fn a_worker_that_is_killed_costs_its_request_alone() {
    let daemon = daemon();
    let waiting = wait_for("one worker waits", || match workers(daemon.pid())[..] {
        [worker] => Some(worker),
        _ => None,
    });
    // The worker that waits is the one that the first app gets.
    let first = begun(&daemon, "first");
    let second = begun(&daemon, "second");
    assert_eq!(daemon.status()["workers"]["working"], 2);
    kill(Pid::from_raw(waiting as i32), Signal::SIGKILL).unwrap();
    assert_eq!(finished(first), Err("worker_failed".to_owned()));
    assert_eq!(finished(second), Ok(SAID.to_owned()));
    // The app whose worker died is served again at once.
    let again = daemon
        .curl_of("first")
        .transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(again.json(200)["text"], SAID);
    assert_eq!(daemon.count("workers_failed"), 1);
    assert_eq!(daemon.count("gate_closed"), 0);
}

#[test]
fn apps_beyond_the_bound_are_told_to_come_again() {
    let daemon = daemon();
    let held = ["first", "second"].map(|app| begun(&daemon, app));
    let refused = daemon
        .curl_of("third")
        .args(&["--include"])
        .transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(refused.status, 429, "{refused:?}");
    let head = refused.body.to_ascii_lowercase();
    assert!(head.contains("retry-after: "), "{refused:?}");
    assert!(head.contains("\"busy\""), "{refused:?}");
    for upload in held {
        assert_eq!(finished(upload), Ok(SAID.to_owned()));
    }
    wait_until("there is room again", || {
        let reply = daemon
            .curl_of("third")
            .transcribe(&sample(), &["model=whisper-1"]);
        reply.status == 200 && reply.body.contains("Ever tried")
    });
}

#[test]
fn a_daemon_that_is_told_to_end_lets_requests_end_first() {
    let mut daemon = Earnestd::start(Wish {
        limits: "drain_seconds = 60".to_owned(),
        ..Wish::default()
    });
    let upload = begun(&daemon, "notes");
    let workers = workers(daemon.pid());
    daemon.signal(Signal::SIGTERM);
    // Nobody else is let in.
    wait_until("nobody is let in", || {
        daemon.curl_tls().get("/health").status == 0
    });
    assert!(daemon.ended().is_none(), "{}", daemon.log());
    assert_eq!(finished(upload), Ok(SAID.to_owned()));
    assert!(daemon.wait().success(), "{}", daemon.log());
    for worker in workers {
        wait_until("the worker is gone", || !is_running(worker));
    }
    assert!(!daemon.socket().exists());
}

#[test]
fn requests_that_never_end_are_cut_when_their_time_is_over() {
    let mut daemon = Earnestd::start(Wish {
        limits: "drain_seconds = 1".to_owned(),
        ..Wish::default()
    });
    let mut upload = begun(&daemon, "notes");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success(), "{}", daemon.log());
    let last = upload.rest().pop();
    assert!(last.is_none_or(|last| last["type"] != "done"));
}
