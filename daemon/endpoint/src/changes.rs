//! What operators change: written down first, then changed, then saved, then acknowledged.

use earnest_policy::{ChangeError, RecordError};
use earnest_telemetry::{Action, Event};
use http::Uri;

use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Writes down that a person acts. Nothing is done before that.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) async fn act(
    shared: &Shared,
    bill: &Bill,
    uid: u32,
    action: Action,
) -> Result<(), Refusal> {
    let event = Event::OperatorAction { uid, action };
    shared.write_down(bill, event).await
}

/// What becomes of a change that cannot be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsaved {
    /// It gives somebody something, and is taken back: nobody may have what no disk knows of.
    TakenBack,
    /// It takes something away, and stays: who is to be kept out is not let in again.
    Stays,
}

/// Makes a change of the book, and has it saved.
///
/// # Errors
///
/// When it is not made, or not saved.
pub(crate) async fn change<T, E: Into<Refusal>>(
    shared: &Shared,
    unsaved: Unsaved,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<T, Refusal> {
    let _changing = shared.changing.lock().await;
    let before = shared.policy.book();
    let made = make().map_err(Into::into)?;
    match (shared.save().await, before) {
        (Ok(()), _) => Ok(made),
        (Err(refusal), Some(before)) if unsaved == Unsaved::TakenBack => {
            shared.policy.restore(before);
            Err(refusal)
        }
        (Err(refusal), _) => Err(refusal),
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Refusal {
        let conflict = |param, state| Refusal::Conflict { param, state };
        match error {
            ChangeError::Sealed => Refusal::DeviceNotProven,
            ChangeError::UnknownApp { .. } => Refusal::AppNotFound,
            ChangeError::Revoked { .. } => conflict("name", "the application is revoked"),
            ChangeError::Active { .. } => conflict("name", "the application is active"),
            ChangeError::TooMany { .. } => conflict("name", "there are as many as there may be"),
            ChangeError::UnknownList { .. } => Refusal::CommandListNotFound,
            ChangeError::ListInUse { .. } => conflict("name", "an application is held to the list"),
            ChangeError::Record(error) => record(&error),
        }
    }
}

fn record(error: &RecordError) -> Refusal {
    let (param, expected) = match error {
        RecordError::ReservedName { .. } => ("name", "one that does not begin with 'uid-'"),
        RecordError::Count { .. } | RecordError::UidOrder { .. } => ("uids", "1 to 16 users"),
        RecordError::Scopes { .. } | RecordError::Use { .. } => (
            "scopes",
            "at least one of 'vad', 'command', 'transcribe' and 'listen'",
        ),
        RecordError::UnknownList { .. } => ("commands", "the name of a list that is enrolled"),
        RecordError::CertificateTaken { .. } => {
            let state = "the certificate is pinned already";
            let param = "request";
            return Refusal::Conflict { param, state };
        }
    };
    Refusal::Invalid { param, expected }
}

/// The part of the path with this number, from zero. No name has a character that a path would
/// have to escape, so one that has is no name.
pub(crate) fn part(uri: &Uri, number: usize) -> &str {
    let mut parts = uri.path().trim_start_matches('/').split('/');
    parts.nth(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_is_what_stands_there() {
        let uri = Uri::from_static("/v1/apps/notes/certificates?a=/b");
        assert_eq!(part(&uri, 2), "notes");
        assert_eq!(part(&uri, 3), "certificates");
        assert_eq!(part(&uri, 4), "");
    }
}
