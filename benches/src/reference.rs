//! ONNX Runtime at its best, in process: what a user would pick instead.
//!
//! All graph optimisations are on; inputs and outputs are bound. The keys and values that a
//! step puts out are bound as the next step's inputs without a copy, the cross-attention's
//! stay bound from the first step on, and the logits land in one tensor that is reused. What
//! remains free ([`SessionOptions`]) is chosen by measurement on the machine at hand (see
//! `tune`).

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow};
use earnest_speech::Tokenizer;
use ort::environment::Environment;
use ort::ep;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{IoBinding, Session};
use ort::value::{DynValue, Tensor};
use serde::{Deserialize, Serialize};

use crate::engine::{Clock, Engine, Reader, Run, step_limit};

const START_TOKEN: i64 = 1;
const END_TOKEN: i64 = 2;

/// The options of a session that can go either way. The default is the runtime's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionOptions {
    /// Threads within an operator.
    pub(crate) threads: usize,
    /// Whether idle threads spin before they sleep.
    pub(crate) spinning: bool,
    /// Whether memory is planned ahead for shapes seen before.
    pub(crate) memory_pattern: bool,
    /// Whether tensors come from an arena.
    pub(crate) arena: bool,
    /// Whether denormal numbers count as zero.
    pub(crate) denormals_as_zero: bool,
    /// Whether quantize and dequantize pairs are fused. Without it the runtime folds
    /// dequantized constants once, at load time.
    pub(crate) fuse_quantization: bool,
    /// Base of the dynamic block size by which work is shared out; zero is off.
    pub(crate) dynamic_block: u32,
    /// Whether independent branches of the graph run at once.
    pub(crate) parallel: bool,
}

impl SessionOptions {
    /// The runtime's defaults with `threads`.
    pub(crate) fn with_threads(threads: usize) -> SessionOptions {
        SessionOptions {
            threads,
            spinning: true,
            memory_pattern: true,
            arena: true,
            denormals_as_zero: false,
            fuse_quantization: true,
            dynamic_block: 0,
            parallel: false,
        }
    }

    fn builder(&self, environment: &Environment) -> Result<SessionBuilder, ort::Error> {
        let mut builder = Session::builder(environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(self.threads)?
            .with_inter_threads(if self.parallel { self.threads } else { 1 })?
            .with_parallel_execution(self.parallel)?
            .with_memory_pattern(self.memory_pattern)?
            .with_intra_op_spinning(self.spinning)?
            .with_inter_op_spinning(self.spinning)?
            .with_quant_qdq(self.fuse_quantization)?
            .with_prepacking(true)?
            .with_execution_providers([ep::CPU::default()
                .with_arena_allocator(self.arena)
                .build()])?;
        if self.denormals_as_zero {
            builder = builder.with_flush_to_zero()?;
        }
        if self.dynamic_block > 0 {
            builder = builder.with_dynamic_block_base(self.dynamic_block)?;
        }
        Ok(builder)
    }
}

/// The runtime's shared library at `path`, loaded at the first call: a process has one.
fn runtime(path: &Path) -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let environment = ort::init_from(path)
        .with_context(|| {
            format!(
                "cannot load ONNX Runtime from {}; run `prepare`",
                path.display()
            )
        })?
        .with_telemetry(false)
        .build()?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// The two graphs of one model, loaded.
pub(crate) struct Reference {
    encoder: Session,
    decoder: Session,
    /// Inputs of the decoder that hold what was said so far, with the outputs that renew them.
    past: Vec<Past>,
    head_dimension: usize,
    heads: usize,
    vocabulary: usize,
    output_memory: MemoryInfo<'static>,
}

struct Past {
    input: String,
    output: String,
    /// Self-attention grows at every step; cross-attention is made at the first one.
    grows: bool,
}

impl Reference {
    /// Loads the encoder and the merged decoder as the vendor ships them, with the runtime
    /// at `library`.
    pub(crate) fn load(
        library: &Path,
        encoder: &[u8],
        decoder: &[u8],
        options: &SessionOptions,
    ) -> Result<Reference> {
        let environment = runtime(library)?;
        let encoder = options.builder(environment)?.commit_from_memory(encoder)?;
        let decoder = options.builder(environment)?.commit_from_memory(decoder)?;
        let past: Vec<Past> = decoder
            .inputs()
            .iter()
            .filter(|input| input.name().starts_with("past_key_values."))
            .map(|input| Past {
                input: input.name().to_owned(),
                output: input.name().replace("past_key_values.", "present."),
                grows: input.name().contains(".decoder."),
            })
            .collect();
        let shape_of = |outlets: &[ort::value::Outlet], name: &str| {
            outlets
                .iter()
                .find(|outlet| outlet.name() == name)
                .and_then(|outlet| outlet.dtype().tensor_shape().map(|shape| shape.to_vec()))
                .ok_or_else(|| anyhow!("the decoder has no tensor named {name}"))
        };
        let first = past.first().context("the decoder has no cache")?;
        let cache_shape = shape_of(decoder.inputs(), &first.input)?;
        let logits_shape = shape_of(decoder.outputs(), "logits")?;
        Ok(Reference {
            heads: dimension(&cache_shape, 1)?,
            head_dimension: dimension(&cache_shape, 3)?,
            vocabulary: dimension(&logits_shape, 2)?,
            output_memory: MemoryInfo::new(
                AllocationDevice::CPU,
                0,
                AllocatorType::Device,
                MemoryType::CPUOutput,
            )?,
            encoder,
            decoder,
            past,
        })
    }

    /// Runs the encoder and leaves its output where the runtime put it.
    fn encode(&mut self, pcm: &[f32]) -> Result<DynValue> {
        let samples = Tensor::from_array(([1, pcm.len()], pcm.to_vec()))?;
        let mut binding = self.encoder.create_binding()?;
        binding.bind_input("input_values", &samples)?;
        binding.bind_output_to_device("last_hidden_state", &self.output_memory)?;
        let mut outputs = self.encoder.run_binding(&binding)?;
        outputs
            .remove("last_hidden_state")
            .context("the encoder put out no hidden state")
    }

    /// Binds what the first step needs: the encoder's output, an empty past, the logits.
    fn bind_first(&mut self, hidden: &DynValue, logits: &mut Tensor<f32>) -> Result<IoBinding> {
        let mut binding = self.decoder.create_binding()?;
        binding.bind_input("encoder_hidden_states", hidden)?;
        binding.bind_input("input_ids", &token_tensor(START_TOKEN)?)?;
        binding.bind_input("use_cache_branch", &Tensor::from_array(([1], vec![false]))?)?;
        for past in &self.past {
            let empty = Tensor::<f32>::new(
                self.decoder.allocator(),
                [0, self.heads, 1, self.head_dimension],
            )?;
            binding.bind_input(past.input.as_str(), &empty)?;
            binding.bind_output_to_device(past.output.as_str(), &self.output_memory)?;
        }
        binding.bind_output("logits", &mut *logits)?;
        Ok(binding)
    }

    /// Runs the decoder once and binds what it put out as the next step's past.
    fn step(
        &mut self,
        binding: &mut IoBinding,
        logits: &mut Tensor<f32>,
        first: bool,
    ) -> Result<()> {
        let mut renewed = Vec::with_capacity(self.past.len());
        {
            let mut outputs = self.decoder.run_binding(binding)?;
            for past in self.past.iter().filter(|past| first || past.grows) {
                let value = outputs
                    .remove(past.output.as_str())
                    .with_context(|| format!("the decoder put out no {}", past.output))?;
                renewed.push((past, value));
            }
        }
        if first {
            binding.bind_input("use_cache_branch", &Tensor::from_array(([1], vec![true]))?)?;
            // From here on the cross-attention's outputs are empty: nobody asks for them.
            binding.clear_outputs();
            binding.bind_output("logits", &mut *logits)?;
        }
        for (past, value) in renewed {
            binding.bind_input(past.input.as_str(), &value)?;
            if !past.grows {
                continue;
            }
            // Bound afresh, so that the next run puts its output into fresh memory rather than
            // over what it reads.
            binding.bind_output_to_device(past.output.as_str(), &self.output_memory)?;
        }
        Ok(())
    }
}

impl Engine for Reference {
    fn name(&self) -> &'static str {
        "ONNX Runtime"
    }

    fn run(&mut self, pcm: &[f32], clock: Clock) -> Result<Run> {
        let mut run = Run::default();
        let begin = clock.now()?;
        let hidden = self.encode(pcm)?;
        run.encoder = clock.now()? - begin;
        let mut logits = Tensor::<f32>::new(self.decoder.allocator(), [1, 1, self.vocabulary])?;
        let mut step_begin = clock.now()?;
        let mut binding = self.bind_first(&hidden, &mut logits)?;
        for index in 0..step_limit(pcm.len()) {
            self.step(&mut binding, &mut logits, index == 0)?;
            let token = largest(logits.extract_tensor().1);
            let now = clock.now()?;
            if index == 0 {
                run.first_step = now - step_begin;
            } else {
                run.steps.push(now - step_begin);
            }
            step_begin = now;
            if token == END_TOKEN {
                break;
            }
            run.tokens.push(u32::try_from(token)?);
            binding.bind_input("input_ids", &token_tensor(token)?)?;
        }
        run.total = clock.now()? - begin;
        Ok(run)
    }
}

/// The reference as a whole: what a program that only adds a tokenizer says to a clip.
pub(crate) struct ReferenceReader {
    pub(crate) reference: Reference,
    pub(crate) tokenizer: Tokenizer,
}

impl Reader for ReferenceReader {
    fn name(&self) -> &'static str {
        self.reference.name()
    }

    fn read(&mut self, pcm: &[f32]) -> Result<String> {
        let run = self.reference.run(pcm, Clock::Wall)?;
        Ok(self.tokenizer.decode(&run.tokens))
    }
}

fn token_tensor(token: i64) -> Result<Tensor<i64>> {
    Ok(Tensor::from_array(([1_usize, 1], vec![token]))?)
}

fn dimension(shape: &[i64], axis: usize) -> Result<usize> {
    let size = shape.get(axis).copied().unwrap_or(-1);
    usize::try_from(size).map_err(|_| anyhow!("axis {axis} of {shape:?} has no fixed size"))
}

/// Index of the largest value, the first of equals. In two passes, each of which vectorises.
fn largest(values: &[f32]) -> i64 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    let maximum = lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    values
        .iter()
        .position(|&value| value == maximum)
        .unwrap_or(0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_largest_values_is_found() {
        let mut values = vec![0.0; 50];
        values[17] = 3.0;
        values[48] = 3.0;
        assert_eq!(largest(&values), 17);
        values[49] = 4.0;
        assert_eq!(largest(&values), 49);
        assert_eq!(largest(&[-5.0, -2.0]), 1);
    }
}
