//! The daemon, as the endpoint sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use earnest_attester::authority::CertifyError as Uncertified;
use earnest_endpoint::{
    AnchorError, AnchoredHead, AuditKeys, AuditKeysError, Cause, Certified, CertifyError, Doing,
    House, Proof, RotateError, SaveError, Serving,
};
use earnest_gate::Status;
use earnest_guardian::Guardian;
use earnest_policy::AppId;
use earnest_telemetry::KeyKind;

use crate::crew::Workers;
use crate::device::DeviceGround;
use crate::gatehouse::Gatehouse;
use crate::ground::{GroundError, Keeper};
use crate::kept::Kept;
use crate::rotation::Rotation;

/// How long a question may take that makes the TPM sign or unseal: slow ones take seconds.
const ASKING: Duration = Duration::from_secs(30);

/// What is said where nothing is served without the guard.
const MISSING: &str = "the guard beside the microphone is not there (`guard.uploads` is false)";

/// The daemon, as the endpoint sees it.
pub struct Front {
    /// The gate.
    pub gatehouse: Arc<Gatehouse>,
    /// The workers.
    pub workers: Arc<Workers>,
    /// What the daemon keeps.
    pub kept: Arc<Kept>,
    /// The device.
    pub keeper: Keeper<DeviceGround>,
    /// The keys.
    pub rotation: Arc<Rotation>,
    /// The folder of the audit log.
    pub audit: PathBuf,
    /// The guard, where nothing is served while it is not there.
    pub guard: Option<Guardian>,
    /// Whether the TPM is one in software.
    pub software_tpm: bool,
}

impl Front {
    fn misses_guard(&self) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| !guard.state().is_there())
    }
}

impl House for Front {
    fn serving(&self) -> Option<Serving> {
        if self.misses_guard() {
            return None;
        }
        // The gate first: a pool of a later opening cannot be served with an earlier leave.
        let open = self.gatehouse.open()?;
        let pool = self.workers.pool()?;
        Some(Serving { open, pool })
    }

    fn gate(&self) -> Status {
        self.gatehouse.status()
    }

    fn trouble(&self) -> Option<String> {
        let trouble = self.gatehouse.trouble();
        let missing = self.misses_guard().then(|| MISSING.to_owned());
        trouble.or(missing)
    }

    fn sandbox(&self) -> Option<String> {
        let reached = self.workers.confinement()?;
        let landlock = match reached.landlock_abi {
            Some(abi) => format!("Landlock ABI {abi}"),
            None => "this kernel has no Landlock".to_owned(),
        };
        let calls = match reached.seccomp {
            true => "system calls filtered",
            false => "system calls not filtered",
        };
        Some(format!("{}: {landlock}, {calls}", reached.level))
    }

    fn proof(&self) -> Proof {
        let tested = self.gatehouse.last_test();
        Proof {
            device: None,
            software_tpm: self.software_tpm,
            self_test_ago: tested.map(|(ago, _)| ago),
            self_test_passed: tested.map(|(_, passed)| passed),
            anchored_ago: self.gatehouse.last_anchor(),
        }
    }

    fn save_state(&self) -> Doing<'_, Result<(), SaveError>> {
        Box::pin(self.kept.save_book())
    }

    fn certify(&self, request: String, app: AppId) -> Doing<'_, Result<Certified, CertifyError>> {
        Box::pin(async move {
            let certify = move |ground: &mut DeviceGround| ground.certify(&request, app.as_str());
            let (certificate, authority) =
                self.keeper
                    .ask(ASKING, certify)
                    .await
                    .map_err(|error| match error {
                        GroundError::Certify(
                            error @ (Uncertified::NotPem
                            | Uncertified::Request(_)
                            | Uncertified::App { .. }),
                        ) => CertifyError::Request(error.into()),
                        error => CertifyError::Unavailable(error.into()),
                    })?;
            let since = certificate
                .not_after
                .duration_since(std::time::SystemTime::UNIX_EPOCH);
            Ok(Certified {
                certificate: certificate.pem,
                authority,
                fingerprint: certificate.fingerprint,
                not_after: since.unwrap_or(Duration::ZERO).as_secs(),
            })
        })
    }

    fn audit_keys(&self) -> Doing<'_, Result<AuditKeys, AuditKeysError>> {
        Box::pin(async move {
            let unavailable = |cause: Cause| AuditKeysError::Unavailable(cause);
            let calendar = self.kept.calendar();
            let calendar = calendar.ok_or_else(|| unavailable(SaveError::Sealed.into()))?;
            let keys = self
                .keeper
                .ask(ASKING, DeviceGround::audit_secrets)
                .await
                .map_err(|error| unavailable(error.into()))?;
            Ok(AuditKeys {
                folder: self.audit.clone(),
                keys: keys.iter().map(|key| key.to_bytes()).collect(),
                pseudonyms: calendar.pseudonyms().clone(),
            })
        })
    }

    fn rotate(
        &self,
        which: Vec<KeyKind>,
        now: bool,
    ) -> Doing<'_, Result<Vec<KeyKind>, RotateError>> {
        Box::pin(self.rotation.rotate(which, now))
    }

    fn anchored(&self) -> Doing<'_, Result<Option<AnchoredHead>, AnchorError>> {
        Box::pin(async move {
            let head = self.keeper.ask(ASKING, DeviceGround::anchored).await;
            let head = head.map_err(|error| match error {
                GroundError::Device(error) => AnchorError::Damaged(error.into()),
                error => AnchorError::Unavailable(error.into()),
            })?;
            Ok(head.map(|head| AnchoredHead {
                sequence: head.sequence(),
                digest: head
                    .digest()
                    .as_bytes()
                    .try_into()
                    .expect("heads have a SHA-256, which has 32 bytes"),
            }))
        })
    }
}
