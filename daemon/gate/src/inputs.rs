//! What the gate is told, as values that somebody has checked.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whatever the daemon holds of an unsealed model: keys, plain weights. Dropping it forgets it.
pub trait UnsealedModel {
    /// The digest of the model package that it came from, for the status.
    fn package(&self) -> [u8; 32];
}

/// A result of the fleet's verifier that was checked against its key, this device and this boot.
pub trait LiveResult {
    /// How much longer it holds.
    fn remaining(&self) -> Duration;

    /// How far the verifier trusts the device.
    fn standing(&self) -> Standing;
}

/// How far a verifier trusts a device that it lets work: two of AR4SI's tiers. A device that it
/// trusts less has no live result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Trustworthy.
    Affirming,
    /// Trustworthy as far as a stated weakness allows, such as a TPM that is a program.
    Warning,
}

/// The digest over the PCRs of the boot, as they are at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Measurement([u8; 32]);

impl Measurement {
    /// The measurement with this digest.
    pub const fn new(digest: [u8; 32]) -> Measurement {
        Measurement(digest)
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Measurement({})", crate::status::hex(&self.0))
    }
}

/// Who must be convinced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nobody but the TPM, which unseals the model in an approved state alone.
    Local,
    /// The fleet's verifier, too.
    Fleet {
        /// How long the device may serve on after its result has expired, because the verifier
        /// cannot be reached; zero grants nothing.
        grace: Duration,
    },
}

/// How often the gate wants to be told what it cannot see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Time from one passed self-test to when the next is due.
    pub answers_every: Duration,
    /// How late the next may be before the gate closes.
    pub answers_late: Duration,
    /// Longest time between two looks at the measurement. Whoever watches it looks far more
    /// often; when it no longer looks at all, the gate closes.
    pub measured_within: Duration,
}

impl Default for Schedule {
    /// A self-test each hour, up to five minutes late on a busy device; a watch that has been
    /// silent for 15 seconds is broken, because it looks each second.
    fn default() -> Schedule {
        Schedule {
            answers_every: Duration::from_secs(60 * 60),
            answers_late: Duration::from_secs(5 * 60),
            measured_within: Duration::from_secs(15),
        }
    }
}
