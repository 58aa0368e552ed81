//! The dependency policy of `deny.toml`, held by cargo-deny.

use anyhow::Result;

use crate::shell::{self, Program};

/// The cargo-deny that is built where the person has none.
const CARGO_DENY: &str = "0.20.2";

/// Seconds that the advisory database may take to come. It is a git repository that a machine
/// behind a registry mirror cannot reach, and a check that hangs is worse than one left out.
const ADVISORIES_SECONDS: &str = "60";

/// Checks licences, sources and bans, and the advisories where their database can be had.
pub(crate) fn check() -> Result<()> {
    let deny = shell::cargo_tool("cargo-deny", CARGO_DENY)?;
    deny.clone()
        .args(["check", "bans", "licenses", "sources"])
        .run()?;
    if !advisories_are_here(&deny) {
        eprintln!("the advisory database cannot be reached from here: advisories are not checked");
        return Ok(());
    }
    deny.args(["check", "advisories"]).run()
}

/// Fetches the advisory database within its time.
fn advisories_are_here(deny: &Program) -> bool {
    deny.clone()
        .args(["fetch", "db"])
        .within(ADVISORIES_SECONDS)
        .succeeds()
}
