//! What can go wrong between `earnest` and the daemon.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::refusal::ErrorDetail;

/// Why the daemon was not asked, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon is there, or it may not be reached.
    #[error("cannot connect to {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("the daemon did not answer within {limit:?}")]
    Late {
        /// How long it had.
        limit: Duration,
    },
    /// The connection broke, or the sound could not be read, or what came is no HTTP.
    #[error("the connection to the daemon broke")]
    Broken {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What came, or was to be sent, is not what it should be.
    #[error("malformed: {what}")]
    Malformed {
        /// What it should be.
        what: &'static str,
    },
    /// The answer ended before its end.
    #[error("the answer of the daemon broke off")]
    BrokeOff,
    /// The daemon refused.
    #[error("the daemon refused: {}", error.message)]
    Refused {
        /// The status; 200 where it refused in the middle of an answer.
        status: u16,
        /// What it said.
        error: Box<ErrorDetail>,
        /// The number under which it was recorded.
        request_id: Option<String>,
        /// After which time it makes sense to ask again.
        retry_after: Option<Duration>,
    },
}

impl ClientError {
    /// The stable code of a refusal: `device_not_proven`, say.
    pub fn code(&self) -> Option<&str> {
        match self {
            ClientError::Refused { error, .. } => error.code.as_deref(),
            _ => None,
        }
    }

    /// Whether there is no daemon at all: no socket, or nobody behind it.
    pub fn is_absent(&self) -> bool {
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
        match self {
            ClientError::Connect { source, .. } => absent.contains(&source.kind()),
            _ => false,
        }
    }

    pub(crate) fn broken(source: hyper::Error) -> ClientError {
        ClientError::Broken {
            source: Box::new(source),
        }
    }
}
