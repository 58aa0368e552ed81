//! `GET /v1/realtime?intent=transcription`: text as it is said, in OpenAI's realtime shape, over a
//! websocket.
//!
//! A client sends sound in base64 (`input_audio_buffer.append`) and is told when somebody speaks,
//! what is new of the text that stays (`….delta`), and the whole of it (`….completed`). Both the
//! current shape (`session.update`) and the beta's (`transcription_session.update`) are taken.
//!
//! - With `turn_detection` of type `server_vad` a silence ends an utterance; without any, the
//!   client does, by `input_audio_buffer.commit`.
//! - With `source=microphone` no sound is sent: the device's microphone is heard, for whoever has
//!   the `listen` scope.
//! - Nothing is answered, spoken or remembered here: events of conversations are refused by an
//!   `error` event, after which the connection goes on. It ends with one that says that leave,
//!   proof or the day's sound has run out.
//!
//! Whoever calls is known by its certificate, its user, or the bearer token of its headers, as
//! everywhere. A token among the websocket's subprotocols (`openai-insecure-api-key.…`) is not
//! taken: servers and programs between log and echo those.
//!
//! Sound is charged as that of `POST /v1/audio/stream` is. Padding does not apply to live text.

mod g711;
mod intake;
mod microphone;
mod pushed;
mod settings;
mod speaking;
mod telling;

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use earnest_live::Text;
use earnest_policy::{Listen, Transcribe};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::admission::{Admitted, Attending};
use crate::auditing::parameter;
use crate::caller::Caller;
use crate::line::Line;
use crate::listen::{Attendance, socket, wake};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::tether::Tether;

use settings::{Settings, Shape};
use telling::Telling;

/// Most bytes of a message: a mebibyte and a half of sound, or 32 s of it.
const MESSAGE_BYTES: usize = 2 << 20;

/// The subprotocol that browsers' clients offer.
const PROTOCOL: &str = "realtime";

/// The handler.
pub(crate) async fn realtime(
    State(shared): State<Arc<Shared>>,
    bill: Bill,
    line: Line,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut head, _) = request.into_parts();
    match parameter(&head.uri, "source") {
        None => pushed(&shared, bill, line, &mut head).await,
        Some("microphone") => microphone(&shared, &bill, line, &mut head).await,
        Some(_) => Err(Refusal::Invalid {
            param: "source",
            expected: "'microphone', or nothing",
        }),
    }
}

/// A client that sends its own sound.
async fn pushed(
    shared: &Arc<Shared>,
    bill: Bill,
    line: Line,
    head: &mut Parts,
) -> Result<Response, Refusal> {
    let admitted = Admitted::<Transcribe>::from_request_parts(head, shared).await?;
    let caller = Caller::from_request_parts(head, shared).await?;
    let tether = Tether::of(head, caller, &admitted.permit);
    let settings = settings(shared, head)?;
    let upgrade = handshake(shared, head).await?;
    let telling = Telling::new(&bill.id(), settings.shape());
    let shared = Arc::clone(shared);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let speaking = speaking::Speaking::new(socket, telling);
        let pushed = pushed::Pushed::new(shared, admitted, bill, settings, speaking);
        pushed.run(line, tether).await;
    }))
}

/// A client that is told what the microphone hears.
async fn microphone(
    shared: &Arc<Shared>,
    bill: &Bill,
    line: Line,
    head: &mut Parts,
) -> Result<Response, Refusal> {
    let attending = Attending::<Listen>::from_request_parts(head, shared).await?;
    let settings = settings(shared, head)?;
    let wake = wake(&head.uri)?;
    let upgrade = handshake(shared, head).await?;
    let telling = Telling::new(&bill.id(), settings.shape());
    let model = shared.model.clone();
    let attendance = Attendance::begin(shared, attending, bill, line, Text { wake }).await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let speaking = speaking::Speaking::new(socket, telling);
        microphone::run(speaking, settings, model, attendance).await;
    }))
}

/// How the session begins, by the request's head.
fn settings(shared: &Shared, head: &Parts) -> Result<Settings, Refusal> {
    if parameter(&head.uri, "intent") != Some("transcription") {
        return Err(Refusal::Invalid {
            param: "intent",
            expected: "'transcription'",
        });
    }
    let model = model(shared, &head.uri)?;
    Ok(Settings::new(shape(&head.headers), model))
}

fn model(shared: &Shared, uri: &Uri) -> Result<String, Refusal> {
    match parameter(uri, "model") {
        None => Ok(shared.model.id.clone()),
        Some(name) if settings::is_model(&shared.model, name) => Ok(name.to_owned()),
        Some(_) => Err(Refusal::ModelNotFound),
    }
}

/// The shape that the client says it reads.
fn shape(headers: &HeaderMap) -> Shape {
    let beta = headers.get("openai-beta").map(|value| value.as_bytes());
    match beta {
        Some(b"realtime=v1") => Shape::Beta,
        _ => Shape::Current,
    }
}

async fn handshake(
    shared: &Arc<Shared>,
    head: &mut Parts,
) -> Result<axum::extract::ws::WebSocketUpgrade, Refusal> {
    // Who asks for a head alone wants no session opened.
    if head.method == Method::HEAD {
        return Err(Refusal::MethodNotAllowed);
    }
    let upgrade = socket::handshake(head, shared).await?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES);
    Ok(upgrade.max_frame_size(MESSAGE_BYTES).protocols([PROTOCOL]))
}
