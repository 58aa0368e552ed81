//! Earnest's own side of each comparison.

use std::sync::Arc;

use anyhow::Result;
use earnest_package::Model;
use earnest_speech::{
    DecodeOptions, EngineOptions, Event, Recognizer, Tokenizer, Transcriber, TranscriberOptions,
    Vad,
};

use crate::engine::{Clock, Engine, Reader, Run};

/// The recogniser alone: one segment in, tokens out.
pub(crate) struct Earnest {
    recognizer: Recognizer,
}

impl Earnest {
    /// Loads the speech model.
    pub(crate) fn load(model: &Model, threads: usize) -> Result<Earnest> {
        Ok(Earnest {
            recognizer: Recognizer::load(model, &EngineOptions { threads })?,
        })
    }

    /// Which instructions and how many threads it got.
    pub(crate) fn kernels(&self) -> String {
        self.recognizer.kernels()
    }
}

impl Engine for Earnest {
    fn name(&self) -> &'static str {
        "Earnest"
    }

    fn run(&mut self, pcm: &[f32], clock: Clock) -> Result<Run> {
        let mut run = Run::default();
        let begin = clock.now()?;
        let encoded = self.recognizer.encode(pcm)?;
        let mut step_begin = clock.now()?;
        run.encoder = step_begin - begin;
        let mut decoding = self.recognizer.start(&encoded, &DecodeOptions::default());
        while decoding.step()?.is_some() {
            let now = clock.now()?;
            if run.first_step.is_zero() {
                run.first_step = now - step_begin;
            } else {
                run.steps.push(now - step_begin);
            }
            step_begin = now;
        }
        run.tokens = decoding.finish().tokens;
        run.total = clock.now()? - begin;
        Ok(run)
    }
}

/// The whole path, as users have it: VAD, segmentation, recogniser, and the guards against
/// invented text.
pub(crate) struct EarnestReader {
    recognizer: Recognizer,
    vad: Vad,
    tokenizer: Arc<Tokenizer>,
}

/// Samples that go in at once, a tenth of a second, as a stream brings them.
const BLOCK: usize = 1_600;

impl EarnestReader {
    /// Loads the speech model and the detector.
    pub(crate) fn load(speech: &Model, vad: &Model, threads: usize) -> Result<EarnestReader> {
        let recognizer = Recognizer::load(speech, &EngineOptions { threads })?;
        Ok(EarnestReader {
            tokenizer: Arc::new(recognizer.tokenizer().clone()),
            recognizer,
            vad: Vad::load(vad)?,
        })
    }
}

impl Reader for EarnestReader {
    fn name(&self) -> &'static str {
        "Earnest"
    }

    fn read(&mut self, pcm: &[f32]) -> Result<String> {
        let mut transcriber = Transcriber::new(
            &mut self.recognizer,
            &mut self.vad,
            Arc::clone(&self.tokenizer),
            TranscriberOptions::default(),
        );
        let mut texts = Vec::new();
        let mut keep = |events: Vec<Event>| {
            texts.extend(events.into_iter().filter_map(|event| match event {
                Event::Segment(segment) => Some(segment.text),
                Event::SpeechStarted { .. } | Event::Dropped { .. } => None,
            }));
        };
        for block in pcm.chunks(BLOCK) {
            keep(transcriber.push(block)?);
        }
        keep(transcriber.finish()?);
        Ok(texts.join(" "))
    }
}
