//! The daemon from end to end: the real programs on a software TPM, asked by clients as people
//! have them. `cargo xtask test` installs what that takes; a test that misses something fails.

#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "other tests do more with it")]
mod kit;
#[cfg(test)]
use kit::*;

#[cfg(test)]
mod activation;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod network;
#[cfg(test)]
mod openai;
#[cfg(test)]
mod page;
#[cfg(test)]
mod people;
#[cfg(test)]
mod site;
#[cfg(test)]
mod upload;
#[cfg(test)]
mod workers;
