//! Sound on its way to the daemon.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::limits::HEAD_BYTES;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of any format, which its first bytes tell.
    File,
    /// Interleaved samples without a header, little endian.
    Raw {
        /// Frames a second, in Hz.
        rate: u32,
        /// Interleaved channels.
        channels: u16,
        /// Whether samples are floating point of 32 bits, or else signed 16 bits.
        float: bool,
    },
}

/// How sound is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// What is sent.
    pub kind: Kind,
    /// Whether the times of words are wanted.
    pub words: bool,
}

impl StreamOptions {
    pub(super) fn path(&self) -> String {
        let words = self.words;
        match self.kind {
            Kind::File => format!("/v1/audio/stream?words={words}"),
            Kind::Raw {
                rate,
                channels,
                float,
            } => {
                let encoding = if float { "f32le" } else { "s16le" };
                format!(
                    "/v1/audio/stream?words={words}&rate={rate}&channels={channels}\
                     &encoding={encoding}"
                )
            }
        }
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::File => "application/octet-stream",
            Kind::Raw { .. } => "audio/pcm",
        }
    }
}

/// The body that is read from `source` as the daemon takes it.
pub(super) fn body(
    source: impl AsyncRead + Send + 'static,
) -> impl Body<Data = Bytes, Error = std::io::Error> + Send + 'static {
    let source: Pin<Box<dyn AsyncRead + Send>> = Box::pin(source);
    let pieces = stream::unfold(Some(source), |source| async move {
        let mut source = source?;
        let mut piece = BytesMut::with_capacity(HEAD_BYTES);
        match source.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Frame::data(piece.freeze())), Some(source))),
            Err(error) => Some((Err(error), None)),
        }
    });
    StreamBody::new(pieces)
}
