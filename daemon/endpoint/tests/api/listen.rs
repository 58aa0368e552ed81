//! `/v1/listen`: whoever may is told what the microphone hears, and nobody else a word.

use std::time::Duration;

use earnest_audio::{Loss, Sounding};
use earnest_endpoint::client::{ClientError, ListenFor};
use earnest_endpoint::shapes::ListenEvent;
use earnest_policy::AnswerRules;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::daemon;
use crate::ears::{Ear, lines_of, listening, phrase, with_microphone};
use crate::http::{PATIENCE, get, request, send, whole};

const LISTEN: &str = "/v1/listen";
const COMMANDS: &str = "/v1/listen/commands";

/// What is told from here to the next of this name.
async fn through(ear: &mut Ear, name: &str) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let event = ear.next().await.expect("another event");
        let is_last = event["type"] == name;
        events.push(event);
        if is_last {
            return events;
        }
    }
}

/// What an utterance is told as, from its beginning to its end.
async fn utterance(ear: &mut Ear) -> Vec<Value> {
    through(ear, "speech_stopped").await
}

#[tokio::test]
async fn every_reader_is_told_the_same_by_whichever_way() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let mut ears = Ear::each(&daemon, LISTEN).await;
    assert_eq!(script.open(), 1);
    // A partial gives way to a final that is there already: so everybody has one before the end.
    script.words(3);
    let mut begun = Vec::new();
    for ear in &mut ears {
        begun.push(through(ear, "partial").await);
    }
    script.pause();
    script.speak(1);
    for (ear, begun) in ears.iter_mut().zip(begun) {
        let first = [begun, utterance(ear).await].concat();
        assert_eq!(first[0], json!({"type": "speech_started", "at": 0.0}));
        let [partials @ .., last, _] = &first[1..] else {
            panic!("a final and an end");
        };
        assert_eq!(last["type"], "final");
        assert_eq!(last["text"], "Alfa bravo charlie.");
        assert_eq!(last["end"], 0.75);
        assert_eq!(last["avg_logprob"], -0.5);
        let mut stable = String::new();
        for partial in partials {
            assert_eq!(partial["type"], "partial");
            let now = partial["stable"].as_str().expect("text");
            assert!(now.starts_with(&stable));
            assert!(partial["tentative"].is_string());
            now.clone_into(&mut stable);
        }
        assert!("Alfa bravo charlie.".starts_with(&stable));
        assert!(!partials.is_empty());
        let second = utterance(ear).await;
        assert_eq!(second[second.len() - 2]["text"], "Alfa.");
        assert_eq!(second[0]["at"], 1.75);
    }
    drop(ears);
    let closed = async {
        while script.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed)
        .await
        .expect("who listens no more has it closed");
    daemon.recorded("microphone closed").await;
}

#[tokio::test]
async fn earnests_own_client_listens() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let mut events = daemon
        .client()
        .listen(&ListenFor::Text)
        .await
        .expect("leave");
    script.speak(2);
    let told = async {
        loop {
            if let ListenEvent::Final(line) = events.next().await.expect("an event") {
                return line.text;
            }
        }
    };
    let text = timeout(PATIENCE, told).await.expect("in time");
    assert_eq!(text, "Alfa bravo.");
}

#[tokio::test]
async fn a_wake_phrase_lets_what_follows_be_heard_and_nothing_before() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    // The scripted worker spots a phrase in an utterance of as many words.
    let mut ear = Ear::lines(&daemon, "/v1/listen?wake=hey%20earnest+now").await;
    ear.wait_for("state").await;
    script.speak(2);
    script.speak(3);
    script.speak(4);
    assert_eq!(ear.next().await.expect("an event")["type"], "woken");
    let heard = ear.wait_for("final").await;
    let heard = heard["text"].as_str().expect("text");
    assert_ne!(heard, "Alfa bravo.");
    for wake in ["", "%20", "...", &"a".repeat(201), "%ff"] {
        let refused = daemon.ask(get(&format!("{LISTEN}?wake={wake}"))).await;
        assert_eq!(
            refused.refusal(),
            (400, "invalid_value".to_owned()),
            "{wake}"
        );
    }
}

#[tokio::test]
async fn who_may_have_commands_is_told_ids_and_not_a_word() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["command", "listen"]).await;
    let mut commands = Ear::each(&daemon, COMMANDS).await;
    script.speak(3);
    script.speak(4);
    let mut text = Ear::lines(&daemon, LISTEN).await;
    text.wait_for("state").await;
    script.speak(5);
    script.speak(2);
    text.wait_for("final").await;
    daemon.house.tamper().await;
    for ear in &mut commands {
        let mut told = Vec::new();
        while let Some(event) = ear.any().await {
            told.push(event);
        }
        let names: Vec<_> = told
            .iter()
            .filter(|event| event["type"] != "state")
            .map(|event| event["type"].as_str().expect("a name"))
            .collect();
        assert_eq!(names.last(), Some(&"error"), "{told:?}");
        let ids: Vec<_> = told
            .iter()
            .filter(|event| event["type"] == "command")
            .map(|event| event["id"].as_str().expect("an id"))
            .collect();
        assert!(ids.starts_with(&[phrase(4).id.as_str()]), "{told:?}");
        for event in &told {
            let name = event["type"].as_str().expect("a name");
            assert!(["state", "command", "error"].contains(&name), "{name}");
            let shown = event.to_string().to_lowercase();
            for word in ["alfa", "bravo", "charlie", "delta"] {
                assert!(!shown.contains(word), "{shown}");
            }
        }
    }
    let recorded = format!("{:?}", daemon.events()).to_lowercase();
    assert!(!recorded.contains("alfa"), "{recorded}");
}

#[tokio::test]
async fn who_was_not_given_the_scope_hears_nothing() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["transcribe"]).await;
    for path in [LISTEN, COMMANDS] {
        let refused = daemon.ask(lines_of(path)).await;
        assert_eq!(refused.refusal(), (403, "insufficient_scope".to_owned()));
    }
    let host = daemon.address.to_string();
    let refused = daemon
        .ask_port(request("GET", LISTEN, &[("host", &host)], ""))
        .await;
    assert_eq!(refused.refusal(), (401, "invalid_credentials".to_owned()));
    // A page of elsewhere may open a websocket to anybody; the browser says where it is from.
    let page = [
        ("origin", "https://elsewhere.example"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let refused = daemon.ask(request("GET", LISTEN, &page, "")).await;
    assert_eq!(refused.refusal(), (403, "origin_not_allowed".to_owned()));
    assert_eq!(script.open(), 0);
    daemon.recorded("refused: insufficient_scope (panel").await;
}

#[tokio::test]
async fn a_head_alone_and_half_a_handshake_open_no_microphone() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let head = send(daemon.unix().await, request("HEAD", LISTEN, &[], "")).await;
    assert_eq!(head.status(), 405);
    let half = [("connection", "upgrade"), ("upgrade", "websocket")];
    let refused = daemon.ask(request("GET", LISTEN, &half, "")).await;
    assert_eq!(refused.refusal(), (400, "invalid_value".to_owned()));
    assert_eq!(script.open(), 0);
}

#[tokio::test]
async fn a_daemon_without_a_microphone_says_so() {
    let daemon = listening(crate::setting(), &["listen", "command"]).await;
    for path in [LISTEN, COMMANDS, "/v1/microphone/devices"] {
        let refused = daemon.ask(get(path)).await;
        assert_eq!(refused.refusal(), (409, "microphone_disabled".to_owned()));
    }
    let listening = daemon.client().listen(&ListenFor::Text).await;
    let error = listening.expect_err("nobody listens");
    assert_eq!(error.code(), Some("microphone_disabled"));
    let report = daemon.client().microphone().await.expect("leave");
    assert!(!report.enabled && report.state.state == "off");
}

#[tokio::test]
async fn a_gate_that_closes_ends_listening_with_a_word() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let ears = Ear::each(&daemon, LISTEN).await;
    daemon.house.tamper().await;
    for mut ear in ears {
        let error = ear.wait_for("error").await;
        assert_eq!(error["error"]["code"], "device_not_proven");
        assert!(error["error"]["request_id"].is_string());
        match ear {
            Ear::Socket(_) => assert_eq!(ear.closed().await, CloseCode::Again),
            mut ear => assert_eq!(ear.any().await, None),
        }
    }
    let refused = daemon.ask(get(LISTEN)).await;
    assert_eq!(refused.refusal(), (503, "device_not_proven".to_owned()));
    assert_eq!(script.open(), 0);
    daemon.recorded("refused: gate_closed (panel").await;
}

#[tokio::test]
async fn an_application_that_is_revoked_listens_no_more() {
    let (setting, _script) = with_microphone();
    let daemon = crate::house::Daemon::start(setting).await;
    let authenticator = daemon.enrolled().await;
    let client = daemon.with_code(&authenticator);
    let panel = crate::operators::app("panel", &["listen"]);
    client.add_app(&panel).await.expect("an operator");
    let mut ear = Ear::socket(&daemon, LISTEN).await;
    ear.wait_for("state").await;
    let client = daemon.with_code(&authenticator);
    client.revoke_app("panel").await.expect("an operator");
    let error = ear.wait_for("error").await;
    assert_eq!(error["error"]["code"], "insufficient_scope");
    assert_eq!(ear.closed().await, CloseCode::Policy);
}

#[tokio::test]
async fn a_token_that_ran_out_is_asked_for_again_while_it_is_used() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let client = daemon.client();
    let token = client.issue_token("panel").await.expect("a token");
    let host = daemon.address.to_string();
    let bearer = format!("Bearer {}", token.token);
    let headers = [
        ("host", host.as_str()),
        ("authorization", &bearer),
        ("accept", "application/x-ndjson"),
    ];
    let asked = request("GET", LISTEN, &headers, "");
    let listening = send(daemon.tcp().await, asked).await;
    assert_eq!(listening.status(), 200);
    client.revoke_token(&token.token).await.expect("its owner");
    let rest = whole(listening).await;
    assert!(rest.body.contains("\"invalid_credentials\""), "{rest:?}");
    daemon.recorded("refused: revoked (panel").await;
}

#[tokio::test]
async fn listening_ends_in_good_order_with_the_daemon() {
    let (setting, script) = with_microphone();
    let mut daemon = listening(setting, &["listen"]).await;
    let ears = Ear::each(&daemon, LISTEN).await;
    daemon.stop();
    for ear in ears {
        match ear {
            Ear::Socket(_) => assert_eq!(ear.closed().await, CloseCode::Away),
            mut ear => assert_eq!(ear.next().await, None),
        }
    }
    assert_eq!(daemon.ended().await.cut, 0);
    let closed = async {
        while script.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("it is closed");
}

#[tokio::test]
async fn a_websocket_that_says_no_farewell_is_cut() {
    let (mut setting, _script) = with_microphone();
    setting.limits.drain_time = Duration::from_millis(100);
    let mut daemon = listening(setting, &["listen"]).await;
    let mut ear = Ear::socket(&daemon, LISTEN).await;
    ear.wait_for("state").await;
    daemon.stop();
    // It is not read, so it does not answer.
    assert_eq!(daemon.ended().await.cut, 1);
    drop(ear);
}

#[tokio::test]
async fn a_websocket_takes_no_messages() {
    let (setting, _script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    for message in [Message::text("hello"), Message::binary(vec![0; 3_000])] {
        let mut ear = Ear::socket(&daemon, LISTEN).await;
        ear.wait_for("state").await;
        let Ear::Socket(socket) = &mut ear else {
            panic!("a websocket");
        };
        socket.send(message).await.expect("it is sent");
        assert_eq!(ear.closed().await, CloseCode::Unsupported);
    }
    let mut ear = Ear::socket(&daemon, LISTEN).await;
    let Ear::Socket(socket) = &mut ear else {
        panic!("a websocket");
    };
    let ping = Message::Ping("are you there".into());
    socket.send(ping).await.expect("it is sent");
    ear.wait_for("state").await;
}

#[tokio::test]
async fn a_device_that_is_lost_and_comes_back_is_told() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let mut ears = Ear::each(&daemon, LISTEN).await;
    script.say(Sounding::Lost {
        why: Loss::Vanished,
        again_in: Duration::from_millis(250),
    });
    for ear in &mut ears {
        assert_eq!(ear.wait_for("device_lost").await["why"], "vanished");
    }
    let report = daemon.client().microphone().await.expect("leave");
    assert_eq!(report.state.why.as_deref(), Some("vanished"));
    script.say(Sounding::Opened {
        device: "another".to_owned(),
        rate: crate::house::microphone::RATE,
    });
    script.speak(2);
    for ear in &mut ears {
        assert_eq!(ear.wait_for("device_back").await["device"], "another");
        assert_eq!(ear.wait_for("final").await["text"], "Alfa bravo.");
    }
    assert_eq!(daemon.client().microphone().await.expect("leave").losses, 1);
}

#[tokio::test]
async fn where_numbers_are_taken_out_nothing_is_told_before_its_end() {
    let (mut setting, script) = with_microphone();
    setting.answers = AnswerRules::new(None, Some(4), Some(Duration::from_secs(50)))
        .expect("rules are within their ranges");
    let daemon = listening(setting, &["listen"]).await;
    let mut ear = Ear::lines(&daemon, LISTEN).await;
    ear.wait_for("state").await;
    script.speak(4);
    let told = utterance(&mut ear).await;
    let names: Vec<_> = told.iter().map(|event| event["type"].clone()).collect();
    // And the padding of answers, which is a minute here, does not apply.
    assert_eq!(names, ["speech_started", "final", "speech_stopped"]);
}

#[tokio::test]
async fn who_listens_takes_a_place_and_no_sound_of_the_day() {
    let (setting, script) = with_microphone();
    let daemon = crate::house::Daemon::start(setting).await;
    let authenticator = daemon.enrolled().await;
    let mut panel = crate::operators::app("panel", &["listen"]);
    panel.limits.at_once = Some(2);
    let client = daemon.with_code(&authenticator);
    client.add_app(&panel).await.expect("an operator");
    let mut ears = [
        Ear::lines(&daemon, LISTEN).await,
        Ear::socket(&daemon, LISTEN).await,
    ];
    let refused = daemon.ask(get(LISTEN)).await;
    assert_eq!(refused.refusal(), (429, "busy".to_owned()));
    script.speak(4);
    for ear in &mut ears {
        ear.wait_for("final").await;
    }
    drop(ears);
    let again = async {
        loop {
            match daemon.client().listen(&ListenFor::Text).await {
                Ok(events) => break events,
                Err(ClientError::Refused { status: 429, .. }) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let _listening = timeout(PATIENCE, again).await.expect("a place is free");
    let ended = daemon.events();
    let ended = ended.iter().filter(|event| event.contains("ended (panel)"));
    for event in ended {
        assert!(event.contains(" 0 ms of sound"), "{event}");
    }
}

#[tokio::test]
async fn who_does_not_read_is_ended_and_nobody_waits_for_it() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let mut deaf = Ear::lines(&daemon, LISTEN).await;
    let mut ear = Ear::socket(&daemon, LISTEN).await;
    ear.wait_for("state").await;
    // Long utterances fill all buffers between with what is heard of them so far, and short ones
    // are more than may wait.
    let utterances = [&[100; 12][..], &[1; 200]].concat();
    for words in &utterances {
        script.speak(*words);
        ear.wait_for("final").await;
    }
    let error = deaf.wait_for("error").await;
    assert_eq!(error["error"]["code"], "too_slow");
    assert_eq!(deaf.any().await, None);
    let live = daemon.live.as_ref().expect("a microphone");
    assert_eq!(live.status().listeners.len(), 1);
}

#[tokio::test]
async fn no_answer_is_a_surprise_to_the_document() {
    let daemon = daemon().await;
    for path in [
        "/captions",
        "/captions.js",
        "/captions.css",
        "/v1/microphone",
    ] {
        let answer = daemon.ask(get(path)).await;
        // Nobody of the blanket list may listen; an operator sees.
        let expected = if path == "/v1/microphone" { 200 } else { 403 };
        assert_eq!(answer.status, expected, "{path}");
    }
}
