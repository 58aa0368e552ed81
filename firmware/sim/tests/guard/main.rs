//! The guard with its hardware around it: attacked on a bench, run on real lines, and as the real
//! image on an emulated board.

mod attacks;
mod board;
mod kit;
mod lines;
