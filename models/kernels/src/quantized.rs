//! Weights of eight bits, packed once, times quantized activations.

use crate::aligned::AlignedBytes;
use crate::isa::{Isa, Rounding, vectorized};
use crate::matrix::Activation;
use crate::tiles::{IntegerTile, PANEL, TILE_ROWS, integer_tile, weights_are_signed};
use crate::{Activations, Pool};

/// What the bytes of one output column stand for: `scale * (byte - zero_point) + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// What one step of a byte is worth.
    pub scale: f32,
    /// The byte that stands for zero.
    pub zero_point: u8,
    /// Added to every weight of the column; only with activations of sixteen bits.
    pub offset: f32,
}

/// What is done to a product before it is stored: `activation(product + bias) + residual`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// `[columns]`.
    pub bias: Option<&'a [f32]>,
    /// Applied to product and bias.
    pub activation: Activation,
    /// `[rows, columns]`, added last.
    pub residual: Option<&'a [f32]>,
}

/// A matrix of bytes, `[depth, columns]`, packed for the kernels of one [`Isa`].
pub struct QuantizedMatrix {
    isa: Isa,
    depth: usize,
    columns: usize,
    /// Bytes of one packed panel.
    panel_bytes: usize,
    packed: AlignedBytes,
    /// Sums of the stored bytes, and what they stand for; all padded to whole panels.
    sums: Vec<i32>,
    zero_points: Vec<i32>,
    scales: Vec<f32>,
    offsets: Vec<f32>,
    has_offsets: bool,
}

impl std::fmt::Debug for QuantizedMatrix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "QuantizedMatrix({} x {}, {})",
            self.depth,
            self.columns,
            self.isa.name()
        )
    }
}

/// Rows that one task multiplies with each panel while the panel is in the nearest cache.
const ROWS_OF_TASK: usize = 4 * TILE_ROWS;

/// Panels of one task where rows are few.
const PANELS_OF_TASK: usize = 4;

impl QuantizedMatrix {
    /// Packs the bytes that `value(depth, column)` gives.
    ///
    /// # Panics
    /// When `depth` is zero or there are no columns.
    pub fn pack(
        isa: Isa,
        depth: usize,
        columns: &[Column],
        value: impl Fn(usize, usize) -> u8,
    ) -> QuantizedMatrix {
        assert!(depth > 0 && !columns.is_empty());
        let flip = if weights_are_signed(isa) { 0x80 } else { 0 };
        let panels = columns.len().div_ceil(PANEL);
        let panel_bytes = depth.next_multiple_of(4) * PANEL;
        let mut packed = AlignedBytes::zeroed(panels * panel_bytes);
        let mut sums = vec![0; panels * PANEL];
        for (panel, bytes) in packed
            .as_mut_slice()
            .chunks_exact_mut(panel_bytes)
            .enumerate()
        {
            for (group, bytes) in bytes.chunks_exact_mut(4 * PANEL).enumerate() {
                for (index, byte) in bytes.iter_mut().enumerate() {
                    let (k, n) = (group * 4 + index % 4, panel * PANEL + index / 4);
                    if k < depth && n < columns.len() {
                        *byte = value(k, n) ^ flip;
                        sums[n] += stored(*byte, flip);
                    }
                }
            }
        }
        let mut matrix = QuantizedMatrix {
            isa,
            depth,
            columns: columns.len(),
            panel_bytes,
            packed,
            sums,
            zero_points: columns
                .iter()
                .map(|c| stored(c.zero_point ^ flip, flip))
                .collect(),
            scales: columns.iter().map(|column| column.scale).collect(),
            offsets: columns.iter().map(|column| column.offset).collect(),
            has_offsets: columns.iter().any(|column| column.offset != 0.0),
        };
        matrix.zero_points.resize(panels * PANEL, 0);
        matrix.scales.resize(panels * PANEL, 0.0);
        matrix.offsets.resize(panels * PANEL, 0.0);
        matrix
    }

    /// Rows of the matrix: the depth of the products.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix: the width of the products.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.packed.as_slice().len() + self.sums.len() * 16
    }

    /// Writes what column `column` stands for, `[depth]`: an embedding, where the matrix is an
    /// embedding's transpose.
    ///
    /// # Panics
    /// When there is no such column, or `output` is not as long as the matrix is deep.
    pub fn dequantize_column(&self, column: usize, output: &mut [f32]) {
        assert!(column < self.columns && output.len() == self.depth);
        let flip = if weights_are_signed(self.isa) {
            0x80
        } else {
            0
        };
        let panel = &self.packed.as_slice()[column / PANEL * self.panel_bytes..];
        for (k, out) in output.iter_mut().enumerate() {
            let byte = panel[(k / 4 * PANEL + column % PANEL) * 4 + k % 4];
            let steps = stored(byte, flip) - self.zero_points[column];
            *out = steps as f32 * self.scales[column] + self.offsets[column];
        }
    }

    /// The product of `activations`, `[rows, depth]`, and the matrix, into `output`,
    /// `[rows, columns]`.
    ///
    /// # Panics
    /// When the shapes do not fit, or columns with an offset meet activations of one byte.
    pub fn multiply(
        &self,
        pool: &Pool,
        activations: &Activations,
        epilogue: &Epilogue<'_>,
        output: &mut [f32],
    ) {
        let rows = activations.rows;
        assert_eq!(activations.depth, self.depth);
        assert_eq!(output.len(), rows * self.columns);
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == self.columns));
        assert!(
            epilogue
                .residual
                .is_none_or(|residual| residual.len() == output.len())
        );
        assert!(!self.has_offsets || !activations.low.is_empty());
        let panels = self.columns.div_ceil(PANEL);
        let corrections = self.corrections(activations);
        let output = SharedOutput {
            start: output.as_mut_ptr(),
            length: output.len(),
        };
        let product = Product {
            matrix: self,
            activations,
            epilogue,
            corrections: &corrections,
            output,
        };
        if rows <= TILE_ROWS {
            pool.run(panels.div_ceil(PANELS_OF_TASK), &|task| {
                let first = task * PANELS_OF_TASK;
                product.block(0..rows, first..panels.min(first + PANELS_OF_TASK));
            });
        } else {
            pool.run(rows.div_ceil(ROWS_OF_TASK), &|task| {
                let first = task * ROWS_OF_TASK;
                product.block(first..rows.min(first + ROWS_OF_TASK), 0..panels);
            });
        }
    }

    /// What of each column's sum does not depend on the row: with `a` and `w` stored and `za`,
    /// `zw` the zero points, the sum of `(a - za) (w - zw)` is the sum of `a w`, less `zw`
    /// times the sum of `a`, less `za` times the sum of `w`, plus `depth za zw`.
    fn corrections(&self, activations: &Activations) -> Vec<i32> {
        let zero = activations.zero_point;
        let all = self.depth as i32 * zero;
        self.sums
            .iter()
            .zip(&self.zero_points)
            .map(|(&sum, &weight_zero)| all * weight_zero - zero * sum)
            .collect()
    }
}

/// The value of a stored byte: signed where the kernel takes signed bytes.
fn stored(byte: u8, flip: u8) -> i32 {
    if flip == 0 {
        i32::from(byte)
    } else {
        i32::from(byte as i8)
    }
}

/// Where the tasks of one product write.
struct SharedOutput {
    start: *mut f32,
    length: usize,
}

// SAFETY: every task writes its own elements (`SharedOutput::slice`), and the slice outlives
// the tasks.
unsafe impl Sync for SharedOutput {}

impl SharedOutput {
    /// # Safety
    /// No two live slices may overlap.
    #[allow(clippy::mut_from_ref)]
    unsafe fn slice(&self, start: usize, length: usize) -> &mut [f32] {
        assert!(start + length <= self.length);
        // SAFETY: within the caller's slice by the assertion, and alone by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) }
    }
}

struct Product<'a> {
    matrix: &'a QuantizedMatrix,
    activations: &'a Activations,
    epilogue: &'a Epilogue<'a>,
    corrections: &'a [i32],
    output: SharedOutput,
}

impl Product<'_> {
    fn block(&self, rows: std::ops::Range<usize>, panels: std::ops::Range<usize>) {
        let wide = !self.activations.low.is_empty();
        let rows_of_tile = if wide { TILE_ROWS / 2 } else { TILE_ROWS };
        let mut tile: IntegerTile = [[0; PANEL]; TILE_ROWS];
        for panel in panels {
            let bytes = &self.matrix.packed.as_slice()[panel * self.matrix.panel_bytes..]
                [..self.matrix.panel_bytes];
            for first in rows.clone().step_by(rows_of_tile) {
                let count = rows_of_tile.min(rows.end - first);
                let mut inputs: [&[i8]; TILE_ROWS] = [&[]; TILE_ROWS];
                for row in 0..count {
                    inputs[row] = self.activations.row(&self.activations.high, first + row);
                    if wide {
                        let low = self.activations.row(&self.activations.low, first + row);
                        inputs[count + row] = low;
                    }
                }
                let planes = if wide { 2 * count } else { count };
                integer_tile(self.matrix.isa, &inputs[..planes], bytes, &mut tile);
                for row in 0..count {
                    let low = wide.then(|| &tile[count + row]);
                    self.store(first + row, panel, &tile[row], low);
                }
            }
        }
    }

    /// Turns one row of a tile into f32 and stores it.
    fn store(&self, row: usize, panel: usize, high: &[i32; PANEL], low: Option<&[i32; PANEL]>) {
        let matrix = self.matrix;
        let first = panel * PANEL;
        let width = PANEL.min(matrix.columns - first);
        let columns = first..first + PANEL;
        let start = row * matrix.columns + first;
        // SAFETY: each row of each panel is stored by one task, once.
        let output = unsafe { self.output.slice(start, width) };
        let mut values = [0.0; PANEL];
        let parameters = Parameters {
            zero_points: array(&matrix.zero_points[columns.clone()]),
            scales: array(&matrix.scales[columns.clone()]),
            scale: self.activations.scale,
        };
        match low {
            None => {
                let corrections = array(&self.corrections[columns]);
                let sum = self.activations.high_sums[row];
                scale_bytes(matrix.isa, high, corrections, &parameters, sum, &mut values);
            }
            Some(low) => {
                let sums = [
                    self.activations.high_sums[row],
                    self.activations.low_sums[row],
                ];
                let offsets = array(&matrix.offsets[columns]);
                scale_pairs(
                    matrix.isa,
                    high,
                    low,
                    offsets,
                    &parameters,
                    sums,
                    &mut values,
                );
            }
        }
        if let Some(bias) = self.epilogue.bias {
            for (value, bias) in values.iter_mut().zip(&bias[first..first + width]) {
                *value += bias;
            }
        }
        self.epilogue.activation.apply(matrix.isa, &mut values);
        match self.epilogue.residual {
            None => output.copy_from_slice(&values[..width]),
            Some(residual) => {
                let residual = &residual[start..start + width];
                for ((out, value), residual) in output.iter_mut().zip(values).zip(residual) {
                    *out = residual + value;
                }
            }
        }
    }
}

/// The slice of a padded vector that belongs to one panel.
fn array<T>(slice: &[T]) -> &[T; PANEL] {
    slice
        .try_into()
        .expect("padded to whole panels when the matrix was packed")
}

struct Parameters<'a> {
    zero_points: &'a [i32; PANEL],
    scales: &'a [f32; PANEL],
    scale: f32,
}

#[inline(always)]
fn scale_bytes_body<R: Rounding>(
    sums: &[i32; PANEL],
    corrections: &[i32; PANEL],
    parameters: &Parameters<'_>,
    row_sum: i32,
    values: &mut [f32; PANEL],
) {
    for column in 0..PANEL {
        let whole = sums[column] + corrections[column] - parameters.zero_points[column] * row_sum;
        values[column] = whole as f32 * (parameters.scale * parameters.scales[column]);
    }
}

vectorized! {
    fn scale_bytes(
        sums: &[i32; PANEL],
        corrections: &[i32; PANEL],
        parameters: &Parameters<'_>,
        row_sum: i32,
        values: &mut [f32; PANEL],
    ) = scale_bytes_body
}

#[inline(always)]
fn scale_pairs_body<R: Rounding>(
    high: &[i32; PANEL],
    low: &[i32; PANEL],
    offsets: &[f32; PANEL],
    parameters: &Parameters<'_>,
    row_sums: [i32; 2],
    values: &mut [f32; PANEL],
) {
    let total = (row_sums[0] as f32 * 256.0 + row_sums[1] as f32) * parameters.scale;
    for column in 0..PANEL {
        let zero = parameters.zero_points[column];
        let high = (high[column] - zero * row_sums[0]) as f32;
        let low = (low[column] - zero * row_sums[1]) as f32;
        let product =
            R::multiply_add(high, 256.0, low) * (parameters.scale * parameters.scales[column]);
        values[column] = R::multiply_add(offsets[column], total, product);
    }
}

vectorized! {
    fn scale_pairs(
        high: &[i32; PANEL],
        low: &[i32; PANEL],
        offsets: &[f32; PANEL],
        parameters: &Parameters<'_>,
        row_sums: [i32; 2],
        values: &mut [f32; PANEL],
    ) = scale_pairs_body
}
