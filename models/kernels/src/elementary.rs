//! Functions of one number, by polynomials.
//!
//! Each is defined down to its roundings: the same coefficients in the same order as ONNX
//! Runtime's kernels for the same function. A model that quantizes its activations to bytes
//! turns the last bit of a float into a whole byte's step, so functions that are merely as
//! accurate would give another transcript now and then.

use crate::isa::Rounding;

/// Adding 1.5 * 2^23 to a number of up to 22 bits rounds it to the nearest integer, ties to
/// even, and leaves that integer in the low bits of the sum. A cast would not do: it checks
/// each lane for what does not fit, one lane at a time.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// e^x within two units in the last place for -87 <= x <= 88, clamped outside: Cody-Waite
/// reduction and N. Juffa's polynomial of degree 6 in its refined form.
#[inline(always)]
pub(crate) fn exp<R: Rounding>(x: f32) -> f32 {
    exp_by::<R>(
        x,
        [
            1.378_059_4e-3,
            8.373_124_5e-3,
            4.166_953_6e-2,
            0.166_664_72,
            0.499_999_85,
        ],
    )
}

/// As [`exp`], by the polynomial's coefficients from degree 6 to 2; the last two are one.
#[inline(always)]
fn exp_by<R: Rounding>(x: f32, coefficients: [f32; 5]) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, the first exact in few bits, so that n * LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_145_75;
    const LN2_LOW: f32 = 1.428_606_8e-6;
    let x = x.clamp(-87.336_54, 88.376_26);
    let rounded = R::multiply_add(x, LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = R::multiply_add(n, -LN2_HIGH, x);
    let r = R::multiply_add(n, -LN2_LOW, r);
    let [first, others @ ..] = coefficients;
    let mut p = first;
    for coefficient in others {
        p = R::multiply_add(p, r, coefficient);
    }
    let p = R::multiply_add(p, r, 1.0);
    let p = R::multiply_add(p, r, 1.0);
    // 2^n by its exponent bits; n is within -126..=127 after the clamp, and the shift drops
    // all of the rounder's own bits.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// The error function within two units in the last place: N. Juffa's minimax polynomials, one
/// in x near zero, one for the exponent of the complement further out.
#[inline(always)]
pub(crate) fn erf<R: Rounding>(x: f32) -> f32 {
    // From here on it is one. What is not a number stays so.
    const GREATEST: f32 = 3.925;
    let t = x.abs();
    let t = if t > GREATEST { GREATEST } else { t };
    let s = t * t;
    let far = R::multiply_add(1.729_489_3e-5, t, -3.832_086_8e-4);
    let far = R::multiply_add(far, t, 3.883_934_3e-3);
    let far = R::multiply_add(far, t, -2.425_456e-2);
    let far = R::multiply_add(far, t, 0.106_777_85);
    let far = R::multiply_add(far, t, 0.634_846_7);
    let far = R::multiply_add(far, t, 0.128_717_51);
    let far = R::multiply_add(far, t, t);
    let far = 1.0
        - exp_by::<R>(
            -far,
            [
                1.383_198_1e-3,
                8.375_5e-3,
                4.166_895e-2,
                0.166_664_47,
                0.499_999_85,
            ],
        );
    let near = R::multiply_add(-5.991_049_7e-4, s, 4.993_396e-3);
    let near = R::multiply_add(near, s, -2.676_673_4e-2);
    let near = R::multiply_add(near, s, 0.112_818_025);
    let near = R::multiply_add(near, s, -0.376_124_86);
    let near = R::multiply_add(near, s, 0.128_379_15);
    let near = R::multiply_add(near, t, t);
    let magnitude = if t > 0.921_875 { far } else { near };
    magnitude.copysign(x)
}

/// x * Phi(x), the exact form of GELU (Hendrycks and Gimpel, 2016).
#[inline(always)]
pub(crate) fn gelu<R: Rounding>(x: f32) -> f32 {
    (0.5 * x) * (erf::<R>(x * std::f32::consts::FRAC_1_SQRT_2) + 1.0)
}

/// The logistic function by a rational minimax approximation, within 1e-7.
#[inline(always)]
fn sigmoid<R: Rounding>(x: f32) -> f32 {
    let x = x.clamp(-18.0, 18.0);
    let s = x * x;
    let p = R::multiply_add(s, 4.370_31e-11, 1.156_273_2e-7);
    let p = R::multiply_add(p, s, 6.085_749e-5);
    let p = R::multiply_add(p, s, 8.513_771e-3);
    let p = R::multiply_add(p, s, 0.248_287_95);
    let q = R::multiply_add(s, 6.102_473_7e-13, 5.761_021_4e-9);
    let q = R::multiply_add(q, s, 6.291_068e-6);
    let q = R::multiply_add(q, s, 1.701_988_2e-3);
    let q = R::multiply_add(q, s, 0.116_817_65);
    let q = R::multiply_add(q, s, 0.993_151_9);
    (p * x / q + 0.5).clamp(0.0, 1.0)
}

/// x * sigmoid(x).
#[inline(always)]
pub(crate) fn silu<R: Rounding>(x: f32) -> f32 {
    x * sigmoid::<R>(x)
}

/// Hyperbolic tangent by the rational approximation of Eigen, an odd polynomial of degree 13
/// over an even one of degree 6.
#[inline(always)]
pub(crate) fn tanh<R: Rounding>(x: f32) -> f32 {
    let x = x.clamp(-9.0, 9.0);
    let s = x * x;
    let p = R::multiply_add(s, -2.760_768_4e-16, 2.000_188e-13);
    let p = R::multiply_add(p, s, -8.604_672e-11);
    let p = R::multiply_add(p, s, 5.122_297_3e-8);
    let p = R::multiply_add(p, s, 1.485_722_35e-5);
    let p = R::multiply_add(p, s, 6.372_619_5e-4);
    let p = R::multiply_add(p, s, 4.893_524_6e-3);
    let q = R::multiply_add(s, 1.198_258_4e-6, 1.185_347_1e-4);
    let q = R::multiply_add(q, s, 2.268_434_7e-3);
    let q = R::multiply_add(q, s, 4.893_525e-3);
    p * x / q
}

/// Sine and cosine of an angle of up to some thousands of turns, within two units in the last
/// place of one: Cody-Waite reduction in four parts and Eigen's polynomials, each product and
/// each sum rounded.
pub(crate) fn sin_cos(angle: f32) -> (f32, f32) {
    const TWO_OVER_PI: f32 = 0.636_619_75;
    const HALF_PI: [f32; 4] = [
        -1.570_312_5,
        -4.839_897_2e-4,
        1.628_650_4e-7,
        5.564_431_6e-11,
    ];
    let positive = angle.abs();
    let rounded = positive * TWO_OVER_PI + ROUNDER;
    let quarter = rounded.to_bits();
    let turns = rounded - ROUNDER;
    let x = HALF_PI.iter().fold(positive, |x, part| turns * part + x);
    let s = x * x;
    let even = 2.437_226_6e-5 * s + -1.388_652e-3;
    let even = even * s + 4.166_662e-2;
    let even = even * s + -0.5;
    let even = even * s + 1.0;
    let odd = -1.959_234e-4 * s + 8.332_687e-3;
    let odd = odd * s + -0.166_666_63;
    let odd = odd * s * x + x;
    let (sine, cosine) = if quarter & 1 == 0 {
        (odd, even)
    } else {
        (even, odd)
    };
    // The second bit of the quarter turns the sine's sign, that of the next one the cosine's.
    let flipped = |x: f32, bits: u32| f32::from_bits(x.to_bits() ^ ((bits & 2) << 30));
    let sign = (angle.to_bits() >> 31) << 1;
    (
        flipped(sine, quarter ^ sign),
        flipped(cosine, quarter.wrapping_add(1)),
    )
}

#[cfg(test)]
mod tests;
