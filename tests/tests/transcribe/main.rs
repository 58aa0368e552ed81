//! `earnest transcribe` as a person runs it: the real command, the real models, real speech.

#[path = "../support/mod.rs"]
mod support;

mod command;
mod failures;
mod formats;
mod inputs;
mod sample;
mod streams;
mod wave;
