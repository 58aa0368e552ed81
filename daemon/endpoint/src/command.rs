//! `POST /v1/commands`: a form in, the id of a phrase out, and never a word of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use earnest_channel::{Job, SoundKind, Task};
use earnest_policy::{AnswerRules, Command};
use tokio::time::timeout;

use crate::admission::Admitted;
use crate::json::json;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::CommandAnswer;
use crate::shared::Shared;
use crate::upload;

/// The handler.
pub(crate) async fn command(
    State(shared): State<Arc<Shared>>,
    admitted: Admitted<Command>,
    bill: Bill,
    request: Request,
) -> Result<Response, Refusal> {
    // It is an operator's matter which list an application is held to, and the caller has no say.
    let list = shared.policy.commands_of(&admitted.permit);
    let list = list.ok_or(Refusal::Conflict {
        param: "file",
        state: "no command list is enrolled for this application",
    })?;
    let job = Job {
        kind: SoundKind::Container,
        task: Task::Transcribe { words: false },
    };
    // No number leaves, so phrases may have some; what is withheld is no phrase.
    let rules = AnswerRules::new(shared.answers.certainty_floor(), None, None);
    let rules = rules.unwrap_or(shared.answers);
    let answering = async {
        let heard = upload::hear(&shared, &admitted, &bill, request, job, rules).await?;
        let text = heard.all().await?.text();
        let command = list.matches(&text).map(ToString::to_string);
        Ok(json(&CommandAnswer { command }))
    };
    let answered = timeout(shared.limits.request_time, answering).await;
    answered.unwrap_or(Err(Refusal::TooSlow))
}
