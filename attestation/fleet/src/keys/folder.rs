//! The folder itself: making it, reading it, rotating its keys.

use std::fs::File;
use std::path::{Path, PathBuf};

use earnest_evidence::sealing::{KeyGrant, LeastVersion, PolicyKey};
use earnest_evidence::tpm::{MAX_PEM_BYTES, PublicKey};
use earnest_files::{self as files, FileError, Readers};
use earnest_verifier::ear::{ResultKey, ResultVerifier};
use ring::rand::SecureRandom;

use super::manifest::{MAX_MANIFEST_BYTES, Manifest};
use super::sign::{GrantFile, SigningKey, public_pem, read_document};
use super::{KeysError, Role, pem};
use crate::LOCK_PATIENCE;

/// Most bytes of a grant's file.
const MAX_GRANT_BYTES: usize = 4096;

/// The folder of the fleet's keys. Private keys are read when they are used, and not before.
#[derive(Debug, Clone)]
pub struct KeyFolder {
    path: PathBuf,
    manifest: Manifest,
}

/// A key that is accepted, by what people compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Its file, without the folder.
    pub file: String,
    /// SHA-256 over its `SubjectPublicKeyInfo`, in hexadecimal.
    pub sha256: String,
    /// Whether its private half is in the folder.
    pub private: bool,
}

impl KeyFolder {
    /// Makes a folder with new keys. The root's private key goes to `root_key`, or into the
    /// folder.
    ///
    /// # Errors
    ///
    /// When it holds keys already, or cannot be written.
    pub fn create(
        path: &Path,
        root_key: Option<&Path>,
        random: &dyn SecureRandom,
    ) -> Result<KeyFolder, KeysError> {
        files::create_folder(path)?;
        let folder = KeyFolder {
            path: path.to_owned(),
            manifest: Manifest::first(),
        };
        if folder.path.join("keys.json").exists() {
            return Err(KeysError::Exists { path: folder.path });
        }
        let root_key = root_key.map_or_else(|| folder.root_key_path(), Path::to_owned);
        let (root, document) = SigningKey::generate(random)?;
        write_private(&root_key, &document)?;
        let root_pem = public_pem(root.public())?;
        files::create(
            &folder.path.join("root.pub.pem"),
            root_pem.as_bytes(),
            Readers::Others,
        )?;
        folder.new_policy_key(&root, 1, random)?;
        for role in [Role::Release, Role::Result] {
            folder.new_key(role, 1, random)?;
        }
        folder.write_accepted(&folder.manifest)?;
        // The last file, so that a folder that was made halfway is none.
        let text = folder.manifest.to_json();
        files::create(
            &folder.path.join("keys.json"),
            text.as_bytes(),
            Readers::Owner,
        )?;
        Ok(folder)
    }

    /// Opens the folder of keys that is there.
    ///
    /// # Errors
    ///
    /// When there is none, or its `keys.json` is damaged.
    pub fn open(path: &Path) -> Result<KeyFolder, KeysError> {
        let file = path.join("keys.json");
        let Some(bytes) = files::read_if_there(&file, MAX_MANIFEST_BYTES)? else {
            return Err(KeysError::NoKeys {
                path: path.to_owned(),
            });
        };
        let manifest = Manifest::parse(&bytes)
            .map_err(|reason| KeysError::Malformed { path: file, reason })?;
        Ok(KeyFolder {
            path: path.to_owned(),
            manifest,
        })
    }

    /// Which keys are in use.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the root's private key is, unless it was put elsewhere.
    pub fn root_key_path(&self) -> PathBuf {
        self.path.join("root.key.pem")
    }

    /// Makes another key of this role and takes it into use. A policy key is granted its power
    /// by the root, whose private key is read from `root_key` or the folder; of others,
    /// earlier ones stay accepted unless `alone`. Gives the key's number.
    ///
    /// # Errors
    ///
    /// When the root's key is not there or is another one, or the folder cannot be written.
    pub fn rotate(
        &mut self,
        role: Role,
        root_key: Option<&Path>,
        alone: bool,
        random: &dyn SecureRandom,
    ) -> Result<u64, KeysError> {
        let _one_at_a_time = self.lock()?;
        let mut number = self.manifest.current(role);
        // A rotation that was cut short may have left the next number's files behind; they were
        // never in use, and are passed over.
        loop {
            number = number.saturating_add(1);
            let made = match role {
                Role::Policy => {
                    let root = self.read_root_key(root_key)?;
                    self.new_policy_key(&root, number, random)
                }
                Role::Release | Role::Result => self.new_key(role, number, random).map(drop),
            };
            match made {
                Err(KeysError::File(FileError::Exists { .. })) if number < u64::MAX => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let manifest = self.manifest.rotated(role, number, alone);
        self.write_accepted(&manifest)?;
        self.write_manifest(manifest)?;
        Ok(number)
    }

    /// The root's public key.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is none.
    pub fn root(&self) -> Result<PolicyKey, KeysError> {
        self.read_public("root")
    }

    /// The policy key in use with the root's word for it, which was checked.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the root did not grant it.
    pub fn grant(&self) -> Result<KeyGrant, KeysError> {
        let generation = self.manifest.current(Role::Policy);
        let path = self.path.join(format!("policy-{generation}.grant.json"));
        let malformed = |reason: String| KeysError::Malformed {
            path: path.clone(),
            reason,
        };
        let bytes = files::read(&path, MAX_GRANT_BYTES)?;
        let file: GrantFile =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        let grant = file.into_grant().map_err(malformed)?;
        if grant.generation != generation {
            return Err(KeysError::Malformed {
                path,
                reason: format!(
                    "expected generation {generation}, found {}",
                    grant.generation
                ),
            });
        }
        grant.verify(&self.root()?)?;
        Ok(grant)
    }

    /// The private key in use, which belongs to the public key beside it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, others may read it, or it is another one.
    pub fn signing_key(&self, role: Role) -> Result<SigningKey, KeysError> {
        let name = self.current_name(role);
        let path = self.path.join(format!("{name}.key.pem"));
        let key = SigningKey::read(&path)?;
        same_key(path, &self.read_public(&name)?, key.public())?;
        Ok(key)
    }

    /// The key that results are signed with.
    ///
    /// # Errors
    ///
    /// As [`KeyFolder::signing_key`].
    pub fn result_key(&self, random: &dyn SecureRandom) -> Result<ResultKey, KeysError> {
        self.signing_key(Role::Result)?;
        let name = self.current_name(Role::Result);
        let document = read_document(&self.path.join(format!("{name}.key.pem")))?;
        Ok(ResultKey::from_pkcs8(&document, random)?)
    }

    /// The keys by which results are accepted, the one in use first.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn result_verifiers(&self) -> Result<Vec<ResultVerifier>, KeysError> {
        let numbers = self.manifest.accepted(Role::Result).iter();
        numbers
            .map(|number| {
                let path = self.public_path(&format!("result-{number}"));
                Ok(ResultVerifier::new(&read_public_key(&path)?)?)
            })
            .collect()
    }

    /// The public keys of this role that are accepted, the one in use first.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn fingerprints(&self, role: Role) -> Result<Vec<Fingerprint>, KeysError> {
        let numbers = self.manifest.accepted(role).iter();
        numbers
            .map(|number| self.fingerprint(&format!("{role}-{number}")))
            .collect()
    }

    /// The root's public key, by what people compare.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn root_fingerprint(&self) -> Result<Fingerprint, KeysError> {
        self.fingerprint("root")
    }

    /// Lets one process at a time change the keys, and reads what the last one left.
    pub(super) fn lock(&mut self) -> Result<File, KeysError> {
        let lock = files::lock(&self.path.join("keys.lock"), LOCK_PATIENCE)?;
        *self = KeyFolder::open(&self.path)?;
        Ok(lock)
    }

    /// Remembers the least version that was signed.
    pub(super) fn remember(&mut self, least: LeastVersion) -> Result<(), KeysError> {
        self.write_manifest(self.manifest.with_least(least))
    }

    fn fingerprint(&self, name: &str) -> Result<Fingerprint, KeysError> {
        Ok(Fingerprint {
            file: format!("{name}.pub.pem"),
            sha256: read_public_key(&self.public_path(name))?.fingerprint(),
            private: self.path.join(format!("{name}.key.pem")).exists(),
        })
    }

    fn current_name(&self, role: Role) -> String {
        format!("{role}-{}", self.manifest.current(role))
    }

    fn public_path(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.pub.pem"))
    }

    fn read_public(&self, name: &str) -> Result<PolicyKey, KeysError> {
        let path = self.public_path(name);
        let key = read_public_key(&path)?;
        PolicyKey::from_spki_der(&key.to_spki_der())
            .map_err(|source| KeysError::Curve { path, source })
    }

    fn read_root_key(&self, root_key: Option<&Path>) -> Result<SigningKey, KeysError> {
        let path = root_key.map_or_else(|| self.root_key_path(), Path::to_owned);
        let key = SigningKey::read(&path)?;
        same_key(path, &self.root()?, key.public())?;
        Ok(key)
    }

    /// Makes a key pair whose files must not be there yet.
    fn new_key(
        &self,
        role: Role,
        number: u64,
        random: &dyn SecureRandom,
    ) -> Result<SigningKey, KeysError> {
        let (key, document) = SigningKey::generate(random)?;
        let name = format!("{role}-{number}");
        write_private(&self.path.join(format!("{name}.key.pem")), &document)?;
        let pem = public_pem(key.public())?;
        files::create(&self.public_path(&name), pem.as_bytes(), Readers::Others)?;
        Ok(key)
    }

    fn new_policy_key(
        &self,
        root: &SigningKey,
        generation: u64,
        random: &dyn SecureRandom,
    ) -> Result<(), KeysError> {
        let key = self.new_key(Role::Policy, generation, random)?;
        let sign = |message: &[u8]| root.sign(message).map_err(|_| KeysError::Random);
        let grant = KeyGrant::sign(root.public(), *key.public(), generation, sign)?;
        grant.verify(root.public())?;
        let path = self.path.join(format!("policy-{generation}.grant.json"));
        let text = serde_json::to_vec_pretty(&GrantFile::of(&grant)).map_err(|error| {
            KeysError::Malformed {
                path: path.clone(),
                reason: error.to_string(),
            }
        })?;
        Ok(files::create(&path, &text, Readers::Others)?)
    }

    /// Writes the lists of accepted keys, for whoever checks releases and results.
    fn write_accepted(&self, manifest: &Manifest) -> Result<(), KeysError> {
        for role in [Role::Release, Role::Result] {
            let mut text = String::new();
            for number in manifest.accepted(role) {
                let path = self.public_path(&format!("{role}-{number}"));
                text.push_str(&read_public_key(&path)?.to_pem());
            }
            let path = self.path.join(format!("{role}.keys.pem"));
            files::write(&path, text.as_bytes(), Readers::Others)?;
        }
        Ok(())
    }

    fn write_manifest(&mut self, manifest: Manifest) -> Result<(), KeysError> {
        let path = self.path.join("keys.json");
        files::write(&path, manifest.to_json().as_bytes(), Readers::Owner)?;
        self.manifest = manifest;
        Ok(())
    }
}

fn write_private(path: &Path, document: &[u8]) -> Result<(), KeysError> {
    Ok(files::create(
        path,
        pem::encode(document).as_bytes(),
        Readers::Owner,
    )?)
}

fn read_public_key(path: &Path) -> Result<PublicKey, KeysError> {
    let bytes = files::read(path, MAX_PEM_BYTES)?;
    PublicKey::from_pem(&String::from_utf8_lossy(&bytes)).map_err(|source| KeysError::Public {
        path: path.to_owned(),
        source,
    })
}

fn same_key(path: PathBuf, expected: &PolicyKey, found: &PolicyKey) -> Result<(), KeysError> {
    let fingerprint = |key: &PolicyKey| {
        let digest = earnest_evidence::HashAlgorithm::Sha256.digest(&key.to_spki_der());
        digest.to_hex()
    };
    match expected == found {
        true => Ok(()),
        false => Err(KeysError::OtherKey {
            path,
            expected: fingerprint(expected),
            found: fingerprint(found),
        }),
    }
}
