//! `POST /v1/audio/activity`: a form in, the times of speech out. The recogniser does not run.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use earnest_channel::{Job, SoundKind, Task};
use earnest_policy::Vad;
use earnest_transcript::Milliseconds;
use tokio::time::timeout;

use crate::admission::Admitted;
use crate::json::json;
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::{ActivityAnswer, ActivityEntry};
use crate::shared::Shared;
use crate::upload;
use crate::work::{Heard, News};

/// The handler.
pub(crate) async fn activity(
    State(shared): State<Arc<Shared>>,
    admitted: Admitted<Vad>,
    bill: Bill,
    request: Request,
) -> Result<Response, Refusal> {
    let job = Job {
        kind: SoundKind::Container,
        task: Task::Activity,
    };
    let answering = async {
        let heard = upload::hear(&shared, &admitted, &bill, request, job, shared.answers).await?;
        Ok(json(&collect(heard).await?))
    };
    let answered = timeout(shared.limits.request_time, answering).await;
    answered.unwrap_or(Err(Refusal::TooSlow))
}

async fn collect(mut heard: Heard) -> Result<ActivityAnswer, Refusal> {
    let mut answer = ActivityAnswer::default();
    loop {
        match heard.next().await? {
            News::Activity(start, end) => answer.segments.push(ActivityEntry {
                start: start.seconds(),
                end: end.seconds(),
            }),
            News::End(report) => {
                answer.duration = Milliseconds::of_sample(report.samples).seconds();
                return Ok(answer);
            }
            // No task of this route has any; and if it had, this scope gets no text.
            News::Speech(_) | News::Segment(_) | News::Partial(_) | News::Stopped(_) => {}
        }
    }
}
