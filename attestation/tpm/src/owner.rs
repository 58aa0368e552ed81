//! The thread that owns the TPM.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use earnest_evidence::sealing::{LeastVersion, SignedPolicy, SignedVersion};
use earnest_evidence::tpm::PcrSet;
use zeroize::Zeroizing;

use crate::connection::Connection;
use crate::module::{
    Attestation, Clock, EcdsaSignature, Handles, Identity, PcrValues, Secret, TrustModule,
};
use crate::state::{SealedKey, State};
use crate::{DeviceAddress, MoveVersionError, TpmError, UnsealError, operations, seal};

/// Calls that may wait: some for each part of the daemon that uses the TPM. A TPM does one
/// thing at a time, so a longer queue would only wait longer.
const MOST_WAITING: usize = 32;

/// How long a caller waits, the queue in front included. Making an RSA key takes some TPMs
/// half a minute, and nothing else comes near.
const CALL_DEADLINE: Duration = Duration::from_secs(120);

/// How long closing waits for the thread.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The first pause between attempts to reach a TPM that is gone; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause: a TPM that returns is used again within this time.
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// A provisioned TPM: a handle on the thread that owns it.
///
/// The TPM's library, and the TPM itself, do one thing at a time; so one thread has the
/// connection, and calls reach it through a bounded queue. When the TPM dies, each call gives
/// [`TpmError::Lost`] or [`TpmError::Unavailable`] at once, and the thread connects anew
/// when the TPM is back, with a growing pause between attempts. Dropping the value shuts the
/// TPM down in order; [`Tpm::close`] says whether that worked.
///
/// ```no_run
/// use earnest_evidence::tpm::PcrSet;
/// use earnest_tpm::{State, Tpm, TrustModule as _};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let state = State::parse(&std::fs::read("/var/lib/earnest/device.tpm")?)?;
/// let tpm = Tpm::open("/dev/tpmrm0".parse()?, state)?;
/// let quote = tpm.quote(&[7; 32], PcrSet::of(&[4, 7, 11])?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tpm {
    state: State,
    queue: Option<SyncSender<Job>>,
    /// Only closing looks at it; the lock is what makes the value shareable.
    ended: Mutex<Receiver<Result<(), TpmError>>>,
    thread: Option<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce(&mut Owner) + Send>;

impl Tpm {
    /// Connects to a TPM that was provisioned, and checks that it is the one of this state.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or has another storage root key.
    pub fn open(address: DeviceAddress, state: State) -> Result<Tpm, TpmError> {
        let (queue, jobs) = mpsc::sync_channel::<Job>(MOST_WAITING);
        let (started, start) = mpsc::sync_channel(1);
        // Two may come: whether it started, and how it ended.
        let (end, ended) = mpsc::sync_channel(1);
        let owned = state.clone();
        let thread = thread::Builder::new()
            .name("tpm".to_owned())
            .spawn(move || {
                let mut owner = Owner::new(address, owned);
                let connected = owner.connect().map(|_| ());
                let reached = connected.is_ok();
                // The opener waits for it, unless it has given up.
                let _ = started.send(connected);
                if reached {
                    while let Ok(job) = jobs.recv() {
                        job(&mut owner);
                    }
                }
                let _ = end.send(owner.shut_down());
            })
            .map_err(|error| TpmError::Library {
                command: "the start of the TPM's thread",
                reason: error.to_string(),
            })?;
        match start.recv_timeout(CALL_DEADLINE) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                // It lets go of the library first, as in `end`.
                let _ = thread.join();
                return Err(error);
            }
            Err(_) => return Err(timed_out(CALL_DEADLINE)),
        }
        Ok(Tpm {
            state,
            queue: Some(queue),
            ended: Mutex::new(ended),
            thread: Some(thread),
        })
    }

    /// What was remembered of the provisioning.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Shuts the TPM down in order (`TPM2_Shutdown(CLEAR)`), so that the next start counts no
    /// power cut, and ends the thread.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the thread does not end within five seconds.
    pub fn close(mut self) -> Result<(), TpmError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), TpmError> {
        // The thread ends when nobody can give it jobs any more.
        if self.queue.take().is_none() {
            return Ok(());
        }
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let ended = match ended.recv_timeout(CLOSE_DEADLINE) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout) => return Err(timed_out(CLOSE_DEADLINE)),
            Err(RecvTimeoutError::Disconnected) => Err(TpmError::Closed),
        };
        // It has nothing left to do but to let go of the library. A process that ended meanwhile
        // would take OpenSSL away from under it, and break down.
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| TpmError::Closed)?;
        }
        ended
    }

    /// Has the owner do something and waits for it.
    fn call<T, E>(&self, again: Again, work: Work<T, E>) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<TpmError> + Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |owner| {
            // A caller that has given up does not listen.
            let _ = reply.send(owner.work(again, &work));
        });
        let queue = self.queue.as_ref().ok_or(TpmError::Closed)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => TpmError::Busy {
                waiting: MOST_WAITING,
            },
            TrySendError::Disconnected(_) => TpmError::Closed,
        })?;
        match answer.recv_timeout(CALL_DEADLINE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(timed_out(CALL_DEADLINE).into()),
            Err(RecvTimeoutError::Disconnected) => Err(TpmError::Closed.into()),
        }
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the TPM was not shut down in order");
        }
    }
}

fn timed_out(after: Duration) -> TpmError {
    TpmError::TimedOut { after }
}

/// Something to do with a connection.
type Work<T, E> = Box<dyn Fn(&mut Connection, &State) -> Result<T, E> + Send>;

/// Whether a thing may be done again when the connection turns out to be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Doing it twice is doing it once.
    Yes,
    /// It may have happened.
    No,
}

/// The owner of the connection, on its thread.
struct Owner {
    address: DeviceAddress,
    state: State,
    connection: Option<Connection>,
    pause: Duration,
    not_before: Option<Instant>,
}

impl Owner {
    fn new(address: DeviceAddress, state: State) -> Owner {
        Owner {
            address,
            state,
            connection: None,
            pause: FIRST_PAUSE,
            not_before: None,
        }
    }

    /// The connection, made anew if there is none and it is time to try.
    fn connect(&mut self) -> Result<&mut Connection, TpmError> {
        if self.connection.is_none() {
            let now = Instant::now();
            let wait = self
                .not_before
                .and_then(|moment| moment.checked_duration_since(now))
                .filter(|wait| !wait.is_zero());
            if let Some(retry_in) = wait {
                return Err(TpmError::Unavailable { retry_in });
            }
            match Connection::open(&self.address, &self.state.srk_name) {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.pause = FIRST_PAUSE;
                    self.not_before = None;
                }
                Err(error) => {
                    self.not_before = Some(now + self.pause);
                    self.pause = (self.pause * 2).min(LAST_PAUSE);
                    return Err(error);
                }
            }
        }
        self.connection.as_mut().ok_or(TpmError::Closed)
    }

    fn work<T, E: From<TpmError>>(&mut self, again: Again, work: &Work<T, E>) -> Result<T, E> {
        // A connection from earlier may have died unnoticed: then a new one is worth a try.
        let fresh = self.connection.is_none();
        let (result, lost) = self.attempt(work);
        if lost && !fresh && again == Again::Yes && result.is_err() {
            return self.attempt(work).0;
        }
        result
    }

    fn attempt<T, E: From<TpmError>>(&mut self, work: &Work<T, E>) -> (Result<T, E>, bool) {
        if let Err(error) = self.connect() {
            return (Err(error.into()), false);
        }
        let Some(connection) = self.connection.as_mut() else {
            return (Err(TpmError::Closed.into()), false);
        };
        let result = work(connection, &self.state);
        let lost = connection.is_lost();
        if lost {
            tracing::warn!(address = %self.address, "the connection to the TPM is lost");
            self.connection = None;
        }
        (result, lost)
    }

    fn shut_down(&mut self) -> Result<(), TpmError> {
        self.connection.take().map_or(Ok(()), Connection::shut_down)
    }
}

impl TrustModule for Tpm {
    fn identity(&self) -> &Identity {
        &self.state.identity
    }

    fn activate_credential(
        &self,
        blob: &[u8],
        secret: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let (blob, secret) = (blob.to_vec(), secret.to_vec());
        self.call(
            Again::Yes,
            Box::new(move |connection, state| {
                operations::activate_credential(connection, state, &blob, &secret)
            }),
        )
    }

    fn quote(&self, nonce: &[u8; 32], pcrs: PcrSet) -> Result<Attestation, TpmError> {
        let nonce = *nonce;
        self.call(
            Again::Yes,
            Box::new(move |connection, state| operations::quote(connection, state, &nonce, pcrs)),
        )
    }

    fn certify_authority(&self, nonce: &[u8; 32]) -> Result<Attestation, TpmError> {
        let nonce = *nonce;
        self.call(
            Again::Yes,
            Box::new(move |connection, state| {
                operations::certify_authority(connection, state, &nonce)
            }),
        )
    }

    fn sign(&self, digest: &[u8; 32]) -> Result<EcdsaSignature, TpmError> {
        let digest = *digest;
        self.call(
            Again::Yes,
            Box::new(move |connection, state| operations::sign(connection, state, &digest)),
        )
    }

    fn pcr_read(&self, pcrs: PcrSet) -> Result<PcrValues, TpmError> {
        self.call(
            Again::Yes,
            Box::new(move |connection, _| operations::pcr_read(connection, pcrs)),
        )
    }

    fn pcr_extend(&self, index: u8, digest: &[u8; 32]) -> Result<(), TpmError> {
        let digest = *digest;
        self.call(
            Again::No,
            Box::new(move |connection, _| operations::pcr_extend(connection, index, &digest)),
        )
    }

    fn seal(&self, secret: &Secret) -> Result<SealedKey, TpmError> {
        let secret = secret.clone();
        self.call(
            Again::Yes,
            Box::new(move |connection, state| seal::seal(connection, &state.root, &secret)),
        )
    }

    fn unseal(&self, sealed: &SealedKey, policy: &SignedPolicy) -> Result<Secret, UnsealError> {
        let (sealed, policy) = (sealed.clone(), policy.clone());
        self.call(
            Again::Yes,
            Box::new(move |connection, state| {
                seal::unseal(connection, &state.root, &sealed, &policy)
            }),
        )
    }

    fn least_version(&self) -> Result<LeastVersion, TpmError> {
        self.call(
            Again::Yes,
            Box::new(|connection, state| seal::least_version(connection, &state.root)),
        )
    }

    fn move_least_version(&self, permission: &SignedVersion) -> Result<(), MoveVersionError> {
        let permission = *permission;
        self.call(
            Again::Yes,
            Box::new(move |connection, state| {
                seal::move_least_version(connection, &state.root, &permission)
            }),
        )
    }

    fn clock(&self) -> Result<Clock, TpmError> {
        self.call(
            Again::Yes,
            Box::new(|connection, _| operations::clock(connection)),
        )
    }

    fn handles(&self) -> Result<Handles, TpmError> {
        self.call(
            Again::Yes,
            Box::new(|connection, _| operations::handles(connection)),
        )
    }
}
