//! Quantization against a literal transcription of ONNX's operators.

use proptest::prelude::*;

use super::*;
use crate::tiles::CASES;

/// `DynamicQuantizeLinear` (ONNX operators, opset 11) as its text has it, in f32; a scale of
/// zero becomes one, as in ONNX Runtime. Returns the scale, the zero point and the bytes.
fn dynamic_quantize_linear(x: &[f32]) -> (f32, u8, Vec<u8>) {
    let (q_min, q_max) = (0.0_f32, 255.0_f32);
    let maximum = x.iter().copied().fold(0.0_f32, f32::max);
    let minimum = x.iter().copied().fold(0.0_f32, f32::min);
    let y_scale = if maximum == minimum {
        1.0
    } else {
        (maximum - minimum) / (q_max - q_min)
    };
    let saturate = |value: f32| value.max(q_min).min(q_max);
    let intermediate_zero_point = q_min - minimum / y_scale;
    let y_zero_point = saturate(intermediate_zero_point).round_ties_even() as u8;
    let y = x
        .iter()
        .map(|x| saturate((x / y_scale).round_ties_even() + f32::from(y_zero_point)) as u8)
        .collect();
    (y_scale, y_zero_point, y)
}

fn check(values: &[f32], depth: usize) {
    let (scale, zero_point, bytes) = dynamic_quantize_linear(values);
    for isa in Isa::available() {
        let mut activations = Activations::default();
        activations.quantize(isa, values, depth);
        assert_eq!(activations.rows(), values.len() / depth);
        assert_eq!(activations.scale, scale, "{}", isa.name());
        assert_eq!(activations.zero_point, i32::from(zero_point) - 128);
        for (row, expected) in bytes.chunks(depth).enumerate() {
            let actual = activations.row(&activations.high, row);
            let unsigned: Vec<u8> = actual
                .iter()
                .map(|&x| (x as u8).wrapping_add(128))
                .collect();
            assert_eq!(unsigned[..depth], *expected, "{}, {values:?}", isa.name());
            assert!(actual[depth..].iter().all(|&x| x == 0));
            let sum: i32 = actual.iter().map(|&x| i32::from(x)).sum();
            assert_eq!(activations.high_sums[row], sum);
        }
    }
}

/// Numbers of every size, subnormal and huge among them.
fn any_finite() -> impl Strategy<Value = f32> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn bytes_are_those_of_onnx(
        values in prop::collection::vec(-3.0_f32..2.0, 1..400),
        depth in 1_usize..70,
    ) {
        let whole = values.len() / depth * depth;
        if whole > 0 {
            check(&values[..whole], depth);
        }
    }

    #[test]
    fn bytes_are_those_of_onnx_at_every_magnitude(
        values in prop::collection::vec(any_finite(), 1..60),
    ) {
        check(&values, values.len());
    }

    #[test]
    fn bytes_are_those_of_onnx_among_subnormals(
        values in prop::collection::vec(prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 1..60),
    ) {
        check(&values, values.len());
    }

    #[test]
    fn nothing_panics_at_any_pattern_of_bits(bits in prop::collection::vec(any::<u32>(), 4..60)) {
        let mut values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        values.truncate(values.len() / 4 * 4);
        values[0] = f32::NAN;
        values[1] = f32::INFINITY;
        for isa in Isa::available() {
            let mut activations = Activations::default();
            activations.quantize(isa, &values, 4);
            prop_assert_eq!(activations.rows(), values.len() / 4);
            activations.quantize_wide(isa, &values, 4);
            prop_assert_eq!(activations.rows(), values.len() / 4);
        }
    }

    #[test]
    fn three_planes_hold_the_nearest_of_their_bits(
        values in prop::collection::vec(-5.0_f32..5.0, 1..300),
    ) {
        for isa in Isa::available() {
            let mut activations = Activations::default();
            activations.quantize_wide(isa, &values, values.len());
            let scale = f64::from(activations.scale);
            for (k, &x) in values.iter().enumerate() {
                let whole = 65_536 * i32::from(activations.high[k])
                    + 256 * i32::from(activations.middle[k])
                    + i32::from(activations.low[k]);
                prop_assert!(whole.abs() <= 4_161_536);
                // Half a step, and f32's rounding of the scale's inverse and of the quotient.
                let error = (f64::from(whole) - f64::from(x) / scale).abs();
                prop_assert!(error <= 1.1, "{x} became {whole} steps of {scale}");
            }
            let high: i32 = activations.high.iter().map(|&x| i32::from(x)).sum();
            let middle: i32 = activations.middle.iter().map(|&x| i32::from(x)).sum();
            let low: i32 = activations.low.iter().map(|&x| i32::from(x)).sum();
            prop_assert_eq!(activations.high_sums[0], high);
            prop_assert_eq!(activations.middle_sums[0], middle);
            prop_assert_eq!(activations.low_sums[0], low);
        }
    }
}

#[test]
fn bytes_are_those_of_onnx_for_constants() {
    for constant in [
        0.0,
        -0.0,
        1.0,
        -1.0,
        1e-45,
        -1e-45,
        3e38,
        -3e38,
        f32::MAX,
        f32::MIN,
    ] {
        check(&[constant; 37], 37);
    }
    check(&[f32::MAX, f32::MIN, 0.0, 1.0], 4);
    check(&[-3.0, -2.0, -1.0, -0.5], 4);
    check(&[3.0, 2.0, 1.0, 0.5], 2);
    // Ties, which go to the even neighbour before the zero point is added.
    check(&[-1.0, 254.0, 0.5, 1.5, 2.5, 3.5, -0.5, 100.5], 8);
}

#[test]
fn what_was_held_before_leaves_no_trace() {
    let isa = Isa::detect();
    let mut kept = Activations::default();
    kept.quantize_wide(isa, &[9.0; 64], 8);
    kept.quantize(isa, &[1.0, -2.0, 3.0], 3);
    let mut fresh = Activations::default();
    fresh.quantize(isa, &[1.0, -2.0, 3.0], 3);
    assert_eq!(format!("{kept:?}"), format!("{fresh:?}"));
}
