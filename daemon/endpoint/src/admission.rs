//! What stands before a worker, in the order of [the crate's documentation](crate): each step
//! refuses before the next one costs anything.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use earnest_anomaly::{Standing, Subject};
use earnest_policy::{AppLimits, Limited, LimitedBy, Permit, Scope, Work};
use earnest_telemetry::{App, Refusal as Reason};
use http::request::Parts;

use crate::allowance::Allowance;
use crate::caller::{Caller, because, permit};
use crate::house::Serving;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::tether::Tether;
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
        let admitted = admit(parts, shared).await?;
        // From here on the time of an answer is the policy's.
        if let Some(bill) = parts.extensions.get::<Bill>() {
            bill.works();
        }
        Ok(admitted)
    }
}

/// Admits whoever is to hear the microphone, which is no work in itself: its sound is nobody's
/// choice, so it is charged to no day's sound, tells no detector of the unusual how long somebody
/// listened, and its words are told when they are said and not at the end of a quantum.
///
/// # Errors
///
/// With what the caller may be told.
pub(crate) async fn admit<S: Work>(
    parts: &Parts,
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
    Ok(Admitted {
        permit,
        serving,
        allowance: Allowance::new(slot, shared.telemetry.clock().clone()),
    })
}

/// [`admit`]ted to hear the microphone, with what it takes to ask again whether that still holds.
#[derive(Debug)]
pub(crate) struct Attending<S: Work> {
    pub(crate) admitted: Admitted<S>,
    pub(crate) tether: Tether,
}

impl<S: Work> FromRequestParts<Arc<Shared>> for Attending<S> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Attending<S>, Refusal> {
        let admitted = admit::<S>(parts, shared).await?;
        let caller = Caller::from_request_parts(parts, shared).await?;
        let tether = Tether::of(parts, caller, &admitted.permit);
        Ok(Attending { admitted, tether })
    }
}

/// How many requests that cost no work an application may make for each that does: it looks
/// models up and renews tokens, and every request takes a line or two in the audit log, which
/// nobody is to fill.
const LIGHT: u32 = 5;

/// Lets an application make a request that costs no work. Those are counted apart, so that a
/// token is renewed however much its application has at work.
///
/// # Errors
///
/// When there were too many of them.
pub(crate) fn lightly<S: Scope>(shared: &Shared, permit: &Permit<S>) -> Result<(), Refusal> {
    let limits = permit.limits();
    let most = |limit: u32, range: RangeInclusive<u32>| {
        let limit = limit.saturating_mul(LIGHT);
        limit.clamp(*range.start(), *range.end())
    };
    let of_app = limits
        .with_per_minute(most(limits.per_minute(), AppLimits::PER_MINUTE))
        .and_then(|limits| limits.with_burst(most(limits.burst(), AppLimits::BURST)))
        .and_then(|limits| limits.with_at_once(*AppLimits::AT_ONCE.end()));
    // They are within their ranges.
    let of_app = of_app.unwrap_or(*limits);
    let taken = shared
        .light
        .take(permit.app(), permit.uid(), &of_app, 1.0, shared.now());
    match taken {
        Ok(_) => Ok(()),
        Err(limited) => Err(Refusal::RateLimited {
            retry_after: whole_seconds(limited.retry_after),
        }),
    }
}

/// The share of its rate that the application is left with.
///
/// # Errors
///
/// When it, or its user, is in quarantine.
pub(crate) fn standing<S: Work>(shared: &Shared, permit: &Permit<S>) -> Result<f32, Refusal> {
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
