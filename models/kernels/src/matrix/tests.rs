//! Products of f32 against their definition in f64.

use super::*;
use crate::sample;

#[test]
fn windows_times_a_matrix_equal_the_definition_with_any_number_of_threads() {
    // One row, rows that fill no tile, more rows than a task has; columns that fill no panel.
    for (rows, depth, columns, stride) in [
        (1, 1, 1, 1),
        (7, 127, 33, 64),
        (ROWS_OF_TASK * 2 + 5, 20, 64, 3),
        (13, 9, 70, 11),
    ] {
        let input = sample::floats(1, (rows - 1) * stride + depth);
        let weights = sample::floats(2, depth * columns);
        for isa in Isa::available() {
            let matrix = Matrix::pack(isa, depth, columns, |k, n| weights[k * columns + n]);
            assert_eq!(matrix.columns(), columns);
            let outputs = [1, 2, 3, 4].map(|threads| {
                let pool = Pool::new(threads).unwrap();
                let mut output = vec![f32::NAN; rows * columns];
                matrix.multiply_windows(&pool, &input, stride, &mut output);
                output
            });
            for output in &outputs {
                assert_eq!(output, &outputs[0]);
            }
            for (index, &actual) in outputs[0].iter().enumerate() {
                let (row, n) = (index / columns, index % columns);
                let expected: f64 = (0..depth)
                    .map(|k| {
                        f64::from(input[row * stride + k]) * f64::from(weights[k * columns + n])
                    })
                    .sum();
                let error = (f64::from(actual) - expected).abs();
                let bound = f64::from(f32::EPSILON) * depth as f64;
                assert!(error <= bound, "{}: {actual} is not {expected}", isa.name());
            }
        }
    }
}
