//! A model's parts wired into tract graphs and made ready to run.

use std::sync::Arc;

use earnest_kernels::{Activation, Heads, Layout, Rotary};
use tract_onnx::tract_core::internal::*;

use super::causal::{AttendNext, Causal};
use super::parts::{Decoder, DecoderLayer, Encoder, EncoderLayer};
use super::stage::{Context, Fused};
use super::stages::{
    AttendCross, AttendWhole, Before, Convolve, Embed, Frontend, Logits, Memory, NormOnly, Project,
    pack_embedding,
};

/// A graph ready to run.
pub(super) type Plan = Arc<TypedSimplePlan>;

/// The encoder: sound, `[1, samples]`, to frames, `[1, frames, width]`.
pub(super) fn encoder(context: &Arc<Context>, parts: &Encoder<'_>) -> TractResult<Plan> {
    let mut model = TypedModel::default();
    let samples = model.symbols.sym("samples");
    let sound = model.add_source("sound", f32::fact([1.to_dim(), samples.to_dim()]))?;
    let stem = &parts.stem;
    let frontend = Fused::new(Frontend::new(context, stem)?);
    let mut rows = one(model.wire_node("frontend", frontend, &[sound])?);
    let others = [
        ("second", &stem.second, Layout::ByChannel),
        ("third", &stem.third, Layout::ByFrame),
    ];
    for (name, convolution, layout) in others {
        let convolve = Fused::new(Convolve::new(context, convolution, layout)?);
        rows = one(model.wire_node(format!("stem.{name}"), convolve, &[rows])?);
    }
    for (index, layer) in parts.layers.iter().enumerate() {
        rows = encoder_layer(&mut model, context, index, layer, rows)?;
    }
    let norm = NormOnly {
        context: Arc::clone(context),
        norm: parts.norm.clone(),
    };
    let rows = model.wire_node("norm", Fused::new(norm), &[rows])?;
    ready(model, &rows)
}

fn encoder_layer(
    model: &mut TypedModel,
    context: &Arc<Context>,
    index: usize,
    layer: &EncoderLayer<'_>,
    rows: OutletId,
) -> TractResult<OutletId> {
    let name = |part: &str| format!("layer.{index}.{part}");
    let attention = &layer.attention;
    let norm = layer.attention_norm.clone();
    let before = match index {
        0 => Before::FirstNorm(norm),
        _ => Before::Norm(norm),
    };
    let products = [&attention.query, &attention.key, &attention.value];
    let project = Project::new(context, before, &products, Activation::None)?;
    let queries = model.wire_node(name("queries"), Fused::new(project), &[rows])?;
    let attend = AttendWhole {
        context: Arc::clone(context),
        heads: attention.heads,
        rotary: Rotary {
            frequencies: attention.frequencies.clone(),
        },
    };
    let attended = model.wire_node(name("attention"), Fused::new(attend), &queries)?;
    let output = &[&layer.attention_output];
    let project = Project::new(context, Before::Nothing, output, Activation::None)?;
    let rows = one(model.wire_node(
        name("attended"),
        Fused::new(project),
        &[one(attended), rows],
    )?);
    let before = Before::Norm(layer.feed_norm.clone());
    let up = Project::new(context, before, &[&layer.feed_up], Activation::Gelu)?;
    let wide = model.wire_node(name("up"), Fused::new(up), &[rows])?;
    let down = Project::new(
        context,
        Before::Nothing,
        &[&layer.feed_down],
        Activation::None,
    )?;
    Ok(one(model.wire_node(
        name("down"),
        Fused::new(down),
        &[one(wide), rows],
    )?))
}

/// What the decoder keeps of a segment: frames, `[1, frames, width]`, to the keys and values
/// of each layer.
pub(super) fn memory(context: &Arc<Context>, parts: &Decoder<'_>) -> TractResult<Plan> {
    let mut model = TypedModel::default();
    let frames = model.symbols.sym("frames");
    let width = parts.embedding.width;
    let rows = [1.to_dim(), frames.to_dim(), width.to_dim()];
    let rows = model.add_source("frames", f32::fact(rows))?;
    let layers: Vec<_> = parts
        .layers
        .iter()
        .map(|layer| (&layer.memory_keys, &layer.memory_values))
        .collect();
    let memory = Memory::new(context, cross_heads(parts)?, &layers)?;
    let outputs = model.wire_node("memory", Fused::new(memory), &[rows])?;
    ready(model, &outputs)
}

/// One step of the decoder: a token, `[1, 1]`, and the memory of the segment, to the logits
/// of the next token, `[1, 1, tokens]`, and each layer's attention, `[heads, frames]`.
pub(super) fn step(context: &Arc<Context>, parts: &Decoder<'_>) -> TractResult<Plan> {
    let mut model = TypedModel::default();
    let (keys, values) = (model.symbols.sym("keys"), model.symbols.sym("values"));
    let token = model.add_source("token", i64::fact([1, 1]))?;
    let mut memories = vec![];
    for index in 0..parts.layers.len() {
        let keys = model.add_source(format!("keys.{index}"), f32::fact([keys.to_dim()]))?;
        let values = model.add_source(format!("values.{index}"), f32::fact([values.to_dim()]))?;
        memories.push([keys, values]);
    }
    let table = pack_embedding(context, &parts.embedding)?;
    let embed = Embed {
        table: Arc::clone(&table),
    };
    let mut rows = one(model.wire_node("embedding", Fused::new(embed), &[token])?);
    let mut outputs = vec![];
    for (index, (layer, memory)) in parts.layers.iter().zip(memories).enumerate() {
        let (next, weights) = decoder_layer(&mut model, context, index, layer, rows, memory)?;
        rows = next;
        outputs.push(weights);
    }
    let logits = Logits {
        context: Arc::clone(context),
        norm: parts.norm.clone(),
        table,
    };
    outputs.insert(
        0,
        one(model.wire_node("logits", Fused::new(logits), &[rows])?),
    );
    ready(model, &outputs)
}

fn decoder_layer(
    model: &mut TypedModel,
    context: &Arc<Context>,
    index: usize,
    layer: &DecoderLayer<'_>,
    rows: OutletId,
    [keys, values]: [OutletId; 2],
) -> TractResult<(OutletId, OutletId)> {
    let name = |part: &str| format!("layer.{index}.{part}");
    let attention = &layer.attention;
    let before = Before::Norm(layer.self_norm.clone());
    let products = [&attention.query, &attention.key, &attention.value];
    let project = Project::new(context, before, &products, Activation::None)?;
    let queries = model.wire_node(name("queries"), Fused::new(project), &[rows])?;
    let causal = Causal {
        context: Arc::clone(context),
        heads: attention.heads,
        rotary: Rotary {
            frequencies: attention.frequencies.clone(),
        },
    };
    let attended = model.wire_node(name("attention"), AttendNext(Arc::new(causal)), &queries)?;
    let output = [&layer.self_output];
    let project = Project::new(context, Before::Nothing, &output, Activation::None)?;
    let rows = one(model.wire_node(
        name("attended"),
        Fused::new(project),
        &[one(attended), rows],
    )?);

    let before = Before::Norm(layer.cross_norm.clone());
    let project = Project::new(context, before, &[&layer.cross_query], Activation::None)?;
    let query = one(model.wire_node(name("cross.query"), Fused::new(project), &[rows])?);
    let cross = AttendCross {
        context: Arc::clone(context),
        heads: layer.cross_heads,
    };
    let crossed = model.wire_node(name("cross"), Fused::new(cross), &[query, keys, values])?;
    let output = [&layer.cross_output];
    let project = Project::new(context, Before::Nothing, &output, Activation::None)?;
    let rows = one(model.wire_node(name("crossed"), Fused::new(project), &[crossed[0], rows])?);

    let before = Before::Norm(layer.feed_norm.clone());
    let up = Project::new(context, before, &[&layer.feed_up], Activation::None)?;
    let wide = one(model.wire_node(name("up"), Fused::new(up), &[rows])?);
    let down = Project::new(
        context,
        Before::SwiGlu,
        &[&layer.feed_down],
        Activation::None,
    )?;
    let rows = one(model.wire_node(name("down"), Fused::new(down), &[wide, rows])?);
    Ok((rows, crossed[1]))
}

/// The heads of the attention to the segment, the same in every layer.
pub(super) fn cross_heads(parts: &Decoder<'_>) -> TractResult<Heads> {
    let heads = parts.layers.first().map(|layer| layer.cross_heads);
    let heads = heads.with_context(|| "a decoder without layers")?;
    ensure!(
        parts.layers.iter().all(|layer| layer.cross_heads == heads),
        "layers differ in heads"
    );
    Ok(heads)
}

/// The one output of a node.
fn one(outlets: TVec<OutletId>) -> OutletId {
    outlets[0]
}

fn ready(mut model: TypedModel, outputs: &[OutletId]) -> TractResult<Plan> {
    model.select_output_outlets(outputs)?;
    model.into_optimized()?.into_runnable()
}
