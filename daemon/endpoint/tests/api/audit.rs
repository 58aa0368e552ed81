//! What is written down, and who reads it.

use earnest_audit::verify;
use earnest_endpoint::AnchoredHead;
use earnest_endpoint::shapes::ExportFormat;

use crate::daemon;
use crate::http::{request, upload};
use crate::operators::code;

const MODEL: (&str, &str) = ("model", "whisper-1");
const FILE: (&str, &str) = ("file", "say 0 1000 Hello.\n");
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn auditors_read_who_did_what_and_not_what_was_said() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let answer = daemon.ask(upload(&[MODEL, FILE])).await;
    let id = answer.header("x-request-id").to_owned();
    assert_eq!(
        code(daemon.client().audit(0).await.map(|_| ())),
        "second_factor_required"
    );
    let client = daemon.with_code(&authenticator);
    daemon.recorded("ended").await;
    let mut lines = client.audit(0).await.expect("an auditor");
    let mut entries = Vec::new();
    while let Some(entry) = lines.next().await.expect("a line") {
        assert!(!entry.text.contains("Hello"), "{entry:?}");
        entries.push(entry);
    }
    let of_request = entries
        .iter()
        .filter(|entry| entry.request.as_ref() == Some(&id));
    let kinds: Vec<_> = of_request.map(|entry| &entry.event["event"]).collect();
    assert_eq!(kinds, ["request_begun", "request_ended"]);
    let actions = entries
        .iter()
        .filter(|entry| entry.event["action"] == "read_audit");
    assert_eq!(actions.count(), 1, "reading is written down, too");
    let last = entries.last().expect("entries").sequence;
    let client = daemon.with_code(&authenticator);
    let mut later = client.audit(last).await.expect("an auditor");
    let next = later.next().await.expect("a line").expect("newer ones");
    assert_eq!(next.sequence, last + 1);
}

#[tokio::test]
async fn a_log_is_verified_up_to_what_the_tpm_holds() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    let verified = client.verify_audit().await.expect("an auditor");
    assert!(
        verified.intact && verified.anchored.is_some(),
        "{verified:?}"
    );
    let head = daemon.house.audit.head();
    *daemon.house.anchor.lock().expect("it is free") = Some(AnchoredHead {
        sequence: head.sequence + 1_000,
        digest: head.digest.0,
    });
    let client = daemon.with_code(&authenticator);
    let verified = client.verify_audit().await.expect("an auditor");
    assert!(
        !verified.intact && verified.damage.is_some(),
        "{verified:?}"
    );
    assert!(verify(&daemon.house.audit_folder, None).is_ok());
}

#[tokio::test]
async fn exports_have_pseudonyms_and_reports_have_no_names_at_all() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let token = daemon.client().issue_token("notes").await.expect("a token");
    let bearer = daemon.client().with_token(&token.token).expect("a header");
    bearer.models().await.expect("an application");
    for format in [ExportFormat::Ocsf, ExportFormat::Cef] {
        let client = daemon.with_code(&authenticator);
        let mut lines = client.export_audit(format).await.expect("an auditor");
        let mut all = String::new();
        while let Some(line) = lines.next_line().await.expect("a line") {
            all.push_str(&line);
        }
        assert!(all.contains("app-") && !all.contains("notes"), "{all}");
    }
    let report = daemon.client().report().await.expect("an operator");
    assert!(report.entries > 0 && report.sum.requests > 0);
    let json = serde_json::to_string(&report).expect("JSON");
    assert!(!json.contains("notes"), "{json}");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    daemon.house.audit.close();
    let answer = daemon.ask(upload(&[MODEL, FILE])).await;
    assert_eq!(answer.refusal(), (503, "audit_unavailable".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    let token = daemon.client().issue_token("notes").await;
    assert_eq!(code(token), "audit_unavailable");
    let client = daemon.with_code(&authenticator);
    let app = crate::operators::app("notes", &["vad"]);
    assert_eq!(code(client.add_app(&app).await), "audit_unavailable");
    assert!(daemon.house.policy.apps().is_empty());
    // An operator still sees how the device fares.
    assert!(daemon.client().status().await.is_ok());
    daemon.recorded("refused: audit_unavailable").await;
}

#[tokio::test]
async fn a_request_belongs_to_the_trace_that_it_names() {
    let daemon = daemon().await;
    let headers = [("traceparent", TRACE), ("tracestate", "a=Hello")];
    daemon.ask(request("GET", "/v1/models", &headers, "")).await;
    let events = daemon.telemetry.recent();
    let events = serde_json::to_string(&events).expect("JSON");
    assert!(
        events.contains("4bf92f3577b34da6a3ce929d0e0e4736"),
        "{events}"
    );
    assert!(!events.contains("Hello"), "{events}");
}
