//! `GET /v1/listen` and `GET /v1/listen/commands`: what the microphone hears, as it is said.
//!
//! Both tell the same events ([`ListenEvent`](crate::shapes::ListenEvent)) in the body of the
//! answer, server-sent or as lines, or over a websocket; which of them is the request's choice.
//! Whoever has the `command` scope alone hears of the phrases of its list and of the microphone's
//! state, and of nothing else.
//!
//! Listening goes through admission as work does, and takes one of the application's places. It
//! ends with an `error` event when the gate closes, when leave is taken back or runs out, and when
//! the reader falls behind; and without one when the daemon ends.

mod attendance;
mod lines;
pub(crate) mod socket;
mod telling;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use earnest_live::{Commands, Text, Wish};
use earnest_policy::{Command, Listen};
use http::Method;
use http::Uri;
use percent_encoding::percent_decode_str;

use crate::admission::Attending;
use crate::auditing::parameter;
use crate::line::Line;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

pub(crate) use attendance::{Attendance, Farewell};
pub(crate) use telling::level_line;

/// `GET /v1/listen`.
pub(crate) async fn listen(
    State(shared): State<Arc<Shared>>,
    attending: Attending<Listen>,
    bill: Bill,
    line: Line,
    request: Request,
) -> Result<Response, Refusal> {
    let wake = wake(request.uri())?;
    answer(&shared, attending, &bill, line, request, Text { wake }).await
}

/// `GET /v1/listen/commands`.
pub(crate) async fn commands(
    State(shared): State<Arc<Shared>>,
    attending: Attending<Command>,
    bill: Bill,
    line: Line,
    request: Request,
) -> Result<Response, Refusal> {
    // It is an operator's matter which list an application is held to, and the caller has no say.
    let list = shared.policy.commands_of(&attending.admitted.permit);
    let list = list.ok_or(Refusal::Conflict {
        param: "commands",
        state: "no command list is enrolled for this application",
    })?;
    answer(&shared, attending, &bill, line, request, Commands(list)).await
}

async fn answer<W: Wish>(
    shared: &Arc<Shared>,
    attending: Attending<W::Scope>,
    bill: &Bill,
    line: Line,
    request: Request,
    wish: W,
) -> Result<Response, Refusal>
where
    W::Scope: 'static,
{
    // Who asks for a head alone wants no microphone opened.
    if request.method() == Method::HEAD {
        return Err(Refusal::MethodNotAllowed);
    }
    let (mut head, _) = request.into_parts();
    let upgrade = match socket::is_wanted(&head.headers) {
        true => Some(socket::handshake(&mut head, shared).await?),
        false => None,
    };
    let attendance = Attendance::begin(shared, attending, bill, line, wish).await?;
    Ok(match upgrade {
        Some(upgrade) => socket::answer(attendance, upgrade),
        None => lines::answer(attendance, lines::Writing::wanted(&head.headers)),
    })
}

/// The wake phrase of the query, where there is one.
pub(crate) fn wake(uri: &Uri) -> Result<Option<String>, Refusal> {
    let decode = |value: &str| {
        // Forms write a space so.
        let value = value.replace('+', " ");
        let phrase = percent_decode_str(&value).decode_utf8();
        phrase.map(String::from).map_err(|_| Refusal::Invalid {
            param: "wake",
            expected: "text in UTF-8",
        })
    };
    parameter(uri, "wake").map(decode).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_phrase_is_read_as_links_and_forms_write_it() {
        let check = |uri: &'static str, expected: Option<&str>| {
            let found = wake(&Uri::from_static(uri)).expect("UTF-8");
            assert_eq!(found.as_deref(), expected, "{uri}");
        };
        check("/v1/listen", None);
        check("/v1/listen?wake=hey%20earnest%21", Some("hey earnest!"));
        check("/v1/listen?a=b&wake=hey+earnest", Some("hey earnest"));
        check("/v1/listen?wake=s%C3%B6hne", Some("söhne"));
        check("/v1/listen?wake=", Some(""));
        let broken = wake(&Uri::from_static("/v1/listen?wake=%ff"));
        assert_eq!(broken.expect_err("no UTF-8").code(), "invalid_value");
    }
}
