//! Appraisal of evidence as pure functions: evidence and reference values in, a result out.
//!
//! The way of a device through the verifier:
//! 1. [`enrolment`]: the maker of its TPM vouches for the endorsement key ([`endorsement`]), a
//!    credential that only this TPM opens ([`credential`]) binds the attestation key to it.
//! 2. [`freshness`]: a nonce is issued for it, good for one answer and a short time.
//! 3. [`appraisal`]: its evidence is held against the enrolment, the fleet's [`policy`], and
//!    [`reference`](mod@reference) values. The [`quote`] comes first: what nobody signed is not
//!    read.
//! 4. [`ear`]: the outcome is a signed result, bound to the key and to the boot, which others
//!    check without appraising again.
//!
//! Beside that way, [`request`] reads what a device's own authority is asked to certify.
//!
//! Nothing here reads a clock, a file or a random source: times, trust anchors and randomness
//! are passed in. Every reason to refuse is a variant of its own with what was expected and what
//! was found. What a stranger sent is read by parsers that have bounds and do not panic.
//!
//! ```
//! use earnest_verifier::quote;
//! # use earnest_evidence::tpm::PublicKey;
//! // Anybody's quote can be checked without enrolling anything.
//! # fn check(key: &PublicKey, attest: &[u8], signature: &[u8]) {
//! match quote::verify(key, attest, signature, b"nonce") {
//!     Ok(quote) => println!("boot {} of the TPM", quote.clock().reset_count),
//!     Err(reason) => println!("refused: {reason}"),
//! }
//! # }
//! ```

pub mod appraisal;
pub mod credential;
pub mod ear;
pub mod endorsement;
pub mod enrolment;
pub mod freshness;
pub mod policy;
pub mod quote;
pub mod reference;
pub mod request;

#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
#[cfg(test)]
mod testing;
