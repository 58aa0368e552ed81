//! Who is refused, and how little that says.

use std::time::Duration;

use earnest_endpoint::Limits;
use proptest::prelude::*;

use crate::house::Daemon;
use crate::http::{FORM, form, get, is_server_error, raw, request, upload};
use crate::{daemon, setting};

const MODEL: (&str, &str) = ("model", "whisper-1");
const FILE: (&str, &str) = ("file", "say 0 1000 Hello.\n");

#[tokio::test]
async fn whoever_is_not_listed_gets_one_and_the_same_answer() {
    let mut setting = setting();
    setting.apps = vec![u32::MAX - 2];
    setting.operators = Vec::new();
    setting.auditors = Vec::new();
    let daemon = Daemon::start(setting).await;
    let mut faces = Vec::new();
    for request in [
        get("/v1/models"),
        get("/v1/models/whisper-1"),
        get("/v1/models/none"),
        get("/v1/status"),
        get("/v1/apps"),
        get("/v1/alerts"),
        get("/"),
        request("POST", "/v1/apps", &[], ""),
        request("POST", "/v1/browser-links", &[], ""),
        get("/v1/audit"),
        get("/openapi.json"),
        upload(&[MODEL, FILE]),
        upload(&[("model", "none")]),
        request("POST", "/v1/audio/stream", &[], "say 0 1 a\n"),
        request("POST", "/v1/audio/translations", &[], ""),
        request("POST", "/v1/token", &[], ""),
        request("POST", "/v1/token/renew", &[], ""),
        request("DELETE", "/v1/token", &[], ""),
    ] {
        let answer = daemon.ask(request).await;
        assert_eq!(answer.refusal(), (401, "invalid_credentials".to_owned()));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        faces.push(answer.face());
    }
    // Over loopback: without a token, and with a wrong one.
    let host = daemon.address.to_string();
    for authorization in [None, Some("Bearer earnest-wrong"), Some("Basic abc")] {
        let mut headers = vec![("host", host.as_str())];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let answer = daemon
            .ask_port(request("GET", "/v1/models", &headers, ""))
            .await;
        assert_eq!(answer.status, 401);
        faces.push(answer.face());
    }
    faces.dedup();
    assert_eq!(faces.len(), 1, "{faces:#?}");
    daemon.recorded("refused: not_listed").await;
    daemon.recorded("refused: no_token").await;
    daemon.recorded("refused: bad_token").await;
}

#[tokio::test]
async fn a_stranger_learns_up_or_down_and_no_more() {
    let mut setting = setting();
    setting.apps = Vec::new();
    let daemon = Daemon::start(setting).await;
    let up = daemon.ask(get("/health")).await;
    assert_eq!((up.status, up.body.as_str()), (200, r#"{"status":"up"}"#));
    daemon.house.tamper().await;
    let down = daemon.ask(get("/health")).await;
    assert_eq!(
        (down.status, down.body.as_str()),
        (503, r#"{"status":"down"}"#)
    );
}

#[tokio::test]
async fn a_closed_gate_serves_nothing_and_says_when_to_come_again() {
    let daemon = daemon().await;
    daemon.house.tamper().await;
    for request in [
        upload(&[MODEL, FILE]),
        request("POST", "/v1/audio/stream", &[], "say 0 1 a\n"),
    ] {
        let answer = daemon.ask(request).await;
        assert_eq!(answer.refusal(), (503, "device_not_proven".to_owned()));
        assert!(answer.header("retry-after").parse::<u64>().is_ok());
    }
    // What needs no model is there still, and tells an operator why.
    let status = daemon.ask(get("/v1/status")).await.json();
    assert_eq!(status["gate"]["state"], "closed");
    assert_eq!(status["gate"]["reason"], "measurement_changed");
    assert_eq!(daemon.ask(get("/v1/models")).await.status, 200);
    daemon.recorded("refused: gate_closed").await;
}

#[tokio::test]
async fn tokens_work_over_loopback_for_their_owner_until_they_are_taken_back() {
    let daemon = daemon().await;
    let token = daemon.client().issue_token("notes").await.expect("a token");
    let host = daemon.address.to_string();
    let bearer = format!("Bearer {}", token.token);
    let headers = [("host", host.as_str()), ("authorization", &bearer)];
    let answer = daemon
        .ask_port(request("GET", "/v1/models", &headers, ""))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    daemon.recorded(".notes)").await;
    // What is for the Unix socket alone is not there.
    for (method, path) in [
        ("POST", "/v1/token"),
        ("DELETE", "/v1/token"),
        ("POST", "/v1/token/renew"),
    ] {
        let answer = daemon.ask_port(request(method, path, &headers, "")).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    let status = daemon
        .ask_port(request("GET", "/v1/status", &headers, ""))
        .await;
    assert_eq!(status.refusal(), (401, "invalid_credentials".to_owned()));
    let client = daemon.client();
    client.renew_token(&token.token).await.expect("it is live");
    client.revoke_token(&token.token).await.expect("it is live");
    let gone = client.renew_token(&token.token).await.expect_err("gone");
    assert_eq!(gone.code(), Some("token_not_found"));
    let answer = daemon
        .ask_port(request("GET", "/v1/models", &headers, ""))
        .await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn names_of_other_machines_and_pages_from_elsewhere_are_refused() {
    let mut setting = setting();
    setting.origins = vec!["https://notes.example".to_owned()];
    let daemon = Daemon::start(setting).await;
    let host = daemon.address.to_string();
    let check = async |headers: &[(&str, &str)], expected: (u16, &str)| {
        let answer = daemon
            .ask_port(request("GET", "/health", headers, ""))
            .await;
        let found = match answer.status {
            200 => (200, String::new()),
            _ => answer.refusal(),
        };
        assert_eq!(found, (expected.0, expected.1.to_owned()), "{headers:?}");
    };
    let own = ("host", host.as_str());
    let port = daemon.address.port();
    check(&[own], (200, "")).await;
    check(&[("host", &format!("localhost:{port}"))], (200, "")).await;
    for foreign in ["example.com", "localhost", &format!("example.com:{port}")] {
        check(&[("host", foreign)], (403, "host_not_allowed")).await;
    }
    for origin in ["https://example.com", "null", &format!("http://{host}")] {
        check(&[own, ("origin", origin)], (403, "origin_not_allowed")).await;
    }
    check(&[own, ("origin", "https://notes.example")], (200, "")).await;
    check(
        &[own, ("sec-fetch-site", "cross-site")],
        (403, "origin_not_allowed"),
    )
    .await;
    check(&[own, ("sec-fetch-site", "none")], (200, "")).await;
    // A page's post without leave to read the answer does nothing, either.
    let token = daemon.client().issue_token("notes").await.expect("a token");
    let bearer = format!("Bearer {}", token.token);
    let headers = [
        own,
        ("authorization", bearer.as_str()),
        ("origin", "https://example.com"),
        ("content-type", FORM),
    ];
    let post = request(
        "POST",
        "/v1/audio/transcriptions",
        &headers,
        form(&[MODEL, FILE]),
    );
    let answer = daemon.ask_port(post).await;
    assert_eq!(answer.refusal(), (403, "origin_not_allowed".to_owned()));
}

/// Parts of a form, and the status, the code and the parameter of its refusal.
type Row<'a> = (&'a [(&'a str, &'a str)], u16, &'a str, Option<&'a str>);

#[tokio::test]
async fn each_fault_has_its_status_code_and_parameter() {
    let daemon = daemon().await;
    let long = "x".repeat((64 << 10) + 1);
    let table: &[Row<'_>] = &[
        (&[MODEL], 400, "missing_required_parameter", Some("file")),
        (&[FILE], 400, "missing_required_parameter", Some("model")),
        (&[], 400, "missing_required_parameter", Some("model")),
        (
            &[("model", "gpt-5"), FILE],
            404,
            "model_not_found",
            Some("model"),
        ),
        (
            &[FILE, ("model", "gpt-4o-transcribe-diarize")],
            404,
            "model_not_found",
            Some("model"),
        ),
        (
            &[MODEL, ("language", "de"), FILE],
            400,
            "unsupported_language",
            Some("language"),
        ),
        (
            &[MODEL, ("response_format", "xml"), FILE],
            400,
            "invalid_value",
            Some("response_format"),
        ),
        (
            &[MODEL, ("temperature", "hot"), FILE],
            400,
            "invalid_value",
            Some("temperature"),
        ),
        (
            &[MODEL, ("stream", "maybe"), FILE],
            400,
            "invalid_value",
            Some("stream"),
        ),
        (&[MODEL, FILE, FILE], 400, "invalid_value", Some("file")),
        (
            &[MODEL, ("prompt", "x"), ("temperature", &long), FILE],
            413,
            "too_large",
            None,
        ),
        (&[MODEL, ("file", "")], 400, "invalid_audio", Some("file")),
        (
            &[MODEL, ("file", "no sound\n")],
            400,
            "invalid_audio",
            Some("file"),
        ),
        (
            &[MODEL, ("response_format", "srt"), ("file", "refuse\n")],
            400,
            "invalid_audio",
            Some("file"),
        ),
        (&[MODEL, ("file", "tire\n")], 502, "worker_failed", None),
        (&[MODEL, ("file", "crash\n")], 502, "worker_failed", None),
    ];
    for (parts, status, code, param) in table {
        let answer = daemon.upload(parts).await;
        assert_eq!(
            answer.refusal(),
            (*status, (*code).to_owned()),
            "{answer:?}"
        );
        assert_eq!(
            answer.json()["error"]["param"].as_str(),
            *param,
            "{answer:?}"
        );
    }
    // After all that, it serves.
    assert_eq!(daemon.upload(&[MODEL, FILE]).await.status, 200);
}

#[tokio::test]
async fn addresses_and_methods_that_there_are_not() {
    let daemon = daemon().await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/audio",
        "/v1/models/",
        "/v1/chat/completions",
    ] {
        let answer = daemon.ask(get(path)).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/audio/transcriptions", "POST"),
        ("PUT", "/v1/audio/stream", "POST"),
        ("POST", "/v1/models", "GET,HEAD"),
        ("POST", "/health", "GET,HEAD"),
        ("TRACE", "/v1/token/renew", "POST"),
    ] {
        let answer = daemon.ask(request(method, path, &[], "")).await;
        assert_eq!(
            answer.refusal(),
            (405, "method_not_allowed".to_owned()),
            "{path}"
        );
        assert_eq!(answer.header("allow"), allow);
    }
    let answer = daemon.ask(request("GET", "/v1/token", &[], "")).await;
    assert_eq!(answer.status, 405);
    let translation = daemon
        .ask(request("POST", "/v1/audio/translations", &[], ""))
        .await;
    assert_eq!(
        translation.refusal(),
        (404, "translation_not_offered".to_owned())
    );
}

#[tokio::test]
async fn a_file_past_the_bound_is_refused_however_it_comes() {
    let mut setting = setting();
    setting.limits.file_bytes = 4 << 10;
    let daemon = Daemon::start(setting).await;
    let file = "say 0 1000 Hello.\n".repeat(300);
    let too_large = (413, "too_large".to_owned());
    // Held, sent on as it comes, and told beforehand.
    for parts in [
        vec![("file", file.as_str()), MODEL],
        vec![MODEL, ("response_format", "json"), ("file", &file)],
    ] {
        assert_eq!(daemon.upload(&parts).await.refusal(), too_large);
    }
    let head = format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n\
         Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    );
    let answer = raw(daemon.unix().await, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn files_that_do_not_fit_memory_together_are_told_to_come_again() {
    let mut setting = setting();
    setting.limits = Limits {
        held_bytes: 8 << 10,
        ..Limits::default()
    };
    let daemon = Daemon::start(setting).await;
    let file = format!("say 0 1000 {}\n", "a ".repeat(5 << 10));
    let answer = daemon.upload(&[("file", &file), MODEL]).await;
    assert_eq!(answer.refusal(), (429, "busy".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    // The room is given back.
    assert_eq!(daemon.upload(&[FILE, MODEL]).await.status, 200);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let mut setting = setting();
    setting.limits.body_idle = Duration::from_millis(200);
    let daemon = Daemon::start(setting).await;
    let form = form(&[MODEL, ("response_format", "json"), FILE]);
    for sent in [0, 40, form.len() - 20] {
        let head = format!(
            "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n\
             Content-Length: {}\r\n\r\n{}",
            form.len(),
            &form[..sent]
        );
        let answer = raw(daemon.unix().await, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    daemon.recorded("refused: timed_out").await;
    daemon.at_rest().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let mut setting = setting();
    setting.limits.head_time = Duration::from_millis(200);
    let daemon = Daemon::start(setting).await;
    let answer = raw(daemon.unix().await, b"GET /health HTTP/1.1\r\nHost: a\r\n").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let long = format!(
        "GET /health HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(80 << 10)
    );
    let answer = raw(daemon.unix().await, long.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    let many = format!(
        "GET /health HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    let answer = raw(daemon.unix().await, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn more_than_there_are_places_for_are_told_when_to_come_again() {
    let mut setting = setting();
    setting.most = 1;
    let daemon = Daemon::start(setting).await;
    let mut live = crate::streams::Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    let answer = daemon.upload(&[MODEL, FILE]).await;
    assert_eq!(answer.refusal(), (429, "busy".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    drop(live);
    daemon.at_rest().await;
    assert_eq!(daemon.upload(&[MODEL, FILE]).await.status, 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn no_form_makes_the_daemon_fail(
        bodies in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    Just(b"--XX\r\n".to_vec()),
                    Just(b"--XX--\r\n".to_vec()),
                    Just(b"\r\n".to_vec()),
                    Just(b"Content-Disposition: form-data; name=\"file\"\r\n\r\n".to_vec()),
                    Just(b"Content-Disposition: form-data; name=\"model\"\r\n\r\n".to_vec()),
                    Just(b"whisper-1\r\n".to_vec()),
                    Just(b"say 0 1000 Hello.\n".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..30),
                ],
                0..12,
            ),
            24,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let daemon = daemon().await;
            for parts in bodies {
                let headers = [("content-type", FORM)];
                let body = parts.concat();
                let post = request("POST", "/v1/audio/transcriptions", &headers, body);
                let answer = daemon.ask(post).await;
                prop_assert!(!is_server_error(answer.status), "{answer:?}");
                if answer.status != 200 {
                    answer.refusal();
                }
            }
            Ok(())
        })?;
    }
}
