//! Messages as frames: a length of four bytes, little endian, and a message in postcard.

use std::fmt;
use std::io::{self, Read, Write};
use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::check::{self, OutOfBounds};
use crate::{
    FromWorker, MAX_ANSWER_BYTES, MAX_PHRASE_BYTES, MAX_PHRASES, MAX_SOUND_BYTES, ToWorker,
};

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Most bytes of a message that is a few numbers: a kind, four numbers of ten bytes at most, and
/// a flaw or a short name.
const SMALL: usize = 96;

/// What sound has around it: its kind and its length.
const AROUND_SOUND: usize = 8;

/// Most bytes of a tuning: all its phrases with their lengths, and a few numbers.
const MAX_TUNING_BYTES: usize = MAX_PHRASES * (MAX_PHRASE_BYTES + 3) + SMALL;

/// What the two sides say. Sealed: [`ToWorker`] and [`FromWorker`] are all there is.
pub trait Message: Serialize + DeserializeOwned + sealed::Message {}

impl Message for ToWorker {}
impl Message for FromWorker {}

mod sealed {
    use super::OutOfBounds;

    pub trait Message {
        /// Most bytes of a message whose first byte is `kind`; none if there is no such kind.
        fn most_bytes(kind: u8) -> Option<usize>;

        /// Holds what the message carries to its bounds.
        fn check(&self) -> Result<(), OutOfBounds>;
    }
}

impl sealed::Message for ToWorker {
    fn most_bytes(kind: u8) -> Option<usize> {
        match kind {
            0 | 2 | 3 => Some(SMALL),
            1 => Some(MAX_SOUND_BYTES + AROUND_SOUND),
            4 => Some(MAX_TUNING_BYTES),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), OutOfBounds> {
        check::to_worker(self)
    }
}

impl sealed::Message for FromWorker {
    fn most_bytes(kind: u8) -> Option<usize> {
        match kind {
            0..=2 | 4..=7 | 9..=10 => Some(SMALL),
            3 | 8 => Some(MAX_ANSWER_BYTES),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), OutOfBounds> {
        check::from_worker(self)
    }
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

/// A message that may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is beyond its bounds: the other side would take this one for hostile.
    #[error("a message beyond its bounds")]
    OutOfBounds(#[source] OutOfBounds),
    /// It is too long, though each part keeps to its bounds.
    #[error("a message of {found} bytes, expected {most} at most")]
    Long {
        /// The most that its kind may have.
        most: usize,
        /// What it has.
        found: usize,
    },
    /// postcard cannot write it.
    #[error("a message that cannot be written")]
    Unwritable,
}

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The frame of a message.
///
/// # Errors
/// [`EncodeError`] where the other side would refuse it.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, EncodeError> {
    message.check().map_err(EncodeError::OutOfBounds)?;
    let start = vec![0; LENGTH_BYTES];
    let mut frame = postcard::to_extend(message, start).map_err(|_| EncodeError::Unwritable)?;
    let found = frame.len() - LENGTH_BYTES;
    let kind = frame.get(LENGTH_BYTES).copied();
    let most = kind.and_then(M::most_bytes).unwrap_or(0);
    let length = match u32::try_from(found) {
        Ok(length) if found <= most => length,
        _ => return Err(EncodeError::Long { most, found }),
    };
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Takes frames apart as their bytes come, whatever the pieces they come in. Holds one frame
/// at most, and none that is too long for its kind.
///
/// After an error nothing that follows can be trusted to be a frame, and the decoder says the
/// same error again.
pub struct Decoder<M> {
    held: Vec<u8>,
    failed: Option<DecodeError>,
    message: PhantomData<fn() -> M>,
}

impl<M: Message> Decoder<M> {
    /// A decoder before its first frame.
    pub fn new() -> Decoder<M> {
        Decoder {
            held: Vec::new(),
            failed: None,
            message: PhantomData,
        }
    }

    /// Takes from the front of `bytes` until a message is whole or nothing is left. Call it
    /// until it gives none.
    ///
    /// # Errors
    /// [`DecodeError`] for what is no message.
    pub fn push(&mut self, bytes: &mut &[u8]) -> Result<Option<M>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let decoded = self.decode(bytes);
        self.failed = decoded.as_ref().err().copied();
        decoded
    }

    /// Whether a frame has begun and not ended.
    pub fn is_within_frame(&self) -> bool {
        !self.held.is_empty()
    }

    fn decode(&mut self, bytes: &mut &[u8]) -> Result<Option<M>, DecodeError> {
        // The kind says how long the frame may be, so it is looked at before more is kept.
        if !self.take(LENGTH_BYTES, bytes) {
            return Ok(None);
        }
        let length = self.length();
        if length == 0 {
            return Err(DecodeError::Empty);
        }
        if !self.take(LENGTH_BYTES + 1, bytes) {
            return Ok(None);
        }
        let kind = self.held[LENGTH_BYTES];
        let end = LENGTH_BYTES + checked_length::<M>(kind, length)?;
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

    fn length(&self) -> u32 {
        let mut length = [0; LENGTH_BYTES];
        length.copy_from_slice(&self.held[..LENGTH_BYTES]);
        u32::from_le_bytes(length)
    }
}

impl<M: Message> Default for Decoder<M> {
    fn default() -> Decoder<M> {
        Decoder::new()
    }
}

/// Without the bytes, which may be somebody's words.
impl<M> fmt::Debug for Decoder<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Decoder")
            .field("held", &self.held.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

fn checked_length<M: Message>(kind: u8, found: u32) -> Result<usize, DecodeError> {
    let most = M::most_bytes(kind).ok_or(DecodeError::Kind { found: kind })?;
    match usize::try_from(found) {
        Ok(length) if length <= most => Ok(length),
        _ => Err(DecodeError::Long { kind, most, found }),
    }
}

/// The message of a frame's bytes. What a list claims to hold decides no allocation: serde
/// reserves a mebibyte at most before elements come, and the frame itself is short.
fn contents<M: Message>(kind: u8, bytes: &[u8]) -> Result<M, DecodeError> {
    let (message, left): (M, _) =
        postcard::take_from_bytes(bytes).map_err(|_| DecodeError::Contents { kind })?;
    if !left.is_empty() {
        return Err(DecodeError::Contents { kind });
    }
    message.check().map_err(DecodeError::OutOfBounds)?;
    Ok(message)
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream failed, or ended inside a frame.
    #[error("cannot read a message")]
    Io(#[from] io::Error),
    /// What came is no message.
    #[error("what came is no message")]
    Decode(#[from] DecodeError),
}

/// Reads one message and not a byte more; none where the stream ends between two.
///
/// # Errors
/// [`ReadError`], after which the stream is at no frame's beginning.
pub fn read<M: Message>(from: &mut impl Read) -> Result<Option<M>, ReadError> {
    let mut start = [0; LENGTH_BYTES + 1];
    if !fill_or_end(from, &mut start)? {
        return Ok(None);
    }
    let [first, second, third, fourth, kind] = start;
    let length = u32::from_le_bytes([first, second, third, fourth]);
    if length == 0 {
        return Err(DecodeError::Empty.into());
    }
    let mut bytes = vec![0; checked_length::<M>(kind, length)?];
    bytes[0] = kind;
    from.read_exact(&mut bytes[1..])?;
    Ok(Some(contents(kind, &bytes)?))
}

/// Fills `bytes`; false where the stream ends before the first of them.
fn fill_or_end(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Writes one message.
///
/// # Errors
/// The stream's error; one of kind `InvalidInput`, before anything is written, where the
/// message may not be sent ([`EncodeError`]).
pub fn write<M: Message>(to: &mut impl Write, message: &M) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}
