//! What happened, in a closed schema without content.
//!
//! - [`Event`]: all that can be said. Its fields are numbers, closed enums and the name of an
//!   application ([`App`]), which is bounded and printable: no text of a caller, of a file or of
//!   a speaker has a place in it. [`Refusal`], [`Action`], [`AlertKind`] and their like are its
//!   words.
//! - [`Telemetry`]: the handle that every part of the daemon records with. It keeps the
//!   [`Counters`] and the last [`RECENT_EVENTS`] events for the status page, and passes each one
//!   on to `tracing` and to one sink that must not wait, which is how the audit log hears of it.
//! - [`GateState`] and [`GateReason`]: the words for the gate, shared by its events, its status
//!   and its state machine.
//! - [`Clock`] and [`WallClock`]: the time that never runs backwards and the time that people
//!   read, in one place, and simulated in tests.
//!
//! Recording never fails and never waits for anybody: what is too old is dropped, and the
//! counters say how much there was.
//!
//! ```
//! use std::time::Duration;
//! use earnest_telemetry::{App, Clock, Door, Event, Refusal, Telemetry};
//!
//! let telemetry = Telemetry::new(Clock::simulated(Duration::from_secs(7)));
//! telemetry.record(Event::Refused {
//!     app: Some(App::new("notes")),
//!     uid: Some(1000),
//!     scope: None,
//!     door: Door::Unix,
//!     reason: Refusal::GateClosed,
//! });
//! assert_eq!(telemetry.counters().refused, 1);
//! let line = telemetry.recent()[0].event.to_string();
//! assert_eq!(line, "refused: gate_closed (notes, uid 1000) over unix");
//! ```

mod app;
mod clock;
mod conduct;
mod counters;
mod event;
mod gate;
mod guard;
mod line;
mod number;
mod recorder;
mod refusal;
mod sink;
#[cfg(test)]
mod tests;
mod wall;
mod words;

pub use app::{App, MAX_APP_BYTES};
pub use clock::Clock;
pub use conduct::{
    Action, AlertKind, AlertLevel, Door, FactorOutcome, KeyKind, Scope, SessionPart,
};
pub use counters::Counters;
pub use event::{Alert, Event, SelfTest, WorkerEnd};
pub use gate::{GateReason, GateState};
pub use guard::GuardState;
pub use number::{ChainDigest, TraceId};
pub use recorder::{RECENT_EVENTS, Recorded, Telemetry};
pub use refusal::Refusal;
pub use wall::WallClock;
