//! What is wrong with bytes from the line.

use crate::frame::LineFault;
use crate::key::Identity;

/// Why bytes from the line are no message. Each is dropped and changes nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No frame.
    #[error("no frame: {0}")]
    Line(#[from] LineFault),
    /// A sealed frame whose MAC is not made with this session's key.
    #[error("a frame that was not made with this session's key")]
    Mac,
    /// A sealed frame without a session.
    #[error("a sealed frame outside a session")]
    NoSession,
    /// A handshake's proof that was not made with the key.
    #[error("a proof that was not made with the key")]
    Proof,
    /// A frame that had been taken, or that a later one overtook.
    #[error("frame {found} after frame {last}")]
    Replayed {
        /// The greatest number taken.
        last: u32,
        /// The number of this frame.
        found: u32,
    },
    /// A frame without a message, with more than one, or with one that has no place in a frame of
    /// its kind.
    #[error("a frame without a message that has its place there")]
    Message,
    /// An answer that nobody asked for.
    #[error("an answer that nobody asked for")]
    Unasked,
    /// Another guard than the host is pinned to.
    #[error("guard {found} instead of {expected}")]
    Identity {
        /// The pinned guard.
        expected: Identity,
        /// Who answered.
        found: Identity,
    },
}

/// There is no session, or its numbers are used up: a handshake comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no session: a handshake comes first")]
pub struct NoSession;
