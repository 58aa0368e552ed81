//! Sound files.

use std::io::Cursor;

use earnest_sound::{SoundError, Source, Status};

/// Samples that are decoded at most: 4 s, so that a small file of much silence costs little.
const MAX_SAMPLES: usize = 64_000;

/// Reads `data` as a sound file, and what is left of it after its first byte as a stream if that
/// byte is `s` (no sound file starts so).
///
/// Whatever it is, what comes out is finite, within ±1, and as much as the report says; and no
/// decoder panics. [`Source`] would catch that, but each such panic is a finding.
pub fn sound(data: &[u8]) {
    let opened = match data.split_first() {
        Some((b's', stream)) => Source::from_reader(Cursor::new(stream.to_vec())),
        _ => Source::from_seekable(Cursor::new(data.to_vec())),
    };
    let mut source = match opened {
        Ok(source) => source,
        Err(error) => return refused(&error),
    };
    let mut samples = Vec::new();
    let mut failed = false;
    while samples.len() < MAX_SAMPLES {
        match source.read(&mut samples) {
            Ok(Status::More) => assert!(!failed, "there is nothing behind an error"),
            Ok(Status::End) => break,
            Err(error) => {
                assert!(!failed, "one error ends a file");
                failed = true;
                refused(&error);
            }
        }
    }
    assert!(samples.iter().all(|sample| sample.abs() <= 1.0));
    assert_eq!(source.report().samples, samples.len() as u64);
}

fn refused(error: &SoundError) {
    assert!(!matches!(error, SoundError::Panicked { .. }), "{error}");
    // The message is shown to people, so making it must not fail either.
    drop(error.to_string());
}
