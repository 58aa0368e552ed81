//! What the guardian stands on: the device, asked one question at a time.
//!
//! Every answer may take a while, because a TPM is slow and preparing weights is work, so
//! [`Keeper`] asks on a thread that may block, never on one that serves requests, and waits no
//! longer than the asker says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use earnest_attester::authority::{AuthorityError, CertifyError};
use earnest_attester::content::ContentError;
use earnest_attester::guard::GuardKeyError;
use earnest_attester::keys::KeyFileError;
use earnest_attester::result::ResultError;
use earnest_attester::secrets::{SecretId, SecretsError};
use earnest_attester::{ConfigurationError, DeviceError};
use earnest_evidence::Digest;
use earnest_evidence::measured::SandboxLevel;
use earnest_files::FileError;
use earnest_gate::{LiveResult, Measurement, Standing};
use earnest_tpm::{Secret, TpmError};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::engine::PrepareError;
use crate::weights::Weights;

/// The device, as the guardian sees it. Every call blocks.
pub trait Ground: Send + 'static {
    /// The models, opened.
    type Opened: Send + 'static;

    /// Opens the models. The measurement is that of the boot PCRs **before** the unsealing.
    ///
    /// # Errors
    ///
    /// When the TPM refuses or is out of reach, or a package is missing, damaged or another's.
    fn unseal(&mut self) -> Result<(Self::Opened, Measurement), GroundError>;

    /// The keys that the daemon's state may be encrypted under, the newest first.
    ///
    /// # Errors
    ///
    /// When the TPM refuses or is out of reach, or a key's file is damaged.
    fn state_keys(&mut self) -> Result<Vec<Secret>, GroundError>;

    /// Prepares the weights of opened models, which are forgotten. The device is not asked
    /// anything, so whoever has a question for it need not wait.
    ///
    /// # Errors
    ///
    /// When a model does not load, or has nothing to be tried with.
    fn prepare(opened: Self::Opened) -> Result<Weights, GroundError>;

    /// Reads the boot PCRs.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn measure(&mut self) -> Result<Measurement, GroundError>;

    /// Writes a start of the daemon, with these packages and this sandbox level, into the
    /// measured log.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the log cannot be written.
    fn record_start(&mut self, packages: Digest, sandbox: SandboxLevel) -> Result<(), GroundError>;

    /// What the fleet says of this device. With `anew`, it is looked at in any case; without,
    /// only if another result was imported since it was looked at last.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the result cannot be read.
    fn verdict(&mut self, anew: bool) -> Result<Verdict, GroundError>;
}

/// What the fleet says of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that was not known.
    Nothing,
    /// There is no result that holds: none was imported, or its time is over.
    Expired,
    /// A result that holds.
    Live(FleetResult),
    /// A result that does not hold, and why.
    Refused(String),
}

/// A result of the fleet's verifier that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetResult {
    /// How much longer it holds.
    pub remaining: Duration,
    /// How far the verifier trusts the device.
    pub standing: Standing,
}

impl LiveResult for FleetResult {
    fn remaining(&self) -> Duration {
        self.remaining
    }

    fn standing(&self) -> Standing {
        self.standing
    }
}

/// Asks the ground one question at a time. Clones ask the same one.
#[derive(Debug)]
pub struct Keeper<G> {
    ground: Arc<Mutex<G>>,
    /// One question is under way at most, however many were given up on.
    turn: Arc<Semaphore>,
}

impl<G> Clone for Keeper<G> {
    fn clone(&self) -> Self {
        Keeper {
            ground: Arc::clone(&self.ground),
            turn: Arc::clone(&self.turn),
        }
    }
}

impl<G: Send + 'static> Keeper<G> {
    /// Asks this ground.
    pub fn new(ground: G) -> Keeper<G> {
        Keeper {
            ground: Arc::new(Mutex::new(ground)),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Asks and waits for the answer, no longer than `patience` altogether. A question that
    /// was given up on is still answered some time, and until then no other is asked.
    ///
    /// # Errors
    ///
    /// The answer's own, and [`GroundError::Late`].
    pub async fn ask<T: Send + 'static>(
        &self,
        patience: Duration,
        question: impl FnOnce(&mut G) -> Result<T, GroundError> + Send + 'static,
    ) -> Result<T, GroundError> {
        let ground = Arc::clone(&self.ground);
        let turn = Arc::clone(&self.turn);
        let asked = async move {
            // Closed once nobody is to ask any more.
            let Ok(turn) = turn.acquire_owned().await else {
                return Err(GroundError::Broken);
            };
            let answer = spawn_blocking(move || {
                let _turn = turn;
                // Each question begins anew: nothing that one left half-done is relied upon.
                question(&mut ground.lock().unwrap_or_else(PoisonError::into_inner))
            });
            answer.await.unwrap_or(Err(GroundError::Broken))
        };
        let answer = timeout(patience, asked).await;
        answer.unwrap_or(Err(GroundError::Late { after: patience }))
    }

    /// Has nobody ask any more, and waits for the question that is under way, no longer than
    /// `patience`. A process that ended while the TPM's library is at work would take OpenSSL away
    /// from under it, and break down.
    pub async fn finish(&self, patience: Duration) {
        // Whoever waits for his turn does not get it.
        let turn = timeout(patience, self.turn.acquire()).await;
        self.turn.close();
        drop(turn);
    }
}

/// Why the ground gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// It takes too long.
    #[error("the device gave no answer for {after:?}")]
    Late {
        /// How long one waited.
        after: Duration,
    },
    /// The question ended without an answer: a mistake in this program.
    #[error("asking the device broke off")]
    Broken,
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The device cannot be opened.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be opened.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The package holds another model than the configuration names.
    #[error("the package holds {found}; expected is {expected}")]
    OtherModel {
        /// The card that the configuration asks for.
        expected: &'static str,
        /// The card of the package.
        found: String,
    },
    /// The speech package holds no clip whose words are known.
    #[error("the package of {card} holds no sample to try it with: seal it anew")]
    NoSample {
        /// The package's card.
        card: String,
    },
    /// The packages are no sealed ones.
    #[error("the models came out of no package")]
    NoPackage,
    /// The weights cannot be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A key of the fleet cannot be read.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The result cannot be judged.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A secret of the device's own is not to be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// It is not known what the guard is known by.
    #[error(transparent)]
    Guard(#[from] GuardKeyError),
    /// What lies beside a secret as its public half is not its.
    #[error("the public half of {id} is another's: somebody replaced it")]
    OtherPublicHalf {
        /// Which secret.
        id: SecretId,
    },
    /// The authority certifies no such app or key.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// The device's own configuration cannot be read.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The authority signs nothing.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn at_the_end_the_question_under_way_is_waited_for_and_no_other_is_asked() {
        let keeper = Keeper::new(0_u32);
        let (begin, begun) = mpsc::channel::<()>();
        let (go_on, wait) = mpsc::channel::<()>();
        let given_up = keeper.ask(Duration::from_millis(20), move |count| {
            let _ = begin.send(());
            let _ = wait.recv();
            *count += 1;
            Ok(())
        });
        assert!(matches!(given_up.await, Err(GroundError::Late { .. })));
        begun.recv().unwrap();
        let patience = Duration::from_secs(30);
        let goes_on = async { go_on.send(()).unwrap() };
        tokio::join!(keeper.finish(patience), goes_on);
        assert_eq!(*keeper.ground.lock().unwrap(), 1);
        let refused = keeper.ask(patience, |_| Ok(())).await;
        assert!(matches!(refused, Err(GroundError::Broken)));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_and_the_next_one_has_its_turn_later() {
        let keeper = Keeper::new(0_u32);
        let (go_on, wait) = mpsc::channel::<()>();
        let stuck = keeper.ask(Duration::from_millis(20), move |_| {
            let _ = wait.recv();
            Ok(())
        });
        assert!(matches!(stuck.await, Err(GroundError::Late { .. })));
        // The question is still under way, so that another has no turn.
        let crowded = keeper.ask(Duration::from_millis(20), |_| Ok(()));
        assert!(matches!(crowded.await, Err(GroundError::Late { .. })));
        go_on.send(()).unwrap();
        let patience = Duration::from_secs(30);
        let clone = keeper.clone();
        let counted = clone.ask(patience, |count| {
            *count += 1;
            Ok(*count)
        });
        assert_eq!(counted.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_question_that_panics_is_an_error_and_leaves_the_ground_usable() {
        let keeper = Keeper::new(());
        let patience = Duration::from_secs(30);
        let broken = keeper.ask::<()>(patience, |()| panic!("as told")).await;
        assert!(matches!(broken, Err(GroundError::Broken)));
        assert!(keeper.ask(patience, |()| Ok(())).await.is_ok());
    }
}
