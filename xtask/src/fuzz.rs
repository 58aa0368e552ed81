//! `cargo xtask fuzz`: the targets in `fuzz/`, each for a set time.
//!
//! They need the compiler's sanitizers, which are a nightly feature: a nightly toolchain is
//! used where there is one, and elsewhere the pinned one is told to act as it.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Program};

/// The cargo-fuzz that is built where the person has none.
const CARGO_FUZZ: &str = "0.13.2";

/// Megabytes that one input may make a target use, well above what the parsers' own bounds
/// allow and well below what makes a small machine swap.
const MEMORY_MEGABYTES: u32 = 2_048;

/// Run the fuzz targets.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The target to run; all of them, one after the other, when left out.
    target: Option<String>,
    /// How long to run each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only list the targets.
    #[arg(long)]
    list: bool,
}

/// Runs the chosen targets; the first finding ends it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = targets()?;
    if options.list {
        for target in &targets {
            println!("{target}");
        }
        return Ok(());
    }
    let chosen = match &options.target {
        None => targets,
        Some(name) if targets.contains(name) => vec![name.clone()],
        Some(name) => bail!("no fuzz target `{name}`; there are: {}", targets.join(", ")),
    };
    let cargo_fuzz = toolchain(shell::cargo_tool("cargo-fuzz", CARGO_FUZZ)?);
    for target in chosen {
        // What is found goes to a folder of its own; the committed corpus is only read.
        let found = format!("work/{target}");
        let committed = format!("corpus/{target}");
        for folder in [&found, &committed] {
            fs::create_dir_all(shell::workspace().join("fuzz").join(folder))?;
        }
        cargo_fuzz
            .clone()
            .args(["run", "--fuzz-dir", "."])
            .args([target, found, committed])
            .arg("--")
            .arg(format!("-max_total_time={}", options.seconds))
            .arg(format!("-rss_limit_mb={MEMORY_MEGABYTES}"))
            .arg("-print_final_stats=1")
            .run()?;
    }
    Ok(())
}

/// The targets, by the names of their files.
fn targets() -> Result<Vec<String>> {
    let folder = shell::workspace().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        if let (Some(stem), Some("rs")) = (
            path.file_stem().and_then(|stem| stem.to_str()),
            path.extension().and_then(|extension| extension.to_str()),
        ) {
            targets.push(stem.to_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

/// Has the program compile with a toolchain that lets it use sanitizers.
fn toolchain(program: Program) -> Program {
    let nightly = Program::new("rustup")
        .args(["run", "nightly", "cargo", "--version"])
        .succeeds();
    let program = program.at(shell::workspace().join("fuzz"));
    if nightly {
        // Outranks rust-toolchain.toml, and the toolchain that cargo handed down to us.
        program
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .env("CARGO", "cargo")
    } else {
        program.env("RUSTC_BOOTSTRAP", "1")
    }
}
