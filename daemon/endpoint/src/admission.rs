//! What stands before a worker, in the order of [the crate's documentation](crate): each step
//! refuses before the next one costs anything.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use earnest_anomaly::{Standing, Subject};
use earnest_policy::{Limited, LimitedBy, Permit, Work};
use earnest_telemetry::{App, Refusal as Reason};
use http::request::Parts;

use crate::allowance::Allowance;
use crate::caller::{because, permit};
use crate::house::Serving;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::work::whole_seconds;

/// Leave to have work done, all of it: the policy's, a place within the application's limits, an
/// open gate, and the entry in the audit log that says so.
#[derive(Debug)]
pub(crate) struct Admitted<S: Work> {
    pub(crate) permit: Permit<S>,
    pub(crate) serving: Serving,
    pub(crate) allowance: Arc<Allowance>,
}

impl<S: Work> FromRequestParts<Arc<Shared>> for Admitted<S> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Admitted<S>, Refusal> {
        let permit = permit::<S>(parts, shared)?;
        let bill = parts.extensions.get::<Bill>().cloned();
        // The front door puts one there for every request.
        let bill = bill.ok_or(Refusal::Unauthenticated)?;
        let begun = bill.let_in(&permit);
        let throttle = standing(shared, &permit)?;
        let slot = shared.usage.take(
            permit.app(),
            permit.uid(),
            permit.limits(),
            throttle,
            shared.now(),
        );
        let slot = slot.map_err(|limited| refusal(parts, limited))?;
        let serving = shared.serving().ok_or(Refusal::DeviceNotProven)?;
        if let Some(begun) = begun {
            shared.write_down(&bill, begun).await?;
        }
        // From here on the time of an answer is the policy's.
        bill.works();
        Ok(Admitted {
            permit,
            serving,
            allowance: Allowance::new(slot, shared.telemetry.clock().clone()),
        })
    }
}

/// The share of its rate that the application is left with.
///
/// # Errors
///
/// When it, or its user, is in quarantine.
fn standing<S: Work>(shared: &Shared, permit: &Permit<S>) -> Result<f32, Refusal> {
    let subjects = [
        Subject::App(App::new(permit.app().as_str())),
        Subject::Uid(permit.uid()),
    ];
    let mut throttle = 1.0_f32;
    for subject in subjects {
        match shared.watch.standing(&subject, shared.now()) {
            Standing::Normal => {}
            Standing::Throttled { factor } => throttle = throttle.min(factor as f32),
            Standing::Quarantined { .. } => return Err(Refusal::Quarantined),
        }
    }
    Ok(throttle)
}

fn refusal(parts: &Parts, limited: Limited) -> Refusal {
    let retry_after = whole_seconds(limited.retry_after);
    match limited.by {
        LimitedBy::Rate => Refusal::RateLimited { retry_after },
        LimitedBy::Budget => Refusal::BudgetSpent { retry_after },
        LimitedBy::AtOnce => {
            because(parts, Reason::TooManyAtOnce);
            Refusal::Busy { retry_after }
        }
        LimitedBy::Crowd => Refusal::Busy { retry_after },
    }
}
