//! The TPM's own structures, read and written without a TPM library.
//!
//! | Type | Structure | Source |
//! |---|---|---|
//! | [`Attest`] | `TPMS_ATTEST` | TPM 2.0 Library, Part 2, "Attestation Structures" |
//! | [`Signature`] | `TPMT_SIGNATURE` | Part 2, "Signatures" |
//! | [`Public`] | `TPMT_PUBLIC`, `TPM2B_PUBLIC` | Part 2, "Key/Object Complex" |
//! | [`PcrSelection`] | `TPML_PCR_SELECTION` | Part 2, "List Structures" |
//! | [`PcrValues`] | the file that `tpm2_quote --pcr` writes | tpm2-tools |
//! | [`PublicKey`] | `SubjectPublicKeyInfo`, DER and PEM | RFC 5280, 8017, 5480, 7468 |
//!
//! What parses is marshalled back to the very same bytes, so a name or a signature may be
//! computed over either.

mod attest;
mod buffer;
mod error;
mod key;
mod pcr_file;
mod pcr_set;
mod pcr_values;
mod public;
mod selection;
mod signature;
#[cfg(test)]
mod tests;

pub use attest::{Attest, Attested, ClockInfo, MAX_ATTEST_BYTES, TPM_GENERATED};
pub use buffer::{Buffer, MAX_NAME_BYTES, Name};
pub use error::StructureError;
pub use key::{Curve, KeyError, MAX_PEM_BYTES, PublicKey};
pub use pcr_file::{MAX_PCR_FILE_BYTES, PcrFileError};
pub use pcr_set::{PCR_COUNT, PcrSet};
pub use pcr_values::{PcrValues, PcrValuesError};
pub use public::{
    EccParameters, KeyedHashParameters, ObjectAttributes, Parameters, Public, RsaParameters,
    Scheme, Symmetric,
};
pub use selection::{MAX_BANKS, PcrBank, PcrSelection, SelectionError};
pub use signature::Signature;
