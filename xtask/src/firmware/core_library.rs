//! Where the core library for the bare target comes from.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::TARGET;
use crate::shell::{self, Program};

/// A way to the core library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Core {
    /// The toolchain has it.
    Installed,
    /// `rustup target add` brings it.
    Added,
    /// It is built from the toolchain's source.
    Source,
}

impl Core {
    /// The first way that works.
    pub(crate) fn first() -> Result<Self> {
        let mut reasons = Vec::new();
        for way in [Self::Installed, Self::Added, Self::Source] {
            match way.prepare() {
                Ok(core) => return Ok(core),
                Err(error) => reasons.push(format!("{error:#}")),
            }
        }
        bail!("no core library for {TARGET}: {}", reasons.join("; "))
    }

    /// Sees that this way works.
    pub(crate) fn prepare(self) -> Result<Self> {
        match self {
            Self::Installed if !is_installed()? => bail!("it is not installed"),
            Self::Installed => {}
            Self::Added => Program::new("rustup")
                .args(["target", "add", TARGET])
                .at(shell::workspace())
                .run()
                .context("it cannot be had from rustup")?,
            Self::Source => {
                if !has_source()? {
                    Program::new("rustup")
                        .args(["component", "add", "rust-src"])
                        .at(shell::workspace())
                        .run()
                        .context("its source is neither here nor to be had from rustup")?;
                }
            }
        }
        Ok(self)
    }

    /// Has cargo use it.
    pub(crate) fn configure(self, cargo: Program) -> Program {
        match self {
            Self::Installed | Self::Added => cargo,
            // An unstable option of cargo's, which the pinned toolchain is told to take.
            Self::Source => cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core"),
        }
    }
}

impl fmt::Display for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Installed => "installed",
            Self::Added => "added by rustup",
            Self::Source => "built from its source",
        })
    }
}

fn is_installed() -> Result<bool> {
    Ok(sysroot()?
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .is_dir())
}

fn has_source() -> Result<bool> {
    Ok(sysroot()?
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .is_file())
}

/// Where the toolchain of this repository is.
fn sysroot() -> Result<PathBuf> {
    let printed = Program::new("rustc")
        .args(["--print", "sysroot"])
        .at(shell::workspace())
        .output()?;
    Ok(PathBuf::from(printed.trim()))
}
