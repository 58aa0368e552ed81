//! The way in for a browser, and the status page that it sees.
//!
//! A link opens a session once, over TLS and for the user that it was given to. The session is a
//! cookie that no script reads and no other site sends, and lets its holder see and nothing else;
//! or listen as the application that asked for the link, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use earnest_policy::{Browse, Listen, Purpose, See, SessionError};
use earnest_telemetry::{Action, Event, Refusal as Reason, Scope, SessionPart};
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use hyper::body::Body as HttpBody;

use crate::auditing::parameter;
use crate::caller::{Caller, OverClosed, OverTls, OverUnix, Permitted, SESSION_COOKIE};
use crate::changes::act;
use crate::json::{json, read_json};
use crate::limits::JSON_BYTES;
use crate::microphone::report;
use crate::page::{
    self, AlertState, AppState, AuditState, EventState, LoadState, PAGE_POLICY, PageState, STYLE,
    SelfTestState,
};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{LinkAnswer, LinkPurpose, LinkRequest};
use crate::shared::Shared;
use crate::work::whole_seconds;

/// Seconds after which to ask for a link again when there are too many: they last a minute.
const LINKS_RETRY_SECONDS: u64 = 60;

/// `POST /v1/browser-links`.
pub(crate) async fn link(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    bill: Bill,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut head, body) = request.into_parts();
    // The kernel says who this is, and what is asked for says which leave it takes.
    let purpose = purpose(&head.headers, body).await?;
    let now = shared.now();
    let link = match purpose {
        LinkPurpose::Status => {
            let leave = Permitted::<Browse>::from_request_parts(&mut head, &shared);
            let Permitted(permit) = leave.await?;
            place(&shared)?;
            act(&shared, &bill, permit.uid(), Action::LinkBrowser).await?;
            shared.policy.link(&permit, now)
        }
        LinkPurpose::Captions => {
            let leave = Permitted::<Listen>::from_request_parts(&mut head, &shared);
            let Permitted(permit) = leave.await?;
            shared.policy.captions_link(&permit, now)
        }
    };
    let link = link.map_err(too_many)?;
    Ok(json(&LinkAnswer {
        url: format!("{}/open?code={}", place(&shared)?, link.code.expose()),
        expires_in: link.until.saturating_sub(now).as_secs(),
    }))
}

/// What the link is for. A request without a body is for the status.
async fn purpose(headers: &HeaderMap, body: Body) -> Result<LinkPurpose, Refusal> {
    if HttpBody::is_end_stream(&body) && !headers.contains_key(CONTENT_TYPE) {
        return Ok(LinkPurpose::Status);
    }
    let LinkRequest { purpose } = read_json(headers, body, JSON_BYTES).await?;
    Ok(purpose)
}

/// Where a browser finds the daemon.
fn place(shared: &Shared) -> Result<&str, Refusal> {
    let mut places = shared.listeners.iter();
    let place = places.find(|place| place.starts_with("https://"));
    place.map(String::as_str).ok_or(Refusal::Conflict {
        param: "listen",
        state: "the daemon listens on no address with TLS",
    })
}

fn too_many(error: SessionError) -> Refusal {
    tracing::debug!(%error, "no link");
    Refusal::Busy {
        retry_after: LINKS_RETRY_SECONDS,
    }
}

/// `GET /open?code=…`.
pub(crate) async fn open(
    _: OverTls,
    State(shared): State<Arc<Shared>>,
    bill: Bill,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Refusal> {
    shared.listens_to(caller.source()).map_err(|locked| {
        bill.because(Reason::Locked);
        Refusal::RateLimited {
            retry_after: whole_seconds(locked.retry_after),
        }
    })?;
    let code = parameter(&uri, "code").unwrap_or_default();
    let opened = shared.policy.open_link(code, caller.origin, shared.now());
    let session = opened.map_err(|error| {
        tracing::debug!(%error, "a link was not opened");
        bill.because(Reason::BadSession);
        Refusal::Unauthenticated
    })?;
    if let Some(uid) = caller.uid() {
        let part = SessionPart::Begun;
        shared.record(Event::BrowserSession { uid, part });
    }
    // No `Max-Age`: it ends with the browser, and here when it ends.
    let cookie = format!(
        "{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict",
        session.cookie.expose()
    );
    let mut headers = HeaderMap::new();
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Refusal::WorkerFailed)?;
    headers.insert(SET_COOKIE, cookie);
    let page = match session.purpose {
        Purpose::Seeing => "/",
        Purpose::Captions { .. } => "/captions",
    };
    headers.insert(LOCATION, HeaderValue::from_static(page));
    // The address has a code in it, though one that is used up.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// `GET /`.
pub(crate) async fn page(
    _: OverClosed,
    State(shared): State<Arc<Shared>>,
    _: Permitted<See>,
) -> Response {
    let mut headers = HeaderMap::new();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "text/html; charset=utf-8");
    set(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    set(REFERRER_POLICY, "no-referrer");
    set(X_FRAME_OPTIONS, "DENY");
    (headers, page::render(&state(&shared))).into_response()
}

/// `GET /status.css`.
pub(crate) async fn style(_: OverClosed, _: Permitted<See>) -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(CONTENT_TYPE, kind)], STYLE).into_response()
}

fn state(shared: &Shared) -> PageState {
    let (now, wall) = (shared.now(), shared.wall.now());
    let proof = shared.house.proof();
    let audit = shared.audit.status();
    let self_test = proof.self_test_ago.zip(proof.self_test_passed);
    let workers = shared.house.serving().map(|serving| serving.pool.status());
    let review = shared.policy.review(wall);
    PageState {
        device: proof.device,
        version: shared.version.clone(),
        model: shared.model.id.clone(),
        uptime: now.saturating_sub(shared.started),
        wall,
        gate: shared.house.gate(),
        trouble: shared.house.trouble(),
        software_tpm: proof.software_tpm,
        self_test: self_test.map(|(ago, passed)| SelfTestState { ago, passed }),
        sandbox: shared.house.sandbox(),
        audit: AuditState {
            writable: audit.available,
            entries: audit.head.sequence,
            lost: audit.lost,
            anchored_ago: proof.anchored_ago,
        },
        alerts: alerts(shared, now),
        hour: shared.hour.minutes(now),
        load: workers.map(|status| LoadState {
            working: status.working,
            most: status.most,
            waiting: status.waiting.iter().sum(),
            processes: status.processes,
            failures: status.failures,
        }),
        microphone: shared.live.as_ref().map(|live| report(&live.status(), now)),
        apps: apps(shared, now, wall),
        findings: review.findings.len(),
        events: events(shared, now),
    }
}

fn alerts(shared: &Shared, now: Duration) -> Vec<AlertState> {
    let mut alerts = shared.watch.alerts();
    alerts.retain(|alert| alert.ended_milliseconds.is_none());
    let state = |alert: &earnest_anomaly::Alert| AlertState {
        id: alert.id,
        subject: crate::alerts::subject(&alert.subject),
        kind: alert.kind,
        level: alert.level,
        since: now.saturating_sub(Duration::from_millis(alert.since_milliseconds)),
        requests: alert.requests,
    };
    alerts.iter().map(state).collect()
}

/// Registered applications, and users whose programs may ask without.
fn apps(shared: &Shared, now: Duration, wall: Duration) -> Vec<AppState> {
    use earnest_policy::Who;
    let standings = shared.usage.standings(now);
    let share = |name: &str| {
        let mut of_name = standings.iter().filter(|standing| match &standing.who {
            Who::App(app) => app.as_str() == name,
            Who::User(uid) => name == format!("uid-{uid}"),
        });
        // Who has not asked yet has used nothing.
        let Some(standing) = of_name.next() else {
            return Some(0.0);
        };
        let day = standing.daily_sound.as_secs_f64();
        (day > 0.0).then(|| (standing.heard.as_secs_f64() / day).min(1.0))
    };
    let apps = shared.policy.apps();
    let registered = apps.iter().map(|record| AppState {
        name: record.name.to_string(),
        scopes: record
            .scopes
            .iter()
            .filter_map(|scope| Scope::named(scope.as_str()))
            .collect(),
        last_used: record
            .last_used()
            .map(|used| wall.saturating_sub(Duration::from_secs(used))),
        budget_used: share(record.name.as_str()),
        revoked: !record.is_active(),
    });
    let named = |uid: &u32| apps.iter().any(|record| record.uids.contains(uid));
    let blanket = shared.policy.allowed().apps.iter();
    let blanket = blanket.filter(|uid| !named(uid)).map(|uid| AppState {
        name: format!("uid-{uid}"),
        scopes: vec![Scope::Vad, Scope::Transcribe],
        last_used: None,
        budget_used: share(&format!("uid-{uid}")),
        revoked: false,
    });
    registered.chain(blanket).collect()
}

fn events(shared: &Shared, now: Duration) -> Vec<EventState> {
    let recent = shared.telemetry.recent();
    let state = |recorded: &earnest_telemetry::Recorded| EventState {
        ago: now.saturating_sub(Duration::from_millis(recorded.at_milliseconds)),
        text: recorded.event.to_string(),
    };
    recent.iter().rev().map(state).collect()
}
