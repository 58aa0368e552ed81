//! The daemon under attack: the real programs on a software TPM, and clients that mean no good.
//! Each test is one abuse. It sees the refusal and its reason, that the daemon goes on, and that
//! an honest client is served right after.

#[path = "../support/mod.rs"]
mod support;

#[path = "../trust/sides.rs"]
#[allow(dead_code, reason = "other tests do more with the two sides")]
mod sides;

#[cfg(test)]
#[path = "../../../daemon/endpoint/tests/house/authenticator.rs"]
mod authenticator;
#[cfg(test)]
#[path = "../daemon/client.rs"]
#[allow(dead_code, reason = "other tests do more with clients")]
mod client;
#[cfg(test)]
#[path = "../daemon/curl.rs"]
#[allow(dead_code, reason = "other tests do more with curl")]
mod curl;
#[cfg(test)]
#[path = "../daemon/device.rs"]
#[allow(dead_code, reason = "other tests do more with the device")]
mod device;
#[cfg(test)]
#[path = "../daemon/earnestd.rs"]
#[allow(dead_code, reason = "other tests do more with the daemon")]
mod earnestd;
#[cfg(test)]
#[path = "../daemon/processes.rs"]
#[allow(dead_code, reason = "other tests do more with processes")]
mod processes;
#[cfg(test)]
#[path = "../daemon/wait.rs"]
#[allow(dead_code, reason = "other tests wait for more")]
mod wait;

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod collector;
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
mod person;
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
