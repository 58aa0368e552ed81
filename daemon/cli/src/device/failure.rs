//! Why a command about the device fails, and how the process ends for it.

use std::path::PathBuf;

use earnest_attester::content::ContentError;
use earnest_attester::enrol::EnrolError;
use earnest_attester::guard::GuardKeyError;
use earnest_attester::keys::KeyFileError;
use earnest_attester::result::ResultError;
use earnest_attester::secrets::SecretsError;
use earnest_attester::software::SoftwareError;
use earnest_attester::{DeviceError, WritePartsError};
use earnest_evidence::enrolment::EnrolmentError;
use earnest_evidence::sealing::SignedVersionError;
use earnest_evidence::tpm::StructureError;
use earnest_files::FileError;
use earnest_guardian::PairError;
use earnest_package::PackageError;
use earnest_tpm::{AddressError, MoveVersionError, TpmError};

use crate::exit::Exit;

/// Why a command about the device fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing says where the user's data is.
    #[error("no place for the device: set EARNEST_DEVICE, XDG_DATA_HOME or HOME, or give --device")]
    NoFolder,
    /// The device's folder is not there.
    #[error("no device is here, provision one first with `earnest tpm provision`")]
    NoDevice(#[source] FileError),
    /// A file that was given is not what it should be.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    FileSystem(#[from] FileError),
    /// A key that was given is none.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The nonce is none.
    #[error("--nonce: {0}")]
    Nonce(#[from] earnest_evidence::hex::HexError),
    /// No such TPM.
    #[error("--tpm: {0}")]
    Address(#[from] AddressError),
    /// A file of the enrolment is none.
    #[error(transparent)]
    EnrolmentFile(#[from] EnrolmentError),
    /// A permission for a version is none.
    #[error(transparent)]
    Version(#[from] SignedVersionError),
    /// The device cannot be provisioned or opened.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The software TPM does not end.
    #[error(transparent)]
    Software(#[from] SoftwareError),
    /// The device cannot be enrolled.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The evidence cannot be written.
    #[error(transparent)]
    Parts(#[from] WritePartsError),
    /// The least version does not move.
    #[error(transparent)]
    Raise(#[from] MoveVersionError),
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The TPM gave what cannot be read.
    #[error("the TPM's answer cannot be read: {0}")]
    Structure(#[from] StructureError),
    /// The result does not hold.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The model cannot be sealed or opened.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The device's key of its guard is not to be had.
    #[error(transparent)]
    GuardKey(#[from] GuardKeyError),
    /// The guard does not take the key.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The system gives this program no way to wait.
    #[error("the system refuses what this program runs on: {0}")]
    Runtime(std::io::Error),
    /// The plain model is missing or refused.
    #[error(transparent)]
    Plain(#[from] PackageError),
}

impl Failure {
    /// How the command ends for it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::NoFolder | Failure::NoDevice(_) => Exit::Device,
            Failure::File { .. }
            | Failure::Key(_)
            | Failure::FileSystem(_)
            | Failure::EnrolmentFile(_)
            | Failure::Version(_)
            | Failure::Parts(_) => Exit::FleetFile,
            Failure::Nonce(_) | Failure::Address(_) => Exit::Usage,
            Failure::Device(error) => of_device(error),
            Failure::Software(_) | Failure::Tpm(_) | Failure::Structure(_) => Exit::Tpm,
            Failure::Enrol(_) | Failure::Raise(_) => Exit::TpmRefuses,
            Failure::Result(ResultError::Tpm(_)) => Exit::Tpm,
            Failure::Result(_) => Exit::ResultRefused,
            Failure::GuardKey(error) => of_guard_key(error),
            Failure::Pair(_) => Exit::Unguarded,
            Failure::Runtime(_) => Exit::Internal,
            Failure::Content(error) => of_content(error),
            Failure::Plain(error) => Exit::from(error),
        }
    }
}

fn of_device(error: &DeviceError) -> Exit {
    match error {
        DeviceError::Software(_) | DeviceError::Tpm(_) => Exit::Tpm,
        DeviceError::Provision(_) => Exit::TpmRefuses,
        _ => Exit::Device,
    }
}

fn of_guard_key(error: &GuardKeyError) -> Exit {
    match error {
        GuardKeyError::Secrets(SecretsError::Tpm(_)) => Exit::Tpm,
        GuardKeyError::Secrets(SecretsError::Unseal(_) | SecretsError::Policy(_)) => Exit::Sealed,
        _ => Exit::Device,
    }
}

/// How a command ends that could not open or seal a model.
pub(crate) fn of_content(error: &ContentError) -> Exit {
    match error {
        ContentError::Tpm(_) => Exit::Tpm,
        ContentError::Unseal(_) | ContentError::NoPolicy | ContentError::Policy(_) => Exit::Sealed,
        ContentError::Open(_) | ContentError::NotSealed | ContentError::Key(_) => {
            Exit::PackageRefused
        }
        ContentError::SealedKey(_) | ContentError::KeyFile(_) => Exit::Device,
        ContentError::Write(_) => Exit::NotWritten,
        ContentError::File(_) => Exit::ModelMissing,
    }
}
