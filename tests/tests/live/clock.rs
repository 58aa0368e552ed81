//! A microphone with a real clock, and several who listen to it at once.

use crate::client::pcm;
use crate::house::{captures, listening};
use crate::reader::Reader;
use crate::server::Server;
use crate::wait::wait_until;
use crate::words::{is_the_sample, stable_text_stays};

/// Plays the sample to three who listen.
fn check(rate: u32, channels: u32) {
    let server = Server::start(rate, channels);
    let (daemon, _person) = listening(server.wish());
    let readers = [Reader::earnest, Reader::events, Reader::websocket];
    let mut readers = readers.map(|reader| reader(&daemon));
    for reader in &mut readers {
        reader.wait_until_it_hears();
    }
    assert_eq!((captures(&daemon).len(), server.recorders()), (1, 1));
    server.play(&pcm());
    for reader in &mut readers {
        let text = reader.sample();
        is_the_sample(reader.name(), &text);
        let told = stable_text_stays(&reader.heard);
        assert_ne!(told, 0, "{} got no stable text early", reader.name());
    }
    readers.into_iter().for_each(Reader::end);
    wait_until("the microphone is closed", || {
        captures(&daemon).is_empty() && server.recorders() == 0
    });
}

#[test]
fn who_listens_reads_along_what_is_said_at_16_khz() {
    check(16_000, 1);
}

#[test]
fn who_listens_reads_along_what_is_said_in_stereo_at_48_khz() {
    check(48_000, 2);
}
