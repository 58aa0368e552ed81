//! Weights of eight bits, packed once, times quantized activations.

use crate::isa::Isa;
use crate::product::{Product, ROWS_OF_TASK, SharedOutput};
use crate::tiles::{PANEL, TILE_ROWS, weights_are_signed};
use crate::weights::{Plain, plain_mut};
use crate::{Activations, Packed, Pool, WeightStore, WeightsError};

/// What the bytes of one output column stand for: `scale * (byte - zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// What one step of a byte is worth.
    pub scale: f32,
    /// The byte that stands for zero.
    pub zero_point: u8,
}

/// What a product goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// The exact Gaussian error linear unit.
    Gelu,
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
    pub(crate) isa: Isa,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    /// Bytes of one packed panel.
    pub(crate) panel_bytes: usize,
    /// The panels, and then what each one's bytes stand for ([`PanelColumns`]).
    packed: Packed,
}

/// What the bytes of one panel stand for, on cache lines of its own; zeros past the last
/// column.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct PanelColumns {
    /// Of the stored bytes.
    pub(crate) sums: [i32; PANEL],
    /// As they are stored.
    pub(crate) zero_points: [i32; PANEL],
    pub(crate) scales: [f32; PANEL],
}

// SAFETY: integers and floats, three lines of them without padding.
unsafe impl Plain for PanelColumns {}

impl PanelColumns {
    /// Of zeroed memory.
    fn describe(&mut self, columns: &[Column], flip: u8) {
        for (index, column) in columns.iter().enumerate() {
            self.zero_points[index] = stored(column.zero_point ^ flip, flip);
            self.scales[index] = column.scale;
        }
    }
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

/// Panels of one task where rows are few.
const PANELS_OF_TASK: usize = 4;

impl QuantizedMatrix {
    /// Packs the bytes that `value(depth, column)` gives, or takes them from the store.
    ///
    /// # Errors
    /// When the store shares weights, and these are not the next.
    ///
    /// # Panics
    /// When `depth` is zero or there are no columns.
    pub fn pack(
        isa: Isa,
        store: &WeightStore,
        depth: usize,
        columns: &[Column],
        value: impl Fn(usize, usize) -> u8,
    ) -> Result<QuantizedMatrix, WeightsError> {
        assert!(depth > 0 && !columns.is_empty());
        let flip = if weights_are_signed(isa) { 0x80 } else { 0 };
        let panels = columns.len().div_ceil(PANEL);
        let panel_bytes = depth.next_multiple_of(4) * PANEL;
        let length = panels * (panel_bytes + size_of::<PanelColumns>());
        let packed = store.next(length, |bytes| {
            let (packed, parameters) = bytes.split_at_mut(panels * panel_bytes);
            let parameters = plain_mut::<PanelColumns>(parameters);
            let panels = packed.chunks_exact_mut(panel_bytes).zip(parameters);
            for (panel, (bytes, parameters)) in panels.enumerate() {
                let first = panel * PANEL;
                let last = columns.len().min(first + PANEL);
                parameters.describe(&columns[first..last], flip);
                for (index, byte) in bytes.iter_mut().enumerate() {
                    let (k, n) = (
                        index / (4 * PANEL) * 4 + index % 4,
                        first + index % (4 * PANEL) / 4,
                    );
                    if k < depth && n < columns.len() {
                        *byte = value(k, n) ^ flip;
                        parameters.sums[n % PANEL] += stored(*byte, flip);
                    }
                }
            }
        })?;
        Ok(QuantizedMatrix {
            isa,
            depth,
            columns: columns.len(),
            panel_bytes,
            packed,
        })
    }

    /// The packed panels, one after the other.
    pub(crate) fn panels(&self) -> &[u8] {
        let panels = self.columns.div_ceil(PANEL);
        &self.packed.bytes()[..panels * self.panel_bytes]
    }

    /// What the bytes of each panel stand for.
    pub(crate) fn parameters(&self) -> &[PanelColumns] {
        let panels = self.columns.div_ceil(PANEL);
        self.packed.values(panels * self.panel_bytes)
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
        self.packed.bytes().len()
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
        let panel = &self.panels()[column / PANEL * self.panel_bytes..];
        let parameters = &self.parameters()[column / PANEL];
        for (k, out) in output.iter_mut().enumerate() {
            let byte = panel[(k / 4 * PANEL + column % PANEL) * 4 + k % 4];
            let steps = stored(byte, flip) - parameters.zero_points[column % PANEL];
            *out = steps as f32 * parameters.scales[column % PANEL];
        }
    }

    /// The product of `activations`, `[rows, depth]`, and the matrix, into `output`,
    /// `[rows, columns]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
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
        let panels = self.columns.div_ceil(PANEL);
        let product = Product {
            matrix: self,
            activations,
            epilogue,
            output: SharedOutput::new(output),
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
}

/// The value of a stored byte: signed where the kernel takes signed bytes.
fn stored(byte: u8, flip: u8) -> i32 {
    if flip == 0 {
        i32::from(byte)
    } else {
        i32::from(byte as i8)
    }
}

#[cfg(test)]
mod tests;
