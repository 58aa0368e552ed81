//! What a Moonshine model is made of, read from its graphs by the grammar and not yet packed.

use earnest_kernels::Heads;
use serde::{Deserialize, Serialize};
use tract_onnx::pb;

use super::grammar::{Attention, Convolution, GroupNorm, Linear, Norm};
use super::onnx::{Constants, Graph, branches};
use crate::LoadError;

/// Layers that a model may have: several times those of the largest Moonshine.
const MOST_LAYERS: usize = 64;

/// Tokens and dimensions of a table that fits a step's time and memory.
const MOST_TOKENS: usize = 1 << 20;
const MOST_WIDTH: usize = 1 << 14;

/// The first stage: sound to frames.
#[derive(Serialize, Deserialize)]
pub(super) struct Stem<'a> {
    pub(super) first: Convolution<'a>,
    pub(super) norm: GroupNorm,
    pub(super) second: Convolution<'a>,
    pub(super) third: Convolution<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EncoderLayer<'a> {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention<'a>,
    pub(super) attention_output: Linear<'a>,
    pub(super) feed_norm: Norm,
    pub(super) feed_up: Linear<'a>,
    pub(super) feed_down: Linear<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Encoder<'a> {
    pub(super) stem: Stem<'a>,
    pub(super) layers: Vec<EncoderLayer<'a>>,
    pub(super) norm: Norm,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DecoderLayer<'a> {
    pub(super) self_norm: Norm,
    pub(super) attention: Attention<'a>,
    pub(super) self_output: Linear<'a>,
    pub(super) cross_norm: Norm,
    pub(super) cross_query: Linear<'a>,
    pub(super) cross_heads: Heads,
    pub(super) cross_output: Linear<'a>,
    pub(super) feed_norm: Norm,
    pub(super) feed_up: Linear<'a>,
    pub(super) feed_down: Linear<'a>,
    /// Keys and values of the encoder's output.
    pub(super) memory_keys: Linear<'a>,
    pub(super) memory_values: Linear<'a>,
}

/// The table of tokens, which is also the last product, transposed.
#[derive(Serialize, Deserialize)]
pub(super) struct Embedding<'a> {
    /// `[tokens, width]`.
    #[serde(skip)]
    pub(super) weights: &'a [u8],
    pub(super) tokens: usize,
    pub(super) width: usize,
    pub(super) scale: f32,
    pub(super) zero_point: u8,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Decoder<'a> {
    pub(super) embedding: Embedding<'a>,
    pub(super) layers: Vec<DecoderLayer<'a>>,
    pub(super) norm: Norm,
}

impl<'a> Encoder<'a> {
    pub(super) fn read(
        graph: &'a pb::GraphProto,
        constants: &'a Constants<'a>,
    ) -> Result<Encoder<'a>, LoadError> {
        let graph = Graph::new("encoder", graph, constants);
        let (mut value, norm) = graph.norm("last_hidden_state")?;
        let mut layers = Vec::new();
        while graph.operation(value) == Some("Add") && layers.len() < MOST_LAYERS {
            let (input, layer) = encoder_layer(&graph, value)?;
            layers.push(layer);
            value = input;
        }
        layers.reverse();
        Ok(Encoder {
            stem: stem(&graph, value)?,
            layers,
            norm,
        })
    }
}

fn encoder_layer<'a>(
    graph: &Graph<'a>,
    value: &str,
) -> Result<(&'a str, EncoderLayer<'a>), LoadError> {
    let feed = graph.residual(value)?;
    let feed_down = graph.linear(feed.through)?;
    let feed_up = graph.linear(graph.gelu(feed_down.input)?)?;
    let (of_feed, feed_norm) = graph.norm(feed_up.input)?;
    graph.same(of_feed, feed.around)?;
    let attended = graph.residual(feed.around)?;
    let attention_output = graph.linear(attended.through)?;
    let attention = graph.self_attention(attention_output.input, false)?;
    let (input, attention_norm) = attention_input(graph, &attention)?;
    graph.same(input, attended.around)?;
    let layer = EncoderLayer {
        attention_norm,
        attention,
        attention_output,
        feed_norm,
        feed_up,
        feed_down,
    };
    Ok((input, layer))
}

/// The norm that queries, keys and values share, and its input.
fn attention_input<'a>(
    graph: &Graph<'a>,
    attention: &Attention<'a>,
) -> Result<(&'a str, Norm), LoadError> {
    graph.same(attention.key.input, attention.query.input)?;
    graph.same(attention.value.input, attention.query.input)?;
    graph.norm(attention.query.input)
}

fn stem<'a>(graph: &Graph<'a>, value: &str) -> Result<Stem<'a>, LoadError> {
    let [frames] = graph.inputs(value, "Transpose")?;
    graph.require(value, "perm", &[0, 2, 1])?;
    let third = graph.convolution(graph.gelu(frames)?)?;
    let second = graph.convolution(graph.gelu(third.input)?)?;
    let (bounded, norm) = graph.group_norm(second.input)?;
    let [first] = graph.inputs(bounded, "Tanh")?;
    let first = graph.convolution(first)?;
    graph.same(graph.input(first.input, "Unsqueeze")?, "input_values")?;
    let chained = first.inputs == 1
        && second.inputs == first.outputs
        && third.inputs == second.outputs
        && norm.weight.len() == first.outputs
        && first.bias.is_none();
    let strides = first.step * second.step * third.step;
    if !chained || strides != crate::SAMPLES_PER_FRAME {
        let expected = format!(
            "a stem of one frame in {} samples",
            crate::SAMPLES_PER_FRAME
        );
        return Err(graph.unexpected(value, expected, format!("one in {strides}")));
    }
    Ok(Stem {
        first,
        norm,
        second,
        third,
    })
}

impl<'a> Decoder<'a> {
    /// Takes the merged decoder's `If` apart. The cached step is the decoder; of the first
    /// step only the keys and values of the encoder's output are needed, because with a cache
    /// of no tokens the cached step does all the rest.
    pub(super) fn read(
        graph: &'a pb::GraphProto,
        constants: &'a Constants<'a>,
    ) -> Result<Decoder<'a>, LoadError> {
        let (cached, first) = branches(graph)?;
        let cached = Graph::new("cached step", cached, constants);
        let first = Graph::new("first step", first, constants);
        let [rows, transposed] = cached.inputs("logits", "MatMul")?;
        let (mut value, norm) = cached.norm(rows)?;
        let mut layers = Vec::new();
        let count = (0..MOST_LAYERS)
            .take_while(|layer| {
                first
                    .operation(&format!("present.{layer}.encoder.key"))
                    .is_some()
            })
            .count();
        for layer in (0..count).rev() {
            let (input, layer) = decoder_layer(&cached, &first, value, layer)?;
            layers.push(layer);
            value = input;
        }
        layers.reverse();
        let embedding = embedding(&cached, value, transposed)?;
        Ok(Decoder {
            embedding,
            layers,
            norm,
        })
    }
}

fn decoder_layer<'a>(
    cached: &Graph<'a>,
    first: &Graph<'a>,
    value: &str,
    index: usize,
) -> Result<(&'a str, DecoderLayer<'a>), LoadError> {
    let feed = cached.residual(value)?;
    let feed_down = cached.linear(feed.through)?;
    let feed_up = cached.linear(cached.swiglu(feed_down.input)?)?;
    let (of_feed, feed_norm) = cached.norm(feed_up.input)?;
    cached.same(of_feed, feed.around)?;
    let cross = cached.residual(feed.around)?;
    let cross_output = cached.linear(cross.through)?;
    let (cross_query, cross_heads) = cached.cross_attention(cross_output.input, index)?;
    let (of_cross, cross_norm) = cached.norm(cross_query.input)?;
    cached.same(of_cross, cross.around)?;
    let attended = cached.residual(cross.around)?;
    let self_output = cached.linear(attended.through)?;
    let attention = cached.self_attention(self_output.input, true)?;
    let (input, self_norm) = attention_input(cached, &attention)?;
    cached.same(input, attended.around)?;
    let (memory_keys, key_heads) = first.memory(&format!("present.{index}.encoder.key"))?;
    let (memory_values, value_heads) = first.memory(&format!("present.{index}.encoder.value"))?;
    if key_heads != cross_heads || value_heads != cross_heads {
        return Err(first.unexpected(value, format!("{cross_heads:?}"), format!("{key_heads:?}")));
    }
    let layer = DecoderLayer {
        self_norm,
        attention,
        self_output,
        cross_norm,
        cross_query,
        cross_heads,
        cross_output,
        feed_norm,
        feed_up,
        feed_down,
        memory_keys,
        memory_values,
    };
    Ok((input, layer))
}

/// The table that looks tokens up and, transposed, makes the last product.
fn embedding<'a>(
    graph: &Graph<'a>,
    looked_up: &str,
    transposed: &str,
) -> Result<Embedding<'a>, LoadError> {
    let [row, scale, zero] = graph.inputs(looked_up, "DequantizeLinear")?;
    let [table, ids] = graph.inputs(row, "Gather")?;
    graph.same(ids, "input_ids")?;
    let [column, of_scale, of_zero] = graph.inputs(transposed, "DequantizeLinear")?;
    let [of_table] = graph.inputs(column, "Transpose")?;
    graph.same(of_table, table)?;
    graph.same(of_scale, scale)?;
    graph.same(of_zero, zero)?;
    let (shape, weights) = graph.bytes(table)?;
    let &[tokens @ 1..=MOST_TOKENS, width @ 1..=MOST_WIDTH] = shape.as_slice() else {
        return Err(graph.unexpected(table, "a matrix", format!("{shape:?}")));
    };
    let (scale, zero_point) = (graph.float(scale)?, graph.byte(zero)?);
    Ok(Embedding {
        weights,
        tokens,
        width,
        scale,
        zero_point,
    })
}
