//! The command over files: what it writes, what it refuses, and how it ends.
//!
//! Devices are software ([`earnest_verifier::simulation`]). Most runs are inside this process, at
//! a time that is given; [`binary`] starts the program itself.

mod audit_log;
mod binary;
mod enrolling;
mod keys;
mod material;
mod policies;
mod support;
mod verifying;
