//! `/v1/microphone`: who sees it, who mutes it, and who lets it be heard again.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::ears::{Ear, listening, with_microphone};
use crate::house::{Daemon, Setting};
use crate::http::{PATIENCE, get, request};
use crate::operators::{app, code};

const PATH: &str = "/v1/microphone";

/// A setting in which whoever runs this test is no operator.
fn of_nobody(setting: Setting) -> Setting {
    Setting {
        operators: Vec::new(),
        auditors: Vec::new(),
        ..setting
    }
}

#[tokio::test]
async fn whoever_listens_mutes_and_an_operator_alone_unmutes() {
    let (setting, script) = with_microphone();
    let daemon = Daemon::start(setting).await;
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    let panel = app("panel", &["listen"]);
    client.add_app(&panel).await.expect("an operator");
    let mut ears = Ear::each(&daemon, "/v1/listen").await;
    daemon.client().mute(true).await.expect("a listener");
    assert_eq!(script.open(), 0);
    for ear in &mut ears {
        ear.wait_for("muted").await;
    }
    // Who comes now is told, too.
    let mut late = Ear::lines(&daemon, "/v1/listen").await;
    late.wait_for("muted").await;
    assert!(daemon.client().microphone().await.expect("leave").muted);
    let refused = daemon.client().mute(false).await;
    assert_eq!(code(refused), "second_factor_required");
    assert!(daemon.client().microphone().await.expect("leave").muted);
    let client = daemon.with_code(&authenticator);
    client.mute(false).await.expect("an operator");
    script.speak(2);
    ears.push(late);
    for ear in &mut ears {
        ear.wait_for("unmuted").await;
        assert_eq!(ear.wait_for("final").await["text"], "Alfa bravo.");
    }
    let uid = nix::unistd::geteuid();
    daemon
        .recorded(&format!("microphone muted (uid {uid})"))
        .await;
    daemon
        .recorded(&format!("microphone unmuted (uid {uid})"))
        .await;
    daemon.recorded("unmute_microphone").await;
}

#[tokio::test]
async fn who_listens_is_visible_to_operators_and_applications_see_themselves() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let mut ear = Ear::lines(&daemon, "/v1/listen").await;
    ear.wait_for("state").await;
    let opened = async {
        while daemon
            .client()
            .microphone()
            .await
            .expect("leave")
            .state
            .state
            != "open"
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, opened).await.expect("it is opened");
    let answer = daemon.ask(get(PATH)).await.json();
    assert_eq!(answer["state"], "open");
    assert_eq!(answer["device"], "scripted");
    assert_eq!(answer["listeners"][0]["app"], "panel");
    assert_eq!(answer["listeners"][0]["what"], "text");
    let status = daemon.client().status().await.expect("an operator");
    let microphone = status.microphone.expect("there is one");
    assert_eq!(microphone.listeners[0].app, "panel");
    let page = daemon.ask(get("/")).await.body;
    assert!(page.contains("all that is said, for"), "{page}");
    let host = daemon.address.to_string();
    let token = daemon.client().issue_token("panel").await.expect("a token");
    let bearer = format!("Bearer {}", token.token);
    let headers = [("host", host.as_str()), ("authorization", &bearer)];
    let answer = daemon.ask_port(request("GET", PATH, &headers, "")).await;
    assert_eq!(answer.json()["listeners"][0]["app"], "panel");
    daemon.recorded("microphone opened at 16000 Hz").await;
}

#[tokio::test]
async fn who_may_not_listen_sees_nothing_of_it_and_mutes_nothing() {
    let (setting, _script) = with_microphone();
    let daemon = Daemon::start(of_nobody(setting)).await;
    let headers = [("content-type", "application/json")];
    for asked in [
        get(PATH),
        get("/v1/microphone/devices"),
        request("PUT", PATH, &headers, json!({"muted": true}).to_string()),
        request("PUT", PATH, &headers, json!({"muted": false}).to_string()),
    ] {
        let refused = daemon.ask(asked).await;
        assert_eq!(refused.refusal(), (403, "insufficient_scope".to_owned()));
    }
}

#[tokio::test]
async fn what_is_no_wish_to_mute_is_refused() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let put =
        |kind: &str, body: &str| request("PUT", PATH, &[("content-type", kind)], body.to_owned());
    for (kind, body, expected) in [
        ("text/plain", "{\"muted\":true}", "unsupported_media_type"),
        ("application/json", "{}", "malformed_json"),
        ("application/json", "{\"muted\":1}", "malformed_json"),
        (
            "application/json",
            "{\"muted\":true,\"for\":1}",
            "malformed_json",
        ),
    ] {
        let refused = daemon.ask(put(kind, body)).await;
        assert_eq!(refused.refusal().1, expected, "{body}");
    }
    assert!(!daemon.client().microphone().await.expect("leave").muted);
}

#[tokio::test]
async fn devices_are_told_to_those_who_may_listen() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let answer = daemon.ask(get("/v1/microphone/devices")).await;
    // Nobody is there to be asked in a test.
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"devices":[]}"#)
    );
}

#[tokio::test]
async fn the_page_of_captions_is_for_those_who_may_listen() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let page = daemon.ask(get("/captions")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert!(page.headers.get("etag").is_none());
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'"),
        "{policy}"
    );
    for path in ["/captions.js", "/captions.css"] {
        assert_eq!(daemon.ask(get(path)).await.status, 200);
    }
    let host = daemon.address.to_string();
    let over_port = request("GET", "/captions", &[("host", &host)], "");
    // In clear text there is no page.
    assert_eq!(daemon.ask_port(over_port).await.refusal().0, 404);
}

#[tokio::test]
async fn a_link_for_captions_is_for_those_who_may_listen_and_takes_no_second_factor() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let link = |body: &str| {
        let headers = [("content-type", "application/json")];
        request("POST", "/v1/browser-links", &headers, body.to_owned())
    };
    // The house of tests has no TLS, which is found out after leave was given.
    let answer = daemon.ask(link(r#"{"purpose":"captions"}"#)).await;
    assert_eq!(answer.refusal(), (409, "conflict".to_owned()));
    let refused = daemon.ask(link(r#"{"purpose":"status"}"#)).await;
    assert_eq!(
        refused.refusal(),
        (401, "second_factor_required".to_owned())
    );
    let refused = daemon
        .ask(request("POST", "/v1/browser-links", &[], ""))
        .await;
    assert_eq!(
        refused.refusal(),
        (401, "second_factor_required".to_owned())
    );
    let refused = daemon.ask(link(r#"{"purpose":"all"}"#)).await;
    assert_eq!(refused.refusal(), (400, "malformed_json".to_owned()));
}
