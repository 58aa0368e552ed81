//! Each function, on each set of instructions that this CPU has, against f64.

use proptest::prelude::*;

use super::*;
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
fn tanh_is_within_three_units() {
    check_error("tanh", (-12.0, 12.0), tanh_in_place, f64::tanh, 3.0);
}

#[test]
fn silu_is_within_four_units() {
    check_error(
        "silu",
        (-80.0, 80.0),
        silu_in_place,
        |x| x / (1.0 + (-x).exp()),
        4.0,
    );
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

/// Rows whose lengths are not multiples of the vectors' too.
fn row(low: f32, high: f32) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(low..high, 1..200)
}

fn close(actual: f32, expected: f64, bound: f64, context: &str) {
    let error = (f64::from(actual) - expected).abs();
    assert!(
        error <= bound,
        "{context}: {actual} is not {expected} within {bound}"
    );
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (
        mean,
        values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::tiles::CASES))]

    #[test]
    fn softmax_and_log_sum_exp_agree_with_f64(values in row(-30.0, 30.0)) {
        let exact = wide(&values);
        let total: f64 = exact.iter().map(|x| x.exp()).sum();
        for isa in Isa::available() {
            let log = log_sum_exp(isa, &values);
            close(log, total.ln(), 4e-6 * (1.0 + total.ln().abs()), "log_sum_exp");
            let mut actual = values.clone();
            softmax(isa, &mut actual);
            for (&y, x) in actual.iter().zip(&exact) {
                // A difference of up to 60 is rounded before it is raised.
                let expected = x.exp() / total;
                close(y, expected, 6e-6 * expected + 1e-37, "softmax");
            }
        }
    }

    #[test]
    fn softmax_of_huge_scores_does_not_overflow(values in row(-3e38, 3e38)) {
        for isa in Isa::available() {
            let mut actual = values.clone();
            softmax(isa, &mut actual);
            let total: f32 = actual.iter().sum();
            prop_assert!((total - 1.0).abs() < 1e-5, "{} sums to {total}", isa.name());
        }
    }

    #[test]
    fn layer_norm_agrees_with_f64(
        (input, weight) in (1_usize..150, 1_usize..4).prop_flat_map(|(width, rows)| (
            prop::collection::vec(-20.0_f32..20.0, width * rows),
            prop::collection::vec(-2.0_f32..2.0, width),
        )),
    ) {
        let width = weight.len();
        for isa in Isa::available() {
            let mut output = vec![f32::NAN; input.len()];
            layer_norm(isa, &input, &weight, 1e-5, &mut output);
            for (row, out) in input.chunks(width).zip(output.chunks(width)) {
                let exact = wide(row);
                let (mean, variance) = moments(&exact);
                let deviation = (variance + 1e-5).sqrt();
                for ((&y, x), &w) in out.iter().zip(exact).zip(&weight) {
                    let expected = (x - mean) / deviation * f64::from(w);
                    // The mean is of numbers up to 20, each rounded.
                    let bound = 2e-5 / deviation + 4e-6 * expected.abs();
                    close(y, expected, bound, "layer_norm");
                }
            }
        }
    }

    #[test]
    fn group_norm_agrees_with_f64(
        (values, weight, bias) in (1_usize..70, 1_usize..6).prop_flat_map(|(width, rows)| (
            prop::collection::vec(-20.0_f32..20.0, width * rows),
            prop::collection::vec(-2.0_f32..2.0, width),
            prop::collection::vec(-2.0_f32..2.0, width),
        )),
    ) {
        let (mean, variance) = moments(&wide(&values));
        let deviation = (variance + 1e-5).sqrt();
        for isa in Isa::available() {
            let mut actual = values.clone();
            group_norm(isa, &mut actual, &weight, &bias, 1e-5);
            for (index, (&y, &x)) in actual.iter().zip(&values).enumerate() {
                let column = index % weight.len();
                let scaled = (f64::from(x) - mean) / deviation * f64::from(weight[column]);
                let expected = scaled + f64::from(bias[column]);
                let bound = 2e-5 / deviation + 4e-6 * (scaled.abs() + 2.0);
                close(y, expected, bound, "group_norm");
            }
        }
    }

    #[test]
    fn swiglu_agrees_with_f64(halves in prop::collection::vec((-20.0_f32..20.0, -20.0_f32..20.0), 1..100)) {
        let (values, gates): (Vec<f32>, Vec<f32>) = halves.iter().copied().unzip();
        let input = [values, gates].concat();
        for isa in Isa::available() {
            let mut output = vec![f32::NAN; halves.len()];
            swiglu(isa, &input, &mut output);
            for (&y, &(x, gate)) in output.iter().zip(&halves) {
                let gate = f64::from(gate);
                let expected = gate / (1.0 + (-gate).exp()) * f64::from(x);
                close(y, expected, 6e-7 * expected.abs() + 1e-37, "swiglu");
            }
        }
    }

    #[test]
    fn extremes_argmax_sums_and_additions_are_exact(
        values in row(-1e6, 1e6),
        bytes in prop::collection::vec(any::<i8>(), 0..300),
    ) {
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let terms: Vec<f32> = values.iter().map(|x| 0.5 - x).collect();
        for isa in Isa::available() {
            prop_assert_eq!(minimum_maximum(isa, &values), (least, greatest));
            let first = values.iter().position(|&x| x == greatest);
            prop_assert_eq!(argmax(isa, &values), first);
            let sum: i32 = bytes.iter().map(|&x| i32::from(x)).sum();
            prop_assert_eq!(sum_bytes(isa, &bytes), sum);
            let mut sums = values.clone();
            add_assign(isa, &mut sums, &terms);
            let expected: Vec<f32> = values.iter().zip(&terms).map(|(a, b)| a + b).collect();
            prop_assert_eq!(sums, expected);
        }
    }
}

#[test]
fn argmax_takes_the_first_of_equals_and_no_row_without_a_number() {
    for isa in Isa::available() {
        assert_eq!(argmax(isa, &[1.0, 7.0, 3.0, 7.0]), Some(1));
        assert_eq!(argmax(isa, &[]), None);
        assert_eq!(argmax(isa, &[f32::NAN; 40]), None);
        let mut row = [f32::NAN; 40];
        row[17] = -5.0;
        assert_eq!(argmax(isa, &row), Some(17));
    }
}
