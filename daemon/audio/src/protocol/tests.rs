use proptest::prelude::*;

use super::*;

fn device(name: &str) -> Device {
    Device {
        name: name.to_owned(),
        description: "Desk Mic".to_owned(),
        is_default: true,
        rates: vec![16_000, 48_000],
        channels: vec![1, 2],
    }
}

fn examples() -> Vec<FromCapture> {
    vec![
        FromCapture::Hello { version: VERSION },
        FromCapture::Opened {
            device: "d".repeat(MAX_NAME_BYTES),
            rate: MAX_RATE,
        },
        FromCapture::Sound(vec![0x80; MAX_SOUND_BYTES]),
        FromCapture::Overrun { frames: u64::MAX },
        FromCapture::Alive,
        FromCapture::Lost(Loss::Unstartable),
        FromCapture::Devices(Vec::new()),
        FromCapture::Devices(vec![
            Device {
                rates: vec![MAX_RATE; MAX_RATES],
                channels: vec![u16::MAX; usize::from(MAX_CHANNELS)],
                description: "é".repeat(MAX_NAME_BYTES / 2),
                ..device(&"n".repeat(MAX_NAME_BYTES))
            };
            MAX_DEVICES
        ]),
    ]
}

/// All messages in pieces of `size` bytes, and the error at the end if there is one.
fn decoded(bytes: &[u8], size: usize) -> (Vec<FromCapture>, Option<DecodeError>) {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for mut piece in bytes.chunks(size) {
        loop {
            match decoder.push(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn refused(message: &FromCapture) -> OutOfBounds {
    match encode(message) {
        Err(EncodeError::OutOfBounds(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_whatever_the_pieces() {
    let bytes: Vec<u8> = examples()
        .iter()
        .flat_map(|message| encode(message).unwrap())
        .collect();
    for size in [1, 5, 4_096, bytes.len()] {
        assert_eq!(decoded(&bytes, size), (examples(), None));
    }
}

#[test]
fn what_is_beyond_its_bounds_is_neither_written_nor_read() {
    let opened = |device: &str, rate| FromCapture::Opened {
        device: device.to_owned(),
        rate,
    };
    assert_eq!(refused(&opened("", 16_000)), OutOfBounds::Name);
    assert_eq!(refused(&opened("a\nb", 16_000)), OutOfBounds::Name);
    assert_eq!(refused(&opened("a", 0)), OutOfBounds::Rate { found: 0 });
    for found in [0, 3, MAX_SOUND_BYTES + 2] {
        let sound = FromCapture::Sound(vec![0; found]);
        assert_eq!(refused(&sound), OutOfBounds::Sound { found });
    }
    let many = FromCapture::Devices(vec![device("a"); MAX_DEVICES + 1]);
    assert_eq!(refused(&many), OutOfBounds::Devices);
    let wide = FromCapture::Devices(vec![Device {
        channels: vec![1; 9],
        ..device("a")
    }]);
    assert_eq!(refused(&wide), OutOfBounds::Devices);
    // Sound of one byte, as another program would write it.
    let odd = [3, 0, 0, 0, 2, 1, 7];
    let error = DecodeError::OutOfBounds(OutOfBounds::Sound { found: 1 });
    assert_eq!(decoded(&odd, 7), (Vec::new(), Some(error)));
}

#[test]
fn a_length_is_refused_before_anything_is_kept_of_it() {
    let mut decoder = Decoder::new();
    let mut bytes: &[u8] = &[0xff, 0xff, 0xff, 0xff, 2, 0, 0];
    let error = decoder.push(&mut bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Long { kind: 2, .. }));
    assert!(decoder.held.capacity() < 64);
    // It stays refused.
    assert_eq!(decoder.push(&mut &[1, 0, 0, 0, 4][..]), Err(error));
}

#[test]
fn frames_of_nothing_of_no_kind_and_with_more_in_them_are_refused() {
    for (bytes, expected) in [
        (&[0, 0, 0, 0, 4][..], DecodeError::Empty),
        (&[1, 0, 0, 0, 7], DecodeError::Kind { found: 7 }),
        (&[2, 0, 0, 0, 4, 0], DecodeError::Contents { kind: 4 }),
        (&[1, 0, 0, 0, 3], DecodeError::Contents { kind: 3 }),
    ] {
        assert_eq!(decoded(bytes, 64), (Vec::new(), Some(expected)));
    }
}

#[test]
fn neither_side_shows_sound() {
    let sound = FromCapture::Sound(vec![77, 78]);
    assert_eq!(format!("{sound:?}"), "Sound(2 bytes)");
    let mut decoder = Decoder::new();
    let frame = encode(&sound).unwrap();
    assert_eq!(decoder.push(&mut &frame[..7]), Ok(None));
    assert!(!format!("{decoder:?}").contains("77"));
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_pieces_do_not_matter(bytes: Vec<u8>, size in 1usize..9) {
        prop_assert_eq!(decoded(&bytes, size), decoded(&bytes, bytes.len().max(1)));
    }
}
