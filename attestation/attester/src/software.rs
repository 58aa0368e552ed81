//! The TPM in software of a development machine: kept in the device's folder, started when it
//! is needed, and left running, because a TPM that restarts has booted anew: its PCRs are
//! empty, and every result and every start of before is about another boot.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use earnest_evidence::tpm::PcrSet;
use earnest_files::{FileError, Readers};
use earnest_tpm::{
    AddressError, DeviceAddress, PcrValues, PreparedTpm, SoftwareTpm, SoftwareTpmError, TpmError,
    TrustModule,
};

use crate::boot;
use crate::folder::Folder;

/// Everything about it, below the device's folder.
const FOLDER: &str = "software-tpm";

/// Where it listens, while it runs.
const ADDRESS_FILE: &str = "address";

/// What its boot measured.
const LOG_FILE: &str = "boot.log";

/// Two commands at once would start two: the second waits for this file.
const LOCK_FILE: &str = "lock";

/// How long it waits: whoever holds the file may be making a TPM, which draws RSA keys.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// A process id and an address are shorter.
const MAX_SMALL_FILE_BYTES: usize = 256;

/// How long it may take to end once it was told to, and the pause between looks. It takes some
/// milliseconds on a machine with nothing else to do.
const END_DEADLINE: Duration = Duration::from_secs(10);
const END_PAUSE: Duration = Duration::from_millis(2);

/// A program is measured whole; this one is far smaller.
const MAX_PROGRAM_BYTES: usize = 1 << 30;

/// The address of the folder's TPM in software, which is made and started where it is missing.
///
/// # Errors
///
/// When it cannot be made or does not start.
pub(crate) fn running(folder: &Folder) -> Result<DeviceAddress, SoftwareError> {
    let home = folder.path().join(FOLDER);
    let _alone = lock(&home)?;
    if let Some(address) = found_running(&home)? {
        return Ok(address);
    }
    let state = home.join("state");
    if !state.join("tpm2-00.permall").exists() {
        PreparedTpm::make(&home)?;
    }
    let address = SoftwareTpm::start(&state)?.leave_running();
    let text = address.to_string();
    earnest_files::write(&home.join(ADDRESS_FILE), text.as_bytes(), Readers::Owner)?;
    Ok(address)
}

/// Ends the folder's TPM in software. Says whether it ran.
///
/// # Errors
///
/// When it runs and does not end.
pub fn stop(folder: &Folder) -> Result<bool, SoftwareError> {
    let home = folder.path().join(FOLDER);
    if !home.exists() {
        return Ok(false);
    }
    let _alone = lock(&home)?;
    let Some(DeviceAddress::Software { port }) = found_running(&home)? else {
        return Ok(false);
    };
    // Its control channel has the next port.
    let ended = Command::new("swtpm_ioctl")
        .args(["--tcp", &format!("127.0.0.1:{}", port + 1), "-s"])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SoftwareTpmError::Program {
            program: "swtpm_ioctl",
            source,
        })?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        return Err(SoftwareError::NotStopped { said });
    }
    // It answers before it ends, and whoever came meanwhile would take it for one that serves.
    let deadline = Instant::now() + END_DEADLINE;
    while found_running(&home)?.is_some() {
        if Instant::now() >= deadline {
            let said = format!("it was told to {} s ago", END_DEADLINE.as_secs());
            return Err(SoftwareError::NotStopped { said });
        }
        thread::sleep(END_PAUSE);
    }
    Ok(true)
}

/// Measures the pretended boot, if this TPM has not booted yet, and writes its log.
///
/// # Errors
///
/// When the TPM is out of reach, or the log cannot be written.
pub(crate) fn boot(module: &dyn TrustModule, folder: &Folder) -> Result<(), SoftwareError> {
    let home = folder.path().join(FOLDER);
    let _alone = lock(&home)?;
    let values = module.pcr_read(boot_pcrs())?;
    // Nearly every call finds that it has booted: the program, which is large, is read for the
    // others alone.
    if has_booted(&values) {
        return Ok(());
    }
    let missing = |pcr: u8| is_missing(&values, pcr);
    let program = earnest_files::read(Path::new("/proc/self/exe"), MAX_PROGRAM_BYTES)?;
    let measurements = boot::measurements(&program);
    if boot::PCRS.iter().all(|pcr| missing(*pcr)) {
        // The log is there before what it tells of: a boot that was cut off between the two
        // is continued below by whoever comes next.
        let log = boot::log(&measurements);
        earnest_files::write(&home.join(LOG_FILE), &log, Readers::Owner)?;
    }
    for one in measurements.iter().filter(|one| missing(one.pcr)) {
        let digest = one.digest.as_bytes().try_into();
        module.pcr_extend(one.pcr, digest.expect("a SHA-256 has 32 bytes"))?;
    }
    Ok(())
}

/// The PCRs that a pretended boot extends.
pub(crate) fn boot_pcrs() -> PcrSet {
    PcrSet::of(&boot::PCRS).expect("the PCRs of the boot exist")
}

/// Whether the TPM with these values, [`boot_pcrs`] among them, has booted to the end.
pub(crate) fn has_booted(values: &PcrValues) -> bool {
    !boot::PCRS.iter().any(|pcr| is_missing(values, *pcr))
}

fn is_missing(values: &PcrValues, pcr: u8) -> bool {
    values.value(pcr).is_some_and(|value| *value == [0; 32])
}

/// Where the log of the pretended boot is.
pub(crate) fn log_path(folder: &Folder) -> PathBuf {
    folder.path().join(FOLDER).join(LOG_FILE)
}

fn lock(home: &Path) -> Result<File, FileError> {
    earnest_files::create_folder(home)?;
    earnest_files::lock(&home.join(LOCK_FILE), LOCK_PATIENCE)
}

/// The address, if the process that listened there still does: a process id alone may have
/// been given to somebody else since.
fn found_running(home: &Path) -> Result<Option<DeviceAddress>, SoftwareError> {
    let small = |path: &Path| earnest_files::read(path, MAX_SMALL_FILE_BYTES);
    let Ok(id) = small(&home.join("state/swtpm.pid")) else {
        return Ok(None);
    };
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    let state = home.join("state").display().to_string();
    let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command);
    if id.is_empty() || !command.starts_with("swtpm") || !command.contains(&state) {
        return Ok(None);
    }
    let text = small(&home.join(ADDRESS_FILE))?;
    Ok(Some(String::from_utf8_lossy(&text).trim().parse()?))
}

/// Why there is no TPM in software.
#[derive(Debug, thiserror::Error)]
pub enum SoftwareError {
    /// It cannot be made or started.
    #[error(transparent)]
    Start(#[from] SoftwareTpmError),
    /// It does not end.
    #[error("the software TPM does not end: {said}")]
    NotStopped {
        /// What it says.
        said: String,
    },
    /// It does not answer.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// Where it listened cannot be understood.
    #[error("where the software TPM listens is not known: {0}")]
    Address(#[from] AddressError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
