//! What an image takes of the microcontroller's memory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::elf::FileHeader32;
use object::read::elf::ElfFile;
use object::{Endianness, Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _};

/// Flash that the guard may take.
const FLASH: u64 = 64 * 1024;
/// RAM that the guard may take, with its stacks.
const RAM: u64 = 16 * 1024;
/// Where RAM begins on the machine; what lies below is flash.
const RAM_BEGINS: u64 = 0x2000_0000;

type Elf<'data> = ElfFile<'data, FileHeader32<Endianness>>;

/// Bytes that an image takes.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    /// Vectors, code, constants, and what variables begin with.
    flash: u64,
    /// Variables.
    variables: u64,
    /// The executor's stack with the strip below it.
    thread_stack: u64,
    /// The handlers' stack with the strip below it.
    handler_stack: u64,
}

impl Taken {
    fn ram(&self) -> u64 {
        self.variables + self.thread_stack + self.handler_stack
    }
}

/// Prints what the image takes, and fails where that is too much.
pub(super) fn check(path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("no image at {}", path.display()))?;
    let taken = measure(&bytes).with_context(|| format!("{} is no image", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    println!("{name:24} {:>7}  of {FLASH:>6}", "bytes");
    println!("{:24} {:>7}  {FLASH:>9}", "flash", taken.flash);
    println!("{:24} {:>7}  {RAM:>9}", "RAM", taken.ram());
    println!("{:24} {:>7}", "  variables", taken.variables);
    println!("{:24} {:>7}", "  executor's stack", taken.thread_stack);
    println!("{:24} {:>7}", "  handlers' stack", taken.handler_stack);
    judge(&taken)
}

fn judge(taken: &Taken) -> Result<()> {
    if taken.flash > FLASH {
        bail!("{} bytes of flash, at most {FLASH}", taken.flash);
    }
    if taken.ram() > RAM {
        bail!("{} bytes of RAM, at most {RAM}", taken.ram());
    }
    Ok(())
}

fn measure(bytes: &[u8]) -> Result<Taken> {
    let elf = Elf::parse(bytes)?;
    let flash = elf.segments().map(|segment| segment.file_range().1).sum();
    // What is not loaded, such as what debuggers read, has no address.
    let variables = elf
        .sections()
        .filter(|section| section.address() >= RAM_BEGINS)
        .map(|section| section.size())
        .sum();
    let symbol = |name: &str| {
        elf.symbol_by_name(name)
            .map(|symbol| symbol.address())
            .with_context(|| format!("no symbol {name}"))
    };
    let between = |from, to| -> Result<u64> {
        let (from, to) = (symbol(from)?, symbol(to)?);
        to.checked_sub(from)
            .with_context(|| format!("a stack from {from:#x} to {to:#x}"))
    };
    Ok(Taken {
        flash,
        variables,
        thread_stack: between("_thread_strip", "_thread_stack_start")?,
        handler_stack: between("_handler_strip", "_stack_start")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FITS: Taken = Taken {
        flash: FLASH,
        variables: RAM - 3_072,
        thread_stack: 2_048,
        handler_stack: 1_024,
    };

    #[test]
    fn an_image_that_fills_its_memory_fits() {
        assert!(judge(&FITS).is_ok());
    }

    #[test]
    fn a_byte_too_many_is_told() {
        let flash = Taken {
            flash: FLASH + 1,
            ..FITS
        };
        let stack = Taken {
            thread_stack: 2_049,
            ..FITS
        };
        assert!(judge(&flash).unwrap_err().to_string().contains("flash"));
        assert!(judge(&stack).unwrap_err().to_string().contains("RAM"));
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        assert!(measure(b"").is_err());
        assert!(measure(&[0x7f, b'E', b'L', b'F', 1, 1, 1, 0]).is_err());
    }
}
