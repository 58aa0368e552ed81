//! Devices that go and come back while somebody listens.

use crate::client::pcm;
use crate::house::listening;
use crate::reader::Reader;
use crate::server::Server;

/// Bytes of the sample that are played: its end, from within the pause before it.
const END: usize = 32_000 * 7 / 2;

/// Plays the end of the sample to both.
fn hear(server: &Server, readers: &mut [Reader]) {
    for reader in &mut *readers {
        reader.wait_until_it_hears();
    }
    let sample = pcm();
    server.play(&sample[sample.len() - END..]);
    for reader in readers {
        reader.sample();
    }
}

#[test]
fn a_microphone_that_goes_is_told_and_heard_again_when_it_is_back() {
    let mut server = Server::start(16_000, 1);
    let (daemon, _person) = listening(server.wish());
    let mut readers = [Reader::earnest(&daemon), Reader::events(&daemon)];
    hear(&server, &mut readers);

    server.unplug();
    for reader in &mut readers {
        reader.wait_for("device_lost");
    }
    server.plug();
    for reader in &mut readers {
        reader.wait_for("device_back");
    }
    hear(&server, &mut readers);

    server.end();
    for reader in &mut readers {
        reader.wait_for("device_lost");
    }
    server.resume();
    for reader in &mut readers {
        reader.wait_for("device_back");
    }
    hear(&server, &mut readers);
    let microphone = &daemon.status()["microphone"];
    assert!(microphone["losses"].as_u64() >= Some(2), "{microphone:#}");
    assert_eq!(daemon.count("workers_failed"), 0, "{}", daemon.log());
}
