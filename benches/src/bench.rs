//! One model on the bench: its files, opened once, and both engines made from them.

use std::path::Path;

use anyhow::{Context as _, Result};
use earnest_package::{Card, Model as ModelFiles, Role, VOICE_CARD};
use earnest_speech::{EngineOptions, Recognizer, Tokenizer};

use crate::corpus;
use crate::earnest::{Earnest, EarnestReader};
use crate::places::{self, Model};
use crate::prepare;
use crate::reference::{Reference, ReferenceReader, SessionOptions};
use crate::tune;

/// Samples that ONNX Runtime is given at once where a file is long: fifteen seconds, the
/// longest segment of Earnest, since the model loops on much more.
const REFERENCE_CHUNK: usize = 15 * 16_000;

/// A model, its files checked against its card.
pub(crate) struct Bench {
    model: Model,
    files: ModelFiles,
}

impl Bench {
    /// Opens the files of `model`.
    pub(crate) fn open(model: Model) -> Result<Bench> {
        Ok(Bench {
            model,
            files: open_files(model.card())?,
        })
    }

    /// Earnest, one segment at a time.
    pub(crate) fn earnest(&self, threads: usize) -> Result<Earnest> {
        Earnest::load(&self.files, threads)
    }

    /// The recogniser itself.
    pub(crate) fn recognizer(&self, options: &EngineOptions) -> Result<Recognizer> {
        Ok(Recognizer::load(&self.files, options)?)
    }

    /// Earnest as its users have it: VAD, segmentation and the guards in the path.
    pub(crate) fn earnest_reader(&self, threads: usize) -> Result<EarnestReader> {
        EarnestReader::load(&self.files, &open_files(VOICE_CARD)?, threads)
    }

    /// ONNX Runtime with the options that are fastest here; they are sought if no earlier run
    /// left them.
    pub(crate) fn reference(&self, threads: usize) -> Result<Reference> {
        let options = match tune::saved(self.model, threads)? {
            Some(options) => options,
            None => self.tune(threads)?,
        };
        println!("\nONNX Runtime's options: {options:?}");
        self.load_reference(&options)
    }

    /// ONNX Runtime with the options that it has unless told otherwise.
    pub(crate) fn plain_reference(&self, threads: usize) -> Result<Reference> {
        self.load_reference(&SessionOptions::with_threads(threads))
    }

    /// ONNX Runtime on whole clips, with text for tokens.
    pub(crate) fn reference_reader(&self, threads: usize) -> Result<ReferenceReader> {
        Ok(ReferenceReader {
            reference: self.reference(threads)?,
            tokenizer: self.tokenizer()?,
        })
    }

    /// Seeks the fastest options for ONNX Runtime and keeps them.
    pub(crate) fn tune(&self, threads: usize) -> Result<SessionOptions> {
        let clips = corpus::load()?;
        tune::search(self.model, threads, &clips, &|options| {
            self.load_reference(options)
        })
    }

    /// What turns the model's tokens into text.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer> {
        Ok(Tokenizer::from_json(self.file(Role::Tokenizer)?)?)
    }

    fn load_reference(&self, options: &SessionOptions) -> Result<Reference> {
        let library = prepare::runtime_library()?;
        Reference::load(
            &library,
            self.file(Role::Encoder)?,
            self.file(Role::Decoder)?,
            options,
        )
    }

    fn file(&self, role: Role) -> Result<&[u8]> {
        self.files
            .file(role)
            .with_context(|| format!("{} has no file of role {role:?}", self.model.card()))
    }
}

/// Opens the files of a card where the benches keep models.
pub(crate) fn open_files(card: &str) -> Result<ModelFiles> {
    let directory = places::model_directory(card)?;
    let card = Card::named(card).with_context(|| format!("no card is named {card}"))?;
    Ok(ModelFiles::open_directory(card, &directory)?)
}

/// The hidden verb: what a program on ONNX Runtime does from its start to the text of a file.
pub(crate) fn reference_process(model: Model, threads: usize, file: &Path) -> Result<()> {
    let bench = Bench::open(model)?;
    let options = tune::saved(model, threads)?.unwrap_or(SessionOptions::with_threads(threads));
    let mut reader = ReferenceReader {
        reference: bench.load_reference(&options)?,
        tokenizer: bench.tokenizer()?,
    };
    let mut source = earnest_sound::Source::open(file)?;
    let mut pcm = Vec::new();
    while source.read(&mut pcm)? == earnest_sound::Status::More {
        while pcm.len() > 2 * REFERENCE_CHUNK {
            let rest = pcm.split_off(REFERENCE_CHUNK);
            println!("{}", crate::engine::Reader::read(&mut reader, &pcm)?);
            pcm = rest;
        }
    }
    for chunk in pcm.chunks(REFERENCE_CHUNK) {
        println!("{}", crate::engine::Reader::read(&mut reader, chunk)?);
    }
    Ok(())
}
