//! Enrolment, the device's half: asking, and answering the fleet's challenge.

use earnest_evidence::enrolment::{Answer, Challenge, EnrolmentError, Request};
use earnest_evidence::tpm::{Public, StructureError};
use earnest_tpm::{TpmError, TrustModule};

/// The device's request to be enrolled, under a name that people know it by.
///
/// # Errors
///
/// When the TPM has no certificate for its endorsement key, or the name is none.
pub fn request(module: &dyn TrustModule, name: Option<String>) -> Result<Request, EnrolError> {
    let identity = module.identity();
    let certificate = identity.ek_certificate.clone();
    Ok(Request::new(
        vec![certificate.ok_or(EnrolError::NoCertificate)?],
        Public::parse(&identity.ek_public)?,
        Public::parse(&identity.ak_public)?,
        name,
    )?)
}

/// Opens the fleet's credential, which only the TPM that has both keys can.
///
/// # Errors
///
/// When the challenge is for another device, or the TPM is out of reach.
pub fn answer(module: &dyn TrustModule, challenge: &Challenge) -> Result<Answer, EnrolError> {
    let blob = content(challenge.id_object());
    let secret = content(challenge.encrypted_secret());
    let opened = module.activate_credential(blob, secret)?;
    Ok(Answer::new(challenge.id(), &opened)?)
}

/// A sized buffer without its size, which [`Challenge`] has checked.
fn content(sized: &[u8]) -> &[u8] {
    sized.get(2..).unwrap_or_default()
}

/// Why a device cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Nothing says that the TPM is a genuine one.
    #[error("this TPM has no certificate for its endorsement key, so no fleet can know it")]
    NoCertificate,
    /// The TPM is out of reach, or the credential is another's.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// A file of the enrolment is none.
    #[error(transparent)]
    File(#[from] EnrolmentError),
    /// A key cannot be read.
    #[error("the TPM's key cannot be read: {0}")]
    Structure(#[from] StructureError),
}
