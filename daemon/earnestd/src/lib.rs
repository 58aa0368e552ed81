//! The daemon: it is told what to do, builds it, runs it, and lets it end.
//!
//! - [`configuration`]: one file, checked into values.
//! - [`process`]: as whom it runs, and how its memory is guarded.
//! - [`guardian`]: what opens the gate and what closes it, on the [`ground`] of the device and
//!   with a [`crew`] of workers.
//! - [`run`]: all of it together, until the daemon is told to end.

pub mod arguments;
pub mod certificates;
pub mod configuration;
pub mod crew;
pub mod device;
pub mod engine;
pub mod exit;
pub mod gatehouse;
pub mod ground;
pub mod guardian;
pub mod log;
pub mod notify;
pub mod plan;
pub mod process;
pub mod run;
pub mod weights;
