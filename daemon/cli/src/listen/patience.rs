//! Which failures pass by themselves, and how long to wait for that.

use std::time::Duration;

use earnest_endpoint::client::ClientError;

use crate::daemon::DaemonError;

/// The first pause: a daemon that restarts is there again within about a second.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause that nobody asked for. Twelve requests a minute are within any rate.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest pause that the daemon may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// How long to wait before asking again.
#[derive(Debug)]
pub(super) struct Patience {
    next: Duration,
}

impl Patience {
    /// Nothing has failed yet.
    pub(super) fn new() -> Patience {
        Patience { next: FIRST }
    }

    /// The pause after another failure.
    pub(super) fn pause(&mut self, error: &DaemonError) -> Duration {
        let own = self.next;
        self.next = (self.next * 2).min(LONGEST);
        let asked = match error {
            DaemonError::Busy { after } | DaemonError::Limited { after, .. } => *after,
            _ => None,
        };
        own.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

/// Why nothing is heard for now, if it is worth waiting: a sentence's end. `has_heard` is whether
/// the daemon has let this command listen before, so that it is known to be one that runs.
pub(super) fn passes(error: &DaemonError, has_heard: bool) -> Option<&'static str> {
    match error {
        DaemonError::Closed => Some(
            "this device has not proven itself, so nothing is heard; waiting for its gate to open",
        ),
        DaemonError::Busy { .. } => Some("the daemon is busy; waiting for a place"),
        DaemonError::Limited { .. } => Some("more was asked than is granted now; waiting"),
        DaemonError::Absent { .. } if has_heard => Some("the daemon is gone; waiting for it"),
        DaemonError::Failed(ClientError::Refused { status, .. })
            if has_heard && (*status == 200 || *status >= 500) =>
        {
            Some("the daemon has ended this; asking again")
        }
        DaemonError::Failed(
            ClientError::Broken { .. } | ClientError::BrokeOff | ClientError::Late { .. },
        ) if has_heard => Some("the daemon is gone; waiting for it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use earnest_endpoint::ErrorDetail;

    use super::*;

    fn refused(status: u16) -> DaemonError {
        DaemonError::Failed(ClientError::Refused {
            status,
            error: Box::new(ErrorDetail {
                message: "No.".to_owned(),
                kind: "server_error".to_owned(),
                param: None,
                code: None,
                request_id: None,
            }),
            request_id: None,
            retry_after: None,
        })
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut patience = Patience::new();
        let mut pause = |error: DaemonError| patience.pause(&error).as_millis();
        assert_eq!(pause(DaemonError::Closed), 500);
        assert_eq!(pause(DaemonError::Closed), 1_000);
        let asked = |seconds| DaemonError::Busy {
            after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(pause(asked(7)), 7_000);
        assert_eq!(pause(asked(1)), 4_000);
        assert_eq!(pause(asked(1)), 5_000);
        assert_eq!(pause(asked(1_000_000)), 60_000);
    }

    #[test]
    fn what_mends_itself_is_waited_for() {
        let check = |error: DaemonError, at_first: bool, later: bool| {
            assert_eq!(passes(&error, false).is_some(), at_first, "{error}");
            assert_eq!(passes(&error, true).is_some(), later, "{error}");
        };
        let socket = || "/run/s".into();
        check(DaemonError::Closed, true, true);
        check(DaemonError::Busy { after: None }, true, true);
        check(DaemonError::Absent { socket: socket() }, false, true);
        check(DaemonError::Failed(ClientError::BrokeOff), false, true);
        check(refused(200), false, true);
        check(refused(503), false, true);
        check(refused(404), false, false);
        check(DaemonError::Barred { socket: socket() }, false, false);
        check(DaemonError::NotGranted, false, false);
        check(DaemonError::Disabled, false, false);
        check(DaemonError::Quarantined, false, false);
        let malformed = ClientError::Malformed { what: "event" };
        check(DaemonError::Failed(malformed), false, false);
    }
}
