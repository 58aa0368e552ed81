//! The pins, as a board and the simulator have them.

use earnest_wire::Switch;
use embassy_time::Instant;
use embedded_hal::digital::{InputPin, OutputPin};

use crate::memory::Store;
use crate::outbox::Outbox;
use crate::state::Guard;

/// The guard's three pins.
///
/// | pin | direction | high | not connected |
/// |---|---|---|---|
/// | `switch` | in, pulled up | at mute | at mute |
/// | `rail` | in, pulled down | the rail carries power | no power |
/// | `power` | out, pulled down | the power switch is on | off |
///
/// A pin that cannot be read counts as what is safe: the switch as at mute, and the rail as carrying
/// what was not commanded.
#[derive(Debug)]
pub struct Hands<S, R, P> {
    /// The second pole of the mute switch.
    pub switch: S,
    /// The rail behind both switches.
    pub rail: R,
    /// The power switch.
    pub power: P,
}

impl<S: InputPin, R: InputPin, P: OutputPin> Hands<S, R, P> {
    /// Reads both pins, lets time pass, and drives the power switch. To be called at each edge of a
    /// pin, after bytes were received, and at [`Guard::deadline`].
    ///
    /// # Errors
    /// The power switch's pin could not be driven: the caller has to reset the chip, which opens
    /// it.
    pub fn serve<M: Store>(
        &mut self,
        guard: &mut Guard<M>,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), P::Error> {
        let level = match self.switch.is_low() {
            Ok(true) => Switch::Open,
            Ok(false) | Err(_) => Switch::Muted,
        };
        guard.switch(level, now, out);
        // What was commanded until now goes out before the rail is judged.
        self.drive(guard)?;
        let sensed = self.rail.is_high().unwrap_or(!guard.power());
        guard.rail(sensed, now, out);
        guard.tick(now, out);
        self.drive(guard)
    }

    /// Cuts the microphone, whatever the guard says: for whoever panics.
    ///
    /// # Errors
    /// The pin could not be driven.
    pub fn cut(&mut self) -> Result<(), P::Error> {
        self.power.set_low()
    }

    fn drive<M: Store>(&mut self, guard: &Guard<M>) -> Result<(), P::Error> {
        self.power.set_state(guard.power().into())
    }
}
