//! The guard on simulated time, with the rail as it is wired, a store that a test can break, and a
//! host that is honest until a test says otherwise.

mod attacks;
mod course;
mod keeping;
mod kit;
mod pins;
mod properties;
mod table;
