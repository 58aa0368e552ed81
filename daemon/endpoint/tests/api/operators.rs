//! What operators do, each time with a second factor.

use std::sync::atomic::Ordering;

use earnest_endpoint::client::ClientError;
use earnest_endpoint::shapes::{AppRequest, KeyKind, LimitsWish};
use earnest_telemetry::Event;

use crate::house::Daemon;
use crate::http::{get, request};
use crate::{daemon, setting};

/// An application of whoever runs this test.
pub(crate) fn app(name: &str, scopes: &[&str]) -> AppRequest {
    AppRequest {
        name: name.to_owned(),
        uids: vec![nix::unistd::geteuid().as_raw()],
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        limits: LimitsWish {
            burst: Some(1_000),
            ..LimitsWish::default()
        },
        commands: None,
    }
}

pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
    let error = answer.expect_err("a refusal");
    error.code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn nothing_is_changed_without_a_second_factor_and_each_code_works_once() {
    let daemon = daemon().await;
    let notes = app("notes", &["transcribe"]);
    let bare = daemon.client();
    assert_eq!(code(bare.add_app(&notes).await), "second_factor_required");
    let authenticator = daemon.enrolled().await;
    assert_eq!(code(bare.add_app(&notes).await), "second_factor_required");
    let wrong = daemon.client().with_second_factor("000000");
    let wrong = wrong.expect("six digits");
    assert_eq!(code(wrong.add_app(&notes).await), "second_factor_refused");
    let client = daemon.with_code(&authenticator);
    let added = client.add_app(&notes).await.expect("an operator");
    assert_eq!(
        (added.name.as_str(), added.state.as_str()),
        ("notes", "active")
    );
    assert_eq!(
        (added.limits.burst, added.limits.per_minute),
        (1_000, 6_000)
    );
    // The code of before, for anything.
    assert_eq!(
        code(client.revoke_app("notes").await),
        "second_factor_refused"
    );
    assert_eq!(bare.apps().await.expect("an operator").len(), 1);
    assert!(daemon.house.saved.load(Ordering::SeqCst) > 0);
    daemon.recorded("application added (notes)").await;
    daemon.recorded("replayed").await;
}

#[tokio::test]
async fn another_second_factor_takes_a_code_of_the_one_before() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let refused = daemon.client().enrol().await.map(|_| ());
    assert_eq!(code(refused), "second_factor_required");
    let shown = daemon.with_code(&authenticator).enrol().await;
    assert!(shown.expect("a secret").uri.starts_with("otpauth://totp/"));
    let wrong = daemon.client().confirm("000000").await;
    assert_eq!(code(wrong), "second_factor_refused");
    daemon.recorded("refused: second_factor_refused").await;
}

#[tokio::test]
async fn who_is_no_operator_learns_nothing_of_second_factors() {
    let mut setting = setting();
    setting.operators = Vec::new();
    setting.auditors = Vec::new();
    let daemon = Daemon::start(setting).await;
    let client = daemon.client().with_second_factor("123456");
    let client = client.expect("six digits");
    let notes = app("notes", &["transcribe"]);
    assert_eq!(code(client.add_app(&notes).await), "invalid_credentials");
    assert_eq!(
        code(client.enrol().await.map(|_| ())),
        "invalid_credentials"
    );
    assert_eq!(
        code(client.audit(0).await.map(|_| ())),
        "invalid_credentials"
    );
}

#[tokio::test]
async fn what_operators_do_is_not_there_over_loopback() {
    let daemon = daemon().await;
    let host = daemon.address.to_string();
    for (method, path) in [
        ("POST", "/v1/apps"),
        ("DELETE", "/v1/apps/notes"),
        ("POST", "/v1/apps/notes/certificates"),
        ("PUT", "/v1/command-lists/kitchen"),
        ("POST", "/v1/keys/rotate"),
        ("POST", "/v1/operators/enrol"),
        ("POST", "/v1/alerts/1/release"),
        ("POST", "/v1/browser-links"),
        ("GET", "/v1/audit"),
        ("GET", "/v1/audit/export"),
        ("GET", "/v1/audit/verification"),
        ("GET", "/v1/report"),
        // Without TLS, a cookie would be anybody's.
        ("GET", "/"),
        ("GET", "/status.css"),
        ("GET", "/open?code=abc"),
    ] {
        let asked = request(method, path, &[("host", &host)], "");
        let answer = daemon.ask_port(asked).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_grant_that_is_not_saved_is_taken_back_and_a_revocation_stays() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let notes = app("notes", &["transcribe"]);
    let client = daemon.with_code(&authenticator);
    client.add_app(&notes).await.expect("it is saved");
    // The second factor is saved before anything else, so the disk fails from the next save on.
    daemon.fail_after(1);
    let client = daemon.with_code(&authenticator);
    let other = app("other", &["vad"]);
    assert_eq!(code(client.add_app(&other).await), "state_unavailable");
    assert!(
        daemon
            .house
            .policy
            .apps()
            .iter()
            .all(|app| app.name.as_str() != "other")
    );
    daemon.fail_after(1);
    let client = daemon.with_code(&authenticator);
    assert_eq!(code(client.revoke_app("notes").await), "state_unavailable");
    assert!(!daemon.house.policy.apps()[0].is_active());
}

#[tokio::test]
async fn a_certificate_is_signed_and_pinned() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    client
        .add_app(&app("notes", &["transcribe"]))
        .await
        .expect("an operator");
    let request = "-----BEGIN CERTIFICATE REQUEST-----";
    let client = daemon.with_code(&authenticator);
    let signed = client
        .certify_app("notes", request)
        .await
        .expect("it signs");
    assert_eq!(signed.certificate, "the certificate of notes");
    assert_eq!(signed.fingerprint, "ab".repeat(32));
    let apps = daemon.client().apps().await.expect("an operator");
    assert_eq!(apps[0].certificates[0].fingerprint, signed.fingerprint);
    let client = daemon.with_code(&authenticator);
    assert_eq!(
        code(client.certify_app("notes", "else").await),
        "invalid_value"
    );
    let client = daemon.with_code(&authenticator);
    assert_eq!(
        code(client.certify_app("none", request).await),
        "app_not_found"
    );
    // The same key pair cannot prove two applications.
    let client = daemon.with_code(&authenticator);
    assert_eq!(code(client.certify_app("notes", request).await), "conflict");
}

#[tokio::test]
async fn keys_are_rotated_and_a_browser_needs_tls() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    let rotated = client.rotate_keys(KeyKind::All, true).await;
    assert_eq!(rotated.expect("an operator").rotated.len(), 5);
    let client = daemon.with_code(&authenticator);
    assert_eq!(code(client.browser_link().await), "conflict");
}

#[tokio::test]
async fn a_closed_gate_seals_what_operators_change() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    daemon.house.policy.forget();
    let client = daemon.with_code(&authenticator);
    let notes = app("notes", &["transcribe"]);
    assert_eq!(code(client.add_app(&notes).await), "device_not_proven");
    assert_eq!(code(client.apps().await), "device_not_proven");
    let review = daemon.client().access_review().await;
    assert!(review.expect("an operator").sealed);
}

#[tokio::test]
async fn a_review_says_who_may_do_what() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    client
        .add_app(&app("notes", &["transcribe", "listen"]))
        .await
        .expect("an operator");
    let review = daemon.client().access_review().await.expect("an operator");
    let rights = |kind: &str| {
        let of_kind = review.rights.iter().filter(|right| right.kind == kind);
        of_kind.map(|right| right.who.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rights("app"), ["notes"]);
    assert_eq!(rights("operator").len(), 1);
    let reasons: Vec<_> = review.findings.iter().map(|one| &one.reason).collect();
    assert!(
        reasons
            .iter()
            .any(|reason| *reason == "transcribe_and_listen")
    );
}

#[tokio::test]
async fn a_quarantine_holds_until_an_operator_releases_it() {
    let mut setting = setting();
    setting.thresholds = earnest_anomaly::Thresholds::default();
    let daemon = Daemon::start(setting).await;
    let authenticator = daemon.enrolled().await;
    let host = daemon.address.to_string();
    let headers = [
        ("host", host.as_str()),
        ("authorization", "Bearer earnest-guess"),
    ];
    let mut guesses = 0;
    while daemon
        .client()
        .alerts()
        .await
        .expect("an operator")
        .is_empty()
    {
        guesses += 1;
        assert!(guesses < 1_000, "nobody sees it");
        daemon
            .ask_port(request("GET", "/v1/models", &headers, ""))
            .await;
    }
    // It goes on, until the daemon hears no more of it.
    let held = loop {
        let alerts = daemon.client().alerts().await.expect("an operator");
        if alerts.iter().any(|alert| alert.level == "quarantine") {
            break alerts;
        }
        guesses += 1;
        assert!(guesses < 1_000, "{alerts:?}");
        daemon
            .ask_port(request("GET", "/v1/models", &headers, ""))
            .await;
    };
    assert_eq!(held[0].kind, "guessing");
    let sound = [("content-type", "audio/wav")];
    let ask = || request("POST", "/v1/audio/stream", &sound, "say 0 1 a\n");
    let answer = daemon.ask(ask()).await;
    assert_eq!(answer.refusal(), (429, "quarantined".to_owned()));
    let client = daemon.with_code(&authenticator);
    client.release(held[0].id).await.expect("an operator");
    assert_eq!(daemon.ask(ask()).await.status, 200);
    let client = daemon.with_code(&authenticator);
    assert_eq!(code(client.release(99).await), "alert_not_found");
    let events = daemon.telemetry.recent();
    let released = |event: &Event| matches!(event, Event::Released { .. });
    assert!(events.iter().any(|one| released(&one.event)));
}

#[tokio::test]
async fn paths_that_are_no_names_lead_nowhere() {
    let daemon = daemon().await;
    for path in [
        "/v1/apps/../status",
        "/v1/apps/%2e%2e",
        "/v1/../v1/apps",
        "//v1/apps",
    ] {
        let answer = daemon.ask(request("DELETE", path, &[], "")).await;
        assert!(matches!(answer.status, 401 | 404 | 405), "{answer:?}");
    }
    let answer = daemon.ask(get("/v1/apps/../../etc/passwd")).await;
    assert_eq!(answer.status, 404);
}
