//! The status page: what an operator sees in a browser, risk first.
//!
//! It is one document without a script, made anew at every request from [`PageState`], which has
//! numbers, names and closed words. Its style is the one file that it loads, and
//! [`PAGE_POLICY`] lets it load nothing else. What comes from outside, be it the name of an
//! application, is written by [`html`] alone, which has no other way to write than escaped.
//!
//! From top to bottom it answers: is this device to be trusted now ([`verdict`]), who misbehaves,
//! who is turned away and why, what is proved and until when, how loaded is it, who may use it,
//! and what happened last.

mod frame;
mod hour;
mod html;
mod microphone;
mod sections;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

use std::time::Duration;

use earnest_gate::Status;
use earnest_telemetry::{AlertKind, AlertLevel, Scope};

use crate::shapes::MicrophoneReport;

pub(crate) use frame::{PAGE_POLICY, STYLE, render};
pub(crate) use hour::{LastHour, Minutes};

/// Most alerts that are shown; the gravest ones come first.
pub(crate) const MOST_ALERTS: usize = 20;

/// Most applications that are shown.
pub(crate) const MOST_APPS: usize = 50;

/// Most events that are shown.
pub(crate) const MOST_EVENTS: usize = 40;

/// All that the page tells.
#[derive(Debug, Clone)]
pub(crate) struct PageState {
    /// The device's name, where it has one.
    pub(crate) device: Option<String>,
    /// The version of the daemon.
    pub(crate) version: String,
    /// The model that is served.
    pub(crate) model: String,
    /// Time since the daemon listens.
    pub(crate) uptime: Duration,
    /// The wall clock, since 1970.
    pub(crate) wall: Duration,
    /// Where the gate stands.
    pub(crate) gate: Status,
    /// What keeps the gate from opening, in one plain line.
    pub(crate) trouble: Option<String>,
    /// Whether the TPM is a program.
    pub(crate) software_tpm: bool,
    /// When the model was last asked its known clips, and whether it knew them.
    pub(crate) self_test: Option<SelfTestState>,
    /// How far the workers are locked in; nothing before the first one ran.
    pub(crate) sandbox: Option<String>,
    /// How the audit log fares.
    pub(crate) audit: AuditState,
    /// Alerts that stand, in any order.
    pub(crate) alerts: Vec<AlertState>,
    /// What came in during the last hour.
    pub(crate) hour: Minutes,
    /// The workers; none while the gate is closed.
    pub(crate) load: Option<LoadState>,
    /// The microphone, where the daemon has one, and who listens to it.
    pub(crate) microphone: Option<MicrophoneReport>,
    /// Who may use the device, in any order.
    pub(crate) apps: Vec<AppState>,
    /// What the access review says should be looked at.
    pub(crate) findings: usize,
    /// The last events, newest first.
    pub(crate) events: Vec<EventState>,
}

/// A self-test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelfTestState {
    /// Time since then.
    pub(crate) ago: Duration,
    /// Whether every answer was right.
    pub(crate) passed: bool,
}

/// The audit log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditState {
    /// Whether it can be written: if not, no work is taken.
    pub(crate) writable: bool,
    /// Entries so far.
    pub(crate) entries: u64,
    /// Events that are missing in it since the daemon started.
    pub(crate) lost: u64,
    /// Time since its head was last anchored in the TPM.
    pub(crate) anchored_ago: Option<Duration>,
}

/// An alert.
#[derive(Debug, Clone)]
pub(crate) struct AlertState {
    /// Its number, by which it is released.
    pub(crate) id: u64,
    /// Whom it is about: an application, `uid-1000`, or `unknown`.
    pub(crate) subject: String,
    /// What is unusual.
    pub(crate) kind: AlertKind,
    /// What is done about it.
    pub(crate) level: AlertLevel,
    /// Time since it was first seen.
    pub(crate) since: Duration,
    /// Requests that it took to see it.
    pub(crate) requests: u64,
}

/// The workers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoadState {
    /// Jobs at work.
    pub(crate) working: usize,
    /// Jobs that may be at work at most.
    pub(crate) most: usize,
    /// Jobs that wait for a place.
    pub(crate) waiting: usize,
    /// Processes.
    pub(crate) processes: usize,
    /// Workers in a row that did not start.
    pub(crate) failures: u32,
}

/// An application, or all programs of a user.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    /// Its name, or `uid-1000`.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) scopes: Vec<Scope>,
    /// Time since it was last used; nothing where it never was.
    pub(crate) last_used: Option<Duration>,
    /// The share of the day's sound that is used up, from 0 to 1; nothing where it has no budget.
    pub(crate) budget_used: Option<f64>,
    /// Whether it was taken off.
    pub(crate) revoked: bool,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct EventState {
    /// Time since then.
    pub(crate) ago: Duration,
    /// What, on one line.
    pub(crate) text: String,
}
