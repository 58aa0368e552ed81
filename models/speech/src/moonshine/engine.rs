//! The model, loaded: sound in, tokens out, one stage at a time or all at once.

use std::sync::Arc;

use earnest_kernels::{Isa, WeightStore, argmax, log_sum_exp};
use earnest_package::{Kind, Model, Role, SpeechShape};
use tract_onnx::tract_core::internal::*;

use super::builder::Builder;
use super::causal::CausalState;
use super::plan::Plan;
use super::stage::{Context, floats};
use crate::tokenizer::Tokenizer;
use crate::{
    CrossAttention, DecodeOptions, Hypothesis, LoadError, MAX_SEGMENT_SAMPLES, Recognize, Reread,
    SAMPLE_RATE, Score, SpeechError,
};

/// The shortest sound that the three convolutions make a frame of: 127 samples, then 7 of
/// those at steps of 64, then 3 of those at steps of 3.
const FEWEST_SAMPLES: usize = 127 + 64 * (7 - 1 + 3 * (3 - 1));

/// How to run a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads of one recogniser; at least one.
    pub threads: usize,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions { threads: 1 }
    }
}

/// A speech model, ready to run.
pub struct Recognizer {
    pub(super) context: Arc<Context>,
    pub(super) encoder: Plan,
    pub(super) memory: Plan,
    pub(super) step: TypedSimpleState,
    pub(super) shape: SpeechShape,
    pub(super) tokenizer: Tokenizer,
}

/// A segment as the encoder left it, with the memory that every step reads.
#[derive(Debug, Clone)]
pub struct Encoded {
    memory: TVec<TValue>,
    frames: usize,
    most_tokens: usize,
}

/// One token read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The token.
    pub token: u32,
    /// The natural logarithm of its probability.
    pub logprob: f32,
    /// Whether it is the one that ends the text.
    pub end: bool,
}

/// A decoding under way.
#[derive(Debug)]
pub struct Decoding<'a> {
    recognizer: &'a mut Recognizer,
    encoded: &'a Encoded,
    keep_attention: bool,
    spoken: bool,
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
    ended: bool,
    attention: Vec<f32>,
}

impl std::fmt::Debug for Recognizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Recognizer({:?}, {})",
            self.shape,
            self.kernels()
        )
    }
}

impl Recognizer {
    /// Takes the model's graphs apart and packs its weights for this CPU.
    ///
    /// # Errors
    /// When a file is missing, or is not built as the models that this runtime knows.
    pub fn load(model: &Model, options: &EngineOptions) -> Result<Recognizer, LoadError> {
        let mut builder = Builder::new(speech_shape(model)?, options, WeightStore::fresh())?;
        builder.read_encoder(model, |_| Ok(()))?;
        builder.read_decoder(model, |_| Ok(()))?;
        builder.finish(tokenizer(model)?)
    }

    /// The instructions and the threads that the kernels run with, for logs and benches.
    pub fn kernels(&self) -> String {
        format!(
            "{}, {} threads",
            self.context.isa.name(),
            self.context.pool.threads()
        )
    }

    /// Turns tokens into text.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Runs the encoder over a segment of 16 kHz mono sound. Sound too short for a frame is
    /// padded with silence.
    ///
    /// # Errors
    /// When the segment is longer than [`MAX_SEGMENT_SAMPLES`], or a sample is not finite.
    pub fn encode(&mut self, pcm: &[f32]) -> Result<Encoded, SpeechError> {
        if pcm.len() > MAX_SEGMENT_SAMPLES {
            let found = pcm.len();
            return Err(SpeechError::SegmentTooLong {
                found,
                limit: MAX_SEGMENT_SAMPLES,
            });
        }
        if let Some(position) = pcm.iter().position(|sample| !sample.is_finite()) {
            return Err(SpeechError::NotFinite { position });
        }
        self.encode_checked(pcm)
            .map_err(|error| runtime("encoder", &error))
    }

    fn encode_checked(&mut self, pcm: &[f32]) -> TractResult<Encoded> {
        let samples = pcm.len().max(FEWEST_SAMPLES);
        let mut sound = Tensor::zero::<f32>(&[1, samples])?;
        sound.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?[..pcm.len()].copy_from_slice(pcm);
        let frames = self.encoder.run(tvec!(sound.into_tvalue()))?;
        let count = frames[0].shape()[1];
        let memory = self.memory.run(frames)?;
        let seconds = samples as f64 / f64::from(SAMPLE_RATE);
        let most_tokens = (seconds * f64::from(self.shape.max_tokens_per_second)) as usize;
        Ok(Encoded {
            memory,
            frames: count,
            most_tokens,
        })
    }

    /// Begins to read a segment.
    pub fn start<'a>(&'a mut self, encoded: &'a Encoded, options: &DecodeOptions) -> Decoding<'a> {
        for state in self.step.op_states.iter_mut().flatten() {
            if let Some(state) = state.downcast_mut::<CausalState>() {
                state.clear();
            }
        }
        Decoding {
            recognizer: self,
            encoded,
            keep_attention: options.cross_attention,
            spoken: options.spoken,
            tokens: Vec::new(),
            logprobs: Vec::new(),
            ended: false,
            attention: Vec::new(),
        }
    }
}

impl Decoding<'_> {
    /// Reads the next token; `None` when the text has ended or the cap is reached.
    ///
    /// # Errors
    /// When tract fails, which is a fault of this program or of the machine.
    pub fn step(&mut self) -> Result<Option<Step>, SpeechError> {
        self.next(None)
    }

    /// Writes `token` next, whatever the sound says, and tells how likely it was: `None` when
    /// the text has ended or the cap is reached.
    ///
    /// # Errors
    /// As [`Self::step`], and where the model has no such token.
    pub fn force(&mut self, token: u32) -> Result<Option<Step>, SpeechError> {
        self.next(Some(token))
    }

    fn next(&mut self, forced: Option<u32>) -> Result<Option<Step>, SpeechError> {
        if self.ended || self.tokens.len() >= self.encoded.most_tokens {
            return Ok(None);
        }
        self.read(forced)
            .map(Some)
            .map_err(|error| runtime("decoder", &error))
    }

    fn read(&mut self, forced: Option<u32>) -> TractResult<Step> {
        let last = self
            .tokens
            .last()
            .copied()
            .unwrap_or(self.recognizer.shape.start_token);
        let last = i64::from(last);
        let mut inputs = tvec!(Tensor::from_shape(&[1, 1], &[last])?.into_tvalue());
        inputs.extend(self.encoded.memory.iter().cloned());
        let outputs = self.recognizer.step.run(inputs)?;
        let isa = self.recognizer.context.isa;
        let logits = floats(&outputs[0])?;
        let token = match forced {
            Some(token) => token as usize,
            None => self.likeliest(logits)?,
        };
        let logit = logits.get(token).with_context(|| "no such token")?;
        let logprob = logit - log_sum_exp(isa, logits);
        if self.keep_attention {
            for weights in &outputs[1..] {
                self.attention.extend_from_slice(floats(weights)?);
            }
        }
        let token = u32::try_from(token).with_context(|| "more tokens than a u32 counts")?;
        self.logprobs.push(logprob);
        self.ended = token == self.recognizer.shape.end_token;
        if !self.ended {
            self.tokens.push(token);
        }
        Ok(Step {
            token,
            logprob,
            end: self.ended,
        })
    }

    /// The token that these logits speak for.
    fn likeliest(&self, logits: &[f32]) -> TractResult<usize> {
        let isa = self.recognizer.context.isa;
        let token = argmax(isa, logits).with_context(|| "no logit is a number")?;
        let end = self.recognizer.shape.end_token as usize;
        if token != end || !self.spoken || !self.tokens.is_empty() {
            return Ok(token);
        }
        let (before, behind) = logits.split_at(end);
        let before = argmax(isa, before);
        let behind = argmax(isa, &behind[1..]).map(|token| end + 1 + token);
        let second = before
            .into_iter()
            .chain(behind)
            .max_by(|one, other| logits[*one].total_cmp(&logits[*other]));
        Ok(second.unwrap_or(end))
    }

    /// What was read so far.
    pub fn finish(self) -> Hypothesis {
        let cross_attention = self.keep_attention.then(|| CrossAttention {
            heads: (self.recognizer.shape.layers * self.recognizer.shape.heads) as usize,
            tokens: self.logprobs.len(),
            frames: self.encoded.frames,
            weights: self.attention,
        });
        Hypothesis {
            tokens: self.tokens,
            logprobs: self.logprobs,
            ended: self.ended,
            cross_attention,
        }
    }
}

impl Recognize for Recognizer {
    fn recognize(
        &mut self,
        pcm: &[f32],
        options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        let encoded = self.encode(pcm)?;
        let mut decoding = self.start(&encoded, options);
        while decoding.step()?.is_some() {}
        Ok(decoding.finish())
    }
}

impl Reread for Recognizer {
    type Encoded = Encoded;

    fn encode(&mut self, pcm: &[f32]) -> Result<Encoded, SpeechError> {
        Recognizer::encode(self, pcm)
    }

    fn read(
        &mut self,
        encoded: &Encoded,
        prefix: &[u32],
        options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        let mut decoding = self.start(encoded, options);
        for &token in prefix {
            if decoding.force(token)?.is_none() {
                break;
            }
        }
        while decoding.step()?.is_some() {}
        Ok(decoding.finish())
    }

    fn score(&mut self, encoded: &Encoded, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        self.scorer(encoded).score(tokens)
    }
}

pub(super) fn file<'a>(
    model: &'a Model,
    role: Role,
    name: &'static str,
) -> Result<&'a [u8], LoadError> {
    model.file(role).ok_or_else(|| LoadError::MissingFile {
        model: model.card().name().to_owned(),
        role: name,
    })
}

pub(super) fn tokenizer(model: &Model) -> Result<Tokenizer, LoadError> {
    let json = file(model, Role::Tokenizer, "tokenizer")?;
    Tokenizer::from_json(json).map_err(|error| LoadError::Tokenizer(error.to_string()))
}

/// The name of the kernels that recognisers use on this processor.
pub fn kernels() -> &'static str {
    Isa::detect().name()
}

/// What the card says of the model's shape.
pub(super) fn speech_shape(model: &Model) -> Result<SpeechShape, LoadError> {
    match model.card().kind() {
        Kind::Speech(shape) => Ok(*shape),
        Kind::Vad(_) => Err(LoadError::MissingFile {
            model: model.card().name().to_owned(),
            role: "speech",
        }),
    }
}

fn runtime(stage: &'static str, error: &TractError) -> SpeechError {
    SpeechError::Runtime {
        stage,
        reason: format!("{error:#}"),
    }
}
