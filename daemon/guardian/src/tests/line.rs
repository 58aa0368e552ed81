//! The task, on a real socket and on a pseudo-terminal.

use std::time::Duration;

use earnest_telemetry::{Clock, Telemetry};
use earnest_wire::guard::{Event, Link};
use earnest_wire::{State, Switch, Why};
use nix::pty::openpty;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::kit::{identity, key};
use crate::{Cut, GuardPlace, GuardState, Guardian, LineError, PairError, Pairing, Settings, pair};

const PATIENCE: Duration = Duration::from_secs(30);

fn guardian(place: &GuardPlace) -> Guardian {
    let telemetry = Telemetry::new(Clock::boot_time());
    Guardian::start(place.clone(), Settings::default(), telemetry)
}

async fn becomes(guardian: &Guardian, expected: GuardState) {
    let mut states = guardian.states();
    let waited = timeout(PATIENCE, states.wait_for(|state| *state == expected)).await;
    assert!(
        waited.is_ok(),
        "{:?} and not {expected:?}",
        guardian.state()
    );
}

/// A guard with its switch open, for as long as somebody speaks to it.
async fn serve(mut line: impl AsyncRead + AsyncWrite + Unpin, boots: u32) {
    let mut link = Link::new(identity(), boots, Some(key()));
    let mut state = State {
        switch: Switch::Open,
        power: false,
        light: false,
        announced: false,
        why: Why::NotAnnounced,
        contradiction: false,
    };
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = line.read(&mut buffer).await {
        for byte in &buffer[..count] {
            let frame = match link.receive(*byte).map(|received| received.unwrap().event) {
                Some(Event::Hello { nonce }) => link.welcome(nonce).ok(),
                Some(Event::Announce { live }) => {
                    (state.power, state.light, state.announced) = (live, live, live);
                    state.why = if live { Why::Live } else { Why::NotAnnounced };
                    link.state(state).ok()
                }
                Some(_) => link.state(state).ok(),
                None => None,
            };
            if let Some(frame) = frame
                && line.write_all(frame.as_bytes()).await.is_err()
            {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_socket_is_opened_spoken_on_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.sock");
    let place = GuardPlace::Socket(path.clone());
    let guardian = guardian(&place);
    becomes(&guardian, GuardState::Absent).await;
    guardian.pair(key(), Some(identity())).await;
    let listener = UnixListener::bind(&path).unwrap();
    for round in 1..3 {
        let (line, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let serving = tokio::spawn(serve(line, round));
        becomes(&guardian, GuardState::Cut(Cut::Idle)).await;
        guardian.announce(true);
        becomes(&guardian, GuardState::Live).await;
        assert_eq!(guardian.report().boots, round);
        guardian.announce(false);
        becomes(&guardian, GuardState::Cut(Cut::Idle)).await;
        // The other side hangs up.
        serving.abort();
        becomes(&guardian, GuardState::Absent).await;
    }
    // Nobody holds it any more, so nobody speaks.
    let (mut line, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    drop(guardian);
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, line.read_to_end(&mut rest)).await;
    assert!(ended.is_ok());
}

#[tokio::test]
async fn a_serial_device_is_raw_and_nobody_elses() {
    let pty = openpty(None, None).unwrap();
    let path = nix::unistd::ttyname(&pty.slave).unwrap();
    let place = GuardPlace::Serial(path);
    let master = std::fs::File::from(pty.master);
    let line = tokio::fs::File::from_std(master.try_clone().unwrap());
    // Bytes on a pseudo-terminal are a file's: reads wait on a thread of their own.
    let (reader, writer) = (line, tokio::fs::File::from_std(master));
    let guardian = guardian(&place);
    let serving = tokio::spawn(serve(tokio::io::join(reader, writer), 1));
    guardian.pair(key(), Some(identity())).await;
    guardian.announce(true);
    becomes(&guardian, GuardState::Live).await;
    // A second speaker would take the answers of the first.
    let taken = pair(&place, key()).await;
    assert!(
        matches!(taken, Err(PairError::Line(LineError::Taken { .. }))),
        "{taken:?}"
    );
    assert_eq!(guardian.state(), GuardState::Live);
    serving.abort();
    drop(guardian);
    drop(pty.slave);
}

#[tokio::test]
async fn a_guard_that_has_the_key_already_is_told_apart_from_one_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.sock");
    let place = GuardPlace::Socket(path.clone());
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            serve(line, 1).await;
        }
    });
    let done = pair(&place, key()).await.unwrap();
    assert_eq!(done, Pairing::Before(identity()));
    let other = earnest_wire::PairingKey::new([1; 32]);
    assert!(matches!(pair(&place, other).await, Err(PairError::Taken)));
    serving.abort();
    let _ = serving.await;
    assert!(matches!(pair(&place, key()).await, Err(PairError::Line(_))));
}
