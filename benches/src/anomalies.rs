//! What the daemon's watch makes of simulated months: false alarms on honest use, and what
//! each attack needs until it is answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use earnest_anomaly::simulation::{Attack, History, Reached, attack, month};
use earnest_anomaly::{Observation, Options, Request, Subject, Thresholds, Watch};
use serde_json::{Value, json};

use crate::report::{Report, Table};

/// Thresholds at which alarms are counted beside the default: how near honest use comes.
const THRESHOLDS: [f64; 5] = [6.0, 8.0, 10.0, 11.0, 14.0];

/// Observations that one is timed over.
const TIMED: u32 = 200_000;

/// Prints all of it, for so many seeds.
pub(crate) fn run(report: &mut Report, seeds: u64) -> Result<()> {
    honest(report, seeds)?;
    margins(report, seeds)?;
    attacks(report)?;
    cost(report)
}

/// False alarms a month.
fn honest(report: &mut Report, seeds: u64) -> Result<()> {
    let mut table = Table::new(&["month", "observations", "alarms", "hindered", "what"]);
    let (mut sum, mut most) = (0, 0);
    for seed in 0..seeds {
        let month = month(seed, Options::default());
        let count = month.alarms.len();
        sum += count;
        most = most.max(count);
        let what: Vec<String> = month
            .alarms
            .iter()
            .map(|alarm| format!("{}: {}", alarm.subject, alarm.kind))
            .collect();
        table.row([
            seed.to_string(),
            month.observations.to_string(),
            count.to_string(),
            month.hindered.to_string(),
            what.join(", "),
        ]);
        report.record(
            "anomalies",
            json!({
                "seed": seed, "observations": month.observations, "alarms": count,
                "hindered": month.hindered,
            }),
        )?;
    }
    table.print();
    let mean = sum as f64 / seeds.max(1) as f64;
    println!("\nfalse alarms a month: {mean:.2} in the mean, {most} at most");
    report.record(
        "anomalies",
        json!({ "months": seeds, "mean": mean, "most": most }),
    )
}

/// Alarms at other thresholds: a month without any would say little if nothing came near.
fn margins(report: &mut Report, seeds: u64) -> Result<()> {
    let mut table = Table::new(&["threshold", "alarms a month", "of whom"]);
    for alert in THRESHOLDS {
        let thresholds = Thresholds::new(alert, 20.0, 32.0).context("thresholds rise")?;
        let options = Options {
            thresholds,
            ..Options::default()
        };
        let mut whose: BTreeMap<String, u32> = BTreeMap::new();
        for seed in 0..seeds {
            for alarm in month(seed, options).alarms {
                let who = format!("{} ({})", alarm.subject, alarm.kind);
                *whose.entry(who).or_default() += 1;
            }
        }
        let mean = f64::from(whose.values().sum::<u32>()) / seeds.max(1) as f64;
        let names: Vec<String> = whose.into_keys().collect();
        table.row([format!("{alert}"), format!("{mean:.2}"), names.join(", ")]);
        report.record("anomalies", json!({ "threshold": alert, "mean": mean }))?;
    }
    table.print();
    Ok(())
}

/// Requests until each answer.
fn attacks(report: &mut Report) -> Result<()> {
    let mut table = Table::new(&[
        "attack",
        "told after",
        "slowed after",
        "shut out after",
        "as",
    ]);
    for kind in Attack::ALL {
        for history in [History::Fresh, History::Known] {
            let found = attack(kind, history, 1, Options::default());
            let by = match history {
                History::Fresh => "",
                History::Known => ", in a known name",
            };
            let name = format!("{kind}{by}");
            table.row([
                name.clone(),
                cell(found.alert),
                cell(found.throttle),
                cell(found.quarantine),
                found
                    .alert
                    .map_or("-".to_owned(), |reached| reached.kind.to_string()),
            ]);
            report.record(
                "anomalies",
                json!({
                    "attack": name, "alert": value(found.alert),
                    "throttle": value(found.throttle), "quarantine": value(found.quarantine),
                }),
            )?;
        }
    }
    table.print();
    Ok(())
}

fn cell(reached: Option<Reached>) -> String {
    let Some(Reached {
        requests, hours, ..
    }) = reached
    else {
        return "-".to_owned();
    };
    if hours < 1.0 {
        format!("{requests} ({:.1} min)", hours * 60.0)
    } else {
        format!("{requests} ({hours:.1} h)")
    }
}

fn value(reached: Option<Reached>) -> Value {
    reached.map_or(Value::Null, |reached| {
        json!({
            "requests": reached.requests, "hours": reached.hours, "kind": reached.kind.name(),
        })
    })
}

/// Time of one observation.
fn cost(report: &mut Report) -> Result<()> {
    let watch = Watch::new(Options::default());
    let begun = Instant::now();
    for number in 0..TIMED {
        let subject = Subject::Uid(number % 64);
        let observation = Observation::Request(Request {
            sound_milliseconds: 9_000,
            speech_milliseconds: 7_000,
            payload: Some(number.into()),
            shape: Some(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            ..Request::default()
        });
        let now = Duration::from_secs(u64::from(number) * 9);
        watch.observe(&subject, &observation, now, 9);
    }
    let microseconds = begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMED);
    println!("\none observation: {microseconds:.1} µs");
    report.record("anomalies", json!({ "microseconds": microseconds }))
}
