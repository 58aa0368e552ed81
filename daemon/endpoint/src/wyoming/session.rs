//! What a connection asks, one thing after the other.

use std::sync::Arc;

use axum::extract::FromRequestParts as _;
use earnest_listen::Connection;
use earnest_policy::Transcribe;
use earnest_wyoming::{Attribution, Info, Model, Reply, Request};
use http::request::Parts;
use http::{Method, StatusCode};
use tokio::sync::watch;

use super::link::{Incoming, Outgoing, Silence, error, halves};
use super::telling::LANGUAGE;
use super::utterance::{self, Ended};
use crate::ask::is_english;
use crate::body::Meter;
use crate::caller::{Caller, Permitted};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A connection, and what was said on it that holds for what follows.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    caller: Arc<Caller>,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

/// Serves a connection until its client is gone, or the daemon ends and nothing is under way.
pub(crate) async fn serve(
    connection: Connection,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<()>,
) {
    let caller = Arc::new(Caller::of(&connection));
    let (incoming, outgoing) = halves(connection, shared.limits.body_idle);
    let mut session = Session {
        shared,
        caller,
        incoming,
        outgoing,
    };
    loop {
        let event = tokio::select! {
            event = session.incoming.next(None) => event,
            _ = stopping.changed() => break,
        };
        let going_on = match event {
            Ok(event) => session.take(Request::of(event)).await,
            Err(Silence::Over | Silence::Idle) => break,
            Err(Silence::Broken(_)) => session.turn_away(Refusal::MalformedBody).await,
        };
        if !going_on {
            break;
        }
    }
    session.outgoing.close().await;
}

impl Session {
    /// Takes what is asked between two utterances. Gives whether the connection goes on.
    async fn take(&mut self, request: Result<Request, earnest_wyoming::RequestError>) -> bool {
        let asked = match request {
            Ok(request) => request,
            Err(_) => return self.turn_away(Refusal::MalformedBody).await,
        };
        let (format, first) = match asked {
            Request::AudioStart(format) => (format, None),
            // Who leaves the start out has said everything in the first chunk.
            Request::AudioChunk { format, sound } => (format, Some(sound)),
            Request::Describe => return self.describe().await,
            Request::Transcribe { name, language } => {
                return match self.check(name.as_deref(), language.as_deref()) {
                    Ok(()) => true,
                    Err(refusal) => self.turn_away(refusal).await,
                };
            }
            Request::Ping { text } => {
                return self.outgoing.say(&Reply::Pong { text }).await.is_ok();
            }
            Request::AudioStop | Request::Other => return true,
        };
        let (mut head, bill, meter) = self.open();
        match utterance::hear(self, &mut head, &bill, &meter, format, first).await {
            Ok(()) => {
                bill.answered(StatusCode::OK);
                true
            }
            Err(Ended::Gone) => false,
            Err(Ended::Refused(refusal)) => self.refuse(refusal, &bill).await,
        }
    }

    /// What there is, for whoever may use it.
    async fn describe(&mut self) -> bool {
        let (mut head, bill, _) = self.open();
        match Permitted::<Transcribe>::from_request_parts(&mut head, &self.shared).await {
            Ok(_) => {
                bill.answered(StatusCode::OK);
                let info = Reply::Info(info(&self.shared));
                self.outgoing.say(&info).await.is_ok()
            }
            Err(refusal) => self.refuse(refusal, &bill).await,
        }
    }

    /// Whether what is asked of the next utterance can be had.
    fn check(&self, name: Option<&str>, language: Option<&str>) -> Result<(), Refusal> {
        if name.is_some_and(|name| !name.is_empty() && !self.shared.model.answers_to(name)) {
            return Err(Refusal::ModelNotFound);
        }
        if language.is_some_and(|language| !language.is_empty() && !is_english(language)) {
            return Err(Refusal::UnsupportedLanguage { param: "language" });
        }
        Ok(())
    }

    /// The account of one request, and a head for it as if it had come by HTTP: leave is asked
    /// for and given as for all others.
    fn open(&self) -> (Parts, Bill, Arc<Meter>) {
        let (mut head, ()) = http::Request::new(()).into_parts();
        // A span tells it as a method that it has no name for.
        head.method = Method::from_bytes(b"WYOMING").unwrap_or_default();
        head.extensions.insert(Arc::clone(&self.caller));
        let meter = Arc::new(Meter::default());
        let bill = Bill::open(&self.shared, *self.caller, &head, Arc::clone(&meter));
        head.extensions.insert(bill.clone());
        (head, bill, meter)
    }

    /// Refuses what is no request yet.
    async fn turn_away(&mut self, refusal: Refusal) -> bool {
        let (_, bill, _) = self.open();
        self.refuse(refusal, &bill).await
    }

    /// Tells why, and ends the connection.
    async fn refuse(&mut self, refusal: Refusal, bill: &Bill) -> bool {
        bill.failed(&refusal);
        let reply = error(&refusal, &bill.id());
        if self.outgoing.say(&reply).await.is_ok() {
            self.outgoing.close().await;
            self.incoming.leave().await;
        }
        false
    }
}

/// What there is.
fn info(shared: &Shared) -> Info {
    let ours = Attribution {
        name: "Earnest".to_owned(),
        url: String::new(),
    };
    let model = Model {
        name: shared.model.id.clone(),
        description: format!("{}, on this device", shared.model.id),
        version: None,
        attribution: Attribution {
            name: shared.model.owner.clone(),
            url: String::new(),
        },
        languages: vec![LANGUAGE.to_owned()],
    };
    Info {
        name: "earnest".to_owned(),
        description: "Speech recognition that stays on this device".to_owned(),
        version: shared.version.clone(),
        attribution: ours,
        models: vec![model],
    }
}
