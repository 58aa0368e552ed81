//! Endorsement certificates: who vouches that a key lives in a TPM, and in which.
//!
//! A TPM's maker certifies its endorsement key (EK). [`verify_chain`] holds such a certificate
//! against the authorities that a fleet trusts, at a time that is passed in. What comes out, an
//! [`EndorsementKey`], is the proof that the checks were made, and what a credential is
//! encrypted to ([`credential`](crate::credential)).
//!
//! The chain itself is checked by `webpki`. Beside that, here:
//! - the certificate is for an endorsement key (extended key usage 2.23.133.8.1), is no
//!   authority's, and its key may be used for what a credential needs;
//! - each authority between may sign certificates, and the anchor is within its own time:
//!   `webpki` leaves both out, `openssl verify` does not;
//! - a software TPM is known as such, by its anchor's mark or by what the certificate says.
//!
//! ```
//! use earnest_verifier::endorsement::{self, EkChainError};
//!
//! let refused = endorsement::verify_chain(b"no certificate", &[], &[], 1_800_000_000);
//! assert!(matches!(refused, Err(EkChainError::Malformed { .. })));
//! ```

mod certificate;
mod chain;
pub(crate) mod der;
mod pem;

pub use certificate::{MAX_CERTIFICATE_BYTES, TpmDescription};
pub use chain::{
    AnchorError, EkChainError, EndorsementKey, MAX_INTERMEDIATES, TrustAnchor, verify_chain,
};
pub use pem::{PemError, certificates_from_pem};
