//! Bodies that are too long, never end, or are other than they say.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::client::sample;
use crate::earnestd::{Earnestd, Wish};
use crate::raw::Raw;
use crate::trial::{NOBODY_WATCHES, Trial, memory};

/// Bytes of a megabyte.
const MEGABYTE: u64 = 1 << 20;

/// What a daemon of small uploads may come to hold at most for any of these bodies: what it may
/// have of each, what the system buffers, and what an allocator keeps.
const HELD: u64 = 48 * MEGABYTE;

/// What a refused sender may go on sending for, so that it sees why (32 MiB), with what lies
/// between the two.
const DRAINED: u64 = 40 * MEGABYTE;

fn trial() -> Trial {
    Trial::of(Wish {
        limits: "upload_megabytes = 1\nquiet_seconds = 2".to_owned(),
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    })
}

fn file(daemon: &Earnestd, name: &str, bytes: &[u8]) -> PathBuf {
    let path = daemon.sides.path(name);
    fs::write(&path, bytes).expect("there is room");
    path
}

/// Sees that the daemon holds no more than it did, but for a bound.
fn holds_little(daemon: &Earnestd, before: u64) {
    let now = memory(daemon.pid());
    let more = now.saturating_sub(before);
    assert!(more < HELD, "{more} bytes more than {before}");
}

#[test]
fn an_oversized_body_is_refused() {
    let mut trial = trial();
    let large = file(&trial.daemon, "large.wav", &vec![0; 3 * MEGABYTE as usize]);
    let before = memory(trial.daemon.pid());
    // By the length that it says, and by the length that it has.
    for framing in ["X-Framing: length", "Transfer-Encoding: chunked"] {
        trial.check("too_large", (413, "too_large"), |daemon| {
            let curl = daemon.curl().header(framing);
            curl.transcribe(&large, &["model=whisper-1"])
        });
    }
    // JSON has a bound of its own.
    trial.check("too_large", (413, "too_large"), |daemon| {
        let body = format!("{{\"app\":\"{}\"}}", "a".repeat(100_000));
        daemon.curl().post_json("/v1/token", &body)
    });
    holds_little(&trial.daemon, before);
    trial.is_well();
}

const FORM: &str = "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\n\
                    connection: close\r\ncontent-type: multipart/form-data; boundary=b\r\n";

const FILE_PART: &str =
    "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";

const MODEL_PART: &str =
    "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n";

#[test]
fn an_endless_chunked_body_is_cut() {
    let mut trial = trial();
    let before = memory(trial.daemon.pid());
    trial.check("too_large", (413, "too_large"), |daemon| {
        let mut raw = Raw::connect(daemon);
        raw.send(format!("{FORM}transfer-encoding: chunked\r\n\r\n").as_bytes());
        raw.send_chunk(format!("{MODEL_PART}{FILE_PART}").as_bytes());
        let piece = vec![0; 64 << 10];
        let mut sent = 0;
        // It goes on until the other side has had enough.
        while raw.send_chunk(&piece) {
            sent += piece.len() as u64;
            assert!(sent < DRAINED, "{sent} bytes were taken");
        }
        raw.reply()
    });
    holds_little(&trial.daemon, before);
    trial.is_well();
}

#[test]
fn an_endless_line_between_chunks_is_cut() {
    let mut trial = trial();
    let before = memory(trial.daemon.pid());
    let mut raw = Raw::connect(&trial.daemon);
    raw.send(format!("{FORM}transfer-encoding: chunked\r\n\r\n").as_bytes());
    // The extension of a chunk's size (RFC 9112, section 7.1.1) that does not end.
    raw.send(b"1;");
    let mut sent = 0;
    while raw.send(&[b'x'; 64 << 10]) {
        sent += 64 << 10;
        assert!(sent < DRAINED, "{sent} bytes were taken");
    }
    holds_little(&trial.daemon, before);
    trial.is_well();
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let mut trial = trial();
    trial.check("timed_out", (408, "request_timeout"), |daemon| {
        let mut raw = Raw::connect(daemon);
        raw.send(format!("{FORM}content-length: 100000\r\n\r\n{MODEL_PART}{FILE_PART}").as_bytes());
        raw.reply()
    });
    trial.is_well();
}

#[test]
fn an_endless_stream_of_sound_ends_with_the_days_budget() {
    let mut trial = Trial::of(Wish {
        apps: "burst = 1000\nat_once = 16\ndaily_minutes = 1".to_owned(),
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let before = memory(trial.daemon.pid());
    let mut raw = Raw::connect(&trial.daemon);
    raw.send(
        b"POST /v1/audio/stream HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
          content-type: audio/pcm;rate=16000\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    let second = [0; 32_000];
    let mut sent = 0;
    while raw.send_chunk(&second) {
        sent += 1;
        // A minute is granted; what is under way besides has its bounds, too.
        assert!(sent < 30 * 60, "{sent} seconds were taken");
    }
    let answer = raw.rest();
    assert!(answer.contains("\"budget_spent\""), "{answer}");
    trial.see_refused("budget_spent", 1);
    // The day is over for this app, and says so at once.
    trial.check("budget_spent", (429, "budget_spent"), |daemon| {
        daemon.curl().transcribe(&sample(), &["model=whisper-1"])
    });
    holds_little(&trial.daemon, before);
    trial.is_well();
}

/// Sends a whole form.
fn send(daemon: &Earnestd, headers: &str, form: &[u8]) -> crate::curl::Reply {
    let mut raw = Raw::connect(daemon);
    raw.send(format!("{FORM}{headers}content-length: {}\r\n\r\n", form.len()).as_bytes());
    // One that was refused early is not read to its end.
    raw.send(form);
    raw.reply()
}

#[test]
fn multipart_bombs_are_refused() {
    let mut trial = trial();
    let before = memory(trial.daemon.pid());
    let many = MODEL_PART.repeat(10_000) + "--b--\r\n";
    trial.check("too_large", (413, "too_large"), |daemon| {
        send(daemon, "", many.as_bytes())
    });
    // The head of a part that does not end, within the bytes that a form may have.
    let endless = format!("--b\r\nx-head: {}", "a".repeat(1_900_000));
    trial.check("malformed", (400, "malformed_form"), |daemon| {
        send(daemon, "", endless.as_bytes())
    });
    // Heads without number.
    let mut heads = "--b\r\n".to_owned();
    for number in 0..10_000 {
        write!(heads, "x-{number}: a\r\n").expect("it is a text");
    }
    let heads = heads + "\r\na\r\n--b--\r\n";
    trial.check("malformed", (400, "malformed_form"), |daemon| {
        send(daemon, "", heads.as_bytes())
    });
    // Forms within forms are bytes: nobody opens them.
    let nested = format!(
        "{MODEL_PART}--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\
         content-type: multipart/mixed; boundary=c\r\n\r\n{}\r\n--b--\r\n",
        "--c\r\ncontent-type: multipart/mixed; boundary=c\r\n\r\n".repeat(10_000)
    );
    trial.check("malformed", (400, "invalid_audio"), |daemon| {
        send(daemon, "", nested.as_bytes())
    });
    // Neither is a boundary as long as a form.
    let boundary = "b".repeat(4000);
    trial.check("malformed", (400, "malformed_form"), |daemon| {
        let mut raw = Raw::connect(daemon);
        let head = FORM.replace("boundary=b", &format!("boundary={boundary}"));
        raw.send(format!("{head}content-length: 2\r\n\r\n--").as_bytes());
        raw.reply()
    });
    holds_little(&trial.daemon, before);
    trial.is_well();
}

#[test]
fn compressed_bodies_are_not_unpacked() {
    let mut trial = trial();
    let before = memory(trial.daemon.pid());
    // Zeros as gzip has them (RFC 1952): blocks of deflate (RFC 1951) of which each is 65,535
    // bytes further back by a thousandth of its size, written down by gzip itself.
    let script = "head -c 1000000000 /dev/zero | gzip -9";
    let packed = std::process::Command::new("sh")
        .args(["-c", script])
        .output();
    let packed = packed.expect("gzip is installed").stdout;
    assert!(
        (900_000..1_100_000).contains(&packed.len()),
        "{}",
        packed.len()
    );
    let bomb = file(
        &trial.daemon,
        "bomb.gz",
        &packed[..1_000_000.min(packed.len())],
    );
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        // The bytes are taken as they are, and are no form and no sound.
        let header = format!("Content-Encoding: {encoding}");
        let reply = trial
            .daemon
            .curl()
            .header(&header)
            .header("Content-Type: multipart/form-data; boundary=b")
            .args(&["--data-binary", &format!("@{}", bomb.display())])
            .get("/v1/audio/transcriptions");
        assert!(matches!(reply.status, 400 | 415), "{reply:?}");
    }
    trial.check("malformed", (400, "invalid_audio"), |daemon| {
        daemon.curl().transcribe(&bomb, &["model=whisper-1"])
    });
    holds_little(&trial.daemon, before);
    trial.is_well();
}
