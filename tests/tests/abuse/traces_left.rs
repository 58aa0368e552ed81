//! What the daemon leaves behind of what it heard: nothing.
//!
//! Known speech goes through every route, with the log at its most talkative, spans sent to a
//! collector, the audit log read and exported, the status page shown, and a worker and the daemon
//! crashed. Then everything written is searched for each word that was spoken and for every run
//! of the sound.

use std::collections::HashSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::client::{SAID, pcm, sample};
use crate::collector::{Collector, read_all, spoken_words};
use crate::earnestd::{Earnestd, Wish};
use crate::person::Person;
use crate::processes::workers;
use crate::trial::NOBODY_WATCHES;
use crate::wait::wait_until;

/// Bytes of which no run may be found: of a run twice as long, one such part stands at a multiple
/// of this.
const PART: usize = 32;

/// Has the sample heard in every way there is.
fn hear_it_everywhere(daemon: &Earnestd) {
    let model = "model=whisper-1";
    for format in ["json", "text", "srt", "vtt", "verbose_json"] {
        let field = format!("response_format={format}");
        let words = "timestamp_granularities[]=word";
        let fields: &[&str] = match format {
            "verbose_json" => &[model, &field, words],
            _ => &[model, &field],
        };
        let heard = daemon.curl_of("honest").transcribe(&sample(), fields);
        assert!(heard.text(200).contains("fail better"), "{heard:?}");
    }
    let streamed = daemon.curl_of("honest");
    let streamed = streamed.transcribe(&sample(), &[model, "stream=true"]);
    assert!(streamed.text(200).contains("better"), "{streamed:?}");
    let path = "/v1/audio/stream?rate=16000&channels=1";
    let mut stream = daemon.curl_of("honest").stream(path, "audio/pcm");
    stream.send(&pcm());
    stream.end();
    assert!(Value::from(stream.rest()).to_string().contains("better"));
    let form = format!("file=@{}", sample().display());
    let ask = |path: &str| {
        let curl = daemon
            .curl_of("honest")
            .header("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        curl.args(&["--form", &form]).get(path).json(200)
    };
    let activity = ask("/v1/audio/activity");
    assert!(!activity["segments"].as_array().expect("a list").is_empty());
    assert_eq!(ask("/v1/commands")["command"], "beckett");
}

/// The page that a browser of the operator sees.
fn page(daemon: &Earnestd, person: &mut Person) -> String {
    let post = ["--request", "POST"];
    let link = person.curl(daemon).args(&post).get("/v1/browser-links");
    let link = link.json(200);
    let url = link["url"].as_str().expect("it is a text");
    let code = url.split_once("/open").expect("it has a path").1;
    let jar = daemon.sides.text("cookies");
    let browser = daemon
        .curl_tls()
        .args(&["--cookie-jar", &jar, "--location", "--cookie", ""]);
    let page = browser.get(&format!("/open{code}"));
    assert!(page.text(200).contains("<html"), "{page:?}");
    page.body
}

/// Crashes a worker at work, and then the daemon.
fn crash(daemon: &mut Earnestd) {
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).expect("it runs");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core = core.expect("the kernel tells limits");
    let numbers: Vec<&str> = core.split_whitespace().skip(4).collect();
    assert_eq!(numbers[..2], ["0", "0"], "{core}");
    let path = "/v1/audio/stream?rate=16000&channels=1";
    let mut stream = daemon.curl_of("honest").stream(path, "audio/pcm");
    stream.send(&pcm()[..8 * 32_000]);
    let first = stream.next(&[0; 3200]).expect("the worker says something");
    assert_eq!(first["type"], "speech_started", "{first}");
    for worker in workers(daemon.pid()) {
        kill(Pid::from_raw(worker as i32), Signal::SIGABRT).expect("it runs");
    }
    wait_until("the worker is missed", || {
        daemon.count("workers_failed") > 0
    });
    drop(stream);
    daemon.signal(Signal::SIGABRT);
    assert!(!daemon.wait().success());
}

#[test]
fn nothing_written_has_a_word_that_was_spoken_or_a_run_of_the_sound() {
    let collector = Collector::new();
    let mut daemon = Earnestd::start(Wish {
        tables: format!(
            "[log]\nlevel = \"debug\"\nformat = \"json\"\n\
             [traces]\ncollector = \"127.0.0.1:{}\"\n{NOBODY_WATCHES}",
            collector.port()
        ),
        ..Wish::default()
    });
    let mut person = Person::enrol(&daemon);
    let list = json!({"phrases": [{"id": "beckett", "phrase": SAID.trim_end_matches('.')}]});
    enrol_commands(&daemon, &mut person, &list);
    hear_it_everywhere(&daemon);
    let page = page(&daemon, &mut person);
    let export = person.curl(&daemon).get("/v1/audit/export?format=ocsf");
    let audit = person.curl(&daemon).get("/v1/audit");
    wait_until("spans are sent", || collector.sent().len() > 1000);
    crash(&mut daemon);
    let sent = collector.sent();
    let mut written = vec![
        ("the status page".to_owned(), page.into_bytes()),
        (
            "the export".to_owned(),
            export.text(200).as_bytes().to_vec(),
        ),
        (
            "the audit log, decrypted".to_owned(),
            audit.text(200).as_bytes().to_vec(),
        ),
        ("what the collector was sent".to_owned(), sent),
    ];
    read_all(&daemon.sides.path("."), &mut written);
    for file in ["daemon.log", "book.vault", "audit-00000001.log"] {
        let there = written.iter().any(|(name, _)| name.ends_with(file));
        assert!(there, "{file} was not searched");
    }
    let sound = pcm();
    let (words, parts) = (spoken_words(), parts(&sound));
    assert!(
        words.len() >= 4 && parts.len() > 5000,
        "{words:?}, {}",
        parts.len()
    );
    for (name, bytes) in &written {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let said: HashSet<&str> = text.split(|one: char| !one.is_alphabetic()).collect();
        for word in &words {
            assert!(!said.contains(word.as_str()), "{name} has the word {word}");
        }
        assert!(!has_part(bytes, &parts), "{name} has a run of the sound");
    }
    // What is searched for is found where it is.
    let mut planted = vec![7; 1001];
    planted.extend(&pcm()[100_001..100_001 + 2 * PART]);
    assert!(has_part(&planted, &parts));
}

fn enrol_commands(daemon: &Earnestd, person: &mut Person, list: &Value) {
    let put = person.curl(daemon).args(&["--request", "PUT"]);
    let put = put.post_json("/v1/command-lists/said", &list.to_string());
    assert!(matches!(put.status, 200 | 201 | 204), "{put:?}");
    let app = json!({
        "name": "honest", "uids": [nix::unistd::getuid().as_raw()], "commands": "said",
        "scopes": ["vad", "command", "transcribe"],
        "limits": {"per_minute": 6000, "burst": 1000, "at_once": 16},
    });
    let added = person.curl(daemon).post_json("/v1/apps", &app.to_string());
    assert_eq!(added.status, 200, "{added:?}");
}

/// The parts of the sound that are not as good as silent.
fn parts(sound: &[u8]) -> HashSet<&[u8]> {
    let tells = |part: &&[u8]| part.iter().collect::<HashSet<_>>().len() > 8;
    sound.chunks_exact(PART).filter(tells).collect()
}

fn has_part(bytes: &[u8], parts: &HashSet<&[u8]>) -> bool {
    bytes.windows(PART).any(|window| parts.contains(window))
}
