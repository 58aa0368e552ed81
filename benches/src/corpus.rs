//! Real speech with transcripts: the clips on which everything is measured.
//!
//! Two sets, from Debian packages that `prepare` unpacks: the telephone prompts of Asterisk
//! (8 kHz, one speaker; those of 1 to 15 s and at least four words whose transcript holds no
//! brackets) and five sentences of LibriVox (16 kHz). Every engine gets the very same samples.
//!
//! The clips and transcripts are pinned by a digest, so that a run on other data says so.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;

use crate::prepare;

const ASTERISK_SOUNDS: &str = "usr/share/asterisk/sounds/en_US_f_Allison";
const ASTERISK_TRANSCRIPTS: &str = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";
const LIBRIVOX: &str = "usr/share/pocketsphinx/test/data/librivox";

/// Digest of the 229 prompts and their transcripts in Debian's 1.6.1.
const ASTERISK_DIGEST: &str = "eb23d7f2c7dff6580182cc78016dfc083a65475d2fda996beb5da72ef436afde";
/// Digest of the five sentences in Debian's pocketsphinx-testdata 0.8+5prealpha+1.
const LIBRIVOX_DIGEST: &str = "5b355d21baea8c6d03fa39e86b17b7b4e0d8cc6fd31795ecc0eb28e4cb193945";

/// A transcript file larger than this is not the one that we know.
const MAX_TRANSCRIPT_BYTES: u64 = 1 << 20;

/// Where a clip comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    Asterisk,
    LibriVox,
}

impl Set {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Set::Asterisk => "Asterisk",
            Set::LibriVox => "LibriVox",
        }
    }
}

/// One recording and what was said in it.
#[derive(Debug, Clone)]
pub(crate) struct Clip {
    pub(crate) set: Set,
    pub(crate) name: String,
    pub(crate) transcript: String,
    /// 16 kHz mono.
    pub(crate) pcm: Vec<f32>,
}

impl Clip {
    /// Length in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.pcm.len() as f64 / 16_000.0
    }
}

/// Both sets, Asterisk's first, each in the order of its names.
pub(crate) fn load() -> Result<Vec<Clip>> {
    let root = root()?;
    let mut clips = load_set(Set::Asterisk, asterisk(&root)?, ASTERISK_DIGEST)?;
    clips.extend(load_set(Set::LibriVox, librivox(&root)?, LIBRIVOX_DIGEST)?);
    Ok(clips)
}

/// `count` of `clips`, spread evenly over the list; all of them for zero.
pub(crate) fn spread(clips: Vec<Clip>, count: usize) -> Vec<Clip> {
    let total = clips.len();
    if count == 0 || count >= total {
        return clips;
    }
    let kept: Vec<usize> = (0..count).map(|index| index * total / count).collect();
    clips
        .into_iter()
        .enumerate()
        .filter(|(index, _)| kept.binary_search(index).is_ok())
        .map(|(_, clip)| clip)
        .collect()
}

/// What `prepare` unpacked, else the packages as installed.
fn root() -> Result<PathBuf> {
    let candidates = [prepare::recordings_root()?, PathBuf::from("/")];
    candidates
        .into_iter()
        .find(|root| {
            [ASTERISK_SOUNDS, ASTERISK_TRANSCRIPTS, LIBRIVOX]
                .iter()
                .all(|path| root.join(path).exists())
        })
        .context("the recordings are missing; run `prepare`")
}

struct Recording {
    name: String,
    transcript: String,
    path: PathBuf,
}

fn asterisk(root: &Path) -> Result<Vec<Recording>> {
    let path = root.join(ASTERISK_TRANSCRIPTS);
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .take(MAX_TRANSCRIPT_BYTES)
        .read_to_end(&mut bytes)?;
    let mut recordings = Vec::new();
    for (name, transcript) in prompts(&String::from_utf8_lossy(&bytes)) {
        let path = root.join(ASTERISK_SOUNDS).join(format!("{name}.wav"));
        if !path.is_file() {
            continue;
        }
        let reader = hound::WavReader::open(&path)?;
        let seconds = f64::from(reader.duration()) / f64::from(reader.spec().sample_rate);
        if (1.0..=15.0).contains(&seconds) {
            recordings.push(Recording {
                name,
                transcript,
                path,
            });
        }
    }
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(recordings)
}

/// The entries of Asterisk's transcript file that are plain speech of four words or more.
fn prompts(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.starts_with(';'))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, transcript)| (name.trim().to_owned(), transcript.trim().to_owned()))
        .filter(|(_, transcript)| {
            !transcript.contains(['[', ']', '(', ')', '{', '}', '<', '>'])
                && transcript.split_whitespace().count() >= 4
        })
        .collect()
}

fn librivox(root: &Path) -> Result<Vec<Recording>> {
    let folder = root.join(LIBRIVOX);
    let text = fs::read_to_string(folder.join("transcription"))?;
    Ok(sentences(&text)
        .into_iter()
        .map(|(name, transcript)| Recording {
            path: folder.join(format!("{name}.wav")),
            name,
            transcript,
        })
        .collect())
}

/// The lines of a Sphinx transcription, `<s> words </s> (name)`.
fn sentences(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.strip_suffix(')')?.rsplit_once('('))
        .map(|(transcript, name)| {
            let words = transcript.replace("<s>", " ").replace("</s>", " ");
            (name.to_owned(), words.trim().to_owned())
        })
        .collect()
}

fn load_set(set: Set, recordings: Vec<Recording>, expected: &str) -> Result<Vec<Clip>> {
    let mut parts = Vec::new();
    let mut clips = Vec::new();
    for recording in recordings {
        let bytes = fs::read(&recording.path)
            .with_context(|| format!("cannot read {}", recording.path.display()))?;
        parts.extend([
            recording.name.clone().into_bytes(),
            recording.transcript.clone().into_bytes(),
        ]);
        let pcm = samples(&bytes)
            .with_context(|| format!("cannot decode {}", recording.path.display()))?;
        parts.push(bytes);
        clips.push(Clip {
            set,
            name: recording.name,
            transcript: recording.transcript,
            pcm,
        });
    }
    let found = prepare::digest_of_parts(parts.iter().map(Vec::as_slice));
    if found != expected {
        eprintln!(
            "{} holds other data than the published figures: {} clips, digest {found}, expected {expected}",
            set.name(),
            clips.len()
        );
    }
    Ok(clips)
}

/// The most samples that a clip may have: far more than any has.
const MAX_SAMPLES: usize = 60 * 16_000;

/// A file as 16 kHz mono, by the decoder and the resampler of the product.
fn samples(bytes: &[u8]) -> Result<Vec<f32>> {
    let mut pcm = Vec::new();
    earnest_sound::decode_bytes(bytes, MAX_SAMPLES, &mut pcm)?;
    Ok(pcm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_keep_plain_speech_of_four_words() {
        let text = "; a remark\n\nhello: Hello there my friend.\ntone: [a simple beep tone here]\nshort: Too short.\n";
        assert_eq!(
            prompts(text),
            [("hello".to_owned(), "Hello there my friend.".to_owned())]
        );
    }

    #[test]
    fn sentences_drop_the_markers() {
        assert_eq!(
            sentences("<s> he was not </s> (clip-0880)\n"),
            [("clip-0880".to_owned(), "he was not".to_owned())]
        );
    }

    #[test]
    fn a_spread_keeps_the_order_and_the_count() {
        let clip = |index: usize| Clip {
            set: Set::Asterisk,
            name: index.to_string(),
            transcript: String::new(),
            pcm: Vec::new(),
        };
        let kept = spread((0..10).map(clip).collect(), 4);
        let names: Vec<&str> = kept.iter().map(|clip| clip.name.as_str()).collect();
        assert_eq!(names, ["0", "2", "5", "7"]);
        assert_eq!(spread((0..3).map(clip).collect(), 0).len(), 3);
    }
}
