//! What the capturing process writes: frames of a length of four bytes, little endian, and a
//! message in postcard.
//!
//! The daemon treats all of it as hostile: a frame's first byte says how long it may be, and
//! nothing longer is kept; a message is held to its bounds before anybody sees it.

use std::fmt;

use earnest_printable::is_printable;
use serde::{Deserialize, Serialize};

use crate::{Device, Loss, MAX_DEVICES, MAX_NAME_BYTES};

/// The version of what is written here. Both sides are one program, so nothing else will do.
pub const VERSION: u16 = 1;

/// The lowest rate of sound, in samples a second: a telephone's.
pub const MIN_RATE: u32 = 8_000;

/// The highest rate of sound, in samples a second: a studio's.
pub const MAX_RATE: u32 = 192_000;

/// Most rates that are told of one device: the usual ones from [`MIN_RATE`] to [`MAX_RATE`].
pub const MAX_RATES: usize = 16;

/// Most channels of a device that is of use.
pub const MAX_CHANNELS: u16 = 8;

/// Most bytes of one piece of sound: a tenth of a second at the highest rate, of two bytes a
/// sample.
pub const MAX_SOUND_BYTES: usize = MAX_RATE as usize / 10 * 2;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Most bytes of a message that is a kind and a few numbers of ten bytes at most.
const SMALL: usize = 32;

/// Most bytes of one device: two texts, its rates, its channels, and their lengths.
const MAX_DEVICE_BYTES: usize = 2 * MAX_NAME_BYTES + MAX_RATES * 5 + MAX_CHANNELS as usize * 3 + 16;

/// What the capturing process says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCapture {
    /// The first message, before the sound library is asked anything.
    Hello {
        /// The child's [`VERSION`].
        version: u16,
    },
    /// The device is open. Once, before any sound.
    Opened {
        /// Its name.
        device: String,
        /// Samples a second.
        rate: u32,
    },
    /// Sound: mono, 16 bits a sample, little endian.
    Sound(Vec<u8>),
    /// Sound was lost here.
    Overrun {
        /// Frames, as far as is known.
        frames: u64,
    },
    /// Nothing, but the child is alive.
    Alive,
    /// The device could not be opened, or is gone. The last message.
    Lost(Loss),
    /// The devices that there are, where that was the question. The last message.
    Devices(Vec<Device>),
}

/// Without the sound.
impl fmt::Debug for FromCapture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FromCapture::Hello { version } => write!(formatter, "Hello({version})"),
            FromCapture::Opened { device, rate } => {
                write!(formatter, "Opened({device:?}, {rate} Hz)")
            }
            FromCapture::Sound(pcm) => write!(formatter, "Sound({} bytes)", pcm.len()),
            FromCapture::Overrun { frames } => write!(formatter, "Overrun({frames})"),
            FromCapture::Alive => formatter.write_str("Alive"),
            FromCapture::Lost(why) => write!(formatter, "Lost({why:?})"),
            FromCapture::Devices(devices) => write!(formatter, "Devices({})", devices.len()),
        }
    }
}

impl FromCapture {
    /// Most bytes of a message whose first byte is `kind`; none if there is no such kind.
    fn most_bytes(kind: u8) -> Option<usize> {
        match kind {
            0 | 3..=5 => Some(SMALL),
            1 => Some(MAX_NAME_BYTES + SMALL),
            2 => Some(MAX_SOUND_BYTES + SMALL),
            6 => Some(MAX_DEVICES * MAX_DEVICE_BYTES + SMALL),
            _ => None,
        }
    }

    /// Holds what the message carries to its bounds.
    fn check(&self) -> Result<(), OutOfBounds> {
        match self {
            FromCapture::Hello { .. } | FromCapture::Alive | FromCapture::Lost(_) => Ok(()),
            FromCapture::Overrun { .. } => Ok(()),
            FromCapture::Opened { device, rate } => {
                check_name(device)?;
                check_rate(*rate)
            }
            FromCapture::Sound(pcm) => match pcm.len() {
                0 => Err(OutOfBounds::Sound { found: 0 }),
                found if found % 2 == 1 || found > MAX_SOUND_BYTES => {
                    Err(OutOfBounds::Sound { found })
                }
                _ => Ok(()),
            },
            FromCapture::Devices(devices) => {
                if devices.len() > MAX_DEVICES {
                    return Err(OutOfBounds::Devices);
                }
                devices.iter().try_for_each(check_device)
            }
        }
    }
}

/// What a message carries beyond its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// A name of no characters, of too many, or of some that cannot be printed.
    #[error("a name that is empty, too long or unprintable")]
    Name,
    /// A rate outside of [`MIN_RATE`] to [`MAX_RATE`].
    #[error("a rate of {found} Hz")]
    Rate {
        /// The rate.
        found: u32,
    },
    /// Sound of no samples, of half a sample, or of too many.
    #[error("{found} bytes of sound")]
    Sound {
        /// Its bytes.
        found: usize,
    },
    /// More devices, rates or channels than are told.
    #[error("too many devices, rates or channels")]
    Devices,
}

fn check_name(name: &str) -> Result<(), OutOfBounds> {
    let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
    match fits && name.chars().all(is_printable) {
        true => Ok(()),
        false => Err(OutOfBounds::Name),
    }
}

fn check_rate(found: u32) -> Result<(), OutOfBounds> {
    match (MIN_RATE..=MAX_RATE).contains(&found) {
        true => Ok(()),
        false => Err(OutOfBounds::Rate { found }),
    }
}

fn check_device(device: &Device) -> Result<(), OutOfBounds> {
    check_name(&device.name)?;
    if !device.description.is_empty() {
        check_name(&device.description)?;
    }
    if device.rates.len() > MAX_RATES || device.channels.len() > usize::from(MAX_CHANNELS) {
        return Err(OutOfBounds::Devices);
    }
    device.rates.iter().copied().try_for_each(check_rate)
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame without a byte in it.
    #[error("a frame of no bytes")]
    Empty,
    /// A frame of a kind that there is not.
    #[error("a frame of kind {found}, which there is not")]
    Kind {
        /// Its first byte.
        found: u8,
    },
    /// A frame too long for its kind.
    #[error("a frame of kind {kind} with {found} bytes, expected {most} at most")]
    Long {
        /// Its first byte.
        kind: u8,
        /// The most that its kind may have.
        most: usize,
        /// The length that it claims.
        found: u32,
    },
    /// A frame that breaks postcard's rules, or leaves bytes over.
    #[error("a frame of kind {kind} whose contents are no message")]
    Contents {
        /// Its first byte.
        kind: u8,
    },
    /// A message beyond its bounds.
    #[error("a message beyond its bounds")]
    OutOfBounds(#[source] OutOfBounds),
}

/// A message that may not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is beyond its bounds: the other side would take this one for hostile.
    #[error("a message beyond its bounds")]
    OutOfBounds(#[source] OutOfBounds),
    /// postcard cannot write it, or it is too long.
    #[error("a message that cannot be written")]
    Unwritable,
}

/// The frame of a message.
///
/// # Errors
/// [`EncodeError`] where the other side would refuse it.
pub fn encode(message: &FromCapture) -> Result<Vec<u8>, EncodeError> {
    message.check().map_err(EncodeError::OutOfBounds)?;
    let start = vec![0; LENGTH_BYTES];
    let mut frame = postcard::to_extend(message, start).map_err(|_| EncodeError::Unwritable)?;
    let found = frame.len() - LENGTH_BYTES;
    let kind = frame.get(LENGTH_BYTES).copied();
    let most = kind.and_then(FromCapture::most_bytes).unwrap_or(0);
    let length = match u32::try_from(found) {
        Ok(length) if found <= most => length,
        _ => return Err(EncodeError::Unwritable),
    };
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Takes frames apart as their bytes come, whatever the pieces they come in. Holds one frame at
/// most, and none that is too long for its kind.
///
/// After an error nothing that follows can be trusted to be a frame, and the decoder says the
/// same error again.
#[derive(Default)]
pub struct Decoder {
    held: Vec<u8>,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// A decoder before its first frame.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes from the front of `bytes` until a message is whole or nothing is left. Call it until
    /// it gives none.
    ///
    /// # Errors
    /// [`DecodeError`] for what is no message.
    pub fn push(&mut self, bytes: &mut &[u8]) -> Result<Option<FromCapture>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let decoded = self.decode(bytes);
        self.failed = decoded.as_ref().err().copied();
        decoded
    }

    fn decode(&mut self, bytes: &mut &[u8]) -> Result<Option<FromCapture>, DecodeError> {
        // The kind says how long the frame may be, so it is looked at before more is kept.
        if !self.take(LENGTH_BYTES + 1, bytes) {
            return Ok(None);
        }
        let kind = self.held[LENGTH_BYTES];
        let end = LENGTH_BYTES + self.checked_length(kind)?;
        if !self.take(end, bytes) {
            return Ok(None);
        }
        let message = contents(kind, &self.held[LENGTH_BYTES..])?;
        self.held.clear();
        Ok(Some(message))
    }

    /// Holds bytes until there are `wanted`; whether there are.
    fn take(&mut self, wanted: usize, bytes: &mut &[u8]) -> bool {
        let missing = wanted.saturating_sub(self.held.len());
        let (taken, left) = bytes.split_at(missing.min(bytes.len()));
        self.held.extend_from_slice(taken);
        *bytes = left;
        self.held.len() >= wanted
    }

    fn checked_length(&self, kind: u8) -> Result<usize, DecodeError> {
        let mut length = [0; LENGTH_BYTES];
        length.copy_from_slice(&self.held[..LENGTH_BYTES]);
        let found = u32::from_le_bytes(length);
        let most = FromCapture::most_bytes(kind).ok_or(DecodeError::Kind { found: kind })?;
        match usize::try_from(found) {
            Ok(0) => Err(DecodeError::Empty),
            Ok(length) if length <= most => Ok(length),
            _ => Err(DecodeError::Long { kind, most, found }),
        }
    }
}

/// Without the bytes, which are somebody's words.
impl fmt::Debug for Decoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Decoder")
            .field("held", &self.held.len())
            .field("failed", &self.failed)
            .finish()
    }
}

/// The message of a frame's bytes. What a list claims to hold decides no allocation: serde
/// reserves a mebibyte at most before elements come, and the frame itself is short.
fn contents(kind: u8, bytes: &[u8]) -> Result<FromCapture, DecodeError> {
    let (message, left): (FromCapture, _) =
        postcard::take_from_bytes(bytes).map_err(|_| DecodeError::Contents { kind })?;
    if !left.is_empty() {
        return Err(DecodeError::Contents { kind });
    }
    message.check().map_err(DecodeError::OutOfBounds)?;
    Ok(message)
}

#[cfg(test)]
mod tests;
