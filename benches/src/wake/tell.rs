//! What came of it, as curves, verdicts, and what was taken for a phrase.

use anyhow::Result;
use serde_json::json;

use super::curve::{Curve, Trial, upper_bound};
use super::ear::Ear;
use super::{Class, Outcome, WANTED, Wanted, spoken};
use crate::accuracy::verdict;
use crate::places::Model;
use crate::report::{Report, Table};
use crate::sound::RATE;

/// False accepts an hour that are borne.
const MOST_ACCEPTS: f64 = 1.0;

/// The share of misses that is borne.
const MOST_MISSES: f64 = 0.10;

/// The fewest spoken positives of a phrase, and the fewest hours of negatives.
const LEAST_POSITIVES: usize = 100;
const LEAST_HOURS: f64 = 3.0;

/// Gains that the printed curve has.
const GAINS: std::ops::RangeInclusive<u8> = 1..=20;

/// Letters of a sound's name that are printed.
const NAME: usize = 60;

/// Prints all of it.
pub(super) fn tell(report: &mut Report, model: Model, outcomes: &[Outcome]) -> Result<()> {
    let hours = Hours::of(outcomes);
    println!(
        "\n{}: {:.2} h in which no phrase is said, {:.2} h of it recorded, the rest made by machines; \
         every phrase is spoken by machines",
        model.name(),
        hours.all,
        hours.recorded,
    );
    for wakes in [true, false] {
        print_curve(report, model, wakes, hours.all, outcomes)?;
        print_noises(wakes, outcomes);
    }
    print_classes(report, model, outcomes)?;
    print_accepted(outcomes);
    print_near(report, model, outcomes)?;
    println!();
    for wakes in [true, false] {
        print_verdicts(report, model, wakes, &hours, outcomes)?;
    }
    Ok(())
}

/// Hours of sound without a phrase.
struct Hours {
    all: f64,
    recorded: f64,
}

impl Hours {
    fn of(outcomes: &[Outcome]) -> Hours {
        let of = |made: &[bool]| {
            let without = outcomes.iter().filter(|outcome| match outcome.class {
                Class::Without { synthetic, .. } => made.contains(&synthetic),
                Class::Spoken { .. } | Class::Near => false,
            });
            let samples: usize = without.map(|outcome| outcome.samples).sum();
            samples as f64 / RATE as f64 / 3600.0
        };
        Hours {
            all: of(&[true, false]),
            recorded: of(&[false]),
        }
    }
}

/// The curve of the phrases at these places, as if nothing else was looked for.
fn curve(outcomes: &[Outcome], places: &[usize]) -> Curve {
    Curve::of(outcomes.iter().flat_map(|outcome| trials(outcome, places)))
}

/// What an outcome adds to the curve of the phrases at `places`.
fn trials(outcome: &Outcome, places: &[usize]) -> Vec<Trial> {
    match &outcome.class {
        Class::Spoken { phrases, .. } => phrases
            .iter()
            .filter(|place| places.contains(place))
            .map(|place| Trial::Spoken(best(outcome, *place)))
            .collect(),
        Class::Without { .. } => outcome
            .gains
            .iter()
            .filter(|(place, _)| places.contains(place))
            .map(|(_, gain)| Trial::Without(*gain))
            .collect(),
        Class::Near => Vec::new(),
    }
}

/// The greatest gain of a phrase in a sound.
fn best(outcome: &Outcome, place: usize) -> f32 {
    let gains = outcome.gains.iter();
    let gains = gains.filter(|(other, _)| *other == place);
    gains.map(|(_, gain)| *gain).fold(0.0, f32::max)
}

/// Whether a phrase would have been told in a sound.
fn spotted(place: usize, gain: f32) -> bool {
    gain >= Ear::threshold(WANTED[place].wakes)
}

/// The places of the phrases that wake, or of the commands.
fn places(wakes: bool) -> Vec<usize> {
    let of_kind = |(place, wanted): (usize, &Wanted)| (wanted.wakes == wakes).then_some(place);
    WANTED.iter().enumerate().filter_map(of_kind).collect()
}

fn kind(wakes: bool) -> &'static str {
    match wakes {
        true => "phrases that wake",
        false => "commands",
    }
}

/// Misses and false accepts over thresholds: of all phrases of a kind together, and of each.
fn print_curve(
    report: &mut Report,
    model: Model,
    wakes: bool,
    hours: f64,
    outcomes: &[Outcome],
) -> Result<()> {
    let places = places(wakes);
    let chosen = Ear::threshold(wakes);
    let all = curve(outcomes, &places);
    let each: Vec<Curve> = places
        .iter()
        .map(|place| curve(outcomes, &[*place]))
        .collect();
    println!(
        "\n{}, {}: {} spoken; of all together, and missed % and accepts of each: {}",
        model.name(),
        kind(wakes),
        all.positives(),
        places
            .iter()
            .map(|place| WANTED[*place].words)
            .collect::<Vec<_>>()
            .join(", "),
    );
    let mut heads = vec![
        "gain",
        "misses",
        "missed %",
        "accepts",
        "an hour",
        "95 % below",
    ];
    heads.extend(places.iter().flat_map(|_| ["%", "accepts"]));
    heads.push("");
    let mut table = Table::new(&heads);
    let mut gains: Vec<f32> = GAINS.map(f32::from).collect();
    if !gains.contains(&chosen) {
        gains.push(chosen);
        gains.sort_by(f32::total_cmp);
    }
    for gain in gains {
        let (misses, accepts) = all.at(gain);
        let mut row = vec![
            format!("{gain:.1}"),
            misses.to_string(),
            percent(misses, all.positives()),
            accepts.to_string(),
            format!("{:.2}", accepts as f64 / hours),
            format!("{:.2}", upper_bound(accepts) / hours),
        ];
        row.extend(each.iter().flat_map(|each| {
            let (misses, accepts) = each.at(gain);
            [percent(misses, each.positives()), accepts.to_string()]
        }));
        row.push(if gain == chosen { "chosen" } else { "" }.to_owned());
        table.row(row);
        report.record(
            "wake",
            json!({
                "model": model.name(), "kind": kind(wakes), "gain": gain, "misses": misses,
                "positives": all.positives(), "accepts": accepts, "hours": hours,
                "chosen": gain == chosen,
            }),
        )?;
    }
    table.print();
    Ok(())
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.1}", 100.0 * part as f64 / whole.max(1) as f64)
}

/// Misses at the chosen threshold, by phrase and noise.
fn print_noises(wakes: bool, outcomes: &[Outcome]) {
    let mut table = Table::new(&["phrase", "noise", "spoken", "missed"]);
    for place in places(wakes) {
        for noise in spoken::NOISES {
            let (mut count, mut missed) = (0, 0);
            for outcome in outcomes {
                match &outcome.class {
                    Class::Spoken {
                        phrases,
                        noise: name,
                    } if *name == noise.name && phrases.contains(&place) => {
                        count += 1;
                        missed += usize::from(!spotted(place, best(outcome, place)));
                    }
                    _ => {}
                }
            }
            table.row([
                WANTED[place].words.to_owned(),
                noise.name.to_owned(),
                count.to_string(),
                missed.to_string(),
            ]);
        }
    }
    table.print();
}

/// What the negatives are, and how near each class came.
fn print_classes(report: &mut Report, model: Model, outcomes: &[Outcome]) -> Result<()> {
    let mut classes: Vec<(&'static str, bool)> = Vec::new();
    for outcome in outcomes {
        if let Class::Without { name, synthetic } = outcome.class
            && !classes.contains(&(name, synthetic))
        {
            classes.push((name, synthetic));
        }
    }
    let mut table = Table::new(&[
        "without a phrase",
        "made",
        "minutes",
        "segments",
        "greatest wake",
        "greatest command",
        "accepts",
    ]);
    for (name, synthetic) in classes {
        let of = || {
            outcomes.iter().filter(
                |outcome| matches!(outcome.class, Class::Without { name: other, .. } if other == name),
            )
        };
        let minutes =
            of().map(|outcome| outcome.samples).sum::<usize>() as f64 / RATE as f64 / 60.0;
        let segments: usize = of().map(|outcome| outcome.segments).sum();
        let gains = || of().flat_map(|outcome| &outcome.gains);
        let greatest = |wakes: bool| {
            let gains = gains().filter(|(place, _)| WANTED[*place].wakes == wakes);
            gains.map(|(_, gain)| *gain).fold(0.0, f32::max)
        };
        let accepts = gains().filter(|(place, gain)| spotted(*place, *gain));
        let accepts = accepts.count();
        table.row([
            name.to_owned(),
            if synthetic { "by machine" } else { "recorded" }.to_owned(),
            format!("{minutes:.1}"),
            segments.to_string(),
            format!("{:.1}", greatest(true)),
            format!("{:.1}", greatest(false)),
            accepts.to_string(),
        ]);
        report.record(
            "wake",
            json!({
                "model": model.name(), "without": name, "synthetic": synthetic,
                "minutes": minutes, "segments": segments, "accepts": accepts,
            }),
        )?;
    }
    table.print();
    Ok(())
}

/// Where a phrase was spotted that nobody said.
fn print_accepted(outcomes: &[Outcome]) {
    let mut table = Table::new(&["accepted", "for", "gain"]);
    for outcome in outcomes {
        if matches!(outcome.class, Class::Spoken { .. }) {
            continue;
        }
        for (place, gain) in &outcome.gains {
            if spotted(*place, *gain) {
                let name: String = outcome.name.chars().take(NAME).collect();
                let phrase = WANTED[*place].words.to_owned();
                table.row([name, phrase, format!("{gain:.1}")]);
            }
        }
    }
    table.print();
}

/// How often phrases that are like the ones looked for are taken for them. That is no rate an
/// hour: nobody says such things all day.
fn print_near(report: &mut Report, model: Model, outcomes: &[Outcome]) -> Result<()> {
    let near = outcomes
        .iter()
        .filter(|outcome| outcome.class == Class::Near);
    let count = near.clone().count();
    let taken = near.filter(|outcome| {
        let mut gains = outcome.gains.iter();
        gains.any(|(place, gain)| spotted(*place, *gain))
    });
    let taken = taken.count();
    println!("\nof {count} sounds that are meant to be mistaken, {taken} are");
    report.record(
        "wake",
        json!({"model": model.name(), "near": count, "taken": taken}),
    )
}

/// A line for each phrase of a kind, and one for all of them together.
fn print_verdicts(
    report: &mut Report,
    model: Model,
    wakes: bool,
    hours: &Hours,
    outcomes: &[Outcome],
) -> Result<()> {
    let all = places(wakes);
    let each = all.iter().map(|place| (WANTED[*place].words, vec![*place]));
    let together = std::iter::once((kind(wakes), all.clone()));
    for (name, places) in each.chain(together) {
        let chosen = Ear::threshold(wakes);
        let curve = curve(outcomes, &places);
        let (misses, accepts) = curve.at(chosen);
        let missed = misses as f64 / curve.positives().max(1) as f64;
        let rate = accepts as f64 / hours.all;
        let (above, up_to) = curve.bearable((MOST_ACCEPTS * hours.all) as usize, MOST_MISSES);
        let met = missed <= MOST_MISSES && rate <= MOST_ACCEPTS;
        println!(
            "{}, {name}, from a gain of {chosen:.1}: {misses} of {} missed ({:.1} %), {accepts} false \
             accepts in {:.2} h ({rate:.2} an hour, 95 % below {:.2}); {}; {}",
            model.name(),
            curve.positives(),
            100.0 * missed,
            hours.all,
            upper_bound(accepts) / hours.all,
            verdict(met, "at most 10 % missed and one false accept an hour"),
            match above < up_to {
                true => format!("gains above {above:.1} and up to {up_to:.1} meet it"),
                false => "no gain meets it".to_owned(),
            },
        );
        if curve.positives() < LEAST_POSITIVES || hours.all < LEAST_HOURS {
            println!("that is too little to go by: fewer than 100 spoken, or than 3 h without");
        }
        report.record(
            "wake",
            json!({
                "model": model.name(), "phrase": name, "gain": chosen, "misses": misses,
                "positives": curve.positives(), "accepts": accepts, "hours": hours.all,
                "recorded": hours.recorded, "above": above, "up_to": up_to, "met": met,
            }),
        )?;
    }
    Ok(())
}
