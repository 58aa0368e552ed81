//! The daemon's own state at rest, encrypted under a key that the TPM seals.
