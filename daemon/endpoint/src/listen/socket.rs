//! Events over a websocket (RFC 6455), one text message each.
//!
//! Nothing is taken from its other end but pings, pongs and its farewell. Whoever does not answer
//! a ping is taken for gone, and whoever does not read is ended as behind.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use earnest_policy::Work;
use http::HeaderMap;
use http::header::UPGRADE;
use http::request::Parts;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::attendance::{Attendance, Farewell};
use crate::answer::encode;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// How often the other end is asked whether it is there.
pub(crate) const PING: Duration = Duration::from_secs(20);

/// Pings that may go unanswered.
pub(crate) const UNANSWERED: u32 = 2;

/// How long the other end may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Most bytes of a message of the other end: there is none that would be taken.
const MESSAGE_BYTES: usize = 4 << 10;

/// Whether the request is for a websocket.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    let mut protocols = upgrade.unwrap_or_default().split(',');
    protocols.any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// The handshake of a request that wants one.
///
/// # Errors
///
/// When it is none.
pub(crate) async fn handshake(
    parts: &mut Parts,
    shared: &Arc<Shared>,
) -> Result<WebSocketUpgrade, Refusal> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, shared).await;
    let upgrade = upgrade.map_err(|_| Refusal::Invalid {
        param: "Upgrade",
        expected: "a websocket's handshake of version 13",
    })?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES);
    Ok(upgrade.max_frame_size(MESSAGE_BYTES))
}

/// The answer of somebody who listens.
pub(crate) fn answer<S: Work + 'static>(
    attendance: Attendance<S>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| tell(socket, attendance))
}

async fn tell<S: Work>(mut socket: WebSocket, mut attendance: Attendance<S>) {
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is due at once.
    pings.tick().await;
    let mut unanswered = 0;
    loop {
        let message = tokio::select! {
            event = attendance.next() => match event {
                Some(event) => Message::text(encode(&event)),
                None => break,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    unanswered = 0;
                    continue;
                }
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    close(&mut socket, close_code::UNSUPPORTED).await;
                    return;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = pings.tick() => {
                unanswered += 1;
                if unanswered > UNANSWERED {
                    return;
                }
                Message::Ping(Default::default())
            }
        };
        // Writing waits for as long as a connection may, and then the connection is given up.
        if socket.send(message).await.is_err() {
            return;
        }
    }
    match attendance.farewell() {
        None | Some(Farewell::Cut) => {}
        Some(Farewell::Draining) => close(&mut socket, close_code::AWAY).await,
        Some(Farewell::Refused(refusal)) => {
            let code = match refusal.is_of_identity() {
                true => close_code::POLICY,
                false => close_code::AGAIN,
            };
            close(&mut socket, code).await;
        }
    }
}

/// Says farewell, and waits a moment for the other end's, so that what was said before arrives.
pub(crate) async fn close(socket: &mut WebSocket, code: u16) {
    let reason = Default::default();
    let farewell = Message::Close(Some(CloseFrame { code, reason }));
    if socket.send(farewell).await.is_ok() {
        let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = timeout(FAREWELL, rest).await;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_websocket_is_wanted_by_its_name() {
        let check = |value: Option<&'static str>, expected: bool| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(UPGRADE, HeaderValue::from_static(value));
            }
            assert_eq!(is_wanted(&headers), expected, "{value:?}");
        };
        check(Some("websocket"), true);
        check(Some("h2c, WebSocket"), true);
        check(Some("h2c"), false);
        check(None, false);
    }
}
