//! The model at rest: sealed into one file, its key sealed in the TPM.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek as _};
use std::path::Path;

use earnest_evidence::sealing::{SignedPolicy, SignedPolicyError};
use earnest_evidence::{Digest, HashAlgorithm};
use earnest_files::FileError;
use earnest_package::{
    ContentKey, KeyError, Model, PackageId, PackageSummary, ReleaseSigningKey, ReleaseVerifyingKey,
    Sealing, Trust, UnpackError, Unsealing, WriteError,
};
use earnest_tpm::{
    MAX_STATE_BYTES, SealedKey, Secret, StateError, TpmError, TrustModule, UnsealError,
};

use crate::folder::Folder;

const POLICY_FILE: &str = "policy.signed";

/// Each package has a key of its own, in a file named by the package's id: a device may have
/// several models, and one that is replaced opens until the other is there.
fn content_key_file(id: PackageId) -> String {
    format!("content-{id}.key")
}

/// A signed policy has a few hundred bytes and 32 more for each state that it approves.
const MAX_POLICY_BYTES: usize = 64 << 10;

/// Keeps the policy that the fleet signed, which says in which states the device may open its
/// seal. Whether this device's root stands behind it is checked first; the TPM checks again.
///
/// # Errors
///
/// When it is no policy of this device's root, or the file cannot be kept. The earlier policy
/// is kept then.
pub fn keep_policy(
    folder: &Folder,
    root: &earnest_evidence::sealing::PolicyKey,
    bytes: &[u8],
) -> Result<SignedPolicy, ContentError> {
    let policy = SignedPolicy::parse(bytes)?;
    policy.verify(root)?;
    folder.write(POLICY_FILE, bytes)?;
    Ok(policy)
}

/// The policy that was kept last.
///
/// # Errors
///
/// When there is none, or it cannot be read.
pub fn policy(folder: &Folder) -> Result<SignedPolicy, ContentError> {
    let bytes = folder.read(POLICY_FILE, MAX_POLICY_BYTES)?;
    Ok(SignedPolicy::parse(&bytes.ok_or(ContentError::NoPolicy)?)?)
}

/// Seals a model: a new content key encrypts the package at `path`, the release key signs it,
/// and the TPM seals the content key. The package appears whole or not at all, and after its
/// key, so that a power cut never leaves a package that nothing opens.
///
/// # Errors
///
/// When the package cannot be written, or the TPM is out of reach.
pub fn seal(
    module: &dyn TrustModule,
    folder: &Folder,
    model: &Model,
    release_key: &ReleaseSigningKey,
    version: u64,
    path: &Path,
) -> Result<PackageSummary, ContentError> {
    let content_key = ContentKey::generate()?;
    let sealed = module.seal(&Secret::new(*content_key.expose()))?;
    let sealing = Sealing {
        content_key: &content_key,
        release_key,
        version,
    };
    let unwritten = |error| FileError::Write {
        path: path.to_owned(),
        error,
    };
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(above.unwrap_or(Path::new(".")));
    let mut writer = BufWriter::new(file.map_err(unwritten)?);
    let summary = model.seal_package(&sealing, &mut writer)?;
    let file = writer.into_inner();
    let file = file.map_err(|error| unwritten(error.into_error()))?;
    file.as_file().sync_all().map_err(unwritten)?;
    let id = summary.seal().ok_or(ContentError::NotSealed)?.id;
    let kept = folder.write(&content_key_file(id), &sealed.encode());
    kept.map_err(ContentError::KeyFile)?;
    file.persist(path).map_err(|error| unwritten(error.error))?;
    Ok(summary)
}

/// Opens the model at `path`: the TPM gives the content key in an approved state and no other,
/// the package must be signed by the release key, and its version one that is still allowed.
///
/// # Errors
///
/// When there is no key or policy, the TPM refuses or is out of reach, or the package is
/// damaged, another's, or too old.
pub fn open(
    module: &dyn TrustModule,
    folder: &Folder,
    release_key: &ReleaseVerifyingKey,
    path: &Path,
) -> Result<Model, ContentError> {
    let unread = |error| FileError::Read {
        path: path.to_owned(),
        error,
    };
    let mut file = File::open(path).map_err(unread)?;
    let trust = Trust::Release(release_key);
    let summary = Model::inspect_package(BufReader::new(&mut file), trust)?;
    let id = summary.seal().ok_or(ContentError::NotSealed)?.id;
    let key_file = folder.path().join(content_key_file(id));
    let sealed = earnest_files::read(&key_file, MAX_STATE_BYTES).map_err(ContentError::KeyFile)?;
    let sealed = SealedKey::parse(&sealed)?;
    let secret = module.unseal(&sealed, &policy(folder)?)?;
    let content_key = ContentKey::from_slice(&secret[..])?;
    let unsealing = Unsealing {
        content_key: &content_key,
        release_key,
        least_version: module.least_version()?.version,
    };
    file.rewind().map_err(unread)?;
    Ok(Model::open_sealed_package(
        BufReader::new(file),
        &unsealing,
    )?)
}

/// The digest that stands for the packages that these models came out of, in a start of the
/// measured log: that of their digests, in this order; of one alone, its own; nothing where no
/// model came out of a package.
pub fn packages_digest(models: &[&Model]) -> Option<Digest> {
    let sha256 = HashAlgorithm::Sha256;
    let packages = models.iter().filter_map(|model| model.package());
    let digests: Vec<_> = packages.map(|package| package.digest()).collect();
    match &digests[..] {
        [] => None,
        [one] => Digest::from_bytes(sha256, one.as_bytes()).ok(),
        several => {
            let parts: Vec<&[u8]> = several.iter().map(|one| &one.as_bytes()[..]).collect();
            Some(sha256.digest_parts(&parts))
        }
    }
}

/// Why a model cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The TPM does not open the seal.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// No policy says when the seal may be opened.
    #[error("the device has no signed policy: import the one that the fleet signed")]
    NoPolicy,
    /// The package is a plain one.
    #[error("the package is not sealed")]
    NotSealed,
    /// The policy is none, or not of this device's root.
    #[error(transparent)]
    Policy(#[from] SignedPolicyError),
    /// The file of the sealed key cannot be read or written.
    #[error("the sealed content key")]
    KeyFile(#[source] FileError),
    /// The sealed key is none.
    #[error("the sealed content key: {0}")]
    SealedKey(#[from] StateError),
    /// There is no content key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The package cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The package cannot be opened.
    #[error(transparent)]
    Open(#[from] UnpackError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
