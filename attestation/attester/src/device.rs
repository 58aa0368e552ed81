//! A provisioned device: its folder, its configuration and its TPM.

use earnest_evidence::envelope::Evidence;
use earnest_evidence::firmware::{EventLog, LogError, MAX_LOG_BYTES};
use earnest_evidence::measured::{DEFAULT_PCR, Head, Start};
use earnest_evidence::sealing::{PolicyKey, SignedVersion};
use earnest_evidence::{Digest, HashAlgorithm, Nonce};
use earnest_files::FileError;
use earnest_tpm::{
    AkAlgorithm, DeviceAddress, MAX_STATE_BYTES, OwnerSecrets, PcrValues, ProvisionError,
    ProvisionOptions, State, StateError, Tpm, TpmError, TrustModule, look, provision,
};

use crate::configuration::{Configuration, ConfigurationError, TpmChoice};
use crate::folder::Folder;
use crate::gather::{Context, GatherError, gather};
use crate::software::{self, SoftwareError};
use crate::starts::{self, Starts, StartsError};

/// What its folder remembers of its provisioning.
const STATE_FILE: &str = "device.tpm";

/// How a device is provisioned.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// What it is told about itself.
    pub configuration: Configuration,
    /// The root of policies, for good.
    pub root: PolicyKey,
    /// The fleet's permission for the first write of the least version.
    pub first_version: SignedVersion,
    /// The algorithm of its attestation key.
    pub ak: AkAlgorithm,
}

/// A provisioned device, its TPM reached.
#[derive(Debug)]
pub struct Device {
    folder: Folder,
    configuration: Configuration,
    tpm: Tpm,
}

impl Device {
    /// Provisions a TPM that nobody owns, and remembers it in the folder. The secrets are for
    /// whoever may provision the TPM anew, and are written nowhere.
    ///
    /// # Errors
    ///
    /// When the folder holds a device already, the TPM is out of reach or has an owner, or the
    /// permission is not of this root.
    pub fn provision(
        folder: Folder,
        provisioning: &Provisioning,
    ) -> Result<(Device, OwnerSecrets), DeviceError> {
        // What is there and no state is refused, too: it is not ours to write over.
        if folder.read(STATE_FILE, MAX_STATE_BYTES)?.is_some() {
            return Err(DeviceError::Provisioned {
                folder: folder.path().to_owned(),
            });
        }
        let Provisioning {
            configuration,
            root,
            first_version,
            ak,
        } = provisioning;
        let address = address(configuration, &folder)?;
        let options = ProvisionOptions {
            root: *root,
            first_version: *first_version,
            ak: *ak,
            // A provisioning that a power cut ended left its index behind, and as nobody owns
            // the TPM yet, the index guards nothing.
            replace_index: true,
        };
        let provisioned = provision(&address, &options)?;
        configuration.save(&folder)?;
        folder.write(STATE_FILE, &provisioned.state.encode())?;
        Ok((Device::open(folder)?, provisioned.secrets))
    }

    /// Opens the device of this folder. A TPM in software is started if it does not run.
    ///
    /// # Errors
    ///
    /// When the folder holds no device, or its TPM is out of reach or another one.
    pub fn open(folder: Folder) -> Result<Device, DeviceError> {
        let (configuration, state, address) = remembered(&folder)?;
        let device = Device {
            tpm: Tpm::open(address, state)?,
            folder,
            configuration,
        };
        if device.configuration.tpm == TpmChoice::Software {
            software::boot(&device.tpm, &device.folder)?;
        }
        Ok(device)
    }

    /// A look at the boot PCRs of this folder's device, as [`Device::open`] and a reading of them
    /// would give it, for who looks again and again and lets the TPM go in between. None where the
    /// device is to be opened for it: its TPM serves many at once and is better kept, or is one in
    /// software that has yet to boot.
    ///
    /// # Errors
    ///
    /// As [`Device::open`].
    pub fn look(folder: &Folder) -> Result<Option<PcrValues>, DeviceError> {
        let (configuration, state, address) = remembered(folder)?;
        if !address.is_software() {
            return Ok(None);
        }
        let boot = configuration.boot_pcrs;
        if configuration.tpm != TpmChoice::Software {
            return Ok(Some(look(&address, &state, boot)?));
        }
        let all = look(&address, &state, boot.union(software::boot_pcrs()))?;
        Ok(software::has_booted(&all).then(|| all.within(boot)))
    }

    /// Where the TPM of this folder's device is reached, without asking it anything: a process
    /// that is about to give up connections keeps this one. A TPM in software is started if it
    /// does not run.
    ///
    /// # Errors
    ///
    /// When the folder holds no device, or the TPM in software does not start.
    pub fn address(folder: &Folder) -> Result<DeviceAddress, DeviceError> {
        address(&Configuration::load(folder)?, folder)
    }

    /// The TPM, as others use it.
    pub fn module(&self) -> &dyn TrustModule {
        &self.tpm
    }

    /// Where the device keeps what it must remember.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What the device was told about itself.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The root of the device's policies.
    pub fn root(&self) -> &PolicyKey {
        self.tpm.state().root()
    }

    /// The firmware's event log; empty where the system shows none.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read.
    pub fn firmware_log(&self) -> Result<Vec<u8>, FileError> {
        let path = match self.configuration.tpm {
            TpmChoice::Software => software::log_path(&self.folder),
            TpmChoice::At(_) => self.configuration.firmware_log.clone(),
        };
        Ok(earnest_files::read_if_there(&path, MAX_LOG_BYTES)?.unwrap_or_default())
    }

    /// The starts since boot, and the heads that were anchored.
    ///
    /// # Errors
    ///
    /// When the TPM or a log cannot be read.
    pub fn starts(&self) -> Result<Starts, DeviceError> {
        let from = before_starts(&self.firmware_log()?)?;
        Ok(starts::read(&self.tpm, &self.folder, from)?)
    }

    /// Measures a start of the daemon: into the log, and into the log's PCR.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, a log cannot be read or written, or PCR and log disagree.
    pub fn measure_start(&self, start: Start) -> Result<Starts, DeviceError> {
        let from = before_starts(&self.firmware_log()?)?;
        Ok(starts::record(&self.tpm, &self.folder, from, start)?)
    }

    /// Anchors the head of the audit log: into the measured log, and into its PCR. A head that is
    /// anchored already is not anchored again.
    ///
    /// # Errors
    ///
    /// As [`Device::measure_start`], and when the head does not follow the one that was anchored
    /// last since boot: the audit log went back.
    pub fn anchor(&self, head: Head) -> Result<(), DeviceError> {
        let from = before_starts(&self.firmware_log()?)?;
        starts::anchor(&self.tpm, &self.folder, from, head)?;
        Ok(())
    }

    /// The head of the audit log that was anchored last since boot, if one was. The PCR vouches
    /// for it.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, a log cannot be read, or PCR and log disagree.
    pub fn anchored(&self) -> Result<Option<Head>, DeviceError> {
        let from = before_starts(&self.firmware_log()?)?;
        Ok(starts::anchored(&self.tpm, &self.folder, from)?)
    }

    /// Evidence of the state that the device is in, for this nonce. Nobody adds to the measured
    /// log meanwhile: a PCR that was extended behind the log would prove nothing.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or a log cannot be read.
    pub fn evidence(&self, nonce: Nonce, software: &str) -> Result<Evidence, DeviceError> {
        let firmware_log = self.firmware_log()?;
        let _alone = starts::alone(&self.folder)?;
        let starts = starts::read(&self.tpm, &self.folder, before_starts(&firmware_log)?)?;
        let context = Context {
            firmware_log: &firmware_log,
            starts: &starts,
            software,
        };
        Ok(gather(&self.tpm, nonce, context)?)
    }

    /// Leaves the TPM in order.
    ///
    /// # Errors
    ///
    /// When it is out of reach.
    pub fn close(self) -> Result<(), TpmError> {
        self.tpm.close()
    }
}

/// What a folder knows of its device, and where its TPM is.
fn remembered(folder: &Folder) -> Result<(Configuration, State, DeviceAddress), DeviceError> {
    let configuration = Configuration::load(folder)?;
    let state = earnest_files::read(&folder.path().join(STATE_FILE), MAX_STATE_BYTES)?;
    let state = State::parse(&state)?;
    let address = address(&configuration, folder)?;
    Ok((configuration, state, address))
}

fn address(configuration: &Configuration, folder: &Folder) -> Result<DeviceAddress, DeviceError> {
    Ok(match &configuration.tpm {
        TpmChoice::Software => software::running(folder)?,
        TpmChoice::At(address) => address.clone(),
    })
}

/// What the log's PCR holds before the first start: what firmware extended, or zeros.
fn before_starts(firmware_log: &[u8]) -> Result<Digest, LogError> {
    let zeros = HashAlgorithm::Sha256.zero();
    if firmware_log.is_empty() {
        return Ok(zeros);
    }
    let replay = EventLog::parse(firmware_log)?.replay(HashAlgorithm::Sha256);
    Ok(replay.value(DEFAULT_PCR).copied().unwrap_or(zeros))
}

/// Why a device cannot be provisioned or opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is one already.
    #[error("{folder} holds a provisioned device already", folder = folder.display())]
    Provisioned {
        /// Where.
        folder: std::path::PathBuf,
    },
    /// The configuration is none.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// What was remembered of the provisioning is damaged.
    #[error(transparent)]
    State(#[from] StateError),
    /// The TPM in software does not start.
    #[error(transparent)]
    Software(#[from] SoftwareError),
    /// The TPM cannot be provisioned.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// A start cannot be measured.
    #[error(transparent)]
    Starts(#[from] StartsError),
    /// There is no evidence.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The firmware's log is none.
    #[error("the firmware's event log cannot be read: {0}")]
    FirmwareLog(#[from] LogError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
