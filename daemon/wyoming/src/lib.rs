//! The Wyoming protocol of voice assistants, without I/O: bytes in, events out, and back.
//!
//! Wyoming is what Home Assistant and the Rhasspy projects speak with a speech recogniser. An
//! event is a line of JSON, then so many bytes of more JSON, then so many bytes of sound:
//!
//! ```text
//! {"type": "audio-chunk", "data_length": 42, "payload_length": 2048}\n
//! {"rate": 16000, "width": 2, "channels": 1}....
//! ```
//!
//! - A [`Decoder`] takes bytes as they come and gives [`Event`]s. Line, data and payload are
//!   bounded, and a length is believed only once it is within its bound.
//! - A [`Request`] is what a client's event means to a recogniser; what it does not know is
//!   [`Request::Other`], and is passed over, as the protocol asks for.
//! - A [`Reply`] is what a recogniser answers.
//!
//! What is missing: synthesis, wake words, intents, and everything else that is not asked of a
//! recogniser. Nobody proves who he is in this protocol; that is the listener's matter.
//!
//! ```
//! use earnest_wyoming::{Decoder, Reply, Request};
//!
//! let mut decoder = Decoder::default();
//! decoder.push(b"{\"type\": \"ping\", \"data\": {\"text\": \"hello\"}}\n");
//! let event = decoder.next_event().unwrap().expect("a whole event");
//! let Request::Ping { text } = Request::of(event).unwrap() else { panic!() };
//! let pong = Reply::Pong { text }.encode();
//! assert!(pong.starts_with(b"{\"type\":\"pong\""));
//! assert!(decoder.next_event().unwrap().is_none());
//! ```

mod decoder;
mod event;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use decoder::{Decoder, Fault, MAX_DATA_BYTES, MAX_LINE_BYTES, MAX_PAYLOAD_BYTES, Part};
pub use event::Event;
pub use reply::{Attribution, Info, Model, Reply};
pub use request::{AudioFormat, MAX_NAME_BYTES, Request, RequestError};
