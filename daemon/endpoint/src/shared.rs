//! What an endpoint is built from, and what all its handlers share.

use std::hash::{BuildHasher as _, DefaultHasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earnest_anomaly::{Observation, Subject, Watch, hour_of_the_week};
use earnest_audit::{Log, Note};
use earnest_live::Live;
use earnest_policy::{AnswerRules, LockedOut, Lockout, Policy, Source};
use earnest_telemetry::{App, Event, Recorded, Telemetry, WallClock};
use earnest_traces::Traces;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::Instant;

use crate::crowd::Crowd;
use crate::house::{House, SaveError, Serving};
use crate::limits::Limits;
use crate::microphone::report;
use crate::models::ServedModel;
use crate::page::LastHour;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::status::{StatusReport, WorkersReport};

/// What an endpoint is built from.
pub struct Parts {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Where everything is recorded, and whose clock counts. Its sink is to be the audit log's
    /// ([`Log::observe`]), which leaves out what the endpoint writes there itself.
    pub telemetry: Telemetry,
    /// The time that people read.
    pub wall: WallClock,
    /// Where what is done is written down before it is done.
    pub audit: Log,
    /// The folder of the audit log, which is verified without a key.
    pub audit_folder: PathBuf,
    /// What is unusual, and what is done about it.
    pub watch: Watch,
    /// Where spans go.
    pub traces: Traces,
    /// The daemon around it.
    pub house: Arc<dyn House>,
    /// The microphone, where the daemon has one to listen to.
    pub live: Option<Live>,
    /// The model that is served.
    pub model: ServedModel,
    /// Bounds on requests.
    pub limits: Limits,
    /// What is done to every answer.
    pub answers: AnswerRules,
    /// Origins of pages that may call, as browsers write them: `https://notes.example`. Usually
    /// none.
    pub origins: Vec<String>,
    /// The version of the daemon.
    pub version: String,
}

/// What all handlers share.
pub(crate) struct Shared {
    pub(crate) policy: Arc<Policy>,
    pub(crate) telemetry: Telemetry,
    pub(crate) wall: WallClock,
    pub(crate) audit: Log,
    pub(crate) audit_folder: PathBuf,
    pub(crate) watch: Watch,
    pub(crate) traces: Traces,
    pub(crate) house: Arc<dyn House>,
    pub(crate) live: Option<Live>,
    pub(crate) model: ServedModel,
    pub(crate) limits: Limits,
    pub(crate) answers: AnswerRules,
    pub(crate) origins: Vec<String>,
    pub(crate) version: String,
    pub(crate) listeners: Vec<String>,
    pub(crate) started: Duration,
    /// Room for files that are held, in KiB.
    pub(crate) room: Arc<Semaphore>,
    /// How much of its limits everybody has used.
    pub(crate) usage: earnest_policy::Limits,
    /// The same of requests that cost no work.
    pub(crate) light: earnest_policy::Limits,
    /// Who holds how many connections.
    pub(crate) crowd: Crowd,
    /// How many are told at once that they hold too many.
    pub(crate) turning_away: Semaphore,
    /// What came in lately, for the status page.
    pub(crate) hour: LastHour,
    /// Held while the book is changed, so that what could not be saved can be taken back.
    pub(crate) changing: AsyncMutex<()>,
    lockout: Mutex<Lockout>,
    requests: AtomicU64,
    scramble: RandomState,
    payloads: RandomState,
}

/// The unit of [`Shared::room`], because a semaphore counts no further than 2^29 on machines
/// with words of 32 bits.
pub(crate) const ROOM_UNIT: u64 = 1 << 10;

/// Connections that are told at once that there are too many.
const TURNED_AWAY: usize = 8;

impl Shared {
    pub(crate) fn new(parts: Parts, listeners: Vec<String>) -> Shared {
        let started = parts.telemetry.clock().now();
        let room = usize::try_from(parts.limits.held_bytes / ROOM_UNIT)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Shared {
            policy: parts.policy,
            telemetry: parts.telemetry,
            wall: parts.wall,
            audit: parts.audit,
            audit_folder: parts.audit_folder,
            watch: parts.watch,
            traces: parts.traces,
            house: parts.house,
            live: parts.live,
            model: parts.model,
            limits: parts.limits,
            answers: parts.answers,
            origins: parts.origins,
            version: parts.version,
            listeners,
            started,
            room: Arc::new(Semaphore::new(room)),
            usage: earnest_policy::Limits::default(),
            light: earnest_policy::Limits::default(),
            crowd: Crowd::new(parts.limits.connections_of_one),
            turning_away: Semaphore::new(TURNED_AWAY),
            hour: LastHour::default(),
            changing: AsyncMutex::new(()),
            lockout: Mutex::new(Lockout::default()),
            requests: AtomicU64::new(0),
            scramble: RandomState::new(),
            payloads: RandomState::new(),
        }
    }

    /// The time on CLOCK_BOOTTIME.
    pub(crate) fn now(&self) -> Duration {
        self.telemetry.clock().now()
    }

    /// A number for the next request: the same in its answer and in what is recorded of it.
    /// A plain count would tell every caller how much the others ask. It has 52 bits, which
    /// readers of JSON that know no integers keep.
    pub(crate) fn next_request(&self) -> u64 {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        self.scramble.hash_one(count) >> 12
    }

    /// What a span calls an application. The key is this process's own.
    pub(crate) fn pseudonym(&self, app: &str) -> u64 {
        self.scramble.hash_one(app)
    }

    /// Begins the digest of a payload, under a key that this process alone has.
    pub(crate) fn payload_digest(&self) -> DefaultHasher {
        self.payloads.build_hasher()
    }

    /// What can be served with, if its proof holds still.
    pub(crate) fn serving(&self) -> Option<Serving> {
        let serving = self.house.serving()?;
        serving.open.is_live_at(self.now()).then_some(serving)
    }

    /// Since when and by which rules an answer that goes on for a while is padded.
    pub(crate) fn padding(&self, bill: &Bill) -> Option<(Instant, AnswerRules)> {
        let quantum = self.answers.quantum();
        quantum.map(|_| (bill.arrived(), self.answers))
    }

    /// Records an event.
    pub(crate) fn record(&self, event: Event) {
        let at = self.now();
        self.hour.observe(&Recorded {
            // Nobody asks for its number.
            sequence: 0,
            at_milliseconds: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            event: event.clone(),
        });
        self.telemetry.record(event);
    }

    /// Records an event of a request, which the audit log need not have before anything happens.
    pub(crate) fn note(&self, request: u64, event: Event) {
        self.audit.note(Note::of(event.clone()).in_request(request));
        self.record(event);
    }

    /// Writes an event of this request to the audit log, and records it once it is on the disk.
    ///
    /// # Errors
    ///
    /// When it cannot be written: what it says must not happen.
    pub(crate) async fn write_down(&self, bill: &Bill, event: Event) -> Result<(), Refusal> {
        let note = Note::of(event.clone()).in_request(bill.number());
        match self.audit.append(note).await {
            Ok(_) => {
                self.record(event);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "nothing is done, because it cannot be written down");
                Err(Refusal::AuditUnavailable)
            }
        }
    }

    /// Tells the watch what somebody did, and everybody what it makes of it.
    pub(crate) fn observe(&self, subject: &Subject, observation: &Observation) {
        let (now, hour) = (self.now(), hour_of_the_week(self.wall.now()));
        let Some(alert) = self.watch.observe(subject, observation, now, hour) else {
            return;
        };
        self.record(Event::Alert((&alert).into()));
    }

    /// Whether a source is listened to.
    pub(crate) fn listens_to(&self, source: Source) -> Result<(), LockedOut> {
        let now = self.now();
        self.lockout().check(source, now)
    }

    /// Counts a guess.
    pub(crate) fn guessed(&self, source: Source) {
        let now = self.now();
        self.lockout().failed(source, now);
    }

    fn lockout(&self) -> MutexGuard<'_, Lockout> {
        // Its methods leave nothing half done.
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the state written, and waits for it.
    ///
    /// # Errors
    ///
    /// When it cannot be.
    pub(crate) async fn save(&self) -> Result<(), Refusal> {
        let saved = self.house.save_state().await;
        saved.map_err(|error| match error {
            SaveError::Sealed => Refusal::DeviceNotProven,
            SaveError::Write(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "not saved");
                Refusal::StateUnavailable
            }
        })
    }

    /// How the daemon fares.
    pub(crate) fn status(&self) -> StatusReport {
        let now = self.now();
        let recent = self.telemetry.recent();
        StatusReport {
            version: self.version.clone(),
            uptime_seconds: now.saturating_sub(self.started).as_secs(),
            gate: self.house.gate(),
            trouble: self.house.trouble(),
            model: self.model.id.clone(),
            sandbox: self.house.sandbox(),
            workers: self
                .house
                .serving()
                .map(|serving| WorkersReport::of(&serving.pool.status())),
            listeners: self.listeners.clone(),
            microphone: self.live.as_ref().map(|live| report(&live.status(), now)),
            live_tokens: self.policy.live_tokens(now),
            alerts: crate::alerts::open(self),
            counters: self.telemetry.counters(),
            events: recent.iter().map(|one| one.event.to_string()).collect(),
        }
    }
}

/// Whom an alert is about, in telemetry's words.
pub(crate) fn whom(subject: &Subject) -> (Option<App>, Option<u32>) {
    match subject {
        Subject::App(app) => (Some(app.clone()), None),
        Subject::Uid(uid) => (None, Some(*uid)),
        Subject::Unknown => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_of_a_payload_is_the_same_however_it_is_cut() {
        use std::hash::Hasher as _;
        let key = RandomState::new();
        let whole: Vec<u8> = (0..=255).collect();
        let digest = |cuts: &[usize]| {
            let mut digest = key.build_hasher();
            let mut rest = whole.as_slice();
            for cut in cuts {
                let (piece, later) = rest.split_at(*cut);
                digest.write(piece);
                rest = later;
            }
            digest.write(rest);
            digest.finish()
        };
        let expected = digest(&[]);
        for cuts in [&[1, 2, 3][..], &[8, 8], &[7, 9, 100], &[0, 255]] {
            assert_eq!(digest(cuts), expected, "{cuts:?}");
        }
    }
}
