//! An application that may learn which phrase was said, and not a word more.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use serde_json::{Value, json};

use crate::client::pcm;
use crate::collector::{Collector, read_all, spoken_words};
use crate::earnestd::{Earnestd, Wish};
use crate::house::{Recording, captures};
use crate::person::Person;
use crate::reader::Reader;
use crate::wait::{PATIENCE, wait_until};

/// Phrases of the sample, each an utterance of its own behind so long a silence.
const PHRASES: [(&str, &str); 2] = [("one", "Ever failed"), ("two", "No matter")];
const SILENCE: &str = "silence_milliseconds = 500";

/// Enrols the phrases, and registers an application that learns of them.
fn enrol(daemon: &Earnestd) -> Person {
    let mut person = Person::enrol(daemon);
    let phrases = PHRASES.map(|(id, phrase)| json!({"id": id, "phrase": phrase}));
    let list = json!({"phrases": phrases});
    let put = person.curl(daemon).args(&["--request", "PUT"]);
    let put = put.post_json("/v1/command-lists/said", &list.to_string());
    assert!(matches!(put.status, 200 | 201 | 204), "{put:?}");
    let app = json!({
        "name": "lamp", "uids": [nix::unistd::getuid().as_raw()], "commands": "said",
        "scopes": ["command"],
        "limits": {"per_minute": 6000, "burst": 1000, "at_once": 16},
    });
    let added = person.curl(daemon).post_json("/v1/apps", &app.to_string());
    assert_eq!(added.status, 200, "{added:?}");
    person
}

#[test]
fn an_application_of_commands_learns_an_id_and_nothing_written_has_a_word() {
    let collector = Collector::new();
    let recording = Recording::of(&pcm());
    let usual = recording.wish();
    let mut daemon = Earnestd::start(Wish {
        tables: format!(
            "[microphone]\nlossless = true\n{SILENCE}\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
             [traces]\ncollector = \"127.0.0.1:{}\"",
            collector.port()
        ),
        ..usual
    });
    let mut person = enrol(&daemon);
    let refused = daemon.curl().get("/v1/listen");
    assert_eq!(refused.refusal(403), "insufficient_scope");

    let mut told = daemon.earnest();
    let told = told.args(["listen", "--commands", "--format", "json"]);
    let mut told = Reader::of("commands", told);
    for (id, _) in PHRASES {
        assert_eq!(told.wait_for("command")["id"], id);
    }
    let kinds = ["state", "command"];
    for event in &told.heard {
        let kind = event["type"].as_str().expect("it is a text");
        assert!(kinds.contains(&kind), "{event:#}");
    }
    let status = daemon.status();
    assert_eq!(status["microphone"]["listeners"][0]["what"], "commands");
    let heard = Value::from(std::mem::take(&mut told.heard)).to_string();
    told.end();
    wait_until("the microphone is closed", || captures(&daemon).is_empty());
    // As lines for people, too: the recording begins anew.
    let mut lines = daemon.earnest();
    lines.args(["listen", "--commands"]).stderr(Stdio::null());
    let line = first_line(&mut lines);
    assert_eq!(line, PHRASES[0].0);

    wait_until("spans are sent", || collector.sent().len() > 1000);
    let page = daemon.curl().get("/");
    let export = person.curl(&daemon).get("/v1/audit/export?format=ocsf");
    let mut written = vec![
        ("what the application was told".to_owned(), heard.into()),
        ("the status".to_owned(), daemon.status().to_string().into()),
        ("the status page".to_owned(), page.text(200).into()),
        ("the export".to_owned(), export.text(200).into()),
    ];
    daemon.kill();
    written.push(("what the collector was sent".to_owned(), collector.sent()));
    read_all(&daemon.sides.path("."), &mut written);
    for file in ["daemon.log", "book.vault", "audit-00000001.log"] {
        let there = written.iter().any(|(name, _)| name.ends_with(file));
        assert!(there, "{file} was not searched");
    }
    let words = spoken_words();
    assert!(words.len() >= 4, "{words:?}");
    for (name, bytes) in &written {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for word in &words {
            let mut said = text.split(|one: char| !one.is_alphabetic());
            assert!(!said.any(|one| one == word), "{name} has the word {word}");
        }
    }
}

/// The first line that a program prints.
fn first_line(command: &mut Command) -> String {
    let process = command.stdout(Stdio::piped()).spawn();
    let mut process = process.expect("it is built");
    let stdout = process.stdout.take().expect("it is piped");
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        lines.next().map(|line| sender.send(line))
    });
    let line = lines.recv_timeout(PATIENCE);
    let _ = process.kill();
    let _ = process.wait();
    line.expect("it prints one").expect("it is text")
}
