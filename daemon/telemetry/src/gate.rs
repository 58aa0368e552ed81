//! The words for the gate.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the gate stands. Requests are served in [`GateState::Attested`] and
/// [`GateState::Grace`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Nothing is unsealed yet.
    Sealed,
    /// The model is unsealed; proof is still missing.
    Unsealed,
    /// All proof is there and live.
    Attested,
    /// The fleet's result has expired, and its policy grants a little longer.
    Grace,
    /// Shut: the model is forgotten.
    Closed,
}

impl GateState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            GateState::Sealed => "sealed",
            GateState::Unsealed => "unsealed",
            GateState::Attested => "attested",
            GateState::Grace => "grace",
            GateState::Closed => "closed",
        }
    }

    /// Whether requests are served.
    pub const fn is_open(self) -> bool {
        matches!(self, GateState::Attested | GateState::Grace)
    }
}

impl fmt::Display for GateState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Why the gate stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateReason {
    /// The daemon has just started.
    Started,
    /// The TPM released the model's key.
    ModelUnsealed,
    /// The model answered its known clips, and the TPM's unsealing is proof enough here.
    ProvenLocally,
    /// The model answered its known clips, and the fleet's result is live.
    ProvenToFleet,
    /// The fleet's result has expired.
    ResultExpired,
    /// The time of grace is over.
    GraceOver,
    /// The fleet's verifier does not vouch for the device, or its word does not hold.
    ResultRefused,
    /// The boot's measurement is another one than at unsealing.
    MeasurementChanged,
    /// The TPM does not answer.
    TpmLost,
    /// Nobody has looked at the measurement for too long.
    MeasurementOverdue,
    /// The model answered a known clip with other words.
    WrongAnswers,
    /// The model has not answered its known clips for too long.
    AnswersOverdue,
    /// A model takes another's place.
    ModelReplaced,
    /// The daemon ends.
    Stopping,
}

impl GateReason {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            GateReason::Started => "started",
            GateReason::ModelUnsealed => "model_unsealed",
            GateReason::ProvenLocally => "proven_locally",
            GateReason::ProvenToFleet => "proven_to_fleet",
            GateReason::ResultExpired => "result_expired",
            GateReason::GraceOver => "grace_over",
            GateReason::ResultRefused => "result_refused",
            GateReason::MeasurementChanged => "measurement_changed",
            GateReason::TpmLost => "tpm_lost",
            GateReason::MeasurementOverdue => "measurement_overdue",
            GateReason::WrongAnswers => "wrong_answers",
            GateReason::AnswersOverdue => "answers_overdue",
            GateReason::ModelReplaced => "model_replaced",
            GateReason::Stopping => "stopping",
        }
    }
}

impl fmt::Display for GateReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
