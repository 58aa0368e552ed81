//! Prints false alarms of simulated months of honest use, and what attacks need until they are
//! answered: `cargo run -p earnest-anomaly --example month --features simulation -- FIRST COUNT`,
//! by the first seed and how many. `cargo xtask bench anomalies` prints the same and more.

use std::env;

use earnest_anomaly::Options;
use earnest_anomaly::simulation::{Attack, History, Reached, attack, month};

fn main() {
    let mut numbers = env::args().skip(1).map(|number| number.parse::<u64>());
    let first = numbers.next().and_then(Result::ok).unwrap_or(0);
    let count = numbers.next().and_then(Result::ok).unwrap_or(24);
    let (mut sum, mut most) = (0, 0);
    for seed in first..first.saturating_add(count) {
        let alarms = month(seed, Options::default()).alarms;
        sum += alarms.len();
        most = most.max(alarms.len());
        for alarm in alarms {
            println!(
                "month {seed}: {} {} at {:.1} nats",
                alarm.subject, alarm.kind, alarm.score
            );
        }
    }
    println!("{count} months: {sum} false alarms, at most {most} in one");
    for kind in Attack::ALL {
        for history in [History::Fresh, History::Known] {
            let found = attack(kind, history, 1, Options::default());
            println!(
                "{kind:38} {history:?}: told after {}, slowed after {}, shut out after {}",
                show(found.alert),
                show(found.throttle),
                show(found.quarantine)
            );
        }
    }
}

fn show(reached: Option<Reached>) -> String {
    reached.map_or("-".to_owned(), |reached| {
        let Reached {
            requests,
            hours,
            kind,
        } = reached;
        format!("{requests} ({hours:.2} h, {kind})")
    })
}
