//! Events out of bytes that come in pieces.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::event::Event;

/// Most bytes of an event's line. Those of known clients have some hundreds, with all data in
/// them.
pub const MAX_LINE_BYTES: usize = 16 << 10;

/// Most bytes of an event's data. A request with its hints has some thousands.
pub const MAX_DATA_BYTES: usize = 64 << 10;

/// Most bytes of an event's payload: half a minute of sound in one chunk. Clients send a tenth
/// of a second in each.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// Takes bytes as they come and gives events.
///
/// It holds no more than one event, and what was pushed since it last gave none.
#[derive(Default)]
pub struct Decoder {
    buffer: BytesMut,
    stage: Stage,
}

/// How far the event under way is.
#[derive(Default)]
enum Stage {
    /// Its line, of which so many bytes hold no end.
    Line { searched: usize },
    /// So many bytes of data.
    Data(Event, Lengths),
    /// So many bytes of payload.
    Payload(Event, usize),
    /// There is no event any more.
    Broken(Fault),
    #[default]
    Fresh,
}

/// How long what follows a line is.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    data: usize,
    payload: usize,
}

/// A line.
#[derive(Deserialize)]
struct Header {
    r#type: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<u64>,
    #[serde(default)]
    payload_length: Option<u64>,
}

impl Decoder {
    /// Takes the next bytes. Whoever pushes takes all events before pushing again, so that no
    /// more than these and one event are held.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.stage, Stage::Broken(_)) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next event; none where it has not come whole.
    ///
    /// # Errors
    ///
    /// When the bytes are none of the protocol. Where the next event begins is not known then,
    /// so it stays so.
    pub fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            match std::mem::take(&mut self.stage) {
                Stage::Fresh => self.stage = Stage::Line { searched: 0 },
                Stage::Line { searched } => {
                    if !self.line(searched)? {
                        return Ok(None);
                    }
                }
                Stage::Data(event, lengths) => {
                    if self.buffer.len() < lengths.data {
                        self.stage = Stage::Data(event, lengths);
                        return Ok(None);
                    }
                    self.data(event, lengths)?;
                }
                Stage::Payload(mut event, length) => {
                    if self.buffer.len() < length {
                        self.stage = Stage::Payload(event, length);
                        return Ok(None);
                    }
                    event.payload = self.take(length);
                    return Ok(Some(event));
                }
                Stage::Broken(fault) => return Err(self.broken(fault)),
            }
        }
    }

    /// Whether an event has begun and is not whole.
    pub fn is_within_event(&self) -> bool {
        !self.buffer.is_empty() || matches!(self.stage, Stage::Data(..) | Stage::Payload(..))
    }

    /// Takes the line, if it is there.
    fn line(&mut self, searched: usize) -> Result<bool, Fault> {
        let found = self.buffer[searched..].iter().position(|b| *b == b'\n');
        let length = found.map_or(self.buffer.len(), |place| searched + place);
        if length > MAX_LINE_BYTES {
            return Err(self.broken(Fault::TooLong {
                part: Part::Line,
                limit: MAX_LINE_BYTES,
                found: length as u64,
            }));
        }
        if found.is_none() {
            self.stage = Stage::Line { searched: length };
            return Ok(false);
        }
        let line = self.take(length);
        self.buffer.advance(1);
        // The error of the parser may quote what was said.
        let header: Result<Header, _> = serde_json::from_slice(&line);
        let Ok(header) = header else {
            return Err(self.broken(Fault::Malformed { part: Part::Line }));
        };
        let lengths = match header.lengths() {
            Ok(lengths) => lengths,
            Err(fault) => return Err(self.broken(fault)),
        };
        let event = Event {
            kind: header.r#type,
            data: header.data.unwrap_or_default(),
            payload: Bytes::new(),
        };
        self.stage = match lengths.data {
            0 => Stage::Payload(event, lengths.payload),
            _ => Stage::Data(event, lengths),
        };
        Ok(true)
    }

    /// Takes the data, which are there.
    fn data(&mut self, mut event: Event, lengths: Lengths) -> Result<(), Fault> {
        let data = self.take(lengths.data);
        let data: Result<Map<String, Value>, _> = serde_json::from_slice(&data);
        match data {
            Ok(data) if event.data.is_empty() => event.data = data,
            // What stands by itself overrules what stands in the line.
            Ok(data) => event.data.extend(data),
            Err(_) => return Err(self.broken(Fault::Malformed { part: Part::Data })),
        }
        self.stage = Stage::Payload(event, lengths.payload);
        Ok(())
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.buffer.split_to(length).freeze()
    }

    fn broken(&mut self, fault: Fault) -> Fault {
        self.buffer = BytesMut::new();
        self.stage = Stage::Broken(fault);
        fault
    }
}

impl Header {
    fn lengths(&self) -> Result<Lengths, Fault> {
        let checked = |length: Option<u64>, part: Part, limit: usize| {
            let found = length.unwrap_or(0);
            match usize::try_from(found) {
                Ok(length) if length <= limit => Ok(length),
                _ => Err(Fault::TooLong { part, limit, found }),
            }
        };
        Ok(Lengths {
            data: checked(self.data_length, Part::Data, MAX_DATA_BYTES)?,
            payload: checked(self.payload_length, Part::Payload, MAX_PAYLOAD_BYTES)?,
        })
    }
}

/// Without what was said.
impl fmt::Debug for Decoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Fresh | Stage::Line { .. } => "line",
            Stage::Data(..) => "data",
            Stage::Payload(..) => "payload",
            Stage::Broken(_) => "broken",
        };
        write!(formatter, "Decoder({stage}, {} bytes)", self.buffer.len())
    }
}

/// A part of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The line that it begins with.
    Line,
    /// The JSON after that.
    Data,
    /// The bytes after that.
    Payload,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Part::Line => "the line",
            Part::Data => "the data",
            Part::Payload => "the payload",
        })
    }
}

/// Why bytes are none of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no JSON object, or not of the form that it must have.
    #[error("{part} of an event is not the JSON object that it must be")]
    Malformed {
        /// Of what.
        part: Part,
    },
    /// It goes past its bound, or says so.
    #[error("{part} of an event has at most {limit} bytes; this has {found} or more")]
    TooLong {
        /// What.
        part: Part,
        /// The most bytes.
        limit: usize,
        /// How many came or were announced.
        found: u64,
    },
}
