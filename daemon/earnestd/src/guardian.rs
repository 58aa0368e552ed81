//! Drives the gate: unseals, tests, watches, and closes.
//!
//! One task has all inputs of the gate. While no model is held it tries to open, with a growing
//! pause; while one is held it looks at the boot's measurement every
//! [`GuardianSettings::check`], has the model answer its known clip when that is due, and hears
//! what the fleet says. Closing ends the workers, drops weights and keys, and takes all tokens
//! back, before anything else happens.
//!
//! A changed measurement closes the gate within two seconds whatever the TPM does, because one
//! that does not answer by then counts as lost.

use std::sync::Arc;
use std::time::Duration;

use earnest_evidence::Digest;
use earnest_evidence::measured::SandboxLevel;
use earnest_gate::{Answer, Changes, Effect, KnownAnswers, Measurement, Trial};
use earnest_policy::Policy;
use earnest_printable::describe;
use earnest_telemetry::{Event, Telemetry};
use earnest_tpm::Secret;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::crew::{Crew, CrewError};
use crate::device::is_passing;
use crate::gatehouse::Gatehouse;
use crate::ground::{Ground, GroundError, Keeper, Verdict};
use crate::kept::{Kept, KeptError};
use crate::notify;
use crate::weights::Clip;

#[cfg(test)]
mod tests;

/// From a change of the measurement to a closed gate at most, ending the workers not counted:
/// two seconds are promised.
const CLOSED_WITHIN: Duration = Duration::from_millis(1_900);

/// How often a TPM that is busy is asked within that time before it counts as lost.
const MOST_LOOKS: usize = 5;

/// The pause between two such looks: some of a TPM's commands.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// How long unsealing may take: decrypting and preparing takes the slowest machine some
/// seconds, and a TPM that gives no answer has a bound of its own.
const UNSEALING: Duration = Duration::from_secs(180);

/// How long a question may take that makes the TPM sign or write: slow ones take seconds.
const SIGNING: Duration = Duration::from_secs(30);

/// The first pause after an attempt that failed; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause: what was mended is noticed within it.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What the guardian was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardianSettings {
    /// How often the boot PCRs are read.
    pub check: Duration,
    /// Whether a fleet must vouch for the device.
    pub fleet: bool,
}

/// Drives the gate.
pub struct Guardian<G, C> {
    settings: GuardianSettings,
    keeper: Keeper<G>,
    crew: Arc<C>,
    gatehouse: Arc<Gatehouse>,
    policy: Arc<Policy>,
    kept: Arc<Kept>,
    telemetry: Telemetry,
    /// What the measured log has of this daemon; one that starts is news, and so is one whose
    /// packages or sandbox changed since.
    recorded: Option<(Digest, SandboxLevel)>,
    /// Tells whether the first attempt is over, be it as it may.
    attempted: watch::Sender<bool>,
}

/// Why there is no unsealed model.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Crew(#[from] CrewError),
    #[error("what the daemon kept cannot be used")]
    Kept(#[from] KeptError),
    #[error("no result of the fleet holds: import one")]
    NoResult,
    #[error("the fleet's result does not hold: {reason}")]
    Refused { reason: String },
}

impl<G: Ground, C: Crew> Guardian<G, C> {
    /// A guardian of this gate. Nothing is done before [`Guardian::run`].
    pub fn new(
        settings: GuardianSettings,
        keeper: Keeper<G>,
        crew: Arc<C>,
        gatehouse: Arc<Gatehouse>,
        policy: Arc<Policy>,
        kept: Arc<Kept>,
        telemetry: Telemetry,
    ) -> Guardian<G, C> {
        Guardian {
            settings,
            keeper,
            crew,
            gatehouse,
            policy,
            kept,
            telemetry,
            recorded: None,
            attempted: watch::Sender::new(false),
        }
    }

    /// Becomes true once the first attempt to open the gate is over.
    pub fn attempted(&self) -> watch::Receiver<bool> {
        self.attempted.subscribe()
    }

    /// Guards until told to stop, and leaves the gate closed for good.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        let mut opened = false;
        loop {
            let stopped = tokio::select! {
                biased;
                () = told(&mut stop) => true,
                held = self.hold(opened) => {
                    match held {
                        Ok(()) => opened = true,
                        Err(error) => self.complain(&error),
                    }
                    false
                }
            };
            if stopped {
                break;
            }
            if !self.gatehouse.is_shut() {
                let since = Instant::now();
                if self.watch(&mut stop).await == Watched::Stopped {
                    break;
                }
                // What held for a while and broke is worth an early try.
                if since.elapsed() > LAST_PAUSE {
                    pause = FIRST_PAUSE;
                }
            }
            self.attempted.send_replace(true);
            if timeout(pause, told(&mut stop)).await.is_ok() {
                break;
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
        let changes = self.gatehouse.change(|gate, now| gate.stop(now));
        self.carry_out(changes).await;
        // Whatever was started and came to no gate.
        self.crew.end().await;
        self.attempted.send_replace(true);
    }

    /// Unseals the model, starts the workers on it, and measures this start. With `again`, a
    /// fleet must vouch first: what was closed is not unsealed to lie about.
    async fn hold(&mut self, again: bool) -> Result<(), Unopened> {
        if again && self.settings.fleet {
            self.demand_result().await?;
        }
        let (opened, measurement) = self.keeper.ask(UNSEALING, G::unseal).await?;
        let keys = self.keeper.ask(UNSEALING, G::state_keys).await?;
        let prepared = spawn_blocking(move || G::prepare(opened)).await;
        let weights = prepared.unwrap_or(Err(GroundError::Broken))?;
        let started = self.crew.start(&weights).await;
        let recorded = match started {
            Ok(sandbox) => self.record(weights.package, sandbox).await,
            Err(error) => Err(error.into()),
        };
        // Who may do what is known before anybody is served.
        let ready = match recorded {
            Ok(()) => self.open_kept(keys).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ready {
            self.crew.end().await;
            return Err(error);
        }
        self.gatehouse.note(None);
        let changes = self
            .gatehouse
            .change(|gate, now| gate.unsealed(now, weights, measurement));
        self.carry_out(changes).await;
        Ok(())
    }

    async fn open_kept(&self, keys: Vec<Secret>) -> Result<(), Unopened> {
        let kept = Arc::clone(&self.kept);
        let opened = spawn_blocking(move || kept.open(&keys)).await;
        Ok(opened.unwrap_or(Err(KeptError::Broken))?)
    }

    async fn demand_result(&mut self) -> Result<(), Unopened> {
        match self
            .keeper
            .ask(SIGNING, |ground| ground.verdict(true))
            .await?
        {
            Verdict::Live(_) => Ok(()),
            Verdict::Refused(reason) => Err(Unopened::Refused { reason }),
            Verdict::Expired | Verdict::Nothing => Err(Unopened::NoResult),
        }
    }

    async fn record(&mut self, packages: Digest, sandbox: SandboxLevel) -> Result<(), Unopened> {
        let news = Some((packages, sandbox));
        if self.recorded != news {
            let record = move |ground: &mut G| ground.record_start(packages, sandbox);
            self.keeper.ask(SIGNING, record).await?;
            self.recorded = news;
        }
        Ok(())
    }

    /// Says why the gate stays closed, once.
    fn complain(&self, error: &Unopened) {
        let trouble = describe(error);
        if self.gatehouse.note(Some(trouble.clone())) {
            tracing::warn!("the gate stays closed: {trouble}");
            notify::status(&format!("closed: {trouble}"));
        }
    }

    /// Watches over what is held until the gate closes.
    async fn watch(&mut self, stop: &mut watch::Receiver<bool>) -> Watched {
        let mut checks = interval_at(Instant::now(), self.settings.check);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One test at most; dropping the set gives it up.
        let mut tests = JoinSet::new();
        let mut test_from = Instant::now();
        let mut test_pause = FIRST_PAUSE;
        let mut first_look = true;
        loop {
            let due = tests.is_empty() && Instant::now() >= test_from;
            if due && let Some((trial, clip)) = self.due_test() {
                let crew = Arc::clone(&self.crew);
                tests.spawn(async move {
                    let heard = crew.hear(trial, Arc::clone(&clip)).await;
                    heard.map(|heard| (clip, heard))
                });
            }
            tokio::select! {
                biased;
                () = told(stop) => return Watched::Stopped,
                Some(test) = tests.join_next() => match test {
                    Ok(Ok((clip, heard))) => {
                        test_pause = FIRST_PAUSE;
                        self.answered(&clip.words, &heard).await;
                    }
                    Ok(Err(error)) => {
                        let trouble = format!("the self-test could not be made: {error}");
                        tracing::warn!("{trouble}");
                        self.gatehouse.note(Some(trouble));
                        test_from = Instant::now() + test_pause;
                        test_pause = (test_pause * 2).min(LAST_PAUSE);
                    }
                    // A test that panics is as good as none; the gate notices the lack.
                    Err(_) => test_from = Instant::now() + LAST_PAUSE,
                },
                // A gate's own deadlines are noticed here, too: until then what it gave out
                // is dead by its own deadline.
                _ = checks.tick() => {
                    self.look().await;
                    if self.settings.fleet && !self.gatehouse.is_shut() {
                        self.hear_fleet(first_look).await;
                    }
                    first_look = false;
                }
            }
            if self.gatehouse.is_shut() {
                return Watched::Closed;
            }
        }
    }

    fn due_test(&self) -> Option<(Trial, Arc<Clip>)> {
        self.gatehouse.ask(|gate, now| {
            let model = gate.model().filter(|_| gate.answers_due(now))?;
            Some((gate.trial()?, Arc::clone(&model.clip)))
        })
    }

    async fn answered(&mut self, expected: &str, heard: &str) {
        let answers = KnownAnswers::check(&[Answer { expected, heard }]);
        self.gatehouse.note_test(answers.is_ok());
        let trouble = answers.as_ref().err().map(ToString::to_string);
        if let Some(wrong) = &trouble {
            tracing::error!("{wrong}");
        }
        self.gatehouse.note(trouble);
        let changes = self
            .gatehouse
            .change(|gate, now| gate.answered(now, answers));
        self.carry_out(changes).await;
        self.attempted.send_replace(true);
    }

    /// Looks at the boot's measurement.
    async fn look(&mut self) {
        let patience = CLOSED_WITHIN.saturating_sub(self.settings.check);
        let looked = timeout(patience, self.look_within(patience)).await;
        let changes = match looked {
            Ok(Ok(found)) => self.gatehouse.change(|gate, now| gate.measured(now, found)),
            Ok(Err(error)) => self.lost(&error),
            Err(_) => self.lost(&GroundError::Late { after: patience }),
        };
        self.carry_out(changes).await;
    }

    /// Asks again while the TPM is merely busy.
    async fn look_within(&self, patience: Duration) -> Result<Measurement, GroundError> {
        let mut looks = 1;
        loop {
            match self.keeper.ask(patience, G::measure).await {
                Err(error) if is_passing(&error) && looks < MOST_LOOKS => looks += 1,
                answer => return answer,
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    fn lost(&self, error: &GroundError) -> Changes {
        let trouble = describe(error);
        tracing::warn!("the TPM is lost: {trouble}");
        self.gatehouse.note(Some(trouble));
        self.gatehouse.change(|gate, now| gate.tpm_lost(now))
    }

    async fn hear_fleet(&mut self, anew: bool) {
        let verdict = self
            .keeper
            .ask(SIGNING, move |ground| ground.verdict(anew))
            .await;
        let changes = match verdict {
            Ok(Verdict::Live(result)) => self
                .gatehouse
                .change(|gate, now| gate.vouched(now, &result)),
            Ok(Verdict::Refused(reason)) => {
                tracing::warn!("the fleet's result does not hold: {reason}");
                self.gatehouse.change(|gate, now| gate.refused(now))
            }
            // The gate knows by itself when the one that it had is over.
            Ok(Verdict::Expired | Verdict::Nothing) => return,
            Err(error) => self.lost(&error),
        };
        self.carry_out(changes).await;
    }

    /// Records what happened, and does what the gate asks for.
    async fn carry_out(&self, changes: Changes) {
        for event in changes.events {
            if let Event::Gate { to, reason, .. } = &event {
                notify::status(&format!("{to}: {reason}"));
            }
            self.telemetry.record(event);
        }
        for effect in changes.effects {
            match effect {
                Effect::EndWorkers => {
                    let forgotten = self.policy.forget_all();
                    if let Ok(count @ 1..) = u32::try_from(forgotten) {
                        self.telemetry.record(Event::TokensRevoked { count });
                    }
                    let workers = self.crew.end().await;
                    self.kept.close().await;
                    tracing::info!(workers, "keys and weights are forgotten");
                }
            }
        }
    }
}

/// How watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Closed,
    Stopped,
}

/// Waits until told to stop. Who could tell and is gone has told.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
