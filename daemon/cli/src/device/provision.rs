//! `earnest tpm provision`.

use earnest_attester::{Configuration, Device, Folder, Provisioning, TpmChoice, keys};
use earnest_evidence::hex;
use earnest_evidence::sealing::SignedVersion;
use earnest_tpm::{AkAlgorithm, OwnerSecrets};
use zeroize::Zeroizing;

use super::arguments::{Ak, Provision};
use super::{Failure, device_folder, files, show};

/// The device that `--tpm-real` names.
const REAL_TPM: &str = "/dev/tpmrm0";

/// Provisions the device and says what it is.
pub(super) fn provision(options: &Provision) -> Result<String, Failure> {
    let tpm = match (&options.tpm, options.tpm_real) {
        (Some(address), _) => address.parse()?,
        (None, true) => REAL_TPM.parse()?,
        (None, false) => TpmChoice::Software,
    };
    let provisioning = Provisioning {
        configuration: Configuration::with_tpm(tpm),
        root: keys::root(&options.root)?,
        first_version: SignedVersion::parse(&files::read(&options.first_version)?)?,
        ak: match options.ak {
            Ak::EccP256 => AkAlgorithm::EccP256,
            Ak::Rsa2048 => AkAlgorithm::Rsa2048,
        },
    };
    let folder = Folder::create(&device_folder(options.place.folder.as_deref())?)?;
    let (device, secrets) = Device::provision(folder, &provisioning)?;
    if let Some(path) = &options.recovery {
        files::write(path, recovery(&secrets).as_bytes())?;
    }
    let said = show::status(&device);
    device.close()?;
    said
}

/// The secrets as the TPM's public tools take them.
fn recovery(secrets: &OwnerSecrets) -> Zeroizing<String> {
    let owner = Zeroizing::new(hex::encode(&secrets.owner[..]));
    let lockout = Zeroizing::new(hex::encode(&secrets.lockout[..]));
    Zeroizing::new(format!(
        "owner hex:{}\nlockout hex:{}\n",
        owner.as_str(),
        lockout.as_str()
    ))
}
