//! What the time of an answer tells: not how far a check of credentials got, and with padding on
//! not how much was said.
//!
//! Two kinds of request follow one another at random, and their times are compared by the rank
//! test of Mann and Whitney, which asks nothing of how times are spread. A busy machine makes
//! some requests late, but either kind as likely. So a test fails only where both are true: that
//! chance makes such a difference in fewer than one in a thousand runs, and that the medians are
//! 2 % apart. A difference of less than 2 % of a tick is some microseconds, far below what is
//! measured across a process's border.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{SAID, pcm, sample};
use crate::earnestd::{Earnestd, Wish};
use crate::person::Person;
use crate::raw::{KeptAlive, Raw};
use crate::trial::{NOBODY_WATCHES, Trial};

/// Requests whose times are compared.
const REQUESTS: usize = 2_000;

/// Uploads whose times are compared: each takes a quantum.
const UPLOADS: usize = 40;

/// The quantum. A long answer takes far less of it than all.
const QUANTUM: Duration = Duration::from_millis(1_000);

/// How likely chance alone must be to make a difference that is none.
const CHANCE: f64 = 0.001;

/// The share of the median below which a difference is none.
const EFFECT: f64 = 0.02;

/// Milliseconds of requests of two kinds.
struct Times([Vec<f64>; 2]);

/// What is found of them.
#[derive(Debug)]
struct Found {
    /// How many there are of each.
    counts: [usize; 2],
    medians: [f64; 2],
    /// The statistic of Mann and Whitney, and its place in the normal distribution.
    u: f64,
    z: f64,
    /// How likely chance alone makes a z so far out.
    p: f64,
    /// How far the medians are apart, as a share of the larger one.
    effect: f64,
}

impl Found {
    fn is_a_difference(&self) -> bool {
        self.p <= CHANCE && self.effect >= EFFECT
    }
}

impl Times {
    /// Times of so many requests, of one kind or the other by chance.
    fn of(count: usize, mut ask: impl FnMut(usize) -> Duration) -> Times {
        let mut times = [Vec::new(), Vec::new()];
        let chance = RandomState::new();
        for number in 0..count {
            let kind = (chance.hash_one(number) & 1) as usize;
            times[kind].push(ask(kind).as_secs_f64() * 1e3);
        }
        Times(times)
    }

    fn compare(&self) -> Found {
        let [first, second] = &self.0;
        let (many, others) = (first.len() as f64, second.len() as f64);
        let (ranks, ties) = ranks(first, second);
        let u = ranks - many * (many + 1.0) / 2.0;
        let all = many + others;
        let variance = many * others / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
        let z = (u - many * others / 2.0) / variance.sqrt().max(f64::MIN_POSITIVE);
        let medians = [median(first), median(second)];
        let apart = (medians[0] - medians[1]).abs();
        Found {
            counts: [first.len(), second.len()],
            medians,
            u,
            z,
            p: by_chance(z),
            effect: apart / medians[0].max(medians[1]),
        }
    }
}

/// The sum of the first ones' ranks among all, like values sharing theirs; and what ties take
/// from the variance.
fn ranks(first: &[f64], second: &[f64]) -> (f64, f64) {
    let of = |values: &[f64], kind: usize| -> Vec<(f64, usize)> {
        values.iter().map(|&value| (value, kind)).collect()
    };
    let mut all = [of(first, 0), of(second, 1)].concat();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut sum, mut ties, mut before) = (0.0, 0.0, 0);
    for like in all.chunk_by(|one, other| one.0 == other.0) {
        let count = like.len() as f64;
        let rank = before as f64 + (count + 1.0) / 2.0;
        sum += rank * like.iter().filter(|(_, kind)| *kind == 0).count() as f64;
        ties += count.powi(3) - count;
        before += like.len();
    }
    (sum, ties)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// How likely a value of the normal distribution is at least so far from its middle: the
/// complementary error function of Abramowitz and Stegun, 7.1.26, good to seven digits.
fn by_chance(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    sum * (-x * x).exp()
}

/// A request with this token, which nobody believes.
fn not_believed(connection: &mut KeptAlive, token: &str) -> Duration {
    let head = format!("GET /v1/models HTTP/1.1\r\nauthorization: Bearer {token}");
    let sent = Instant::now();
    let answer = connection.ask(&head);
    let took = sent.elapsed();
    let (status, _, body) = answer.expect("the connection is kept");
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("\"invalid_credentials\""), "{body}");
    took
}

/// The same token with one character of its signature changed.
fn forged(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 10);
    let other = if last.starts_with('A') { "B" } else { "A" };
    format!("{rest}{other}{}", &last[1..])
}

/// Over TCP a source that failed twenty times is heard no more for a minute, so nobody gets to
/// measure there. The Unix socket, where the kernel says who asks, goes on answering: its answers
/// are what is timed.
#[test]
fn the_time_of_a_refusal_does_not_tell_a_wrong_token_from_one_of_an_unknown_app() {
    let mut trial = Trial::of(Wish {
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let mut person = Person::enrol(&trial.daemon);
    // Two apps of this user, so that the socket alone does not say which of them asks.
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    person.add_app(&trial.daemon, "beside", &["transcribe"]);
    person.add_app(&trial.daemon, "gone", &["transcribe"]);
    let gone = trial.daemon.token("gone");
    assert_eq!(person.revoke_app(&trial.daemon, "gone").status, 204);
    let honest = trial.daemon.token("honest");
    let elsewhere = json!({"app": "honest", "audience": "earnest:elsewhere"}).to_string();
    let elsewhere = trial.daemon.curl().post_json("/v1/token", &elsewhere);
    let elsewhere = elsewhere.json(200);
    let elsewhere = elsewhere["token"].as_str().expect("it is a text");

    let mut connection = KeptAlive::connect(&trial.daemon);
    let wrong = forged(&honest);
    for (what, other, requests) in [
        ("a token of an app that is gone", gone.as_str(), REQUESTS),
        ("a genuine token for somebody else", elsewhere, REQUESTS / 4),
    ] {
        let tokens = [wrong.as_str(), other];
        // The first ones wake what the others find awake.
        for token in [tokens, tokens].concat() {
            not_believed(&mut connection, token);
        }
        let times = Times::of(requests, |kind| not_believed(&mut connection, tokens[kind]));
        let found = times.compare();
        println!("a wrong token and {what}: {found:?}");
        assert_eq!(found.counts.iter().sum::<usize>(), requests);
        assert!(!found.is_a_difference(), "{what}: {found:?}");
    }
    // All this was counted: over TLS nothing of this user is heard now.
    let locked = trial.daemon.curl_of("honest").get("/v1/models");
    assert_eq!(locked.refusal(429), "rate_limited");
    let bearer = format!("Authorization: Bearer {}", trial.daemon.token("honest"));
    let honest = trial.daemon.curl().header(&bearer);
    let served = honest.transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(served.json(200)["text"], SAID);
    assert!(trial.daemon.ended().is_none(), "{}", trial.daemon.log());
}

/// An upload of so much of the sample, and the time of its answer.
fn upload(daemon: &Earnestd, sound: &[u8]) -> Duration {
    let mut form = b"--part\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
        --part\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
        .to_vec();
    form.extend_from_slice(sound);
    form.extend_from_slice(b"\r\n--part--\r\n");
    let head = format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary=part\r\ncontent-length: {}\r\n\r\n",
        form.len()
    );
    let mut connection = Raw::connect(daemon);
    let sent = Instant::now();
    assert!(connection.send(head.as_bytes()) && connection.send(&form));
    let reply = connection.reply();
    let took = sent.elapsed();
    assert_eq!(reply.status, 200, "{reply:?}");
    took
}

/// The first seconds of the sample, as a file.
fn beginning(seconds: usize) -> Vec<u8> {
    let mut file = fs::read(sample()).expect("it was read before");
    let header = file.len() - pcm().len();
    let bytes = seconds * 32_000;
    file.truncate(header + bytes);
    // The sizes of the whole, and of the samples (RIFF).
    let sizes = [(4, header - 8 + bytes), (header - 4, bytes)];
    for (place, size) in sizes {
        let size = u32::try_from(size).expect("some seconds");
        file[place..place + 4].copy_from_slice(&size.to_le_bytes());
    }
    file
}

#[test]
fn with_padding_a_short_answer_and_a_long_one_take_the_same_time() {
    let padding = format!("[answers]\npad_milliseconds = {}\n", QUANTUM.as_millis());
    let mut trial = Trial::of(Wish {
        tables: format!("{padding}{NOBODY_WATCHES}"),
        ..Wish::default()
    });
    let files = [beginning(1), beginning(5)];
    for file in &files {
        upload(&trial.daemon, file);
    }
    let times = Times::of(UPLOADS, |kind| upload(&trial.daemon, &files[kind]));
    let quanta = Times(times.0.clone().map(|times| {
        let quantum = QUANTUM.as_secs_f64() * 1e3;
        times.iter().map(|time| (time / quantum).floor()).collect()
    }));
    let (found, in_quanta) = (times.compare(), quanta.compare());
    println!("a short answer and a long one: {found:?}, in quanta: {in_quanta:?}");
    assert!(!found.is_a_difference(), "{found:?}");
    assert!(!in_quanta.is_a_difference(), "{in_quanta:?}");
    assert_eq!(in_quanta.medians, [1.0, 1.0], "{found:?}");
    trial.is_well();
}

#[test]
fn the_rank_test_knows_a_difference_from_none() {
    // Ranks 1, 2, 3, 5 of eight: U is 1, and 16 pairs have a mean of 8 and a variance of 12.
    let found = Times([vec![1.0, 2.0, 3.0, 5.0], vec![4.0, 6.0, 7.0, 8.0]]).compare();
    assert_eq!(found.u, 1.0);
    assert!((found.z + 7.0 / 12_f64.sqrt()).abs() < 1e-12, "{found:?}");
    assert!((found.p - 0.0433).abs() < 1e-4, "{found:?}");
    // What is alike shares its rank.
    let found = Times([vec![1.0, 1.0], vec![1.0, 2.0]]).compare();
    assert_eq!(found.u, 1.0);
    for (z, expected) in [(0.0, 1.0), (1.96, 0.049_996), (-3.29, 0.001_002)] {
        assert!((by_chance(z) - expected).abs() < 1e-5, "{z}");
    }
    let at = |median: f64| {
        (0..500)
            .map(|step| median + f64::from(step) / 1e3)
            .collect()
    };
    let apart = Times([at(10.0), at(10.5)]).compare();
    assert!(apart.is_a_difference(), "{apart:?}");
    let alike = Times([at(10.0), at(10.0)]).compare();
    assert!(!alike.is_a_difference() && alike.p > 0.9, "{alike:?}");
    // Far less than anybody measures from outside, however sure it is.
    let hardly = Times([at(10.0), at(10.1)]).compare();
    assert!(hardly.p < CHANCE && !hardly.is_a_difference(), "{hardly:?}");
}
