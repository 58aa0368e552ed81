//! The audit log of this daemon: opened before anything is served, and shown everything that is
//! recorded.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use earnest_audit::{Anchored, Head, Log, Options};
use earnest_telemetry::{ChainDigest, Telemetry, WallClock};
use tokio::task::spawn_blocking;

use crate::configuration::AuditSettings;
use crate::device::DeviceGround;
use crate::ground::Keeper;

/// How long the TPM may take: slow ones take seconds to seal.
const ASKING: Duration = Duration::from_secs(30);

/// Bytes of a segment, which are set aside at once.
const SEGMENT_BYTES: u64 = 1 << 20;

/// The audit log.
pub struct Records {
    /// What is written to.
    pub log: Log,
    /// Where it is.
    pub folder: PathBuf,
    /// Whether the device's TPM is one in software.
    pub software_tpm: bool,
}

impl Records {
    /// Opens the log in this folder, encrypted to the device's own key, and has it shown
    /// everything that telemetry records. The TPM is needed for the first key alone, and told
    /// apart from a log that cannot be written: without one, nothing is served.
    ///
    /// # Errors
    ///
    /// When there is no key, or the log cannot be opened.
    pub async fn open(
        folder: PathBuf,
        settings: &AuditSettings,
        keeper: &Keeper<DeviceGround>,
        telemetry: &Telemetry,
    ) -> Result<Records> {
        let key = keeper.ask(ASKING, DeviceGround::audit_key).await;
        let key = key.context("there is nothing to encrypt the audit log to")?;
        let anchor = match keeper.ask(ASKING, DeviceGround::anchored).await {
            Ok(head) => head.map(|head| Head {
                sequence: head.sequence(),
                digest: ChainDigest(
                    head.digest()
                        .as_bytes()
                        .try_into()
                        .expect("heads have a SHA-256, which has 32 bytes"),
                ),
            }),
            Err(error) => {
                tracing::warn!(%error, "the audit log is not held to the TPM for now");
                None
            }
        };
        let options = Options {
            segment_bytes: SEGMENT_BYTES,
            most_bytes: settings.most,
            keep: settings.keep,
            anchor,
        };
        let (place, recorder) = (folder.clone(), telemetry.clone());
        let opening = spawn_blocking(move || {
            Log::open(&place, options, key.public, &recorder, WallClock::system())
        });
        let (log, recovered) = opening.await?.context("the audit log cannot be opened")?;
        for (segment, flaw) in &recovered.damaged {
            tracing::warn!(segment, "the audit log is damaged: {flaw}");
        }
        if matches!(recovered.anchored, Anchored::Missing | Anchored::Other) {
            tracing::error!(
                "the audit log is not the one that the TPM was told of: it was cut, rolled back or \
                 rewritten (`earnest audit verify`)"
            );
        }
        let sink = log.clone();
        telemetry.attach(move |recorded| sink.observe(recorded));
        let software_tpm = keeper.ask(ASKING, |ground| ground.has_software_tpm()).await;
        Ok(Records {
            log,
            folder,
            // One that cannot be asked proves nothing, which is what this says.
            software_tpm: software_tpm.unwrap_or(true),
        })
    }
}
