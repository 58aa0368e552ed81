//! From a job's bytes to samples.

use std::io::{self, Cursor, Read};

use earnest_channel::{Encoding, Failure, Flaw, SoundFault, SoundKind};
use earnest_sound::{SampleEncoding, Sound, SoundError, Source};

/// The most bytes of a movie file, which is read whole: its index may stand at its end. Four
/// hours of speech as telephones record it, and a fraction of what a worker may hold.
const MOST_MOVIE_BYTES: u64 = 128 << 20;

/// How many first bytes tell a movie file: a length and `ftyp` (ISO/IEC 14496-12, 4.3).
const MOVIE_MARK: usize = 8;

/// Opens a job's sound.
pub(crate) fn open(
    kind: SoundKind,
    reader: impl Read + Send + 'static,
) -> Result<Sound, SoundError> {
    match kind {
        SoundKind::Container => container(reader).map(Sound::from),
        SoundKind::Raw {
            rate,
            channels,
            encoding,
        } => {
            let encoding = match encoding {
                Encoding::S16Le => SampleEncoding::S16Le,
                Encoding::F32Le => SampleEncoding::F32Le,
            };
            Sound::raw(reader, encoding, rate, u32::from(channels))
        }
    }
}

/// A file of any format, as a stream where that can be: so text comes while sound still does.
fn container(mut reader: impl Read + Send + 'static) -> Result<Source, SoundError> {
    let mut start = Vec::new();
    let mut first = reader.by_ref().take(MOVIE_MARK as u64);
    first.read_to_end(&mut start).map_err(SoundError::Read)?;
    if start.get(4..) != Some(b"ftyp".as_slice()) {
        return Source::from_reader(Cursor::new(start).chain(reader));
    }
    let mut rest = reader.take(MOST_MOVIE_BYTES);
    rest.read_to_end(&mut start).map_err(SoundError::Read)?;
    if rest.limit() == 0 {
        let large = io::Error::new(io::ErrorKind::FileTooLarge, "a movie file too large");
        return Err(SoundError::Read(large));
    }
    Source::from_seekable(Cursor::new(start))
}

/// What is wrong with the sound, in the vocabulary of answers.
pub(crate) fn fault(error: &SoundError) -> Failure {
    Failure::Sound(match error {
        SoundError::Read(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            SoundFault::TooLarge
        }
        // The daemon's end of the socket: nobody will read this.
        SoundError::Read(_) | SoundError::Open { .. } => return Failure::Abandoned,
        SoundError::Empty => SoundFault::Empty,
        SoundError::NotSound { .. } => SoundFault::NotSound,
        SoundError::UnsupportedFormat { .. } => SoundFault::UnsupportedFormat,
        SoundError::UnsupportedCodec { .. } => SoundFault::UnsupportedCodec,
        SoundError::NotStreamable { .. } => SoundFault::NotStreamable,
        SoundError::Malformed { .. } => SoundFault::Malformed,
        SoundError::NoAudioTrack { .. } => SoundFault::NoAudioTrack,
        SoundError::NoSamples { .. } => SoundFault::NoSamples,
        SoundError::SampleRate { found } => SoundFault::SampleRate { found: *found },
        SoundError::Channels { found } => SoundFault::Channels { found: *found },
        SoundError::NotFinite { .. } => SoundFault::NotFinite,
        SoundError::Truncated { .. } | SoundError::HeaderLength { .. } => SoundFault::Truncated,
        SoundError::Decode { .. } | SoundError::Panicked { .. } => SoundFault::Undecodable,
    })
}

/// What is wrong though all the sound that there is was read.
pub(crate) fn flaw(error: &SoundError) -> Option<Flaw> {
    match error {
        _ if !error.leaves_sound_usable() => None,
        SoundError::HeaderLength { .. } => Some(Flaw::HeaderLength),
        _ => Some(Flaw::Truncated),
    }
}
