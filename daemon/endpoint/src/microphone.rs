//! `/v1/microphone`: how the microphone is and who listens to it, and whether it is muted.
//!
//! Operators, auditors and applications that may listen are told how it is; an application is
//! told of no other one. Muting is for whoever may listen and for operators, because nobody is
//! worse off by it. Unmuting takes an operator and a second factor.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use earnest_live::{Device, GuardReport, ListenerStatus, Live, MicrophoneState, MicrophoneStatus};
use earnest_policy::{AppId, Listen, Operate, Permit, Proof, See};
use earnest_printable::printable;
use earnest_telemetry::{Action, Event};
use http::StatusCode;
use http::request::Parts;

use crate::admission::lightly;
use crate::caller::{Permitted, permit, quietly};
use crate::changes::act;
use crate::json::{json, read_json};
use crate::limits::JSON_BYTES;
use crate::listen::level_line;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{
    DeviceEntry, DevicesAnswer, GuardCounts, GuardEntry, ListenerEntry, MicrophoneReport,
    MuteRequest, StateLine,
};
use crate::shared::Shared;

/// Seconds after which the sound library may answer again.
const DEVICES_RETRY_SECONDS: u64 = 2;

/// Leave to see the microphone, which people have and applications that may listen.
pub(crate) enum Onlooker {
    /// An operator or an auditor.
    Person(Permit<See>),
    /// An application.
    App(Permit<Listen>),
}

impl FromRequestParts<Arc<Shared>> for Onlooker {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Onlooker, Refusal> {
        if let Some(permit) = quietly::<See>(parts, shared) {
            return Ok(Onlooker::Person(permit));
        }
        let permit = permit::<Listen>(parts, shared)?;
        lightly(shared, &permit)?;
        Ok(Onlooker::App(permit))
    }
}

impl Onlooker {
    /// Records that it was let in.
    fn note(&self, shared: &Shared, bill: &Bill) {
        let begun = match self {
            Onlooker::Person(permit) => bill.let_in(permit),
            Onlooker::App(permit) => bill.let_in(permit),
        };
        if let Some(begun) = begun {
            shared.note(bill.number(), begun);
        }
    }

    /// Whether it may mute. A browser's session sees, and changes nothing but for an application
    /// that may listen; and who reads the audit log operates nothing.
    fn may_mute(&self, shared: &Shared) -> bool {
        match self {
            Onlooker::App(_) => true,
            Onlooker::Person(permit) => {
                let operators = &shared.policy.allowed().operators;
                permit.proof() == Proof::Peer && operators.contains(&permit.uid())
            }
        }
    }

    fn uid(&self) -> u32 {
        match self {
            Onlooker::Person(permit) => permit.uid(),
            Onlooker::App(permit) => permit.uid(),
        }
    }

    /// The application that it is, where it is told of no other.
    fn alone(&self) -> Option<&AppId> {
        match self {
            Onlooker::Person(_) => None,
            Onlooker::App(permit) => Some(permit.app()),
        }
    }
}

/// `GET /v1/microphone`.
pub(crate) async fn state(
    State(shared): State<Arc<Shared>>,
    onlooker: Onlooker,
    bill: Bill,
) -> Response {
    onlooker.note(&shared, &bill);
    let Some(live) = &shared.live else {
        return json(&disabled());
    };
    let mut status = live.status();
    let Some(app) = onlooker.alone() else {
        return json(&report(&status, shared.now()));
    };
    status.listeners.retain(|listener| listener.app == *app);
    let mut report = report(&status, shared.now());
    if let Some(guard) = &mut report.guard {
        // How it fares is the operator's.
        guard.counts = None;
    }
    json(&report)
}

/// `PUT /v1/microphone`.
pub(crate) async fn mute(
    State(shared): State<Arc<Shared>>,
    onlooker: Onlooker,
    bill: Bill,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (mut head, body) = request.into_parts();
    let MuteRequest { muted } = read_json(&head.headers, body, JSON_BYTES).await?;
    let uid = onlooker.uid();
    if muted {
        if !onlooker.may_mute(&shared) {
            return Err(Refusal::InsufficientScope);
        }
        onlooker.note(&shared, &bill);
        if microphone(&shared)?.mute().await {
            shared.record(Event::MicrophoneMuted { uid });
        }
        return Ok(StatusCode::NO_CONTENT);
    }
    let Permitted(permit) = Permitted::<Operate>::from_request_parts(&mut head, &shared).await?;
    let live = microphone(&shared)?;
    act(&shared, &bill, permit.uid(), Action::UnmuteMicrophone).await?;
    if live.unmute().await {
        let uid = permit.uid();
        shared.record(Event::MicrophoneUnmuted { uid });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/microphone/devices`.
pub(crate) async fn devices(
    State(shared): State<Arc<Shared>>,
    onlooker: Onlooker,
    bill: Bill,
) -> Result<Response, Refusal> {
    onlooker.note(&shared, &bill);
    let devices = microphone(&shared)?.devices().await.map_err(|error| {
        tracing::debug!(%error, "no list of devices");
        Refusal::Busy {
            retry_after: DEVICES_RETRY_SECONDS,
        }
    })?;
    Ok(json(&DevicesAnswer {
        devices: devices.into_iter().map(entry).collect(),
    }))
}

fn microphone(shared: &Shared) -> Result<&Live, Refusal> {
    shared.live.as_ref().ok_or(Refusal::MicrophoneDisabled)
}

fn entry(device: Device) -> DeviceEntry {
    DeviceEntry {
        name: printable(&device.name),
        description: printable(&device.description),
        is_default: device.is_default,
        rates: device.rates,
        channels: device.channels,
    }
}

/// The microphone of a daemon that has none.
fn disabled() -> MicrophoneReport {
    MicrophoneReport {
        state: state_line(&MicrophoneState::Off, Duration::ZERO),
        ..MicrophoneReport::default()
    }
}

/// The microphone, and who listens to it. `now` is on CLOCK_BOOTTIME.
pub(crate) fn report(status: &MicrophoneStatus, now: Duration) -> MicrophoneReport {
    let listener = |listener: &ListenerStatus| ListenerEntry {
        app: listener.app.to_string(),
        uid: Some(listener.uid),
        for_seconds: now.saturating_sub(listener.since).as_secs(),
        what: listener.what.name().to_owned(),
    };
    MicrophoneReport {
        enabled: status.enabled,
        state: state_line(&status.state, now),
        muted: status.muted,
        guard: status.guard.as_ref().map(guard),
        listeners: status.listeners.iter().map(listener).collect(),
        level: status.level.map(level_line),
        overruns: status.overruns,
        losses: status.losses,
    }
}

/// The guard beside it.
fn guard(report: &GuardReport) -> GuardEntry {
    let GuardReport {
        state,
        identity,
        boots,
        light,
        faults,
        line,
        sessions,
        trips,
    } = *report;
    GuardEntry {
        state: state.name().to_owned(),
        why: state.why().map(str::to_owned),
        light,
        identity: identity.map(|identity| identity.to_string()),
        counts: Some(GuardCounts {
            boots,
            sessions,
            trips,
            noise: line.noise,
            forged: line.forged,
            replayed: line.replayed,
            lost: line.lost,
            trips_ever: faults.watchdog_trips,
            contradictions_ever: faults.contradictions,
            forged_ever: faults.mac,
            replayed_ever: faults.replayed,
        }),
    }
}

/// How its device is. `now` is on CLOCK_BOOTTIME.
pub(crate) fn state_line(state: &MicrophoneState, now: Duration) -> StateLine {
    let named = |name: &str| StateLine {
        state: name.to_owned(),
        ..StateLine::default()
    };
    match state {
        MicrophoneState::Off => named("off"),
        MicrophoneState::Warm => named("warm"),
        MicrophoneState::Opening => named("opening"),
        MicrophoneState::Open { device, rate } => StateLine {
            device: Some(printable(device)),
            rate: Some(*rate),
            ..named("open")
        },
        MicrophoneState::Lost { why, since } => StateLine {
            why: Some(why.name().to_owned()),
            for_seconds: Some(now.saturating_sub(*since).as_secs()),
            ..named("lost")
        },
        MicrophoneState::Withheld { why } => StateLine {
            why: Some(why.name().to_owned()),
            ..named("withheld")
        },
    }
}
