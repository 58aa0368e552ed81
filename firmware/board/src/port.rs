//! A serial port of the Cortex-M System Design Kit, with a bounded queue each way.
//!
//! Nothing here waits for the other side: what comes while the queue is full is dropped, which
//! breaks a frame that the guard then counts, and what has no room to go stays with the caller. So
//! a host that floods the line, or that stops reading, cannot hold up the loop that watches the
//! switch.

use core::convert::Infallible;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embedded_io::{ErrorType, Write};

use crate::registers::{CLOCK_HZ, Register};

/// Line rate in bits a second, which both sides are built with.
const BAUD: u32 = 115_200;

/// Bytes that may wait to be read: 22 ms of a line at full rate, several turns of the main loop.
const INWARD: usize = 256;
/// Bytes that may wait to go: a frame. More would only be older when it arrives.
const OUTWARD: usize = 128;

/// `STATE`: a byte waits to go.
const FULL_OUT: u32 = 1 << 0;
/// `STATE`: a byte waits to be read.
const FULL_IN: u32 = 1 << 1;
/// `STATE`: a byte was lost in the port itself; written back, as it else stays.
const OVERRUN_IN: u32 = 1 << 3;
/// `CTRL`: send, receive, and an interrupt for each.
const ENABLE_ALL: u32 = 0b1111;
/// `INTSTATUS`, written to clear: everything.
const CLEAR_ALL: u32 = 0b1111;

/// One port.
pub(crate) struct Port {
    data: Register,
    state: Register,
    control: Register,
    interrupts: Register,
    divider: Register,
    inward: Pipe<CriticalSectionRawMutex, INWARD>,
    outward: Pipe<CriticalSectionRawMutex, OUTWARD>,
}

impl Port {
    /// The port whose registers begin here.
    ///
    /// # Safety
    /// There is such a port, and this is the only value made of it.
    pub(crate) const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller vouches for the port; the offsets are those of the design kit's
        // technical reference manual.
        unsafe {
            Self {
                data: Register::at(base),
                state: Register::at(base + 0x4),
                control: Register::at(base + 0x8),
                interrupts: Register::at(base + 0xc),
                divider: Register::at(base + 0x10),
                inward: Pipe::new(),
                outward: Pipe::new(),
            }
        }
    }

    /// Sets the rate and starts both directions.
    pub(crate) fn start(&self) {
        self.divider.write(CLOCK_HZ / BAUD);
        self.interrupts.write(CLEAR_ALL);
        self.control.write(ENABLE_ALL);
    }

    /// Waits for bytes.
    pub(crate) async fn read(&self, into: &mut [u8]) -> usize {
        self.inward.read(into).await
    }

    /// What the port's receive interrupt does.
    pub(crate) fn received(&self) {
        self.interrupts.write(1 << 1);
        if self.state.read() & OVERRUN_IN != 0 {
            self.state.write(OVERRUN_IN);
        }
        if self.state.read() & FULL_IN != 0 {
            let byte = self.data.read() as u8;
            // A full queue is a host that sends more than it may: the byte is dropped.
            let _dropped = self.inward.try_write(&[byte]).is_err();
        }
    }

    /// What the port's transmit interrupt does.
    pub(crate) fn sent(&self) {
        self.interrupts.write(1);
        self.send_next();
    }

    /// Gives the port its next byte, if it has room for one and there is one.
    fn send_next(&self) {
        let mut byte = [0];
        if self.state.read() & FULL_OUT == 0 && self.outward.try_read(&mut byte).is_ok() {
            self.data.write(u32::from(byte[0]));
        }
    }
}

impl ErrorType for &Port {
    type Error = Infallible;
}

impl Write for &Port {
    /// Takes what there is room for, which may be nothing.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let taken = self.outward.try_write(bytes).unwrap_or(0);
        cortex_m::interrupt::free(|_| self.send_next());
        Ok(taken)
    }

    /// Waits for nothing: whatever was taken goes by itself.
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
