//! The guard in a terminal.
fn main() {}
