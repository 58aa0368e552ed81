//! A fleet, and devices of it: in memory, and with a TPM in software.

use std::convert::Infallible;
use std::sync::OnceLock;

use earnest_evidence::sealing::{
    KeyGrant, LeastVersion, PolicyKey, SignatureBytes, SignedPolicy, SignedVersion,
};
use earnest_evidence::tpm::PcrSet;
use earnest_tpm::{
    AkAlgorithm, FakeModule, PreparedTpm, ProvisionOptions, SoftwareTpm, Tpm, TrustModule,
    provision,
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use tempfile::TempDir;

use crate::authority::fixed;
use crate::folder::Folder;

/// A key that signs for the fleet.
pub(crate) struct Fleet(KeyPair);

impl Fleet {
    pub(crate) fn new() -> Fleet {
        Fleet(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
    }

    pub(crate) fn key(&self) -> PolicyKey {
        PolicyKey::from_point(self.0.der_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<SignatureBytes, Infallible> {
        Ok(fixed(&self.0.sign(message).unwrap()).unwrap())
    }

    /// A policy that approves of the state that the module is in.
    pub(crate) fn approve(&self, module: &dyn TrustModule) -> SignedPolicy {
        let boot = PcrSet::of(&[4, 7, 11]).unwrap();
        let state = module.pcr_read(boot).unwrap().digest();
        let sign = |message: &[u8]| self.sign(message);
        let Ok(grant) = KeyGrant::sign(&self.key(), self.key(), 1, sign);
        SignedPolicy::sign(&self.key(), grant, boot, 1, &[state], sign).unwrap()
    }

    /// A module in memory under this root.
    pub(crate) fn fake(&self) -> FakeModule {
        FakeModule::new(self.key(), Fleet::least()).unwrap()
    }

    pub(crate) fn least() -> LeastVersion {
        LeastVersion {
            version: 1,
            generation: 1,
        }
    }
}

/// A module in memory, of nobody's fleet.
pub(crate) fn fake() -> FakeModule {
    Fleet::new().fake()
}

/// A provisioned TPM in software.
pub(crate) struct Machine {
    pub(crate) tpm: Tpm,
    pub(crate) fleet: Fleet,
    _software: SoftwareTpm,
    _directory: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Machine {
        earnest_tpm::quiet_library();
        static PREPARED: OnceLock<(TempDir, PreparedTpm)> = OnceLock::new();
        let (_, prepared) = PREPARED.get_or_init(|| {
            let directory = TempDir::new().unwrap();
            let prepared = PreparedTpm::make(directory.path()).unwrap();
            (directory, prepared)
        });
        let directory = TempDir::new().unwrap();
        let state = directory.path().join("tpm");
        prepared.copy_to(&state).unwrap();
        let software = SoftwareTpm::start(&state).unwrap();
        let fleet = Fleet::new();
        let sign = |message: &[u8]| fleet.sign(message);
        let Ok(grant) = KeyGrant::sign(&fleet.key(), fleet.key(), 1, sign);
        let Ok(first_version) =
            SignedVersion::sign(&fleet.key(), grant, true, Fleet::least(), sign);
        let options = ProvisionOptions {
            root: fleet.key(),
            first_version,
            ak: AkAlgorithm::EccP256,
            replace_index: false,
        };
        let provisioned = provision(&software.address(), &options).unwrap();
        Machine {
            tpm: Tpm::open(software.address(), provisioned.state).unwrap(),
            fleet,
            _software: software,
            _directory: directory,
        }
    }
}

/// A device's folder, empty.
pub(crate) fn folder() -> (TempDir, Folder) {
    let place = TempDir::new().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    (place, folder)
}
