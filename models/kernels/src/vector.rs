//! Rows of f32: norms, activations, softmax, and the quantization of activations.
//!
//! Bodies are plain loops that the compiler vectorises for each set of instructions
//! (`vectorized!`). Sums run over sixteen lanes, so that they vectorise too, and are as
//! accurate as pairwise sums at the lengths in use.

use crate::isa::{Rounding, vectorized};

/// Lanes that sums and extremes are kept in.
const LANES: usize = 16;

/// Adding 1.5 * 2^23 to a number of up to 22 bits rounds it to the nearest integer, ties to
/// even, and leaves that integer in the low bits of the sum. A cast would not do: it checks
/// each lane for what does not fit, one lane at a time.
const ROUNDER: f32 = 12_582_912.0;

/// e^x within two units in the last place for -87 <= x <= 88, clamped outside: Cody-Waite
/// reduction and the degree-5 polynomial of Cephes' `expf`.
#[inline(always)]
pub(crate) fn exp<R: Rounding>(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, the first exact in few bits, so that n * LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.336_54, 88.376_26);
    let rounded = R::multiply_add(x, LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = R::multiply_add(n, -LN2_HIGH, x);
    let r = R::multiply_add(n, -LN2_LOW, r);
    let p = R::multiply_add(1.987_569_1e-4, r, 1.398_2e-3);
    let p = R::multiply_add(p, r, 8.333_452e-3);
    let p = R::multiply_add(p, r, 4.166_579_6e-2);
    let p = R::multiply_add(p, r, 1.666_666_5e-1);
    let p = R::multiply_add(p, r, 0.5);
    let p = R::multiply_add(p * r, r, r) + 1.0;
    // 2^n by its exponent bits; n is within -126..=127 after the clamp, and the shift drops
    // all of the rounder's own bits.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// The error function within two units in the last place: N. Juffa's minimax polynomials, one
/// in x near zero, one for the exponent of the complement further out.
#[inline(always)]
fn erf<R: Rounding>(x: f32) -> f32 {
    let t = x.abs();
    let s = x * x;
    let far = R::multiply_add(-1.728_534_7e-5, t, 3.831_972e-4);
    let low = R::multiply_add(-3.883_964_4e-3, t, 2.425_462_2e-2);
    let far = R::multiply_add(far, s, low);
    let far = R::multiply_add(far, t, -1.067_778_8e-1);
    let far = R::multiply_add(far, t, -6.348_468_7e-1);
    let far = R::multiply_add(far, t, -1.287_175_1e-1);
    let far = R::multiply_add(far, t, -t);
    let far = (1.0 - exp::<R>(far)).copysign(x);
    let near = R::multiply_add(-5.967_617e-4, s, 4.991_194_2e-3);
    let near = R::multiply_add(near, s, -2.676_813_5e-2);
    let near = R::multiply_add(near, s, 1.128_199_2e-1);
    let near = R::multiply_add(near, s, -3.761_253_4e-1);
    let near = R::multiply_add(near, s, 1.283_791_7e-1);
    let near = R::multiply_add(near, x, x);
    if t > 0.927_734_4 { far } else { near }
}

/// x * Phi(x), the exact form of GELU (Hendrycks and Gimpel, 2016).
#[inline(always)]
pub(crate) fn gelu<R: Rounding>(x: f32) -> f32 {
    0.5 * (x * (1.0 + erf::<R>(x * std::f32::consts::FRAC_1_SQRT_2)))
}

/// x * sigmoid(x).
#[inline(always)]
fn silu<R: Rounding>(x: f32) -> f32 {
    x / (1.0 + exp::<R>(-x))
}

/// Hyperbolic tangent: Cephes' polynomial near zero, where the other form would lose digits.
#[inline(always)]
fn tanh<R: Rounding>(x: f32) -> f32 {
    let t = x.abs();
    let s = x * x;
    let near = R::multiply_add(-5.704_989e-3, s, 2.063_909e-2);
    let near = R::multiply_add(near, s, -5.373_971_6e-2);
    let near = R::multiply_add(near, s, 1.333_144_2e-1);
    let near = R::multiply_add(near, s, -3.333_328e-1);
    let near = R::multiply_add(near * s, x, x);
    let far = (1.0 - 2.0 / (exp::<R>(2.0 * t) + 1.0)).copysign(x);
    if t > 0.625 { far } else { near }
}

/// Sums `term(x)` over a row.
#[inline(always)]
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += term(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += term(x);
    }
    fold(lanes, |a, b| a + b)
}

/// Joins the lanes by halves: four steps that wait for one another, not sixteen.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
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

#[inline(always)]
fn layer_norm_body<R: Rounding>(input: &[f32], weight: &[f32], epsilon: f32, output: &mut [f32]) {
    let width = weight.len();
    for (row, out) in input
        .chunks_exact(width)
        .zip(output.chunks_exact_mut(width))
    {
        let mean = sum(row, |x| x) / width as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / width as f32;
        let deviation = (variance + epsilon).sqrt();
        for ((out, &x), &w) in out.iter_mut().zip(row).zip(weight) {
            *out = (x - mean) / deviation * w;
        }
    }
}

vectorized! {
    /// Layer normalisation (Ba, Kiros and Hinton, 2016) without a bias, over rows as wide as
    /// `weight`. `input` and `output`: `[rows, width]`.
    pub fn layer_norm(input: &[f32], weight: &[f32], epsilon: f32, output: &mut [f32])
        = layer_norm_body
}

#[inline(always)]
fn group_norm_body<R: Rounding>(values: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    // Summed row by row in f64: there may be a million values, and one f32 lane would drift.
    let width = weight.len();
    let count = values.len() as f64;
    let total: f64 = values
        .chunks_exact(width)
        .map(|row| f64::from(sum(row, |x| x)))
        .sum();
    let mean = (total / count) as f32;
    let squares: f64 = values
        .chunks_exact(width)
        .map(|row| f64::from(sum(row, |x| (x - mean) * (x - mean))))
        .sum();
    let inverse = 1.0 / ((squares / count) as f32 + epsilon).sqrt();
    for row in values.chunks_exact_mut(width) {
        for ((x, &w), &b) in row.iter_mut().zip(weight).zip(bias) {
            *x = R::multiply_add((*x - mean) * inverse, w, b);
        }
    }
}

vectorized! {
    /// Group normalisation (Wu and He, 2018) with one group, in place. `values`:
    /// `[frames, channels]`; `weight` and `bias`: `[channels]`.
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
    let inverse = 1.0 / fold(lanes, |a, b| a + b);
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
    greatest + sum(row, |x| exp::<R>(x - greatest)).ln()
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
