//! `earnest transcribe` as a person runs it: the real command, the real models, real speech.

// What a test sets up is there, or the test fails: that is what it is for.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod command;
mod failures;
mod formats;
mod inputs;
mod sample;
mod streams;
mod wave;
