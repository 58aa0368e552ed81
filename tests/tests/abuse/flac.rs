//! The smallest file of the longest silence.

/// Samples of a frame: as many as 16 bits say.
const FRAME: u32 = 65_535;

/// Hours of silence at 16 kHz, in FLAC (RFC 9639) whose every frame is one constant.
pub(crate) fn silence(hours: u32) -> Vec<u8> {
    let frames = hours * 3600 * 16_000 / FRAME;
    let samples = u64::from(frames) * u64::from(FRAME);
    let mut file = b"fLaC".to_vec();
    // The last block of metadata, and the first: STREAMINFO, of 34 bytes (section 8.2).
    file.extend([0x80, 0, 0, 34]);
    for size in [FRAME, FRAME] {
        file.extend((size as u16).to_be_bytes());
    }
    file.extend([0; 6]);
    // 20 bits of rate, 3 of channels less one, 5 of bits less one, 36 of samples.
    let about = 16_000_u64 << 44 | 15 << 36 | samples;
    file.extend(about.to_be_bytes());
    file.extend([0; 16]);
    for number in 0..frames {
        file.extend(frame(number));
    }
    file
}

/// A frame (section 9).
fn frame(number: u32) -> Vec<u8> {
    // Blocks of one size, which stands at the end of the head; 16 kHz; mono; 16 bits.
    let mut frame = vec![0xff, 0xf8, 0x75, 0x08];
    frame.extend(coded(number));
    frame.extend(((FRAME - 1) as u16).to_be_bytes());
    frame.push(checksum8(&frame));
    // A subframe that is constant, and zero.
    frame.extend([0, 0, 0]);
    let checksum = checksum16(&frame);
    frame.extend(checksum.to_be_bytes());
    frame
}

/// The number of a frame, as UTF-8 has those of characters (section 9.1.5).
fn coded(number: u32) -> Vec<u8> {
    let low = |shift: u32| 0x80 | (number >> shift & 0x3f) as u8;
    match number {
        0..0x80 => vec![number as u8],
        0x80..0x800 => vec![0xc0 | (number >> 6) as u8, low(0)],
        _ => vec![0xe0 | (number >> 12) as u8, low(6), low(0)],
    }
}

fn checksum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum, _| match sum & 0x80 {
            0 => sum << 1,
            _ => sum << 1 ^ 0x07,
        })
    })
}

fn checksum16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| match sum & 0x8000 {
            0 => sum << 1,
            _ => sum << 1 ^ 0x8005,
        })
    })
}
