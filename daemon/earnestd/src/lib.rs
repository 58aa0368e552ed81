//! The daemon: it is told what to do, builds it, runs it, and lets it end.
//!
//! - [`configuration`]: one file, checked into values.
//! - [`process`]: as whom it runs, and how its memory is guarded.
//! - [`guardian`]: what opens the gate and what closes it, on the [`ground`] of the device and
//!   with a [`crew`] of workers.
//! - [`kept`] and [`records`]: what the daemon keeps encrypted, and the audit log; [`rotation`] and
//!   [`duties`]: what is done to both by the clock.
//! - [`microphone`]: the process that has the microphone, and who listens to it.
//! - [`guard`]: the guard beside it, and the key that the two know each other by.
//! - [`front`]: the daemon as the endpoint sees it.
//! - [`run`]: all of it together, until the daemon is told to end.

pub mod arguments;
pub mod calendar;
pub mod certificates;
pub mod configuration;
pub mod crew;
pub mod device;
pub mod duties;
pub mod engine;
pub mod exit;
pub mod front;
pub mod gatehouse;
pub mod ground;
pub mod guard;
pub mod guardian;
pub mod kept;
pub mod log;
pub mod microphone;
pub mod notify;
pub mod plan;
pub mod process;
pub mod records;
pub mod rotation;
pub mod run;
pub mod secrets;
pub mod weights;
