use super::*;

fn check_extended(bytes: [u8; 10], expected: u64) {
    assert_eq!(extended(&bytes), expected, "{bytes:x?}");
}

#[test]
fn extended_numbers_are_read_as_rates() {
    check_extended([0x40, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0], 44_100);
    check_extended([0x40, 0x0C, 0xFA, 0, 0, 0, 0, 0, 0, 0], 16_000);
    check_extended([0x40, 0x0D, 0xAC, 0x44, 0x80, 0, 0, 0, 0, 0], 22_050);
    check_extended([0; 10], 0);
    check_extended([0xFF; 10], u64::MAX);
    check_extended([0x7F, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], u64::MAX);
    check_extended([0xC0, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0], u64::MAX);
    check_extended([0x3F, 0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0], 0);
}

fn format(tag: u16, channels: u16, block: u16, bits: u16) -> Vec<u8> {
    let mut chunk = Vec::new();
    for word in [tag, channels, 44_100, 0, 0, 0, block, bits] {
        chunk.extend(u16::to_le_bytes(word));
    }
    chunk
}

#[test]
fn samples_may_be_narrower_than_their_container() {
    for (block, bits, codec, bytes) in [
        (4, 12, id::CODEC_ID_PCM_S16LE, 4),
        (8, 24, id::CODEC_ID_PCM_S32LE, 8),
        (6, 20, id::CODEC_ID_PCM_S24LE, 6),
        // A block that cannot be is not believed.
        (0, 24, id::CODEC_ID_PCM_S24LE, 6),
        (1, 16, id::CODEC_ID_PCM_S16LE, 4),
        (5, 16, id::CODEC_ID_PCM_S16LE, 4),
    ] {
        let coding = wave_coding(&format(1, 2, block, bits)).expect("it is a format");
        assert_eq!((coding.codec, coding.block_bytes), (codec, bytes));
    }
}

#[test]
fn the_extensible_form_hides_the_real_tag() {
    let mut chunk = format(0xFFFE, 2, 8, 32);
    chunk.extend([22, 0, 32, 0, 3, 0, 0, 0]);
    chunk.extend([
        3, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71,
    ]);
    let coding = wave_coding(&chunk).expect("it is a format");
    assert_eq!(coding.codec, id::CODEC_ID_PCM_F32LE);
    assert!(matches!(
        wave_coding(&chunk[..20]),
        Err(SoundError::Malformed { .. })
    ));
}

#[test]
fn blocks_of_adpcm_hold_what_their_formats_say() {
    let ms = wave_coding(&format(2, 1, 256, 4)).expect("it is a format");
    assert_eq!((ms.block_bytes, ms.block_frames), (256, 500));
    let ima = wave_coding(&format(0x11, 2, 2048, 4)).expect("it is a format");
    assert_eq!((ima.block_bytes, ima.block_frames), (2048, 2041));
    for broken in [format(2, 1, 7, 4), format(0x11, 2, 3, 4)] {
        assert!(matches!(
            wave_coding(&broken),
            Err(SoundError::Malformed { .. })
        ));
    }
}

#[test]
fn a_chunk_is_told_from_samples() {
    let cases: [(&[u8], Option<u64>, bool); 6] = [
        (b"LIST\x04\0\0\0", None, true),
        (b"id3 \0\0\0\x04", Some(12), true),
        (b"LIST\xFF\0\0\0", Some(12), false),
        (b"LIST\x04", None, false),
        (b"\x01\0\xFE\xFF\0\0\x03\0", None, false),
        (b"", Some(0), false),
    ];
    for (bytes, room, expected) in cases {
        assert_eq!(is_chunk(bytes, room), expected, "{bytes:x?}");
    }
}

#[test]
fn a_long_file_states_its_length_in_a_chunk_of_its_own() {
    let mut bytes = b"RF64\xFF\xFF\xFF\xFFWAVEds64\x1C\0\0\0".to_vec();
    bytes.extend(92u64.to_le_bytes());
    bytes.extend(20u64.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(b"fmt \x10\0\0\0");
    bytes.extend(format(1, 1, 2, 16));
    bytes.extend(b"data\xFF\xFF\xFF\xFF");
    bytes.extend([1; 20]);
    let input = Input::stream(Box::new(std::io::Cursor::new(bytes)));
    let mut chunks = Chunks::wave(input).expect("it is a file");
    assert_eq!(chunks.declared, Some(10));
    assert_eq!(chunks.next_packet(0).expect("it reads"), Ok(vec![1; 20]));
    assert_eq!(
        chunks.next_packet(10).expect("it reads"),
        Err(Ending::Complete)
    );
}
