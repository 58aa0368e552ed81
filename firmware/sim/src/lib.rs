//! The guard on a host, with the hardware around it.
//!
//! [`Rail`] is the hardware: a switch and a power switch in series, and the light behind both.
//! [`Bench`] puts a guard's logic into it and lets time be told; [`Simulator`] runs a bench in real
//! time behind a pseudo-terminal or a Unix socket, where a host finds it as it finds a serial port.
//! [`qemu::Board`] does the same with the real image on an emulated microcontroller, of which this
//! crate then plays the switch and the rail.

#![forbid(unsafe_code)]

mod bench;
mod kept;
mod liar;
mod line;
pub mod qemu;
mod rail;
mod simulator;
mod watched;

pub use bench::{Bench, Firmware, Picture};
pub use kept::{Kept, KeptError};
pub use line::Place;
pub use rail::Rail;
pub use simulator::{Options, Simulator, SimulatorError};
