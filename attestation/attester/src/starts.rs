//! The measured log on the device: each start, and each head of the audit log that is anchored,
//! is written down and then extended into the log's PCR.
//!
//! The log tells of one boot, so its file carries the TPM's count of resets in its name; those
//! of earlier boots are removed. The entry goes to the disk first and to the PCR second: a
//! power cut between the two leaves an entry that the next one extends before its own.
//!
//! Heads are anchored in the order of the audit log that they are of. One that is not behind the
//! one before is refused here, and would be by the verifier: the audit log was cut, or rolled
//! back. What the device forgets by a reboot, the fleet remembers.

use std::fs::File;
use std::time::Duration;

use earnest_evidence::measured::{
    DEFAULT_PCR, Head, LogFull, MAX_MEASURED_LOG_BYTES, Measured, MeasuredLog, Start,
};
use earnest_evidence::tpm::PcrSet;
use earnest_evidence::{Digest, HashAlgorithm};
use earnest_files::FileError;
use earnest_tpm::{TpmError, TrustModule};

use crate::folder::Folder;

const LOG_START: &str = "starts-";

/// Two that write at once would write over each other, and evidence must not read a log that
/// another is about to extend: the second waits for this file.
const LOCK_FILE: &str = "starts.lock";

/// How long it waits: whoever holds the file asks the TPM a few times, and waits for one that
/// others use.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// The log of the boot that the TPM is in, and what its PCR held before the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starts {
    /// Every start since boot, and every head of the audit log that was anchored.
    pub log: MeasuredLog,
    /// The PCR of the log before the first entry: zeros, or what firmware extended.
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

/// Keeps others from adding to the log until what is given is dropped.
///
/// # Errors
///
/// When others do for too long, or the lock's file cannot be made.
pub(crate) fn alone(folder: &Folder) -> Result<File, FileError> {
    folder.lock(LOCK_FILE, LOCK_PATIENCE)
}

/// Writes a start into the log and extends it.
///
/// # Errors
///
/// When the TPM is out of reach, the log cannot be written or has too many starts, or the PCR
/// holds what the log does not tell: something else extended it, or the log was changed.
pub fn record(
    module: &dyn TrustModule,
    folder: &Folder,
    from: Digest,
    start: Start,
) -> Result<Starts, StartsError> {
    let _alone = alone(folder)?;
    let (log, name) = caught_up(module, folder, &from)?;
    let log = add(module, folder, &name, log, start.into())?;
    forget_earlier_boots(folder, &name);
    Ok(Starts { log, from })
}

/// Writes a head of the audit log into the log and extends it. The head that was anchored last
/// is anchored already.
///
/// # Errors
///
/// As [`record`], with too many heads for too many starts, and when the head does not follow the
/// one that was anchored last.
pub fn anchor(
    module: &dyn TrustModule,
    folder: &Folder,
    from: Digest,
    head: Head,
) -> Result<Starts, StartsError> {
    let _alone = alone(folder)?;
    let (log, name) = caught_up(module, folder, &from)?;
    let log = match log.heads().last() {
        Some(last) if !head.follows(last) => {
            return Err(StartsError::Back {
                anchored: Box::new(*last),
                found: Box::new(head),
            });
        }
        Some(last) if *last == head => log,
        _ => add(module, folder, &name, log, head.into())?,
    };
    Ok(Starts { log, from })
}

/// The head of the audit log that was anchored last since boot, by the PCR's word; `None` where
/// none was.
///
/// # Errors
///
/// When the TPM is out of reach, the log cannot be read, or the PCR holds what the log does not
/// tell.
pub fn anchored(
    module: &dyn TrustModule,
    folder: &Folder,
    from: Digest,
) -> Result<Option<Head>, StartsError> {
    let _alone = alone(folder)?;
    let log = read_log(folder, &file_name(module)?)?;
    let known = extended(module, &log, &from)?;
    let entries = log.entries()[..known].iter().rev();
    Ok(entries.filter_map(|entry| entry.head().copied()).next())
}

/// The log of this boot with its file's name, every entry of it extended. A daemon may have died
/// between writing and extending, and the one after it, too.
fn caught_up(
    module: &dyn TrustModule,
    folder: &Folder,
    from: &Digest,
) -> Result<(MeasuredLog, String), StartsError> {
    let name = file_name(module)?;
    let log = read_log(folder, &name)?;
    let known = extended(module, &log, from)?;
    for entry in &log.entries()[known..] {
        extend(module, &entry.digest(HashAlgorithm::Sha256))?;
    }
    Ok((log, name))
}

/// How many entries, from the first on, the PCR was extended with.
fn extended(
    module: &dyn TrustModule,
    log: &MeasuredLog,
    from: &Digest,
) -> Result<usize, StartsError> {
    let held = pcr(module)?;
    let known = log.extended(from, &held);
    known.ok_or_else(|| StartsError::Differs {
        expected: Box::new(log.replay(from)),
        found: Box::new(held),
    })
}

fn add(
    module: &dyn TrustModule,
    folder: &Folder,
    name: &str,
    mut log: MeasuredLog,
    measured: Measured,
) -> Result<MeasuredLog, StartsError> {
    let digest = log.append(measured)?.digest(HashAlgorithm::Sha256);
    folder.write(name, &log.encode())?;
    extend(module, &digest)?;
    Ok(log)
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

/// Why a start or a head could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum StartsError {
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The log cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Too many starts or heads since boot.
    #[error(transparent)]
    Full(#[from] LogFull),
    /// PCR and log disagree.
    #[error(
        "the measured log replays to {expected} and PCR {DEFAULT_PCR} holds {found}: something \
         else extended it, or the log was changed; only a reboot mends that"
    )]
    Differs {
        /// What the log replays to.
        expected: Box<Digest>,
        /// What the PCR holds.
        found: Box<Digest>,
    },
    /// The audit log went back.
    #[error(
        "the audit log is at {found} and was anchored at {anchored} before: it was cut or rolled \
         back"
    )]
    Back {
        /// The head that was anchored last.
        anchored: Box<Head>,
        /// The head that does not follow.
        found: Box<Head>,
    },
}

#[cfg(test)]
mod tests;
