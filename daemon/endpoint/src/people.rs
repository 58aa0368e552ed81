//! `/v1/operators`: the second factor of operators and auditors.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use earnest_policy::{Denial, EnrolError, See, Unsaved as NotSaved};
use earnest_telemetry::{Action, Event, FactorOutcome};
use http::{HeaderMap, StatusCode};

use crate::caller::{Caller, OverUnix, Permitted, deny, face, factor_outcome};
use crate::changes::{Unsaved, act, change};
use crate::json::{json, read_json};
use crate::limits::JSON_BYTES;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{ConfirmRequest, EnrolAnswer};
use crate::shared::Shared;

/// `POST /v1/operators/enrol`: with the code of the earlier factor, where there is one.
pub(crate) async fn enrol(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<See>,
    bill: Bill,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    act(&shared, &bill, permit.uid(), Action::Enrol).await?;
    let applicant = caller.applicant(&headers, &shared);
    let enrolled = shared.policy.enrol(&permit, &applicant);
    // A code that was used, and one that was wrong, count after a crash, too.
    if shared.policy.unsaved() == NotSaved::Changes {
        shared.save().await?;
    }
    let shown = enrolled.map_err(|error| refused(&shared, &bill, permit.uid(), error))?;
    Ok(json(&EnrolAnswer {
        secret: shown.secret().to_owned(),
        uri: shown.uri().to_owned(),
    }))
}

/// `POST /v1/operators/confirm`.
pub(crate) async fn confirm(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<See>,
    bill: Bill,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let ConfirmRequest { code } = read_json(&headers, body, JSON_BYTES).await?;
    let (now, wall, uid) = (shared.now(), shared.wall.now(), permit.uid());
    let confirm = || {
        let confirmed = shared.policy.confirm(&permit, &code, now, wall);
        confirmed.map_err(|error| refused(&shared, &bill, uid, error))
    };
    let _changed = change(&shared, Unsaved::TakenBack, confirm).await?;
    let outcome = FactorOutcome::Enrolled;
    shared.record(Event::SecondFactor { uid, outcome });
    Ok(StatusCode::NO_CONTENT)
}

/// What the person is told, and what is noted of it.
fn refused(shared: &Shared, bill: &Bill, uid: u32, error: EnrolError) -> Refusal {
    match error {
        EnrolError::NotByPeer => Refusal::Unauthenticated,
        EnrolError::Sealed => Refusal::DeviceNotProven,
        EnrolError::NothingPending => Refusal::Conflict {
            param: "code",
            state: "no enrolment was begun",
        },
        EnrolError::Denied(denial) => {
            if let Denial::SecondFactor { why, .. } = &denial {
                let outcome = factor_outcome(why);
                shared.record(Event::SecondFactor { uid, outcome });
            }
            deny(bill, &denial);
            face(&denial)
        }
        EnrolError::Change(error) => error.into(),
        EnrolError::NoRandomNumbers(_) => Refusal::KeysUnavailable,
    }
}
