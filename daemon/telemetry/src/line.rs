//! An event as one line, for a log that people read.

use std::fmt;

use crate::{Alert, App, Event, SelfTest};

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
            Event::RequestBegun { .. } | Event::RequestEnded { .. } | Event::Refused { .. } => {
                request(self, f)
            }
            Event::TokenIssued { app } => write!(f, "token issued ({app})"),
            Event::TokensRevoked { count } => write!(f, "tokens revoked: {count}"),
            Event::CertificateRenewed => write!(f, "certificate renewed"),
            Event::AppAdded { app } => write!(f, "application added ({app})"),
            Event::AppChanged { app } => write!(f, "application changed ({app})"),
            Event::AppRevoked { app } => write!(f, "application revoked ({app})"),
            Event::CertificateIssued { app } => write!(f, "certificate issued ({app})"),
            Event::SecondFactor { uid, outcome } => {
                write!(f, "second factor {outcome} (uid {uid})")
            }
            Event::OperatorAction { uid, action } => write!(f, "operator: {action} (uid {uid})"),
            Event::BrowserSession { uid, part } => write!(f, "browser session {part} (uid {uid})"),
            Event::MicrophoneOpened { .. }
            | Event::MicrophoneClosed { .. }
            | Event::MicrophoneLost
            | Event::MicrophoneBack { .. }
            | Event::MicrophoneMuted { .. }
            | Event::MicrophoneUnmuted { .. }
            | Event::Guard { .. } => microphone(self, f),
            Event::KeysRotated { which, now } => {
                let end = if *now { ", the earlier ones ended" } else { "" };
                write!(f, "keys rotated: {which}{end}")
            }
            Event::Alert(alert) => alert.fmt(f),
            Event::Released { alert, app, uid } => {
                write!(f, "alert {alert} released")?;
                who(f, app.as_ref(), *uid)
            }
            Event::StateSaved => write!(f, "state saved"),
            Event::ConfigurationRefused => write!(f, "configuration refused"),
            Event::AuditPurged { .. }
            | Event::AuditLost { .. }
            | Event::AuditCut { .. }
            | Event::AuditDamaged { .. }
            | Event::AuditUnavailable
            | Event::AuditRestored => audit(self, f),
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alert, level, kind) = (self.alert, self.level, self.kind);
        write!(f, "alert {alert}: {level} for {kind}")?;
        who(f, self.app.as_ref(), self.uid)
    }
}

/// The life of a request.
fn request(event: &Event, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        Event::RequestBegun {
            request,
            app,
            uid,
            scope,
            door,
            trace: _,
        } => write!(
            f,
            "request {request} begun ({app}): {scope} for uid {uid} over {door}"
        ),
        Event::RequestEnded {
            request,
            app,
            status,
            milliseconds,
            sound_milliseconds,
            ..
        } => write!(
            f,
            "request {request} ended ({app}): {status} after {milliseconds} ms, \
             {sound_milliseconds} ms of sound"
        ),
        Event::Refused {
            app,
            uid,
            scope,
            door,
            reason,
        } => {
            write!(f, "refused: {reason}")?;
            who(f, app.as_ref(), *uid)?;
            if let Some(scope) = scope {
                write!(f, ": {scope}")?;
            }
            write!(f, " over {door}")
        }
        _ => Ok(()),
    }
}

/// What becomes of the microphone.
fn microphone(event: &Event, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        Event::MicrophoneOpened { rate } => write!(f, "microphone opened at {rate} Hz"),
        Event::MicrophoneClosed { milliseconds } => {
            write!(f, "microphone closed after {milliseconds} ms")
        }
        Event::MicrophoneLost => write!(f, "microphone lost"),
        Event::MicrophoneBack { milliseconds } => {
            write!(f, "microphone back after {milliseconds} ms")
        }
        Event::MicrophoneMuted { uid } => write!(f, "microphone muted (uid {uid})"),
        Event::Guard { state } => write!(f, "the microphone's guard: {state}"),
        Event::MicrophoneUnmuted { uid } => write!(f, "microphone unmuted (uid {uid})"),
        _ => Ok(()),
    }
}

/// What the audit log tells of itself.
fn audit(event: &Event, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        Event::AuditPurged {
            segments, through, ..
        } => write!(
            f,
            "audit log: {segments} segments purged, through entry {through}"
        ),
        Event::AuditLost { events } => write!(f, "audit log: {events} events lost"),
        Event::AuditCut { bytes } => write!(f, "audit log: {bytes} unfinished bytes cut off"),
        Event::AuditDamaged { segment } => write!(f, "audit log: segment {segment} is damaged"),
        Event::AuditUnavailable => write!(f, "audit log: cannot be written"),
        Event::AuditRestored => write!(f, "audit log: can be written again"),
        _ => Ok(()),
    }
}

/// Whom an event is about, in parentheses.
fn who(f: &mut fmt::Formatter<'_>, app: Option<&App>, uid: Option<u32>) -> fmt::Result {
    match (app, uid) {
        (Some(app), Some(uid)) => write!(f, " ({app}, uid {uid})"),
        (Some(app), None) => write!(f, " ({app})"),
        (None, Some(uid)) => write!(f, " (uid {uid})"),
        (None, None) => Ok(()),
    }
}
