//! A guard on a bench: its chip, the rail around it, and time as it is told.

use std::convert::Infallible;
use std::time::Duration;

use earnest_guard::pins::Hands;
use earnest_guard::{Guard, Outbox, Settings};
use earnest_wire::{Faults, Identity, PairingKey, Switch, Why};
use embassy_time::Instant;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};

use crate::kept::Kept;
use crate::liar::Liar;
use crate::rail::Rail;

/// Bytes that the chip takes at once before it looks at its pins, as the board does.
const AT_ONCE: usize = 64;

/// The shortest step of time, so that time always gets on.
const STEP: embassy_time::Duration = embassy_time::Duration::from_millis(1);

/// What the chip runs.
#[derive(Debug, Clone)]
pub enum Firmware {
    /// The guard's own logic.
    Honest,
    /// Somebody else's, who took the key out of the chip: it drives the gate whatever happens, and
    /// says that the switch is open and all is well.
    Lying {
        /// The key that the host was paired with.
        key: PairingKey,
    },
}

/// What a person at the bench sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// The mute switch.
    pub switch: Switch,
    /// Whether firmware drives the power switch's gate.
    pub gate: bool,
    /// Whether the microphone has power.
    pub power: bool,
    /// Whether the light is on.
    pub light: bool,
    /// Whether the guard has a key.
    pub paired: bool,
    /// Whether a host has proved that it has the key.
    pub session: bool,
    /// How often the guard has started since its memory was erased.
    pub boots: u32,
    /// Why the guard gives power, or does not.
    pub why: Why,
    /// What went wrong so far.
    pub faults: Faults,
}

impl Picture {
    /// Frames that were not taken, for whatever reason.
    pub fn refused(&self) -> u32 {
        let Faults {
            crc,
            mac,
            replayed,
            malformed,
            wrong_version,
            overflow,
            ..
        } = self.faults;
        [crc, mac, replayed, malformed, wrong_version, overflow]
            .into_iter()
            .fold(0, u32::saturating_add)
    }
}

/// A guard and its hardware, without a clock: time passes when [`Bench::pass`] says so.
///
/// ```
/// use std::time::Duration;
/// use earnest_sim::{Bench, Firmware, Kept};
/// use earnest_wire::{Switch, Why};
///
/// let mut bench = Bench::new(Firmware::Honest, Kept::default());
/// bench.slide(Switch::Open);
/// bench.pass(Duration::from_millis(50));
/// assert_eq!(bench.picture().why, Why::NoKey);
/// assert!(!bench.picture().light);
/// ```
#[derive(Debug)]
pub struct Bench {
    firmware: Firmware,
    settings: Settings,
    kept: Kept,
    rail: Rail,
    chip: Chip,
    hands: Hands<Pole, Sense, Gate>,
    out: Outbox,
    /// Since the chip's last start.
    now: Instant,
}

#[derive(Debug)]
enum Chip {
    Honest(Box<Guard<Kept>>),
    Lying(Box<Liar>),
}

impl Bench {
    /// A bench with the switch at mute, and a chip that has just started.
    pub fn new(firmware: Firmware, kept: Kept) -> Self {
        Self::with_settings(firmware, kept, Settings::default())
    }

    /// As [`Bench::new`], with other times and rates than a product has.
    pub fn with_settings(firmware: Firmware, kept: Kept, settings: Settings) -> Self {
        let rail = Rail::default();
        let mut bench = Self {
            chip: Chip::start(&firmware, &kept, settings),
            firmware,
            settings,
            kept,
            hands: Hands {
                switch: Pole(rail.clone()),
                rail: Sense(rail.clone()),
                power: Gate(rail.clone()),
            },
            rail,
            out: Outbox::new(),
            now: Instant::from_ticks(0),
        };
        bench.serve();
        bench
    }

    /// The number on the chip of every bench.
    pub fn identity() -> Identity {
        Identity::of_chip(b"bench")
    }

    /// The hardware. Whoever moves the switch there and not by [`Bench::slide`] does it behind the
    /// chip's back, until it looks again.
    pub fn rail(&self) -> &Rail {
        &self.rail
    }

    /// A person moves the switch.
    pub fn slide(&mut self, switch: Switch) {
        self.rail.slide(switch);
        self.serve();
    }

    /// Bytes come from the host.
    pub fn receive(&mut self, bytes: &[u8]) {
        for some in bytes.chunks(AT_ONCE) {
            match &mut self.chip {
                Chip::Honest(guard) => guard.receive(some, self.now, &mut self.out),
                Chip::Lying(liar) => liar.receive(some),
            }
            self.serve();
        }
    }

    /// The next byte for the host.
    pub fn send(&mut self) -> Option<u8> {
        match &mut self.chip {
            Chip::Honest(_) => self.out.pop(),
            Chip::Lying(liar) => liar.send(),
        }
    }

    /// Everything that waits for the host.
    pub fn sent(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            while let Some(byte) = self.send() {
                bytes.push(byte);
            }
            // With room again, the guard says what it could not say before.
            self.serve();
            if !self.has_to_send() {
                return bytes;
            }
        }
    }

    /// Whether anything waits for the host.
    pub fn has_to_send(&self) -> bool {
        match &self.chip {
            Chip::Honest(_) => !self.out.is_empty(),
            Chip::Lying(liar) => liar.has_to_send(),
        }
    }

    /// Time passes, with everything in it that is due.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + ticks(time);
        while self.now < end {
            let due = self.due().unwrap_or(end).max(self.now + STEP);
            self.now = due.min(end);
            self.serve();
        }
    }

    /// How long until something is due, if nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        let left = self.due()?.saturating_duration_since(self.now).max(STEP);
        Some(Duration::from_micros(left.as_micros()))
    }

    /// The chip is reset: it forgets all but what it keeps, and lets go of the gate.
    pub fn reset(&mut self) {
        self.rail.drive(false);
        self.out = Outbox::new();
        self.now = Instant::from_ticks(0);
        self.chip = Chip::start(&self.firmware, &self.kept, self.settings);
        self.serve();
    }

    /// Somebody writes other firmware onto the chip, and resets it.
    pub fn flash(&mut self, firmware: Firmware) {
        self.firmware = firmware;
        self.reset();
    }

    /// How things look.
    pub fn picture(&self) -> Picture {
        let (paired, session, boots, why, faults) = match &self.chip {
            Chip::Honest(guard) => (
                guard.is_paired(),
                guard.has_session(),
                guard.boots(),
                guard.why(),
                guard.faults(),
            ),
            Chip::Lying(liar) => (true, liar.has_session(), 1, Why::Live, Faults::default()),
        };
        Picture {
            switch: self.rail.switch(),
            gate: self.rail.gate(),
            power: self.rail.power(),
            light: self.rail.light(),
            paired,
            session,
            boots,
            why,
            faults,
        }
    }

    fn due(&self) -> Option<Instant> {
        match &self.chip {
            Chip::Honest(guard) => guard.deadline(),
            Chip::Lying(_) => None,
        }
    }

    /// What the board's loop does in each round.
    fn serve(&mut self) {
        match &mut self.chip {
            Chip::Honest(guard) => {
                let Ok(()) = self.hands.serve(guard, self.now, &mut self.out);
            }
            Chip::Lying(_) => self.rail.drive(true),
        }
    }
}

impl Chip {
    fn start(firmware: &Firmware, kept: &Kept, settings: Settings) -> Self {
        let identity = Bench::identity();
        match firmware {
            Firmware::Honest => {
                let now = Instant::from_ticks(0);
                Self::Honest(Box::new(Guard::new(settings, identity, kept.clone(), now)))
            }
            Firmware::Lying { key } => Self::Lying(Box::new(Liar::new(identity, key.clone()))),
        }
    }
}

fn ticks(time: Duration) -> embassy_time::Duration {
    embassy_time::Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// The second pole of the mute switch: high at mute.
#[derive(Debug)]
struct Pole(Rail);

/// The rail's sense: high with power.
#[derive(Debug)]
struct Sense(Rail);

/// The power switch's gate.
#[derive(Debug)]
struct Gate(Rail);

impl ErrorType for Pole {
    type Error = Infallible;
}

impl InputPin for Pole {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.switch() == Switch::Muted)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.switch() == Switch::Open)
    }
}

impl ErrorType for Sense {
    type Error = Infallible;
}

impl InputPin for Sense {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.power())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.power())
    }
}

impl ErrorType for Gate {
    type Error = Infallible;
}

impl OutputPin for Gate {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.drive(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.drive(true);
        Ok(())
    }
}
