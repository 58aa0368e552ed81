//! The models, loaded once, and sound into segments by them.

use std::path::Path;

use earnest_package::{Card, MODELS_VARIABLE, Model, PackageError, VOICE_CARD, models_folder};
use earnest_speech::{EngineOptions, Heard, LoadError, Recognizer, Scribe, SpeechError, Vad};
use earnest_transcript::Segment;

use crate::arguments::{Models, Transcribe};
use crate::console::Console;
use crate::device::{Failure, Sealed, device_folder, guard_memory};
use crate::exit::Exit;

/// Why there is nothing to transcribe with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Nothing says where the user's data is.
    #[error("no place for models: set {MODELS_VARIABLE}, XDG_DATA_HOME or HOME, or give --models")]
    NoFolder,
    /// No card of this name is compiled in: a mistake in this program.
    #[error("no card {name}")]
    NoCard {
        /// The name.
        name: &'static str,
    },
    /// The model is not there.
    #[error("{error}: fetch the models with `cargo xtask models fetch`, or give --models")]
    Missing {
        /// Which file.
        error: PackageError,
    },
    /// The model is there, and is not what its card says.
    #[error("the model was refused")]
    Package(#[source] PackageError),
    /// The device does not open its sealed models.
    #[error(transparent)]
    Sealed(#[from] Failure),
    /// The model is what its card says, and does not load.
    #[error("the model cannot be loaded")]
    Load(#[from] LoadError),
}

impl From<PackageError> for EngineError {
    fn from(error: PackageError) -> EngineError {
        match error {
            PackageError::Missing { .. } => EngineError::Missing { error },
            other => EngineError::Package(other),
        }
    }
}

impl EngineError {
    /// How the command ends for it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            EngineError::NoFolder => Exit::ModelMissing,
            EngineError::NoCard { .. } => Exit::Internal,
            EngineError::Sealed(failure) => failure.exit(),
            EngineError::Load(_) => Exit::ModelNotLoaded,
            EngineError::Missing { error } | EngineError::Package(error) => Exit::from(error),
        }
    }
}

/// The models, ready to hear.
pub(crate) struct Engine {
    models: earnest_speech::Engine,
    words: bool,
}

impl Engine {
    /// Reads and checks the models' files, and prepares them for this machine.
    pub(crate) fn load(job: &Transcribe, console: &Console) -> Result<Engine, EngineError> {
        let [speech, voice] = models(job, console)?;
        let vad = Vad::load(&voice)?;
        let options = EngineOptions {
            threads: job.threads,
        };
        let recognizer = Recognizer::load(&speech, &options)?;
        Ok(Engine {
            models: earnest_speech::Engine::new(recognizer, vad),
            words: job.needs_words(),
        })
    }

    /// Begins to hear a file.
    pub(crate) fn session(&mut self) -> Session<'_> {
        Session(self.models.scribe(self.words))
    }
}

/// One file being heard.
pub(crate) struct Session<'a>(Scribe<&'a mut Recognizer, &'a mut Vad>);

impl Session<'_> {
    /// Hears `pcm`, 16 kHz mono; gives the segments that ended in it.
    pub(crate) fn push(&mut self, pcm: &[f32]) -> Result<Vec<Segment>, SpeechError> {
        self.0.push(pcm).map(segments)
    }

    /// Hears that there is no more; gives the last segments.
    pub(crate) fn finish(self) -> Result<Vec<Segment>, SpeechError> {
        self.0.finish().map(segments)
    }
}

/// A file's reader waits for text, not for its beginning.
fn segments(heard: Vec<Heard>) -> Vec<Segment> {
    heard.into_iter().filter_map(Heard::segment).collect()
}

/// The speech model and the voice detector, plain or unsealed.
fn models(job: &Transcribe, console: &Console) -> Result<[Model; 2], EngineError> {
    let cards = [job.size().card(), VOICE_CARD];
    match &job.models {
        Models::Plain(folder) => {
            let folder = match folder {
                Some(folder) => folder.clone(),
                None => models_folder().ok_or(EngineError::NoFolder)?,
            };
            let [speech, voice] = cards.map(|card| open(&folder, card));
            Ok([speech?, voice?])
        }
        Models::Sealed {
            folder,
            release_key,
            device,
        } => {
            guard_memory(console);
            let device = device_folder(device.as_deref())?;
            Ok(Sealed::new(&device, folder, release_key)?.open_all(cards)?)
        }
    }
}

/// The model of the card called `name`, of which every byte has been checked.
fn open(folder: &Path, name: &'static str) -> Result<Model, EngineError> {
    let card = Card::named(name).ok_or(EngineError::NoCard { name })?;
    Ok(Model::open_directory(card, &folder.join(name))?)
}
