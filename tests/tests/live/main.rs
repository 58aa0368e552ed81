//! Live text from end to end: a microphone without a sound card, the real daemon on a software
//! TPM, the real models, and everybody who reads along, unmodified clients of others among them.
//! `cargo xtask test` installs what that takes; a test that misses something fails.

#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "other tests do more with it")]
mod kit;
#[cfg(test)]
use kit::*;

#[cfg(test)]
mod captions;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod conduct;
#[cfg(test)]
mod file;
#[cfg(test)]
mod noise;
#[cfg(test)]
mod plug;
#[cfg(test)]
mod pushed;
