//! What auditors ask, all of it with a second factor.

use http::Method;
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;

use super::lines::LineReader;
use super::{Client, ClientError, refused};
use crate::refusal::ErrorObject;
use crate::shapes::{AuditLine, ExportFormat, VerificationAnswer};

impl Client {
    /// The entries of the audit log after the one with the number `after`, oldest first; all of
    /// them after 0.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn audit(&self, after: u64) -> Result<AuditLines, ClientError> {
        self.lines(&format!("/v1/audit?after={after}")).await
    }

    /// Has the audit log verified, from its oldest entry to the head that the TPM holds.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn verify_audit(&self) -> Result<VerificationAnswer, ClientError> {
        self.get("/v1/audit/verification").await
    }

    /// The audit log as lines for an incident process, with pseudonyms in the place of
    /// applications' names.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn export_audit(&self, format: ExportFormat) -> Result<AuditLines, ClientError> {
        self.lines(&format!("/v1/audit/export?format={format}"))
            .await
    }

    async fn lines(&self, path: &str) -> Result<AuditLines, ClientError> {
        let request = self.request(Method::GET, path, Full::default())?;
        let response = self.send(request).await?;
        match response.status().is_success() {
            true => Ok(AuditLines::new(response.into_body())),
            false => Err(refused(response).await),
        }
    }
}

/// Lines of the audit log, as they come.
#[derive(Debug)]
pub struct AuditLines(LineReader);

/// The last line where the daemon gave up in the middle.
#[derive(Deserialize)]
struct BrokenOff {
    broken_off: ErrorObject,
}

impl AuditLines {
    fn new(body: Incoming) -> AuditLines {
        AuditLines(LineReader::new(body))
    }

    /// The next line as it stands, without its end; none after the last.
    ///
    /// # Errors
    ///
    /// When the daemon gives up in the middle, or the connection breaks.
    pub async fn next_line(&mut self) -> Result<Option<String>, ClientError> {
        let Some(line) = self.0.line().await? else {
            return Ok(None);
        };
        if let Ok(end) = serde_json::from_slice::<BrokenOff>(&line) {
            return Err(ClientError::Refused {
                status: 200,
                error: Box::new(end.broken_off.error),
                request_id: None,
                retry_after: None,
            });
        }
        let line = String::from_utf8(line.to_vec());
        line.map(Some)
            .map_err(|_| ClientError::Malformed { what: "line" })
    }

    /// The next entry of [`Client::audit`]; none after the last.
    ///
    /// # Errors
    ///
    /// When the daemon gives up in the middle, or the connection breaks.
    pub async fn next(&mut self) -> Result<Option<AuditLine>, ClientError> {
        let Some(line) = self.next_line().await? else {
            return Ok(None);
        };
        let entry = serde_json::from_str(&line);
        entry
            .map(Some)
            .map_err(|_| ClientError::Malformed { what: "line" })
    }
}
