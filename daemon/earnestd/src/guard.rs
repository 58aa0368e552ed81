//! The guard beside the microphone: where it is, and by which key it is known.

use std::time::Duration;

use earnest_attester::guard::{self, Known};
use earnest_guardian::{Guardian, Identity, PairingKey, Settings};
use earnest_telemetry::Telemetry;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::configuration::GuardSettings;
use crate::device::DeviceGround;
use crate::ground::{GroundError, Keeper};

/// How long the TPM may take to give the key: slow ones take seconds.
const ASKING: Duration = Duration::from_secs(30);

/// The first pause before it is asked again, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The configured guard, which is looked for from now on. It proves nothing before it is known by
/// its key ([`introduce`]).
pub fn look_for(settings: &GuardSettings, telemetry: Telemetry) -> Guardian {
    Guardian::start(settings.place.clone(), Settings::default(), telemetry)
}

/// Has the TPM give the key of the guard, as soon as it does, and says it to the guardian. The gate
/// comes first, which waits for the same TPM.
pub async fn introduce(
    guardian: Guardian,
    keeper: Keeper<DeviceGround>,
    mut attempted: watch::Receiver<bool>,
) {
    // Who could tell and is gone has told.
    let _ = attempted.wait_for(|attempted| *attempted).await;
    let mut pause = PAUSE;
    let mut told = false;
    loop {
        match keeper.ask(ASKING, DeviceGround::guard_key).await {
            Ok(Some((key, identity))) => return guardian.pair(key, identity).await,
            // Once, and not every few seconds.
            _ if told => {}
            Ok(None) => tracing::warn!("no guard was paired yet: `earnest guard pair` does that"),
            Err(error) => tracing::warn!(%error, "the guard's key is not to be had"),
        }
        told = true;
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl DeviceGround {
    /// The key of the guard, and which guard that is; none where nobody paired one.
    ///
    /// # Errors
    ///
    /// When the TPM refuses or is out of reach, or a file is damaged.
    pub fn guard_key(&mut self) -> Result<Option<(PairingKey, Option<Identity>)>, GroundError> {
        self.with(|_, device| {
            let known = guard::known(device.module(), device.folder())?;
            let pair = |Known { key, identity }| (PairingKey::new(*key), identity.map(Identity));
            Ok(known.map(pair))
        })
    }
}
