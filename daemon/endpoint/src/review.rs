//! `GET /v1/access-review`: who may do what, when it was last used, and what to revoke.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use earnest_policy::{See, Subject};
use earnest_telemetry::Action;

use crate::caller::Permitted;
use crate::changes::act;
use crate::json::json;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{FindingEntry, ReviewAnswer, RightEntry, ScopeUse};
use crate::shared::Shared;

/// The handler.
pub(crate) async fn review(
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<See>,
    bill: Bill,
) -> Result<Response, Refusal> {
    act(&shared, &bill, permit.uid(), Action::ReviewAccess).await?;
    let review = shared.policy.review(shared.wall.now());
    let rights = review.rights.iter().map(|right| RightEntry {
        who: name(&right.who),
        kind: right.who.kind().to_owned(),
        uids: right.uids.clone(),
        scopes: right
            .scopes
            .iter()
            .map(|(scope, last_used)| ScopeUse {
                scope: scope.to_string(),
                last_used: *last_used,
            })
            .collect(),
        second_factor: right.second_factor,
    });
    let findings = review.findings.iter().map(|finding| FindingEntry {
        who: name(&finding.who),
        kind: finding.who.kind().to_owned(),
        reason: finding.reason.code().to_owned(),
        text: finding.reason.to_string(),
        revoke: finding.reason.is_to_revoke(),
    });
    Ok(json(&ReviewAnswer {
        at: review.at,
        sealed: review.sealed,
        rights: rights.collect(),
        findings: findings.collect(),
    }))
}

/// Whose right it is, in the words of applications' names.
pub(crate) fn name(subject: &Subject) -> String {
    match subject {
        Subject::App(app) => app.to_string(),
        Subject::User(uid)
        | Subject::Operator(uid)
        | Subject::Auditor(uid)
        | Subject::Former(uid) => format!("uid-{uid}"),
    }
}
