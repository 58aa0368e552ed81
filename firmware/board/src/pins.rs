//! The three pins: the power switch's gate, the mute switch's second pole, the rail's sense.
//!
//! On this machine the first light's register drives the gate, and the buttons' register reads the
//! senses. What is not connected reads as [`earnest_guard::pins::Hands`] wants it: as mute, and as
//! no power.
//! With the feature `bench` the senses come from the bench's port instead ([`crate::bench`]).

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, InputPin, OutputPin};

use crate::registers::{self, Register};

/// The bit of the gate in the lights' register.
const GATE: u32 = 1 << 0;

/// Drives the gate of the microphone's power switch. Low after a reset.
pub(crate) struct Power;

fn lights() -> Register {
    // SAFETY: the board's light register is there.
    unsafe { Register::at(registers::LIGHTS) }
}

/// Lets go of the gate, from anywhere: the first thing done when anything fails.
pub(crate) fn cut() {
    lights().write(lights().read() & !GATE);
    #[cfg(feature = "bench")]
    crate::bench::gate(false);
}

impl ErrorType for Power {
    type Error = Infallible;
}

impl OutputPin for Power {
    fn set_low(&mut self) -> Result<(), Infallible> {
        if lights().read() & GATE != 0 {
            cut();
        }
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        if lights().read() & GATE == 0 {
            lights().write(lights().read() | GATE);
            #[cfg(feature = "bench")]
            crate::bench::gate(true);
        }
        Ok(())
    }
}

/// A sense: which bit of the buttons' register it reads, and how.
pub(crate) struct Sense {
    bit: u32,
    inverted: bool,
}

impl Sense {
    /// The mute switch's second pole: high at mute. A button at rest reads 0, so it is inverted.
    pub(crate) const SWITCH: Self = Self {
        bit: 1 << 0,
        inverted: true,
    };
    /// The rail behind both switches: high where the microphone has power.
    pub(crate) const RAIL: Self = Self {
        bit: 1 << 1,
        inverted: false,
    };

    fn read(&self) -> bool {
        (levels() & self.bit != 0) != self.inverted
    }
}

#[cfg(not(feature = "bench"))]
fn levels() -> u32 {
    // SAFETY: the board's button register is there.
    unsafe { Register::at(registers::BUTTONS) }.read()
}

#[cfg(feature = "bench")]
fn levels() -> u32 {
    crate::bench::levels()
}

impl ErrorType for Sense {
    type Error = Infallible;
}

impl InputPin for Sense {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.read())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.read())
    }
}
