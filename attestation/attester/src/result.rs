//! The result that a fleet's verifier gave this device.
//!
//! It counts for the attestation key, the boot and the time that it names, and the time runs
//! on the TPM's clock: turning the system's clock back prolongs nothing.

use std::time::Duration;

use earnest_evidence::NONCE_BYTES;
use earnest_evidence::measured::DEFAULT_PCR;
use earnest_evidence::tpm::{Attest, Name, PcrSet, Public, StructureError};
use earnest_files::FileError;
use earnest_tpm::{TpmError, TrustModule};
use earnest_verifier::ear::{BindingError, DeviceState, Ear, ResultVerifier, TokenError};

use crate::folder::Folder;

const RESULT_FILE: &str = "result.jwt";

/// As long as a token may be.
const MAX_RESULT_BYTES: usize = earnest_verifier::ear::MAX_TOKEN_BYTES;

/// A result that lets the device work, for the time that is left.
#[derive(Debug, Clone)]
pub struct LiveResult {
    /// What the verifier says.
    pub ear: Ear,
    /// How much longer it holds. Added to CLOCK_BOOTTIME, which nobody sets, it is a deadline.
    pub remaining: Duration,
}

/// Checks a result against the key of the fleet's results and against the device as it is now,
/// and keeps it.
///
/// # Errors
///
/// When it is signed by another key or not at all, is no pass, is about another device or an
/// earlier boot, or its time is over; when the TPM is out of reach, or the file cannot be kept.
/// An earlier result is kept then.
pub fn import(
    module: &dyn TrustModule,
    folder: &Folder,
    key: &ResultVerifier,
    token: &str,
) -> Result<LiveResult, ResultError> {
    let live = check(module, key, token.trim())?;
    folder.write(RESULT_FILE, token.trim().as_bytes())?;
    Ok(live)
}

/// The result that was imported last, checked again; `None` where there is none.
///
/// # Errors
///
/// As [`import`].
pub fn current(
    module: &dyn TrustModule,
    folder: &Folder,
    key: &ResultVerifier,
) -> Result<Option<LiveResult>, ResultError> {
    let Some(bytes) = folder.read(RESULT_FILE, MAX_RESULT_BYTES)? else {
        return Ok(None);
    };
    check(module, key, str::from_utf8(&bytes)?).map(Some)
}

/// The bytes of the result that was imported last, not checked at all: whether they are still
/// the same tells whether [`current`] is worth its quote.
///
/// # Errors
///
/// When the file is there and cannot be read.
pub fn kept(folder: &Folder) -> Result<Option<Vec<u8>>, FileError> {
    folder.read(RESULT_FILE, MAX_RESULT_BYTES)
}

fn check(
    module: &dyn TrustModule,
    key: &ResultVerifier,
    token: &str,
) -> Result<LiveResult, ResultError> {
    // The system's clock has no say: the binding below has its own.
    let ear = Ear::verify_at_any_time(token, key)?;
    let state = now(module)?;
    let remaining = ear.remaining(&state)?;
    Ok(LiveResult { ear, remaining })
}

/// The device by a quote of its own. A TPM adds a secret number to the count of resets that it
/// signs with a key of the owner (TPM 2.0 Part 1, "Attestation": obfuscation), always the same
/// for one key, so a quote's count can be compared with a quote's and with no other.
fn now(module: &dyn TrustModule) -> Result<DeviceState, ResultError> {
    let pcrs = PcrSet::of(&[DEFAULT_PCR]).expect("the log's PCR exists");
    // Nobody else sees this quote, so its nonce need not be one.
    let quote = module.quote(&[0; NONCE_BYTES], pcrs)?;
    let clock = Attest::parse(&quote.attest)?.clock_info;
    Ok(DeviceState {
        ak_name: ak_name(module)?,
        reset_count: clock.reset_count,
        restart_count: clock.restart_count,
        clock: clock.clock,
    })
}

/// The name of the device's attestation key.
///
/// # Errors
///
/// When the key's public part is none.
pub fn ak_name(module: &dyn TrustModule) -> Result<Name, StructureError> {
    Ok(Public::parse(&module.identity().ak_public)?.name())
}

/// Why a result does not let this device work.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// It is no result of this key.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It is about something else than this device now.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The TPM gave what is none of its structures.
    #[error("the TPM's answer cannot be read: {0}")]
    Structure(#[from] StructureError),
    /// The file that holds it is no text.
    #[error("the result is no text")]
    NotText(#[from] std::str::Utf8Error),
    /// It cannot be kept or read again.
    #[error(transparent)]
    File(#[from] FileError),
}
