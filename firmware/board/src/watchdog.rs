//! The processor's own watchdog: firmware that no longer comes round is reset, and a reset lets
//! go of the microphone's power switch.
//!
//! This is not the guard's watchdog over the host, which is in the guard's logic.

use crate::registers::{self, CLOCK_HZ, Register};

/// Milliseconds within which the main loop must come round. It does each 10 ms.
const PATIENCE_MS: u32 = 250;
/// Counts that one round of patience takes. The counter runs out twice: the first time it asks,
/// the second time it resets.
const RELOAD: u32 = CLOCK_HZ / 1_000 * PATIENCE_MS / 2;
/// What opens the registers, and what closes them again.
const UNLOCK: u32 = 0x1acc_e551;
const LOCK: u32 = 0;

/// `CONTROL`: count, and reset when it was asked in vain.
const COUNT_AND_RESET: u32 = 0b11;

/// The watchdog, which once started cannot be stopped: its registers are locked.
pub(crate) struct Watchdog {
    load: Register,
    control: Register,
    clear: Register,
    lock: Register,
}

impl Watchdog {
    /// Starts it.
    pub(crate) fn start() -> Self {
        // SAFETY: the design kit's watchdog is there, with registers at these offsets.
        let registers = unsafe {
            Self {
                load: Register::at(registers::WATCHDOG),
                control: Register::at(registers::WATCHDOG + 0x8),
                clear: Register::at(registers::WATCHDOG + 0xc),
                lock: Register::at(registers::WATCHDOG + 0xc00),
            }
        };
        registers.lock.write(UNLOCK);
        registers.load.write(RELOAD);
        registers.control.write(COUNT_AND_RESET);
        registers.lock.write(LOCK);
        registers
    }

    /// Says that the main loop came round.
    pub(crate) fn feed(&mut self) {
        self.lock.write(UNLOCK);
        self.clear.write(1);
        self.lock.write(LOCK);
    }
}
