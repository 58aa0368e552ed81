//! An event, whatever it means.

use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Map, Value};

/// The version of the protocol's own package that this crate was written by. Nobody reads it.
const VERSION: &str = "1.10.2";

/// One event of the protocol.
#[derive(Clone, PartialEq, Default)]
pub struct Event {
    /// What it is: `audio-chunk`, say.
    pub kind: String,
    /// What it says.
    pub data: Map<String, Value>,
    /// Bytes that belong to it, which are sound.
    pub payload: Bytes,
}

#[derive(Serialize)]
struct Header<'a> {
    r#type: &'a str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_length: Option<usize>,
}

impl Event {
    /// An event without data or payload.
    pub fn new(kind: &str) -> Event {
        Event {
            kind: kind.to_owned(),
            ..Event::default()
        }
    }

    /// The event with this said in it.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Event {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// The event as it crosses the wire.
    pub fn encode(&self) -> Bytes {
        let data = match self.data.is_empty() {
            true => Vec::new(),
            false => json(&self.data),
        };
        let some = |length: usize| (length > 0).then_some(length);
        let line = json(&Header {
            r#type: &self.kind,
            version: VERSION,
            data_length: some(data.len()),
            payload_length: some(self.payload.len()),
        });
        let mut bytes = BytesMut::with_capacity(line.len() + 1 + data.len() + self.payload.len());
        bytes.put_slice(&line);
        bytes.put_u8(b'\n');
        bytes.put_slice(&data);
        bytes.put_slice(&self.payload);
        bytes.freeze()
    }
}

/// JSON of what has one.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps with names of strings always have a JSON form")
}

/// Its kind and its lengths: what it says may be what somebody said.
impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Event")
            .field("kind", &self.kind)
            .field("data", &self.data.len())
            .field("payload", &self.payload.len())
            .finish()
    }
}
