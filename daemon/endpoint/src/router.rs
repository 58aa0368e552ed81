//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use earnest_policy::{See, Tokens, Transcribe};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::caller::Permitted;
use crate::front;
use crate::json::json;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::{
    activity, alerts, apps, auditing, browser, captions, command, command_lists, keys, listen,
    microphone, people, realtime, review, stream, tokens, transcribe,
};

/// The description of the interface, which a test holds to [`routes`].
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// All addresses, and who answers them.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    let mut routes = vec![
        ("/health", get(health)),
        ("/openapi.json", get(document)),
        ("/v1/audio/activity", post(activity::activity)),
        ("/v1/audio/stream", post(stream::stream)),
        ("/v1/audio/transcriptions", post(transcribe::transcribe)),
        ("/v1/audio/translations", post(translate)),
        ("/v1/commands", post(command::command)),
        ("/v1/listen", get(listen::listen)),
        ("/v1/listen/commands", get(listen::commands)),
        (
            "/v1/microphone",
            get(microphone::state).put(microphone::mute),
        ),
        ("/v1/microphone/devices", get(microphone::devices)),
        ("/v1/models", get(models)),
        ("/v1/models/{model}", get(model)),
        ("/v1/realtime", get(realtime::realtime)),
        ("/v1/token", post(tokens::issue).delete(tokens::revoke)),
        ("/v1/token/renew", post(tokens::renew)),
    ];
    routes.extend(routes_of_people());
    routes
}

/// Those of operators and auditors.
fn routes_of_people() -> Vec<(&'static str, MethodRouter<Arc<Shared>>)> {
    vec![
        ("/", get(browser::page)),
        ("/captions", get(captions::page)),
        ("/captions.css", get(captions::style)),
        ("/captions.js", get(captions::script)),
        ("/open", get(browser::open)),
        ("/status.css", get(browser::style)),
        ("/v1/access-review", get(review::review)),
        ("/v1/alerts", get(alerts::list)),
        ("/v1/alerts/{id}/release", post(alerts::release)),
        ("/v1/apps", get(apps::list).post(apps::add)),
        ("/v1/apps/{name}", delete(apps::revoke)),
        ("/v1/apps/{name}/certificates", post(apps::certify)),
        ("/v1/audit", get(auditing::entries)),
        ("/v1/audit/export", get(auditing::export)),
        ("/v1/audit/verification", get(auditing::verification)),
        ("/v1/browser-links", post(browser::link)),
        ("/v1/command-lists", get(command_lists::list)),
        (
            "/v1/command-lists/{name}",
            put(command_lists::put).delete(command_lists::remove),
        ),
        ("/v1/keys/rotate", post(keys::rotate)),
        ("/v1/operators/confirm", post(people::confirm)),
        ("/v1/operators/enrol", post(people::enrol)),
        ("/v1/report", get(auditing::report)),
        ("/v1/status", get(status)),
    ]
}

/// The router of them all, behind the front door.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, handlers)| {
            router.route(path, handlers)
        })
        .fallback(|| async { Refusal::NotFound })
        .method_not_allowed_fallback(|| async { Refusal::MethodNotAllowed })
        .layer(from_fn_with_state(Arc::clone(shared), front::door))
        .with_state(Arc::clone(shared))
}

/// All that a stranger is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) status: UpOrDown,
}

/// Whether requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UpOrDown {
    Up,
    Down,
}

/// The one address that needs no leave, so it says no more than connecting does.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (code, status) = match shared.serving() {
        Some(_) => (StatusCode::OK, UpOrDown::Up),
        None => (StatusCode::SERVICE_UNAVAILABLE, UpOrDown::Down),
    };
    (code, json(&Health { status })).into_response()
}

async fn document(_: Permitted<Tokens>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], DOCUMENT).into_response()
}

async fn models(State(shared): State<Arc<Shared>>, _: Permitted<Transcribe>) -> Response {
    json(&shared.model.list())
}

async fn model(
    State(shared): State<Arc<Shared>>,
    _: Permitted<Transcribe>,
    uri: Uri,
) -> Result<Response, Refusal> {
    // No name has a character that a path would have to escape.
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    match shared.model.answers_to(name) {
        true => Ok(json(&shared.model.object(name))),
        false => Err(Refusal::ModelNotFound),
    }
}

async fn translate(_: Permitted<Transcribe>) -> Refusal {
    Refusal::TranslationNotOffered
}

async fn status(State(shared): State<Arc<Shared>>, _: Permitted<See>) -> Response {
    json(&shared.status())
}
