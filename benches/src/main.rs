//! Speed, memory and accuracy, side by side with what a user would pick instead.
//!
//! `prepare` fetches what the measurements need; each other verb answers one question and
//! prints tables. `--json FILE` appends the same figures as JSON lines.

mod accuracy;
mod anomalies;
mod bench;
mod bootstrap;
mod corpus;
mod daemon;
mod earnest;
mod endpoint;
mod engine;
mod http;
mod listening;
mod live;
mod load;
mod long;
mod loops;
mod memory;
mod normalise;
mod places;
mod prepare;
mod process;
mod reference;
mod report;
mod robust;
mod silence;
mod sound;
mod speed;
mod tune;
mod verbs;
mod wake;
mod wer;

use anyhow::Result;
use clap::Parser as _;

fn main() -> Result<()> {
    verbs::Arguments::parse().run()
}
