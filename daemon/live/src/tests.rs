//! The microphone by a script: its sound, its workers, its gate and its time.

mod any;
mod gate;
mod guarded;
mod hearing;
mod kit;
mod losing;
mod opening;
mod post;
