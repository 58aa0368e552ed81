//! Weights of eight bits, packed once, times quantized activations.

use crate::aligned::AlignedBytes;
use crate::isa::Isa;
use crate::product::{Product, ROWS_OF_TASK, SharedOutput};
use crate::tiles::{PANEL, TILE_ROWS, weights_are_signed};
use crate::{Activations, Pool};

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
    pub(crate) packed: AlignedBytes,
    /// One for each panel.
    pub(crate) parameters: Vec<PanelColumns>,
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

impl PanelColumns {
    fn new(columns: &[Column], flip: u8) -> PanelColumns {
        let mut parameters = PanelColumns {
            sums: [0; PANEL],
            zero_points: [0; PANEL],
            scales: [0.0; PANEL],
        };
        for (index, column) in columns.iter().enumerate() {
            parameters.zero_points[index] = stored(column.zero_point ^ flip, flip);
            parameters.scales[index] = column.scale;
        }
        parameters
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
        let mut parameters: Vec<PanelColumns> = columns
            .chunks(PANEL)
            .map(|columns| PanelColumns::new(columns, flip))
            .collect();
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
                        parameters[panel].sums[n % PANEL] += stored(*byte, flip);
                    }
                }
            }
        }
        QuantizedMatrix {
            isa,
            depth,
            columns: columns.len(),
            panel_bytes,
            packed,
            parameters,
        }
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
        self.packed.as_slice().len() + size_of_val(&self.parameters[..])
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
        let parameters = &self.parameters[column / PANEL];
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
