//! Each function, on each set of instructions that this CPU has, against f64.

use proptest::prelude::*;

use super::*;
use crate::Isa;

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
        (input, weight) in (1_usize..150, 1_usize..12).prop_flat_map(|(width, rows)| (
            prop::collection::vec(-20.0_f32..20.0, width * rows),
            prop::collection::vec(-2.0_f32..2.0, width),
        )),
        order in prop::sample::select(vec![MeanOrder::Lanes, MeanOrder::Sequential]),
    ) {
        let width = weight.len();
        for isa in Isa::available() {
            let mut output = vec![f32::NAN; input.len()];
            layer_norm(isa, &input, &weight, 1e-5, order, &mut output);
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
                let column = index / (values.len() / weight.len());
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
                let (x, gate) = (f64::from(x), f64::from(gate));
                let expected = gate / (1.0 + (-gate).exp()) * x;
                // The sigmoid is computed around one half.
                close(y, expected, 4e-7 * (gate * x).abs(), "swiglu");
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

/// A sum over lanes by its definition: joined by halves, then what fills no lanes.
fn lane_sum(values: &[f32], add: impl Fn(f32, f32) -> f32) -> f32 {
    let whole = values.len() / 8 * 8;
    let lane = |lane: usize| {
        (lane..whole)
            .step_by(8)
            .fold(0.0, |sum, k| add(sum, values[k]))
    };
    let half = |k: usize| lane(k) + lane(k + 4);
    let joined = (half(0) + half(2)) + (half(1) + half(3));
    values[whole..].iter().fold(joined, |sum, &x| add(sum, x))
}

#[test]
fn norms_equal_their_definition_to_the_bit() {
    for (rows, width) in [(1, 5), (3, 288), (9, 416), (20, 37)] {
        let values = crate::sample::floats(3, rows * width);
        let weight = crate::sample::floats(4, width);
        for order in [MeanOrder::Lanes, MeanOrder::Sequential] {
            let expected: Vec<f32> = values
                .chunks(width)
                .flat_map(|row| {
                    let total = match order {
                        MeanOrder::Lanes => lane_sum(row, |sum, x| sum + x),
                        MeanOrder::Sequential => row.iter().fold(0.0, |sum, x| sum + x),
                    };
                    let mean = total / width as f32;
                    let row: Vec<f32> = row.iter().map(|x| x - mean).collect();
                    let squares = lane_sum(&row, |sum, x| x.mul_add(x, sum));
                    let inverse = 1.0 / (squares / width as f32 + 1e-5).sqrt();
                    let pairs = row.into_iter().zip(weight.clone());
                    pairs.map(move |(x, w)| x * inverse * w)
                })
                .collect();
            for isa in Isa::available() {
                let mut output = vec![f32::NAN; values.len()];
                layer_norm(isa, &values, &weight, 1e-5, order, &mut output);
                assert_eq!(output, expected, "{}, {order:?}", isa.name());
            }
        }
        let bias = crate::sample::floats(5, width);
        // As many channels as the rows above are wide.
        let mean = lane_sum(&values, |sum, x| sum + x) / values.len() as f32;
        let squares = lane_sum(&values, |sum, x| sum + (x - mean) * (x - mean));
        let inverse = 1.0 / (squares / values.len() as f32 + 1e-5).sqrt();
        let shift = -(mean * inverse);
        let expected: Vec<f32> = values
            .iter()
            .enumerate()
            .map(|(index, x)| (x * inverse + shift) * weight[index / rows] + bias[index / rows])
            .collect();
        for isa in Isa::available() {
            let mut actual = values.clone();
            group_norm(isa, &mut actual, &weight, &bias, 1e-5);
            assert_eq!(actual, expected, "{}", isa.name());
        }
    }
}

#[test]
fn softmax_is_the_same_on_every_cpu() {
    for length in [1, 15, 16, 17, 415] {
        let values: Vec<f32> = crate::sample::floats(6, length)
            .iter()
            .map(|x| 9.0 * x)
            .collect();
        let outputs: Vec<Vec<f32>> = Isa::available()
            .into_iter()
            .map(|isa| {
                let mut output = values.clone();
                softmax(isa, &mut output);
                output
            })
            .collect();
        assert!(
            outputs.iter().all(|output| *output == outputs[0]),
            "{length}"
        );
    }
}
