//! The log as a whole, on injected time and on a disk that fails when it is told to.

mod damage;
mod disk;
mod kit;
mod life;
mod parser;
mod time;
