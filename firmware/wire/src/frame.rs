//! Frames: how a message lies on the line.
//!
//! ```text
//! 0x00 | COBS( version (1) | kind (1) | number (4, little endian) | body (<= 96) | tag ) | 0x00
//! ```
//!
//! The body is postcard. Open frames have the number 0 and a CRC-32 as tag; sealed ones count
//! from 1 in each direction and session, and their tag is the first 16 bytes of the HMAC-SHA256 of
//! everything before it. A zero byte stands nowhere but around a frame, so whoever starts to read
//! in the middle, or after noise, is back in step at the next one.

use cobs::{DecodeResult, DecoderState};
use crc::{CRC_32_ISO_HDLC, Crc, Table};
use heapless::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;

use crate::key::{KEY_BYTES, SessionKey};
use crate::{MAX_BODY, MAX_FRAME, MAX_RAW, VERSION};

/// Bytes before the body.
pub(crate) const HEADER: usize = 6;

/// Bytes of an open frame's tag.
pub(crate) const CRC_BYTES: usize = 4;

/// Bytes of a sealed frame's tag.
pub(crate) const MAC_BYTES: usize = 16;

/// The checksum of open frames, and of what a guard keeps: CRC-32 as in ISO 3309.
static CHECKSUM: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The CRC-32 of the bytes.
pub fn checksum(bytes: &[u8]) -> u32 {
    CHECKSUM.checksum(bytes)
}

/// Which way a frame goes, and what its tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// To the guard, with a checksum.
    OpenToGuard = 0x01,
    /// To the guard, with a MAC.
    SealedToGuard = 0x02,
    /// To the host, with a checksum.
    OpenToHost = 0x81,
    /// To the host, with a MAC.
    SealedToHost = 0x82,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        let kinds = [
            Self::OpenToGuard,
            Self::SealedToGuard,
            Self::OpenToHost,
            Self::SealedToHost,
        ];
        kinds.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Bytes of its tag.
    fn tag(self) -> usize {
        match self {
            Self::OpenToGuard | Self::OpenToHost => CRC_BYTES,
            Self::SealedToGuard | Self::SealedToHost => MAC_BYTES,
        }
    }

    /// Whether frames of this kind stand outside a session.
    pub(crate) fn is_open(self) -> bool {
        self.tag() == CRC_BYTES
    }
}

/// A frame as it goes over the line, with the zeros around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Vec<u8, MAX_FRAME>);

impl Frame {
    /// The bytes to send, all of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// An open frame.
    pub(crate) fn open<M: Serialize>(kind: Kind, message: &M) -> Self {
        let (mut raw, length) = head(kind, 0, message);
        let tag = checksum(&raw[..length]).to_le_bytes();
        raw[length..length + CRC_BYTES].copy_from_slice(&tag);
        Self::coded(&mut raw, length + CRC_BYTES)
    }

    /// A sealed frame.
    pub(crate) fn sealed<M: Serialize>(
        kind: Kind,
        number: u32,
        message: &M,
        key: &SessionKey,
    ) -> Self {
        let (mut raw, length) = head(kind, number, message);
        let tag: [u8; KEY_BYTES] = key.tag(&raw[..length]);
        raw[length..length + MAC_BYTES].copy_from_slice(&tag[..MAC_BYTES]);
        Self::coded(&mut raw, length + MAC_BYTES)
    }

    fn coded(raw: &mut [u8; MAX_RAW], length: usize) -> Self {
        let mut line = [0; MAX_FRAME];
        // The coded frame is one byte longer than the raw one, so the zeros around it fit.
        let coded = cobs::try_encode(&raw[..length], &mut line[1..MAX_FRAME - 1]).unwrap_or(0);
        raw.zeroize();
        let frame = Vec::from_slice(&line[..coded + 2]).unwrap_or_default();
        line.zeroize();
        Self(frame)
    }
}

/// Header and body, and how long they are together.
fn head<M: Serialize>(kind: Kind, number: u32, message: &M) -> ([u8; MAX_RAW], usize) {
    let mut raw = [0; MAX_RAW];
    raw[0] = VERSION;
    raw[1] = kind as u8;
    raw[2..HEADER].copy_from_slice(&number.to_le_bytes());
    // The longest message is shorter than a body may be, which a test holds. Were one longer, the
    // frame would hold no message, and be refused as such.
    let body = postcard::to_slice(message, &mut raw[HEADER..HEADER + MAX_BODY])
        .map_or(0, |body| body.len());
    (raw, HEADER + body)
}

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// More bytes without a zero than a frame has.
    #[error("more bytes without an end than a frame's {MAX_RAW}")]
    Overflow,
    /// What stands between two zeros is not COBS.
    #[error("not in COBS")]
    Coding,
    /// Too few bytes for a header and a tag, or too many for a body.
    #[error("{found} bytes are no frame's length")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// Another version.
    #[error("version {found} instead of {VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
    /// No kind of frame, or one that does not go this way.
    #[error("kind {found:#04x} has no place here")]
    Kind {
        /// The kind found.
        found: u8,
    },
    /// An open frame with another number than 0.
    #[error("open frame with the number {found}")]
    Number {
        /// The number found.
        found: u32,
    },
    /// The checksum of an open frame.
    #[error("checksum {found:#010x} instead of {expected:#010x}")]
    Checksum {
        /// What the bytes have.
        expected: u32,
        /// What the frame says.
        found: u32,
    },
}

/// Finds frames in bytes that arrive one by one, of at most `N` bytes once decoded. It holds
/// nothing but the frame under way, and forgets it when dropped.
///
/// ```
/// use earnest_wire::{Decoder, LineFault, MAX_RAW};
///
/// let mut decoder = Decoder::<MAX_RAW>::new();
/// let found: Vec<_> = [0, 1, 0, 9, 9, 0].into_iter().filter_map(|byte| decoder.push(byte)).collect();
/// assert_eq!(found, [Err(LineFault::Length { found: 0 }), Err(LineFault::Coding)]);
/// ```
#[derive(Debug)]
pub struct Decoder<const N: usize> {
    state: DecoderState,
    raw: Vec<u8, N>,
    /// The run was too long, and its rest is dropped.
    skipping: bool,
}

impl<const N: usize> Decoder<N> {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self {
            state: DecoderState::Idle,
            raw: Vec::new(),
            skipping: false,
        }
    }

    /// Takes a byte. A frame comes out at the zero behind it, and what is none as a fault: one for
    /// each run of bytes.
    pub fn push(&mut self, byte: u8) -> Option<Result<RawFrame, LineFault>> {
        if self.skipping {
            self.skipping = byte != 0;
            return None;
        }
        match self.state.feed(byte) {
            Ok(DecodeResult::NoData) => None,
            Ok(DecodeResult::DataContinue(byte)) => self.raw.push(byte).err().map(|_| {
                self.forget();
                self.skipping = true;
                Err(LineFault::Overflow)
            }),
            Ok(DecodeResult::DataComplete) => {
                let frame = RawFrame::parse(&self.raw);
                self.forget();
                Some(frame)
            }
            Err(_) => {
                self.forget();
                Some(Err(LineFault::Coding))
            }
        }
    }

    fn forget(&mut self) {
        self.state = DecoderState::Idle;
        self.raw.zeroize();
        self.raw.clear();
    }
}

impl<const N: usize> Default for Decoder<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for Decoder<N> {
    fn drop(&mut self) {
        self.raw.zeroize();
    }
}

/// A frame of this version and of a known kind, whose tag nobody has checked unless it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    kind: Kind,
    number: u32,
    /// Header and body, then the tag.
    raw: Vec<u8, MAX_RAW>,
}

impl RawFrame {
    fn parse(raw: &[u8]) -> Result<Self, LineFault> {
        let length = LineFault::Length { found: raw.len() };
        let &[version, kind, a, b, c, d, ref rest @ ..] = raw else {
            return Err(length);
        };
        if version != VERSION {
            return Err(LineFault::Version { found: version });
        }
        let kind = Kind::of(kind).ok_or(LineFault::Kind { found: kind })?;
        let body = rest.len().checked_sub(kind.tag()).ok_or(length)?;
        if body > MAX_BODY {
            return Err(length);
        }
        let frame = Self {
            kind,
            number: u32::from_le_bytes([a, b, c, d]),
            raw: Vec::from_slice(raw).map_err(|_| length)?,
        };
        if kind.is_open() {
            frame.check_open()?;
            if frame.number != 0 {
                return Err(LineFault::Number {
                    found: frame.number,
                });
            }
        }
        Ok(frame)
    }

    /// Which way it goes, and what its tag is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its number in the session, 0 in an open frame. Of a sealed one nobody has checked it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The postcard in it.
    pub fn body(&self) -> &[u8] {
        &self.signed()[HEADER..]
    }

    fn signed(&self) -> &[u8] {
        // A parsed frame is at least as long as its header and tag.
        &self.raw[..self.raw.len() - self.kind.tag()]
    }

    fn tag(&self) -> &[u8] {
        &self.raw[self.raw.len() - self.kind.tag()..]
    }

    fn check_open(&self) -> Result<(), LineFault> {
        let expected = checksum(self.signed());
        let mut found = [0; CRC_BYTES];
        found.copy_from_slice(self.tag());
        let found = u32::from_le_bytes(found);
        if found != expected {
            return Err(LineFault::Checksum { expected, found });
        }
        Ok(())
    }

    /// Whether a sealed frame was made with this key.
    pub(crate) fn verifies(&self, key: &SessionKey) -> bool {
        key.verifies(self.signed(), self.tag())
    }

    /// The message, if the body is exactly one.
    pub(crate) fn message<M: DeserializeOwned>(&self) -> Option<M> {
        match postcard::take_from_bytes(self.body()) {
            Ok((message, [])) => Some(message),
            _ => None,
        }
    }
}

impl Drop for RawFrame {
    fn drop(&mut self) {
        // A frame may hold the key of a pairing.
        self.raw.zeroize();
    }
}
