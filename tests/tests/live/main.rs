//! Live text from end to end: a microphone without a sound card, the real daemon on a software
//! TPM, the real models, and everybody who reads along, unmodified clients of others among them.
//! `cargo xtask test` installs what that takes; a test that misses something fails.

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
#[path = "../abuse/collector.rs"]
mod collector;
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
#[path = "../abuse/person.rs"]
#[allow(dead_code, reason = "other tests do more with people")]
mod person;
#[cfg(test)]
#[path = "../daemon/processes.rs"]
#[allow(dead_code, reason = "other tests do more with processes")]
mod processes;
#[cfg(test)]
#[path = "../daemon/wait.rs"]
#[allow(dead_code, reason = "other tests wait for more")]
mod wait;

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
mod house;
#[cfg(test)]
mod noise;
#[cfg(test)]
mod plug;
#[cfg(test)]
mod pushed;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod server;
#[cfg(test)]
mod words;
