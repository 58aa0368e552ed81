//! `cargo xtask firmware`: the guard for the microcontroller, from source to a board.
//!
//! The firmware is a workspace of its own (`firmware/board`), built for bare metal. `build` takes
//! the core library where it finds one: installed, else from rustup, else from its source; it says
//! which. `run` is QEMU, `flash` is probe-rs, and `size` holds the image to its memory.

mod core_library;
mod image;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Mode};
use crate::shell::{self, Program, on_path};
use core_library::Core;

/// The processor: a Cortex-M4 with its floating-point unit.
pub(crate) const TARGET: &str = "thumbv7em-none-eabihf";

/// The machine that QEMU plays: Arm's MPS2 board with a Cortex-M4 in it.
const MACHINE: &str = "mps2-an386";

/// Build, run, flash or measure the guard's firmware.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Build the image, and say where the core library came from.
    Build(BuildOptions),
    /// Run the image in QEMU: its line on a Unix socket, and its pins in the terminal.
    Run(RunOptions),
    /// Write the image onto a board, through a debug probe.
    Flash(FlashOptions),
    /// Build the image, and hold it to 64 KiB of flash and 16 KiB of RAM.
    Size(BuildOptions),
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct BuildOptions {
    /// For QEMU: the second serial port stands for the pins. Not for a device.
    #[arg(long)]
    bench: bool,
    /// Where to take the core library from: the first that can be had, when left out.
    #[arg(long, value_enum)]
    core: Option<Core>,
}

#[derive(Debug, clap::Args)]
struct RunOptions {
    /// The socket of the line to the host; one beside the image, when left out.
    #[arg(long)]
    line: Option<PathBuf>,
    /// No terminal picture: QEMU alone, and the socket of the pins for another program.
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, clap::Args)]
struct FlashOptions {
    /// The chip, by probe-rs's name (`probe-rs chip list`).
    #[arg(long)]
    chip: String,
    /// Start the image afterwards, and stay with it.
    #[arg(long)]
    run: bool,
}

/// Does what the verb says.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.verb {
        Verb::Build(options) => {
            println!("{}", build(options)?.display());
            Ok(())
        }
        Verb::Run(options) => emulate(options),
        Verb::Flash(options) => flash(options),
        Verb::Size(options) => image::check(&build(options)?),
    }
}

/// Says to the tests that there is no core library for the board, and so no image.
const NONE: &str = "EARNEST_NO_FIRMWARE";
/// Says to the tests where the image for the bench is.
const IMAGE: &str = "EARNEST_GUARD_IMAGE";

/// Gives the tests an image for the bench, or says that there can be none.
pub(crate) fn for_tests(runner: Program) -> Result<Program> {
    let Ok(core) = Core::first() else {
        eprintln!("no core library for {TARGET}: the tests of the guard's image are left out");
        return Ok(runner.env(NONE, "1"));
    };
    let options = BuildOptions {
        bench: true,
        core: Some(core),
    };
    Ok(runner.env(IMAGE, build(&options)?.to_string_lossy()))
}

/// What `cargo xtask test` does: the bare-metal build of all three crates, its lints and its size.
///
/// Where no core library can be had, it says so and leaves the rest.
pub(crate) fn test() -> Result<()> {
    let core = match Core::first() {
        Ok(core) => core,
        Err(error) => {
            eprintln!("the firmware is not built, and its tests are left out: {error:#}");
            return Ok(());
        }
    };
    for package in ["earnest-wire", "earnest-guard"] {
        let check = Program::cargo().args(["check", "--package", package]);
        core.configure(check.args(["--target", TARGET]).args(into_own_folder()))
            .run()?;
    }
    at_board(Program::cargo().args(["fmt", "--check"])).run()?;
    for features in [&[][..], &["--features", "bench"]] {
        let clippy = Program::cargo()
            .args(["clippy", "--locked", "--release"])
            .args(into_own_folder())
            .args(features.iter().copied());
        core.configure(at_board(clippy))
            .args(["--", "--deny", "warnings"])
            .run()?;
    }
    for bench in [true, false] {
        let options = BuildOptions {
            bench,
            core: Some(core),
        };
        image::check(&build(&options)?)?;
    }
    Ok(())
}

/// Builds the image and returns where it is.
fn build(options: &BuildOptions) -> Result<PathBuf> {
    let core = match options.core {
        Some(core) => core.prepare()?,
        None => Core::first()?,
    };
    eprintln!("core library for {TARGET}: {core}");
    let cargo = at_board(Program::cargo())
        .args(["build", "--locked", "--release"])
        .args(into_own_folder());
    let cargo = if options.bench {
        cargo.args(["--features", "bench"])
    } else {
        cargo
    };
    core.configure(cargo).run()?;
    let built = folder()
        .join(TARGET)
        .join("release")
        .join("earnest-guard-board");
    // The two images have names of their own, so that neither is taken for the other.
    let image = folder().join(if options.bench {
        "guard-bench.elf"
    } else {
        "guard.elf"
    });
    // Whole or not at all: tests that build at once read it at once.
    let whole = image.with_extension(format!("{}", std::process::id()));
    fs::copy(&built, &whole).with_context(|| format!("no image at {}", built.display()))?;
    fs::rename(&whole, &image)?;
    Ok(image)
}

/// Runs the image in QEMU, until a key or Ctrl-C ends it.
fn emulate(options: &RunOptions) -> Result<()> {
    setup::install(&[setup::EMULATOR], Mode::Act)?;
    let image = build(&BuildOptions {
        bench: true,
        core: None,
    })?;
    let line = options
        .line
        .clone()
        .unwrap_or_else(|| folder().join("line.sock"));
    if options.plain {
        let bench = folder().join("bench.sock");
        println!("line to the host: {}", line.display());
        println!("pins: {}", bench.display());
        return Program::new("qemu-system-arm")
            .args(["-machine", MACHINE, "-display", "none", "-monitor", "none"])
            .args(["-serial".to_owned(), socket(&line)])
            .args(["-serial".to_owned(), socket(&bench)])
            .args(["-kernel".to_owned(), image.to_string_lossy().into_owned()])
            .run();
    }
    Program::cargo()
        .args(["run", "--quiet", "--package", "earnest-sim", "--"])
        .args(["--board".to_owned(), image.to_string_lossy().into_owned()])
        .args(["--socket".to_owned(), line.to_string_lossy().into_owned()])
        .run_at_the_terminal()
}

/// A serial port that others connect to.
fn socket(path: &std::path::Path) -> String {
    // QEMU reads a comma as the end of the path, unless it is doubled.
    let path = path.to_string_lossy().replace(',', ",,");
    format!("unix:{path},server=on,wait=off")
}

/// Writes the image for devices onto a board.
fn flash(options: &FlashOptions) -> Result<()> {
    if !on_path("probe-rs") {
        bail!(
            "flashing goes through probe-rs, which is not installed: \
             `cargo install probe-rs-tools --locked`, then plug in the probe and run this again"
        );
    }
    let image = build(&BuildOptions {
        bench: false,
        core: None,
    })?;
    image::check(&image)?;
    let verb = if options.run { "run" } else { "download" };
    Program::new("probe-rs")
        .args([verb, "--chip", options.chip.as_str(), "--verify"])
        .arg(image.to_string_lossy())
        .run()
}

/// Where the firmware is built: away from the workspace's own programs.
fn folder() -> PathBuf {
    shell::target_directory().join("firmware")
}

fn into_own_folder() -> [String; 2] {
    [
        "--target-dir".to_owned(),
        folder().to_string_lossy().into_owned(),
    ]
}

fn at_board(program: Program) -> Program {
    program.at(shell::workspace().join("firmware/board"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_does_not_end_the_path_of_a_socket() {
        assert_eq!(
            socket(std::path::Path::new("/a,b/line")),
            "unix:/a,,b/line,server=on,wait=off"
        );
    }

    #[test]
    fn the_firmware_is_built_in_its_own_folder() {
        assert!(folder().ends_with("firmware"));
        assert_eq!(into_own_folder()[0], "--target-dir");
    }
}
