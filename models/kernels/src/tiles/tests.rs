//! Every kernel that this CPU runs against the plain one.

use proptest::prelude::*;

use super::*;
use crate::sample;

/// What a tile holds before a kernel writes it: no kernel may rely on zeros.
const STALE: i32 = 0x5A5A_5A5A;

/// The definition, in wide integers and without the layout of the kernels' loops.
fn expected_sum(row: &[i8], panel: &[u8], column: usize, signed: bool) -> i64 {
    row.iter()
        .enumerate()
        .map(|(k, &activation)| {
            let byte = panel[(k / 4 * PANEL + column) * 4 + k % 4];
            let weight = if signed {
                i64::from(byte as i8)
            } else {
                i64::from(byte)
            };
            weight * i64::from(activation)
        })
        .sum()
}

fn check_integers(isa: Isa, rows: &[Vec<i8>], panel: &[u8]) {
    let slices: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
    let mut tile = [[STALE; PANEL]; TILE_ROWS];
    integer_tile(isa, &slices, panel, &mut tile);
    for (row, sums) in rows.iter().zip(&tile) {
        for (column, &sum) in sums.iter().enumerate() {
            let expected = expected_sum(row, panel, column, weights_are_signed(isa));
            assert_eq!(
                i64::from(sum),
                expected,
                "{}, {} rows, depth {}, column {column}",
                isa.name(),
                rows.len(),
                row.len()
            );
        }
    }
    for sums in &tile[rows.len()..] {
        assert_eq!(sums, &[STALE; PANEL], "{} wrote past its rows", isa.name());
    }
}

/// Rows of one depth, and a panel as deep.
fn integers() -> impl Strategy<Value = (Vec<Vec<i8>>, Vec<u8>)> {
    (1..=TILE_ROWS, 0_usize..80).prop_flat_map(|(rows, groups)| {
        let row = prop::collection::vec(any::<i8>(), 4 * groups);
        let panel = prop::collection::vec(any::<u8>(), 4 * groups * PANEL);
        (prop::collection::vec(row, rows), panel)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn integer_tiles_equal_the_definition((rows, panel) in integers()) {
        for isa in Isa::available() {
            check_integers(isa, &rows, &panel);
        }
    }

    #[test]
    fn float_tiles_are_within_rounding_of_the_definition_and_the_same_on_every_cpu(
        (rows, width) in prop::sample::select(vec![16_usize, 32, 48, 64])
            .prop_flat_map(|width| (1..=rows_of_float_tile(width), Just(width))),
        depth in 0_usize..140,
        seed in any::<u64>(),
    ) {
        for isa in Isa::available() {
            check_floats(isa, rows, depth, width, seed);
        }
    }
}

#[test]
fn integer_tiles_hold_at_every_row_count_and_at_the_extremes_of_bytes() {
    // A depth past what the AVX2 kernel widens at a time, and not a multiple of sixteen.
    for depth in [0, 4, 12, 16, 20, 516, 2304] {
        for rows in 1..=TILE_ROWS {
            for (activation, weight) in [(-128, 255), (127, 255), (-128, 128), (127, 127)] {
                let rows = vec![vec![activation; depth]; rows];
                let panel = vec![weight; depth * PANEL];
                for isa in Isa::available() {
                    check_integers(isa, &rows, &panel);
                }
            }
        }
    }
}

fn check_floats(isa: Isa, rows: usize, depth: usize, width: usize, seed: u64) {
    let rows: Vec<Vec<f32>> = (0..rows)
        .map(|row| sample::floats(seed ^ row as u64, depth))
        .collect();
    let panel = sample::floats(!seed, depth * width);
    let slices: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    // A stride of its own, and a row more than is asked for.
    let stride = width + 5;
    let mut output = vec![f32::NAN; (rows.len() + 1) * stride];
    float_tile(isa, &slices, &panel, width, &mut output, stride, false);
    for (row, sums) in rows.iter().zip(output.chunks(stride)) {
        for column in 0..width {
            let terms = row
                .iter()
                .enumerate()
                .map(|(k, &x)| f64::from(x) * f64::from(panel[k * width + column]));
            let (expected, magnitude) = terms.fold((0.0, 0.0), |(sum, size), term| {
                (sum + term, size + term.abs())
            });
            // Each of `depth` roundings is at most half a unit of a partial sum.
            let bound = f64::from(f32::EPSILON) * magnitude * (depth as f64).max(1.0);
            let difference = (f64::from(sums[column]) - expected).abs();
            assert!(
                difference <= bound,
                "{}, {} rows, depth {depth}, width {width}: {} is not {expected}",
                isa.name(),
                rows.len(),
                sums[column]
            );
        }
        assert!(
            sums[width..].iter().all(|x| x.is_nan()),
            "{} wrote past {width}",
            isa.name()
        );
    }
    assert!(
        output[rows.len() * stride..].iter().all(|x| x.is_nan()),
        "{} wrote past its rows",
        isa.name()
    );
    // To the bit what the plain kernel gives, and as much more where it is to be added.
    let mut plain = vec![f32::NAN; output.len()];
    float_tile(
        Isa::portable(),
        &slices,
        &panel,
        width,
        &mut plain,
        stride,
        false,
    );
    assert!(
        output
            .iter()
            .zip(&plain)
            .all(|(a, b)| a.to_bits() == b.to_bits()),
        "{}",
        isa.name()
    );
    let before = sample::floats(seed ^ 77, output.len());
    let mut total = before.clone();
    float_tile(isa, &slices, &panel, width, &mut total, stride, true);
    for ((total, before), sum) in total.iter().zip(&before).zip(&output) {
        assert_eq!(
            *total,
            if sum.is_nan() { *before } else { before + sum },
            "{}",
            isa.name()
        );
    }
    // The least output that will do.
    let mut exact = vec![f32::NAN; (rows.len() - 1) * stride + width];
    float_tile(isa, &slices, &panel, width, &mut exact, stride, false);
    let all = exact.iter().zip(&output);
    assert!(all.clone().all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn float_tiles_hold_at_every_row_count_and_width() {
    for width in [16, 32, 48, 64] {
        for rows in 1..=rows_of_float_tile(width) {
            for isa in Isa::available() {
                check_floats(isa, rows, 127, width, 7);
            }
        }
    }
}
