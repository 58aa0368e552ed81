//! Each application has the powers that it was given, and no more.

use earnest_endpoint::shapes::{CommandListRequest, PhraseEntry, TokenRequest};

use crate::daemon;
use crate::http::{FORM, form, get, request, upload};
use crate::operators::{app, code};

const MODEL: (&str, &str) = ("model", "whisper-1");
const FILE: (&str, &str) = ("file", "say 0 1000 Turn on the light.\n");

fn activity(file: &str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let body = form(&[("file", file)]);
    request(
        "POST",
        "/v1/audio/activity",
        &[("content-type", FORM)],
        body,
    )
}

fn command(file: &str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let body = form(&[("file", file)]);
    request("POST", "/v1/commands", &[("content-type", FORM)], body)
}

#[tokio::test]
async fn an_application_without_the_scope_is_refused_and_it_is_written_down() {
    let daemon = daemon().await;
    // Before anything is registered, the blanket list holds.
    assert_eq!(daemon.ask(upload(&[MODEL, FILE])).await.status, 200);
    assert_eq!(
        daemon.ask(command("say 0 1 a\n")).await.refusal(),
        (403, "insufficient_scope".to_owned())
    );
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    let doorbell = app("doorbell", &["vad"]);
    client.add_app(&doorbell).await.expect("an operator");
    // Registration narrows: transcribing is over for this user.
    let answer = daemon.ask(upload(&[MODEL, FILE])).await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope".to_owned()));
    daemon
        .recorded("refused: insufficient_scope (doorbell")
        .await;
    let answer = daemon
        .ask(activity("sound 100 900\nsound 1200 1500\n"))
        .await;
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "segments": [{"start": 0.1, "end": 0.9}, {"start": 1.2, "end": 1.5}],
            "duration": 1.5,
        })
    );
    let client = daemon.with_code(&authenticator);
    client.revoke_app("doorbell").await.expect("an operator");
    let answer = daemon.ask(activity("sound 100 900\n")).await;
    assert_eq!(answer.refusal(), (401, "invalid_credentials".to_owned()));
    daemon.recorded("refused: revoked").await;
}

#[tokio::test]
async fn a_command_is_the_id_of_a_phrase_that_an_operator_enrolled() {
    let daemon = daemon().await;
    let authenticator = daemon.enrolled().await;
    let phrase = |id: &str, phrase: &str| PhraseEntry {
        id: id.to_owned(),
        phrase: phrase.to_owned(),
    };
    let kitchen = CommandListRequest {
        phrases: vec![
            phrase("light-on", "Turn on the light"),
            phrase("timer", "Set a timer for 45 minutes 30"),
        ],
    };
    let client = daemon.with_code(&authenticator);
    client
        .put_command_list("kitchen", &kitchen)
        .await
        .expect("an operator");
    let client = daemon.with_code(&authenticator);
    let mut panel = app("panel", &["command"]);
    client.add_app(&panel).await.expect("an operator");
    // It is held to no list yet.
    let answer = daemon.ask(command("say 0 1 a\n")).await;
    assert_eq!(answer.refusal(), (409, "conflict".to_owned()));
    panel.commands = Some("kitchen".to_owned());
    let client = daemon.with_code(&authenticator);
    client.add_app(&panel).await.expect("an operator");
    for (said, expected) in [
        (
            "say 0 1000 Turn on the light.\n",
            r#"{"command":"light-on"}"#,
        ),
        (
            "say 0 1 Turn on\nsay 1 2 the light.\n",
            r#"{"command":"light-on"}"#,
        ),
        ("say 0 1000 What a day.\n", r#"{"command":null}"#),
        ("speech 3\n", r#"{"command":null}"#),
    ] {
        let answer = daemon.ask(command(said)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    }
    // A list in use stays; one that is too alike is none.
    let client = daemon.with_code(&authenticator);
    assert_eq!(
        code(client.remove_command_list("kitchen").await),
        "conflict"
    );
    let alike = CommandListRequest {
        phrases: vec![
            phrase("one", "Turn on the light"),
            phrase("two", "Turn on the lights"),
        ],
    };
    let client = daemon.with_code(&authenticator);
    let refused = client.put_command_list("alike", &alike).await;
    assert_eq!(code(refused), "invalid_value");
    let lists = daemon.client().command_lists().await.expect("an operator");
    assert_eq!(lists[0].phrases.len(), 2);
}

#[tokio::test]
async fn a_token_is_good_for_what_was_asked_and_no_more() {
    let daemon = daemon().await;
    let asked = TokenRequest {
        scopes: Some(vec!["vad".to_owned()]),
        ..TokenRequest::of("ears")
    };
    let token = daemon.client().issue_token_for(&asked).await;
    let token = token.expect("an application");
    assert_eq!(token.scopes, ["vad"]);
    let host = daemon.address.to_string();
    let bearer = format!("Bearer {}", token.token);
    let headers = [("host", host.as_str()), ("authorization", &bearer)];
    let answer = daemon
        .ask_port(request("GET", "/v1/models", &headers, ""))
        .await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope".to_owned()));
    for (scopes, audience, expected) in [
        (Some(vec!["listen".to_owned()]), None, "insufficient_scope"),
        (Some(vec!["operate".to_owned()]), None, "invalid_value"),
        (None, Some("elsewhere".to_owned()), "invalid_value"),
    ] {
        let asked = TokenRequest {
            app: "ears".to_owned(),
            scopes,
            audience,
        };
        let refused = daemon.client().issue_token_for(&asked).await;
        assert_eq!(code(refused), expected);
    }
    // One that is for another device is no use here.
    let asked = TokenRequest {
        audience: Some("earnest:elsewhere".to_owned()),
        ..TokenRequest::of("ears")
    };
    let token = daemon.client().issue_token_for(&asked).await;
    let bearer = format!("Bearer {}", token.expect("an application").token);
    let headers = [("host", host.as_str()), ("authorization", &bearer)];
    let answer = daemon
        .ask_port(request("GET", "/v1/models", &headers, ""))
        .await;
    assert_eq!(answer.refusal(), (401, "invalid_credentials".to_owned()));
    daemon.recorded("refused: wrong_audience").await;
}

#[tokio::test]
async fn who_guesses_is_not_listened_to_any_more() {
    let daemon = daemon().await;
    let host = daemon.address.to_string();
    let good = daemon.client().issue_token("notes").await.expect("a token");
    let good = format!("Bearer {}", good.token);
    let ask = async |bearer: &str| {
        let headers = [("host", host.as_str()), ("authorization", bearer)];
        daemon
            .ask_port(request("GET", "/v1/models", &headers, ""))
            .await
    };
    for _ in 0..earnest_policy::FAILURES {
        assert_eq!(ask("Bearer earnest-guess").await.status, 401);
    }
    let locked = ask(&good).await;
    assert_eq!(locked.refusal(), (429, "rate_limited".to_owned()));
    assert!(locked.header("retry-after").parse::<u64>().is_ok());
    // What the kernel vouches for cannot be guessed.
    assert_eq!(daemon.ask(get("/v1/models")).await.status, 200);
    daemon.recorded("refused: locked").await;
}

#[tokio::test]
async fn who_was_not_let_in_is_told_at_a_tick() {
    let daemon = daemon().await;
    let host = daemon.address.to_string();
    for bearer in ["Bearer a", "Bearer eyJhbGciOiJub25lIn0.e30."] {
        let headers = [("host", host.as_str()), ("authorization", bearer)];
        let before = std::time::Instant::now();
        let answer = daemon
            .ask_port(request("GET", "/v1/models", &headers, ""))
            .await;
        assert_eq!(answer.status, 401);
        assert!(before.elapsed().as_millis() >= 10, "{:?}", before.elapsed());
    }
}
