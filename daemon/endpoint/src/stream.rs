//! `POST /v1/audio/stream`: sound in as it is made, lines out as segments end.
//!
//! Sound without a header says what it is by its content type, `audio/pcm` (little endian) or
//! `audio/L16` (big endian, RFC 2586), with the parameters `rate`, `channels` and `encoding`, or
//! by parameters of the same names in the query. Anything else is a file of whatever format its
//! first bytes tell, and may be as long as it likes.
//!
//! With `partials=true`, which is for sound without a header, text is told before an utterance
//! ends, too: what is stable of it stays, and its segment begins with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use earnest_channel::{Encoding, Job, LiveTask, SoundKind, Task};
use earnest_policy::{AnswerRules, Transcribe};
use http::header::{CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;
use tokio::time::timeout;

use crate::admission::Admitted;
use crate::ask::boolean;
use crate::body::BodyFault;
use crate::drive::{Pieces, drive};
use crate::events::{SegmentLine, StreamLine, partial_line};
use crate::limits::{REFUSED_BYTES, REFUSED_LIVE_TIME, REFUSED_TIME};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::work::{self, Heard, News};

/// How long a pause ends an utterance where text is told before its end: as the microphone's,
/// where the configuration says nothing else.
const SILENCE: Duration = Duration::from_millis(700);

/// The content type of the answer.
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The handler.
pub(crate) async fn stream(
    State(shared): State<Arc<Shared>>,
    admitted: Admitted<Transcribe>,
    bill: Bill,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, mut body) = request.into_parts();
    let sound = Sound::of(&head.headers, head.uri.query().unwrap_or_default())?;
    if HttpBody::is_end_stream(&body) {
        return Err(Refusal::InvalidAudio);
    }
    let job = sound.job(&shared.answers);
    let work = work::begin(&shared, &admitted, &bill, job, shared.answers).await?;
    let most = shared.limits.stream_bytes;
    // A client that asks whether to go on is told to by whoever looks for its first bytes, and not
    // once the answer has begun: it would wait for as long as it is patient.
    let first = match expects_continue(&head.headers) {
        true => body.frame().await,
        false => None,
    };
    let body = drive(shared.padding(&bill), move |pieces| async move {
        // The place of the application is given back with the answer's end.
        let _admitted = admitted;
        let (sender, heard) = work.split();
        let feeding = feed(first, &mut body, sender, sound.order, most);
        let telling = tell(heard, sound.words, &pieces);
        if let Err(refusal) = both(feeding, telling).await {
            bill.failed(&refusal);
            let error = refusal.object(&bill.id()).error;
            pieces.send(StreamLine::Error { error }.encode()).await;
            leave(&mut body).await;
        }
    });
    Ok(([(CONTENT_TYPE, NDJSON)], body).into_response())
}

/// Feeds and tells side by side, until all is told.
async fn both(
    feeding: impl Future<Output = Result<(), Refusal>>,
    telling: impl Future<Output = Result<(), Refusal>>,
) -> Result<(), Refusal> {
    let mut feeding = std::pin::pin!(feeding);
    let mut telling = std::pin::pin!(telling);
    let mut is_fed = false;
    loop {
        tokio::select! {
            told = &mut telling => return told,
            fed = &mut feeding, if !is_fed => {
                fed?;
                is_fed = true;
            }
        }
    }
}

/// Reads and drops what still comes for a moment: a connection that is closed upon bytes that
/// nobody read takes the answer's last line with it.
async fn leave(body: &mut Body) {
    let longest = match HttpBody::size_hint(body).exact() {
        Some(_) => REFUSED_TIME,
        None => REFUSED_LIVE_TIME,
    };
    let rest = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if bytes > REFUSED_BYTES {
                break;
            }
        }
    };
    // Whoever takes longer has had its time to read.
    let _ = timeout(longest, rest).await;
}

/// Whether the client waits for leave to send its body (RFC 9110, section 10.1.1).
fn expects_continue(headers: &HeaderMap) -> bool {
    let expected = headers.get(EXPECT).map(HeaderValue::as_bytes);
    expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
}

/// A piece of a body, or its fault.
type Frame = Result<hyper::body::Frame<Bytes>, axum::Error>;

/// Sends the body on to the worker as it comes, `first` if it has come already.
async fn feed(
    mut first: Option<Frame>,
    body: &mut Body,
    mut sender: work::Sound,
    mut order: ByteOrder,
    most: u64,
) -> Result<(), Refusal> {
    let mut bytes = 0;
    loop {
        let next = match first.take() {
            Some(frame) => Some(frame),
            None => body.frame().await,
        };
        let Some(frame) = next else { break };
        let frame = frame.map_err(|error| fault(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        bytes += data.len() as u64;
        if bytes > most {
            return Err(Refusal::TooLarge);
        }
        if sender.send(order.little(data)).await?.is_err() {
            // The events tell why.
            return Ok(());
        }
    }
    sender.end().await;
    Ok(())
}

/// The fault of a body, which axum has wrapped.
pub(crate) fn fault(error: &axum::Error) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<BodyFault>() {
            return (*fault).into();
        }
        cause = error.source();
    }
    Refusal::MalformedBody
}

async fn tell(mut heard: Heard, words: bool, pieces: &Pieces) -> Result<(), Refusal> {
    loop {
        let line = match heard.next().await? {
            News::Speech(at) => StreamLine::SpeechStarted { at: at.seconds() },
            News::Segment(segment) => StreamLine::Segment(SegmentLine::of(segment, words)),
            News::Partial(partial) => StreamLine::Partial(partial_line(partial)),
            News::Stopped(at) => StreamLine::SpeechStopped { at: at.seconds() },
            // No task of this route has any.
            News::Activity(..) => continue,
            News::End(report) => {
                pieces.send(StreamLine::done(&report).encode()).await;
                return Ok(());
            }
        };
        pieces.send(line.encode()).await;
    }
}

/// What comes in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sound {
    kind: SoundKind,
    order: ByteOrder,
    words: bool,
    partials: bool,
}

/// Which byte of a sample comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ByteOrder {
    Little,
    /// Of 16-bit samples; with the byte whose other half is still to come.
    Big(Option<u8>),
}

impl ByteOrder {
    /// `data` with the little end first.
    fn little(&mut self, data: Bytes) -> Bytes {
        let ByteOrder::Big(half) = self else {
            return data;
        };
        let mut all = BytesMut::with_capacity(data.len() + 1);
        all.extend(half.take());
        all.extend_from_slice(&data);
        if all.len() % 2 == 1 {
            *half = all.split_off(all.len() - 1).first().copied();
        }
        for sample in all.chunks_exact_mut(2) {
            sample.swap(0, 1);
        }
        all.freeze()
    }
}

/// What content type and query say of raw sound.
#[derive(Debug, Default)]
struct Parameters<'a> {
    rate: Option<&'a str>,
    channels: Option<&'a str>,
    encoding: Option<&'a str>,
    words: Option<&'a str>,
    partials: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        let place = match name {
            name if name.eq_ignore_ascii_case("rate") => &mut self.rate,
            name if name.eq_ignore_ascii_case("channels") => &mut self.channels,
            name if name.eq_ignore_ascii_case("encoding") => &mut self.encoding,
            name if name.eq_ignore_ascii_case("words") => &mut self.words,
            name if name.eq_ignore_ascii_case("partials") => &mut self.partials,
            _ => return,
        };
        *place = Some(value);
    }

    fn are_raw(&self) -> bool {
        self.rate.is_some() || self.channels.is_some() || self.encoding.is_some()
    }
}

impl Sound {
    fn of(headers: &HeaderMap, query: &str) -> Result<Sound, Refusal> {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
        let kind = kind.unwrap_or(Ok("application/octet-stream"));
        let kind = kind.map_err(|_| Refusal::UnsupportedMediaType)?;
        let mut pieces = kind.split(';').map(str::trim);
        let essence = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let mut parameters = Parameters::default();
        for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            parameters.take(name, value.trim_matches('"'));
        }
        for (name, value) in query.split('&').filter_map(|piece| piece.split_once('=')) {
            parameters.take(name, value);
        }
        let words = boolean("words", parameters.words.unwrap_or("false"))?;
        let partials = boolean("partials", parameters.partials.unwrap_or("false"))?;
        let is_raw = matches!(essence.as_str(), "audio/pcm" | "audio/l16");
        let is_sound = is_raw
            || essence.starts_with("audio/")
            || essence.starts_with("video/")
            || essence == "application/ogg"
            || essence == "application/octet-stream";
        if !is_sound {
            return Err(Refusal::UnsupportedMediaType);
        }
        let order = match essence == "audio/l16" {
            true => ByteOrder::Big(None),
            false => ByteOrder::Little,
        };
        let kind = match is_raw || parameters.are_raw() {
            true => raw(&parameters, &order)?,
            false => SoundKind::Container,
        };
        if partials && kind == SoundKind::Container {
            return Err(Refusal::Invalid {
                param: "partials",
                expected: "'false' for a file: sound that is heard live has no header",
            });
        }
        Ok(Sound {
            kind,
            order,
            words,
            partials,
        })
    }

    fn job(&self, rules: &AnswerRules) -> Job {
        let words = self.words;
        let task = match self.partials {
            true => match work::live(rules, SILENCE, true) {
                Task::Live(live) => Task::Live(LiveTask { words, ..live }),
                other => other,
            },
            false => Task::Transcribe { words },
        };
        Job {
            kind: self.kind,
            task,
        }
    }
}

/// Raw sound; mono of 16 bits at 16 kHz where nothing else is said.
fn raw(parameters: &Parameters<'_>, order: &ByteOrder) -> Result<SoundKind, Refusal> {
    let rate = parameters.rate.unwrap_or("16000").parse::<u32>();
    let channels = parameters.channels.unwrap_or("1").parse::<u16>();
    let encoding = match parameters.encoding.unwrap_or("s16le") {
        "s16le" => Ok(Encoding::S16Le),
        "f32le" if *order == ByteOrder::Little => Ok(Encoding::F32Le),
        _ => Err(Refusal::Invalid {
            param: "encoding",
            expected: "'s16le', or 'f32le' with audio/pcm",
        }),
    };
    Ok(SoundKind::Raw {
        rate: rate.ok().filter(|rate| *rate > 0).ok_or(Refusal::Invalid {
            param: "rate",
            expected: "samples a second",
        })?,
        channels: channels
            .ok()
            .filter(|channels| *channels > 0)
            .ok_or(Refusal::Invalid {
                param: "channels",
                expected: "a number of channels",
            })?,
        encoding: encoding?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sound(kind: Option<&'static str>, query: &str) -> Result<Sound, Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        Sound::of(&headers, query)
    }

    fn raw_of(kind: &'static str, query: &str) -> (u32, u16, Encoding) {
        match sound(Some(kind), query).expect("good parameters").kind {
            SoundKind::Raw {
                rate,
                channels,
                encoding,
            } => (rate, channels, encoding),
            SoundKind::Container => panic!("{kind} is raw"),
        }
    }

    #[test]
    fn raw_sound_is_described_by_its_type_or_the_query() {
        let s16 = Encoding::S16Le;
        assert_eq!(raw_of("audio/pcm", ""), (16_000, 1, s16));
        let described = "audio/PCM; rate=48000; Channels=2; encoding=\"f32le\"";
        assert_eq!(raw_of(described, ""), (48_000, 2, Encoding::F32Le));
        assert_eq!(
            raw_of("audio/pcm;rate=8000", "rate=22050"),
            (22_050, 1, s16)
        );
        let query = "rate=44100&channels=2&words=true";
        assert_eq!(raw_of("application/octet-stream", query), (44_100, 2, s16));
        let big = sound(Some("audio/L16;rate=8000"), "").expect("good parameters");
        assert_eq!(big.order, ByteOrder::Big(None));
    }

    #[test]
    fn text_is_told_early_of_sound_without_a_header_alone() {
        let job = |query| {
            let sound = sound(Some("audio/pcm"), query).expect("good parameters");
            sound.job(&AnswerRules::default()).task
        };
        let early = job("partials=true&words=true");
        let Task::Live(live) = early else {
            panic!("another task: {early:?}");
        };
        assert!(live.partials && live.text && live.words);
        assert_eq!(job("partials=false"), Task::Transcribe { words: false });
        for query in ["partials=true", "partials=often"] {
            let refused = sound(Some("audio/wav"), query).expect_err("a file");
            assert_eq!(refused.code(), "invalid_value", "{query}");
        }
    }

    #[test]
    fn what_is_not_raw_is_a_file() {
        for kind in [
            None,
            Some("audio/wav"),
            Some("video/webm"),
            Some("application/ogg"),
        ] {
            let sound = sound(kind, "words=true").expect("a file");
            assert_eq!((sound.kind, sound.words), (SoundKind::Container, true));
        }
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        let code = |kind, query| sound(kind, query).expect_err("bad").code();
        for kind in [
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=a",
            "",
        ] {
            assert_eq!(code(Some(kind), ""), "unsupported_media_type", "{kind}");
        }
        for query in [
            "rate=0",
            "rate=fast",
            "rate=99999999999",
            "channels=0",
            "encoding=mulaw",
            "words=perhaps",
            "words=",
        ] {
            assert_eq!(code(Some("audio/pcm"), query), "invalid_value", "{query}");
        }
        assert_eq!(code(Some("audio/L16"), "encoding=f32le"), "invalid_value");
    }

    proptest! {
        #[test]
        fn samples_are_turned_around_however_they_are_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec(0..20_usize, 0..30),
        ) {
            let mut rest = Bytes::from(bytes.clone());
            let mut order = ByteOrder::Big(None);
            let mut turned = Vec::new();
            for cut in cuts {
                let piece = rest.split_to(cut.min(rest.len()));
                turned.extend_from_slice(&order.little(piece));
            }
            turned.extend_from_slice(&order.little(rest));
            let expected: Vec<u8> = bytes
                .chunks_exact(2)
                .flat_map(|sample| [sample[1], sample[0]])
                .collect();
            prop_assert_eq!(turned, expected);
        }
    }
}
