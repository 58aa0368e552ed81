//! What the endpoint asks of the daemon around it.
//!
//! The endpoint holds no key and writes no file but the audit log's: what needs the TPM or the
//! disk is asked of the [`House`]. What takes its time there is a future ([`Doing`]), and
//! blocking work in it belongs on threads of its own, so that requests go on meanwhile.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use earnest_gate::{Open, Status};
use earnest_policy::AppId;
use earnest_pool::Pool;
use earnest_telemetry::KeyKind;
use zeroize::Zeroizing;

/// Something under way in the house.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What lies behind an error of the house. It goes to the log, and never to a caller.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Leave to use the model, and the workers of that leave.
#[derive(Debug, Clone)]
pub struct Serving {
    /// What the gate gave.
    pub open: Open,
    /// The workers that hold the weights of this opening.
    pub pool: Pool,
}

/// The daemon, as the endpoint sees it.
pub trait House: Send + Sync + 'static {
    /// What can be served with now; nothing while the gate is closed. It is asked at every
    /// request, so it does not wait.
    fn serving(&self) -> Option<Serving>;

    /// Where the gate stands.
    fn gate(&self) -> Status;

    /// How far the workers are locked in, in one plain line; nothing before the first one ran.
    fn sandbox(&self) -> Option<String>;

    /// What keeps the gate from opening, in one plain line for the operator; nothing where
    /// nothing does, or nobody knows more than the gate's own reason.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// What the device has proved, for the status page. It does not wait.
    fn proof(&self) -> Proof {
        Proof::default()
    }

    /// Writes the policy's book as it stands now, encrypted, and returns once that is on the
    /// disk. What an operator changed is acknowledged after it and not before, so saves that
    /// come at once must each see the change of who asked: one may serve several.
    ///
    /// # Errors
    ///
    /// When the key is not there, or the disk takes nothing. The change is taken back then.
    fn save_state(&self) -> Doing<'_, Result<(), SaveError>>;

    /// Has the device's authority sign a certificate for `app`. `request` is what an operator
    /// sent: a certificate signing request in PEM, bounded in length and not looked at yet.
    ///
    /// # Errors
    ///
    /// When it is no such request, or the authority's key is not to be had.
    fn certify(&self, request: String, app: AppId) -> Doing<'_, Result<Certified, CertifyError>>;

    /// What the audit log is read with. The keys are sealed in the TPM, so that reading needs
    /// the device in an approved state.
    ///
    /// # Errors
    ///
    /// When the TPM does not release them.
    fn audit_keys(&self) -> Doing<'_, Result<AuditKeys, AuditKeysError>>;

    /// Rotates these keys, of each kind that is given, and says which were, as events do. `now`
    /// ends at once what the earlier ones vouched for.
    ///
    /// # Errors
    ///
    /// When one is not to be had; those before it in the list were rotated.
    fn rotate(
        &self,
        which: Vec<KeyKind>,
        now: bool,
    ) -> Doing<'_, Result<Vec<KeyKind>, RotateError>>;

    /// The newest head of the audit log that the TPM holds the device to; nothing before the
    /// first.
    ///
    /// # Errors
    ///
    /// When the TPM does not answer, or the measured log does not replay to it.
    fn anchored(&self) -> Doing<'_, Result<Option<AnchoredHead>, AnchorError>>;
}

/// What the device has proved, and how, beside what the gate's status says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The device's name; `this device` in exports where it has none.
    pub device: Option<String>,
    /// Whether the TPM is a software one, which proves nothing to others.
    pub software_tpm: bool,
    /// Time since the model was last asked its known clips.
    pub self_test_ago: Option<Duration>,
    /// Whether it knew them.
    pub self_test_passed: Option<bool>,
    /// Time since the audit log's head was last anchored in the TPM.
    pub anchored_ago: Option<Duration>,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// In PEM.
    pub certificate: String,
    /// The device's authority, in PEM.
    pub authority: String,
    /// The SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    /// When it ends, in seconds since 1970.
    pub not_after: u64,
}

/// What the audit log is read with.
#[derive(Clone)]
pub struct AuditKeys {
    /// The folder of the log.
    pub folder: PathBuf,
    /// The secret keys of all segments that are kept, in any order.
    pub keys: Vec<Zeroizing<[u8; 32]>>,
    /// What makes pseudonyms of applications in exports.
    pub pseudonyms: Zeroizing<[u8; 32]>,
}

/// Without the keys.
impl fmt::Debug for AuditKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuditKeys")
            .field("folder", &self.folder)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// A head of the audit log, as it stands in the device's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchoredHead {
    /// The number of the log's last entry.
    pub sequence: u64,
    /// The chain's digest there.
    pub digest: [u8; 32],
}

/// Why the state was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The gate is closed, so that the state's key is not there.
    #[error("the key of the state is not unsealed")]
    Sealed,
    /// The disk, or what lies before it.
    #[error("the state cannot be written")]
    Write(#[source] Cause),
}

/// Why no certificate was signed.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// What was sent is no request that the authority signs.
    #[error("the signing request is not taken")]
    Request(#[source] Cause),
    /// The authority's key is not to be had now.
    #[error("the authority does not sign now")]
    Unavailable(#[source] Cause),
}

/// Why the audit log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditKeysError {
    /// The TPM does not release the keys, as in a state that is not approved.
    #[error("the keys of the audit log are not to be had")]
    Unavailable(#[source] Cause),
}

/// Why a key was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The gate is closed, so that what the key protects cannot be read.
    #[error("the {which} key cannot be rotated while the gate is closed")]
    Closed {
        /// Which.
        which: KeyKind,
    },
    /// The TPM, the disk, or what lies before them.
    #[error("the {which} key cannot be rotated")]
    Unavailable {
        /// Which.
        which: KeyKind,
        /// Why.
        source: Cause,
    },
}

/// Why the anchored head is not known.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The TPM does not answer.
    #[error("the TPM does not tell the anchored head")]
    Unavailable(#[source] Cause),
    /// The measured log is not the one that the TPM was extended with.
    #[error("the measured log does not replay to the TPM")]
    Damaged(#[source] Cause),
}
