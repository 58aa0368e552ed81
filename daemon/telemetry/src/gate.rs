//! The words for the gate.

use crate::words::words;

words! {
    /// Where the gate stands. Requests are served in [`GateState::Attested`] and
    /// [`GateState::Grace`] alone.
    pub enum GateState {
        /// Nothing is unsealed yet.
        Sealed = "sealed",
        /// The model is unsealed; proof is still missing.
        Unsealed = "unsealed",
        /// All proof is there and live.
        Attested = "attested",
        /// The fleet's result has expired, and its policy grants a little longer.
        Grace = "grace",
        /// Shut: the model is forgotten.
        Closed = "closed",
    }
}

impl GateState {
    /// Whether requests are served.
    pub const fn is_open(self) -> bool {
        matches!(self, GateState::Attested | GateState::Grace)
    }
}

words! {
    /// Why the gate stands where it stands.
    pub enum GateReason {
        /// The daemon has just started.
        Started = "started",
        /// The TPM released the model's key.
        ModelUnsealed = "model_unsealed",
        /// The model answered its known clips, and the TPM's unsealing is proof enough here.
        ProvenLocally = "proven_locally",
        /// The model answered its known clips, and the fleet's result is live.
        ProvenToFleet = "proven_to_fleet",
        /// The fleet's result has expired.
        ResultExpired = "result_expired",
        /// The time of grace is over.
        GraceOver = "grace_over",
        /// The fleet's verifier does not vouch for the device, or its word does not hold.
        ResultRefused = "result_refused",
        /// The boot's measurement is another one than at unsealing.
        MeasurementChanged = "measurement_changed",
        /// The TPM does not answer.
        TpmLost = "tpm_lost",
        /// Nobody has looked at the measurement for too long.
        MeasurementOverdue = "measurement_overdue",
        /// The model answered a known clip with other words.
        WrongAnswers = "wrong_answers",
        /// The model has not answered its known clips for too long.
        AnswersOverdue = "answers_overdue",
        /// A model takes another's place.
        ModelReplaced = "model_replaced",
        /// The daemon ends.
        Stopping = "stopping",
    }
}
