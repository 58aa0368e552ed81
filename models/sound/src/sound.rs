//! Sound of either kind: coded, or raw samples.

use std::io::Read;

use crate::error::SoundError;
use crate::raw::{RawPcm, SampleEncoding};
use crate::source::{Report, Source, Status};

/// Anything that sound is read from forward.
type Stream = Box<dyn Read + Send>;

/// Sound that is being read, whatever it is made of.
pub enum Sound {
    /// A file or stream whose first bytes told its format.
    Coded(Box<Source>),
    /// Raw samples.
    Raw(Box<RawPcm<Stream>>),
}

impl From<Source> for Sound {
    fn from(source: Source) -> Sound {
        Sound::Coded(Box::new(source))
    }
}

impl Sound {
    /// Raw samples at `rate` Hz in `channels` interleaved channels.
    ///
    /// # Errors
    /// As [`RawPcm::new`].
    pub fn raw(
        reader: impl Read + Send + 'static,
        encoding: SampleEncoding,
        rate: u32,
        channels: u32,
    ) -> Result<Sound, SoundError> {
        let reader: Stream = Box::new(reader);
        let raw = RawPcm::encoded(reader, encoding, rate, channels)?;
        Ok(Sound::Raw(Box::new(raw)))
    }

    /// Appends the next samples, 16 kHz mono, to `out`.
    ///
    /// # Errors
    /// As [`Source::read`] and [`RawPcm::read`].
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<Status, SoundError> {
        match self {
            Sound::Coded(source) => source.read(out),
            Sound::Raw(raw) => raw.read(out),
        }
    }

    /// What has been read so far.
    pub fn report(&self) -> Report {
        match self {
            Sound::Coded(source) => source.report(),
            Sound::Raw(raw) => raw.report(),
        }
    }

    /// The part that has been read, 0 to 1, where the end is known.
    pub fn progress(&self) -> Option<f64> {
        match self {
            Sound::Coded(source) => source.progress(),
            Sound::Raw(_) => None,
        }
    }
}
