//! The only owner of HTTP: routes, their contract, and the client that `earnest` itself uses.
//!
//! - [`serve()`] answers requests on listeners of `earnest-listen` until it is told to stop, then
//!   lets requests end within a bound.
//! - [`Parts`] is what it needs: a policy, the daemon around it ([`House`]), the model's names,
//!   and bounds ([`Limits`]).
//! - [`client`] asks the daemon over its Unix socket.
//!
//! What holds for every request, in the order in which it is checked:
//! 1. The head names this device and comes from no page of elsewhere. There is never a header
//!    that lets a page read an answer.
//! 2. The policy permits it. A handler takes its leave by value, so one without leave does not
//!    compile; `GET /health` alone needs none, and tells up or down.
//! 3. For whatever reaches a model, the gate is open, at the beginning and until the last word.
//! 4. Form, fields and sound are within bounds, and bodies come steadily.
//!
//! Whoever is refused is told in OpenAI's error shape with a stable code, and learns no more. The
//! operator finds the reason in telemetry, under the number that the answer carries in
//! `x-request-id`. Every answer says that nothing is to keep it.
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
mod changes;
pub mod client;
mod collector;
mod command;
mod command_lists;
#[cfg(test)]
mod contract;
mod crowd;
#[cfg(test)]
mod doors;
mod drive;
mod events;
mod form;
mod front;
mod house;
mod json;
mod keys;
mod limits;
mod models;
mod origin;
mod paced;
mod page;
mod people;
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
mod tokens;
mod transcribe;
mod turned_away;
mod upload;
mod work;

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
