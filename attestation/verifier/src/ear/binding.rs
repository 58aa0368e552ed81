//! A result held against the device as it is now.

use std::time::Duration;

use earnest_evidence::tpm::{ClockInfo, Name};

use super::{Ear, Tier};

/// What a result is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The attestation key.
    pub ak_name: Name,
    /// The boot, as the TPM counts them.
    pub reset_count: u32,
    /// The resumes since, as the TPM counts them. Its clock stands still while it has no power,
    /// so that a result does not outlive a suspension.
    pub restart_count: u32,
    /// The TPM's clock at the quote, in milliseconds.
    pub clock: u64,
    /// How long the result holds, from the quote on.
    pub lifetime: Duration,
}

/// The device as its TPM says now (`TPM2_ReadClock`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceState {
    /// The name of its attestation key.
    pub ak_name: Name,
    /// Its TPM's reset count.
    pub reset_count: u32,
    /// Its TPM's restart count.
    pub restart_count: u32,
    /// Its TPM's clock, in milliseconds.
    pub clock: u64,
}

impl DeviceState {
    /// The device with this key whose TPM reads so.
    pub fn new(ak_name: Name, clock: &ClockInfo) -> DeviceState {
        DeviceState {
            ak_name,
            reset_count: clock.reset_count,
            restart_count: clock.restart_count,
            clock: clock.clock,
        }
    }
}

/// Why a result says nothing of this device as it is now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// Another device's.
    #[error("the result is of attestation key {expected}; this device has {found}")]
    OtherKey {
        /// The result's.
        expected: Name,
        /// The device's.
        found: Name,
    },
    /// Of another boot.
    #[error("the result is of boot {expected} of the TPM; it is boot {found} now")]
    OtherBoot {
        /// The result's.
        expected: u32,
        /// The device's.
        found: u32,
    },
    /// Of before a suspension.
    #[error("the result is of resume {expected} of the TPM; it is resume {found} now")]
    Resumed {
        /// The result's.
        expected: u32,
        /// The device's.
        found: u32,
    },
    /// The TPM's clock is before the quote's, which no running TPM's is.
    #[error("the TPM's clock was at {expected} ms at the quote, and is at {found} ms now")]
    ClockBehind {
        /// At the quote, in milliseconds.
        expected: u64,
        /// Now, in milliseconds.
        found: u64,
    },
    /// The time since the quote is longer than the result holds.
    #[error("the result held for {lifetime:?} from the quote on; {elapsed:?} have passed")]
    Elapsed {
        /// How long it holds.
        lifetime: Duration,
        /// Since the quote, by the TPM's clock.
        elapsed: Duration,
    },
    /// It is no pass.
    #[error("the result's status is {found}, which is no pass")]
    NoPass {
        /// Its status.
        found: Tier,
    },
}

impl Ear {
    /// What it is bound to; nothing where no quote was believed.
    pub fn binding(&self) -> Option<Binding> {
        let device = &self.submodules.device;
        let lifetime = self.expires_at.saturating_sub(self.issued_at);
        let attester = device.attester.as_ref()?;
        Some(Binding {
            ak_name: device.verifier.ak_name.clone(),
            reset_count: attester.tpm_reset_count,
            restart_count: attester.tpm_restart_count,
            clock: attester.tpm_clock,
            lifetime: Duration::from_secs(u64::try_from(lifetime).unwrap_or(0)),
        })
    }

    /// Whether the device passed: nothing contraindicates it. A software TPM that the policy
    /// allows leaves a warning.
    pub fn is_pass(&self) -> bool {
        matches!(self.status, Tier::Affirming | Tier::Warning)
    }

    /// How much longer this result lets the device work. The time runs on the TPM's clock from
    /// the quote on; who keeps the answer adds it to a clock that nobody sets (CLOCK_BOOTTIME).
    ///
    /// # Errors
    ///
    /// When the result is no pass, of another device or boot, or its time has run out.
    pub fn remaining(&self, device: &DeviceState) -> Result<Duration, BindingError> {
        self.binding()
            .filter(|_| self.is_pass())
            .ok_or(BindingError::NoPass { found: self.status })?
            .remaining(device)
    }
}

impl Binding {
    /// As [`Ear::remaining`], whatever the result says.
    ///
    /// # Errors
    ///
    /// When the binding is to another device or boot, or its time has run out.
    pub fn remaining(&self, device: &DeviceState) -> Result<Duration, BindingError> {
        if self.ak_name != device.ak_name {
            return Err(BindingError::OtherKey {
                expected: self.ak_name.clone(),
                found: device.ak_name.clone(),
            });
        }
        if self.reset_count != device.reset_count {
            return Err(BindingError::OtherBoot {
                expected: self.reset_count,
                found: device.reset_count,
            });
        }
        if self.restart_count != device.restart_count {
            return Err(BindingError::Resumed {
                expected: self.restart_count,
                found: device.restart_count,
            });
        }
        let elapsed = device
            .clock
            .checked_sub(self.clock)
            .ok_or(BindingError::ClockBehind {
                expected: self.clock,
                found: device.clock,
            })?;
        let elapsed = Duration::from_millis(elapsed);
        self.lifetime
            .checked_sub(elapsed)
            .filter(|left| !left.is_zero())
            .ok_or(BindingError::Elapsed {
                lifetime: self.lifetime,
                elapsed,
            })
    }
}
