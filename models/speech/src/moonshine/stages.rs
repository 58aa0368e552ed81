//! The operations that a Moonshine model is made of, each one or more kernels.

use std::sync::Arc;

use earnest_kernels::{
    Activation, Column, CrossMemory, Epilogue, Filters, Heads, Isa, Layout, MeanOrder,
    QuantizedMatrix, Rotary, attend_cross, attend_whole, group_norm, layer_norm, swiglu,
    tanh_in_place,
};
use tract_onnx::tract_core::internal::*;

use super::grammar::{Convolution, GroupNorm, Linear, Norm};
use super::parts::{Embedding, Stem};
use super::stage::{Context, Scratch, Stage, as_wide, floats, tensor};

/// Frames that a convolution makes of `frames`.
fn convolved(frames: usize, kernel: usize, step: usize) -> TractResult<usize> {
    ensure!(
        frames >= kernel,
        "{frames} frames are fewer than a kernel of {kernel}"
    );
    Ok((frames - kernel) / step + 1)
}

fn convolved_dim(frames: &TDim, kernel: usize, step: usize) -> TDim {
    (frames.clone() - kernel as i64) / step as i64 + 1
}

/// The weights of a convolution as numbers, in the order of the file.
fn weights(convolution: &Convolution<'_>) -> Vec<f32> {
    let Convolution { scale, offset, .. } = *convolution;
    let bytes = convolution.weights.iter();
    bytes
        .map(|&byte| (i32::from(byte) - 128) as f32 * scale + offset)
        .collect()
}

/// The first convolution, its hyperbolic tangent and the group norm: `[1, samples]` to
/// `[1, channels, frames]`.
#[derive(Debug)]
pub(super) struct Frontend {
    context: Arc<Context>,
    filters: Filters,
    kernel: usize,
    step: usize,
    norm: GroupNorm,
}

impl Frontend {
    pub(super) fn new(context: &Arc<Context>, stem: &Stem<'_>) -> TractResult<Frontend> {
        let (first, store) = (&stem.first, &context.weights);
        let shape = [first.outputs * first.inputs, first.kernel];
        let filters = Filters::new(context.isa, store, shape, first.step, || weights(first))?;
        Ok(Frontend {
            context: Arc::clone(context),
            filters,
            kernel: first.kernel,
            step: first.step,
            norm: stem.norm.clone(),
        })
    }
}

impl Stage for Frontend {
    const NAME: &'static str = "EarnestFrontend";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let frames = convolved_dim(&inputs[0].shape[1], self.kernel, self.step);
        let channels = self.filters.filters().to_dim();
        Ok(tvec!(f32::fact([1.to_dim(), channels, frames])))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let sound = floats(&inputs[0])?;
        let (isa, channels) = (self.context.isa, self.filters.filters());
        let frames = convolved(sound.len(), self.kernel, self.step)?;
        let output = tensor(&[1, channels, frames], |rows| {
            self.filters.run(&self.context.pool, sound, rows);
            tanh_in_place(isa, rows);
            let GroupNorm {
                weight,
                bias,
                epsilon,
            } = &self.norm;
            group_norm(isa, rows, weight, bias, *epsilon);
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// A convolution over time and its GELU, to `[1, fewer frames, outputs]`.
#[derive(Debug)]
pub(super) struct Convolve {
    context: Arc<Context>,
    convolution: earnest_kernels::Convolution,
    /// Of the input: `[1, inputs, frames]` or `[1, frames, inputs]`.
    layout: Layout,
    inputs: usize,
    kernel: usize,
    step: usize,
}

impl Convolve {
    pub(super) fn new(
        context: &Arc<Context>,
        convolution: &Convolution<'_>,
        layout: Layout,
    ) -> TractResult<Convolve> {
        let Convolution {
            outputs,
            inputs,
            kernel,
            step,
            ..
        } = *convolution;
        // The identity of addition: a positive zero would turn -0 into 0.
        let no_bias = vec![-0.0; outputs];
        let bias = convolution.bias.as_ref().unwrap_or(&no_bias);
        let packed = earnest_kernels::Convolution::pack(
            context.isa,
            &context.weights,
            [inputs, kernel],
            step,
            bias,
            || weights(convolution),
        )?;
        Ok(Convolve {
            context: Arc::clone(context),
            convolution: packed,
            layout,
            inputs,
            kernel,
            step,
        })
    }
}

impl Stage for Convolve {
    const NAME: &'static str = "EarnestConvolve";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let axis = match self.layout {
            Layout::ByChannel => 2,
            Layout::ByFrame => 1,
        };
        let frames = convolved_dim(&inputs[0].shape[axis], self.kernel, self.step);
        let outputs = self.convolution.outputs().to_dim();
        Ok(tvec!(f32::fact([1.to_dim(), frames, outputs])))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let rows = floats(&inputs[0])?;
        let frames = convolved(rows.len() / self.inputs, self.kernel, self.step)?;
        let output = tensor(&[1, frames, self.convolution.outputs()], |output| {
            let pool = &self.context.pool;
            self.convolution.run(pool, rows, self.layout, output);
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// What a projection does to its input before it quantizes it.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// Layer normalisation.
    Norm(Norm),
    /// Layer normalisation of what a convolution made.
    FirstNorm(Norm),
    /// SwiGLU of the two halves of each row.
    SwiGlu,
}

impl Before {
    /// The rows to quantize, `width` wide, in the scratch or as they came.
    fn apply<'a>(
        &self,
        isa: Isa,
        rows: &'a [f32],
        width: usize,
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        match self {
            Before::Nothing => rows,
            Before::Norm(norm) => norm_into(isa, rows, norm, MeanOrder::Lanes, buffer),
            Before::FirstNorm(norm) => norm_into(isa, rows, norm, MeanOrder::Sequential, buffer),
            Before::SwiGlu => {
                buffer.resize(rows.len() / 2, 0.0);
                for (row, out) in rows
                    .chunks_exact(2 * width)
                    .zip(buffer.chunks_exact_mut(width))
                {
                    swiglu(isa, row, out);
                }
                buffer
            }
        }
    }
}

/// The normalised rows, in the buffer.
fn norm_into<'a>(
    isa: Isa,
    rows: &[f32],
    norm: &Norm,
    order: MeanOrder,
    buffer: &'a mut Vec<f32>,
) -> &'a [f32] {
    buffer.resize(rows.len(), 0.0);
    layer_norm(isa, rows, &norm.weight, norm.epsilon, order, buffer);
    buffer
}

/// `[1, rows, width]` to `[1, rows, columns]`: quantized, multiplied, and what follows. A
/// second input is added at the end.
#[derive(Debug)]
pub(super) struct Project {
    context: Arc<Context>,
    before: Before,
    weights: QuantizedMatrix,
    bias: Option<Vec<f32>>,
    activation: Activation,
}

impl Project {
    /// Several products of one input become one, side by side.
    pub(super) fn new(
        context: &Arc<Context>,
        before: Before,
        parts: &[&Linear<'_>],
        activation: Activation,
    ) -> TractResult<Project> {
        let bias = parts.iter().any(|part| part.bias.is_some()).then(|| {
            let without = |part: &Linear<'_>| vec![0.0; part.columns];
            parts
                .iter()
                .flat_map(|part| part.bias.clone().unwrap_or(without(part)))
                .collect()
        });
        let weights = pack(context, parts)?;
        Ok(Project {
            context: Arc::clone(context),
            before,
            weights,
            bias,
            activation,
        })
    }
}

/// Packs products of one input side by side.
fn pack(context: &Context, parts: &[&Linear<'_>]) -> TractResult<QuantizedMatrix> {
    let depth = parts[0].depth;
    let columns: Vec<Column> = parts
        .iter()
        .flat_map(|part| {
            let column = Column {
                scale: part.scale,
                zero_point: part.zero_point,
            };
            std::iter::repeat_n(column, part.columns)
        })
        .collect();
    let places: Vec<(usize, usize)> = parts
        .iter()
        .enumerate()
        .flat_map(|(index, part)| (0..part.columns).map(move |column| (index, column)))
        .collect();
    let value = |k, n: usize| {
        let (part, column) = places[n];
        parts[part].weights[k * parts[part].columns + column]
    };
    let (isa, store) = (context.isa, &context.weights);
    Ok(QuantizedMatrix::pack(isa, store, depth, &columns, value)?)
}

impl Stage for Project {
    const NAME: &'static str = "EarnestProject";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(as_wide(inputs[0], self.weights.columns())?))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let (context, columns) = (&self.context, self.weights.columns());
        let mut scratch = context.scratch();
        let Scratch {
            activations,
            rows: buffer,
        } = &mut *scratch;
        let rows = self.before.apply(
            context.isa,
            floats(&inputs[0])?,
            self.weights.depth(),
            buffer,
        );
        activations.quantize(context.isa, rows, self.weights.depth());
        let residual = inputs.get(1).map(floats).transpose()?;
        let epilogue = Epilogue {
            bias: self.bias.as_deref(),
            activation: self.activation,
            residual,
        };
        let output = tensor(&[1, activations.rows(), columns], |output| {
            self.weights
                .multiply(&context.pool, activations, &epilogue, output);
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// Attention of all frames to all frames: `[1, frames, 3 * width]` to `[1, frames, width]`.
#[derive(Debug)]
pub(super) struct AttendWhole {
    pub(super) context: Arc<Context>,
    pub(super) heads: Heads,
    pub(super) rotary: Rotary,
}

impl Stage for AttendWhole {
    const NAME: &'static str = "EarnestAttendWhole";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(as_wide(inputs[0], self.heads.width())?))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let (context, rows) = (&self.context, floats(&inputs[0])?);
        let shape = [1, rows.len() / (3 * self.heads.width()), self.heads.width()];
        let output = tensor(&shape, |output| {
            attend_whole(
                context.isa,
                &context.pool,
                rows,
                self.heads,
                &self.rotary,
                output,
            );
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// Layer normalisation alone, at the end of the encoder.
#[derive(Debug)]
pub(super) struct NormOnly {
    pub(super) context: Arc<Context>,
    pub(super) norm: Norm,
}

impl Stage for NormOnly {
    const NAME: &'static str = "EarnestNorm";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].without_value()))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let rows = floats(&inputs[0])?;
        let output = tensor(inputs[0].shape(), |output| {
            layer_norm(
                self.context.isa,
                rows,
                &self.norm.weight,
                self.norm.epsilon,
                MeanOrder::Lanes,
                output,
            );
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// Keys and values of the encoder's output for every decoder layer: `[1, frames, width]` to
/// keys and values of each layer in turn, flat, as [`CrossMemory`] lays them out.
#[derive(Debug)]
pub(super) struct Memory {
    context: Arc<Context>,
    heads: Heads,
    /// Keys and values of each layer side by side.
    layers: Vec<QuantizedMatrix>,
}

impl Memory {
    pub(super) fn new(
        context: &Arc<Context>,
        heads: Heads,
        layers: &[(&Linear<'_>, &Linear<'_>)],
    ) -> TractResult<Memory> {
        let layers = layers
            .iter()
            .map(|&(keys, values)| pack(context, &[keys, values]))
            .collect::<TractResult<_>>()?;
        Ok(Memory {
            context: Arc::clone(context),
            heads,
            layers,
        })
    }
}

impl Stage for Memory {
    const NAME: &'static str = "EarnestMemory";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let frames = &inputs[0].shape[1];
        let panel = self.heads.keys_length(1) / self.heads.width();
        let panels = (frames.clone() + (panel as i64 - 1)) / panel as i64;
        let keys = panels * self.heads.keys_length(1) as i64;
        let values = frames.clone() * self.heads.values_length(1) as i64;
        let layer = [f32::fact([keys]), f32::fact([values])];
        Ok(self.layers.iter().flat_map(|_| layer.clone()).collect())
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let (context, heads, width) = (&self.context, self.heads, self.heads.width());
        let rows = floats(&inputs[0])?;
        let mut scratch = context.scratch();
        let Scratch {
            activations,
            rows: buffer,
        } = &mut *scratch;
        activations.quantize(context.isa, rows, self.layers[0].depth());
        let frames = activations.rows();
        buffer.resize(frames * 2 * width, 0.0);
        let mut outputs = tvec!();
        for layer in &self.layers {
            layer.multiply(&context.pool, activations, &Epilogue::default(), buffer);
            let rows = buffer.chunks_exact(2 * width);
            outputs.push(tensor(&[heads.keys_length(frames)], |keys| {
                CrossMemory::lay_out_keys(rows.clone().map(|row| &row[..width]), heads, keys);
                Ok(())
            })?);
            outputs.push(tensor(&[heads.values_length(frames)], |values| {
                CrossMemory::lay_out_values(rows.clone().map(|row| &row[width..]), heads, values);
                Ok(())
            })?);
        }
        Ok(outputs)
    }
}

/// A token's attention to the segment: query `[1, 1, width]`, keys and values as
/// [`Memory`] makes them; gives `[1, 1, width]` and the weights, `[heads, frames]`.
#[derive(Debug)]
pub(super) struct AttendCross {
    pub(super) context: Arc<Context>,
    pub(super) heads: Heads,
}

impl Stage for AttendCross {
    const NAME: &'static str = "EarnestAttendCross";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let frames = inputs[2].shape[0].clone() / self.heads.values_length(1) as i64;
        Ok(tvec!(
            inputs[0].without_value(),
            f32::fact([self.heads.count.to_dim(), frames])
        ))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let (context, heads) = (&self.context, self.heads);
        let (query, keys, values) = (
            floats(&inputs[0])?,
            floats(&inputs[1])?,
            floats(&inputs[2])?,
        );
        let frames = values.len() / heads.values_length(1);
        let mut weights = Tensor::zero::<f32>(&[heads.count, frames])?;
        let output = tensor(&[1, 1, heads.width()], |output| {
            let mut weights = weights.try_as_plain_ram_mut()?;
            let weights = weights.as_slice_mut::<f32>()?;
            let pool = &context.pool;
            attend_cross(
                context.isa,
                pool,
                query,
                keys,
                values,
                heads,
                weights,
                output,
            );
            Ok(())
        })?;
        Ok(tvec!(output, weights.into_tvalue()))
    }
}

/// The table of tokens, shared by the first operation of a step and by the last.
pub(super) fn pack_embedding(
    context: &Context,
    embedding: &Embedding<'_>,
) -> TractResult<Arc<QuantizedMatrix>> {
    let Embedding {
        weights,
        tokens,
        width,
        scale,
        zero_point,
    } = *embedding;
    let columns = vec![Column { scale, zero_point }; tokens];
    let value = |k, n| weights[n * width + k];
    let (isa, store) = (context.isa, &context.weights);
    let table = QuantizedMatrix::pack(isa, store, width, &columns, value)?;
    Ok(Arc::new(table))
}

/// A token's row of the table: `[1, 1]` of i64 to `[1, 1, width]`.
#[derive(Debug)]
pub(super) struct Embed {
    pub(super) table: Arc<QuantizedMatrix>,
}

impl Stage for Embed {
    const NAME: &'static str = "EarnestEmbed";

    fn facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact([1, 1, self.table.depth()])))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let id = inputs[0].try_as_plain_ram()?.as_slice::<i64>()?[0];
        let token = usize::try_from(id)
            .ok()
            .filter(|&token| token < self.table.columns());
        let Some(token) = token else {
            bail!("token {id} is not one of {}", self.table.columns());
        };
        let output = tensor(&[1, 1, self.table.depth()], |output| {
            self.table.dequantize_column(token, output);
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// The last norm and the product with the table: `[1, 1, width]` to `[1, 1, tokens]`.
///
/// The exporter left this product in f32; activations of twenty-three bits keep its order of
/// tokens at a fraction of the traffic, as the table stays in bytes.
#[derive(Debug)]
pub(super) struct Logits {
    pub(super) context: Arc<Context>,
    pub(super) norm: Norm,
    pub(super) table: Arc<QuantizedMatrix>,
}

impl Stage for Logits {
    const NAME: &'static str = "EarnestLogits";

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(as_wide(inputs[0], self.table.columns())?))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let (context, rows) = (&self.context, floats(&inputs[0])?);
        let mut scratch = context.scratch();
        let Scratch {
            activations,
            rows: buffer,
        } = &mut *scratch;
        let rows = norm_into(context.isa, rows, &self.norm, MeanOrder::Lanes, buffer);
        activations.quantize_wide(context.isa, rows, self.table.depth());
        let output = tensor(&[1, activations.rows(), self.table.columns()], |output| {
            self.table
                .multiply(&context.pool, activations, &Epilogue::default(), output);
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}
