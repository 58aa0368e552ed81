//! The daemon under attack: the real programs on a software TPM, and clients that mean no good.
//! Each test is one abuse. It sees the refusal and its reason, that the daemon goes on, and that
//! an honest client is served right after.

#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "other tests do more with it")]
mod kit;
#[cfg(test)]
use kit::*;

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod escapes;
#[cfg(test)]
mod flac;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod seen;
#[cfg(test)]
mod sounds;
#[cfg(test)]
mod state;
#[cfg(test)]
mod timing;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod tpm;
#[cfg(test)]
mod traces_left;
#[cfg(test)]
mod trial;
