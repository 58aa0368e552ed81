//! Weights in f32, packed once, times rows in f32: for the first convolution, whose input is
//! the sound itself.

use crate::Pool;
use crate::aligned::{Aligned, AlignedFloats};
use crate::isa::Isa;
use crate::tiles::{PANEL, TILE_ROWS, float_tile};

/// What a product goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// The exact Gaussian error linear unit.
    Gelu,
}

/// A matrix of f32, `[depth, columns]`, packed for the kernels of one [`Isa`].
pub struct Matrix {
    isa: Isa,
    depth: usize,
    columns: usize,
    packed: AlignedFloats,
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Matrix({} x {}, {})",
            self.depth,
            self.columns,
            self.isa.name()
        )
    }
}

/// Rows that one task makes.
const ROWS_OF_TASK: usize = 4 * TILE_ROWS;

impl Matrix {
    /// Packs what `value(depth, column)` gives.
    ///
    /// # Panics
    /// When `depth` or `columns` is zero.
    pub fn pack(
        isa: Isa,
        depth: usize,
        columns: usize,
        value: impl Fn(usize, usize) -> f32,
    ) -> Matrix {
        assert!(depth > 0 && columns > 0);
        let mut packed = AlignedFloats::zeroed(columns.div_ceil(PANEL) * depth * PANEL);
        for (panel, floats) in packed
            .as_mut_slice()
            .chunks_exact_mut(depth * PANEL)
            .enumerate()
        {
            for (index, float) in floats.iter_mut().enumerate() {
                let (k, n) = (index / PANEL, panel * PANEL + index % PANEL);
                if n < columns {
                    *float = value(k, n);
                }
            }
        }
        Matrix {
            isa,
            depth,
            columns,
            packed,
        }
    }

    /// Columns of the matrix: the width of the products.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The product of overlapping rows of `input` and the matrix, into `output`,
    /// `[rows, columns]`: row `r` is `depth` values from `r * stride`. A convolution, where
    /// `stride` is its step times the channels.
    ///
    /// # Panics
    /// When `input` does not reach to the last row's end.
    pub fn multiply_windows(&self, pool: &Pool, input: &[f32], stride: usize, output: &mut [f32]) {
        assert!(output.len().is_multiple_of(self.columns));
        let blocks = output.chunks_mut(ROWS_OF_TASK * self.columns).enumerate();
        // One lock a block and nobody waits for it: it hands each block to one task.
        let blocks: Vec<_> = blocks
            .map(|block| std::sync::Mutex::new(Some(block)))
            .collect();
        pool.run(blocks.len(), &|task| {
            let block = blocks[task].lock().ok().and_then(|mut block| block.take());
            if let Some((index, output)) = block {
                self.multiply_block(&input[index * ROWS_OF_TASK * stride..], stride, output);
            }
        });
    }

    fn multiply_block(&self, input: &[f32], stride: usize, output: &mut [f32]) {
        let rows = output.len() / self.columns;
        let columns = self.columns;
        let mut tile = Aligned([0.0; TILE_ROWS * PANEL]);
        for first in (0..rows).step_by(TILE_ROWS) {
            let count = TILE_ROWS.min(rows - first);
            let mut inputs: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
            for (row, slice) in inputs.iter_mut().enumerate().take(count) {
                *slice = &input[(first + row) * stride..][..self.depth];
            }
            let inputs = &inputs[..count];
            let panels = self.packed.as_slice().chunks_exact(self.depth * PANEL);
            for (panel, floats) in panels.enumerate() {
                let output = &mut output[first * columns + panel * PANEL..];
                let width = PANEL.min(columns - panel * PANEL);
                if width == PANEL {
                    float_tile(self.isa, inputs, floats, PANEL, output, columns);
                    continue;
                }
                float_tile(self.isa, inputs, floats, PANEL, &mut tile.0, PANEL);
                let sums = tile.0.chunks_exact(PANEL).take(count);
                for (sums, output) in sums.zip(output.chunks_mut(columns)) {
                    output[..width].copy_from_slice(&sums[..width]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
