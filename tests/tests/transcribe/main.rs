//! `earnest transcribe` as a person runs it: the real command, the real models, real speech.

#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
mod command;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod wave;
