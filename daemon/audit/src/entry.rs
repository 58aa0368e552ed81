//! What one entry says.

use std::time::Duration;

use earnest_telemetry::{ChainDigest, Event};
use serde::{Deserialize, Serialize};

/// Entries are padded to a multiple of this many bytes, so that their length does not tell a
/// disk's thief what happened.
const PADDING: usize = 128;

/// Most bytes of an entry before encryption. The longest event has less than half of it.
pub(crate) const MAX_ENTRY_BYTES: usize = 1024;

/// Something to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub(crate) event: Event,
    pub(crate) request: Option<u64>,
}

impl Note {
    /// This event, on its own.
    pub fn of(event: Event) -> Note {
        let request = None;
        Note { event, request }
    }

    /// This event, as part of the request with this number.
    #[must_use]
    pub fn in_request(self, request: u64) -> Note {
        Note {
            request: Some(request),
            ..self
        }
    }
}

impl From<Event> for Note {
    fn from(event: Event) -> Note {
        Note::of(event)
    }
}

/// An entry of the log, as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number. Numbers rise by one; the log may have been purged before the first.
    pub sequence: u64,
    /// When, in milliseconds since 1970 by the wall clock, which may have been wrong.
    pub wall_milliseconds: u64,
    /// When, in milliseconds of CLOCK_BOOTTIME.
    pub boot_milliseconds: u64,
    /// The number of the request that it belongs to.
    pub request: Option<u64>,
    /// How often it happened: once, or as often as like refusals were counted together.
    pub times: u32,
    /// What happened.
    pub event: Event,
}

/// The written form: JSON, whose words keep their meaning when kinds of events are added in any
/// order. The sequence stands outside, where the chain needs it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    wall: u64,
    boot: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<u64>,
    #[serde(default = "once", skip_serializing_if = "is_once")]
    times: u32,
    event: Event,
}

fn once() -> u32 {
    1
}

fn is_once(times: &u32) -> bool {
    *times == 1
}

/// An entry before it has its number.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) wall: Duration,
    pub(crate) boot: Duration,
    pub(crate) times: u32,
    pub(crate) note: Note,
}

impl Draft {
    /// The bytes to encrypt.
    pub(crate) fn encode(self) -> Vec<u8> {
        let written = Written {
            wall: milliseconds(self.wall),
            boot: milliseconds(self.boot),
            request: self.note.request,
            times: self.times,
            event: self.note.event,
        };
        let mut bytes = serde_json::to_vec(&written).unwrap_or_default();
        let padded = bytes.len().next_multiple_of(PADDING);
        // White space after a value says nothing in JSON.
        bytes.resize(padded, b' ');
        bytes
    }
}

/// The entry of these decrypted bytes; nothing where they are none.
pub(crate) fn decode(sequence: u64, bytes: &[u8]) -> Option<Entry> {
    let written: Written = serde_json::from_slice(bytes).ok()?;
    Some(Entry {
        sequence,
        wall_milliseconds: written.wall,
        boot_milliseconds: written.boot,
        request: written.request,
        times: written.times,
        event: written.event,
    })
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A place in the log: what stands in the device's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the newest entry; none is written as zero.
    pub sequence: u64,
    /// The chain's digest after it.
    pub digest: ChainDigest,
}

impl Head {
    /// Before the first entry of a log.
    pub const START: Head = Head {
        sequence: 0,
        digest: ChainDigest([0; 32]),
    };
}
