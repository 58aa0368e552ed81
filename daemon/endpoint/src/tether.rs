//! Leave that lasts is asked for again while it is used.
//!
//! A request is let in once, and may then listen for hours: longer than its token lasts, and on
//! after an operator took its application's leave back. So what it showed is kept, and the policy
//! is asked again from time to time. A token that its owner renews goes on, and so does a
//! browser's session, which is in use as long as its page is open.

use std::time::Duration;

use earnest_policy::{AppId, Permit, Work};
use earnest_telemetry::Refusal as Reason;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use tokio::time::{Instant, sleep_until};

use crate::admission::standing;
use crate::caller::{Caller, face};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// How often the policy is asked again. Revoking an application ends its listening at once, by
/// itself; this bounds everything else.
const AGAIN: Duration = Duration::from_secs(5);

/// What a request showed when it was let in.
#[derive(Debug)]
pub(crate) struct Tether {
    caller: Caller,
    /// Those alone that leave is given by.
    headers: HeaderMap,
    app: AppId,
    uid: u32,
    due: Instant,
}

impl Tether {
    /// What the request showed that got this permit.
    pub(crate) fn of<S: Work>(parts: &Parts, caller: Caller, permit: &Permit<S>) -> Tether {
        let mut headers = HeaderMap::new();
        for name in [AUTHORIZATION, COOKIE] {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Tether {
            caller,
            headers,
            app: permit.app().clone(),
            uid: permit.uid(),
            due: Instant::now() + AGAIN,
        }
    }

    /// Waits until it is time to ask again. May be dropped and asked again.
    pub(crate) async fn due(&self) {
        sleep_until(self.due).await;
    }

    /// Asks again.
    ///
    /// # Errors
    ///
    /// When the request would not be let in any more. The reason is noted.
    pub(crate) fn check<S: Work>(&mut self, shared: &Shared, bill: &Bill) -> Result<(), Refusal> {
        self.due = Instant::now() + AGAIN;
        let applicant = self.caller.applicant(&self.headers, shared);
        let permit = shared.policy.permit::<S>(&applicant).map_err(|denial| {
            // It was good when it was shown, so whoever shows it guesses nothing.
            bill.because(Reason::Revoked);
            face(&denial)
        })?;
        if *permit.app() != self.app || permit.uid() != self.uid {
            bill.because(Reason::Revoked);
            return Err(Refusal::InsufficientScope);
        }
        standing(shared, &permit).map(drop)
    }
}
