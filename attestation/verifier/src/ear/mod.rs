//! Results: what the verifier says of a device, signed, so that others need not appraise again.
//!
//! A result is an EAR (EAT Attestation Result, draft-ietf-rats-ear-04): a JSON Web Token
//! (RFC 7519) signed with ES256, with one submodule, `device`. Its trust vector has the claims
//! of AR4SI (draft-ietf-rats-ar4si); `ear_verifier_claims` lists the outcome of each check,
//! with what was expected and what was found.
//!
//! A reader is strict ([`Ear::verify`]): the algorithm is ES256 and nothing else, the key is one
//! that the caller has, and none that the token brings along; the token is not longer than
//! [`MAX_TOKEN_BYTES`]; header and claims have no member that is not read; times are held
//! against a time that is passed in.
//!
//! A result holds for one boot of one device: it names the attestation key, the TPM's reset
//! and restart counts, and the TPM's clock when it was quoted. [`Ear::remaining`] holds it against the device
//! as it is, so that no change of the wall clock prolongs it.

mod binding;
mod claims;
mod key;
mod token;

pub use binding::{Binding, BindingError, DeviceState};
pub use claims::{
    AttesterClaims, CheckClaim, DeviceAppraisal, Ear, Outcome, PROFILE, Submodules, Tier, TpmClaim,
    TrustVector, VerifierClaims, VerifierId,
};
pub use key::{KeyFileError, ResultKey, ResultVerifier};
pub use token::{MAX_SKEW_SECONDS, MAX_TOKEN_BYTES, TokenError};

#[cfg(test)]
mod tests;
