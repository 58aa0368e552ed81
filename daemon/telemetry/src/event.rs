//! All that can be said.

use std::fmt;

use earnest_evidence::measured::SandboxLevel;
use serde::{Serialize, Serializer};

use crate::words::words;
use crate::{App, GateReason, GateState};

/// Something that happened. The schema is closed on purpose: there is no field for text, so no
/// text can leak through it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        #[serde(serialize_with = "level_name")]
        level: SandboxLevel,
    },
    /// A worker runs.
    WorkerStarted {
        /// Its number, counted from the daemon's start.
        worker: u64,
        /// How far it locked itself in.
        #[serde(serialize_with = "level_name")]
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
    },
    /// A request was answered, to its end or not.
    RequestEnded {
        /// Its number.
        request: u64,
        /// Whose it was.
        app: App,
        /// The HTTP status (RFC 9110, section 15) that it was answered with.
        status: u16,
        /// Milliseconds from first byte to last.
        milliseconds: u64,
        /// Milliseconds of sound that it brought.
        sound_milliseconds: u64,
    },
    /// Somebody was turned away.
    Refused {
        /// Who, where that is known.
        app: Option<App>,
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
}

/// How a self-test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

words! {
    /// Why somebody was turned away.
    pub enum Refusal {
        /// The gate is closed.
        GateClosed = "gate_closed",
        /// Who is calling cannot be told.
        UnknownPeer = "unknown_peer",
        /// The caller is on no list.
        NotListed = "not_listed",
        /// No token was shown where one is needed.
        NoToken = "no_token",
        /// The token is none of ours, or none any more.
        BadToken = "bad_token",
        /// The token belongs to somebody else.
        OtherOwner = "other_owner",
        /// The way of calling does not reach this far.
        WrongDoor = "wrong_door",
        /// `Host` names another machine.
        ForeignHost = "foreign_host",
        /// `Origin` names a page from elsewhere.
        ForeignOrigin = "foreign_origin",
        /// The request is no valid one.
        Malformed = "malformed",
        /// It asks for what there is not.
        Unsupported = "unsupported",
        /// It brings more than is taken.
        TooLarge = "too_large",
        /// It took too long.
        TimedOut = "timed_out",
        /// All places are taken.
        Busy = "busy",
        /// The daemon ends.
        Stopping = "stopping",
    }
}

/// One line, for a log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started => write!(f, "started"),
            Event::Stopping => write!(f, "stopping"),
            Event::Gate { from, to, reason } => write!(f, "gate: {from} -> {to}, {reason}"),
            Event::SelfTest(SelfTest { clips, passed }) => {
                let verdict = if *passed { "passed" } else { "failed" };
                write!(f, "self-test {verdict}: {clips} clips")
            }
            Event::Sandbox { level } => write!(f, "sandbox: {level}"),
            Event::WorkerStarted { worker, sandbox } => {
                write!(f, "worker {worker} started, sandbox {sandbox}")
            }
            Event::WorkerEnded { worker, why } => write!(f, "worker {worker} ended: {why}"),
            Event::RequestBegun { request, app } => write!(f, "request {request} begun ({app})"),
            Event::RequestEnded {
                request,
                app,
                status,
                milliseconds,
                sound_milliseconds,
            } => write!(
                f,
                "request {request} ended ({app}): {status} after {milliseconds} ms, \
                 {sound_milliseconds} ms of sound"
            ),
            Event::Refused { app: None, reason } => write!(f, "refused: {reason}"),
            Event::Refused {
                app: Some(app),
                reason,
            } => write!(f, "refused: {reason} ({app})"),
            Event::TokenIssued { app } => write!(f, "token issued ({app})"),
            Event::TokensRevoked { count } => write!(f, "tokens revoked: {count}"),
            Event::CertificateRenewed => write!(f, "certificate renewed"),
        }
    }
}

/// A level by its name.
fn level_name<S: Serializer>(level: &SandboxLevel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.name())
}
