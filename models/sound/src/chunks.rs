//! The chunks of WAV and AIFF, up to the samples.
//!
//! These two containers are read here and not by symphonia, because what people want to know of
//! them is lost there: whether a length in the header is a lie, a file cut short, or the mark of a
//! program that wrote to a pipe and did not know the length. symphonia still decodes the samples.
//!
//! Formats: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0"
//! (RIFF, WAVE); EBU Tech 3306 (RF64); Apple, "Audio Interchange File Format" 1.3 and AIFF-C.

use std::io::{Seek, SeekFrom};

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as id;

use crate::demux::Ending;
use crate::error::{SoundError, check_channels, check_rate};
use crate::input::Input;

/// Chunks passed before the samples. Writers make a handful; a chunk costs a read.
const MAXIMUM_CHUNKS: usize = 1024;

/// The longest format chunk that is read; the longest that is defined has 50 bytes.
const MAXIMUM_FORMAT_BYTES: u32 = 4096;

/// Lengths from here on (2.1 GB) are what programs write that do not know the length: 0x7F000008
/// and 0x7FFFF000 (sox), 0x7FFFFFFF, 0x80000000 (arecord), 0xFFFFFFFF (ffmpeg).
const UNKNOWN_LENGTH: u64 = 0x7F00_0000;

/// Bytes behind the samples that are ignored if they are no chunk (old tags, padding). More than
/// that is taken for samples that the header does not count.
const TRAILING_BYTES: usize = 4096;

/// Frames read at a time.
const PACKET_FRAMES: u32 = 4096;

/// How the samples are coded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coding {
    pub(crate) codec: AudioCodecId,
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    /// The smallest unit: a frame of PCM, a block of ADPCM.
    pub(crate) block_bytes: u32,
    pub(crate) block_frames: u32,
}

impl Coding {
    /// Frames in the largest packet.
    pub(crate) fn packet_frames(&self) -> u32 {
        (PACKET_FRAMES / self.block_frames).max(1) * self.block_frames
    }
}

/// The samples of a WAV or AIFF file.
pub(crate) struct Chunks {
    input: Input,
    pub(crate) coding: Coding,
    /// Frames that the header promises, where it does.
    pub(crate) declared: Option<u64>,
    /// Bytes to the end of the sample chunk.
    left: u64,
    /// The chunk's length is a writer's "unknown", so the end of the input is the end.
    open_ended: bool,
    /// The chunk does not fit in the file that its own header describes.
    contradictory: bool,
    /// Samples go on behind the chunk's end.
    beyond: bool,
}

impl Chunks {
    pub(crate) fn wave(mut input: Input) -> Result<Chunks, SoundError> {
        let mut header = [0; 12];
        exact(&mut input, &mut header)?;
        let riff_bytes = u64::from(little(&header[4..8]));
        let mut coding = None;
        let mut long_bytes = None;
        for _ in 0..MAXIMUM_CHUNKS {
            let mut head = [0; 8];
            exact(&mut input, &mut head)?;
            let bytes = little(&head[4..]);
            match &head[..4] {
                b"fmt " => coding = Some(wave_coding(&format_chunk(&mut input, bytes, "WAV")?)?),
                b"ds64" => {
                    let chunk = format_chunk(&mut input, bytes, "WAV")?;
                    long_bytes = chunk
                        .get(8..16)
                        .and_then(|b| b.try_into().ok())
                        .map(u64::from_le_bytes);
                }
                b"data" => {
                    let Some(coding) = coding else {
                        return Err(malformed("WAV", "expected a format before the samples"));
                    };
                    let bytes = match long_bytes {
                        Some(long) if bytes == u32::MAX => long,
                        _ => u64::from(bytes),
                    };
                    let known = long_bytes.is_some();
                    return Chunks::start(input, coding, bytes, riff_bytes, known);
                }
                _ => skip(&mut input, bytes)?,
            }
        }
        Err(malformed("WAV", "expected samples, found only chunks"))
    }

    pub(crate) fn aiff(mut input: Input) -> Result<Chunks, SoundError> {
        let mut header = [0; 12];
        exact(&mut input, &mut header)?;
        let form_bytes = u64::from(big(&header[4..8]));
        let compressed = header[8..] == *b"AIFC";
        let mut common = None;
        let mut samples = None;
        for _ in 0..MAXIMUM_CHUNKS {
            let mut head = [0; 8];
            exact(&mut input, &mut head)?;
            let bytes = big(&head[4..]);
            match &head[..4] {
                b"COMM" => {
                    let chunk = format_chunk(&mut input, bytes, "AIFF")?;
                    common = Some(aiff_coding(&chunk, compressed)?);
                }
                b"SSND" => {
                    samples = Some(sound_chunk(&mut input, bytes)?);
                    // The format may stand behind the samples; only what can seek gets there.
                    if common.is_none() && input.can_seek() {
                        let (start, length) = samples.unwrap_or_default();
                        seek(&mut input, start + length + (length & 1))?;
                    }
                }
                _ => skip(&mut input, bytes)?,
            }
            match (common, samples) {
                (Some((coding, frames)), Some((start, length))) => {
                    if input.position() != start {
                        seek(&mut input, start)?;
                    }
                    let mut chunks = Chunks::start(input, coding, length, form_bytes, false)?;
                    chunks.compare(u64::from(frames));
                    return Ok(chunks);
                }
                (None, Some(_)) if !input.can_seek() => {
                    return Err(SoundError::NotStreamable { format: "AIFF" });
                }
                _ => {}
            }
        }
        Err(malformed("AIFF", "expected samples, found only chunks"))
    }

    /// `bytes` is the sample chunk's length, `whole` that of the file less 8, both as declared;
    /// `known` tells that a large length is meant as it stands.
    fn start(
        mut input: Input,
        coding: Coding,
        bytes: u64,
        whole: u64,
        known: bool,
    ) -> Result<Chunks, SoundError> {
        let start = input.position();
        let mut open_ended = !known && bytes >= UNKNOWN_LENGTH;
        if bytes == 0 {
            let next = input.peek(8).map_err(SoundError::Read)?;
            open_ended = !next.is_empty() && !is_chunk(&next, None);
        }
        let left = if bytes == 0 || bytes == u64::from(u32::MAX) {
            if open_ended { u64::MAX } else { bytes }
        } else {
            bytes
        };
        let blocks = bytes / u64::from(coding.block_bytes);
        Ok(Chunks {
            input,
            coding,
            declared: (!open_ended).then(|| blocks.saturating_mul(u64::from(coding.block_frames))),
            left,
            open_ended,
            contradictory: !open_ended
                && (1..UNKNOWN_LENGTH).contains(&whole)
                && start.saturating_add(bytes) > whole + 8 + 1,
            beyond: false,
        })
    }

    /// Takes the other length of an AIFF header into account: the frames in its common chunk.
    fn compare(&mut self, frames: u64) {
        let unknown =
            frames == 0 || frames.saturating_mul(self.coding.block_bytes.into()) >= UNKNOWN_LENGTH;
        if !unknown && self.declared.is_some_and(|declared| declared != frames) {
            self.declared = Some(frames);
            self.contradictory = true;
        }
    }

    /// The next whole blocks, or how the samples ended; `decoded` counts the frames so far.
    pub(crate) fn next_packet(
        &mut self,
        decoded: u64,
    ) -> Result<Result<Vec<u8>, Ending>, SoundError> {
        if self.left == 0 && !self.open_ended && !self.beyond {
            if !self.continues()? {
                let lies = self.contradictory && self.declared != Some(decoded);
                return Ok(Err(if lies { Ending::Lie } else { Ending::Complete }));
            }
            self.beyond = true;
            self.left = u64::MAX;
        }
        let block = self.coding.block_bytes as usize;
        let blocks = (self.coding.packet_frames() / self.coding.block_frames) as usize;
        let want = usize::try_from(self.left).map_or(block * blocks, |l| l.min(block * blocks));
        let mut bytes = vec![0; want];
        let filled = self.input.fill(&mut bytes).map_err(SoundError::Read)?;
        self.left -= filled as u64;
        bytes.truncate(filled - filled % block);
        if !bytes.is_empty() {
            return Ok(Ok(bytes));
        }
        Ok(Err(match (self.beyond, self.open_ended) {
            (true, _) => Ending::Lie,
            (_, true) => Ending::Complete,
            // A last piece of a block, and the chunk's end behind it.
            _ if self.left == 0 => return self.next_packet(decoded),
            _ if self.contradictory => Ending::Lie,
            _ => Ending::Short,
        }))
    }

    /// Whether samples go on behind the end of their chunk.
    fn continues(&mut self) -> Result<bool, SoundError> {
        let room = self
            .input
            .length()
            .map(|l| l.saturating_sub(self.input.position()));
        let next = self.input.peek(TRAILING_BYTES).map_err(SoundError::Read)?;
        // A chunk of odd length is followed by a byte of padding, which some writers leave out.
        let chunk = is_chunk(&next, room) || is_chunk(next.get(1..).unwrap_or_default(), room);
        Ok(next.len() == TRAILING_BYTES && !chunk)
    }
}

fn malformed(format: &'static str, reason: &str) -> SoundError {
    SoundError::Malformed {
        format,
        reason: reason.to_owned(),
    }
}

/// A file that ends inside its header.
fn cut() -> SoundError {
    SoundError::Truncated {
        declared: None,
        decoded: 0,
    }
}

fn exact(input: &mut Input, buffer: &mut [u8]) -> Result<(), SoundError> {
    let filled = input.fill(buffer).map_err(SoundError::Read)?;
    if filled == buffer.len() {
        Ok(())
    } else {
        Err(cut())
    }
}

fn seek(input: &mut Input, to: u64) -> Result<(), SoundError> {
    input.seek(SeekFrom::Start(to)).map_err(SoundError::Read)?;
    Ok(())
}

/// Passes over a chunk's contents and padding.
fn skip(input: &mut Input, bytes: u32) -> Result<(), SoundError> {
    let padded = u64::from(bytes) + u64::from(bytes & 1);
    if input.skip(padded).map_err(SoundError::Read)? {
        Ok(())
    } else {
        Err(cut())
    }
}

/// Reads a small chunk whole.
fn format_chunk(
    input: &mut Input,
    bytes: u32,
    format: &'static str,
) -> Result<Vec<u8>, SoundError> {
    if bytes > MAXIMUM_FORMAT_BYTES {
        return Err(SoundError::Malformed {
            format,
            reason: format!(
                "format chunk of {bytes} bytes, expected {MAXIMUM_FORMAT_BYTES} at most"
            ),
        });
    }
    let mut chunk = vec![0; bytes as usize];
    exact(input, &mut chunk)?;
    skip(input, bytes & 1).map(|()| chunk)
}

/// Reads the head of AIFF's sample chunk: where the samples start, and how many bytes they have.
fn sound_chunk(input: &mut Input, bytes: u32) -> Result<(u64, u64), SoundError> {
    let mut head = [0; 8];
    exact(input, &mut head)?;
    let offset = big(&head[..4]);
    // A length of 0 is what a program writes that does not know it.
    let length = match bytes {
        0 => 0,
        _ => u64::from(bytes)
            .checked_sub(8 + u64::from(offset))
            .ok_or_else(|| malformed("AIFF", "the samples start behind their own end"))?,
    };
    if !input.skip(u64::from(offset)).map_err(SoundError::Read)? {
        return Err(cut());
    }
    Ok((input.position(), length))
}

/// Whether a chunk's head stands at the start of `bytes`, with `room` bytes in the file from here.
fn is_chunk(bytes: &[u8], room: Option<u64>) -> bool {
    let (Some(kind), Some(length)) = (bytes.get(..4), bytes.get(4..8)) else {
        return false;
    };
    let named = kind
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || *b == b' ' || *b == b'_');
    let fits = room.is_none_or(|room| {
        u64::from(little(length)).min(u64::from(big(length))) <= room.saturating_sub(8)
    });
    named && fits
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |n, &b| n << 8 | u32::from(b))
}

fn big(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, &b| n << 8 | u32::from(b))
}

/// Reads WAVE's format chunk.
fn wave_coding(chunk: &[u8]) -> Result<Coding, SoundError> {
    let Some(base) = chunk.get(..16) else {
        return Err(malformed("WAV", "format chunk of less than 16 bytes"));
    };
    let (channels, rate) = (little(&base[2..4]), little(&base[4..8]));
    let (block, bits) = (little(&base[12..14]), little(&base[14..16]));
    check_channels(channels)?;
    check_rate(rate)?;
    let tag = match little(&base[..2]) {
        // The extensible form: the real tag leads a GUID.
        0xFFFE => match chunk.get(24..26) {
            Some(tag) => little(tag),
            None => return Err(malformed("WAV", "extensible format of less than 40 bytes")),
        },
        tag => tag,
    };
    // A sample may stand in a wider container, at its upper end; the block tells how wide.
    let wide = match block {
        0 => bits.div_ceil(8),
        block if block % channels == 0 && block / channels * 8 >= bits => block / channels,
        _ => bits.div_ceil(8),
    };
    let (codec, block_bytes, block_frames) = match (tag, wide) {
        (1, 1) => (id::CODEC_ID_PCM_U8, channels, 1),
        (1, 2) => (id::CODEC_ID_PCM_S16LE, 2 * channels, 1),
        (1, 3) => (id::CODEC_ID_PCM_S24LE, 3 * channels, 1),
        (1, 4) => (id::CODEC_ID_PCM_S32LE, 4 * channels, 1),
        (3, 4) => (id::CODEC_ID_PCM_F32LE, 4 * channels, 1),
        (3, 8) => (id::CODEC_ID_PCM_F64LE, 8 * channels, 1),
        (6, _) => (id::CODEC_ID_PCM_ALAW, channels, 1),
        (7, _) => (id::CODEC_ID_PCM_MULAW, channels, 1),
        (2, _) => (
            id::CODEC_ID_ADPCM_MS,
            block,
            adpcm_frames(block, channels, 7, 2)?,
        ),
        (0x11, _) => (
            id::CODEC_ID_ADPCM_IMA_WAV,
            block,
            adpcm_frames(block, channels, 4, 1)?,
        ),
        (tag @ (1 | 3), _) => {
            let kind = if tag == 1 {
                "integers"
            } else {
                "floating point"
            };
            return Err(unsupported("WAV", format!("PCM in {bits}-bit {kind}")));
        }
        (0x50, _) => return Err(unsupported("WAV", "MPEG layer I or II".to_owned())),
        (0x55, _) => return Err(unsupported("WAV", "MP3".to_owned())),
        (tag, _) => return Err(unsupported("WAV", format!("number {tag:#06x}"))),
    };
    Ok(Coding {
        codec,
        rate,
        channels,
        block_bytes,
        block_frames,
    })
}

/// The frames in a block of 4-bit ADPCM with a header of `header` bytes for each channel, which
/// itself holds `first` frames.
fn adpcm_frames(block: u32, channels: u32, header: u32, first: u32) -> Result<u32, SoundError> {
    if channels > 2 {
        return Err(unsupported("WAV", format!("ADPCM in {channels} channels")));
    }
    match block.checked_sub(header * channels) {
        Some(nibbles) if nibbles > 0 => Ok(nibbles * 2 / channels + first),
        _ => Err(malformed("WAV", "ADPCM block shorter than its own header")),
    }
}

/// Reads AIFF's common chunk: the coding and the number of frames.
fn aiff_coding(chunk: &[u8], compressed: bool) -> Result<(Coding, u32), SoundError> {
    let (Some(base), true) = (chunk.get(..18), !compressed || chunk.len() >= 22) else {
        return Err(malformed("AIFF", "common chunk too short"));
    };
    let (channels, frames) = (big(&base[..2]), big(&base[2..6]));
    let bits = big(&base[6..8]);
    check_channels(channels)?;
    let rate = extended(&base[8..18]);
    let rate = u32::try_from(rate).map_err(|_| SoundError::SampleRate { found: rate })?;
    check_rate(rate)?;
    let compression = chunk
        .get(18..22)
        .filter(|_| compressed)
        .unwrap_or(b"NONE")
        .to_ascii_uppercase();
    let (codec, bytes) = match (&compression[..], bits.div_ceil(8)) {
        (b"NONE" | b"TWOS", 1) => (id::CODEC_ID_PCM_S8, 1),
        (b"NONE" | b"TWOS", 2) => (id::CODEC_ID_PCM_S16BE, 2),
        (b"NONE" | b"IN24", 3) => (id::CODEC_ID_PCM_S24BE, 3),
        (b"NONE" | b"IN32", 4) => (id::CODEC_ID_PCM_S32BE, 4),
        (b"SOWT", 1) => (id::CODEC_ID_PCM_S8, 1),
        (b"SOWT", 2) => (id::CODEC_ID_PCM_S16LE, 2),
        (b"SOWT", 3) => (id::CODEC_ID_PCM_S24LE, 3),
        (b"SOWT" | b"23NI", 4) => (id::CODEC_ID_PCM_S32LE, 4),
        (b"RAW ", 1) => (id::CODEC_ID_PCM_U8, 1),
        (b"FL32", _) => (id::CODEC_ID_PCM_F32BE, 4),
        (b"FL64", _) => (id::CODEC_ID_PCM_F64BE, 8),
        (b"ALAW", _) => (id::CODEC_ID_PCM_ALAW, 1),
        (b"ULAW", _) => (id::CODEC_ID_PCM_MULAW, 1),
        (other, _) => {
            let name = String::from_utf8_lossy(other).escape_debug().to_string();
            return Err(unsupported("AIFF", format!("{name} in {bits} bits")));
        }
    };
    let coding = Coding {
        codec,
        rate,
        channels,
        block_bytes: bytes * channels,
        block_frames: 1,
    };
    Ok((coding, frames))
}

fn unsupported(format: &'static str, codec: String) -> SoundError {
    SoundError::UnsupportedCodec { format, codec }
}

/// An 80-bit extended number (IEEE 754's, sign and exponent in 2 bytes, 8 bytes of mantissa with
/// its leading bit), rounded down; what is no such number becomes 0 or the greatest one.
fn extended(bytes: &[u8]) -> u64 {
    let exponent = i32::try_from(big(&bytes[..2])).unwrap_or(0) - 16_383;
    let mantissa = bytes[2..10]
        .iter()
        .fold(0u64, |n, &b| n << 8 | u64::from(b));
    match exponent {
        0..=63 => mantissa >> (63 - exponent),
        // A negative sign makes the exponent large as well, and a negative rate is as absurd.
        64.. => u64::MAX,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
