//! curl over TLS and over the Unix socket: the doors, and who gets in.

use std::fs;
use std::process::Command;

use crate::client::{SAID, pcm, sample};
use crate::curl::Curl;
use crate::earnestd::{Earnestd, Wish};

/// curl's number for a certificate that it does not trust.
const NOT_TRUSTED: i32 = 60;

#[test]
fn a_file_becomes_text_over_tls_and_over_the_unix_socket() {
    let daemon = Earnestd::usual();
    let model = "model=whisper-1";
    let over_unix = daemon.curl().transcribe(&sample(), &[model]);
    assert_eq!(over_unix.json(200)["text"], SAID);
    let over_tls = daemon.curl_of("notes").transcribe(&sample(), &[model]);
    assert_eq!(over_tls.json(200)["text"], SAID);
    // TLS 1.3 and nothing below, on both loopback addresses.
    let older = daemon.curl_of("notes").args(&["--tls-max", "1.2"]);
    assert_eq!(older.get("/v1/models").status, 0);
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let url = format!("https://{host}:{}", daemon.port());
        let curl = Curl::over_tls(Command::new("curl"), &url, &daemon.authority());
        assert_eq!(curl.get("/health").json(200)["status"], "up", "{host}");
    }
}

#[test]
fn a_stranger_learns_whether_the_daemon_is_up_and_nothing_else() {
    let daemon = Earnestd::usual();
    let health = daemon.curl_tls().get("/health");
    assert_eq!(health.text(200), "{\"status\":\"up\"}");
    for path in [
        "/v1/models",
        "/v1/models/whisper-1",
        "/openapi.json",
        "/v1/audio/translations",
    ] {
        let curl = match path.ends_with("translations") {
            true => daemon.curl_tls().args(&["--request", "POST"]),
            false => daemon.curl_tls(),
        };
        assert_eq!(curl.get(path).refusal(401), "invalid_credentials", "{path}");
    }
    let upload = daemon
        .curl_tls()
        .transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(upload.refusal(401), "invalid_credentials");
    let forged = format!("Authorization: Bearer earnest_{}", "A".repeat(43));
    let forged = daemon.curl_tls().header(&forged).get("/v1/models");
    assert_eq!(forged.refusal(401), "invalid_credentials");
    // What is for the Unix socket alone is nobody's here, not even with a token.
    let status = daemon.curl_of("notes").get("/v1/status");
    assert_eq!(status.refusal(401), "invalid_credentials");
    let token = daemon
        .curl_of("notes")
        .post_json("/v1/token", "{\"app\":\"notes\"}");
    assert_eq!(token.refusal(404), "not_found");
    assert_eq!(daemon.count("sound_milliseconds"), 0);
}

#[test]
fn a_client_that_trusts_another_authority_does_not_speak_to_the_daemon() {
    let daemon = Earnestd::usual();
    let other = daemon.sides.path("other.pem");
    let key = daemon.sides.text("other.key");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args([
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=other",
            "-keyout",
            &key,
            "-out",
        ])
        .arg(&other)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    let url = format!("https://localhost:{}", daemon.port());
    let refused = Curl::over_tls(Command::new("curl"), &url, &other).get("/health");
    assert_eq!(
        (refused.status, refused.code),
        (0, NOT_TRUSTED),
        "{refused:?}"
    );
    // Nor one that trusts the roots of the system.
    let refused = Curl::to(Command::new("curl"), &url).get("/health");
    assert_eq!(
        (refused.status, refused.code),
        (0, NOT_TRUSTED),
        "{refused:?}"
    );
}

#[test]
fn lines_come_while_sound_is_still_being_sent() {
    let daemon = Earnestd::usual();
    for (curl, door) in [(daemon.curl(), "unix"), (daemon.curl_of("notes"), "tls")] {
        let mut stream = curl.stream("/v1/audio/stream?rate=16000&channels=1", "audio/pcm");
        // Speech and then silence, in which the segment ends although the sound does not.
        for piece in pcm().chunks(16_000) {
            stream.send(piece);
        }
        let silence = [0; 16_000 * 2 / 10];
        let mut text = Vec::new();
        let mut kinds = Vec::new();
        while !text.join(" ").contains("better") {
            let line = stream
                .next(&silence)
                .expect("a line comes before the sound ends");
            let kind = line["type"].as_str().unwrap().to_owned();
            if kind == "segment" {
                text.push(line["text"].as_str().unwrap().to_owned());
            }
            kinds.push(kind);
        }
        assert_eq!(text.join(" "), SAID, "{door}");
        assert_eq!(kinds[0], "speech_started", "{door}");
        assert!(!kinds.contains(&"done".to_owned()), "{door}: {kinds:?}");
        stream.end();
        let rest = stream.rest();
        let last = rest.last().expect("the end is told");
        assert_eq!(last["type"], "done", "{door}: {rest:?}");
        let duration = last["duration"].as_f64().unwrap();
        assert!(duration > 10.0, "{door}: {duration}");
    }
}

#[test]
fn an_address_beyond_loopback_is_refused_with_its_reason() {
    let daemon = Earnestd::usual();
    let path = daemon.sides.path("earnestd.toml");
    let written = fs::read_to_string(&path).unwrap();
    let own = format!("\"127.0.0.1:{}\"", daemon.port());
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        crate::sides::run(daemon.command().arg("--check"))
    };
    let said = check(&written).success();
    assert!(said.contains("TLS on 127.0.0.1"), "{said}");
    for address in [
        "0.0.0.0:8473",
        "[::]:8473",
        "192.0.2.1:8473",
        "[2001:db8::1]:8473",
    ] {
        let text = written.replace(&own, &format!("\"{address}\""));
        assert_ne!(text, written);
        let said = check(&text).failure(2);
        assert!(said.contains("`listen.tls`"), "{said}");
        assert!(said.contains(address.rsplit_once(':').unwrap().0), "{said}");
        assert!(said.contains("loopback"), "{said}");
    }
    let said = check(&format!("[listne]\n{written}")).failure(2);
    assert!(said.contains("listne"), "{said}");
}

#[test]
fn clear_text_is_spoken_where_it_was_asked_for_alone() {
    let plain = |port: u16| format!("http://127.0.0.1:{port}");
    let daemon = Earnestd::usual();
    let refused = Curl::to(Command::new("curl"), &plain(daemon.port())).get("/health");
    assert_eq!(refused.status, 0, "{refused:?}");
    let daemon = Earnestd::start(Wish {
        clear_text: true,
        ..Wish::default()
    });
    let url = plain(daemon.clear_port());
    let health = Curl::to(Command::new("curl"), &url).get("/health");
    assert_eq!(health.json(200)["status"], "up");
    let stranger = Curl::to(Command::new("curl"), &url).get("/v1/models");
    assert_eq!(stranger.refusal(401), "invalid_credentials");
    let token = format!("Authorization: Bearer {}", daemon.token("notes"));
    let known = Curl::to(Command::new("curl"), &url)
        .header(&token)
        .get("/v1/models");
    assert_eq!(known.json(200)["object"], "list");
}
