//! How much an application may ask for, and how much it has asked for.

mod amounts;

pub use amounts::{AppLimits, LimitsError};
