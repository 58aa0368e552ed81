//! Whoever holds as many connections as one user may is told so, early and at little cost.
//!
//! The answer is written without a look at what was asked. With TLS that takes a handshake, so a
//! few at a time are told, and the rest is closed without a word.

use std::time::Duration;

use earnest_listen::Identified;
use earnest_telemetry::{Event, Refusal as Reason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, sink};
use tokio::time::timeout;

use crate::caller::way;
use crate::record::request_id;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::wyoming;

/// Longest time that telling one may take, handshake included.
const TELLING: Duration = Duration::from_secs(1);

/// Longest time that what it sent meanwhile is read, so that it sees the answer.
const LEAVING: Duration = Duration::from_millis(250);

/// Most bytes of that.
const LEAVING_BYTES: u64 = 64 << 10;

/// Tells a client that its user holds too many connections, and closes this one.
pub(crate) async fn turn_away(identified: Identified, shared: &Shared) {
    let Ok(_place) = shared.turning_away.try_acquire() else {
        return;
    };
    shared.record(Event::Refused {
        app: None,
        uid: identified.peer().uid(),
        scope: None,
        door: way(identified.place()),
        reason: Reason::TooManyConnections,
    });
    let id = request_id(shared.next_request());
    if identified.place().is_wyoming() {
        let telling = async {
            // There is no handshake.
            if let Ok(connection) = identified.establish().await {
                wyoming::refuse(connection, &Refusal::TooManyConnections, &id).await;
            }
        };
        let _ = timeout(TELLING, telling).await;
        return;
    }
    let answer = answer(&id);
    let telling = async {
        let mut connection = identified.establish().await.ok()?;
        connection.write_all(answer.as_bytes()).await.ok()?;
        connection.shutdown().await.ok()?;
        Some(connection)
    };
    if let Ok(Some(connection)) = timeout(TELLING, telling).await {
        let mut rest = connection.take(LEAVING_BYTES);
        let mut nowhere = sink();
        let leaving = tokio::io::copy(&mut rest, &mut nowhere);
        let _ = timeout(LEAVING, leaving).await;
    }
}

/// The whole answer, as it crosses the wire.
fn answer(id: &str) -> String {
    let refusal = Refusal::TooManyConnections;
    let body = refusal.json(id);
    let status = refusal.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let retry = refusal.retry_after().unwrap_or(1);
    format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         x-request-id: {id}\r\nretry-after: {retry}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        status.as_u16(),
        body.len(),
    )
}
