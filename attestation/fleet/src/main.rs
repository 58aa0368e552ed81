//! `earnest-fleet`: enrols devices, verifies their evidence, signs policies.

use std::process::ExitCode;

fn main() -> ExitCode {
    earnest_fleet::main().into()
}
