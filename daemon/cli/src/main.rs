//! `earnest`, the command for people.
fn main() {}
