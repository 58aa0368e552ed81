//! The certificate that TLS listeners show: signed by the device's authority, short-lived, and
//! replaced long before its end, whether the gate is open or not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use earnest_attester::authority::Leaf;
use earnest_endpoint::client::AUTHORITY_FILE;
use earnest_files::Readers;
use earnest_listen::TlsIdentity;
use earnest_printable::describe;
use earnest_telemetry::{Event, Telemetry};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::device::DeviceGround;
use crate::ground::{GroundError, Keeper};
use crate::rotation::Renewal;

/// How long signing may take: slow TPMs take a second.
const SIGNING: Duration = Duration::from_secs(30);

/// How often it is looked at whether a leaf is due: clocks are set, and machines sleep.
const LOOK: Duration = Duration::from_secs(20);

/// The pause after a TPM that signed nothing.
const AGAIN: Duration = Duration::from_secs(2);

/// Keeps the certificate of TLS listeners alive.
pub struct Certificates {
    keeper: Keeper<DeviceGround>,
    identity: Arc<TlsIdentity>,
    telemetry: Telemetry,
    /// Where the authority's certificate is written, if anywhere.
    authority: Option<PathBuf>,
    leaf: Option<Leaf>,
    /// The latest trouble, so that it is said once.
    trouble: Option<String>,
}

impl Certificates {
    /// Certificates for this identity. The authority's own is written into `folder`.
    pub fn new(
        keeper: Keeper<DeviceGround>,
        identity: Arc<TlsIdentity>,
        telemetry: Telemetry,
        folder: Option<&Path>,
    ) -> Certificates {
        Certificates {
            keeper,
            identity,
            telemetry,
            authority: folder.map(|folder| folder.join(AUTHORITY_FILE)),
            leaf: None,
            trouble: None,
        }
    }

    /// Shows a new leaf, if one is due, and says when to look again. A failure is said, and
    /// leaves what is shown.
    pub async fn renew(&mut self) -> Duration {
        let now = SystemTime::now();
        if self.leaf.as_ref().is_some_and(|leaf| !leaf.is_due(now)) {
            return LOOK;
        }
        match self.replace().await {
            Ok(()) => {
                self.trouble = None;
                LOOK
            }
            Err(error) => {
                if self.trouble.as_ref() != Some(&error) {
                    tracing::warn!("there is no new certificate for TLS: {error}");
                    self.trouble = Some(error);
                }
                AGAIN
            }
        }
    }

    /// Renews for as long as somebody waits for it: when it is due, and when somebody asks.
    pub async fn run(mut self, mut renewals: mpsc::Receiver<Renewal>) {
        loop {
            let pause = self.renew().await;
            if let Ok(Some(reply)) = timeout(pause, renewals.recv()).await {
                // Who asked and is gone has its certificate all the same.
                let _ = reply.send(self.replace().await);
            }
        }
    }

    async fn replace(&mut self) -> Result<(), String> {
        let told = |error: &dyn std::error::Error| describe(error);
        let issued = self.keeper.ask(SIGNING, DeviceGround::leaf).await;
        let (leaf, authority) = issued.map_err(|error: GroundError| told(&error))?;
        let replaced = self.identity.replace(leaf.chain(), leaf.key());
        replaced.map_err(|error| told(&error))?;
        // Apps show certificates of the same authority.
        let asked = self.identity.ask_clients(&authority.der);
        asked.map_err(|error| told(&error))?;
        if let Some(path) = &self.authority {
            let written = earnest_files::write(path, authority.pem.as_bytes(), Readers::Others);
            written.map_err(|error| told(&error))?;
            // It is for everybody, also under a service's mask of 0077.
            let readable = fs::set_permissions(path, Permissions::from_mode(0o644));
            readable.map_err(|error| told(&error))?;
        }
        self.leaf = Some(leaf);
        self.telemetry.record(Event::CertificateRenewed);
        Ok(())
    }
}
