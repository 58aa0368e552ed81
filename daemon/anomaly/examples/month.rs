//! Prints false alarms of simulated months of honest use, and what attacks need until they are
//! answered: `cargo run -p earnest-anomaly --example month --features simulation`.

use earnest_anomaly::Options;
use earnest_anomaly::simulation::{Attack, History, attack, month};

/// Months that are simulated.
const SEEDS: u64 = 24;

fn main() {
    let options = Options::default();
    let mut alarms = Vec::new();
    for seed in 0..SEEDS {
        let month = month(seed, options);
        println!(
            "seed {seed}: {} alarms in {} observations, {} hindered",
            month.alarms.len(),
            month.observations,
            month.hindered
        );
        for alarm in &month.alarms {
            println!(
                "  {} {} {} {:.1} at day {:.2}: {:?}",
                alarm.subject,
                alarm.kind,
                alarm.level,
                alarm.score,
                alarm.since_milliseconds as f64 / 86_400e3 - 7.0,
                alarm.evidence,
            );
        }
        alarms.push(month.alarms.len());
    }
    let sum: usize = alarms.iter().sum();
    println!(
        "mean {:.2}, most {}",
        sum as f64 / SEEDS as f64,
        alarms.iter().max().unwrap_or(&0)
    );
    for kind in Attack::ALL {
        for history in [History::Fresh, History::Known] {
            let found = attack(kind, history, 1, options);
            let show = |reached: Option<earnest_anomaly::simulation::Reached>| {
                reached.map_or("-".to_owned(), |reached| {
                    format!(
                        "{} ({:.2} h, {})",
                        reached.requests, reached.hours, reached.kind
                    )
                })
            };
            println!(
                "{kind:40} {history:?}: alert {}, throttle {}, quarantine {}",
                show(found.alert),
                show(found.throttle),
                show(found.quarantine)
            );
        }
    }
}
