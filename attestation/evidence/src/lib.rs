//! Quotes, keys, event logs and the envelope that carries them: parsed and encoded, without
//! I/O and without a TPM.
//!
//! - [`tpm`]: the TPM's own structures, `TPMS_ATTEST`, `TPMT_SIGNATURE`, `TPMT_PUBLIC`,
//!   `TPML_PCR_SELECTION`, and the files in which the public tools carry PCR values and keys.
//! - [`firmware`]: the event log that firmware keeps, with its replay.
//! - [`measured`]: Earnest's own log of the daemon's starts and of its audit log's heads, with
//!   its replay.
//! - [`envelope`]: all of it in one message, [`Evidence`], in CBOR or JSON.
//! - [`HashAlgorithm`], [`Digest`] and [`Nonce`]: the words that all of it is written in.
//!
//! Everything here reads bytes of strangers. No parser panics, no length in unchecked input
//! decides an allocation, every list has a bound, and every refusal is typed and says what
//! was expected and what was found. Digests are believed once a quote vouches for them;
//! event types and texts never are.
//!
//! ```
//! use earnest_evidence::HashAlgorithm;
//!
//! let measured = HashAlgorithm::Sha256.digest(b"kernel");
//! let pcr = HashAlgorithm::Sha256.zero().extended_by(&measured);
//! assert_eq!(pcr.as_bytes().len(), 32);
//! ```

mod bytes;
mod digest;
pub mod enrolment;
pub mod envelope;
pub mod firmware;
pub mod hex;
pub mod measured;
mod nonce;
pub mod sealing;
#[cfg(test)]
mod testing;
pub mod tpm;

pub use bytes::Truncated;
pub use digest::{Digest, DigestError, HashAlgorithm, MAX_DIGEST_BYTES};
pub use envelope::Evidence;
pub use nonce::{NONCE_BYTES, Nonce};
