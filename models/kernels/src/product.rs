//! One product of quantized activations and a [`QuantizedMatrix`]: the loop over tiles, and
//! what turns a tile's integers into f32.

use crate::aligned::Aligned;
use crate::elementary::gelu;
use crate::isa::{Rounding, vectorized};
use crate::quantized::{Activation, PanelColumns};
use crate::tiles::{IntegerTile, PANEL, TILE_ROWS, integer_tile};
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

/// Rows that one task multiplies with each panel while the panel is in the nearest cache.
pub(crate) const ROWS_OF_TASK: usize = 4 * TILE_ROWS;

impl Product<'_> {
    /// Makes the given rows, at most [`ROWS_OF_TASK`], of the given panels. No two tasks may be
    /// given the same.
    pub(crate) fn block(&self, rows: std::ops::Range<usize>, panels: std::ops::Range<usize>) {
        let (matrix, activations) = (self.matrix, self.activations);
        let planes = if activations.low.is_empty() { 1 } else { 3 };
        let rows_of_tile = TILE_ROWS / planes;
        let inputs = self.inputs(rows.clone(), rows_of_tile);
        let mut tile = Aligned::<IntegerTile>([[0; PANEL]; TILE_ROWS]);
        let mut parameters = Parameters::of(self.epilogue.activation);
        let packed = matrix.panels();
        for panel in panels {
            let bytes = &packed[panel * matrix.panel_bytes..];
            let bytes = &bytes[..matrix.panel_bytes];
            self.prepare(panel, &mut parameters);
            for first in rows.clone().step_by(rows_of_tile) {
                let last = rows.end.min(first + rows_of_tile);
                let inputs = &inputs[planes * (first - rows.start)..planes * (last - rows.start)];
                integer_tile(matrix.isa, inputs, bytes, &mut tile.0);
                self.store(first..last, panel, &parameters, &tile.0);
            }
        }
    }

    /// The rows of each tile in turn: those of the one plane, or of the high plane and then of
    /// the lower ones.
    fn inputs(
        &self,
        rows: std::ops::Range<usize>,
        rows_of_tile: usize,
    ) -> [&[i8]; 3 * ROWS_OF_TASK] {
        let activations = self.activations;
        let mut inputs: [&[i8]; 3 * ROWS_OF_TASK] = [&[]; 3 * ROWS_OF_TASK];
        let mut free = inputs.iter_mut();
        for first in rows.clone().step_by(rows_of_tile) {
            let last = rows.end.min(first + rows_of_tile);
            for plane in [&activations.high, &activations.middle, &activations.low] {
                if !plane.is_empty() {
                    for (row, input) in (first..last).zip(&mut free) {
                        *input = activations.row(plane, row);
                    }
                }
            }
        }
        inputs
    }

    /// What the columns of one panel have in common for every row.
    fn prepare(&self, panel: usize, parameters: &mut Parameters) {
        let matrix = self.matrix;
        let columns = &matrix.parameters()[panel];
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
        let of_panel = &self.matrix.parameters()[panel];
        let place = Place {
            output: &self.output,
            residual: self.epilogue.residual,
            start: rows.start * columns + panel * PANEL,
            stride: columns,
            width: PANEL.min(columns - panel * PANEL),
        };
        let high_sums = &self.activations.high_sums[rows.clone()];
        if self.activations.low.is_empty() {
            finish_bytes(isa, tile, of_panel, parameters, high_sums, &place);
        } else {
            let activations = self.activations;
            let (middle, low) = (&activations.middle_sums, &activations.low_sums);
            let sums = [high_sums, &middle[rows.clone()], &low[rows]];
            finish_wide(isa, tile, of_panel, parameters, sums, &place);
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
    activation: Activation,
}

impl Parameters {
    fn of(activation: Activation) -> Parameters {
        Parameters {
            corrections: [0; PANEL],
            scales: [0.0; PANEL],
            // The identity of addition: a positive zero would turn -0 into 0.
            bias: [-0.0; PANEL],
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

/// Where the rows of a tile are stored, and what is added to them. Made by [`Product::store`]
/// alone, for rows and columns that belong to its task.
struct Place<'a> {
    output: &'a SharedOutput<'a>,
    residual: Option<&'a [f32]>,
    /// Of the first row.
    start: usize,
    /// From one row to the next.
    stride: usize,
    /// Columns, at most [`PANEL`].
    width: usize,
}

impl Place<'_> {
    /// Stores row `row`, whose products `product` gives by column: bias, activation and
    /// residual, in this order.
    #[inline(always)]
    fn store<R: Rounding>(
        &self,
        row: usize,
        parameters: &Parameters,
        product: impl Fn(usize) -> f32,
    ) {
        let start = self.start + row * self.stride;
        // SAFETY: each row of each panel is stored by one task, once.
        let output = unsafe { self.output.slice(start, self.width) };
        let residual = self.residual.map(|all| &all[start..start + self.width]);
        let biased = |column: usize| product(column) + parameters.bias[column];
        let gelu_of = |column: usize| gelu::<R>(biased(column));
        let is_gelu = parameters.activation == Activation::Gelu;
        if let Ok(output) = <&mut [f32; PANEL]>::try_from(&mut *output) {
            let residual = residual.and_then(|residual| <&[f32; PANEL]>::try_from(residual).ok());
            match (is_gelu, residual) {
                (false, None) => fill(output, biased),
                (true, None) => fill(output, gelu_of),
                (false, Some(more)) => fill(output, |column| more[column] + biased(column)),
                (true, Some(more)) => fill(output, |column| more[column] + gelu_of(column)),
            }
        } else {
            let mut whole = [0.0; PANEL];
            if is_gelu {
                fill(&mut whole, gelu_of);
            } else {
                fill(&mut whole, biased);
            }
            output.copy_from_slice(&whole[..output.len()]);
            for (x, more) in output.iter_mut().zip(residual.into_iter().flatten()) {
                *x += more;
            }
        }
    }
}

/// One loop with nothing between its arithmetic and its stores, so that a row stays in
/// registers.
#[inline(always)]
fn fill(output: &mut [f32; PANEL], value: impl Fn(usize) -> f32) {
    for (column, x) in output.iter_mut().enumerate() {
        *x = value(column);
    }
}

#[inline(always)]
fn finish_bytes_body<R: Rounding>(
    tile: &IntegerTile,
    columns: &PanelColumns,
    parameters: &Parameters,
    row_sums: &[i32],
    place: &Place<'_>,
) {
    for (row, (sums, &row_sum)) in tile.iter().zip(row_sums).enumerate() {
        place.store::<R>(row, parameters, |column| {
            let zero = columns.zero_points[column];
            let whole = sums[column] + parameters.corrections[column] - zero * row_sum;
            whole as f32 * parameters.scales[column]
        });
    }
}

vectorized! {
    /// Turns the first rows of a tile, sums over bytes, into f32.
    fn finish_bytes(
        tile: &IntegerTile,
        columns: &PanelColumns,
        parameters: &Parameters,
        row_sums: &[i32],
        place: &Place<'_>,
    ) = finish_bytes_body
}

/// The sums of three planes as one. Each fits an i32 and all of them the digits of an f64, so
/// that nothing is lost before the one rounding to f32, fused or not.
#[inline(always)]
fn combined(high: i32, middle: i32, low: i32) -> f32 {
    (f64::from(high) * 65_536.0 + f64::from(middle) * 256.0 + f64::from(low)) as f32
}

#[inline(always)]
fn finish_wide_body<R: Rounding>(
    tile: &IntegerTile,
    columns: &PanelColumns,
    parameters: &Parameters,
    row_sums: [&[i32]; 3],
    place: &Place<'_>,
) {
    let rows = row_sums[0].len();
    for row in 0..rows {
        let [of_high, of_middle, of_low] = row_sums.map(|sums| sums[row]);
        let (high, middle, low) = (&tile[row], &tile[rows + row], &tile[2 * rows + row]);
        place.store::<R>(row, parameters, |column| {
            let zero = columns.zero_points[column];
            let sum = combined(
                high[column] - zero * of_high,
                middle[column] - zero * of_middle,
                low[column] - zero * of_low,
            );
            sum * parameters.scales[column]
        });
    }
}

vectorized! {
    /// Turns the first rows of a tile, the sums of the high plane and then those of the lower
    /// ones, into f32.
    fn finish_wide(
        tile: &IntegerTile,
        columns: &PanelColumns,
        parameters: &Parameters,
        row_sums: [&[i32]; 3],
        place: &Place<'_>,
    ) = finish_wide_body
}
