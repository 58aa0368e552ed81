//! A recogniser, put together a graph at a time.
//!
//! The parts of the graphs come from a model's files or from what was written down of them
//! ([`super::shared`]); either way the same plans are made of them in the same order, which is
//! what lets weights be a sequence.

use std::sync::Arc;

use earnest_kernels::{Heads, Isa, Packed, Pool, WeightStore};
use earnest_package::{Model, Role, SpeechShape};
use tract_onnx::tract_core::internal::{TractError, TypedSimpleState};

use super::engine::{EngineOptions, Recognizer, file};
use super::onnx;
use super::parts::{Decoder, Encoder};
use super::plan::{self, Plan};
use super::stage::Context;
use crate::tokenizer::Tokenizer;
use crate::{LoadError, SAMPLE_RATE, SAMPLES_PER_FRAME};

/// A recogniser in the making: encoder, then decoder, then tokenizer.
pub(super) struct Builder {
    context: Arc<Context>,
    shape: SpeechShape,
    encoder: Option<Plan>,
    decoder: Option<(Plan, TypedSimpleState)>,
}

impl Builder {
    pub(super) fn new(
        shape: SpeechShape,
        options: &EngineOptions,
        weights: WeightStore,
    ) -> Result<Builder, LoadError> {
        let threads = options.threads.max(1);
        let pool = Pool::new(threads).map_err(|error| LoadError::Threads {
            threads,
            reason: error.to_string(),
        })?;
        Ok(Builder {
            context: Arc::new(Context::new(Isa::detect(), pool, weights)),
            shape,
            encoder: None,
            decoder: None,
        })
    }

    /// Reads the encoder's graph, shows its parts, and makes its plan.
    pub(super) fn read_encoder(
        &mut self,
        model: &Model,
        show: impl FnOnce(&Encoder<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let proto = onnx::parse("encoder", file(model, Role::Encoder, "encoder")?)?;
        let graph = proto.graph.as_ref().ok_or_else(|| no_graph("encoder"))?;
        let constants = onnx::constants(graph);
        let parts = Encoder::read(graph, &constants)?;
        show(&parts)?;
        self.encoder(&parts)
    }

    /// Reads the decoder's graph, shows its parts, and makes its plans.
    pub(super) fn read_decoder(
        &mut self,
        model: &Model,
        show: impl FnOnce(&Decoder<'_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let proto = onnx::parse("decoder", file(model, Role::Decoder, "decoder")?)?;
        let graph = proto.graph.as_ref().ok_or_else(|| no_graph("decoder"))?;
        let constants = onnx::constants(graph);
        let parts = Decoder::read(graph, &constants)?;
        show(&parts)?;
        self.decoder(&parts)
    }

    pub(super) fn encoder(&mut self, parts: &Encoder<'_>) -> Result<(), LoadError> {
        let plan = plan::encoder(&self.context, parts);
        self.encoder = Some(plan.map_err(|error| prepare("encoder", &error))?);
        Ok(())
    }

    pub(super) fn decoder(&mut self, parts: &Decoder<'_>) -> Result<(), LoadError> {
        let refuse = |error| prepare("decoder", &error);
        let heads = plan::cross_heads(parts).map_err(refuse)?;
        check_shape(&self.shape, parts, heads)?;
        let memory = plan::memory(&self.context, parts).map_err(refuse)?;
        let step = plan::step(&self.context, parts).map_err(refuse)?;
        self.decoder = Some((memory, step.spawn().map_err(refuse)?));
        Ok(())
    }

    /// The recogniser, whose tokens this tokenizer turns into text.
    pub(super) fn finish(self, tokenizer: Tokenizer) -> Result<Recognizer, LoadError> {
        let missing = |what| LoadError::Prepare {
            what,
            reason: "it was not read".to_owned(),
        };
        let encoder = self.encoder.ok_or_else(|| missing("encoder"))?;
        let (memory, step) = self.decoder.ok_or_else(|| missing("decoder"))?;
        Ok(Recognizer {
            context: self.context,
            encoder,
            memory,
            step,
            shape: self.shape,
            tokenizer,
        })
    }

    /// The weights that the plans were made with, where they were recorded.
    pub(super) fn recorded(self) -> Vec<Packed> {
        self.context.weights.recorded()
    }
}

/// Requires that the graphs are of the shape that the card gives.
fn check_shape(shape: &SpeechShape, parts: &Decoder<'_>, heads: Heads) -> Result<(), LoadError> {
    let pairs = [
        ("layers", shape.layers as usize, parts.layers.len()),
        ("heads", shape.heads as usize, heads.count),
        ("head_dimension", shape.head_dimension as usize, heads.size),
        (
            "vocabulary",
            shape.vocabulary as usize,
            parts.embedding.tokens,
        ),
        (
            "samples_per_frame",
            shape.samples_per_frame as usize,
            SAMPLES_PER_FRAME,
        ),
        (
            "sample_rate",
            shape.sample_rate as usize,
            SAMPLE_RATE as usize,
        ),
    ];
    for (name, expected, found) in pairs {
        if expected != found {
            return Err(LoadError::UnexpectedGraph {
                graph: "decoder",
                node: format!("{name} of the card"),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
    Ok(())
}

fn no_graph(what: &'static str) -> LoadError {
    LoadError::NotOnnx {
        what,
        reason: "it holds no graph".to_owned(),
    }
}

fn prepare(what: &'static str, error: &TractError) -> LoadError {
    LoadError::Prepare {
        what,
        reason: format!("{error:#}"),
    }
}
