//! The daemon from end to end: the real programs on a software TPM, asked by clients as people
//! have them. `cargo xtask test` installs what that takes; a test that misses something fails.

#[path = "../support/mod.rs"]
mod support;

#[path = "../trust/sides.rs"]
#[allow(dead_code, reason = "other tests do more with the two sides")]
mod sides;

#[cfg(test)]
mod activation;
#[cfg(test)]
mod client;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod curl;
#[cfg(test)]
mod device;
#[cfg(test)]
#[allow(dead_code, reason = "other tests start it otherwise")]
mod earnestd;
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
mod processes;
#[cfg(test)]
mod site;
#[cfg(test)]
mod upload;
#[cfg(test)]
mod wait;
#[cfg(test)]
mod workers;
