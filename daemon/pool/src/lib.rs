//! The daemon's side of its workers.
