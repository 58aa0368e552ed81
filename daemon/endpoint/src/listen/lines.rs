//! Events in the body of an answer: server-sent (HTML Living Standard, section 9.2) or one JSON
//! object a line.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use earnest_policy::Work;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use tokio::time::sleep;

use super::attendance::Attendance;
use crate::answer::encode;
use crate::drive::drive;
use crate::shapes::ListenEvent;

/// How long nothing is told before a sign of life is: half of what programs between a client and
/// a server commonly wait for.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// As server-sent events.
    Events,
    /// As lines.
    Lines,
}

impl Writing {
    /// What the request takes: server-sent events, unless it names lines.
    pub(crate) fn wanted(headers: &HeaderMap) -> Writing {
        let is_lines = |range: &str| {
            let essence = range.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/x-ndjson")
        };
        let mut accepted = headers.get_all(ACCEPT).iter();
        let lines = accepted.any(|value| {
            let ranges = value.to_str().unwrap_or_default().split(',');
            ranges.into_iter().any(is_lines)
        });
        match lines {
            true => Writing::Lines,
            false => Writing::Events,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Writing::Events => "text/event-stream",
            Writing::Lines => "application/x-ndjson",
        })
    }

    /// What stands before the first event: how many milliseconds to wait before coming again.
    fn opening(self) -> Option<&'static str> {
        match self {
            Writing::Events => Some("retry: 2000\n\n"),
            Writing::Lines => None,
        }
    }

    /// What says nothing.
    fn sign_of_life(self) -> &'static str {
        match self {
            Writing::Events => ":\n\n",
            Writing::Lines => "\n",
        }
    }

    fn event(self, event: &ListenEvent) -> String {
        // JSON on one line has no line's end in it.
        let object = encode(event);
        match self {
            Writing::Events => format!("event: {}\ndata: {object}\n\n", event.name()),
            Writing::Lines => format!("{object}\n"),
        }
    }
}

/// The answer of somebody who listens. Padding does not apply to it.
pub(crate) fn answer<S: Work + 'static>(
    mut attendance: Attendance<S>,
    writing: Writing,
) -> Response {
    let body: Body = drive(None, move |pieces| async move {
        if let Some(opening) = writing.opening() {
            pieces.send(opening).await;
        }
        loop {
            let piece = tokio::select! {
                event = attendance.next() => match event {
                    Some(event) => writing.event(&event),
                    None => break,
                },
                () = sleep(KEEP_ALIVE) => writing.sign_of_life().to_owned(),
            };
            pieces.send(piece).await;
        }
    });
    ([(CONTENT_TYPE, writing.content_type())], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_for_those_who_name_them() {
        let wanted = |accept: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            Writing::wanted(&headers)
        };
        for lines in [
            &["application/x-ndjson"][..],
            &["text/html, Application/X-NDJSON;q=0.5"],
            &["*/*", "application/x-ndjson"],
        ] {
            assert_eq!(wanted(lines), Writing::Lines, "{lines:?}");
        }
        for events in [
            &[][..],
            &["*/*"],
            &["text/event-stream"],
            &["application/json"],
        ] {
            assert_eq!(wanted(events), Writing::Events, "{events:?}");
        }
    }

    #[test]
    fn an_event_is_named_and_on_one_line() {
        let event = ListenEvent::DeviceBack {
            device: "a\nb".to_owned(),
        };
        let object = r#"{"type":"device_back","device":"a\nb"}"#;
        assert_eq!(Writing::Lines.event(&event), format!("{object}\n"));
        let expected = format!("event: device_back\ndata: {object}\n\n");
        assert_eq!(Writing::Events.event(&event), expected);
    }
}
