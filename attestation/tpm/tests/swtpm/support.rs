//! Software TPMs and signing keys for the tests. Each test has its own of both.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use earnest_evidence::sealing::{
    KeyGrant, LeastVersion, PolicyKey, SignatureBytes, SignedPolicy, SignedVersion,
};
use earnest_evidence::tpm::PcrSet;
use earnest_tpm::{
    AkAlgorithm, PreparedTpm, ProvisionOptions, Provisioned, SoftwareTpm, State, Tpm,
    TrustModule as _, provision,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use tempfile::TempDir;

/// A key that signs policies.
pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    pub(crate) key: PolicyKey,
}

impl Signer {
    pub(crate) fn new() -> Signer {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random numbers");
        let pair =
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("it was just made");
        let key = PolicyKey::from_point(pair.public_key().as_ref()).expect("ring gives points");
        Signer { pair, key }
    }

    fn sign(&self, message: &[u8]) -> Result<SignatureBytes, Infallible> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        let signature = signature.expect("random numbers");
        Ok(signature.as_ref().try_into().expect("r and s"))
    }
}

/// A fleet: its root and its policy key of the day.
pub(crate) struct Fleet {
    pub(crate) root: Signer,
    pub(crate) policy: Signer,
    pub(crate) generation: u64,
}

impl Fleet {
    pub(crate) fn new() -> Fleet {
        Fleet {
            root: Signer::new(),
            policy: Signer::new(),
            generation: 1,
        }
    }

    /// Takes a new policy key into use.
    pub(crate) fn rotate(&mut self) {
        self.policy = Signer::new();
        self.generation += 1;
    }

    fn grant(&self) -> KeyGrant {
        let sign = |message: &[u8]| self.root.sign(message);
        let Ok(grant) = KeyGrant::sign(&self.root.key, self.policy.key, self.generation, sign);
        grant
    }

    /// Approves of the state that the device is in.
    pub(crate) fn approve(&self, tpm: &Tpm, version: u64) -> SignedPolicy {
        let state = tpm.pcr_read(boot()).expect("PCRs can be read").digest();
        self.approve_state(&state, version)
    }

    pub(crate) fn approve_state(&self, state: &[u8; 32], version: u64) -> SignedPolicy {
        let sign = |message: &[u8]| self.policy.sign(message);
        SignedPolicy::sign(
            &self.root.key,
            self.grant(),
            boot(),
            version,
            &[*state],
            sign,
        )
        .expect("there is one state")
    }

    /// Permits to raise the least version.
    pub(crate) fn permit(&self, version: u64, generation: u64) -> SignedVersion {
        self.permission(false, version, generation)
    }

    /// Permits a first write.
    pub(crate) fn permit_first(&self) -> SignedVersion {
        self.permission(true, 1, 1)
    }

    pub(crate) fn permission(&self, first: bool, version: u64, generation: u64) -> SignedVersion {
        let least = LeastVersion {
            version,
            generation,
        };
        let sign = |message: &[u8]| self.policy.sign(message);
        let Ok(signed) = SignedVersion::sign(&self.root.key, self.grant(), first, least, sign);
        signed
    }

    pub(crate) fn options(&self, ak: AkAlgorithm) -> ProvisionOptions {
        ProvisionOptions {
            root: self.root.key,
            first_version: self.permit_first(),
            ak,
            replace_index: false,
        }
    }
}

/// The boot PCRs of the tests.
pub(crate) fn boot() -> PcrSet {
    PcrSet::of(&[4, 7, 11]).expect("they exist")
}

/// A software TPM with a directory of its own.
pub(crate) struct Machine {
    pub(crate) software: SoftwareTpm,
    pub(crate) directory: TempDir,
}

impl Machine {
    /// A machine whose TPM was never used. All of them have the same EK and storage root key.
    pub(crate) fn new() -> Machine {
        static PREPARED: OnceLock<(TempDir, PreparedTpm)> = OnceLock::new();
        let (_, prepared) = PREPARED.get_or_init(|| {
            let directory = TempDir::new().expect("a directory");
            let prepared = PreparedTpm::make(directory.path()).expect("swtpm_setup works");
            (directory, prepared)
        });
        Machine::of(prepared)
    }

    pub(crate) fn of(prepared: &PreparedTpm) -> Machine {
        let directory = TempDir::new().expect("a directory");
        let state = directory.path().join("tpm");
        prepared.copy_to(&state).expect("the state can be copied");
        Machine {
            software: SoftwareTpm::start(&state).expect("swtpm starts"),
            directory,
        }
    }

    pub(crate) fn provision(&self, fleet: &Fleet) -> Provisioned {
        self.provision_with(fleet, AkAlgorithm::EccP256)
    }

    pub(crate) fn provision_with(&self, fleet: &Fleet, ak: AkAlgorithm) -> Provisioned {
        let provisioned =
            provision(&self.software.address(), &fleet.options(ak)).expect("it provisions");
        let saved = std::fs::write(self.state_file(), provisioned.state.encode());
        saved.expect("it can be saved");
        provisioned
    }

    /// Opens the TPM as a daemon does that starts.
    pub(crate) fn open(&self) -> Tpm {
        Tpm::open(self.software.address(), self.state()).expect("the TPM is there")
    }

    /// What was remembered of the provisioning.
    pub(crate) fn state(&self) -> State {
        let bytes = std::fs::read(self.state_file()).expect("the state was saved");
        State::parse(&bytes).expect("it is a state")
    }

    fn state_file(&self) -> PathBuf {
        self.path().join("device.tpm")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}
