//! Products against their definition in f64, on every set of instructions of this CPU.

use proptest::prelude::*;

use super::*;
use crate::sample;
use crate::tiles::CASES;

/// A product to try, its numbers made from a seed.
#[derive(Debug, Clone)]
struct Case {
    rows: usize,
    depth: usize,
    columns: usize,
    threads: usize,
    bias: bool,
    gelu: bool,
    residual: bool,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (1_usize..60, 1_usize..90, 1_usize..140, 1_usize..4);
    (shape, any::<[bool; 3]>(), any::<u64>()).prop_map(|(shape, extras, seed)| Case {
        rows: shape.0,
        depth: shape.1,
        columns: shape.2,
        threads: shape.3,
        bias: extras[0],
        gelu: extras[1],
        residual: extras[2],
        seed,
    })
}

/// The numbers of a [`Case`].
struct Operands {
    values: Vec<f32>,
    bytes: Vec<u8>,
    columns: Vec<Column>,
    bias: Vec<f32>,
    residual: Vec<f32>,
}

impl Operands {
    fn pack(&self, isa: Isa, store: &WeightStore) -> QuantizedMatrix {
        let (depth, columns) = (self.bytes.len() / self.columns.len(), self.columns.len());
        let value = |k, n| self.bytes[k * columns + n];
        QuantizedMatrix::pack(isa, store, depth, &self.columns, value).unwrap()
    }
}

impl Case {
    fn operands(&self) -> Operands {
        let zero_points = sample::bytes(self.seed ^ 1, self.columns);
        let numbers = sample::floats(self.seed ^ 2, 2 * self.columns);
        let columns = zero_points
            .iter()
            .zip(numbers.chunks(2))
            .map(|(&zero_point, numbers)| Column {
                scale: 0.02 + 0.01 * numbers[0],
                zero_point,
            })
            .collect();
        Operands {
            values: sample::floats(self.seed ^ 3, self.rows * self.depth),
            bytes: sample::bytes(self.seed ^ 4, self.depth * self.columns),
            columns,
            bias: sample::floats(self.seed ^ 5, self.columns),
            residual: sample::floats(self.seed ^ 6, self.rows * self.columns),
        }
    }

    fn multiply(&self, isa: Isa, operands: &Operands, activations: &Activations) -> Vec<f32> {
        let pool = Pool::new(self.threads).unwrap();
        let matrix = operands.pack(isa, &WeightStore::fresh());
        let epilogue = Epilogue {
            bias: self.bias.then_some(&operands.bias[..]),
            activation: if self.gelu {
                Activation::Gelu
            } else {
                Activation::None
            },
            residual: self.residual.then_some(&operands.residual[..]),
        };
        let mut output = vec![f32::NAN; self.rows * self.columns];
        matrix.multiply(&pool, activations, &epilogue, &mut output);
        output
    }

    /// Compares with the definition, where `value(row, depth)` is what an activation stands
    /// for, give or take `uncertainty`.
    fn check(
        &self,
        isa: Isa,
        operands: &Operands,
        output: &[f32],
        value: impl Fn(usize, usize) -> f64,
        uncertainty: f64,
    ) {
        for (index, &actual) in output.iter().enumerate() {
            let (row, n) = (index / self.columns, index % self.columns);
            let column = operands.columns[n];
            let (mut product, mut magnitude, mut weights) = (0.0, 0.0, 0.0);
            for k in 0..self.depth {
                let byte = operands.bytes[k * self.columns + n];
                let weight =
                    f64::from(column.scale) * (f64::from(byte) - f64::from(column.zero_point));
                product += weight * value(row, k);
                magnitude += (weight * value(row, k)).abs();
                weights += weight.abs();
            }
            let bias = if self.bias {
                f64::from(operands.bias[n])
            } else {
                0.0
            };
            let mut expected = product + bias;
            if self.gelu {
                expected = gelu_reference(expected);
            }
            let residual = if self.residual {
                f64::from(operands.residual[index])
            } else {
                0.0
            };
            expected += residual;
            // The sums are exact; what follows rounds a few times.
            let rounding = f64::from(f32::EPSILON) * (magnitude + weights + bias.abs() + 1.0) * 3.0;
            let bound = rounding + 1.2 * uncertainty * weights;
            assert!(
                (f64::from(actual) - expected).abs() <= bound,
                "{}, row {row}, column {n}: {actual} is not {expected} within {bound}",
                isa.name()
            );
        }
    }
}

/// x * Phi(x).
fn gelu_reference(x: f64) -> f64 {
    0.5 * x * (1.0 + sample::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn products_of_bytes_equal_those_of_what_the_bytes_stand_for(case in cases()) {
        let operands = case.operands();
        for isa in Isa::available() {
            let mut activations = Activations::default();
            activations.quantize(isa, &operands.values, case.depth);
            let output = case.multiply(isa, &operands, &activations);
            let value = |row: usize, k: usize| {
                let byte = activations.row(&activations.high, row)[k];
                f64::from(activations.scale)
                    * f64::from(i32::from(byte) - activations.zero_point)
            };
            case.check(isa, &operands, &output, value, 0.0);
        }
    }

    #[test]
    fn products_of_sixteen_bits_are_as_good_as_those_of_the_values(case in cases()) {
        let operands = case.operands();
        let greatest = operands.values.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        for isa in Isa::available() {
            let mut activations = Activations::default();
            activations.quantize_wide(isa, &operands.values, case.depth);
            let output = case.multiply(isa, &operands, &activations);
            let value = |row: usize, k: usize| f64::from(operands.values[row * case.depth + k]);
            // Half a step of the scale.
            let uncertainty = f64::from(greatest) / 65_024.0;
            case.check(isa, &operands, &output, value, uncertainty);
        }
    }

    #[test]
    fn every_number_of_threads_gives_the_same_product(case in cases(), wide in any::<bool>()) {
        let operands = case.operands();
        let isa = Isa::detect();
        let mut activations = Activations::default();
        if wide {
            activations.quantize_wide(isa, &operands.values, case.depth);
        } else {
            activations.quantize(isa, &operands.values, case.depth);
        }
        let outputs = [1, 2, 3, 4].map(|threads| {
            Case { threads, ..case.clone() }.multiply(isa, &operands, &activations)
        });
        for output in &outputs[1..] {
            prop_assert_eq!(output, &outputs[0]);
        }
    }

    #[test]
    fn a_dequantized_column_is_what_its_bytes_stand_for(case in cases()) {
        let operands = case.operands();
        for isa in Isa::available() {
            let matrix = operands.pack(isa, &WeightStore::fresh());
            for (n, column) in operands.columns.iter().enumerate() {
                let mut output = vec![f32::NAN; case.depth];
                matrix.dequantize_column(n, &mut output);
                for (k, &actual) in output.iter().enumerate() {
                    let byte = operands.bytes[k * case.columns + n];
                    let steps = f32::from(byte) - f32::from(column.zero_point);
                    prop_assert_eq!(actual, steps * column.scale);
                }
            }
        }
    }
}

#[test]
fn a_shared_matrix_multiplies_as_one_that_was_packed_here() {
    let case = Case {
        rows: 9,
        depth: 70,
        columns: 2 * PANEL + 1,
        threads: 1,
        bias: false,
        gelu: false,
        residual: false,
        seed: 5,
    };
    let operands = case.operands();
    for isa in Isa::available() {
        let store = WeightStore::record();
        let matrix = operands.pack(isa, &store);
        let recorded = store.recorded();
        let sealed = crate::Region::seal(&[recorded[0].bytes()]).unwrap();
        let region = std::sync::Arc::new(crate::Region::map(&sealed).unwrap());
        let whole = 0..region.bytes().len();
        let store = WeightStore::shared(region, vec![whole]).unwrap();
        let value = |_, _| panic!("a shared matrix is packed");
        let shared = QuantizedMatrix::pack(isa, &store, 70, &operands.columns, value).unwrap();
        let mut activations = Activations::default();
        activations.quantize(isa, &operands.values, case.depth);
        let multiply = |matrix: &QuantizedMatrix| {
            let mut output = vec![f32::NAN; case.rows * case.columns];
            let pool = Pool::new(1).unwrap();
            matrix.multiply(&pool, &activations, &Epilogue::default(), &mut output);
            output
        };
        assert_eq!(multiply(&shared), multiply(&matrix), "{}", isa.name());
    }
}

#[test]
fn products_hold_where_rows_are_shared_in_tasks_of_their_own() {
    let case = Case {
        rows: 3 * ROWS_OF_TASK + 5,
        depth: 30,
        columns: PANELS_OF_TASK * PANEL * 2 + 3,
        threads: 3,
        bias: true,
        gelu: false,
        residual: true,
        seed: 11,
    };
    let operands = case.operands();
    for isa in Isa::available() {
        let mut activations = Activations::default();
        activations.quantize(isa, &operands.values, case.depth);
        let output = case.multiply(isa, &operands, &activations);
        case.check(
            isa,
            &operands,
            &output,
            |row, k| {
                let byte = activations.row(&activations.high, row)[k];
                f64::from(activations.scale) * f64::from(i32::from(byte) - activations.zero_point)
            },
            0.0,
        );
    }
}

/// The same input gives the same answers, to the bit, on every CPU and with every kernel:
/// these digests were taken once, on x86-64.
#[test]
fn products_are_the_same_on_every_cpu() {
    let case = Case {
        rows: 61,
        depth: 295,
        columns: 101,
        threads: 2,
        bias: true,
        gelu: false,
        residual: true,
        seed: 2026,
    };
    let operands = case.operands();
    for isa in Isa::available() {
        let mut activations = Activations::default();
        activations.quantize(isa, &operands.values, case.depth);
        let bytes = sample::digest(&case.multiply(isa, &operands, &activations));
        activations.quantize_wide(isa, &operands.values, case.depth);
        let wide = sample::digest(&case.multiply(isa, &operands, &activations));
        println!("{}: bytes {bytes:016x}, wide {wide:016x}", isa.name());
        assert_eq!(
            (bytes, wide),
            (0x408a_3ab4_dca3_c436, 0x1f7f_3be7_d20f_a737),
            "{}: {bytes:#018x}, {wide:#018x}",
            isa.name()
        );
    }
}
