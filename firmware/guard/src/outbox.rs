//! What waits to be sent.

use earnest_wire::{Frame, MAX_FRAME};
use heapless::Deque;

/// Bytes that wait at most: the longest answers to what arrives while a frame is sent, a welcome,
/// a trip, state and faults.
pub const OUTBOX_BYTES: usize = 512;

/// The bytes that wait for the line. A frame fits whole or is left out: the guard says what it
/// could not say once there is room, and a state that has changed meanwhile only as it is then.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Deque<u8, OUTBOX_BYTES>,
}

impl Outbox {
    /// Nothing waits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next byte for the line.
    pub fn pop(&mut self) -> Option<u8> {
        self.bytes.pop_front()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes what waits, as far as the line takes it now; what was not written goes on waiting.
    ///
    /// # Errors
    /// What the line says.
    pub fn write_to<W: embedded_io::Write>(&mut self, line: &mut W) -> Result<(), W::Error> {
        while let (head @ [_, ..], _) = self.bytes.as_slices() {
            let written = line.write(head)?.min(head.len());
            if written == 0 {
                break;
            }
            for _ in 0..written {
                self.bytes.pop_front();
            }
        }
        Ok(())
    }

    /// Whether any frame fits.
    pub(crate) fn has_room(&self) -> bool {
        OUTBOX_BYTES - self.bytes.len() >= MAX_FRAME
    }

    /// Takes a frame where any fits. Whether it did.
    pub(crate) fn push(&mut self, frame: &Frame) -> bool {
        self.has_room()
            && frame
                .as_bytes()
                .iter()
                .all(|byte| self.bytes.push_back(*byte).is_ok())
    }
}
