//! `/v1/audit`: the log of who did what, for auditors.
//!
//! Reading takes the secret keys, which the TPM gives to a device in an approved state, and is
//! done on threads of its own. Verifying takes none.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use earnest_audit::{
    Device, Entry, Head, Pseudonyms, ReadError, Reader, SecretKey, VerifyError, cef, ocsf, verify,
};
use earnest_policy::{Audit, See};
use earnest_telemetry::{Action, ChainDigest};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Uri};
use serde_json::json as value;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::answer::encode;
use crate::caller::{OverUnix, Permitted};
use crate::changes::act;
use crate::drive::drive;
use crate::house::{AnchorError, AnchoredHead, AuditKeys, AuditKeysError};
use crate::json::json;
use crate::record::{Bill, request_id};
use crate::refusal::Refusal;
use crate::shapes::{AuditLine, ExportFormat, HeadEntry, ReportAnswer, VerificationAnswer};
use crate::shared::Shared;

/// Bytes of lines that are sent together.
const PIECE_BYTES: usize = 16 << 10;

/// Pieces that may wait for the caller to take them.
const PIECES: usize = 4;

/// `GET /v1/audit?after=N`.
pub(crate) async fn entries(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Audit>,
    bill: Bill,
    uri: Uri,
) -> Result<Response, Refusal> {
    let after = match parameter(&uri, "after") {
        None => 0,
        Some(number) => number.parse().map_err(|_| Refusal::Invalid {
            param: "after",
            expected: "the number of an entry",
        })?,
    };
    act(&shared, &bill, permit.uid(), Action::ReadAudit).await?;
    let reader = reader(&shared).await?;
    let mut last = after;
    let line = move |entry: Result<Entry, ReadError>| {
        let line = match &entry {
            Ok(entry) => told(entry),
            Err(error) => unreadable(last, error),
        };
        last = line.sequence;
        encode(&line)
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    let body = lines(reader.log, after, line, bill);
    Ok(([(CONTENT_TYPE, kind)], body).into_response())
}

/// `GET /v1/audit/export?format=…`.
pub(crate) async fn export(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Audit>,
    bill: Bill,
    uri: Uri,
) -> Result<Response, Refusal> {
    let format = parameter(&uri, "format").unwrap_or("ocsf");
    let format: ExportFormat = format.parse().map_err(|_| Refusal::Invalid {
        param: "format",
        expected: "'ocsf' or 'cef'",
    })?;
    act(&shared, &bill, permit.uid(), Action::ExportAudit).await?;
    let reader = reader(&shared).await?;
    let name = shared.house.proof().device;
    let name = name.unwrap_or_else(|| "this device".to_owned());
    let version = shared.version.clone();
    let line = move |entry: Result<Entry, ReadError>| {
        let device = Device {
            name: &name,
            version: &version,
        };
        match (entry, format) {
            (Ok(entry), ExportFormat::Ocsf) => encode(&ocsf(&entry, &reader.pseudonyms, device)),
            (Ok(entry), ExportFormat::Cef) => cef(&entry, &reader.pseudonyms, device),
            // What cannot be read is told by verifying. Here it would be no event.
            (Err(error), _) => {
                tracing::warn!(%error, "a part of the audit log is not exported");
                String::new()
            }
        }
    };
    let kind = HeaderValue::from_static(match format {
        ExportFormat::Ocsf => "application/x-ndjson",
        ExportFormat::Cef => "text/plain; charset=utf-8",
    });
    let body = lines(reader.log, 0, line, bill);
    Ok(([(CONTENT_TYPE, kind)], body).into_response())
}

/// `GET /v1/audit/verification`.
pub(crate) async fn verification(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<Audit>,
    bill: Bill,
) -> Result<Response, Refusal> {
    act(&shared, &bill, permit.uid(), Action::VerifyAudit).await?;
    let (anchored, lost) = match shared.house.anchored().await {
        Ok(anchored) => (anchored, None),
        Err(error @ AnchorError::Unavailable(_)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "no anchored head");
            return Err(Refusal::KeysUnavailable);
        }
        Err(error @ AnchorError::Damaged(_)) => (None, Some(error.to_string())),
    };
    let folder = shared.audit_folder.clone();
    let checked = spawn_blocking(move || verified(folder, anchored));
    let mut answer = checked.await.map_err(|_| Refusal::WorkerFailed)??;
    if let Some(lost) = lost {
        answer.intact = false;
        answer.damage = Some(match answer.damage {
            Some(damage) => format!("{lost}; {damage}"),
            None => lost,
        });
    }
    Ok(json(&answer))
}

/// `GET /v1/report`: what this device did, in counts. Operators may have it, too: no name is in
/// it, and no time finer than a day.
pub(crate) async fn report(
    _: OverUnix,
    State(shared): State<Arc<Shared>>,
    Permitted(permit): Permitted<See>,
    bill: Bill,
) -> Result<Response, Refusal> {
    act(&shared, &bill, permit.uid(), Action::Report).await?;
    let reader = reader(&shared).await?;
    let summing = spawn_blocking(move || {
        let mut report = ReportAnswer::default();
        // What cannot be read is told by verifying, and cannot be counted.
        reader
            .log
            .after(0)
            .flatten()
            .for_each(|entry| report.add(&entry));
        report
    });
    let report = summing.await.map_err(|_| Refusal::WorkerFailed)?;
    Ok(json(&report))
}

/// The log, and what it takes to read and to export it.
struct Opened {
    log: Reader,
    pseudonyms: Pseudonyms,
}

async fn reader(shared: &Shared) -> Result<Opened, Refusal> {
    let keys = shared.house.audit_keys().await;
    let AuditKeys {
        folder,
        keys,
        pseudonyms,
    } = keys.map_err(|error| {
        let AuditKeysError::Unavailable(_) = &error;
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the log stays closed"
        );
        Refusal::KeysUnavailable
    })?;
    let keys: Vec<SecretKey> = keys.iter().map(|key| SecretKey::from_bytes(key)).collect();
    let opened = spawn_blocking(move || Reader::open(&folder, &keys)).await;
    match opened {
        Ok(Ok(log)) => Ok(Opened {
            log,
            pseudonyms: Pseudonyms::new(&pseudonyms),
        }),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the log cannot be read");
            Err(Refusal::KeysUnavailable)
        }
        Err(_) => Err(Refusal::WorkerFailed),
    }
}

/// A body of the lines that `line` makes of entries. They are read as the caller takes them, one
/// segment of the log at a time, and no more once it has gone.
fn lines(
    log: Reader,
    after: u64,
    mut line: impl FnMut(Result<Entry, ReadError>) -> String + Send + 'static,
    bill: Bill,
) -> Body {
    let (sender, mut pieces) = mpsc::channel::<String>(PIECES);
    spawn_blocking(move || {
        let mut piece = String::with_capacity(PIECE_BYTES);
        for entry in log.after(after) {
            let line = line(entry);
            if line.is_empty() {
                continue;
            }
            piece.push_str(&line);
            piece.push('\n');
            if piece.len() >= PIECE_BYTES
                && sender.blocking_send(std::mem::take(&mut piece)).is_err()
            {
                return;
            }
        }
        let _ = sender.blocking_send(piece);
    });
    drive(None, move |body| async move {
        // The account is open until the last line is sent.
        let _bill = bill;
        while let Some(piece) = pieces.recv().await {
            body.send(piece).await;
        }
    })
}

fn told(entry: &Entry) -> AuditLine {
    AuditLine {
        sequence: entry.sequence,
        wall_milliseconds: entry.wall_milliseconds,
        boot_milliseconds: entry.boot_milliseconds,
        request: entry.request.map(request_id),
        times: entry.times,
        text: entry.event.to_string(),
        event: serde_json::to_value(&entry.event).unwrap_or_default(),
    }
}

fn unreadable(after: u64, error: &ReadError) -> AuditLine {
    AuditLine {
        sequence: after,
        wall_milliseconds: 0,
        boot_milliseconds: 0,
        request: None,
        times: 1,
        // It names a segment and an entry by numbers, and perhaps a file of the log's own.
        text: error.to_string(),
        event: value!({"event": "unreadable"}),
    }
}

fn verified(
    folder: PathBuf,
    anchored: Option<AnchoredHead>,
) -> Result<VerificationAnswer, Refusal> {
    let anchor = anchored.map(|head| Head {
        sequence: head.sequence,
        digest: ChainDigest(head.digest),
    });
    let anchored = anchor.map(head);
    match verify(&folder, anchor) {
        Ok(verified) => Ok(VerificationAnswer {
            intact: true,
            entries: verified.entries,
            segments: u64::from(verified.segments),
            head: Some(head(verified.head)),
            anchored,
            damage: None,
        }),
        Err(VerifyError::Damaged(damage)) => Ok(VerificationAnswer {
            intact: false,
            entries: damage.entries,
            segments: u64::from(damage.segments),
            head: Some(head(damage.head)),
            anchored,
            damage: Some(damage.to_string()),
        }),
        Err(VerifyError::Read(error)) => {
            tracing::warn!(%error, "the log cannot be verified");
            Err(Refusal::KeysUnavailable)
        }
    }
}

fn head(head: Head) -> HeadEntry {
    HeadEntry {
        sequence: head.sequence,
        digest: head.digest.to_string(),
    }
}

/// The value of a parameter in the query.
pub(crate) fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_name() {
        let uri = Uri::from_static("/v1/audit?a=b&after=7&after=8");
        assert_eq!(parameter(&uri, "after"), Some("7"));
        assert_eq!(parameter(&uri, "format"), None);
    }
}
