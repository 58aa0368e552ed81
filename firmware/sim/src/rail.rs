//! The microphone's supply rail, as it is soldered.

use std::sync::{Arc, Mutex, PoisonError};

use earnest_wire::Switch;

/// The rail: the mute switch and the guard's power switch in series, and behind both the
/// microphone and the light. Its clones are the same rail.
///
/// Who moves the switch is a person; who drives the gate is firmware, honest or not. There is no
/// way to give the microphone power but both of them.
///
/// ```
/// use earnest_sim::Rail;
/// use earnest_wire::Switch;
///
/// let rail = Rail::default();
/// rail.drive(true);
/// assert!(!rail.light());
/// rail.slide(Switch::Open);
/// assert!(rail.light());
/// ```
#[derive(Debug, Clone)]
pub struct Rail(Arc<Mutex<Parts>>);

#[derive(Debug)]
struct Parts {
    switch: Switch,
    gate: bool,
}

impl Default for Rail {
    /// At mute, and nobody drives the gate.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Parts {
            switch: Switch::Muted,
            gate: false,
        })))
    }
}

impl Rail {
    /// A person moves the mute switch.
    pub fn slide(&self, switch: Switch) {
        self.with(|parts| parts.switch = switch);
    }

    /// Firmware drives the gate of the power switch, or lets it go.
    pub fn drive(&self, gate: bool) {
        self.with(|parts| parts.gate = gate);
    }

    /// Where the mute switch is, which its second pole tells the guard.
    pub fn switch(&self) -> Switch {
        self.with(|parts| parts.switch)
    }

    /// Whether the gate is driven.
    pub fn gate(&self) -> bool {
        self.with(|parts| parts.gate)
    }

    /// Whether the rail carries power behind both switches, which the guard senses.
    pub fn power(&self) -> bool {
        self.with(|parts| parts.gate && parts.switch == Switch::Open)
    }

    /// Whether the light is on. It hangs on the rail, and on nothing else.
    pub fn light(&self) -> bool {
        self.power()
    }

    /// What the microphone makes of the sound around it: silence without power.
    pub fn hear(&self, sound: &mut [f32]) {
        if !self.power() {
            sound.fill(0.0);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Parts) -> T) -> T {
        // Two words that are always whole: a panic elsewhere leaves them good.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
