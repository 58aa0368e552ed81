//! Rows of f32: norms, activations, softmax, and the quantization of activations.
//!
//! Bodies are plain loops that the compiler vectorises for each set of instructions
//! (`vectorized!`). Sums run over lanes, so that they vectorise too. How many, and how they are
//! joined, is part of a function's definition: the same as in ONNX Runtime's kernels, so that
//! what a model quantizes afterwards is the same to the bit.

use crate::elementary::{ROUNDER, exp, silu, tanh};
use crate::isa::{Rounding, vectorized};

/// Lanes that extremes and the sums of softmax are kept in.
const LANES: usize = 16;

/// Lanes that the sums of norms are kept in.
const NORM_LANES: usize = 8;

/// Sums over a row: `add(sum, x)` in lanes, which are joined by halves, then one by one what
/// fills no lanes.
#[inline(always)]
fn sum<const N: usize>(row: &[f32], add: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; N];
    let (chunks, rest) = row.as_chunks::<N>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = add(*lane, x);
        }
    }
    let joined = fold(lanes, |a, b| a + b);
    rest.iter().fold(joined, |sum, &x| add(sum, x))
}

/// Joins the lanes by halves: few steps that wait for one another.
#[inline(always)]
fn fold<const N: usize>(mut lanes: [f32; N], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Joins the sixteen lanes of softmax, `lanes(i)`: halves once, then neighbours.
#[inline(always)]
pub(crate) fn join_lanes(lanes: impl Fn(usize) -> f32) -> f32 {
    let half = |lane: usize| lanes(lane + 8) + lanes(lane);
    let four = |lane: usize| (half(lane) + half(lane + 1)) + (half(lane + 2) + half(lane + 3));
    four(0) + four(4)
}

#[inline(always)]
fn extremes(values: &[f32]) -> (f32, f32) {
    let mut low = [f32::INFINITY; LANES];
    let mut high = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            low[lane] = if chunk[lane] < low[lane] {
                chunk[lane]
            } else {
                low[lane]
            };
            high[lane] = if chunk[lane] > high[lane] {
                chunk[lane]
            } else {
                high[lane]
            };
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        low[lane] = low[lane].min(x);
        high[lane] = high[lane].max(x);
    }
    // No lane is ever something that is not a number.
    (
        fold(low, |a, b| if a < b { a } else { b }),
        fold(high, |a, b| if a > b { a } else { b }),
    )
}

#[inline(always)]
fn extremes_body<R: Rounding>(values: &[f32]) -> (f32, f32) {
    extremes(values)
}

vectorized! {
    /// The least and the greatest of `values`; infinities the wrong way round when empty.
    pub fn minimum_maximum(values: &[f32]) -> (f32, f32) = extremes_body
}

/// The order in which [`layer_norm`] sums a row for its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum MeanOrder {
    /// In eight lanes.
    #[default]
    Lanes,
    /// One after the other: what comes of a sum over channels where frames lie side by side, as
    /// convolutions leave them.
    Sequential,
}

/// Rows whose sequential sums run side by side, so that none waits for its own.
const ROWS_ABREAST: usize = 8;

/// `input` less the mean of each row, into `output`.
#[inline(always)]
fn centre(input: &[f32], width: usize, order: MeanOrder, output: &mut [f32]) {
    let block = match order {
        MeanOrder::Lanes => width,
        MeanOrder::Sequential => ROWS_ABREAST * width,
    };
    for (rows, out) in input.chunks(block).zip(output.chunks_mut(block)) {
        let mut means = [0.0; ROWS_ABREAST];
        match order {
            MeanOrder::Lanes => means[0] = sum::<NORM_LANES>(rows, |sum, x| sum + x),
            MeanOrder::Sequential => {
                for column in 0..width {
                    for (mean, row) in means.iter_mut().zip(rows.chunks_exact(width)) {
                        *mean += row[column];
                    }
                }
            }
        }
        let rows = rows.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for (total, (row, out)) in means.iter().zip(rows) {
            let mean = total / width as f32;
            for (out, x) in out.iter_mut().zip(row) {
                *out = x - mean;
            }
        }
    }
}

#[inline(always)]
fn layer_norm_body<R: Rounding>(
    input: &[f32],
    weight: &[f32],
    epsilon: f32,
    order: MeanOrder,
    output: &mut [f32],
) {
    let width = weight.len();
    centre(input, width, order, output);
    for row in output.chunks_exact_mut(width) {
        let squares = sum::<NORM_LANES>(row, |sum, x| R::multiply_add(x, x, sum));
        let inverse = 1.0 / (squares / width as f32 + epsilon).sqrt();
        for (x, &w) in row.iter_mut().zip(weight) {
            *x = *x * inverse * w;
        }
    }
}

vectorized! {
    /// Layer normalisation (Ba, Kiros and Hinton, 2016) without a bias, over rows as wide as
    /// `weight`. `input` and `output`: `[rows, width]`.
    pub fn layer_norm(
        input: &[f32],
        weight: &[f32],
        epsilon: f32,
        order: MeanOrder,
        output: &mut [f32],
    ) = layer_norm_body
}

#[inline(always)]
fn group_norm_body<R: Rounding>(values: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let count = values.len() as f32;
    let mean = sum::<NORM_LANES>(values, |sum, x| sum + x) / count;
    let squares = sum::<NORM_LANES>(values, |sum, x| sum + (x - mean) * (x - mean));
    let inverse = 1.0 / (squares / count + epsilon).sqrt();
    let shift = 0.0 - mean * inverse;
    let frames = values.len() / weight.len();
    let channels = values.chunks_exact_mut(frames.max(1));
    for ((channel, &w), &b) in channels.zip(weight).zip(bias) {
        for x in channel {
            *x = (*x * inverse + shift) * w + b;
        }
    }
}

vectorized! {
    /// Group normalisation (Wu and He, 2018) with one group, in place. `values`:
    /// `[channels, frames]`; `weight` and `bias`: `[channels]`.
    pub fn group_norm(values: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32)
        = group_norm_body
}

#[inline(always)]
fn tanh_body<R: Rounding>(values: &mut [f32]) {
    for x in values {
        *x = tanh::<R>(*x);
    }
}

vectorized! {
    /// Hyperbolic tangent of each value.
    pub fn tanh_in_place(values: &mut [f32]) = tanh_body
}

#[inline(always)]
fn swiglu_body<R: Rounding>(input: &[f32], output: &mut [f32]) {
    let (values, gates) = input.split_at(output.len());
    for ((out, &x), &gate) in output.iter_mut().zip(values).zip(gates) {
        *out = silu::<R>(gate) * x;
    }
}

vectorized! {
    /// SwiGLU (Shazeer, 2020) of one row: the first half of `input` times the sigmoid linear
    /// unit of its second half.
    pub fn swiglu(input: &[f32], output: &mut [f32]) = swiglu_body
}

#[inline(always)]
fn softmax_body<R: Rounding>(row: &mut [f32]) {
    let (_, greatest) = extremes(row);
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = exp::<R>(*x - greatest);
            *lane += *x;
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *x = exp::<R>(*x - greatest);
        *lane += *x;
    }
    let inverse = 1.0 / join_lanes(|lane| lanes[lane]);
    for x in row.iter_mut() {
        *x *= inverse;
    }
}

vectorized! {
    /// Softmax of one row, in place.
    pub fn softmax(row: &mut [f32]) = softmax_body
}

#[inline(always)]
fn log_sum_exp_body<R: Rounding>(row: &[f32]) -> f32 {
    let (_, greatest) = extremes(row);
    greatest + sum::<LANES>(row, |sum, x| sum + exp::<R>(x - greatest)).ln()
}

vectorized! {
    /// The natural logarithm of the sum of e^x over a row that is not empty.
    pub fn log_sum_exp(row: &[f32]) -> f32 = log_sum_exp_body
}

/// The index of the greatest value, the first of equals as ONNX's and numpy's argmax; `None`
/// when the row is empty or all of it is not a number.
pub fn argmax(isa: crate::Isa, row: &[f32]) -> Option<usize> {
    let (_, greatest) = minimum_maximum(isa, row);
    row.iter().position(|&x| x == greatest)
}

#[inline(always)]
fn add_assign_body<R: Rounding>(sums: &mut [f32], terms: &[f32]) {
    for (sum, &term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}

vectorized! {
    /// Adds `terms` to `sums`, one by one.
    pub fn add_assign(sums: &mut [f32], terms: &[f32]) = add_assign_body
}

#[inline(always)]
fn quantize_bytes_body<R: Rounding>(
    values: &[f32],
    scale: f32,
    zero_point: f32,
    output: &mut [i8],
) {
    for (out, &x) in output.iter_mut().zip(values) {
        // Rounded to even before the zero point is added and the range cut, as ONNX's
        // QuantizeLinear does; then moved from 0..=255 to -128..=127.
        let rounded = (x / scale).round_ties_even() + zero_point;
        // What is not a number becomes zero here: the first comparison is false.
        let cut = if rounded > 0.0 { rounded } else { 0.0 };
        let cut = if cut < 255.0 { cut } else { 255.0 };
        *out = ((cut + ROUNDER).to_bits() as u8).wrapping_sub(128) as i8;
    }
}

vectorized! {
    /// ONNX's `QuantizeLinear` to 0..=255, less 128.
    pub(crate) fn quantize_bytes(values: &[f32], scale: f32, zero_point: f32, output: &mut [i8])
        = quantize_bytes_body
}

/// Steps of the greatest value in three planes: what still rounds by [`ROUNDER`], which holds
/// up to 2^22, and whose high byte fits with what the lower ones carry into it.
pub(crate) const WIDE_STEPS: f32 = 4_161_536.0;

#[inline(always)]
fn quantize_wide_body<R: Rounding>(
    values: &[f32],
    inverse_scale: f32,
    high: &mut [i8],
    middle: &mut [i8],
    low: &mut [i8],
) {
    let planes = high.iter_mut().zip(middle.iter_mut()).zip(low.iter_mut());
    for (((high, middle), low), &x) in planes.zip(values) {
        // Zero times an infinite inverse is not a number, and is zero.
        let scaled = x * inverse_scale;
        let scaled = if scaled.is_nan() { 0.0 } else { scaled };
        let rounded = scaled.clamp(-WIDE_STEPS, WIDE_STEPS) + ROUNDER;
        let whole = rounded.to_bits() as i32 - ROUNDER.to_bits() as i32;
        // The lower parts balanced around zero, so that each fits a signed byte.
        let low_part = (whole << 24) >> 24;
        let rest = (whole - low_part) >> 8;
        let middle_part = (rest << 24) >> 24;
        *low = low_part as i8;
        *middle = middle_part as i8;
        *high = ((rest - middle_part) >> 8) as i8;
    }
}

vectorized! {
    /// Values as `65536 * high + 256 * middle + low` of a symmetric scale.
    pub(crate) fn quantize_wide(
        values: &[f32],
        inverse_scale: f32,
        high: &mut [i8],
        middle: &mut [i8],
        low: &mut [i8],
    ) = quantize_wide_body
}

#[inline(always)]
fn sum_bytes_body<R: Rounding>(values: &[i8]) -> i32 {
    values.iter().map(|&x| i32::from(x)).sum()
}

vectorized! {
    /// The sum of signed bytes.
    pub(crate) fn sum_bytes(values: &[i8]) -> i32 = sum_bytes_body
}

#[cfg(test)]
mod tests;
