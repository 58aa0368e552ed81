//! Sound in which no phrase is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::spoken::{Voice, with_silence};
use super::{Class, Sound};
use crate::prepare;
use crate::sound::{Noise, RATE};

/// Prompts and music of Asterisk, recorded: the folder under the packages' root, its name here.
const RECORDED: [(&str, &str); 7] = [
    (
        "usr/share/asterisk/sounds/en_US_f_Allison",
        "prompts, English",
    ),
    (
        "usr/share/asterisk/sounds/es_MX_f_Allison",
        "prompts, Spanish",
    ),
    ("usr/share/asterisk/sounds/fr_CA_f_June", "prompts, French"),
    (
        "usr/share/asterisk/sounds/it_IT_m_Carlo",
        "prompts, Italian",
    ),
    (
        "usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU",
        "prompts, Russian",
    ),
    ("usr/share/pocketsphinx/test/data", "readings, English"),
    ("usr/share/asterisk/moh", "music"),
];

/// Texts that are read by machines: files of fortunes, what they count as, voices, how many texts.
const READINGS: [(&[&str], &str, &[Voice], usize); 4] = [
    (
        &[
            "wisdom",
            "science",
            "education",
            "people",
            "food",
            "pets",
            "work",
            "sports",
        ],
        "texts, English",
        &[
            Voice::Flite {
                name: "slt",
                stretch: 1.0,
            },
            Voice::Flite {
                name: "rms",
                stretch: 1.0,
            },
            Voice::Flite {
                name: "awb",
                stretch: 1.0,
            },
            Voice::Espeak {
                name: "en-us",
                words: 160,
                pitch: 50,
            },
            Voice::Espeak {
                name: "en-gb+f3",
                words: 150,
                pitch: 50,
            },
        ],
        240,
    ),
    (
        &[
            "es/varios.fortunes",
            "es/asimov.fortunes",
            "es/leydemurphy.fortunes",
        ],
        "texts, Spanish",
        &[Voice::Espeak {
            name: "es",
            words: 150,
            pitch: 50,
        }],
        50,
    ),
    (
        &["de/anekdoten", "de/witze", "de/murphy", "de/stilblueten"],
        "texts, German",
        &[Voice::Espeak {
            name: "de",
            words: 150,
            pitch: 50,
        }],
        50,
    ),
    (
        &["it/formiche", "it/luttazzi", "it/leggi"],
        "texts, Italian",
        &[Voice::Espeak {
            name: "it",
            words: 150,
            pitch: 50,
        }],
        50,
    ),
];

/// Letters that a text to be read has: a few sentences.
const TEXT_LENGTHS: std::ops::RangeInclusive<usize> = 60..=400;

/// Seconds and level of each noise.
const NOISE_SECONDS: usize = 150;
const NOISE_LEVEL: f64 = -25.0;

/// What sounds like the phrases.
const NEAR: [&str; 30] = [
    "hey ernie",
    "hey Bernice",
    "hey honest",
    "hey artist",
    "hey furnace",
    "a furnace",
    "in earnest",
    "they earn a living",
    "he earned it",
    "her nest is in the tree",
    "hey there",
    "hey Siri",
    "hey Jarvis",
    "okay Google",
    "okay, compute this",
    "okay commuter",
    "okay, come here",
    "the computer",
    "my computer is okay",
    "turn off the kitchen light",
    "turn on the chicken lights",
    "turn on the kitchen light in ten minutes, please",
    "turn on the bedroom light",
    "set a timer for nine minutes",
    "set a timer for twenty five minutes",
    "set a table for five",
    "stop the muse",
    "start the music",
    "don't stop the music",
    "stop the bus",
];

/// Voices that say what is like the phrases.
const NEAR_VOICES: [Voice; 4] = [
    Voice::Flite {
        name: "slt",
        stretch: 1.0,
    },
    Voice::Flite {
        name: "rms",
        stretch: 1.0,
    },
    Voice::Espeak {
        name: "en-us",
        words: 150,
        pitch: 50,
    },
    Voice::Espeak {
        name: "en-gb+f2",
        words: 150,
        pitch: 50,
    },
];

/// All of it.
pub(super) fn all(folder: &Path) -> Result<Vec<Sound>> {
    let mut sounds = recorded()?;
    sounds.extend(readings(folder)?);
    sounds.extend(noises());
    for (index, text) in NEAR.iter().enumerate() {
        for (voice_index, voice) in NEAR_VOICES.into_iter().enumerate() {
            let file = folder.join(format!("near-{index}-{voice_index}.wav"));
            sounds.push(Sound {
                name: (*text).to_owned(),
                class: Class::Near,
                make: Box::new(move || Ok(with_silence(voice.say(text, &file)?))),
            });
        }
    }
    Ok(sounds)
}

fn recorded() -> Result<Vec<Sound>> {
    let mut sounds = Vec::new();
    for (folder, name) in RECORDED {
        let roots = [
            prepare::recordings_root()?,
            prepare::negatives_root()?,
            PathBuf::from("/"),
        ];
        let found = roots
            .iter()
            .map(|root| root.join(folder))
            .find(|folder| folder.is_dir());
        let found = found.with_context(|| format!("{name} are missing; run `prepare`"))?;
        let mut files = Vec::new();
        waves(&found, &mut files)?;
        files.sort();
        // A few prompts are a header and nothing more.
        files.retain(|file| fs::metadata(file).is_ok_and(|file| file.len() > LEAST_BYTES));
        ensure!(!files.is_empty(), "{} holds no sound", found.display());
        sounds.extend(files.into_iter().map(|file| {
            Sound {
                name: file
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                class: Class::Without {
                    name,
                    synthetic: false,
                },
                make: Box::new(move || {
                    let bytes = fs::read(&file)?;
                    let mut pcm = Vec::new();
                    earnest_sound::decode_bytes(&bytes, MOST_SAMPLES, &mut pcm)
                        .with_context(|| format!("cannot decode {}", file.display()))?;
                    Ok(pcm)
                }),
            }
        }));
    }
    Ok(sounds)
}

/// The longest piece of music has less.
const MOST_SAMPLES: usize = 1_800 * RATE;

/// A sixteenth of a second of 8 kHz, and a header.
const LEAST_BYTES: u64 = 1_044;

/// The WAV files under `folder`.
fn waves(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            waves(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            files.push(path);
        }
    }
    Ok(())
}

fn readings(folder: &Path) -> Result<Vec<Sound>> {
    let fortunes = prepare::negatives_root()?.join("usr/share/games/fortunes");
    let mut sounds = Vec::new();
    for (files, name, voices, count) in READINGS {
        let mut texts = Vec::new();
        for file in files {
            let path = fortunes.join(file);
            let bytes = fs::read(&path)
                .with_context(|| format!("{} is missing; run `prepare`", path.display()))?;
            texts.extend(fortunes_of(&String::from_utf8_lossy(&bytes)));
        }
        let step = (texts.len() / count).max(1);
        for (index, text) in texts.into_iter().step_by(step).take(count).enumerate() {
            let voice = voices[index % voices.len()];
            let file = folder.join(format!("{name}-{index}.wav"));
            let text: Arc<str> = text.into();
            sounds.push(Sound {
                name: text.to_string(),
                class: Class::Without {
                    name,
                    synthetic: true,
                },
                make: Box::new(move || voice.say(&text, &file)),
            });
        }
    }
    Ok(sounds)
}

/// The texts of a file of fortunes that are a few plain sentences.
fn fortunes_of(file: &str) -> Vec<String> {
    let plain =
        |character: char| character.is_alphanumeric() || " .,;:!?'\"()-".contains(character);
    file.split("\n%\n")
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| TEXT_LENGTHS.contains(&text.chars().count()) && text.chars().all(plain))
        .collect()
}

fn noises() -> Vec<Sound> {
    let noises = Noise::ALL.into_iter();
    let noises = noises.map(|noise| Sound {
        name: noise.name().to_owned(),
        class: Class::Without {
            name: noise.name(),
            synthetic: true,
        },
        make: Box::new(move || Ok(noise.make(NOISE_SECONDS * RATE, NOISE_LEVEL))),
    });
    noises.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortunes_are_plain_sentences() {
        let long = "This is a sentence of some length, and here is another one of the kind.";
        let file = format!("Short.\n%\n{long}\n%\n{long} [1] <b>\n%\n");
        assert_eq!(fortunes_of(&file), [long]);
    }
}
