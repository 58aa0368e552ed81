//! The crate against real software TPMs, one for each test, all tests at once.

mod attesting;
mod devices;
mod provisioning;
mod recovery;
mod sealing;
mod support;
