//! Keys in turn: each has its time, and an operator may end it earlier.
//!
//! - **tokens**: another signing key in memory; tokens of the one before live to their end, or die
//!   at once when told so.
//! - **audit**: another key pair; the log goes on in a new segment. Earlier secrets stay as long as
//!   segments that they open may.
//! - **pseudonyms**: another name for every app in what leaves the device from now on.
//! - **state**: another key in the TPM; the files are closed anew, and the key before is destroyed
//!   once all of them are.
//! - **tls**: another certificate and key for the listeners.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use earnest_attester::secrets::Purpose;
use earnest_audit::Log;
use earnest_endpoint::{Cause, RotateError};
use earnest_policy::Policy;
use earnest_telemetry::{Event, KeyKind, Telemetry};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::configuration::KeySettings;
use crate::device::DeviceGround;
use crate::ground::Keeper;
use crate::kept::{Kept, KeptError};

/// How long a question may take that makes the TPM seal: slow ones take seconds.
const SEALING: Duration = Duration::from_secs(30);

/// Secrets of the audit log beyond those whose time is not over: keys that operators ended early.
const SPARE_SECRETS: usize = 8;

/// Somebody asks for another certificate, and hears whether there is one.
pub type Renewal = oneshot::Sender<Result<(), String>>;

/// What rotates keys.
pub struct Rotation {
    /// How long each key is used.
    pub settings: KeySettings,
    /// How long the audit log is kept, and its keys with it.
    pub keep: Duration,
    /// Who signs tokens.
    pub policy: Arc<Policy>,
    /// What is encrypted under the state's key.
    pub kept: Arc<Kept>,
    /// Who seals keys.
    pub keeper: Keeper<DeviceGround>,
    /// What is encrypted to the audit log's key.
    pub log: Log,
    /// Who makes certificates.
    pub renewals: mpsc::Sender<Renewal>,
    /// Where it is recorded.
    pub telemetry: Telemetry,
    /// One rotation at a time.
    pub turn: Mutex<()>,
}

impl Rotation {
    /// Rotates these keys, in this order, and says which were. With `at_once`, tokens of earlier
    /// keys die.
    ///
    /// # Errors
    ///
    /// When one is not to be had; those before it were rotated.
    pub async fn rotate(
        &self,
        which: Vec<KeyKind>,
        at_once: bool,
    ) -> Result<Vec<KeyKind>, RotateError> {
        let _turn = self.turn.lock().await;
        for &which in &which {
            self.one(which, at_once)
                .await
                .map_err(|failed| match failed {
                    Failed::Closed => RotateError::Closed { which },
                    Failed::For(source) => RotateError::Unavailable { which, source },
                })?;
            self.telemetry.record(Event::KeysRotated {
                which,
                now: at_once && which == KeyKind::Tokens,
            });
        }
        Ok(which)
    }

    /// Rotates what is due by the calendar. What fails is tried again next time.
    pub async fn tend(&self) {
        let Some(mut calendar) = self.kept.calendar() else {
            return;
        };
        for which in calendar.due(&self.settings, SystemTime::now()) {
            if let Err(error) = self.rotate(vec![which], false).await {
                tracing::warn!(%error, "a key's time is over and there is no other yet");
            }
        }
    }

    async fn one(&self, which: KeyKind, at_once: bool) -> Result<(), Failed> {
        match which {
            KeyKind::Tokens => self.tokens(at_once),
            KeyKind::Audit => self.audit().await,
            KeyKind::Pseudonyms => self.pseudonyms().await,
            KeyKind::State => self.state().await,
            KeyKind::Tls => self.tls().await,
        }
    }

    fn tokens(&self, at_once: bool) -> Result<(), Failed> {
        let now = self.telemetry.clock().now();
        if !at_once {
            return self.policy.rotate(now).map_err(Failed::with);
        }
        let count = self.policy.rotate_at_once(now).map_err(Failed::with)?;
        if let Ok(count @ 1..) = u32::try_from(count) {
            self.telemetry.record(Event::TokensRevoked { count });
        }
        Ok(())
    }

    async fn audit(&self) -> Result<(), Failed> {
        let key = self
            .keeper
            .ask(SEALING, DeviceGround::next_audit_key)
            .await
            .map_err(Failed::with)?;
        self.log.rotate(key.public).await.map_err(Failed::with)?;
        let needed = self.secrets_in_use();
        let forget = move |ground: &mut DeviceGround| ground.keep_newest(Purpose::Audit, needed);
        if let Err(error) = self.keeper.ask(SEALING, forget).await {
            tracing::warn!(%error, "keys of purged parts of the audit log could not be destroyed");
        }
        self.note(KeyKind::Audit).await
    }

    /// Secrets that may still open something: as many as were made while the oldest entry is kept.
    fn secrets_in_use(&self) -> usize {
        let turns = self.keep.as_secs() / self.settings.audit.as_secs().max(1);
        usize::try_from(turns)
            .unwrap_or(usize::MAX)
            .saturating_add(2 + SPARE_SECRETS)
    }

    async fn pseudonyms(&self) -> Result<(), Failed> {
        let mut calendar = self.kept.calendar().ok_or(Failed::Closed)?;
        let now = SystemTime::now();
        calendar.renew_pseudonyms(now).map_err(Failed::with)?;
        self.kept.keep_calendar(calendar).await?;
        Ok(())
    }

    async fn state(&self) -> Result<(), Failed> {
        if !self.kept.is_open() {
            return Err(Failed::Closed);
        }
        let keys = self
            .keeper
            .ask(SEALING, DeviceGround::next_state_key)
            .await
            .map_err(Failed::with)?;
        self.kept.change_key(&keys).await?;
        self.note(KeyKind::State).await?;
        let forget = |ground: &mut DeviceGround| ground.keep_newest(Purpose::State, 1);
        self.keeper
            .ask(SEALING, forget)
            .await
            .map_err(Failed::with)?;
        Ok(())
    }

    async fn tls(&self) -> Result<(), Failed> {
        let (reply, answer) = oneshot::channel();
        let gone = || Failed::For("nobody renews certificates any more".into());
        self.renewals.send(reply).await.map_err(|_| gone())?;
        let renewed = answer.await.map_err(|_| gone())?;
        renewed.map_err(|reason| Failed::For(reason.into()))
    }

    /// Notes in the calendar that a key was made, where that is open: while the gate is closed, the
    /// key is merely due early.
    async fn note(&self, which: KeyKind) -> Result<(), Failed> {
        if let Some(mut calendar) = self.kept.calendar() {
            calendar.made(which, SystemTime::now());
            self.kept.keep_calendar(calendar).await?;
        }
        Ok(())
    }
}

/// Why one key was not rotated.
enum Failed {
    Closed,
    For(Cause),
}

impl Failed {
    fn with(error: impl std::error::Error + Send + Sync + 'static) -> Failed {
        Failed::For(Box::new(error))
    }
}

impl From<KeptError> for Failed {
    fn from(error: KeptError) -> Failed {
        match error {
            KeptError::NoKey => Failed::Closed,
            error => Failed::with(error),
        }
    }
}
