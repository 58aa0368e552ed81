//! The Wyoming protocol, over listeners of its own: what voice assistants speak with recognisers.
//!
//! Wyoming knows no tokens, so a peer is known by its user alone, be it on a Unix socket or on a
//! port. Each utterance is a request like every other: it has leave of the policy and a place
//! within its application's limits, its sound is charged as it comes, the gate is open from its
//! beginning to its last word, and the audit log has it on the disk before a worker hears it.
//! Who asks what there is (`describe`) needs the same leave and is counted as a request without
//! work.
//!
//! Text is told as it is stable (`transcript-chunk`), then as a whole (`transcript`). Padding
//! does not apply to it. What goes wrong is an `error` with the code of a refusal, after which
//! the connection ends: a client that waits for its transcript sees that there is none.
//!
//! A client that sends nothing for [`Limits::body_idle`](crate::Limits::body_idle) is let go.

mod link;
mod session;
mod telling;
mod utterance;

pub(crate) use link::refuse;
pub(crate) use session::serve;
