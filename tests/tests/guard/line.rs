//! What becomes of listeners where the line is not what it should be.

use earnest_sim::Simulator;

use crate::post::{Guarded, Post};
use crate::reader::Reader;
use crate::server::Server;
use crate::wait::wait_until;

/// A shift register's bytes (Marsaglia's xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    next.take(length).collect()
}

#[test]
fn noise_resets_and_a_plug_that_is_pulled_end_nobodys_listening() {
    let server = Server::start(16_000, 1);
    let guarded = Guarded::<Simulator>::beside(&server);
    let mut reader = Reader::events(&guarded.daemon);
    reader.wait_until_it_hears();
    guarded.see("live");

    // Noise costs nothing but frames that were under way.
    guarded.guard.inject(&noise(64 << 10));
    wait_until("the noise is counted", || {
        let counts = guarded.report()["guard"]["counts"].clone();
        counts["noise"].as_u64() > Some(100)
    });
    guarded.see("live");
    reader.wait_until_it_hears();

    // A reset cuts the microphone, and the guard is met anew.
    let sessions = |counts: &serde_json::Value| counts["sessions"].as_u64().unwrap_or_default();
    let met = sessions(&guarded.see("live")["counts"]);
    guarded.guard.reset();
    wait_until("it is met again", || {
        let guard = guarded.report()["guard"].clone();
        guard["state"] == "live" && sessions(&guard["counts"]) > met
    });
    guarded.guard.see_power(true);
    reader.wait_until_it_hears();

    // So does a plug that is pulled.
    let met = sessions(&guarded.see("live")["counts"]);
    guarded.guard.hang_up();
    wait_until("it is met again", || {
        let guard = guarded.report()["guard"].clone();
        guard["state"] == "live" && sessions(&guard["counts"]) > met
    });
    guarded.guard.see_power(true);
    reader.wait_until_it_hears();
    assert!(!reader.heard.iter().any(|event| event["type"] == "error"));
}
