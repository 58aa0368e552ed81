//! Which format a file is, told by its first bytes alone.
//!
//! Names and extensions lie, and a prober that scans for a marker anywhere finds an MP3 frame in
//! any large text. So the format must show at the start (an ID3 tag before it is passed over), and
//! an MP3 must show two frames in a row.

use std::io;

use crate::error::{SoundError, check_channels, check_rate};
use crate::input::Input;

/// Bytes looked at: two of the longest MP3 frames (1,441 bytes) and some junk before them.
const HEAD_BYTES: usize = 4096;

/// ID3 tags passed over before the sound. Files with two exist; more would be an attack.
const MAXIMUM_TAGS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Wave,
    Aiff,
    Flac,
    Mp3,
    Ogg,
    Mp4,
    Adts,
}

impl Container {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Container::Wave => "WAV",
            Container::Aiff => "AIFF",
            Container::Flac => "FLAC",
            Container::Mp3 => "MP3",
            Container::Ogg => "Ogg",
            Container::Mp4 => "M4A",
            Container::Adts => "AAC",
        }
    }

    /// Tells the format and leaves `input` at its first byte.
    pub(crate) fn detect(input: &mut Input) -> Result<Container, SoundError> {
        let mut head = input.peek(HEAD_BYTES).map_err(SoundError::Read)?;
        if head.is_empty() {
            return Err(SoundError::Empty);
        }
        for _ in 0..MAXIMUM_TAGS {
            let Some(length) = id3_length(&head) else {
                break;
            };
            skip_tag(input, length)?;
            head = input.peek(HEAD_BYTES).map_err(SoundError::Read)?;
        }
        let container = sniff(&head)?;
        check_head(container, &head)?;
        Ok(container)
    }
}

fn skip_tag(input: &mut Input, length: u64) -> Result<(), SoundError> {
    let whole = input.skip(length).map_err(SoundError::Read)?;
    input.start_here();
    if whole {
        Ok(())
    } else {
        Err(SoundError::Truncated {
            declared: None,
            decoded: 0,
        })
    }
}

/// The length of an ID3v2 tag at the start, header and footer included (id3.org, ID3v2.4 section
/// 3.1: a size of four 7-bit bytes).
fn id3_length(head: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', version, _, flags, a, b, c, d, ..] = head else {
        return None;
    };
    if version == 0xFF || (a | b | c | d) & 0x80 != 0 {
        return None;
    }
    let size = [a, b, c, d]
        .iter()
        .fold(0, |size, &byte| size << 7 | u64::from(byte));
    let footer = if flags & 0x10 != 0 { 10 } else { 0 };
    Some(10 + size + footer)
}

fn sniff(head: &[u8]) -> Result<Container, SoundError> {
    let form = head.get(8..12).unwrap_or_default();
    match head {
        [b'R', b'I', b'F', b'F', ..] | [b'R', b'F', b'6', b'4', ..] if form == b"WAVE" => {
            Ok(Container::Wave)
        }
        [b'F', b'O', b'R', b'M', ..] if form == b"AIFF" || form == b"AIFC" => Ok(Container::Aiff),
        [b'f', b'L', b'a', b'C', ..] => Ok(Container::Flac),
        [b'O', b'g', b'g', b'S', ..] => Ok(Container::Ogg),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Container::Mp4),
        _ if is_adts(head) => Ok(Container::Adts),
        _ => match mpeg_layer(head) {
            Some(3) => Ok(Container::Mp3),
            Some(_) => Err(SoundError::UnsupportedCodec {
                format: "MPEG audio",
                codec: "MPEG layer I or II".to_owned(),
            }),
            None => Err(unknown(head)),
        },
    }
}

/// The error for bytes that are no format read here.
fn unknown(head: &[u8]) -> SoundError {
    let format = match head {
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("Matroska or WebM"),
        [b'c', b'a', b'f', b'f', ..] => Some("CAF"),
        [b'w', b'v', b'p', b'k', ..] => Some("WavPack"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("AMR"),
        [b'.', b's', b'n', b'd', ..] => Some("AU"),
        [0x30, 0x26, 0xB2, 0x75, ..] => Some("WMA"),
        [b'R', b'I', b'F', b'X', ..] => Some("big-endian WAV"),
        _ => None,
    };
    match format {
        Some(format) => SoundError::UnsupportedFormat { format },
        None => SoundError::NotSound {
            looks_like: looks_like(head),
        },
    }
}

fn looks_like(head: &[u8]) -> &'static str {
    match head {
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [0x1F, 0x8B, ..] => "a gzip archive",
        [0x89, b'P', b'N', b'G', ..] | [0xFF, 0xD8, 0xFF, ..] | [b'G', b'I', b'F', b'8', ..] => {
            "a picture"
        }
        [0x7F, b'E', b'L', b'F', ..] => "a program",
        _ if is_text(head) => "text",
        _ if head.iter().all(|&byte| byte == 0) => "nothing but zeros",
        _ => "no format that is known here",
    }
}

/// Whether all bytes are UTF-8 (but for a character cut at the end) without control characters.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars()
        .all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0C' | '\x1B'))
}

/// Whether an ADTS header (ISO/IEC 13818-7, 6.2) stands at the start and another where its frame
/// ends.
fn is_adts(head: &[u8]) -> bool {
    let frame = |at: usize| -> Option<usize> {
        let &[0xFF, b, c, d, e, f, ..] = head.get(at..)? else {
            return None;
        };
        let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f) >> 5;
        (b & 0xF6 == 0xF0 && c >> 2 & 15 < 13 && length >= 7).then_some(length)
    };
    frame(0).is_some_and(|length| length == head.len() || frame(length).is_some())
}

/// The layer (1 to 3) of MPEG audio in `head`: two frame headers of one kind, the second where the
/// first one's frame ends (or the one frame that there is).
fn mpeg_layer(head: &[u8]) -> Option<u8> {
    // A frame near the end of the head cannot show its successor, so it does not count, unless
    // the file itself ends there.
    (0..head.len().saturating_sub(3)).find_map(|at| {
        let (layer, length) = mpeg_frame(&head[at..])?;
        match head.get(at + length..) {
            Some([]) => (at == 0).then_some(layer),
            Some(next) => (mpeg_frame(next)?.0 == layer).then_some(layer),
            None => None,
        }
    })
}

/// The layer and length in bytes of the MPEG audio frame at the start (ISO/IEC 11172-3, 2.4.1.3).
fn mpeg_frame(bytes: &[u8]) -> Option<(u8, usize)> {
    const V1_LAYER3: [usize; 15] = [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const V2_LAYER3: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const V1_LAYER2: [usize; 15] = [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ];
    const V1_LAYER1: [usize; 15] = [
        0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ];
    const V2_LAYER1: [usize; 15] = [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ];
    let &[0xFF, b, c, _, ..] = bytes else {
        return None;
    };
    let (version, layer) = (b >> 3 & 3, 4 - (b >> 1 & 3));
    if b & 0xE0 != 0xE0 || version == 1 || layer == 4 {
        return None;
    }
    let rate = *[44_100, 48_000, 32_000].get(usize::from(c >> 2 & 3))?;
    let rate = rate >> [2, 0, 1, 0][usize::from(version)];
    let first = version == 3;
    let rates = match (first, layer) {
        (true, 3) => &V1_LAYER3,
        (true, 2) => &V1_LAYER2,
        (true, _) => &V1_LAYER1,
        (false, 1) => &V2_LAYER1,
        (false, _) => &V2_LAYER3,
    };
    let bits = 1000 * *rates.get(usize::from(c >> 4)).filter(|&&kbits| kbits > 0)?;
    let padding = usize::from(c >> 1 & 1);
    let length = match (layer, first) {
        (1, _) => (12 * bits / rate + padding) * 4,
        (3, false) => 72 * bits / rate + padding,
        _ => 144 * bits / rate + padding,
    };
    Some((layer, length))
}

/// Checks rates and channel counts that stand at fixed places, so that an absurd one is named
/// rather than called a broken header.
fn check_head(container: Container, head: &[u8]) -> Result<(), SoundError> {
    match container {
        // STREAMINFO (RFC 9639, 8.2): 20 bits of rate, 3 bits of channels less one.
        Container::Flac if head.get(4).is_some_and(|kind| kind & 0x7F == 0) => {
            if let Some(&[a, b, c]) = head.get(18..21) {
                check_rate(u32::from(a) << 12 | u32::from(b) << 4 | u32::from(c) >> 4)?;
            }
        }
        // The identification header (Vorbis I, 4.2.2) in the first page of one segment.
        Container::Ogg if head.get(28..35) == Some(b"\x01vorbis") => {
            if let Some(&[channels, a, b, c, d]) = head.get(39..44) {
                check_channels(u32::from(channels))?;
                check_rate(u32::from_le_bytes([a, b, c, d]))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The length of the metadata before FLAC's first frame, where the input can seek; the input is
/// left where it was.
pub(crate) fn flac_metadata_length(input: &mut Input) -> io::Result<Option<u64>> {
    use std::io::{Seek, SeekFrom};
    // RFC 9639 has seven kinds of blocks and files hold a handful; pictures may repeat.
    const MAXIMUM_BLOCKS: usize = 1024;
    if !input.can_seek() {
        return Ok(None);
    }
    let start = input.position();
    let mut found = None;
    let mut header = [0; 4];
    if input.skip(4)? {
        for _ in 0..MAXIMUM_BLOCKS {
            if input.fill(&mut header)? < 4 {
                break;
            }
            let [kind, a, b, c] = header;
            if !input.skip(u64::from(u32::from_be_bytes([0, a, b, c])))? {
                break;
            }
            if kind & 0x80 != 0 {
                found = Some(input.position() - start);
                break;
            }
        }
    }
    input.seek(SeekFrom::Start(start))?;
    Ok(found)
}
