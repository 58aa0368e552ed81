//! Overload: far more clients than the daemon can serve, and what becomes of each request; then
//! what a greedy application leaves to a polite one; then the limits as they are by default.
//!
//! Clients come at a steady pace, whatever they are told, and keep their connections. A request's
//! time runs from its first byte to the last one of the answer. What is refused with 429 or 503
//! is refused; whatever else is no text is a failure, and so is a wrong text.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::accuracy::verdict;
use crate::daemon::{Daemon, Device, Granted, TRANSCRIBE, form, form_head};
use crate::http::{Answer, Client, Door};
use crate::report::{Report, Table, median, milliseconds, quantile};

/// Applications that the clients are of.
const APPLICATIONS: usize = 4;
/// So much more is asked than can be done.
const OVERLOAD: f64 = 3.0;
/// Clients that keep the daemon at work while its capacity is measured: as many as may work and
/// wait.
const BUSY_CLIENTS: usize = 8;
/// The share of the capacity that a polite application asks for, and from how many clients.
const POLITE_SHARE: f64 = 0.4;
const POLITE_CLIENTS: usize = 8;
const GREEDY_CLIENTS: usize = 16;
/// How soon a greedy client comes again, whatever it was told.
const GREEDY_PAUSE: Duration = Duration::from_millis(100);
/// Shortest part beside the overload, and longest one.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The targets: milliseconds at the 99th percentile of refusals, and the share that a polite
/// application keeps.
const TARGET_REFUSAL: f64 = 50.0;
const TARGET_SHARE: f64 = 0.9;
/// Memory is bounded if its end is at most so much of what it was when everything had started.
const TARGET_GROWTH: f64 = 1.1;

/// Runs all of it.
pub(crate) fn run(
    report: &mut Report,
    device: &Device,
    file: &[u8],
    clients: usize,
    seconds: u64,
) -> Result<()> {
    let whole = Duration::from_secs(seconds);
    let part = (whole / 5).clamp(SHORTEST, LONGEST);
    let daemon = device.start()?;
    let body = form(file);
    let expected = daemon.transcribe(&daemon.token("app-0")?, file)?;
    let asked = Asked {
        body: &body,
        expected: &expected,
    };
    let capacity = capacity(&daemon, asked, part)?;
    println!("\ncapacity: {capacity:.2} clips of 5 s a second");
    overload(report, &daemon, asked, capacity, clients, whole)?;
    fairness(report, &daemon, asked, capacity, part)?;
    drop(daemon);
    by_default(report, device, asked, part)
}

/// What every client asks, and the text of it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    body: &'a [u8],
    expected: &'a str,
}

/// How often a client comes.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// At these intervals, the first time after so long. What would begin late is left out.
    Every { interval: Duration, first: Duration },
    /// So long after each answer.
    After(Duration),
}

/// A client: its way, its token, and how often it comes.
struct Part {
    door: Door,
    token: String,
    pace: Pace,
}

/// What became of requests.
#[derive(Debug, Default)]
struct Tally {
    /// Milliseconds of each text.
    accepted: Vec<f64>,
    /// Milliseconds of each refusal.
    refused: Vec<f64>,
    codes: BTreeMap<String, usize>,
    /// Refusals that do not say when to come again.
    silent: usize,
    failures: BTreeMap<String, usize>,
}

impl Tally {
    fn note(&mut self, answer: Result<Answer>, expected: &str, took: Duration) {
        let took = milliseconds(took);
        let failure = match answer {
            Ok(answer) if answer.status == 200 && answer.body["text"] == expected => {
                self.accepted.push(took);
                return;
            }
            Ok(answer) if matches!(answer.status, 429 | 503) => {
                let code = answer.code().unwrap_or("no code");
                let code = format!("{} {code}", answer.status);
                *self.codes.entry(code).or_default() += 1;
                self.silent += usize::from(answer.retry_after.is_none());
                self.refused.push(took);
                return;
            }
            Ok(answer) if answer.status == 200 => "another text".to_owned(),
            Ok(answer) => format!("{} {}", answer.status, answer.code().unwrap_or("no code")),
            Err(error) => format!("{error:#}"),
        };
        *self.failures.entry(failure).or_default() += 1;
    }

    fn join(&mut self, other: Tally) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.silent += other.silent;
        for (sum, part) in [
            (&mut self.codes, other.codes),
            (&mut self.failures, other.failures),
        ] {
            for (name, count) in part {
                *sum.entry(name).or_default() += count;
            }
        }
    }

    fn failed(&self) -> usize {
        self.failures.values().sum()
    }

    fn told(&self, of: &BTreeMap<String, usize>) -> String {
        let told = of.iter().map(|(name, count)| format!("{count} {name}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Has all of them ask for so long, each on a thread of its own, while `watch` looks on: what
/// became of the requests of each, in order.
fn play(
    parts: Vec<Part>,
    asked: Asked<'_>,
    time: Duration,
    watch: impl FnOnce(&AtomicBool) -> Result<()> + Send,
) -> Result<Vec<Tally>> {
    let over = AtomicBool::new(false);
    let ready = std::sync::Barrier::new(parts.len() + 1);
    std::thread::scope(|scope| {
        let clients: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let ready = &ready;
                scope.spawn(move || {
                    let mut client = Client::new(part.door.clone());
                    let mut tally = Tally::default();
                    // Who cannot connect at first tries again when its turn comes.
                    let _ = client.connect();
                    ready.wait();
                    ask_on(&mut client, &part, asked, time, &mut tally);
                    tally
                })
            })
            .collect();
        let watched = scope.spawn(|| {
            ready.wait();
            watch(&over)
        });
        let tallies: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        over.store(true, Ordering::Relaxed);
        match watched.join() {
            Ok(outcome) => outcome?,
            Err(_) => bail!("the watch panicked"),
        }
        let tallies = tallies.into_iter().map(|tally| tally.ok());
        tallies
            .collect::<Option<Vec<_>>>()
            .context("a client panicked")
    })
}

fn ask_on(client: &mut Client, part: &Part, asked: Asked<'_>, time: Duration, tally: &mut Tally) {
    let begin = Instant::now();
    let mut due = match part.pace {
        Pace::Every { first, .. } => first,
        Pace::After(_) => Duration::ZERO,
    };
    let head = form_head(&part.token);
    while due < time {
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        let asking = match client.connect() {
            Ok(()) => {
                let sent = Instant::now();
                (client.ask(TRANSCRIBE, &head, asked.body), sent.elapsed())
            }
            Err(error) => (Err(error), Duration::ZERO),
        };
        tally.note(asking.0, asked.expected, asking.1);
        due = match part.pace {
            Pace::Every { interval, .. } => next_due(due, interval, begin.elapsed()),
            Pace::After(pause) => begin.elapsed() + pause,
        };
    }
}

/// The next time of a pace that is not over yet.
fn next_due(due: Duration, interval: Duration, now: Duration) -> Duration {
    let mut next = due + interval;
    while next < now {
        next += interval;
    }
    next
}

/// Clients of some applications at a pace that comes to so many requests a second together, spread
/// over the applications and both doors.
fn clients_at(daemon: &Daemon, apps: &[String], count: usize, rate: f64) -> Result<Vec<Part>> {
    let tokens = apps.iter().map(|app| daemon.token(app));
    let tokens: Vec<String> = tokens.collect::<Result<_>>()?;
    let doors = daemon.doors();
    let interval = Duration::from_secs_f64(count as f64 / rate);
    let parts = (0..count).map(|index| Part {
        token: tokens[index % tokens.len()].clone(),
        // Each application comes through both.
        door: doors[index / tokens.len() % 2].clone(),
        pace: Pace::Every {
            interval,
            first: interval.mul_f64(index as f64 / count as f64),
        },
    });
    Ok(parts.collect())
}

fn apps() -> Vec<String> {
    (0..APPLICATIONS)
        .map(|index| format!("app-{index}"))
        .collect()
}

/// Clips a second with as many clients as may work and wait.
fn capacity(daemon: &Daemon, asked: Asked<'_>, time: Duration) -> Result<f64> {
    let mut parts = clients_at(daemon, &apps(), BUSY_CLIENTS, 1.0)?;
    for part in &mut parts {
        part.pace = Pace::After(Duration::ZERO);
    }
    let begin = Instant::now();
    let tallies = play(parts, asked, time, |_| Ok(()))?;
    let took = begin.elapsed().as_secs_f64();
    let done: usize = tallies.iter().map(|tally| tally.accepted.len()).sum();
    ensure!(done > 0, "nothing was served: {tallies:?}");
    Ok(done as f64 / took)
}

fn overload(
    report: &mut Report,
    daemon: &Daemon,
    asked: Asked<'_>,
    capacity: f64,
    clients: usize,
    time: Duration,
) -> Result<()> {
    let parts = clients_at(daemon, &apps(), clients, capacity * OVERLOAD)?;
    let over_tls: Vec<bool> = parts
        .iter()
        .map(|part| matches!(part.door, Door::Tls { .. }))
        .collect();
    let memory = Mutex::new(Vec::new());
    let tallies = play(parts, asked, time, |over| {
        while !over.load(Ordering::Relaxed) {
            let bytes: u64 = daemon.memory()?.iter().sum();
            if let Ok(mut memory) = memory.lock() {
                memory.push(bytes as f64 / 1e6);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    })?;
    let mut doors = [Tally::default(), Tally::default()];
    for (tally, over_tls) in tallies.into_iter().zip(over_tls) {
        doors[usize::from(over_tls)].join(tally);
    }
    let memory = memory.into_inner().unwrap_or_default();
    println!(
        "\n{clients} clients of {APPLICATIONS} applications ask for {:.1} clips a second for {} s",
        capacity * OVERLOAD,
        time.as_secs()
    );
    let mut all = Tally::default();
    let mut table = Table::new(&HEADS);
    for (door, tally) in daemon.doors().iter().zip(doors) {
        table.row(cells(door.name(), &tally));
        all.join(tally);
    }
    table.row(cells("both", &all));
    table.print();
    say(&all);
    let late = quantile(&all.refused, 0.99);
    println!(
        "refusals at the 99th percentile after {late:.1} ms; {}",
        verdict(late <= TARGET_REFUSAL, &format!("{TARGET_REFUSAL} ms"))
    );
    println!(
        "failures: {}; {}",
        all.failed(),
        verdict(all.failed() == 0, "none")
    );
    remembered(&memory);
    report.record(
        "load.overload",
        json!({
            "clients": clients, "seconds": time.as_secs(), "capacity": capacity,
            "accepted": all.accepted.len(), "refused": all.codes, "failures": all.failures,
            "refused_ms": { "p50": median(&all.refused), "p99": late, "most": quantile(&all.refused, 1.0) },
            "accepted_ms": { "p50": median(&all.accepted), "p99": quantile(&all.accepted, 0.99) },
            "megabytes": memory,
        }),
    )
}

const HEADS: [&str; 8] = [
    "clients", "accepted", "ms p50", "ms p99", "refused", "ms p50", "ms p99", "ms most",
];

fn cells(name: &str, tally: &Tally) -> [String; 8] {
    let (accepted, refused) = (&tally.accepted, &tally.refused);
    let at = |values: &[f64], share: f64| format!("{:.1}", quantile(values, share));
    [
        name.to_owned(),
        accepted.len().to_string(),
        at(accepted, 0.5),
        at(accepted, 0.99),
        refused.len().to_string(),
        at(refused, 0.5),
        at(refused, 0.99),
        at(refused, 1.0),
    ]
}

/// What refusals and failures there were.
fn say(tally: &Tally) {
    if !tally.codes.is_empty() {
        println!("refused: {}", tally.told(&tally.codes));
        println!("without Retry-After: {}", tally.silent);
    }
    if !tally.failures.is_empty() {
        println!("failed: {}", tally.told(&tally.failures));
    }
}

/// Whether memory stays bounded: the last tenth of the time beside the tenth in which everything
/// had just started.
fn remembered(megabytes: &[f64]) {
    let tenth = (megabytes.len() / 10).max(1);
    let early = megabytes.iter().skip(tenth).take(tenth).copied();
    let early = median(&early.collect::<Vec<_>>());
    let late = median(&megabytes[megabytes.len().saturating_sub(tenth)..]);
    let most = quantile(megabytes, 1.0);
    let first = megabytes.first().copied().unwrap_or(0.0);
    println!(
        "memory of all processes: {first:.0} MB at the start, {early:.0} MB a tenth later, \
         {late:.0} MB at the end, {most:.0} MB at most; {}",
        verdict(late <= early * TARGET_GROWTH, "10 % more than early on")
    );
}

/// A polite application alone, and beside a greedy one.
fn fairness(
    report: &mut Report,
    daemon: &Daemon,
    asked: Asked<'_>,
    capacity: f64,
    time: Duration,
) -> Result<()> {
    let rate = capacity * POLITE_SHARE;
    let polite = || clients_at(daemon, &["polite".to_owned()], POLITE_CLIENTS, rate);
    let sum = |tallies: Vec<Tally>| {
        let mut sum = Tally::default();
        tallies.into_iter().for_each(|tally| sum.join(tally));
        sum
    };
    let alone = sum(play(polite()?, asked, time, |_| Ok(()))?);
    let mut parts = polite()?;
    let greedy = clients_at(daemon, &["greedy".to_owned()], GREEDY_CLIENTS, 1.0)?;
    parts.extend(greedy.into_iter().map(|part| Part {
        pace: Pace::After(GREEDY_PAUSE),
        ..part
    }));
    let mut tallies = play(parts, asked, time, |_| Ok(()))?;
    let greedy = sum(tallies.split_off(POLITE_CLIENTS));
    let beside = sum(tallies);
    println!(
        "\na polite application asks for {rate:.1} clips a second for {} s, and then beside a greedy \
         one of {GREEDY_CLIENTS} clients",
        time.as_secs()
    );
    let mut table = Table::new(&HEADS);
    table.row(cells("polite alone", &alone));
    table.row(cells("polite beside greedy", &beside));
    table.row(cells("greedy", &greedy));
    table.print();
    for (name, tally) in [("alone", &alone), ("polite", &beside), ("greedy", &greedy)] {
        if !tally.codes.is_empty() || !tally.failures.is_empty() {
            println!("{name}:");
            say(tally);
        }
    }
    let share = beside.accepted.len() as f64 / (alone.accepted.len() as f64).max(1.0);
    println!(
        "the polite one keeps {share:.3} of what it gets alone; {}",
        verdict(share >= TARGET_SHARE, &TARGET_SHARE.to_string())
    );
    report.record(
        "load.fairness",
        json!({
            "rate": rate, "alone": alone.accepted.len(), "beside": beside.accepted.len(),
            "greedy": greedy.accepted.len(), "share": share,
            "failures": alone.failed() + beside.failed() + greedy.failed(),
            "alone_ms": { "p50": median(&alone.accepted), "p99": quantile(&alone.accepted, 0.99) },
            "beside_ms": { "p50": median(&beside.accepted), "p99": quantile(&beside.accepted, 0.99) },
        }),
    )
}

/// One application that asks without a pause, with the limits as they are by default.
fn by_default(
    report: &mut Report,
    device: &Device,
    asked: Asked<'_>,
    time: Duration,
) -> Result<()> {
    let daemon = device.start_granting(Granted::Default)?;
    let mut parts = clients_at(&daemon, &["app-0".to_owned()], 1, 1.0)?;
    for part in &mut parts {
        part.pace = Pace::After(Duration::ZERO);
    }
    let mut tally = Tally::default();
    for part in play(parts, asked, time, |_| Ok(()))? {
        tally.join(part);
    }
    println!(
        "\none client asks without a pause for {} s, with the limits as they are by default",
        time.as_secs()
    );
    let mut table = Table::new(&HEADS);
    table.row(cells("one", &tally));
    table.print();
    say(&tally);
    report.record(
        "load.default",
        json!({
            "accepted": tally.accepted.len(), "refused": tally.codes,
            "without_retry_after": tally.silent, "failures": tally.failures,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<Answer> {
        crate::http::Answer::parse(text)
    }

    #[test]
    fn a_pace_is_kept_and_what_is_late_is_left_out() {
        let second = Duration::from_secs;
        assert_eq!(next_due(second(3), second(2), second(4)), second(5));
        assert_eq!(next_due(second(3), second(2), second(8)), second(9));
    }

    #[test]
    fn texts_refusals_and_failures_are_told_apart() {
        let mut tally = Tally::default();
        let told = [
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"text\":\"a\"}",
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"text\":\"b\"}",
            "HTTP/1.1 429 -\r\nretry-after: 1\r\ncontent-length: 25\r\n\r\n{\"error\":{\"code\":\"busy\"}}",
            "HTTP/1.1 503 -\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 502 -\r\ncontent-length: 2\r\n\r\n{}",
            "",
        ];
        for text in told {
            tally.note(answer(text), "a", Duration::from_millis(1));
        }
        assert_eq!((tally.accepted.len(), tally.refused.len()), (1, 2));
        assert_eq!(tally.told(&tally.codes), "1 429 busy, 1 503 no code");
        assert_eq!((tally.silent, tally.failed()), (1, 3));
    }
}
