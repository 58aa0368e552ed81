//! What the process that captures says to the daemon.

use earnest_audio::protocol::{DecodeError, Decoder, FromCapture, MAX_SOUND_BYTES, encode};
use earnest_audio::{MAX_DEVICES, MAX_NAME_BYTES, level};

/// Reads `data` as a stream of a capturing process's messages.
///
/// How a stream is cut into pieces makes no difference, whatever is taken keeps to its bounds and
/// could have been sent, and shows no sound where it is printed.
pub fn capture(data: &[u8]) {
    let (whole, error) = decoded(data, data.len().max(1));
    // Frames are short, so that pieces of few bytes cut every part of one.
    for size in [1, 3, 7] {
        assert_eq!(decoded(data, size), (whole.clone(), error));
    }
    for message in &whole {
        keeps_to_its_bounds(message);
        let frame = encode(message).expect("what was taken could have been sent");
        let (again, error) = decoded(&frame, frame.len());
        assert_eq!(
            (again.as_slice(), error),
            (std::slice::from_ref(message), None)
        );
    }
    if let Some(error) = error {
        drop(error.to_string());
    }
}

fn keeps_to_its_bounds(message: &FromCapture) {
    match message {
        FromCapture::Opened { device, .. } => assert!(device.len() <= MAX_NAME_BYTES),
        FromCapture::Sound(pcm) => {
            assert!(pcm.len() % 2 == 0 && (2..=MAX_SOUND_BYTES).contains(&pcm.len()));
            let shown = format!("{message:?}");
            assert_eq!(shown, format!("Sound({} bytes)", pcm.len()));
            let level = level::of(pcm);
            assert!(level.rms_db <= level.peak_db && level.peak_db <= 0.0);
            assert!(level.rms_db >= level::SILENCE_DB);
        }
        FromCapture::Devices(devices) => assert!(devices.len() <= MAX_DEVICES),
        FromCapture::Hello { .. }
        | FromCapture::Overrun { .. }
        | FromCapture::Alive
        | FromCapture::Lost(_) => {}
    }
}

/// The messages of a stream that comes in pieces of `size`, and what ended them.
fn decoded(stream: &[u8], size: usize) -> (Vec<FromCapture>, Option<DecodeError>) {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for mut piece in stream.chunks(size) {
        loop {
            match decoder.push(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(piece.is_empty(), "bytes were left lying");
    }
    (messages, None)
}
