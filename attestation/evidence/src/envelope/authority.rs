//! The device's authority key in an envelope.

use crate::tpm::{Attest, Public, Signature};

/// The device's authority key, with the AK's word that it is in the same TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The key.
    pub public: Public,
    /// The answer of `TPM2_Certify`: it names the key.
    pub attest: Attest,
    /// The AK's signature of that.
    pub signature: Signature,
}
