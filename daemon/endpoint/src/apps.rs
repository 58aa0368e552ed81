//! `/v1/apps`: registered applications, their limits and their certificates.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use earnest_policy::{
    AppId, AppLimits, AppRecord, AppState, Fingerprint, LimitsError, NewApp, Operate,
    PinnedCertificate, ScopeName, ScopeSet, See,
};
use earnest_telemetry::{Action, App, Event, KeyKind};
use http::{HeaderMap, StatusCode, Uri};

use crate::caller::{OverUnix, Permitted};
use crate::changes::{Unsaved, act, change, part};
use crate::house::CertifyError;
use crate::json::{json, read_json};
use crate::limits::JSON_BYTES;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{
    AppEntry, AppLimitsEntry, AppRequest, AppsAnswer, CertificateAnswer, CertificateEntry,
    CertificateRequest, LimitsWish,
};
use crate::shared::Shared;

/// `GET /v1/apps`.
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Permitted<See>,
) -> Result<Response, Refusal> {
    if !shared.policy.book_loaded() {
        return Err(Refusal::DeviceNotProven);
    }
    let apps = shared.policy.apps();
    Ok(json(&AppsAnswer {
        apps: apps.iter().map(entry).collect(),
    }))
}

/// `POST /v1/apps`.
pub(crate) async fn add(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: AppRequest = read_json(&headers, body, JSON_BYTES).await?;
    let app = new_app(request, shared.policy.limits())?;
    let name = app.name.clone();
    let former = shared.policy.app_record(&name);
    let action = match former.is_some_and(|former| former.is_active()) {
        true => Action::ChangeApp,
        false => Action::AddApp,
    };
    act(&shared, &bill, permit.uid(), action).await?;
    let wall = shared.wall.now();
    let register = || shared.policy.register(&permit, app, wall);
    let registered = change(&shared, Unsaved::TakenBack, register).await?;
    let app = App::new(name.as_str());
    shared.record(match registered.added {
        true => Event::AppAdded { app },
        false => Event::AppChanged { app },
    });
    let record = shared.policy.app_record(&name);
    Ok(json(&entry(&record.ok_or(Refusal::DeviceNotProven)?)))
}

/// `DELETE /v1/apps/{name}`.
pub(crate) async fn revoke(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let name: AppId = part(&uri, 2).parse().map_err(|_| Refusal::AppNotFound)?;
    act(&shared, &bill, permit.uid(), Action::RevokeApp).await?;
    let now = shared.now();
    let revoke = || shared.policy.revoke_app(&permit, &name, now);
    let revoked = change(&shared, Unsaved::Stays, revoke).await?;
    // Who listens does so for as long as it likes; not so whoever may no longer.
    if let Some(live) = &shared.live {
        live.end_of(&name).await;
    }
    let app = App::new(name.as_str());
    shared.record(Event::AppRevoked { app });
    if let Ok(count @ 1..) = u32::try_from(revoked.tokens) {
        shared.record(Event::TokensRevoked { count });
    }
    outdate(&shared).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes the state under another key, and has the one before destroyed: a copy of the disk from
/// before a revocation brings nothing back. The revocation itself stands in any case.
async fn outdate(shared: &Shared) {
    if let Err(error) = shared.house.rotate(vec![KeyKind::State], false).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "earlier copies of the state can still be opened");
    }
}

/// `POST /v1/apps/{name}/certificates`.
pub(crate) async fn certify(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let name: AppId = part(&uri, 2).parse().map_err(|_| Refusal::AppNotFound)?;
    let CertificateRequest { request } = read_json(&headers, body, JSON_BYTES).await?;
    let record = shared.policy.app_record(&name);
    if !record.ok_or(Refusal::AppNotFound)?.is_active() {
        return Err(Refusal::Conflict {
            param: "name",
            state: "the application is revoked",
        });
    }
    act(&shared, &bill, permit.uid(), Action::CertifyApp).await?;
    let certified = shared.house.certify(request, name.clone()).await;
    let certified = certified.map_err(|error| not_certified(&error))?;
    let pinned = PinnedCertificate {
        fingerprint: Fingerprint(certified.fingerprint),
        not_after: certified.not_after,
    };
    let wall = shared.wall.now();
    let pin = || shared.policy.certify(&permit, &name, pinned, wall);
    let _changed = change(&shared, Unsaved::TakenBack, pin).await?;
    let app = App::new(name.as_str());
    shared.record(Event::CertificateIssued { app });
    Ok(json(&CertificateAnswer {
        certificate: certified.certificate,
        authority: certified.authority,
        fingerprint: hexadecimal(&certified.fingerprint),
        not_after: certified.not_after,
    }))
}

fn not_certified(error: &CertifyError) -> Refusal {
    match error {
        CertifyError::Request(_) => Refusal::Invalid {
            param: "request",
            expected: "a certificate signing request in PEM, of a P-256 or Ed25519 key",
        },
        CertifyError::Unavailable(_) => {
            tracing::warn!(error = error as &dyn std::error::Error, "not certified");
            Refusal::KeysUnavailable
        }
    }
}

fn new_app(request: AppRequest, defaults: AppLimits) -> Result<NewApp, Refusal> {
    let commands = request.commands.map(|name| {
        name.parse().map_err(|_| Refusal::Invalid {
            param: "commands",
            expected: "the name of a list that is enrolled",
        })
    });
    Ok(NewApp {
        name: request.name.parse().map_err(|_| Refusal::Invalid {
            param: "name",
            expected: "1 to 64 of a-z, 0-9, '.', '_' and '-'",
        })?,
        uids: request.uids,
        scopes: scopes(&request.scopes)?,
        limits: limits(request.limits, defaults)?,
        commands: commands.transpose()?,
        audience: None,
    })
}

/// The scopes of these names.
///
/// # Errors
///
/// When one is no scope of applications.
pub(crate) fn scopes(names: &[String]) -> Result<ScopeSet, Refusal> {
    let scope = |name: &String| {
        let scope: Option<ScopeName> = name.parse().ok();
        let scope = scope.filter(|scope| scope.is_work());
        scope.ok_or(Refusal::Invalid {
            param: "scopes",
            expected: "some of 'vad', 'command', 'transcribe' and 'listen'",
        })
    };
    names.iter().map(scope).collect()
}

fn limits(wish: LimitsWish, defaults: AppLimits) -> Result<AppLimits, Refusal> {
    let apply = |limits: AppLimits| {
        let LimitsWish {
            per_minute,
            burst,
            daily_sound_minutes,
            at_once,
        } = wish;
        limits
            .with_per_minute(per_minute.unwrap_or(limits.per_minute()))?
            .with_burst(burst.unwrap_or(limits.burst()))?
            .with_daily_sound_minutes(daily_sound_minutes.unwrap_or(limits.daily_sound_minutes()))?
            .with_at_once(at_once.unwrap_or(limits.at_once()))
    };
    apply(defaults).map_err(|error: LimitsError| Refusal::Invalid {
        param: error.limit,
        expected: "within the bounds that the documentation has",
    })
}

/// An application as it is told.
pub(crate) fn entry(record: &AppRecord) -> AppEntry {
    let certificates = record.certificates.iter();
    AppEntry {
        name: record.name.to_string(),
        uids: record.uids.clone(),
        scopes: record
            .scopes
            .iter()
            .map(|scope| scope.to_string())
            .collect(),
        limits: AppLimitsEntry {
            per_minute: record.limits.per_minute(),
            burst: record.limits.burst(),
            daily_sound_minutes: record.limits.daily_sound_minutes(),
            at_once: record.limits.at_once(),
        },
        commands: record.commands.as_ref().map(ToString::to_string),
        certificates: certificates
            .map(|pinned| CertificateEntry {
                fingerprint: hexadecimal(&pinned.fingerprint.0),
                not_after: pinned.not_after,
            })
            .collect(),
        state: match record.state {
            AppState::Active => "active",
            AppState::Revoked => "revoked",
        }
        .to_owned(),
        created: record.created,
        last_used: record.last_used(),
    }
}

/// Bytes as people compare them.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_of_limits_is_the_default() {
        let wish = LimitsWish {
            burst: Some(5),
            ..LimitsWish::default()
        };
        let found = limits(wish, AppLimits::default()).expect("within bounds");
        assert_eq!((found.burst(), found.per_minute()), (5, 120));
        let wish = LimitsWish {
            at_once: Some(100),
            ..LimitsWish::default()
        };
        let refusal = limits(wish, AppLimits::default()).expect_err("too many");
        assert_eq!(refusal.code(), "invalid_value");
    }

    #[test]
    fn applications_have_scopes_of_applications_alone() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            scopes(&names).map(|set| set.to_string())
        };
        assert_eq!(of(&["transcribe", "vad"]), Ok("vad transcribe".to_owned()));
        assert!(of(&["operate"]).is_err() && of(&["all"]).is_err());
    }
}
