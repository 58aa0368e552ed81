//! The guard from end to end: the real daemon on a software TPM with the real models, a microphone
//! without a sound card, and two guards beside it. One is the simulator, in this process; the other
//! is the image of the board, on an emulated microcontroller. Both have a switch that the test moves
//! and a rail that it looks at. `cargo xtask test` installs what that takes.

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
#[path = "../live/house.rs"]
#[allow(dead_code, reason = "other tests do more with microphones")]
mod house;
#[cfg(test)]
#[path = "../abuse/person.rs"]
#[allow(dead_code, reason = "other tests do more with people")]
mod person;
#[cfg(test)]
#[path = "../daemon/processes.rs"]
#[allow(dead_code, reason = "other tests do more with processes")]
mod processes;
#[cfg(test)]
#[path = "../live/reader.rs"]
#[allow(dead_code, reason = "other tests do more with readers")]
mod reader;
#[cfg(test)]
#[path = "../live/server.rs"]
#[allow(dead_code, reason = "other tests do more with the sound server")]
mod server;
#[cfg(test)]
#[path = "../daemon/wait.rs"]
#[allow(dead_code, reason = "other tests wait for more")]
mod wait;
#[cfg(test)]
#[path = "../live/words.rs"]
#[allow(dead_code, reason = "other tests look at more words")]
mod words;

#[cfg(test)]
mod absent;
#[cfg(test)]
mod line;
#[cfg(test)]
mod post;
#[cfg(test)]
mod whole;
