//! `/v1/command-lists`: the phrases that operators enrol.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use earnest_policy::{CommandError, CommandList, Operate, PlainName, See};
use earnest_telemetry::Action;
use http::{HeaderMap, StatusCode, Uri};

use crate::caller::{OverUnix, Permitted};
use crate::changes::{Unsaved, act, change, part};
use crate::json::{json, read_json};
use crate::limits::COMMANDS_BYTES;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{CommandListEntry, CommandListRequest, CommandListsAnswer, PhraseEntry};
use crate::shared::Shared;

/// `GET /v1/command-lists`.
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Permitted<See>,
) -> Result<Response, Refusal> {
    let book = shared.policy.book().ok_or(Refusal::DeviceNotProven)?;
    let phrase = |(id, phrase): (&PlainName, &str)| PhraseEntry {
        id: id.to_string(),
        phrase: phrase.to_owned(),
    };
    let entry = |list: &CommandList| CommandListEntry {
        name: list.name().to_string(),
        phrases: list.phrases().map(phrase).collect(),
    };
    Ok(json(&CommandListsAnswer {
        lists: book.command_lists().map(entry).collect(),
    }))
}

/// `PUT /v1/command-lists/{name}`.
pub(crate) async fn put(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let request: CommandListRequest = read_json(&headers, body, COMMANDS_BYTES).await?;
    let phrases = request.phrases.iter();
    let phrases = phrases.map(|entry| (entry.id.as_str(), entry.phrase.as_str()));
    let list = CommandList::new(part(&uri, 2), phrases).map_err(|error| refusal(&error))?;
    act(&shared, &bill, permit.uid(), Action::PutCommands).await?;
    let put = || shared.policy.put_commands(&permit, list);
    let put = change(&shared, Unsaved::TakenBack, put).await?;
    Ok(match put.added {
        true => StatusCode::CREATED,
        false => StatusCode::NO_CONTENT,
    })
}

/// `DELETE /v1/command-lists/{name}`.
pub(crate) async fn remove(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Operate>,
    bill: Bill,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let name: PlainName = part(&uri, 2)
        .parse()
        .map_err(|_| Refusal::CommandListNotFound)?;
    act(&shared, &bill, permit.uid(), Action::RemoveCommands).await?;
    let remove = || shared.policy.remove_commands(&permit, &name);
    let _changed = change(&shared, Unsaved::Stays, remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn refusal(error: &CommandError) -> Refusal {
    let (param, expected) = match error {
        CommandError::Name(_) => ("name", "1 to 64 of a-z, 0-9, '.', '_' and '-'"),
        CommandError::Id(_) => ("id", "1 to 64 of a-z, 0-9, '.', '_' and '-'"),
        CommandError::TwiceTheId { .. } => ("id", "given once"),
        CommandError::Empty | CommandError::TooManyPhrases { .. } => ("phrases", "1 to 64 phrases"),
        CommandError::TooNear { .. } => (
            "phrase",
            "further from every other phrase than a slip of the tongue",
        ),
        _ => ("phrase", "1 to 12 words in at most 200 bytes"),
    };
    Refusal::Invalid { param, expected }
}
