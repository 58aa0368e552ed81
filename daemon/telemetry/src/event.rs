//! All that can be said.

use earnest_evidence::measured::SandboxLevel;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::words::words;
use crate::{
    Action, AlertKind, AlertLevel, App, ChainDigest, Door, FactorOutcome, GateReason, GateState,
    GuardState, KeyKind, Refusal, Scope, SessionPart, TraceId,
};

/// Something that happened. The schema is closed on purpose: there is no field for text, so no
/// text can leak through it. What is read back must be in it, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The daemon serves from now on.
    Started,
    /// The daemon takes no more requests.
    Stopping,
    /// The gate moved.
    Gate {
        /// Where it stood.
        from: GateState,
        /// Where it stands now.
        to: GateState,
        /// Why.
        reason: GateReason,
    },
    /// The model was asked its known clips.
    SelfTest(SelfTest),
    /// The daemon or its workers locked themselves in, as far as this kernel can.
    Sandbox {
        /// How far.
        #[serde(with = "level")]
        level: SandboxLevel,
    },
    /// A worker runs.
    WorkerStarted {
        /// Its number, counted from the daemon's start.
        worker: u64,
        /// How far it locked itself in.
        #[serde(with = "level")]
        sandbox: SandboxLevel,
    },
    /// A worker is gone.
    WorkerEnded {
        /// Its number.
        worker: u64,
        /// Why.
        why: WorkerEnd,
    },
    /// A request was let in.
    RequestBegun {
        /// Its number, counted from the daemon's start.
        request: u64,
        /// Whose it is.
        app: App,
        /// The user that it came from.
        uid: u32,
        /// What it was let in for.
        scope: Scope,
        /// The way that it came in.
        door: Door,
        /// The trace that the caller says it belongs to.
        trace: Option<TraceId>,
    },
    /// A request was answered, to its end or not.
    RequestEnded {
        /// Its number.
        request: u64,
        /// Whose it was.
        app: App,
        /// The user that it came from.
        uid: u32,
        /// What it was let in for.
        scope: Scope,
        /// The way that it came in.
        door: Door,
        /// The trace that the caller says it belongs to.
        trace: Option<TraceId>,
        /// The HTTP status (RFC 9110, section 15) that it was answered with.
        status: u16,
        /// Milliseconds from first byte to last.
        milliseconds: u64,
        /// Milliseconds of sound that it brought.
        sound_milliseconds: u64,
    },
    /// Somebody was turned away.
    Refused {
        /// Whose application, where that is known.
        app: Option<App>,
        /// Which user, where that is known.
        uid: Option<u32>,
        /// What was asked for, where that is known.
        scope: Option<Scope>,
        /// The way that the caller came in.
        door: Door,
        /// Why. The caller is not told.
        reason: Refusal,
    },
    /// A token was given out.
    TokenIssued {
        /// For whom.
        app: App,
    },
    /// Tokens were taken back.
    TokensRevoked {
        /// How many.
        count: u32,
    },
    /// The listeners show a new certificate.
    CertificateRenewed,
    /// An application was registered.
    AppAdded {
        /// Its name.
        app: App,
    },
    /// An application's entry was changed.
    AppChanged {
        /// Its name.
        app: App,
    },
    /// An application was taken off.
    AppRevoked {
        /// Its name.
        app: App,
    },
    /// An application got a client certificate.
    CertificateIssued {
        /// Its name.
        app: App,
    },
    /// A person's second factor was made or looked at.
    SecondFactor {
        /// Whose.
        uid: u32,
        /// What became of it.
        outcome: FactorOutcome,
    },
    /// An operator or an auditor did something, with a second factor where one is due.
    OperatorAction {
        /// Who.
        uid: u32,
        /// What.
        action: Action,
    },
    /// A browser's session began or ended.
    BrowserSession {
        /// Whose.
        uid: u32,
        /// Which of the two.
        part: SessionPart,
    },
    /// The microphone was opened, for the first who listens or to stay warm.
    MicrophoneOpened {
        /// Samples a second.
        rate: u32,
    },
    /// The microphone was closed: nobody listens any more, or it was muted.
    MicrophoneClosed {
        /// Milliseconds since it was opened.
        milliseconds: u64,
    },
    /// The microphone's device is gone, or could not be opened. It is tried again.
    MicrophoneLost,
    /// The microphone's device is there again.
    MicrophoneBack {
        /// Milliseconds since it was lost.
        milliseconds: u64,
    },
    /// The microphone was muted, and is closed.
    MicrophoneMuted {
        /// By whom.
        uid: u32,
    },
    /// The microphone is muted no more.
    MicrophoneUnmuted {
        /// By whom.
        uid: u32,
    },
    /// The guard beside the microphone is in another state.
    Guard {
        /// Which.
        state: GuardState,
    },
    /// Keys were replaced.
    KeysRotated {
        /// Which.
        which: KeyKind,
        /// Whether what hung on the earlier ones ended at once.
        now: bool,
    },
    /// Somebody's requests are unusual.
    Alert(Alert),
    /// An operator let go of somebody who was throttled or shut out.
    Released {
        /// The alert's number.
        alert: u64,
        /// The application that it was about.
        app: Option<App>,
        /// The user that it was about.
        uid: Option<u32>,
    },
    /// The oldest part of the audit log is gone, as it has to be.
    AuditPurged {
        /// Segments that were removed.
        segments: u32,
        /// The last entry in them.
        through: u64,
        /// The chain's digest after it.
        digest: ChainDigest,
    },
    /// Events came faster than the audit log takes them.
    AuditLost {
        /// How many are missing.
        events: u64,
    },
    /// A write to the audit log was cut short, and what nobody had been promised was removed.
    AuditCut {
        /// Bytes that were removed.
        bytes: u64,
    },
    /// A segment of the audit log is not as it was written. It is kept aside.
    AuditDamaged {
        /// Its number.
        segment: u32,
    },
    /// The audit log cannot be written.
    AuditUnavailable,
    /// The audit log can be written again.
    AuditRestored,
    /// The daemon's own state was written.
    StateSaved,
    /// The configuration is one that the daemon does not work with.
    ConfigurationRefused,
}

/// Somebody's requests are unusual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number, counted from the daemon's start.
    pub alert: u64,
    /// The application that it is about, if it is about one.
    pub app: Option<App>,
    /// The user that it is about, if it is about one.
    pub uid: Option<u32>,
    /// What is unusual.
    pub kind: AlertKind,
    /// What is done about it.
    pub level: AlertLevel,
    /// Requests and refusals that it took to be noticed.
    pub requests: u64,
}

/// How a self-test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Clips that were asked.
    pub clips: u32,
    /// Whether every answer was right.
    pub passed: bool,
}

words! {
    /// Why a worker is gone.
    pub enum WorkerEnd {
        /// It had nothing to do for too long.
        Idle = "idle",
        /// Its session was dropped before its end.
        Abandoned = "abandoned",
        /// The gate closed.
        GateClosed = "gate_closed",
        /// The daemon ends.
        Stopping = "stopping",
        /// Its place was needed for another application.
        Replaced = "replaced",
        /// It exited by itself.
        Exited = "exited",
        /// A signal ended it: a crash, or the kernel's filter.
        Crashed = "crashed",
        /// It did not answer in time.
        TimedOut = "timed_out",
        /// It sent what is no message, or none that was due.
        Misbehaved = "misbehaved",
        /// It could not be started, or did not become ready.
        FailedToStart = "failed_to_start",
        /// It is not locked in as far as it claims, or as is demanded.
        Unconfined = "unconfined",
    }
}

impl WorkerEnd {
    /// Whether the daemon wanted it so.
    pub const fn is_orderly(self) -> bool {
        matches!(
            self,
            WorkerEnd::Idle
                | WorkerEnd::Abandoned
                | WorkerEnd::GateClosed
                | WorkerEnd::Stopping
                | WorkerEnd::Replaced
        )
    }
}

/// A level by its name.
mod level {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        level: &SandboxLevel,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(level.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SandboxLevel, D::Error> {
        let name = String::deserialize(deserializer)?;
        let mut levels = SandboxLevel::ALL.into_iter();
        let level = levels.find(|level| level.name() == name);
        level.ok_or_else(|| D::Error::custom("this is no level of a sandbox"))
    }
}
