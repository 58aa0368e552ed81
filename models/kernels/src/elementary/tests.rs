//! Each function, on each set of instructions that this CPU has, against f64.

use super::*;
use crate::isa::vectorized;
use crate::{Isa, sample};

#[inline(always)]
fn exp_body<R: Rounding>(values: &mut [f32]) {
    for x in values {
        *x = exp::<R>(*x);
    }
}

vectorized! {
    fn exp_in_place(values: &mut [f32]) = exp_body
}

#[inline(always)]
fn erf_body<R: Rounding>(values: &mut [f32]) {
    for x in values {
        *x = erf::<R>(*x);
    }
}

vectorized! {
    fn erf_in_place(values: &mut [f32]) = erf_body
}

#[inline(always)]
fn gelu_body<R: Rounding>(values: &mut [f32]) {
    for x in values {
        *x = gelu::<R>(*x);
    }
}

vectorized! {
    fn gelu_in_place(values: &mut [f32]) = gelu_body
}

#[inline(always)]
fn silu_body<R: Rounding>(values: &mut [f32]) {
    for x in values {
        *x = silu::<R>(*x);
    }
}

vectorized! {
    fn silu_in_place(values: &mut [f32]) = silu_body
}

#[inline(always)]
fn tanh_body<R: Rounding>(values: &mut [f32]) {
    for x in values {
        *x = tanh::<R>(*x);
    }
}

vectorized! {
    fn tanh_in_place(values: &mut [f32]) = tanh_body
}

/// What one unit in the last place of the f32 nearest to `x` is worth.
fn unit(x: f64) -> f64 {
    let exponent = if x == 0.0 {
        -126
    } else {
        x.abs().log2().floor() as i32
    };
    f64::from(exponent.max(-126) - 23).exp2()
}

/// Evenly spaced numbers from `low` to `high`, and those around each power of two in between.
fn dense(low: f32, high: f32) -> Vec<f32> {
    const STEPS: usize = if cfg!(target_arch = "aarch64") {
        40_000
    } else {
        400_000
    };
    let even = (0..=STEPS).map(|i| low + (high - low) * (i as f32 / STEPS as f32));
    let powers = (-140..8)
        .map(|exponent| (exponent as f32).exp2())
        .flat_map(|x| [x, x.next_up(), x.next_down(), 1.37 * x])
        .flat_map(|x| [x, -x])
        .filter(|x| (low..=high).contains(x));
    even.chain(powers).collect()
}

/// The greatest error over `low..=high`, in units in the last place.
fn greatest_error(
    isa: Isa,
    low: f32,
    high: f32,
    function: impl Fn(Isa, &mut [f32]),
    reference: impl Fn(f64) -> f64,
) -> f64 {
    let inputs = dense(low, high);
    let mut outputs = inputs.clone();
    function(isa, &mut outputs);
    inputs
        .iter()
        .zip(&outputs)
        .map(|(&x, &y)| {
            let expected = reference(f64::from(x));
            assert!(y.is_finite(), "{}: f({x}) = {y}", isa.name());
            (f64::from(y) - expected).abs() / unit(expected)
        })
        .fold(0.0, f64::max)
}

fn check_error(
    name: &str,
    (low, high): (f32, f32),
    function: impl Fn(Isa, &mut [f32]),
    reference: impl Fn(f64) -> f64,
    bound: f64,
) {
    for isa in Isa::available() {
        let error = greatest_error(isa, low, high, &function, &reference);
        assert!(
            error <= bound,
            "{name}, {}: {error} units, not {bound}",
            isa.name()
        );
    }
}

#[test]
fn exp_is_within_two_units() {
    check_error("exp", (-87.3, 88.3), exp_in_place, f64::exp, 2.0);
}

#[test]
fn erf_is_within_two_units() {
    check_error("erf", (-6.0, 6.0), erf_in_place, sample::erf, 2.0);
}

#[test]
fn tanh_is_within_six_units() {
    for isa in Isa::available() {
        let inputs = dense(-12.0, 12.0);
        let mut outputs = inputs.clone();
        tanh_in_place(isa, &mut outputs);
        for (&x, &y) in inputs.iter().zip(&outputs) {
            let expected = f64::from(x).tanh();
            let error = (f64::from(y) - expected).abs();
            // The least numbers lose digits, as their products with the coefficients are
            // subnormal.
            let bound = 6.0 * unit(expected) + 256.0 * unit(0.0);
            assert!(error <= bound, "{}: tanh({x:e}) = {y:e}", isa.name());
        }
    }
}

#[test]
fn silu_is_within_rounding_of_its_sigmoid() {
    for isa in Isa::available() {
        let inputs = dense(-80.0, 80.0);
        let mut outputs = inputs.clone();
        silu_in_place(isa, &mut outputs);
        for (&x, &y) in inputs.iter().zip(&outputs) {
            let expected = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(y) - expected).abs();
            // The sigmoid is computed around one half, as in ONNX Runtime.
            let bound = f64::from(x.abs()) * 2.0 * f64::from(f32::EPSILON) + unit(0.0);
            assert!(error <= bound, "{}: silu({x}) = {y}", isa.name());
        }
    }
}

#[test]
fn gelu_is_within_two_units_above_zero_and_within_rounding_of_its_factors_below() {
    let reference = |x: f64| 0.5 * x * (1.0 + sample::erf(x * std::f64::consts::FRAC_1_SQRT_2));
    for isa in Isa::available() {
        let above = greatest_error(isa, 0.0, 20.0, gelu_in_place, reference);
        assert!(above <= 2.0, "{}: {above}", isa.name());
        let inputs = dense(-20.0, 0.0);
        let mut outputs = inputs.clone();
        gelu_in_place(isa, &mut outputs);
        for (&x, &y) in inputs.iter().zip(&outputs) {
            // `1 + erf` loses digits where erf is near -1, as in ONNX Runtime.
            let error = (f64::from(y) - reference(f64::from(x))).abs();
            let bound = f64::from(x.abs()) * f64::from(f32::EPSILON) + unit(0.0);
            assert!(error <= bound, "{}: gelu({x}) = {y}", isa.name());
        }
    }
}

#[test]
fn functions_hold_past_their_ranges() {
    for isa in Isa::available() {
        let mut values = [-1000.0, f32::NEG_INFINITY, 1000.0, f32::INFINITY, f32::NAN];
        exp_in_place(isa, &mut values);
        assert!(
            values[..2].iter().all(|&x| (0.0..2e-38).contains(&x)),
            "{values:?}"
        );
        assert!(
            values[2..4].iter().all(|&x| x > 2e38 && x.is_finite()),
            "{values:?}"
        );
        assert!(values[4].is_nan());
        let mut values = [-1000.0, f32::NEG_INFINITY, 1000.0, f32::INFINITY, f32::NAN];
        tanh_in_place(isa, &mut values);
        assert_eq!(values[..4], [-1.0, -1.0, 1.0, 1.0]);
        assert!(values[4].is_nan());
    }
}

#[test]
fn sine_and_cosine_are_within_two_units_of_one_for_a_segments_angles() {
    for step in 0..2_000_000 {
        let angle = step as f32 * 1e-3;
        let (sine, cosine) = sin_cos(angle);
        let (expected_sine, expected_cosine) = f64::from(angle).sin_cos();
        for (actual, expected) in [(sine, expected_sine), (cosine, expected_cosine)] {
            let error = (f64::from(actual) - expected).abs();
            assert!(
                error <= f64::from(f32::EPSILON),
                "{angle}: {actual}, {expected}"
            );
        }
        assert_eq!(sin_cos(-angle), (-sine, cosine));
    }
}

/// The same bits on every CPU and with every kernel: these digests were taken once, on x86-64.
#[test]
fn functions_give_the_same_bits_on_every_cpu() {
    let inputs: Vec<f32> = sample::floats(11, 50_000)
        .into_iter()
        .map(|x| 30.0 * x * x * x)
        .collect();
    for isa in Isa::available() {
        let digest = |function: fn(Isa, &mut [f32])| {
            let mut values = inputs.clone();
            function(isa, &mut values);
            sample::digest(&values)
        };
        let functions = [exp_in_place, gelu_in_place, silu_in_place, tanh_in_place];
        let digests = functions.map(digest);
        assert_eq!(digests, DIGESTS, "{}: {digests:#018x?}", isa.name());
    }
}

/// Of the exponential, GELU, SiLU and the hyperbolic tangent.
const DIGESTS: [u64; 4] = [
    0xed1b_0cfc_398e_fc22,
    0x4c67_37b7_9036_afcf,
    0xb7c8_cf45_e06b_5383,
    0xec92_af6b_89ed_3933,
];
