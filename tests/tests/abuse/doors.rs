//! Who comes to the wrong door, or to the right one under another's name.

use std::fs;
use std::process::Command;

use crate::client::{SAID, sample};
use crate::curl::Curl;
use crate::earnestd::{Earnestd, Wish};
use crate::person::Person;
use crate::trial::{NOBODY, Trial, curl_of_another_user};

#[test]
fn a_forged_host_is_refused() {
    let mut trial = Trial::of(Wish {
        clear_text: true,
        ..Wish::default()
    });
    let expected = (403, "host_not_allowed");
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "localhost:1",
        "0.0.0.0",
        "localhost@evil.example",
    ] {
        trial.check("foreign_host", expected, |daemon| {
            let curl = daemon.curl_of("notes").header(&format!("Host: {host}"));
            curl.get("/v1/models")
        });
    }
    // In clear text, too, and with two names of which one is right.
    trial.check("foreign_host", expected, |daemon| {
        let url = format!("http://127.0.0.1:{}", daemon.clear_port());
        let token = format!("Authorization: Bearer {}", daemon.token("notes"));
        let curl = Curl::to(Command::new("curl"), &url).header(&token);
        curl.header("Host: evil.example").get("/v1/models")
    });
    trial.is_well();
}

#[test]
fn a_foreign_origin_is_refused() {
    let mut trial = Trial::usual();
    for header in [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        trial.check("foreign_origin", (403, "origin_not_allowed"), |daemon| {
            let curl = daemon.curl_of("notes").header(header);
            curl.transcribe(&sample(), &["model=whisper-1"])
        });
    }
    // A preflight gets no leave, either.
    let asked = trial
        .daemon
        .curl_tls()
        .header("Origin: https://evil.example")
        .header("Access-Control-Request-Method: POST")
        .args(&["--request", "OPTIONS", "--include"])
        .get("/v1/audio/transcriptions");
    assert_eq!(asked.status, 403, "{asked:?}");
    let head = asked.body.to_ascii_lowercase();
    assert!(!head.contains("access-control-allow"), "{asked:?}");
    trial.is_well();
}

#[test]
fn another_user_on_tcp_gets_nothing_and_is_seen() {
    let mut trial = Trial::usual();
    let up = curl_of_another_user(&trial.daemon).get("/health");
    assert_eq!(up.text(200), "{\"status\":\"up\"}");
    for path in [
        "/v1/models",
        "/openapi.json",
        "/v1/status",
        "/v1/apps",
        "/v1/access-review",
        "/",
        "/status.css",
    ] {
        trial.check("no_token", (401, "invalid_credentials"), |daemon| {
            curl_of_another_user(daemon).get(path)
        });
    }
    // What is asked over the Unix socket alone is not even there.
    for path in ["/v1/audit", "/v1/audit/export", "/v1/report"] {
        trial.check("wrong_door", (404, "not_found"), |daemon| {
            curl_of_another_user(daemon).get(path)
        });
    }
    if nix::unistd::getuid().is_root() {
        let events = trial.daemon.status()["events"].to_string();
        assert!(events.contains(&format!("(uid {NOBODY})")), "{events}");
    }
    assert_eq!(trial.daemon.count("sound_milliseconds"), 0);
    trial.is_well();
}

/// Part of each line of a file that every machine has, and nobody is shown.
const NOT_FOR_SHOW: &str = "root:";

#[test]
fn paths_that_climb_lead_nowhere() {
    let mut trial = Trial::usual();
    for path in [
        "/../../../../../../etc/passwd",
        "/v1/../../../../../../etc/passwd",
        "/status.css/../../../../../../etc/passwd",
        "/v1/models/../../../../../../etc/passwd",
        "/v1/models/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/v1/models/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/v1/models/whisper-1%00.html",
        "/file:///etc/passwd",
    ] {
        trial.check("not_found", (404, code(path)), |daemon| {
            let reply = daemon.curl().args(&["--path-as-is"]).get(path);
            assert!(!reply.body.contains(NOT_FOR_SHOW), "{reply:?}");
            reply
        });
    }
    trial.is_well();
}

/// What a path below that of models is told.
fn code(path: &str) -> &'static str {
    match path.strip_prefix("/v1/models/") {
        Some(model) if !model.contains('/') => "model_not_found",
        _ => "not_found",
    }
}

#[test]
fn names_that_climb_are_no_names() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    for name in ["../book", "a/b", "/etc/passwd", "a\\u0000b", ".\\u002e/x"] {
        trial.check("malformed", (400, "invalid_value"), |daemon| {
            let wish = format!("{{\"app\":\"{name}\"}}");
            daemon.curl().post_json("/v1/token", &wish)
        });
    }
    let before = files(&trial.daemon);
    let list = "{\"phrases\":[{\"id\":\"on\",\"phrase\":\"turn on the light\"}]}";
    let put = person.curl(&trial.daemon).args(&["--path-as-is"]);
    let put = put.args(&["--request", "PUT"]);
    let put = put.post_json("/v1/command-lists/..%2f..%2fbook", list);
    assert!(matches!(put.status, 400 | 404), "{put:?}");
    // The name of an uploaded file is nobody's business.
    let file = format!(
        "file=@{};filename=\"../../../../tmp/written-by-a-form\"",
        sample().display()
    );
    let form = ["--form", "model=whisper-1", "--form", &file];
    let served = trial.daemon.curl().args(&form);
    let served = served.get("/v1/audio/transcriptions");
    assert_eq!(served.json(200)["text"], SAID);
    assert_eq!(files(&trial.daemon), before);
    assert!(!std::path::Path::new("/tmp/written-by-a-form").exists());
    trial.is_well();
}

/// The names of what lies in the folders that the daemon may write to.
fn files(daemon: &Earnestd) -> Vec<String> {
    let folders = ["run", "state", "."].map(|folder| daemon.sides.path(folder));
    let mut names: Vec<String> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("it is there").flatten())
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
