//! One product of quantized activations and a [`QuantizedMatrix`]: the loop over tiles, and
//! what turns a tile's integers into f32.

use crate::aligned::Aligned;
use crate::isa::{Rounding, vectorized};
use crate::matrix::Activation;
use crate::quantized::PanelColumns;
use crate::tiles::{IntegerTile, PANEL, TILE_ROWS, integer_tile};
use crate::vector::gelu;
use crate::{Activations, Epilogue, QuantizedMatrix};

/// Where the tasks of one product write.
pub(crate) struct SharedOutput<'a> {
    start: *mut f32,
    length: usize,
    lifetime: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: every task writes its own elements (`SharedOutput::slice`), and the slice outlives
// the tasks.
unsafe impl Sync for SharedOutput<'_> {}

impl SharedOutput<'_> {
    pub(crate) fn new(output: &mut [f32]) -> SharedOutput<'_> {
        SharedOutput {
            start: output.as_mut_ptr(),
            length: output.len(),
            lifetime: std::marker::PhantomData,
        }
    }

    /// # Safety
    /// No two live slices may overlap.
    #[allow(clippy::mut_from_ref)]
    unsafe fn slice(&self, start: usize, length: usize) -> &mut [f32] {
        assert!(start + length <= self.length);
        // SAFETY: within the caller's slice by the assertion, and alone by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) }
    }
}

/// All that the tasks of one product share.
pub(crate) struct Product<'a> {
    pub(crate) matrix: &'a QuantizedMatrix,
    pub(crate) activations: &'a Activations,
    pub(crate) epilogue: &'a Epilogue<'a>,
    pub(crate) output: SharedOutput<'a>,
}

impl Product<'_> {
    /// Makes the given rows of the given panels. No two tasks may be given the same.
    pub(crate) fn block(&self, rows: std::ops::Range<usize>, panels: std::ops::Range<usize>) {
        let (matrix, activations) = (self.matrix, self.activations);
        let wide = !activations.low.is_empty();
        let rows_of_tile = if wide { TILE_ROWS / 2 } else { TILE_ROWS };
        let mut tile = Aligned::<IntegerTile>([[0; PANEL]; TILE_ROWS]);
        let mut parameters = Parameters::of(self.epilogue.activation);
        for panel in panels {
            let bytes = &matrix.packed.as_slice()[panel * matrix.panel_bytes..];
            let bytes = &bytes[..matrix.panel_bytes];
            self.prepare(panel, &mut parameters);
            for first in rows.clone().step_by(rows_of_tile) {
                let count = rows_of_tile.min(rows.end - first);
                let mut inputs: [&[i8]; TILE_ROWS] = [&[]; TILE_ROWS];
                for row in 0..count {
                    inputs[row] = activations.row(&activations.high, first + row);
                    if wide {
                        let low = activations.row(&activations.low, first + row);
                        inputs[count + row] = low;
                    }
                }
                let planes = if wide { 2 * count } else { count };
                integer_tile(matrix.isa, &inputs[..planes], bytes, &mut tile.0);
                self.store(first..first + count, panel, &parameters, &tile.0);
            }
        }
    }

    /// What the columns of one panel have in common for every row.
    fn prepare(&self, panel: usize, parameters: &mut Parameters) {
        let matrix = self.matrix;
        let columns = &matrix.parameters[panel];
        let activations = (self.activations.scale, self.activations.zero_point);
        prepare(
            matrix.isa,
            columns,
            activations,
            matrix.depth as i32,
            parameters,
        );
        if let Some(bias) = self.epilogue.bias {
            let bias = &bias[panel * PANEL..];
            let width = PANEL.min(bias.len());
            parameters.bias[..width].copy_from_slice(&bias[..width]);
        }
    }

    /// Turns the rows of a tile into f32 and stores them.
    fn store(
        &self,
        rows: std::ops::Range<usize>,
        panel: usize,
        parameters: &Parameters,
        tile: &IntegerTile,
    ) {
        let (isa, columns) = (self.matrix.isa, self.matrix.columns);
        let of_panel = &self.matrix.parameters[panel];
        let width = PANEL.min(columns - panel * PANEL);
        let start = |row: usize| row * columns + panel * PANEL;
        let residual = |row: usize| -> Option<&[f32]> {
            Some(&self.epilogue.residual?[start(row)..][..width])
        };
        let mut outputs: [Row<'_>; TILE_ROWS] = Default::default();
        for (row, output) in rows.clone().zip(&mut outputs) {
            // SAFETY: each row of each panel is stored by one task, once.
            output.values = unsafe { self.output.slice(start(row), width) };
            output.residual = residual(row);
        }
        let outputs = &mut outputs[..rows.len()];
        let high_sums = &self.activations.high_sums[rows.clone()];
        if self.activations.low.is_empty() {
            finish_bytes(isa, tile, of_panel, parameters, high_sums, outputs);
        } else {
            let low_sums = &self.activations.low_sums[rows];
            finish_pairs(
                isa,
                tile,
                of_panel,
                parameters,
                [high_sums, low_sums],
                outputs,
            );
        }
    }
}

/// What turns the integers of one panel into f32, for one kind of activations.
#[repr(C, align(64))]
struct Parameters {
    /// What of each column's sum does not depend on the row.
    corrections: [i32; PANEL],
    /// Of activations and weights together.
    scales: [f32; PANEL],
    bias: [f32; PANEL],
    /// Of the activations.
    scale: f32,
    activation: Activation,
}

impl Parameters {
    fn of(activation: Activation) -> Parameters {
        Parameters {
            corrections: [0; PANEL],
            scales: [0.0; PANEL],
            // The identity of addition: a positive zero would turn -0 into 0.
            bias: [-0.0; PANEL],
            scale: 0.0,
            activation,
        }
    }
}

/// With `a` and `w` stored and `za`, `zw` the zero points, the sum of `(a - za) (w - zw)` is
/// the sum of `a w`, less `zw` times the sum of `a`, less `za` times the sum of `w`, plus
/// `depth za zw`: the last two are the same for every row.
#[inline(always)]
fn prepare_body<R: Rounding>(
    columns: &PanelColumns,
    activations: (f32, i32),
    depth: i32,
    parameters: &mut Parameters,
) {
    let (scale, zero) = activations;
    parameters.scale = scale;
    for column in 0..PANEL {
        let (sum, weight_zero) = (columns.sums[column], columns.zero_points[column]);
        parameters.corrections[column] = depth * zero * weight_zero - zero * sum;
        parameters.scales[column] = scale * columns.scales[column];
    }
}

vectorized! {
    /// Fills in what depends on the panel and on `activations`, their scale and zero point.
    fn prepare(
        columns: &PanelColumns,
        activations: (f32, i32),
        depth: i32,
        parameters: &mut Parameters,
    ) = prepare_body
}

/// Where a row of a tile is stored, and what is added to it: at most [`PANEL`] columns.
#[derive(Default)]
struct Row<'a> {
    values: &'a mut [f32],
    residual: Option<&'a [f32]>,
}

impl Row<'_> {
    /// Bias, activation and residual, in this order.
    #[inline(always)]
    fn store<R: Rounding>(&mut self, products: &mut [f32; PANEL], parameters: &Parameters) {
        for (x, bias) in products.iter_mut().zip(&parameters.bias) {
            *x += bias;
        }
        if parameters.activation == Activation::Gelu {
            for x in products.iter_mut() {
                *x = gelu::<R>(*x);
            }
        }
        if let Some(residual) = self.residual {
            for (x, residual) in products.iter_mut().zip(residual) {
                *x += residual;
            }
        }
        // A length that is known at compile time is copied without a call.
        match <&mut [f32; PANEL]>::try_from(&mut *self.values) {
            Ok(values) => *values = *products,
            Err(_) => self.values.copy_from_slice(&products[..self.values.len()]),
        }
    }
}

#[inline(always)]
fn finish_bytes_body<R: Rounding>(
    tile: &IntegerTile,
    columns: &PanelColumns,
    parameters: &Parameters,
    row_sums: &[i32],
    outputs: &mut [Row<'_>],
) {
    for ((sums, &row_sum), output) in tile.iter().zip(row_sums).zip(outputs) {
        let mut products = Aligned([0.0; PANEL]);
        for column in 0..PANEL {
            let zero = columns.zero_points[column];
            let whole = sums[column] + parameters.corrections[column] - zero * row_sum;
            products.0[column] = whole as f32 * parameters.scales[column];
        }
        output.store::<R>(&mut products.0, parameters);
    }
}

vectorized! {
    /// Turns the first rows of a tile, sums over bytes, into f32.
    fn finish_bytes(
        tile: &IntegerTile,
        columns: &PanelColumns,
        parameters: &Parameters,
        row_sums: &[i32],
        outputs: &mut [Row<'_>],
    ) = finish_bytes_body
}

#[inline(always)]
fn finish_pairs_body<R: Rounding>(
    tile: &IntegerTile,
    columns: &PanelColumns,
    parameters: &Parameters,
    row_sums: [&[i32]; 2],
    outputs: &mut [Row<'_>],
) {
    let (high_tile, low_tile) = tile.split_at(outputs.len());
    let sums = high_tile.iter().zip(low_tile);
    let row_sums = row_sums[0].iter().zip(row_sums[1]);
    for (((high, low), (&high_sum, &low_sum)), output) in sums.zip(row_sums).zip(outputs) {
        let total = (high_sum as f32 * 256.0 + low_sum as f32) * parameters.scale;
        let mut products = Aligned([0.0; PANEL]);
        for column in 0..PANEL {
            let zero = columns.zero_points[column];
            let high = (high[column] - zero * high_sum) as f32;
            let low = (low[column] - zero * low_sum) as f32;
            let product = R::multiply_add(high, 256.0, low) * parameters.scales[column];
            products.0[column] = R::multiply_add(columns.offsets[column], total, product);
        }
        output.store::<R>(&mut products.0, parameters);
    }
}

vectorized! {
    /// Turns the first rows of a tile, the sums of the high plane and then those of the low
    /// one, into f32.
    fn finish_pairs(
        tile: &IntegerTile,
        columns: &PanelColumns,
        parameters: &Parameters,
        row_sums: [&[i32]; 2],
        outputs: &mut [Row<'_>],
    ) = finish_pairs_body
}
