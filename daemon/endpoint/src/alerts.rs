//! `/v1/alerts`: unusual use, and an operator's word on it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use earnest_anomaly::{Alert, ReleaseError, Subject};
use earnest_policy::{Operate, See};
use earnest_telemetry::{Action, Event};
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;

use crate::caller::{OverUnix, Permitted};
use crate::changes::{act, part};
use crate::json::json;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{AlertEntry, AlertsAnswer};
use crate::shared::{Shared, whom};

/// `GET /v1/alerts`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, _: Permitted<See>) -> Response {
    json(&AlertsAnswer {
        alerts: open(&shared),
    })
}

/// `POST /v1/alerts/{id}/release`.
pub(crate) async fn release(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let id = part(&uri, 2).parse::<u64>();
    let id = id.map_err(|_| Refusal::AlertNotFound)?;
    act(&shared, &bill, permit.uid(), Action::Release).await?;
    let released = shared.watch.release(id, shared.now());
    let alert = released.map_err(|ReleaseError::NoSuchAlert(_)| Refusal::AlertNotFound)?;
    let (app, uid) = whom(&alert.subject);
    let alert = alert.id;
    shared.record(Event::Released { alert, app, uid });
    Ok(StatusCode::NO_CONTENT)
}

/// Alerts that stand, the gravest first.
pub(crate) fn open(shared: &Shared) -> Vec<AlertEntry> {
    let mut alerts = shared.watch.alerts();
    alerts.retain(|alert| alert.ended_milliseconds.is_none());
    alerts.sort_by_key(|alert| (Reverse(alert.level), alert.since_milliseconds));
    let now = u64::try_from(shared.now().as_millis()).unwrap_or(u64::MAX);
    alerts.iter().map(|alert| entry(alert, now)).collect()
}

fn entry(alert: &Alert, now: u64) -> AlertEntry {
    AlertEntry {
        id: alert.id,
        subject: subject(&alert.subject),
        kind: alert.kind.name().to_owned(),
        level: alert.level.name().to_owned(),
        score: alert.score,
        for_seconds: now.saturating_sub(alert.since_milliseconds) / 1_000,
        requests: alert.requests,
        evidence: numbers(&alert.evidence),
    }
}

/// Whom an alert is about, in the words of applications' names.
pub(crate) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::App(app) => app.to_string(),
        Subject::Uid(uid) => format!("uid-{uid}"),
        Subject::Unknown => "unknown".to_owned(),
    }
}

/// All numbers of an object by name; those of an object within it by both names.
fn numbers(object: &impl Serialize) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let object = serde_json::to_value(object).unwrap_or_default();
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Object(within) => {
                let within = within.iter();
                let within = within.filter_map(|(part, value)| Some((part, value.as_f64()?)));
                found.extend(within.map(|(part, value)| (format!("{name}.{part}"), value)));
            }
            value => found.extend(value.as_f64().map(|value| (name.clone(), value))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_told_in_numbers_alone() {
        let object = serde_json::json!({"a": 1, "b": {"c": 2.5, "d": "text"}, "e": "text"});
        let expected = [("a".to_owned(), 1.0), ("b.c".to_owned(), 2.5)];
        assert_eq!(numbers(&object), BTreeMap::from(expected));
    }
}
