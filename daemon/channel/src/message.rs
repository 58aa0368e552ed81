//! The messages.

use std::fmt;
use std::str::FromStr;

use earnest_evidence::measured::SandboxLevel;
use earnest_transcript::{Milliseconds, Phrase, Segment};
use serde::{Deserialize, Serialize};

use crate::fault::{Failure, Flaw};

/// What the daemon says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// A job begins; its sound follows.
    Begin(Job),
    /// The next bytes of the sound: [`crate::MAX_SOUND_BYTES`] at most, and at least one.
    Sound(#[serde(with = "octets")] Vec<u8>),
    /// That was all of it.
    EndOfSound,
    /// Nobody wants the rest. The worker answers [`Failure::Abandoned`], unless it has
    /// finished already.
    Abandon,
    /// What is wanted of a live job from here on: only within one, and as often as it changes.
    Tune(Tuning),
}

/// What is wanted of a live job, while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// The number of this tuning, greater than that of the one before it. What is spotted names
    /// it, because numbers of phrases mean nothing without their list.
    pub generation: u32,
    /// Whether text is wanted. Where it is not, not a word leaves the worker.
    pub text: bool,
    /// The phrases to spot: [`crate::MAX_PHRASES`] at most, each of one to
    /// [`crate::MAX_PHRASE_BYTES`] bytes of words.
    pub phrases: Vec<Phrase>,
}

/// How a live job listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTask {
    /// Milliseconds without speech that end an utterance: from [`crate::MIN_LIVE_SILENCE`] to
    /// [`crate::MAX_LIVE_SILENCE`].
    pub silence: u16,
    /// Whether text is wanted before the first [`Tuning`] says.
    pub text: bool,
    /// Whether text is wanted before an utterance ends, too: [`FromWorker::Partial`].
    pub partials: bool,
    /// Whether finals have the times of their words.
    pub words: bool,
}

/// What a worker is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What the bytes of the sound are.
    pub kind: SoundKind,
    /// What is wanted of it.
    pub task: Task,
}

/// What is wanted of a job's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// What was said: [`FromWorker::SpeechStarted`] and [`FromWorker::Segment`].
    Transcribe {
        /// Whether the times of words are wanted.
        words: bool,
    },
    /// When anybody spoke, and not a word of it: [`FromWorker::Activity`]. The recogniser does
    /// not run.
    Activity,
    /// What is being said, as it is said, for as long as sound comes. For each utterance
    /// [`FromWorker::SpeechStarted`], then [`FromWorker::Partial`] as they come, then its
    /// [`FromWorker::Segment`] where there was anything to write down, then
    /// [`FromWorker::SpeechStopped`]; and [`FromWorker::Spotted`] at any time. The sound is
    /// raw.
    Live(LiveTask),
}

impl Task {
    /// Whether the times of words are wanted.
    pub const fn wants_words(self) -> bool {
        match self {
            Task::Transcribe { words } => words,
            Task::Live(live) => live.words,
            Task::Activity => false,
        }
    }
}

/// What the bytes of a job's sound are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoundKind {
    /// A file of any format, which its first bytes tell.
    Container,
    /// Samples without a header.
    Raw {
        /// Frames a second, in Hz. The worker judges whether it can hear that; here it is not
        /// zero.
        rate: u32,
        /// Interleaved channels, not zero.
        channels: u16,
        /// How a sample is written.
        encoding: Encoding,
    },
}

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// Signed 16 bits, little endian.
    S16Le,
    /// Floating point of 32 bits, little endian.
    F32Le,
}

impl Encoding {
    /// Bytes of a sample.
    pub const fn bytes(self) -> u64 {
        match self {
            Encoding::S16Le => 2,
            Encoding::F32Le => 4,
        }
    }
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// First of all, once it is locked in.
    Hello(Hello),
    /// The weights are mapped; jobs may come.
    Ready,
    /// Somebody began to speak.
    SpeechStarted {
        /// When, from the start of the sound.
        at: Milliseconds,
    },
    /// What was said.
    Segment(Segment),
    /// Somebody spoke from here to there. Stretches come in order, and no two overlap.
    Activity {
        /// The beginning, from the start of the sound.
        start: Milliseconds,
        /// The end, which is later.
        end: Milliseconds,
    },
    /// A sign of life from long silence: so much was heard so far. At least
    /// [`crate::HEARD_SAMPLES`] more than the last time.
    Heard {
        /// Samples at 16 kHz.
        samples: u64,
    },
    /// The sound was read to its end.
    Finished(Report),
    /// It was not, and this is why. The worker takes the next job.
    Failed(Failure),
    /// What is heard of the utterance under way.
    Partial(Partial),
    /// The utterance is over; its segment came before this, where there was one.
    SpeechStopped {
        /// When, from the start of the sound: the end of its speech.
        at: Milliseconds,
    },
    /// A phrase of the tuning was said.
    Spotted(Spotted),
}

/// What is heard of an utterance that is under way.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Where the utterance began: as its [`FromWorker::SpeechStarted`].
    pub start: Milliseconds,
    /// How far the sound was heard for this.
    pub at: Milliseconds,
    /// All of the utterance that is not taken back any more: each `stable` of an utterance
    /// begins with the one before it, and its segment's text begins with the last. It may be
    /// empty.
    pub stable: String,
    /// What may follow it and may change, with the space that parts the two, if one does. It may
    /// be empty, but not both are.
    pub tentative: String,
}

/// Without the words: what was said goes to those who asked for it, and into no log.
impl fmt::Debug for Partial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Partial")
            .field("start", &self.start)
            .field("at", &self.at)
            .field("stable", &self.stable.len())
            .field("tentative", &self.tentative.len())
            .finish()
    }
}

/// A phrase that was spotted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spotted {
    /// [`Tuning::generation`] of the list that it is in.
    pub generation: u32,
    /// Its place in that list.
    pub phrase: u16,
    /// Where its end was heard, from the start of the sound.
    pub at: Milliseconds,
}

/// How a worker introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`crate::VERSION`].
    pub version: u16,
    /// How far it says that it is locked in. The daemon asks the kernel, too.
    pub sandbox: Confinement,
    /// The kernels that it computes with.
    pub kernels: Kernels,
}

/// How far a worker got in locking itself in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The level reached.
    #[serde(with = "level")]
    pub level: SandboxLevel,
    /// The version of Landlock's interface that holds it, if one does.
    pub landlock_abi: Option<u32>,
    /// Whether a filter of system calls holds it.
    pub seccomp: bool,
}

/// The name of the kernels that a worker computes with: `avx512-vnni`, say. Letters in lower
/// case, digits and hyphens, 32 at most, so that it can be shown and logged as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kernels(String);

/// The name of no kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name of kernels: expected 1 to 32 of a-z, 0-9 and -, found {found} bytes of others")]
pub struct KernelsError {
    found: usize,
}

impl Kernels {
    /// Most bytes of a name.
    pub const MAX_BYTES: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Kernels {
    type Err = KernelsError;

    fn from_str(name: &str) -> Result<Kernels, KernelsError> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=Kernels::MAX_BYTES).contains(&name.len());
        match fits && name.bytes().all(plain) {
            true => Ok(Kernels(name.to_owned())),
            false => Err(KernelsError { found: name.len() }),
        }
    }
}

impl TryFrom<String> for Kernels {
    type Error = KernelsError;

    fn try_from(name: String) -> Result<Kernels, KernelsError> {
        name.parse()
    }
}

impl From<Kernels> for String {
    fn from(kernels: Kernels) -> String {
        kernels.0
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Samples at 16 kHz.
    pub samples: u64,
    /// How many of them are within speech: in the segments or stretches that were told.
    pub speech: u64,
    /// Damaged packets that were passed over.
    pub skipped: u64,
    /// What is wrong with the sound, though all of it that there is was read.
    pub flaw: Option<Flaw>,
    /// By what sound that is played again is known, though it be louder, a little noisier or
    /// cut a little otherwise: 64 signs of its course of loudness. Most repeats differ in 6 bits
    /// or fewer, strangers in about half of them, and one pair in 2,600 in 8 or fewer. (The
    /// measurements stand with the worker that takes it.) No word and no voice can be had from
    /// it. None where the sound is too short, too quiet or too even to be known by anything.
    pub shape: Option<u64>,
}

/// Bytes in one piece; serde would take them one by one.
mod octets {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_bytes(Octets)
    }

    struct Octets;

    impl Visitor<'_> for Octets {
        type Value = Vec<u8>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
}

/// The level by its number in the measured log.
mod level {
    use earnest_evidence::measured::SandboxLevel;
    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(level: &SandboxLevel, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(level.number())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SandboxLevel, D::Error> {
        let number = u64::from(u8::deserialize(from)?);
        SandboxLevel::from_number(number).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Unsigned(number), &"a level's number")
        })
    }
}
