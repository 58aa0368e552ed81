//! A multipart form, part by part, within bounds (RFC 7578).
//!
//! The parser is multer's. It bounds the form as a whole and leaves one thing to us: it would
//! keep as much as the whole form may have while it looks for the end of a part's head.
//! [`Claimed`] counts what it took and has not given, and ends the form there.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use multer::{Constraints, Field, Multipart, SizeLimit};

use crate::body::BodyFault;
use crate::limits::{FIELD_BYTES, FORM_OVERHEAD, FORM_PARTS};
use crate::refusal::Refusal;

/// Most bytes that the parser may keep to itself: what one read of a connection gives several
/// times over, and a thousand times what the head of a part needs.
const UNCLAIMED_BYTES: u64 = 1 << 20;

/// Most characters of a boundary (RFC 2046, section 5.1.1).
const BOUNDARY: usize = 70;

/// A form that is being read.
#[derive(Debug)]
pub(crate) struct Form {
    multipart: Multipart<'static>,
    unclaimed: Arc<AtomicU64>,
    parts: usize,
}

/// One part of it.
#[derive(Debug)]
pub(crate) struct Part {
    field: Field<'static>,
    name: String,
    unclaimed: Arc<AtomicU64>,
}

impl Form {
    /// The form in a request's body, whose file may have `file_bytes`.
    ///
    /// # Errors
    ///
    /// When the head says that there is no form, or that it is too large.
    pub(crate) fn new(headers: &HeaderMap, body: Body, file_bytes: u64) -> Result<Form, Refusal> {
        let whole = file_bytes.saturating_add(FORM_OVERHEAD);
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let length = length.and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > whole) {
            return Err(Refusal::TooLarge);
        }
        let unclaimed = Arc::new(AtomicU64::new(0));
        let stream = Claimed {
            stream: body.into_data_stream(),
            unclaimed: Arc::clone(&unclaimed),
        };
        let limit = SizeLimit::new().whole_stream(whole);
        let constraints = Constraints::new().size_limit(limit);
        Ok(Form {
            multipart: Multipart::with_constraints(stream, boundary(headers)?, constraints),
            unclaimed,
            parts: 0,
        })
    }

    /// The next part; what was not read of the one before is passed over.
    ///
    /// # Errors
    ///
    /// When the form is broken or goes past a bound.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, Refusal> {
        let field = self.multipart.next_field().await.map_err(refusal)?;
        self.unclaimed.store(0, Ordering::Relaxed);
        let Some(field) = field else {
            return Ok(None);
        };
        self.parts += 1;
        if self.parts > FORM_PARTS {
            return Err(Refusal::TooLarge);
        }
        let name = field.name().ok_or(Refusal::MalformedForm)?.to_owned();
        Ok(Some(Part {
            field,
            name,
            unclaimed: Arc::clone(&self.unclaimed),
        }))
    }
}

impl Part {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The next bytes of it.
    ///
    /// # Errors
    ///
    /// When the form is broken or goes past a bound.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Refusal> {
        let chunk = self.field.chunk().await.map_err(refusal)?;
        self.unclaimed.store(0, Ordering::Relaxed);
        Ok(chunk)
    }

    /// All of it, as text.
    ///
    /// # Errors
    ///
    /// When it is too long or no UTF-8, or the form is broken.
    pub(crate) async fn text(mut self) -> Result<String, Refusal> {
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if (text.len() + chunk.len()) as u64 > FIELD_BYTES {
                return Err(Refusal::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).map_err(|_| Refusal::MalformedForm)
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.ok_or(Refusal::UnsupportedMediaType)?;
    let essence = kind.split(';').next().unwrap_or(kind).trim();
    if !essence.eq_ignore_ascii_case("multipart/form-data") {
        return Err(Refusal::UnsupportedMediaType);
    }
    let boundary = multer::parse_boundary(kind).map_err(|_| Refusal::MalformedForm)?;
    match (1..=BOUNDARY).contains(&boundary.len()) {
        true => Ok(boundary),
        false => Err(Refusal::MalformedForm),
    }
}

/// The body of the form, and how much of it the parser keeps to itself.
struct Claimed {
    stream: BodyDataStream,
    unclaimed: Arc<AtomicU64>,
}

/// The parser keeps too much to itself.
#[derive(Debug, thiserror::Error)]
#[error("a part's head has more than {UNCLAIMED_BYTES} bytes")]
struct Unclaimed;

impl Stream for Claimed {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match Pin::new(&mut self.stream).poll_next(context) {
            Poll::Ready(next) => next,
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(next.map(|piece| {
            let piece = piece?;
            let bytes = piece.len() as u64;
            let kept = self.unclaimed.fetch_add(bytes, Ordering::Relaxed);
            match kept > UNCLAIMED_BYTES {
                true => Err(Unclaimed.into()),
                false => Ok(piece),
            }
        }))
    }
}

/// What the caller is told of the parser's error.
fn refusal(error: multer::Error) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            Refusal::TooLarge
        }
        multer::Error::StreamReadFailed(error) => {
            // The fault is wrapped by each layer that it came through.
            let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
            while let Some(error) = cause {
                if let Some(fault) = error.downcast_ref::<BodyFault>() {
                    return (*fault).into();
                }
                cause = error.source();
            }
            Refusal::MalformedForm
        }
        _ => Refusal::MalformedForm,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(kind: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).expect("a value"));
        headers
    }

    async fn read(kind: &str, body: Vec<u8>) -> Result<Vec<(String, String)>, Refusal> {
        let mut form = Form::new(&headers(kind), Body::from(body), 1 << 10)?;
        let mut parts = Vec::new();
        while let Some(part) = form.next().await? {
            let name = part.name().to_owned();
            parts.push((name, part.text().await?));
        }
        Ok(parts)
    }

    const KIND: &str = "multipart/form-data; boundary=XX";

    fn code(result: Result<Vec<(String, String)>, Refusal>) -> &'static str {
        result.expect_err("a bad form").code()
    }

    fn part(name: &str, value: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    #[tokio::test]
    async fn parts_are_read_in_order() {
        let body = format!("{}{}--XX--\r\n", part("model", "m"), part("file", "a\r\nb"));
        let parts = read(KIND, body.into_bytes()).await.expect("a good form");
        let expected = [("model", "m"), ("file", "a\r\nb")];
        assert_eq!(
            parts,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[tokio::test]
    async fn broken_forms_are_refused_and_say_how() {
        let table: [(&str, &[u8], &str); 12] = [
            ("text/plain", b"", "unsupported_media_type"),
            (
                "multipart/mixed; boundary=XX",
                b"",
                "unsupported_media_type",
            ),
            (
                "application/x-www-form-urlencoded",
                b"model=a",
                "unsupported_media_type",
            ),
            ("multipart/form-data", b"", "malformed_form"),
            ("multipart/form-data; boundary=", b"", "malformed_form"),
            (KIND, b"", "malformed_form"),
            (KIND, b"--XX", "malformed_form"),
            (KIND, b"no boundary at all", "malformed_form"),
            (KIND, b"--XX\r\n\r\nno head\r\n--XX--\r\n", "malformed_form"),
            (
                KIND,
                b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno end",
                "malformed_form",
            ),
            (
                KIND,
                b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--XX--\r\n",
                "malformed_form",
            ),
            (
                KIND,
                b"--XX\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--XX--\r\n",
                "malformed_form",
            ),
        ];
        for (kind, body, expected) in table {
            let body_text = String::from_utf8_lossy(body);
            assert_eq!(
                code(read(kind, body.to_vec()).await),
                expected,
                "{kind} {body_text}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused() {
        let long = part("prompt", &"x".repeat(FIELD_BYTES as usize + 1));
        let many: String = (0..=FORM_PARTS).map(|_| part("a", "b")).collect();
        let whole = part("a", &"x".repeat(FORM_OVERHEAD as usize + (2 << 10)));
        for body in [long, many, whole] {
            let body = format!("{body}--XX--\r\n").into_bytes();
            assert_eq!(code(read(KIND, body).await), "too_large");
        }
        let mut headers = headers(KIND);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("9999999999"));
        let refused = Form::new(&headers, Body::empty(), 1 << 10).expect_err("too large");
        assert_eq!(refused, Refusal::TooLarge);
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_not_kept() {
        let pieces = (0..).map(|_| Ok::<_, BodyFault>(Bytes::from(vec![b'x'; 64 << 10])));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        // The form as a whole might have far more.
        let mut form = Form::new(&headers(KIND), body, 1 << 40).expect("a good head");
        assert_eq!(
            form.next().await.expect_err("no head"),
            Refusal::MalformedForm
        );
    }

    #[tokio::test]
    async fn a_slow_body_is_told_from_a_broken_form() {
        let slow = futures_util::stream::iter([Err::<Bytes, _>(BodyFault::TooSlow)]);
        let mut form =
            Form::new(&headers(KIND), Body::from_stream(slow), 1 << 10).expect("a good head");
        assert_eq!(form.next().await.expect_err("slow"), Refusal::TooSlow);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            kind in prop_oneof![Just(KIND.to_owned()), "multipart/form-data; ?boundary=.{0,80}"],
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just(b"--XX".to_vec()),
                    Just(b"\r\n".to_vec()),
                    Just(b"--".to_vec()),
                    Just(b"Content-Disposition: form-data; name=\"a\"\r\n\r\n".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..40),
                ],
                0..20,
            ),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime");
            prop_assume!(HeaderValue::from_str(&kind).is_ok());
            if let Err(refusal) = runtime.block_on(read(&kind, pieces.concat())) {
                prop_assert!(refusal.status().is_client_error());
            }
        }
    }
}
