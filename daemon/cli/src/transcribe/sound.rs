//! Sound from wherever the command line says.

use std::io::stdin;

use earnest_sound::{SampleEncoding, Sound, SoundError, Source};

use crate::arguments::Input;

/// Opens an input.
pub(crate) fn open(input: &Input) -> Result<Sound, SoundError> {
    match input {
        Input::File(path) => Source::open(path).map(Sound::from),
        Input::Standard => Source::from_reader(stdin()).map(Sound::from),
        Input::Raw { rate, channels } => {
            Sound::raw(stdin(), SampleEncoding::S16Le, *rate, *channels)
        }
    }
}
