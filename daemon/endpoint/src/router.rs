//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use earnest_policy::{Operate, Transcribe};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::caller::{OverUnix, Permitted};
use crate::front;
use crate::house::Shared;
use crate::refusal::Refusal;
use crate::tokens::{self, json};
use crate::{stream, transcribe};

/// The description of the interface, which a test holds to [`routes`].
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// One address: its path, the methods that it takes, and who answers them.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is held to it"))]
    pub(crate) methods: &'static [&'static str],
    handlers: MethodRouter<Arc<Shared>>,
}

fn route(
    path: &'static str,
    methods: &'static [&'static str],
    handlers: MethodRouter<Arc<Shared>>,
) -> Route {
    Route {
        path,
        methods,
        handlers,
    }
}

/// All addresses.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("/health", &["get"], get(health)),
        route("/openapi.json", &["get"], get(document)),
        route("/v1/audio/stream", &["post"], post(stream::stream)),
        route(
            "/v1/audio/transcriptions",
            &["post"],
            post(transcribe::transcribe),
        ),
        route("/v1/audio/translations", &["post"], post(translate)),
        route("/v1/models", &["get"], get(models)),
        route("/v1/models/{model}", &["get"], get(model)),
        route("/v1/status", &["get"], get(status)),
        route(
            "/v1/token",
            &["post", "delete"],
            post(tokens::issue).merge(delete(tokens::revoke)),
        ),
        route("/v1/token/renew", &["post"], post(tokens::renew)),
    ]
}

/// The router of them all, behind the front door.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| {
            router.route(route.path, route.handlers)
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

async fn document(_: Permitted<Transcribe>) -> Response {
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

async fn status(_: OverUnix, State(shared): State<Arc<Shared>>, _: Permitted<Operate>) -> Response {
    json(&shared.status())
}
