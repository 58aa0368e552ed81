//! Whole processes, measured from outside: time, processor time and peak memory.
//!
//! The kernel adds a child's peak memory up only over all children that were waited for, and
//! a child inherits its parent's peak until it has replaced the program. So each process is
//! run by a small process of its own (the hidden verb `measured`), which reports on its one
//! child as JSON.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// What one process took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// On processors, in its own code and in the kernel for it.
    pub(crate) processor_seconds: f64,
    /// Peak resident memory in bytes.
    pub(crate) peak_bytes: u64,
    /// What it wrote to its standard output.
    pub(crate) output: String,
}

impl Usage {
    /// Peak memory in megabytes of 10^6 bytes.
    pub(crate) fn peak_megabytes(&self) -> f64 {
        self.peak_bytes as f64 / 1e6
    }
}

/// Runs `program` under a measuring process of this same binary.
pub(crate) fn measure<S: AsRef<OsStr>>(program: &OsStr, arguments: &[S]) -> Result<Usage> {
    let output = Command::new(std::env::current_exe()?)
        .args(["measured", "--"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the measuring process")?;
    ensure!(output.status.success(), "{} failed", program.display());
    serde_json::from_slice(&output.stdout).context("the measuring process said no JSON")
}

/// The hidden verb: runs `command`, prints its [`Usage`] as JSON.
pub(crate) fn run_measured(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no command to measure")?;
    let begin = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "{program} ended with {}",
        output.status
    );
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time =
        |value: nix::sys::time::TimeVal| value.tv_sec() as f64 + value.tv_usec() as f64 / 1e6;
    let usage = Usage {
        seconds,
        processor_seconds: time(usage.user_time()) + time(usage.system_time()),
        // Linux counts in kibibytes.
        peak_bytes: u64::try_from(usage.max_rss())? * 1024,
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
    };
    println!("{}", serde_json::to_string(&usage)?);
    Ok(())
}
