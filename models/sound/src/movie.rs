//! What must be known of an MP4 file before its reader is trusted with it: whether it is whole,
//! and how much of its start is the encoder's run-in.
//!
//! Boxes are those of ISO/IEC 14496-12 (section 4.2): a size of 32 bits, a type, and for size 1 a
//! size of 64 bits. Only files that can seek are looked at.

use std::io::{self, Seek, SeekFrom};

use crate::error::SoundError;
use crate::input::Input;

/// Boxes looked at in one box, and at the top: fragmented files have two for each fragment, and
/// the index must come before the first of them or after the last.
const MAXIMUM_BOXES: usize = 65_536;

/// The longest run-in that is believed: encoders prime with 1,024 to 2,624 frames.
const MAXIMUM_RUN_IN: u64 = 8192;

#[derive(Clone, Copy, Debug)]
struct Atom {
    kind: [u8; 4],
    /// Where the contents start and end.
    start: u64,
    end: u64,
}

/// What is known of a file before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Movie {
    /// Frames before the first that is meant to be heard (the first audio track's edit list,
    /// 8.6.6).
    pub(crate) run_in: u64,
    /// The last box reaches beyond the end of the file. symphonia passes such a box over unless it
    /// reads forward only.
    pub(crate) cut: bool,
}

/// Checks that the index is there, and leaves the input at its start.
pub(crate) fn examine(input: &mut Input) -> Result<Movie, SoundError> {
    let Some(length) = input.length() else {
        return Ok(Movie::default());
    };
    let result = find_index(input, length);
    input.seek(SeekFrom::Start(0)).map_err(SoundError::Read)?;
    result
}

fn find_index(input: &mut Input, length: u64) -> Result<Movie, SoundError> {
    let top = boxes(input, 0, length).map_err(SoundError::Read)?;
    let whole = top.last().is_none_or(|last| last.end <= length);
    let movie = top
        .iter()
        .find(|b| b.kind == *b"moov" && b.end <= length)
        .copied();
    match movie {
        Some(movie) => Ok(Movie {
            run_in: audio_run_in(input, movie)
                .map_err(SoundError::Read)?
                .unwrap_or(0),
            cut: !whole,
        }),
        None if !whole => Err(SoundError::Truncated {
            declared: None,
            decoded: 0,
        }),
        None => Err(SoundError::Malformed {
            format: "M4A",
            reason: "expected an index (moov), found none".to_owned(),
        }),
    }
}

fn audio_run_in(input: &mut Input, movie: Atom) -> io::Result<Option<u64>> {
    for track in boxes(input, movie.start, movie.end)? {
        if track.kind != *b"trak" {
            continue;
        }
        let inside = boxes(input, track.start, track.end)?;
        let Some(media) = inside.iter().find(|b| b.kind == *b"mdia") else {
            continue;
        };
        let media = boxes(input, media.start, media.end)?;
        // The handler's type stands after version, flags and four bytes of zero.
        let handler = match media.iter().find(|b| b.kind == *b"hdlr") {
            Some(handler) => contents(input, *handler, 12)?,
            None => continue,
        };
        if handler.get(8..12) != Some(b"soun") {
            continue;
        }
        let Some(edits) = inside.iter().find(|b| b.kind == *b"edts") else {
            return Ok(None);
        };
        let list = boxes(input, edits.start, edits.end)?;
        return match list.iter().find(|b| b.kind == *b"elst") {
            Some(list) => Ok(first_edit(&contents(input, *list, 28)?)),
            None => Ok(None),
        };
    }
    Ok(None)
}

/// The media time of the only entry of an edit list, in the track's time scale, which for sound
/// is its sample rate.
fn first_edit(list: &[u8]) -> Option<u64> {
    let count = u32::from_be_bytes(list.get(4..8)?.try_into().ok()?);
    let time = match list.first()? {
        0 => i64::from(i32::from_be_bytes(list.get(12..16)?.try_into().ok()?)),
        _ => i64::from_be_bytes(list.get(16..24)?.try_into().ok()?),
    };
    u64::try_from(time)
        .ok()
        .filter(|&time| count == 1 && time <= MAXIMUM_RUN_IN)
}

fn contents(input: &mut Input, of: Atom, most: usize) -> io::Result<Vec<u8>> {
    input.seek(SeekFrom::Start(of.start))?;
    let length = usize::try_from(of.end - of.start).map_or(most, |length| length.min(most));
    let mut bytes = vec![0; length];
    let filled = input.fill(&mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// The boxes between two positions. One that breaks the format ends the list; the last may reach
/// beyond `end`.
fn boxes(input: &mut Input, start: u64, end: u64) -> io::Result<Vec<Atom>> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end && found.len() < MAXIMUM_BOXES {
        input.seek(SeekFrom::Start(at))?;
        let mut header = [0; 16];
        let filled = input.fill(&mut header)?;
        if filled < 8 {
            break;
        }
        let [a, b, c, d, kind @ .., _, _, _, _, _, _, _, _] = header;
        let (head, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, end - at),
            1 if filled == 16 => {
                let [_, _, _, _, _, _, _, _, long @ ..] = header;
                (16, u64::from_be_bytes(long))
            }
            size => (8, u64::from(size)),
        };
        let Some(next) = at.checked_add(size).filter(|_| size >= head) else {
            break;
        };
        found.push(Atom {
            kind,
            start: at + head,
            end: next,
        });
        at = next;
    }
    Ok(found)
}
