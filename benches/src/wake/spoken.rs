//! Phrases spoken by machines: espeak-ng's and flite's voices.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{Class, Sound, WANTED};
use crate::sound::{RATE, in_noise};

/// White noise that a phrase is said in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    pub(super) name: &'static str,
    /// Decibels below the speech; none for silence.
    ratio: Option<f64>,
}

/// Silence, a little noise, and much.
pub(super) const NOISES: [Noise; 3] = [
    Noise {
        name: "none",
        ratio: None,
    },
    Noise {
        name: "20 dB below",
        ratio: Some(20.0),
    },
    Noise {
        name: "10 dB below",
        ratio: Some(10.0),
    },
];

/// What is said after a phrase that wakes in the same breath; one for each voice in turn.
const BEHIND: [&str; 3] = [
    "what time is it?",
    "tell me about the weather in Rome",
    "I would like to hear something that I do not know yet",
];

/// Voices of flite, and how much slower than usual they speak. `kal` is the oldest, of 8 kHz.
const FLITE_VOICES: [&str; 5] = ["slt", "rms", "awb", "kal16", "kal"];
const FLITE_STRETCHES: [f32; 3] = [0.85, 1.0, 1.2];

/// Voices of espeak-ng, with words a minute and pitch.
const ESPEAK_VOICES: [&str; 8] = [
    "en-us",
    "en-gb",
    "en-us+f2",
    "en-gb+m3",
    "en-us+m7",
    "en-us+f4",
    "en-gb-scotland",
    "en-gb-x-rp",
];
const ESPEAK_MANNERS: [(u32, u32); 3] = [(130, 35), (150, 50), (175, 60)];

/// Somebody who speaks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Voice {
    Flite {
        name: &'static str,
        stretch: f32,
    },
    Espeak {
        name: &'static str,
        words: u32,
        pitch: u32,
    },
}

impl Voice {
    /// Every voice in every manner.
    pub(super) fn all() -> Vec<Voice> {
        let flite = FLITE_VOICES
            .iter()
            .flat_map(|name| FLITE_STRETCHES.map(|stretch| Voice::Flite { name, stretch }));
        let espeak = ESPEAK_VOICES.iter().flat_map(|name| {
            ESPEAK_MANNERS.map(|(words, pitch)| Voice::Espeak { name, words, pitch })
        });
        flite.chain(espeak).collect()
    }

    /// Says `text`: 16 kHz mono. `file` is written for it.
    pub(super) fn say(self, text: &str, file: &Path) -> Result<Vec<f32>> {
        let mut command = match self {
            Voice::Flite { name, stretch } => {
                let mut command = Command::new("flite");
                command.args(["-voice", name, "--setf"]);
                command.arg(format!("duration_stretch={stretch}"));
                // Standard input is read where the text's file has this name.
                command.args(["-f", "/dev/stdin", "-o"]).arg(file);
                command
            }
            Voice::Espeak { name, words, pitch } => {
                let mut command = Command::new("espeak-ng");
                command.args([
                    "-v",
                    name,
                    "-s",
                    &words.to_string(),
                    "-p",
                    &pitch.to_string(),
                ]);
                command.arg("-w").arg(file).arg("--stdin");
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the voices are those of espeak-ng and flite, which Debian has")?;
        let mut input = child.stdin.take().context("a pipe was asked for")?;
        input.write_all(text.as_bytes())?;
        drop(input);
        let status = child.wait()?;
        ensure!(status.success(), "{self:?} ended with {status}");
        let bytes = std::fs::read(file)?;
        std::fs::remove_file(file)?;
        let mut pcm = Vec::new();
        earnest_sound::decode_bytes(&bytes, MOST_SAMPLES, &mut pcm)?;
        Ok(pcm)
    }
}

/// Five minutes: far more than anything that is said at once.
const MOST_SAMPLES: usize = 300 * RATE;

/// Every phrase by every voice: by itself, and those that wake with something behind, a question
/// or a command; each without noise and with.
pub(super) fn positives(folder: &Path) -> Result<Vec<Sound>> {
    let mut sounds = Vec::new();
    for (index, voice) in Voice::all().into_iter().enumerate() {
        for (text, phrases) in texts(index) {
            let file = folder.join(format!("positive-{}.wav", sounds.len()));
            for (level, noise) in NOISES.into_iter().enumerate() {
                let (text, file, seed) = (text.clone(), with_level(&file, level), sounds.len());
                sounds.push(Sound {
                    name: format!("{text} ({voice:?})"),
                    class: Class::Spoken {
                        phrases: phrases.clone(),
                        noise: noise.name,
                    },
                    make: Box::new(move || {
                        let speech = voice.say(&text, &file)?;
                        let share = speech.len() as f64 / (speech.len() + 2 * RATE) as f64;
                        let pcm = with_silence(speech);
                        Ok(match noise.ratio {
                            None => pcm,
                            // The silence weakens the mean power that the ratio is taken from.
                            Some(ratio) => {
                                in_noise(&pcm, ratio + 10.0 * share.log10(), seed as u64)
                            }
                        })
                    }),
                });
            }
        }
    }
    Ok(sounds)
}

/// `speech` with a second of silence before and behind.
pub(super) fn with_silence(speech: Vec<f32>) -> Vec<f32> {
    let mut pcm = vec![0.0; RATE];
    pcm.extend(speech);
    pcm.resize(pcm.len() + RATE, 0.0);
    pcm
}

/// What the voice at `index` says, and which phrases are in it.
fn texts(index: usize) -> Vec<(String, Vec<usize>)> {
    let plain = |place: usize| WANTED[place].words;
    let of_kind =
        |wakes: bool| (0..WANTED.len()).filter(move |place| WANTED[*place].wakes == wakes);
    let mut texts: Vec<(String, Vec<usize>)> = (0..WANTED.len())
        .map(|place| (plain(place).to_owned(), vec![place]))
        .collect();
    for place in of_kind(true) {
        let behind = BEHIND[index % BEHIND.len()];
        texts.push((format!("{}, {behind}", plain(place)), vec![place]));
    }
    let wakes: Vec<usize> = of_kind(true).collect();
    let commands: Vec<usize> = of_kind(false).collect();
    let wake = wakes[index % wakes.len()];
    let command = commands[index % commands.len()];
    let text = format!("{}, {}", plain(wake), plain(command));
    texts.push((text, vec![wake, command]));
    texts
}

fn with_level(file: &Path, level: usize) -> PathBuf {
    file.with_extension(format!("{level}.wav"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_said_alone_and_those_that_wake_with_more_behind() {
        let texts = texts(1);
        assert_eq!(texts.len(), 8);
        assert_eq!(texts[0], ("hey earnest".to_owned(), vec![0]));
        let both = "okay computer, set a timer for five minutes";
        assert_eq!(texts[7], (both.to_owned(), vec![1, 3]));
    }

    #[test]
    fn there_are_many_voices() {
        assert_eq!(Voice::all().len(), 39);
    }
}
