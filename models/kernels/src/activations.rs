//! Activations quantized as they come: to a byte as ONNX's `DynamicQuantizeLinear` does, or
//! to twenty-three bits in three planes of bytes, so that one integer kernel serves both.

use crate::Isa;
use crate::vector::{WIDE_STEPS, minimum_maximum, quantize_bytes, quantize_wide, sum_bytes};

/// Quantized rows, ready for [`crate::QuantizedMatrix::multiply`]. Meant to be kept and
/// filled again, so that its buffers are allocated once.
#[derive(Debug, Clone, Default)]
pub struct Activations {
    /// One plane of bytes, or the high bytes of three.
    pub(crate) high: Vec<i8>,
    /// The other bytes; empty when one plane is enough.
    pub(crate) middle: Vec<i8>,
    pub(crate) low: Vec<i8>,
    /// Sums over each row of each plane.
    pub(crate) high_sums: Vec<i32>,
    pub(crate) middle_sums: Vec<i32>,
    pub(crate) low_sums: Vec<i32>,
    pub(crate) rows: usize,
    /// Bytes from one row to the next.
    pub(crate) stride: usize,
    /// Bytes of a row that are multiplied, zeros up to a multiple of four among them.
    pub(crate) padded_depth: usize,
    /// Values of a row.
    pub(crate) depth: usize,
    /// What one step of a value is worth.
    pub(crate) scale: f32,
    /// The stored byte that stands for zero.
    pub(crate) zero_point: i32,
}

impl Activations {
    /// Quantizes `values`, `[rows, depth]`, to a byte: one scale and zero point for them all,
    /// zero always exact (ONNX operator `DynamicQuantizeLinear`, opset 11).
    ///
    /// # Panics
    /// When `values` is not whole rows.
    pub fn quantize(&mut self, isa: Isa, values: &[f32], depth: usize) {
        assert!(depth > 0 && values.len().is_multiple_of(depth));
        let (least, greatest) = minimum_maximum(isa, values);
        let (least, greatest) = (least.min(0.0), greatest.max(0.0));
        let scale = if greatest == least {
            1.0
        } else {
            (greatest - least) / 255.0
        };
        let zero_point = (0.0 - least / scale).clamp(0.0, 255.0).round_ties_even();
        // The scale of the least subnormals is zero, and zero over zero is not a number.
        let zero_point = if zero_point.is_nan() { 0.0 } else { zero_point };
        self.lay_out(values.len() / depth, depth);
        self.scale = scale;
        self.zero_point = zero_point as i32 - 128;
        for plane in [&mut self.middle, &mut self.low] {
            plane.clear();
        }
        for sums in [
            &mut self.high_sums,
            &mut self.middle_sums,
            &mut self.low_sums,
        ] {
            sums.clear();
        }
        let rows = values
            .chunks_exact(depth)
            .zip(self.high.chunks_exact_mut(self.stride));
        for (row, out) in rows {
            quantize_bytes(isa, row, scale, zero_point, &mut out[..depth]);
            self.high_sums.push(sum_bytes(isa, &out[..depth]));
        }
    }

    /// Quantizes `values`, `[rows, depth]`, to twenty-three bits of one symmetric scale: what
    /// f32 resolves of the greatest value, for two thirds of the cost of f32's products.
    ///
    /// # Panics
    /// When `values` is not whole rows.
    pub fn quantize_wide(&mut self, isa: Isa, values: &[f32], depth: usize) {
        assert!(depth > 0 && values.len().is_multiple_of(depth));
        self.lay_out(values.len() / depth, depth);
        let inverse = self.widen(isa, values);
        let planes = self.high.chunks_exact_mut(self.stride);
        let planes = planes.zip(self.middle.chunks_exact_mut(self.stride));
        let planes = planes.zip(self.low.chunks_exact_mut(self.stride));
        for (row, ((high, middle), low)) in values.chunks_exact(depth).zip(planes) {
            let (high, middle) = (&mut high[..depth], &mut middle[..depth]);
            quantize_wide(isa, row, inverse, high, middle, &mut low[..depth]);
        }
        self.sum_rows(isa);
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Row `row` of a plane.
    pub(crate) fn row<'a>(&self, plane: &'a [i8], row: usize) -> &'a [i8] {
        &plane[row * self.stride..][..self.padded_depth]
    }

    fn lay_out(&mut self, rows: usize, depth: usize) {
        self.rows = rows;
        self.depth = depth;
        self.padded_depth = depth.next_multiple_of(4);
        self.stride = self.padded_depth;
        self.high.clear();
        self.high.resize(rows * self.stride, 0);
    }

    /// Makes room for the lower planes, sets the scale and returns its inverse.
    fn widen(&mut self, isa: Isa, values: &[f32]) -> f32 {
        for plane in [&mut self.middle, &mut self.low] {
            plane.clear();
            plane.resize(self.high.len(), 0);
        }
        let (least, greatest) = minimum_maximum(isa, values);
        let greatest = greatest.max(-least);
        // Silence: any scale will do, as every value is zero.
        self.scale = if greatest > 0.0 {
            greatest / WIDE_STEPS
        } else {
            1.0
        };
        self.zero_point = 0;
        1.0 / self.scale
    }

    fn sum_rows(&mut self, isa: Isa) {
        let sums = |plane: &[i8]| {
            (0..self.rows)
                .map(|row| sum_bytes(isa, self.row(plane, row)))
                .collect()
        };
        let (high, middle, low) = (sums(&self.high), sums(&self.middle), sums(&self.low));
        self.high_sums = high;
        self.middle_sums = middle;
        self.low_sums = low;
    }
}

#[cfg(test)]
mod tests;
