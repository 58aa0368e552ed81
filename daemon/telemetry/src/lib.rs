//! What happened, in a closed schema without content.
//!
//! - [`Event`]: all that can be said. Its fields are numbers, closed enums and the name of an
//!   application ([`App`]), which is bounded and printable: no text of a caller, of a file or of
//!   a speaker has a place in it.
//! - [`Telemetry`]: the handle that every part of the daemon records with. It keeps the
//!   [`Counters`] and the last [`RECENT_EVENTS`] events for the status page, and passes each one
//!   on to `tracing`.
//! - [`GateState`] and [`GateReason`]: the words for the gate, shared by its events, its status
//!   and its state machine.
//! - [`Clock`]: the time that never runs backwards, in one place, and simulated in tests.
//!
//! Recording never fails and never waits for anybody: what is too old is dropped, and the
//! counters say how much there was.
//!
//! ```
//! use std::time::Duration;
//! use earnest_telemetry::{App, Clock, Event, Refusal, Telemetry};
//!
//! let telemetry = Telemetry::new(Clock::simulated(Duration::from_secs(7)));
//! telemetry.record(Event::Refused { app: Some(App::new("notes")), reason: Refusal::GateClosed });
//! assert_eq!(telemetry.counters().refused, 1);
//! assert_eq!(telemetry.recent()[0].event.to_string(), "refused: gate_closed (notes)");
//! ```

mod app;
mod clock;
mod event;
mod gate;
mod recorder;
mod sink;
#[cfg(test)]
mod tests;
mod words;

pub use app::{App, MAX_APP_BYTES};
pub use clock::Clock;
pub use event::{Event, Refusal, SelfTest, WorkerEnd};
pub use gate::{GateReason, GateState};
pub use recorder::{Counters, RECENT_EVENTS, Recorded, Telemetry};
