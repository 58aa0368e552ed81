//! `POST /v1/keys/rotate`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use earnest_policy::Operate;
use earnest_telemetry::{Action, KeyKind};
use http::HeaderMap;

use crate::caller::{OverUnix, Permitted};
use crate::changes::act;
use crate::house::RotateError;
use crate::json::{json, read_json};
use crate::limits::JSON_BYTES;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{self, RotateAnswer, RotateRequest};
use crate::shared::Shared;

/// The handler.
pub(crate) async fn rotate(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let RotateRequest { which, now } = read_json(&headers, body, JSON_BYTES).await?;
    act(&shared, &bill, permit.uid(), Action::RotateKeys).await?;
    let rotated = shared.house.rotate(kinds(which), now).await;
    let rotated = rotated.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "not rotated");
        match error {
            RotateError::Closed { .. } => Refusal::DeviceNotProven,
            RotateError::Unavailable { .. } => Refusal::KeysUnavailable,
        }
    })?;
    Ok(json(&RotateAnswer {
        rotated: rotated.into_iter().map(told).collect(),
    }))
}

fn kinds(which: shapes::KeyKind) -> Vec<KeyKind> {
    match which {
        shapes::KeyKind::All => KeyKind::ALL.to_vec(),
        which => KeyKind::named(which.name()).into_iter().collect(),
    }
}

fn told(kind: KeyKind) -> shapes::KeyKind {
    match kind {
        KeyKind::Tokens => shapes::KeyKind::Tokens,
        KeyKind::Audit => shapes::KeyKind::Audit,
        KeyKind::Pseudonyms => shapes::KeyKind::Pseudonyms,
        KeyKind::State => shapes::KeyKind::State,
        KeyKind::Tls => shapes::KeyKind::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_key_has_its_name_and_all_are_all() {
        for kind in KeyKind::ALL {
            assert_eq!(told(*kind).name(), kind.name());
            assert_eq!(kinds(told(*kind)), [*kind]);
        }
        assert_eq!(kinds(shapes::KeyKind::All), KeyKind::ALL);
        assert_eq!(shapes::KeyKind::EACH.len(), KeyKind::ALL.len() + 1);
    }
}
