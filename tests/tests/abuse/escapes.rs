//! Text that wants to be more than text: in a transcript that reaches a terminal or a subtitle,
//! and in what callers say of themselves.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::thread;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::client::sample;
use crate::person::Person;
use crate::sides::{Answer, run};
use crate::trial::Trial;

/// What would clear a terminal, name its window, end a cue, open a script, and turn text around.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\n\r\n2\n00:00:00.000 --> \
                       00:00:09.000\n<script>alert(1)</script>&amp;\u{202e}\u{0}b";

/// A daemon that says whatever it likes to the command, once for each request.
fn talker(path: &std::path::Path) {
    let listener = UnixListener::bind(path).expect("the path is free");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut reader = BufReader::new(stream.try_clone().expect("there is room"));
            let (mut first, mut line) = (String::new(), String::new());
            let _ = reader.read_line(&mut first);
            // The head, of which nothing matters here.
            while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                line.clear();
            }
            // The sound is read away, or the other side would still be writing it.
            let mut sound = reader;
            thread::spawn(move || std::io::copy(&mut sound, &mut std::io::sink()));
            if !first.contains("/v1/audio/stream") {
                let body = json!({"status": "up"}).to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
                let head = head + "connection: close\r\n\r\n";
                let _ = stream.write_all((head + &body).as_bytes());
                continue;
            }
            let word = json!({"word": HOSTILE, "start": 0.0, "end": 1.0});
            let segment = json!({
                "type": "segment", "text": HOSTILE, "start": 0.0, "end": 1.0,
                "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0,
                "words": [word],
            });
            let done = json!({"type": "done", "duration": 1.0});
            let body = format!("{segment}\n{done}\n");
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
}

/// Characters that a terminal obeys, or that show text otherwise than it stands.
fn is_obeyed(character: char) -> bool {
    let is_line = matches!(character, '\n' | '\t');
    (character.is_control() && !is_line) || ('\u{202a}'..='\u{202e}').contains(&character)
}

#[test]
fn escape_sequences_in_a_transcript_reach_no_terminal_and_no_cue() {
    let folder = tempfile::tempdir().expect("there is room");
    let socket = folder.path().join("socket");
    talker(&socket);
    let transcribe = |format: &str| -> Answer {
        let mut command = std::process::Command::new(crate::support::program("earnest"));
        command.args(["transcribe", "--daemon", "--format", format]);
        command.env("EARNEST_SOCKET", &socket);
        run(command.arg(sample()))
    };
    for format in ["text", "json", "srt", "vtt"] {
        let said = transcribe(format).success();
        assert!(said.contains('b'), "{format}: {said:?}");
        let obeyed: Vec<char> = said.chars().filter(|one| is_obeyed(*one)).collect();
        assert!(obeyed.is_empty(), "{format}: {obeyed:?} in {said:?}");
        if matches!(format, "srt" | "vtt") {
            // The cue that the text pretends to begin is none: one arrow a cue.
            let cues = said.lines().filter(|line| line.contains(" --> ")).count();
            let blank = said.matches("\n\n").count();
            assert_eq!(cues, 1, "{format}: {said:?}");
            assert!(blank <= 2, "{format}: {said:?}");
        }
        if format == "vtt" {
            assert!(!said.contains("<script"), "{said:?}");
        }
    }
}

#[test]
fn what_callers_say_of_themselves_moves_no_terminal_and_no_page() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    let script = "<script>alert(1)</script>";
    let hostile = format!("\u{1b}[2J{script}");
    // A header takes no control character (RFC 9110, section 5.5), so nobody is even heard.
    let header = format!("User-Agent: {hostile}");
    let unheard = trial.daemon.curl().header(&header).get("/v1/models");
    assert_eq!(unheard.text(400), "");
    let reply = trial
        .daemon
        .curl()
        .header(&format!("User-Agent: {script}"))
        .header(&format!("X-Request-Id: {script}"))
        .header(&format!("Traceparent: {script}"))
        .header(&format!("Referer: {script}"))
        .args(&["--include"])
        .transcribe(
            &sample(),
            &["model=whisper-1", &format!("prompt={hostile}")],
        );
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains("alert(1)"), "{reply:?}");
    for (field, code) in [
        ("model", "model_not_found"),
        ("response_format", "invalid_value"),
    ] {
        let fields = match field {
            "model" => vec![format!("model={hostile}")],
            field => vec!["model=whisper-1".to_owned(), format!("{field}={hostile}")],
        };
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let reply = trial.daemon.curl().transcribe(&sample(), &fields);
        assert!(reply.body.contains(code), "{reply:?}");
        assert!(!reply.body.contains("alert(1)"), "{reply:?}");
    }
    let name = json!({"app": hostile}).to_string();
    trial.check("malformed", (400, "invalid_value"), |daemon| {
        daemon.curl().post_json("/v1/token", &name)
    });
    let page = trial.daemon.curl().get("/");
    assert!(!page.text(200).contains("alert(1)"));
    assert!(page.body.contains("<html"), "{page:?}");
    let audit = person.audit(&trial.daemon);
    assert!(
        !serde_json::Value::from(audit)
            .to_string()
            .contains("alert(1)")
    );
    trial.is_well();
    trial.daemon.signal(Signal::SIGTERM);
    assert!(trial.daemon.wait().success());
    let log = trial.daemon.log();
    assert!(
        !log.contains("alert(1)") && !log.chars().any(is_obeyed),
        "{log:?}"
    );
}
