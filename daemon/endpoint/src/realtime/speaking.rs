//! The websocket of a session.

use axum::extract::ws::{Message, WebSocket, close_code};
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::telling::{Telling, Told};
use crate::listen::socket::{PING, UNANSWERED, close};
use crate::refusal::Refusal;

/// A websocket, what is told over it, and whether its other end is there.
pub(crate) struct Speaking {
    socket: WebSocket,
    pub(crate) telling: Telling,
    pings: Interval,
    unanswered: u32,
}

/// Nobody is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Speaking {
    /// Of a socket that was just opened.
    pub(crate) fn new(socket: WebSocket, telling: Telling) -> Speaking {
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one is due at once.
        pings.reset();
        Speaking {
            socket,
            telling,
            pings,
            unanswered: 0,
        }
    }

    /// Tells events, one message each. Writing waits for as long as a connection may, and then
    /// the connection is given up.
    ///
    /// # Errors
    ///
    /// When nobody is there any more.
    pub(crate) async fn tell(&mut self, told: impl IntoIterator<Item = Told>) -> Result<(), Gone> {
        for event in told {
            let message = Message::text(Value::to_string(&event));
            self.socket.send(message).await.map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// The next message. Pings go out meanwhile, and who answers none is taken for gone. May be
    /// dropped and asked again.
    ///
    /// # Errors
    ///
    /// When nobody is there any more, or what came is no message within its bound.
    pub(crate) async fn hear(&mut self) -> Result<Vec<u8>, Gone> {
        loop {
            let said = tokio::select! {
                said = self.socket.recv() => said,
                _ = self.pings.tick() => {
                    self.unanswered += 1;
                    if self.unanswered > UNANSWERED {
                        return Err(Gone);
                    }
                    let ping = Message::Ping(Default::default());
                    self.socket.send(ping).await.map_err(|_| Gone)?;
                    continue;
                }
            };
            self.unanswered = 0;
            match said {
                Some(Ok(Message::Text(text))) => return Ok(text.as_bytes().to_vec()),
                // Some clients send their JSON as bytes.
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
            }
        }
    }

    /// Says that the daemon ends.
    pub(crate) async fn leave(mut self) {
        close(&mut self.socket, close_code::AWAY).await;
    }

    /// Says why nothing more is told, after an event that said so.
    pub(crate) async fn turn_away(mut self, refusal: &Refusal) {
        let code = match refusal.is_of_identity() {
            true => close_code::POLICY,
            false => close_code::AGAIN,
        };
        close(&mut self.socket, code).await;
    }
}
