//! The whole life of a guarded microphone, with the simulator and with the board.

use std::thread;
use std::time::{Duration, Instant};

use earnest_sim::Simulator;
use earnest_sim::qemu::Board;
use earnest_wire::Switch;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::client::pcm;
use crate::house::captures;
use crate::post::{Guarded, Post};
use crate::reader::Reader;
use crate::server::Server;
use crate::sides::run;
use crate::wait::wait_until;
use crate::words::is_the_sample;

/// How long the guard waits for a host that is silent, and what a busy machine adds to it at most.
const WATCHDOG: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(4);

fn is(event: &Value, kind: &str) -> bool {
    event["type"] == kind
}

/// Somebody listens: the light is on while sound flows, and off when he goes.
fn lives<G: Post>() {
    let server = Server::start(16_000, 1);
    let guarded = Guarded::<G>::beside(&server);
    let mut reader = Reader::events(&guarded.daemon);
    reader.wait_until_it_hears();
    guarded.see("live");
    guarded.guard.see_power(true);
    let report = guarded.report();
    assert_eq!(report["state"], "open", "{report:#}");
    assert_eq!(report["guard"]["light"], true, "{report:#}");
    let told = run(guarded.daemon.earnest().args(["guard", "status"])).success();
    assert!(told.contains("sound flow; the light is on"), "{told}");

    mutes_in_mid_utterance(&server, &guarded, &mut reader);
    hears_the_sample(&server, &mut reader);
    stands_still(&guarded, &mut reader);
    hears_the_sample(&server, &mut reader);

    reader.end();
    guarded.see("idle");
    guarded.guard.see_power(false);
    assert_eq!(guarded.daemon.count("workers_failed"), 0);
}

/// The switch is moved while somebody speaks.
fn mutes_in_mid_utterance<G: Post>(server: &Server, guarded: &Guarded<G>, reader: &mut Reader) {
    thread::scope(|scope| {
        let playing = scope.spawn(|| server.play(&pcm()));
        reader.wait_for("partial");
        guarded.guard.slide(Switch::Muted);
        // By the rail, whatever any software thinks of it.
        assert!(!guarded.guard.has_power());
        reader.wait_for("muted");
        // Nobody has the microphone open, though it is still being spoken. A process that was
        // killed takes a moment to be gone.
        wait_until("the microphone is closed", || {
            captures(&guarded.daemon).is_empty()
        });
        playing.join().expect("it is played to its end");
    });
    let report = guarded.report();
    assert_eq!(report["muted"], true, "{report:#}");
    assert_eq!(report["state"], "off", "{report:#}");
    assert_eq!(report["guard"]["state"], "muted", "{report:#}");
    let unmuted = reader.heard.len();
    guarded.guard.slide(Switch::Open);
    reader.wait_for("unmuted");
    // From the beginning of the utterance on nobody was told its end, nor anything behind it.
    let started = reader.heard[..unmuted]
        .iter()
        .rposition(|event| is(event, "speech_started"));
    let since = &reader.heard[started.expect("it was begun")..];
    assert!(since.iter().any(|event| is(event, "partial")), "{since:#?}");
    assert!(!since.iter().any(|event| is(event, "final")), "{since:#?}");
    let muted = since.iter().position(|event| is(event, "muted"));
    let behind = &since[muted.expect("it was told")..];
    assert!(
        !behind
            .iter()
            .any(|event| is(event, "partial") || is(event, "speech_started")),
        "{behind:#?}"
    );
}

/// It is heard, all of it and nothing else.
fn hears_the_sample(server: &Server, reader: &mut Reader) {
    reader.wait_until_it_hears();
    server.play(&pcm());
    is_the_sample(reader.name(), &reader.sample());
}

/// The daemon is stopped and goes on.
fn stands_still<G: Post>(guarded: &Guarded<G>, reader: &mut Reader) {
    guarded.guard.see_power(true);
    let trips = |guard: &Value| guard["counts"]["trips_ever"].as_u64();
    let before = trips(&guarded.see("live"));
    guarded.daemon.signal(Signal::SIGSTOP);
    let since = Instant::now();
    wait_until("the guard cuts the microphone", || {
        !guarded.guard.has_power()
    });
    let took = since.elapsed();
    guarded.daemon.signal(Signal::SIGCONT);
    // The last heartbeat was up to a quarter of a second before the signal.
    assert!(took >= WATCHDOG / 2 && took < WATCHDOG + LATE, "{took:?}");
    guarded.guard.see_power(true);
    // The guard counts it, and tells when it is asked next.
    wait_until("the daemon hears of the cut", || {
        trips(&guarded.see("live")) > before
    });
    reader.wait_until_it_hears();
}

#[test]
fn a_simulated_guard_gives_power_takes_it_and_gives_it_back() {
    lives::<Simulator>();
}

#[test]
fn the_board_on_an_emulated_processor_does_the_same() {
    lives::<Board>();
}
