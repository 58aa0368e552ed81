//! The host's side against a guard that does what a test says, in simulated time.

mod attacks;
mod kit;
mod life;
mod line;
