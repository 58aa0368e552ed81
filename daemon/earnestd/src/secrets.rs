//! What of the device's TPM stands behind the daemon's own records: the key of its state, the
//! keys that the audit log is read with, the log's head in the evidence, and the authority's
//! signature under certificates of apps.

use std::time::{Duration, SystemTime};

use earnest_attester::authority::{Authority, ClientCertificate};
use earnest_attester::secrets::{self, Purpose, SecretId};
use earnest_attester::{Device, Folder};
use earnest_audit::{PublicKey, SecretKey};
use earnest_evidence::measured::Head;
use earnest_tpm::Secret;

use crate::device::DeviceGround;
use crate::ground::GroundError;

/// How long a certificate of an app holds. Its key is a file of the app's, so it is to be made
/// anew now and then; `earnest access review` says when.
pub const CLIENT_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Where the audit log is encrypted to, and the number of the secret that reads it.
#[derive(Debug, Clone)]
pub struct AuditKey {
    /// The public half.
    pub public: PublicKey,
    /// Which secret it is of.
    pub id: SecretId,
}

impl DeviceGround {
    /// Makes the next key of the state, and gives all of them, the newest first. Those before stay
    /// until [`DeviceGround::keep_newest`].
    ///
    /// # Errors
    ///
    /// As [`DeviceGround::every_state_key`].
    pub fn next_state_key(&mut self) -> Result<Vec<Secret>, GroundError> {
        self.with(|_, device| {
            secrets::create(device.module(), device.folder(), Purpose::State)?;
            open_all(device, Purpose::State)
        })
    }

    /// Every key that the state may be encrypted under, the newest first, which is made where there
    /// is none: a rotation that was broken off leaves two.
    ///
    /// # Errors
    ///
    /// When the TPM refuses or is out of reach, or a secret's file is damaged.
    pub fn every_state_key(&mut self) -> Result<Vec<Secret>, GroundError> {
        self.with(|_, device| {
            if secrets::newest(device.folder(), Purpose::State)?.is_none() {
                secrets::create(device.module(), device.folder(), Purpose::State)?;
            }
            open_all(device, Purpose::State)
        })
    }

    /// Destroys all secrets of a purpose but the newest `count`.
    ///
    /// # Errors
    ///
    /// When a file cannot be removed.
    pub fn keep_newest(&mut self, purpose: Purpose, count: usize) -> Result<usize, GroundError> {
        self.with(|_, device| {
            let there = secrets::list(device.folder(), purpose)?;
            let old = there.len().saturating_sub(count.max(1));
            for id in &there[..old] {
                secrets::destroy(device.folder(), *id)?;
            }
            Ok(old)
        })
    }

    /// Where the audit log is encrypted to; made where there is nothing yet. No approved state is
    /// needed: a device that proves nothing still says what it does.
    ///
    /// # Errors
    ///
    /// When the secret's file is damaged, or there is none and the TPM is out of reach.
    pub fn audit_key(&mut self) -> Result<AuditKey, GroundError> {
        match secrets::newest(self.folder(), Purpose::Audit)? {
            // The TPM is not asked, so that one that is lost does not silence the log.
            Some(id) => audit_key(self.folder(), id),
            None => self.next_audit_key(),
        }
    }

    /// Makes the next key of the audit log.
    ///
    /// # Errors
    ///
    /// As [`DeviceGround::audit_key`], and when there are too many already.
    pub fn next_audit_key(&mut self) -> Result<AuditKey, GroundError> {
        self.with(|_, device| {
            let id = create_audit_key(device)?;
            audit_key(device.folder(), id)
        })
    }

    /// What the audit log is read with: every secret of it, each held to its public half, because
    /// whoever can write the file could have put another one there.
    ///
    /// # Errors
    ///
    /// When the TPM refuses or is out of reach, or a public half is not that of its secret.
    pub fn audit_secrets(&mut self) -> Result<Vec<SecretKey>, GroundError> {
        self.with(|_, device| {
            let mut keys = Vec::new();
            for id in secrets::list(device.folder(), Purpose::Audit)? {
                let secret = secrets::open(device.module(), device.folder(), id)?;
                let key = SecretKey::from_bytes(&secret);
                if key.public().to_bytes()[..] != secrets::public(device.folder(), id)?[..] {
                    return Err(GroundError::OtherPublicHalf { id });
                }
                keys.push(key);
            }
            Ok(keys)
        })
    }

    /// Measures the audit log's head.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the measured log cannot be written or is full.
    pub fn anchor(&mut self, head: Head) -> Result<(), GroundError> {
        self.with(|_, device| Ok(device.anchor(head).map(drop)?))
    }

    /// The audit log's head that was measured last.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the measured log is not what it was extended with.
    pub fn anchored(&mut self) -> Result<Option<Head>, GroundError> {
        self.with(|_, device| Ok(device.anchored()?))
    }

    /// Has the authority sign a certificate for an app, and gives the authority's own in PEM.
    ///
    /// # Errors
    ///
    /// When it is no request that is signed, or the TPM is out of reach.
    pub fn certify(
        &mut self,
        request: &str,
        app: &str,
    ) -> Result<(ClientCertificate, String), GroundError> {
        self.with(|_, device| {
            let authority = Authority::open(device.module(), device.folder())?;
            let now = SystemTime::now();
            let certificate =
                authority.certify_client(request.as_bytes(), app, now, CLIENT_LIFE)?;
            Ok((certificate, authority.certificate_pem()))
        })
    }
}

/// All secrets of a purpose, the newest first.
fn open_all(device: &Device, purpose: Purpose) -> Result<Vec<Secret>, GroundError> {
    let ids = secrets::list(device.folder(), purpose)?;
    let open = |id| Ok(secrets::open(device.module(), device.folder(), id)?);
    ids.into_iter().rev().map(open).collect()
}

fn create_audit_key(device: &Device) -> Result<SecretId, GroundError> {
    let public = |secret: &Secret| SecretKey::from_bytes(secret).public().to_bytes().to_vec();
    Ok(secrets::create_with_public(
        device.module(),
        device.folder(),
        Purpose::Audit,
        public,
    )?)
}

fn audit_key(folder: &Folder, id: SecretId) -> Result<AuditKey, GroundError> {
    let public = secrets::public(folder, id)?;
    let bytes = <[u8; 32]>::try_from(&public[..]);
    let public = bytes
        .ok()
        .and_then(|bytes| PublicKey::from_bytes(bytes).ok());
    Ok(AuditKey {
        public: public.ok_or(GroundError::OtherPublicHalf { id })?,
        id,
    })
}
