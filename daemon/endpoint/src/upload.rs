//! A file in a form, sent on to a worker as it comes.

use axum::extract::Request;
use earnest_channel::Job;
use earnest_policy::{AnswerRules, Work as WorkScope};

use crate::admission::Admitted;
use crate::form::{Form, Part};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::work::{self, Heard, Work};

/// The name of a form's part that is the sound.
pub(crate) const FILE: &str = "file";

/// There is more than one.
pub(crate) fn one_file() -> Refusal {
    Refusal::Invalid {
        param: FILE,
        expected: "one file",
    }
}

/// Reads a form of which nothing but its file matters, and gives what is heard in it.
///
/// # Errors
///
/// When the form is broken or has no file, or the job fails.
pub(crate) async fn hear<S: WorkScope>(
    shared: &Shared,
    admitted: &Admitted<S>,
    bill: &Bill,
    request: Request,
    job: Job,
    rules: AnswerRules,
) -> Result<Heard, Refusal> {
    let most = shared.limits.file_bytes;
    let (head, body) = request.into_parts();
    let mut form = Form::new(&head.headers, body, most)?;
    let mut sent: Option<Work> = None;
    while let Some(part) = form.next().await? {
        match part.name() == FILE {
            false => continue,
            true if sent.is_some() => return Err(one_file()),
            true => {
                let mut work = work::begin(shared, admitted, bill, job, rules).await?;
                forward(part, most, &mut work).await?;
                sent = Some(work);
            }
        }
    }
    let work = sent.ok_or(Refusal::Missing { param: FILE })?;
    work.end().await
}

/// Sends a file on as it comes.
pub(crate) async fn forward(mut part: Part, most: u64, work: &mut Work) -> Result<(), Refusal> {
    let mut bytes = 0;
    while let Some(chunk) = part.chunk().await? {
        bytes += chunk.len() as u64;
        if bytes > most {
            return Err(Refusal::TooLarge);
        }
        work.send(chunk).await?;
    }
    Ok(())
}
