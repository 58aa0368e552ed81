//! Sound from wherever the command line says.

use std::io::Stdin;

use earnest_sound::{RawPcm, Report, SoundError, Source, Status};

use crate::arguments::Input;

/// An input that is open.
pub(crate) enum Sound {
    /// A file or stream whose first bytes told its format.
    Coded(Box<Source>),
    /// Raw samples.
    Raw(Box<RawPcm<Stdin>>),
}

impl Sound {
    /// Opens `input`.
    pub(crate) fn open(input: &Input) -> Result<Sound, SoundError> {
        let stdin = std::io::stdin;
        match input {
            Input::File(path) => Source::open(path).map(Box::new).map(Sound::Coded),
            Input::Standard => Source::from_reader(stdin()).map(Box::new).map(Sound::Coded),
            Input::Raw { rate, channels } => RawPcm::new(stdin(), *rate, *channels)
                .map(Box::new)
                .map(Sound::Raw),
        }
    }

    /// Appends the next samples, 16 kHz mono, to `out`.
    pub(crate) fn read(&mut self, out: &mut Vec<f32>) -> Result<Status, SoundError> {
        match self {
            Sound::Coded(source) => source.read(out),
            Sound::Raw(raw) => raw.read(out),
        }
    }

    /// What has been read so far.
    pub(crate) fn report(&self) -> Report {
        match self {
            Sound::Coded(source) => source.report(),
            Sound::Raw(raw) => raw.report(),
        }
    }

    /// The part that has been read, 0 to 1, where the end is known.
    pub(crate) fn progress(&self) -> Option<f64> {
        match self {
            Sound::Coded(source) => source.progress(),
            Sound::Raw(_) => None,
        }
    }
}
