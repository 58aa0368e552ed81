//! `soak`: hours of listening, faster than they pass; sound that is no speech; and a device that
//! is lost and comes back, again and again.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::listener::{Listener, Told};
use super::pace;
use super::processes::{self, PARTS};
use super::room::Room;
use super::script::{Place, Script, bytes, place_at, samples, television};
use super::{APP, device_of};
use crate::accuracy::verdict;
use crate::corpus::Clip;
use crate::daemon::{Daemon, Device};
use crate::report::{Report, Table, median, quantile};
use crate::sound::{Noise, RATE};

/// Silence behind each clip, and behind everything.
const GAP: usize = 2 * RATE;
const END: usize = 60 * RATE;

/// Samples that the voice detector looks at at once.
const WINDOW: usize = 512;

/// Longer than a machine that does much else works on what lies between two utterances.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than the pauses between two tries of the daemon, and than a sound server's first sound.
const RECOVERY: Duration = Duration::from_secs(20);
/// How long a device is away.
const AWAY: Duration = Duration::from_millis(400);

/// The targets: growth of memory from the second tenth to the last, and seconds of drift.
const TARGET_GROWTH: f64 = 1.05;
const TARGET_DRIFT: f64 = 0.1;

/// How much of everything.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Length {
    /// Minutes of sound that are listened to.
    #[arg(long, default_value_t = 120)]
    pub(crate) minutes: usize,
    /// Minutes of each sound that is no speech.
    #[arg(long, default_value_t = 10)]
    pub(crate) noise_minutes: usize,
    /// How often the device is lost.
    #[arg(long, default_value_t = 60)]
    pub(crate) losses: usize,
}

/// All of it.
pub(crate) fn run(
    report: &mut Report,
    device: &Device,
    clips: &[Clip],
    length: Length,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sound = folder.path().join("sound.raw");
    let environment = device_of(folder.path(), &sound)?;
    fs::write(&sound, [])?;
    let daemon = device.start_hearing("microphone.lossless = true\n", &environment)?;
    daemon.add_listener(APP)?;
    let token = daemon.token(APP)?;
    if length.minutes > 0 {
        listen(report, &daemon, &token, clips, &sound, length.minutes)?;
    }
    if length.noise_minutes > 0 {
        noises(report, &daemon, &token, clips, &sound, length.noise_minutes)?;
    }
    drop(daemon);
    if length.losses > 0 {
        losses(report, device, clips, length.losses)?;
    }
    Ok(())
}

/// Megabytes after each tenth, by part.
fn print_memory(megabytes: &[[f64; 3]]) -> f64 {
    let mut table = Table::new(&["megabytes", PARTS[0], PARTS[1], PARTS[2]]);
    for (tenth, of) in megabytes.iter().enumerate() {
        let cells = of.map(|one| format!("{one:.1}"));
        table.row([vec![format!("after {} %", 10 * tenth)], cells.to_vec()].concat());
    }
    table.print();
    let sum = |of: &[f64; 3]| of.iter().sum::<f64>();
    // In the first tenth everything gets its room.
    let early = megabytes.get(1).map_or(0.0, sum);
    megabytes.last().map_or(0.0, sum) / early.max(1e-9)
}

fn listen(
    report: &mut Report,
    daemon: &Daemon,
    token: &str,
    clips: &[Clip],
    path: &Path,
    minutes: usize,
) -> Result<()> {
    let mut script = Script::of(clips, GAP, GAP);
    // Each round is looked at in the same pieces as the first one.
    let whole = script.pcm.len().next_multiple_of(WINDOW);
    script.pcm.resize(whole, 0);
    let rounds = (minutes * 60 * RATE).div_ceil(script.pcm.len());
    write(path, &script.pcm, rounds)?;
    let places: Vec<Place> = (0..rounds)
        .flat_map(|round| {
            let shift = round * script.pcm.len();
            script.places.iter().map(move |place| Place {
                clip: place.clip,
                onset: place.onset + shift,
                end: place.end + shift,
            })
        })
        .collect();
    let whole = (rounds * script.pcm.len()) as f64 / RATE as f64;
    println!(
        "\n{} utterances in {:.0} minutes of sound, {} different ones",
        places.len(),
        whole / 60.0,
        clips.len()
    );
    let begin = Instant::now();
    let listener = Listener::begin(daemon, token)?;
    let mut finals: Vec<(f64, String)> = Vec::new();
    let mut megabytes = Vec::new();
    let last = places.last().context("nothing is said")?.onset as f64 / RATE as f64;
    while finals.last().is_none_or(|(start, _)| *start < last - 1.0) {
        let Some(told) = next_final(&listener)? else {
            println!("nothing more is told for {PATIENCE:?}");
            break;
        };
        let start = told.seconds("start");
        while start >= whole * megabytes.len() as f64 / 10.0 {
            megabytes.push(processes::memory(daemon));
        }
        finals.push((start, told.text().to_owned()));
    }
    megabytes.push(processes::memory(daemon));
    drop(listener);
    let growth = print_memory(&megabytes);
    let took = begin.elapsed().as_secs_f64();
    let heard = Heard::of(&places, clips.len(), &finals);
    println!(
        "{:.0} s of sound in {took:.0} s, {:.1} times as fast as it passes",
        whole,
        whole / took
    );
    println!(
        "memory at the end {growth:.3} of that after the first tenth; {}",
        verdict(growth <= TARGET_GROWTH, &TARGET_GROWTH.to_string())
    );
    println!(
        "utterances lost: {} of {}; {}; {} with another text than the first time",
        heard.lost,
        places.len(),
        verdict(heard.lost == 0, "none"),
        heard.other
    );
    println!(
        "the same utterance at most {:.3} s from where it was the first time; {}",
        heard.drift,
        verdict(heard.drift <= TARGET_DRIFT, &format!("{TARGET_DRIFT} s"))
    );
    report.record(
        "soak.listen",
        json!({
            "seconds": whole, "took": took, "utterances": places.len(), "lost": heard.lost,
            "other_text": heard.other, "drift": heard.drift, "megabytes": megabytes,
        }),
    )
}

fn next_final(listener: &Listener) -> Result<Option<Told>> {
    let end = Instant::now() + PATIENCE;
    while let Some(told) = listener.next(end.saturating_duration_since(Instant::now()))? {
        if told.kind() == "final" {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// `pcm` so many times, and silence. The device repeats the last that it read for ever.
fn write(path: &Path, pcm: &[i16], rounds: usize) -> Result<()> {
    let (bytes, mut file) = (bytes(pcm), BufWriter::new(File::create(path)?));
    for _ in 0..rounds {
        file.write_all(&bytes)?;
    }
    file.write_all(&vec![0; 2 * END])?;
    Ok(file.flush()?)
}

/// What became of utterances that are said again and again.
#[derive(Debug, PartialEq)]
struct Heard {
    lost: usize,
    other: usize,
    /// Seconds.
    drift: f64,
}

impl Heard {
    fn of(places: &[Place], clips: usize, finals: &[(f64, String)]) -> Heard {
        let mut texts: Vec<Option<(f64, String)>> = vec![None; places.len()];
        for (start, text) in finals {
            let Some(index) = place_at(places, *start) else {
                continue;
            };
            let onset = places[index].onset as f64 / RATE as f64;
            let (_, all) = texts[index].get_or_insert_with(|| (start - onset, String::new()));
            all.push_str(text);
        }
        let (mut other, mut drift) = (0, 0.0);
        for (index, text) in texts.iter().enumerate() {
            let first = texts[index % clips].as_ref();
            if let (Some((at, text)), Some((at_first, first))) = (text, first) {
                other += usize::from(text != first);
                drift = f64::max(drift, (at - at_first).abs());
            }
        }
        Heard {
            lost: texts.iter().filter(|text| text.is_none()).count(),
            other,
            drift,
        }
    }
}

/// Sound that is no speech, and behind it one clip, by which it is known that all was heard.
fn noises(
    report: &mut Report,
    daemon: &Daemon,
    token: &str,
    clips: &[Clip],
    path: &Path,
    minutes: usize,
) -> Result<()> {
    const LEVEL: f64 = -26.0;
    let count = minutes * 60 * RATE;
    let kinds: [(&str, &dyn Fn() -> Vec<f32>); 4] = [
        ("white noise", &|| Noise::White.make(count, LEVEL)),
        ("pink noise", &|| Noise::Pink.make(count, LEVEL)),
        ("hum", &|| Noise::Hum.make(count, LEVEL)),
        ("a television's tones", &|| television(count, LEVEL)),
    ];
    let mut table = Table::new(&["no speech", "minutes", "texts", "partials", "characters"]);
    let mut all = 0;
    for (name, make) in kinds {
        let mark = Script::of(&clips[..1], GAP, GAP);
        let sound = [samples(&make()), mark.pcm].concat();
        write(path, &sound, 1)?;
        let listener = Listener::begin(daemon, token)?;
        let (mut texts, mut partials, mut characters) = (0, 0, 0);
        let end = count as f64 / RATE as f64;
        loop {
            let told = listener.next(4 * PATIENCE)?;
            let told = told.context("the clip behind the noise is not heard")?;
            if !told.has_text() {
                continue;
            }
            if told.seconds("start") >= end {
                break;
            }
            match told.kind() {
                "final" => {
                    texts += 1;
                    characters += told.text().chars().count();
                }
                _ => partials += 1,
            }
        }
        all += texts + partials;
        let counts = [minutes, texts, partials, characters].map(|count| count.to_string());
        table.row([vec![name.to_owned()], counts.to_vec()].concat());
        report.record(
            "soak.noise",
            json!({ "noise": name, "minutes": minutes, "texts": texts, "partials": partials }),
        )?;
    }
    table.print();
    println!(
        "text where nobody speaks: {all}; {}",
        verdict(all == 0, "none")
    );
    Ok(())
}

/// A microphone that is taken away, or whose process dies, in turn.
fn losses(report: &mut Report, device: &Device, clips: &[Clip], count: usize) -> Result<()> {
    let room = Room::open()?;
    let daemon = device.start_hearing("", &room.environment())?;
    let listener = Listener::begin(&daemon, &daemon.token(APP)?)?;
    listener.wait("level", RECOVERY)?;
    let (mut unplugged, mut killed) = (Vec::new(), Vec::new());
    let before = processes::memory(&daemon);
    for loss in 0..count {
        let (begin, times) = if loss % 2 == 0 {
            room.unplug()?;
            listener.wait("device_lost", RECOVERY)?;
            thread::sleep(AWAY);
            room.plug()?;
            (Instant::now(), &mut unplugged)
        } else {
            let process = processes::capture(&daemon).context("nothing captures")?;
            let begin = Instant::now();
            kill(Pid::from_raw(i32::try_from(process)?), Signal::SIGKILL)?;
            listener.wait("device_lost", RECOVERY)?;
            (begin, &mut killed)
        };
        let back = listener.wait("device_back", RECOVERY)?;
        // Sound again, and not the device alone.
        let sound = listener.wait("level", RECOVERY)?;
        let since = |told: &Told| told.at.saturating_duration_since(begin).as_secs_f64();
        times.push([since(&back), since(&sound)]);
    }
    let mut table = Table::new(&["seconds until", "times", "median", "95 %", "most"]);
    for (name, times) in [
        ("unplugged, plugged in", &unplugged),
        ("process killed", &killed),
    ] {
        for (index, what) in ["device", "sound"].iter().enumerate() {
            let values: Vec<f64> = times.iter().map(|both| both[index]).collect();
            let cells = [
                median(&values),
                quantile(&values, 0.95),
                quantile(&values, 1.0),
            ];
            let mut row = vec![format!("{name}: {what} back"), times.len().to_string()];
            row.extend(cells.map(|value| format!("{value:.2}")));
            table.row(row);
        }
    }
    table.print();
    let after = processes::memory(&daemon);
    println!(
        "daemon {:.1} MB before, {:.1} MB after",
        before[0], after[0]
    );
    let script = Script::of(&clips[..1], GAP, GAP);
    let (_player, mut input) = room.player()?;
    pace::say(&mut input, &script.pcm, RATE / 100)?;
    let told = listener.wait("final", RECOVERY)?;
    ensure!(told.has_text(), "a final without a text");
    println!("{count} losses, all recovered; what is said then is heard");
    report.record(
        "soak.losses",
        json!({ "losses": count, "unplugged": unplugged, "killed": killed,
                "megabytes": [before, after] }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_other_or_elsewhere_is_counted() {
        let place = |index: usize| Place {
            clip: index % 2,
            onset: (4 * index + 2) * RATE,
            end: (4 * index + 3) * RATE,
        };
        let places: Vec<Place> = (0..6).map(place).collect();
        let told = [
            (2.0, "a"),
            (6.0, "b"),
            (10.25, "a"),
            (14.0, "c"),
            (18.0, "a"),
        ];
        let told = told.map(|(start, text)| (start, text.to_owned()));
        let expected = Heard {
            lost: 1,
            other: 1,
            drift: 0.25,
        };
        assert_eq!(Heard::of(&places, 2, &told), expected);
    }
}
