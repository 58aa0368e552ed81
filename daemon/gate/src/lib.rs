//! The attestation state machine, on injected time; the only maker of `Open`.
