//! `earnest-fleet`: enrols devices, verifies their evidence, signs policies.

fn main() {}
