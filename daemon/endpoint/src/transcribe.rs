//! `POST /v1/audio/transcriptions`: a form in, a transcript out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use earnest_policy::Transcribe;
use earnest_transcript::FormatName;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::admission::Admitted;
use crate::answer::encode;
use crate::ask::{Ask, Wish};
use crate::drive::{Pieces, drive};
use crate::form::{Form, Part};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::{ROOM_UNIT, Shared};
use crate::upload;
use crate::work::{self, Heard, News, Work};

/// Seconds after which to come again when there is no room to hold a file: by then some other
/// file has been read.
const ROOM_RETRY_SECONDS: u64 = 2;

/// The handler.
pub(crate) async fn transcribe(
    State(shared): State<Arc<Shared>>,
    admitted: Admitted<Transcribe>,
    bill: Bill,
    request: Request,
) -> Result<Response, Refusal> {
    let answering = async {
        let (wish, heard) = receive(&shared, &admitted, &bill, request).await?;
        match wish.stream {
            true => stream(&shared, admitted, heard, bill).await,
            false => answer(wish, heard).await,
        }
    };
    let answered = timeout(shared.limits.request_time, answering).await;
    answered.unwrap_or(Err(Refusal::TooSlow))
}

/// Reads the form, and has the sound on its way to a worker, if not there already.
async fn receive(
    shared: &Shared,
    admitted: &Admitted<Transcribe>,
    bill: &Bill,
    request: Request,
) -> Result<(Wish, Heard), Refusal> {
    let file_bytes = shared.limits.file_bytes;
    let (head, body) = request.into_parts();
    let mut form = Form::new(&head.headers, body, file_bytes)?;
    let mut ask = Ask::default();
    let mut sound = None;
    while let Some(part) = form.next().await? {
        if part.name() != upload::FILE {
            let name = part.name().to_owned();
            if Ask::knows(&name) {
                ask.take(&name, &part.text().await?, &shared.model)?;
            }
            continue;
        }
        if sound.is_some() {
            return Err(upload::one_file());
        }
        sound = Some(match ask.is_settled() {
            true => {
                let job = ask.wish()?.job();
                let mut work = work::begin(shared, admitted, bill, job, shared.answers).await?;
                upload::forward(part, file_bytes, &mut work).await?;
                Sound::Sent(Box::new(work))
            }
            false => Sound::Held(hold(part, file_bytes, shared).await?),
        });
    }
    let wish = ask.wish()?;
    let heard = match sound.ok_or(Refusal::Missing {
        param: upload::FILE,
    })? {
        Sound::Sent(work) => work.end().await?,
        Sound::Held(held) => {
            let job = wish.job();
            let mut work = work::begin(shared, admitted, bill, job, shared.answers).await?;
            for block in held.blocks {
                work.send(block.freeze()).await?;
            }
            work.end().await?
        }
    };
    Ok((wish, heard))
}

/// Where the file of a form is.
enum Sound {
    /// With a worker.
    Sent(Box<Work>),
    /// Here, until the form has said what is wanted of it.
    Held(Held),
}

/// A file in memory, in blocks, and the room that it takes.
#[derive(Default)]
struct Held {
    blocks: Vec<BytesMut>,
    _room: Option<OwnedSemaphorePermit>,
}

/// Bytes of a block. What the parser gives is copied into blocks, because it may be a small cut
/// of something large, and a file of such cuts would take many times its room.
const BLOCK: usize = 64 << 10;

impl Held {
    fn keep(&mut self, mut chunk: Bytes) {
        while !chunk.is_empty() {
            let room = self.blocks.last().map_or(0, |last| BLOCK - last.len());
            if room == 0 {
                self.blocks.push(BytesMut::with_capacity(BLOCK));
                continue;
            }
            let fits = chunk.split_to(room.min(chunk.len()));
            if let Some(last) = self.blocks.last_mut() {
                last.extend_from_slice(&fits);
            }
        }
    }
}

/// Keeps a file, if there is room for it.
async fn hold(mut part: Part, most: u64, shared: &Shared) -> Result<Held, Refusal> {
    let mut held = Held::default();
    let (mut bytes, mut paid) = (0, 0);
    while let Some(chunk) = part.chunk().await? {
        bytes += chunk.len() as u64;
        if bytes > most {
            return Err(Refusal::TooLarge);
        }
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
        if units > paid {
            let room = Arc::clone(&shared.room)
                .try_acquire_many_owned(units - paid)
                .map_err(|_| Refusal::Busy {
                    retry_after: ROOM_RETRY_SECONDS,
                })?;
            paid = units;
            match &mut held._room {
                Some(held) => held.merge(room),
                none => *none = Some(room),
            }
        }
        held.keep(chunk);
    }
    Ok(held)
}

/// The whole answer at once.
async fn answer(wish: Wish, heard: Heard) -> Result<Response, Refusal> {
    let transcript = heard.all().await?;
    let (kind, text) = match wish.format {
        FormatName::Json => ("application/json", transcript.json()),
        FormatName::VerboseJson => ("application/json", transcript.verbose(wish.parts)),
        FormatName::Text => ("text/plain; charset=utf-8", transcript.plain(wish.format)),
        FormatName::Srt => (
            "application/x-subrip; charset=utf-8",
            transcript.plain(wish.format),
        ),
        FormatName::Vtt => ("text/vtt; charset=utf-8", transcript.plain(wish.format)),
    };
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response())
}

/// The answer as server-sent events (HTML standard, "Server-sent events"), in OpenAI's names. It
/// begins with the first news, so that sound that cannot be read is refused with its own status.
async fn stream(
    shared: &Shared,
    admitted: Admitted<Transcribe>,
    mut heard: Heard,
    bill: Bill,
) -> Result<Response, Refusal> {
    let first = heard.next().await?;
    let body = drive(shared.padding(&bill), move |pieces| async move {
        // The place of the application is given back with the answer's end.
        let _admitted = admitted;
        if let Err(refusal) = tell(first, heard, &pieces).await {
            bill.failed(&refusal);
            pieces.send(event(&refusal.object(&bill.id()))).await;
        }
    });
    let kind = HeaderValue::from_static("text/event-stream");
    Ok(([(CONTENT_TYPE, kind)], body).into_response())
}

async fn tell(mut news: News, mut heard: Heard, pieces: &Pieces) -> Result<(), Refusal> {
    let mut text = String::new();
    loop {
        match news {
            News::Speech(_) | News::Activity(..) | News::Partial(_) | News::Stopped(_) => {}
            News::Segment(segment) if segment.text.is_empty() => {}
            News::Segment(segment) => {
                let delta = match text.is_empty() {
                    true => segment.text,
                    false => format!(" {}", segment.text),
                };
                text.push_str(&delta);
                pieces.send(event(&Told::Delta { delta: &delta })).await;
            }
            News::End(_) => {
                pieces.send(event(&Told::Done { text: &text })).await;
                pieces.send("data: [DONE]\n\n").await;
                return Ok(());
            }
        }
        news = heard.next().await?;
    }
}

/// OpenAI's events. They leave the usage out, because there it counts tokens, and nobody counts
/// any here.
#[derive(Serialize)]
#[serde(tag = "type")]
enum Told<'a> {
    #[serde(rename = "transcript.text.delta")]
    Delta { delta: &'a str },
    #[serde(rename = "transcript.text.done")]
    Done { text: &'a str },
}

/// One event. JSON holds no line's end, so it is always one line.
fn event(object: &impl Serialize) -> String {
    format!("data: {}\n\n", encode(object))
}
