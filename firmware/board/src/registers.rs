//! The machine's registers: where they are, and the one way of reading and writing them.
//!
//! The addresses are those of Arm's application note AN386 (MPS2 board, Cortex-M4) and of the
//! Cortex-M System Design Kit's peripherals on it; QEMU's `mps2-an386` has the same.

/// One 32-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Register(*mut u32);

// SAFETY: the value is an address; reads and writes of it are volatile and of a single word, which
// the bus makes atomic.
unsafe impl Sync for Register {}
// SAFETY: as above.
unsafe impl Send for Register {}

impl Register {
    /// The register at this address.
    ///
    /// # Safety
    /// There is a register of this machine at the address, or RAM that nothing else uses, for as
    /// long as the program runs.
    pub(crate) const unsafe fn at(address: usize) -> Self {
        Self(address as *mut u32)
    }

    /// What it holds.
    pub(crate) fn read(self) -> u32 {
        // SAFETY: who made the value vouched for the address.
        unsafe { self.0.read_volatile() }
    }

    /// Puts a value there.
    pub(crate) fn write(self, value: u32) {
        // SAFETY: who made the value vouched for the address.
        unsafe { self.0.write_volatile(value) }
    }
}

/// The first serial port: the line to the host.
pub(crate) const HOST_PORT: usize = 0x4000_4000;
/// The second serial port: the bench, where the image is built for one.
#[cfg(feature = "bench")]
pub(crate) const BENCH_PORT: usize = 0x4000_5000;
/// The watchdog of the Cortex-M System Design Kit.
pub(crate) const WATCHDOG: usize = 0x4000_8000;
/// Lights and buttons of the board, which stand for the pins: the power switch's gate is the first
/// light's, the switch's second pole and the rail's sense are the two buttons'.
pub(crate) const LIGHTS: usize = 0x4002_8000;
/// The two buttons.
#[cfg(not(feature = "bench"))]
pub(crate) const BUTTONS: usize = 0x4002_8008;
/// The system controller's two registers that say which board and which image this is.
pub(crate) const BOARD: usize = 0x4002_fff8;

/// Clock of the processor, the ports and the watchdog, in hertz.
pub(crate) const CLOCK_HZ: u32 = 25_000_000;
