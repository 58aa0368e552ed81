//! The measured log on the device: each start is written down and then extended into its PCR.
//!
//! The log tells of one boot, so its file carries the TPM's count of resets in its name; those
//! of earlier boots are removed. The entry goes to the disk first and to the PCR second: a
//! power cut between the two leaves an entry that the next start extends before its own.

use std::time::Duration;

use earnest_evidence::measured::{
    DEFAULT_PCR, LogFull, MAX_MEASURED_LOG_BYTES, MeasuredLog, Start,
};
use earnest_evidence::tpm::PcrSet;
use earnest_evidence::{Digest, HashAlgorithm};
use earnest_files::FileError;
use earnest_tpm::{TpmError, TrustModule};

use crate::folder::Folder;

const LOG_START: &str = "starts-";

/// Two starts at once would write over each other: the second waits for this file.
const LOCK_FILE: &str = "starts.lock";

/// How long it waits: whoever holds the file asks the TPM a few times, and waits for one that
/// others use.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// The log of the boot that the TPM is in, and what its PCR held before the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starts {
    /// Every start since boot.
    pub log: MeasuredLog,
    /// The PCR of the log before the first: zeros, or what firmware extended.
    pub from: Digest,
}

/// Reads the log of this boot. `from` is what the PCR held before the first start.
///
/// # Errors
///
/// When the TPM or the file cannot be read.
pub fn read(
    module: &dyn TrustModule,
    folder: &Folder,
    from: Digest,
) -> Result<Starts, StartsError> {
    let name = file_name(module)?;
    Ok(Starts {
        log: read_log(folder, &name)?,
        from,
    })
}

/// Writes a start into the log and extends it.
///
/// # Errors
///
/// When the TPM is out of reach, the log cannot be written or is full, or the PCR holds what
/// the log does not tell: something else extended it, or the log was changed.
pub fn record(
    module: &dyn TrustModule,
    folder: &Folder,
    from: Digest,
    start: Start,
) -> Result<Starts, StartsError> {
    let _alone = folder.lock(LOCK_FILE, LOCK_PATIENCE)?;
    let name = file_name(module)?;
    let mut log = read_log(folder, &name)?;
    let held = pcr(module)?;
    let extended = log.extended(&from, &held);
    // A daemon may have died between writing and extending, and the one after it, too.
    let known = extended.ok_or(StartsError::Differs {
        expected: Box::new(log.replay(&from)),
        found: Box::new(held),
    })?;
    for entry in &log.entries()[known..] {
        extend(module, &entry.digest(HashAlgorithm::Sha256))?;
    }
    let digest = log.append(start)?.digest(HashAlgorithm::Sha256);
    folder.write(&name, &log.encode())?;
    extend(module, &digest)?;
    forget_earlier_boots(folder, &name);
    Ok(Starts { log, from })
}

fn file_name(module: &dyn TrustModule) -> Result<String, TpmError> {
    Ok(format!("{LOG_START}{}.cbor", module.clock()?.reset_count))
}

/// A log cut short by a dying daemon is read up to the cut: what came after was never extended.
fn read_log(folder: &Folder, name: &str) -> Result<MeasuredLog, FileError> {
    let bytes = folder.read(name, MAX_MEASURED_LOG_BYTES)?;
    Ok(MeasuredLog::recover(&bytes.unwrap_or_default()).0)
}

fn pcr(module: &dyn TrustModule) -> Result<Digest, TpmError> {
    let set = PcrSet::of(&[DEFAULT_PCR]).expect("the log's PCR exists");
    let values = module.pcr_read(set)?;
    let value = values.value(DEFAULT_PCR).copied().unwrap_or_default();
    Ok(Digest::from_bytes(HashAlgorithm::Sha256, &value).expect("32 bytes are a SHA-256"))
}

fn extend(module: &dyn TrustModule, digest: &Digest) -> Result<(), TpmError> {
    let bytes = digest.as_bytes().try_into();
    module.pcr_extend(DEFAULT_PCR, bytes.expect("a SHA-256 has 32 bytes"))
}

/// A log of an earlier boot proves nothing any more. That one is left does no harm, so a
/// failure to remove it is none of the start.
fn forget_earlier_boots(folder: &Folder, current: &str) {
    let Ok(entries) = std::fs::read_dir(folder.path()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(LOG_START) && name.ends_with(".cbor") && name != current {
            let _ = folder.remove(name);
        }
    }
}

/// Why a start could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum StartsError {
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The log cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Too many starts since boot.
    #[error(transparent)]
    Full(#[from] LogFull),
    /// PCR and log disagree.
    #[error(
        "the log of starts replays to {expected} and PCR {DEFAULT_PCR} holds {found}: something \
         else extended it, or the log was changed; only a reboot mends that"
    )]
    Differs {
        /// What the log replays to.
        expected: Box<Digest>,
        /// What the PCR holds.
        found: Box<Digest>,
    },
}
