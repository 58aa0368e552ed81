//! The gate as it is shown to an operator.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{GateReason, GateState, Mode, Standing};

/// Where the gate stands, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where.
    pub state: GateState,
    /// Whether requests are served.
    pub open: bool,
    /// Why, by the last change.
    pub reason: GateReason,
    /// Whole seconds since the last change.
    pub for_seconds: u64,
    /// Whole seconds until the fleet's result, or the grace after it, is over; nothing where
    /// there is neither.
    pub seconds_left: Option<u64>,
    /// Who must be convinced.
    pub mode: ModeName,
    /// How far the verifier trusts the device, while its word counts.
    pub standing: Option<Standing>,
    /// Seconds of grace that the fleet grants; 0 without a fleet.
    pub grace_seconds: u64,
    /// The digest of the unsealed model's package in hexadecimal.
    pub package: Option<String>,
    /// Whether the model has passed its self-test.
    pub answered: bool,
}

/// Who must be convinced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// The TPM alone: its own unsealing is the proof.
    Local,
    /// The fleet's verifier, too.
    Fleet,
}

impl ModeName {
    pub(crate) fn split(mode: Mode) -> (ModeName, Duration) {
        match mode {
            Mode::Local => (ModeName::Local, Duration::ZERO),
            Mode::Fleet { grace } => (ModeName::Fleet, grace),
        }
    }
}

impl fmt::Display for ModeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            ModeName::Local => "local: the TPM's own unsealing is the proof",
            ModeName::Fleet => "fleet: a verifier vouches for this device",
        })
    }
}

/// One line for people.
impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status {
            state,
            reason,
            for_seconds,
            mode,
            ..
        } = self;
        write!(formatter, "{state} for {for_seconds} s, because {reason}")?;
        if let Some(left) = self.seconds_left {
            write!(formatter, ", {left} s left")?;
        }
        write!(formatter, " ({mode})")
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
