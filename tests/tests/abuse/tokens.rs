//! Tokens that are missing, over, somebody else's, or nobody's.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::sample;
use crate::curl::{Curl, Reply};
use crate::earnestd::{Earnestd, Wish};
use crate::person::Person;
use crate::raw::{base64url, from_base64url};
use crate::sides::run;
use crate::trial::{NOBODY, Trial, curl_of_another_user};
use crate::wait::wait_until;

/// What who is not believed is told, whatever the reason.
const NOT_BELIEVED: (u16, &str) = (401, "invalid_credentials");

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// Shows a token where one is needed.
fn show(daemon: &Earnestd, token: &str) -> Reply {
    daemon.curl_tls().header(&bearer(token)).get("/v1/models")
}

/// A token as asked for over the Unix socket.
fn asked_for(daemon: &Earnestd, wish: &Value) -> String {
    let issued = daemon.curl().post_json("/v1/token", &wish.to_string());
    let issued = issued.json(200);
    issued["token"].as_str().expect("it is a text").to_owned()
}

/// The body of a refusal without what is the request's own.
fn face(reply: &Reply) -> Value {
    let mut face = reply.json(401);
    let id = face["error"]["request_id"].take();
    assert!(
        id.as_str().is_some_and(|id| id.starts_with("req_")),
        "{reply:?}"
    );
    face
}

#[test]
fn no_token_is_refused() {
    let mut trial = Trial::usual();
    trial.check("no_token", NOT_BELIEVED, |daemon| {
        daemon.curl_tls().get("/v1/models")
    });
    trial.check("no_token", NOT_BELIEVED, |daemon| {
        let curl = daemon.curl_tls();
        curl.transcribe(&sample(), &["model=whisper-1"])
    });
    trial.check("no_token", NOT_BELIEVED, |daemon| {
        let curl = daemon.curl_tls();
        curl.post_json("/v1/token", "{\"app\":\"notes\"}")
    });
    trial.is_well();
}

#[test]
fn an_expired_token_is_refused() {
    let mut trial = Trial::of(Wish {
        apps: "burst = 1000\nat_once = 16\ntoken_seconds = 10".to_owned(),
        ..Wish::default()
    });
    let token = trial.daemon.token("notes");
    assert_eq!(show(&trial.daemon, &token).status, 200);
    wait_until("the token ends", || {
        show(&trial.daemon, &token).status == 401
    });
    trial.check("bad_token", NOT_BELIEVED, |daemon| show(daemon, &token));
    // And is not brought to life again.
    let renewed = trial
        .daemon
        .curl()
        .header(&bearer(&token))
        .args(&["--request", "POST"])
        .get("/v1/token/renew");
    assert_eq!(renewed.refusal(404), "token_not_found");
    trial.is_well();
}

#[test]
fn a_token_of_another_audience_is_refused() {
    let mut trial = Trial::usual();
    let wish = json!({"app": "notes", "audience": "earnest:elsewhere"});
    let token = asked_for(&trial.daemon, &wish);
    trial.check("wrong_audience", NOT_BELIEVED, |daemon| {
        show(daemon, &token)
    });
    // Nor is one made for whom is no Earnest at all.
    let wish = json!({"app": "notes", "audience": "https://elsewhere.example"});
    let refused = trial
        .daemon
        .curl()
        .post_json("/v1/token", &wish.to_string());
    assert_eq!(refused.refusal(400), "invalid_value");
    trial.is_well();
}

#[test]
fn an_app_without_the_scope_is_refused_and_the_audit_log_says_which() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "doorbell", &["vad"]);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    let transcribe = |curl: Curl| curl.transcribe(&sample(), &["model=whisper-1"]);
    let lacking = (403, "insufficient_scope");
    trial.check("insufficient_scope", lacking, |daemon| {
        transcribe(daemon.curl_of("doorbell"))
    });
    // And no token is made for what the app lacks.
    let wider = json!({"app": "doorbell", "scopes": ["vad", "transcribe"]});
    let refused = trial
        .daemon
        .curl()
        .post_json("/v1/token", &wider.to_string());
    assert_eq!(refused.refusal(403), "insufficient_scope");
    assert_eq!(trial.daemon.count("refused_scope"), 2);
    // What it may do it does.
    let form = format!("file=@{}", sample().display());
    let activity = trial.daemon.curl_of("doorbell").args(&["--form", &form]);
    let activity = activity.get("/v1/audio/activity").json(200);
    assert!(!activity["segments"].as_array().unwrap().is_empty());
    assert!(!activity.to_string().contains("text"), "{activity}");
    trial.is_well();
    let audit = person.audit(&trial.daemon);
    let entry = audit.iter().find(|entry| {
        let event = &entry["event"];
        event["event"] == "refused" && event["reason"] == "insufficient_scope"
    });
    let entry = entry.unwrap_or_else(|| panic!("no such refusal in {audit:#?}"));
    assert_eq!(entry["event"]["app"], "doorbell", "{entry}");
    assert_eq!(entry["event"]["scope"], "transcribe", "{entry}");
}

#[test]
fn a_token_of_another_user_is_refused() {
    let mut trial = Trial::usual();
    let token = trial.daemon.token("notes");
    trial.check("other_owner", NOT_BELIEVED, |daemon| {
        let stolen = curl_of_another_user(daemon).header(&bearer(&token));
        stolen.get("/v1/models")
    });
    // Its owner's works as before.
    assert_eq!(show(&trial.daemon, &token).status, 200);
    trial.is_well();
}

/// Makes a key and a request for a certificate of it, and has the operator's device sign it.
fn certificate(daemon: &Earnestd, person: &mut Person, app: &str, name: &str) -> [String; 2] {
    let file = |end: &str| daemon.sides.text(&format!("{name}.{end}"));
    let (key, request, certificate) = (file("key"), file("csr"), file("pem"));
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-new", "-newkey", "ec", "-nodes", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-subj", "/CN=whoever"])
        .args(["-keyout", &key, "-out", &request]);
    run(&mut openssl).success();
    let request = std::fs::read_to_string(&request).expect("openssl wrote it");
    let path = format!("/v1/apps/{app}/certificates");
    let body = json!({ "request": request }).to_string();
    let signed = person.curl(daemon).post_json(&path, &body).json(200);
    let signed = signed["certificate"].as_str().expect("it is a text");
    std::fs::write(&certificate, signed).expect("there is room");
    [certificate, key]
}

/// A curl with a client's certificate.
fn certified(daemon: &Earnestd, [certificate, key]: &[String; 2]) -> Curl {
    let curl = daemon.curl_tls();
    curl.args(&["--cert", certificate, "--key", key])
}

#[test]
fn a_token_bound_to_a_certificate_is_nothing_without_it() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    let own = certificate(&trial.daemon, &mut person, "honest", "own");
    let issued = certified(&trial.daemon, &own).post_json("/v1/token", "{\"app\":\"honest\"}");
    let token = issued.json(200)["token"].as_str().unwrap().to_owned();
    let shown = certified(&trial.daemon, &own).header(&bearer(&token));
    assert_eq!(shown.get("/v1/models").status, 200);
    // Whoever has the token alone has nothing.
    trial.check("no_certificate", NOT_BELIEVED, |daemon| {
        show(daemon, &token)
    });
    // Nor does another certificate help, be it of the same app.
    let other = certificate(&trial.daemon, &mut person, "honest", "other");
    trial.check("other_certificate", NOT_BELIEVED, |daemon| {
        let curl = certified(daemon, &other).header(&bearer(&token));
        curl.get("/v1/models")
    });
    // One that its owner made up does not even get to speak.
    let forged = forged_certificate(&trial.daemon);
    let refused = certified(&trial.daemon, &forged).get("/health");
    assert_eq!(refused.status, 0, "{refused:?}");
    // And a stolen key is of no use to another user: the app is not theirs.
    let key = std::fs::read(&own[1]).expect("it was written");
    let stolen = stolen_files(&own[0], &key);
    let curl = curl_of_another_user(&trial.daemon);
    let thief = certified_by(curl, stolen.path()).header(&bearer(&token));
    assert_eq!(thief.get("/v1/models").refusal(401), NOT_BELIEVED.1);
    trial.is_well();
}

/// A key and a certificate of its own making.
fn forged_certificate(daemon: &Earnestd) -> [String; 2] {
    let file = |end: &str| daemon.sides.text(&format!("forged.{end}"));
    let forged = [file("pem"), file("key")];
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-subj", "/CN=app:honest"])
        .args(["-days", "1", "-keyout", &forged[1], "-out", &forged[0]]);
    run(&mut openssl).success();
    forged
}

/// Copies that everybody may read.
fn stolen_files(certificate: &str, key: &[u8]) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("there is room");
    let open = |path: &Path, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("it is ours");
    };
    open(folder.path(), 0o755);
    let [pem, secret] = ["pem", "key"].map(|name| folder.path().join(name));
    std::fs::copy(certificate, &pem).expect("it is there");
    std::fs::write(&secret, key).expect("there is room");
    open(&pem, 0o644);
    open(&secret, 0o644);
    folder
}

fn certified_by(curl: Curl, folder: &Path) -> Curl {
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    curl.args(&["--cert", &file("pem"), "--key", &file("key")])
}

#[test]
fn a_token_that_says_alg_none_is_refused_and_so_is_every_other_forgery() {
    let mut trial = Trial::usual();
    let token = trial.daemon.token("notes");
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("a token has three parts");
    };
    let read = |part: &str| String::from_utf8(from_base64url(part)).expect("it is JSON");
    let (plain_header, plain_claims) = (read(header), read(claims));
    assert!(plain_header.contains("HS256"), "{plain_header}");
    let with = |algorithm: &str| base64url(plain_header.replace("HS256", algorithm).as_bytes());
    let none = base64url(b"{\"alg\":\"none\"}");
    let wider = plain_claims.replacen("notes", "other", 1);
    assert_ne!(wider, plain_claims);
    let wider = base64url(wider.as_bytes());
    let mut flipped = from_base64url(signature);
    flipped[0] ^= 1;
    let forgeries = [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{}.{claims}.", with("none")),
        format!("{}.{claims}.{signature}", with("None")),
        format!("{}.{claims}.{signature}", with("HS512")),
        format!("{}.{claims}.{signature}", with("RS256")),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{wider}.{signature}"),
        format!("{header}.{claims}.{}", base64url(&flipped)),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.{signature}.{signature}"),
        "A".repeat(8000),
    ];
    let nobody = face(&trial.daemon.curl_tls().get("/v1/models"));
    for forgery in &forgeries {
        trial.check("bad_token", NOT_BELIEVED, |daemon| {
            let reply = show(daemon, forgery);
            assert_eq!(face(&reply), nobody, "{forgery}");
            reply
        });
    }
    assert_eq!(show(&trial.daemon, &token).status, 200);
    trial.is_well();
}

#[test]
fn a_revoked_app_is_refused_from_then_on() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    person.add_app(&trial.daemon, "notes", &["transcribe"]);
    let token = trial.daemon.token("notes");
    assert_eq!(show(&trial.daemon, &token).status, 200);
    let revoked = person.revoke_app(&trial.daemon, "notes");
    assert_eq!(revoked.status, 204, "{revoked:?}");
    let before = trial.daemon.count("refused_identity");
    let refused = show(&trial.daemon, &token);
    assert_eq!(refused.refusal(401), NOT_BELIEVED.1);
    let nobody = trial.daemon.curl_tls().get("/v1/models");
    assert_eq!(face(&refused), face(&nobody));
    wait_until("both are counted", || {
        trial.daemon.count("refused_identity") == before + 2
    });
    // No other token is made for it, and none of another app's is touched.
    trial.check("not_listed", NOT_BELIEVED, |daemon| {
        daemon.curl().post_json("/v1/token", "{\"app\":\"notes\"}")
    });
    trial.is_well();
    // A restart brings nothing back.
    trial.daemon.kill();
    trial.daemon.run_again();
    trial.check("not_listed", NOT_BELIEVED, |daemon| {
        daemon.curl().post_json("/v1/token", "{\"app\":\"notes\"}")
    });
    trial.is_well();
}

/// Failures that lock a source, and what it is told then.
const GUESSES: usize = 20;
const LONGEST_FIRST_LOCK: u64 = 60;

#[test]
fn who_guesses_tokens_is_locked_out_after_twenty_and_nobody_else_is() {
    let mut trial = Trial::usual();
    let guess = |number: usize| {
        let curl = curl_of_another_user(&trial.daemon).args(&["--include"]);
        curl.header(&bearer(&format!("guess-{number}")))
            .get("/v1/models")
    };
    let mut answers = (0..2 * GUESSES).map(guess);
    let locked = answers.by_ref().enumerate().find(|(_, reply)| {
        assert!(matches!(reply.status, 401 | 429), "{reply:?}");
        reply.status == 429
    });
    let (heard, reply) = locked.expect("nobody guesses for ever");
    assert_eq!(heard, GUESSES);
    assert!(reply.body.contains("\"rate_limited\""), "{reply:?}");
    let head = reply.body.to_ascii_lowercase();
    let wait = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    let wait: u64 = wait.expect("it says when").trim().parse().unwrap();
    assert!((1..=LONGEST_FIRST_LOCK).contains(&wait), "{reply:?}");
    // Not even without a token is that user heard.
    let other = curl_of_another_user(&trial.daemon).get("/v1/models");
    assert_eq!(other.status, 429, "{other:?}");
    trial.see_refused("locked", 2);
    let events = trial.daemon.status()["events"].to_string();
    assert!(
        events.contains(&format!("uid {NOBODY}")) || !nix::unistd::getuid().is_root(),
        "{events}"
    );
    trial.is_well();
    assert_eq!(trial.daemon.curl().get("/v1/models").status, 200);
}
