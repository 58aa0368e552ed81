//! The only owner of HTTP: routes, their contract, and the client that `earnest` itself uses.
//!
//! - [`serve()`] answers requests on listeners of `earnest-listen` until it is told to stop, then
//!   lets requests end within a bound.
//! - [`Parts`] is what it needs: a policy, the daemon around it ([`House`]), the model's names,
//!   and bounds ([`Limits`]).
//! - [`client`] asks the daemon over its Unix socket; [`shapes`] are what both sides say.
//! - [`collect`] sends spans of requests to a collector on this device.
//!
//! What holds for every request, in the order in which it is checked:
//! 1. The head names this device and comes from no page of elsewhere. There is never a header
//!    that lets a page read an answer.
//! 2. Its source has not been guessing lately, and the policy permits it. A handler takes its
//!    leave by value, so one without leave does not compile; `GET /health` alone needs none, and
//!    tells up or down, and `GET /open` has the code of a link for its leave.
//! 3. For whatever costs work: its application is not in quarantine, and has a request, a place
//!    and sound left; the gate is open, at the beginning and until the last word; and the audit
//!    log has it on the disk. What operators and auditors do is there, too, before it is done.
//! 4. Form, fields and sound are within bounds, and bodies come steadily.
//!
//! An answer has lost what its rules withhold, and may wait for the end of a quantum. Whoever is
//! refused is told in OpenAI's error shape with a stable code, and learns no more: who was not
//! let in is told at a tick, in one and the same body. The operator finds the reason in telemetry
//! and in the audit log, under the number that the answer carries in `x-request-id`. Every answer
//! says that nothing is to keep it.
//!
//! Sound goes to a worker process and is parsed nowhere else. `openapi.json` describes the
//! interface, and tests hold both to each other.

mod activity;
mod admission;
mod alerts;
mod allowance;
mod answer;
mod apps;
mod ask;
mod auditing;
mod body;
mod browser;
mod caller;
mod captions;
mod changes;
pub mod client;
mod collector;
mod command;
mod command_lists;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod contrast;
mod crowd;
#[cfg(test)]
mod doors;
mod drive;
mod events;
mod form;
mod front;
mod growth;
mod house;
mod json;
mod keys;
mod limits;
mod line;
mod listen;
mod microphone;
mod models;
mod origin;
mod paced;
mod page;
mod people;
mod realtime;
mod record;
mod redact;
mod refusal;
mod review;
mod router;
mod serve;
pub mod shapes;
mod shared;
mod status;
mod stream;
mod tether;
mod tokens;
mod transcribe;
mod turned_away;
mod upload;
mod waiting;
mod work;
mod wyoming;

pub use collector::collect;
pub use events::{FlawName, SegmentLine, StreamLine, WordLine};
pub use house::{
    AnchorError, AnchoredHead, AuditKeys, AuditKeysError, Cause, Certified, CertifyError, Doing,
    House, Proof, RotateError, SaveError, Serving,
};
pub use limits::Limits;
pub use models::ServedModel;
pub use refusal::{ErrorDetail, ErrorObject};
pub use serve::{Drained, ServeError, serve};
pub use shapes::TokenAnswer;
pub use shared::Parts;
pub use status::{StatusReport, WorkersReport};
