//! An answer line by line.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::ClientError;
use crate::events::StreamLine;

/// Most bytes of a line: a segment with all its words has less than a tenth of it.
const LINE_BYTES: usize = 1 << 20;

/// Cuts a body into lines.
#[derive(Debug)]
pub(super) struct LineReader {
    body: Incoming,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line's end.
    searched: usize,
}

impl LineReader {
    pub(super) fn new(body: Incoming) -> LineReader {
        LineReader {
            body,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next line without its end; none after the last.
    pub(super) async fn line(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let rest = &self.buffer[self.searched..];
            if let Some(place) = rest.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + place);
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line.freeze()));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE_BYTES {
                return Err(ClientError::Malformed { what: "line" });
            }
            let Some(frame) = self.body.frame().await else {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(ClientError::BrokeOff),
                };
            };
            let frame = frame.map_err(ClientError::broken)?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

/// The lines of a stream's answer, as they come.
#[derive(Debug)]
pub struct Lines {
    lines: LineReader,
    is_over: bool,
}

impl Lines {
    pub(super) fn new(body: Incoming) -> Lines {
        Lines {
            lines: LineReader::new(body),
            is_over: false,
        }
    }

    /// The next line; none after [`StreamLine::Done`].
    ///
    /// # Errors
    ///
    /// When the daemon gives up in the middle ([`ClientError::Refused`]), or the connection
    /// breaks. There is nothing after an error.
    pub async fn next(&mut self) -> Result<Option<StreamLine>, ClientError> {
        if self.is_over {
            return Ok(None);
        }
        let line = self.line().await;
        self.is_over = matches!(
            line,
            Err(_) | Ok(StreamLine::Done { .. } | StreamLine::Error { .. })
        );
        match line? {
            StreamLine::Error { error } => Err(ClientError::Refused {
                status: 200,
                error: Box::new(error),
                request_id: None,
                retry_after: None,
            }),
            line => Ok(Some(line)),
        }
    }

    async fn line(&mut self) -> Result<StreamLine, ClientError> {
        let line = self.lines.line().await?.ok_or(ClientError::BrokeOff)?;
        serde_json::from_slice(&line).map_err(|_| ClientError::Malformed { what: "line" })
    }
}
