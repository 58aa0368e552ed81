//! Tiles for aarch64: up to 24 accumulators of 128 bits stand in the 32 registers.
//!
//! The dot product is written as assembly, because its intrinsics are not stable.

use std::arch::aarch64::*;
use std::arch::asm;

use super::{IntegerTile, PANEL};

/// Vectors of four columns in a panel.
const VECTORS: usize = PANEL / 4;

/// Rows of an integer block: three rows of eight accumulators, a vector of weights and one of
/// activations for each row.
const INTEGER_BLOCK: usize = 3;

/// Rows of an f32 block: six rows of four accumulators, four vectors of values, one factor.
const FLOAT_BLOCK: usize = 6;

/// Adds to the four sums of `$sums` the products of four weights each in `$weights` with lane
/// `$lane`, four bytes, of `$activations`.
macro_rules! sdot {
    ($sums:expr, $weights:expr, $activations:expr, $lane:literal) => {
        // SAFETY: reads and writes these registers alone; the enclosing function has `dotprod`.
        unsafe {
            asm!(
                concat!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[", $lane, "]"),
                inout(vreg) $sums,
                in(vreg) $weights,
                in(vreg) $activations,
                options(pure, nomem, nostack, preserves_flags)
            )
        }
    };
}

/// The integer tile by `sdot`.
///
/// # Safety
/// The CPU has the dot product; every row has `panel.len() / PANEL` bytes, a multiple of four.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn integer_tile_dot(rows: &[&[i8]], panel: &[u8], tile: &mut IntegerTile) {
    for (rows, tile) in rows
        .chunks(INTEGER_BLOCK)
        .zip(tile.chunks_mut(INTEGER_BLOCK))
    {
        // SAFETY: the feature and the depth by the caller's word; the rows are counted here.
        unsafe {
            match rows.len() {
                1 => dot_block::<1>(rows, panel, tile),
                2 => dot_block::<2>(rows, panel, tile),
                _ => dot_block::<INTEGER_BLOCK>(rows, panel, tile),
            }
        }
    }
}

/// # Safety
/// As [`integer_tile_dot`]; there are at least `R` rows.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_block<const R: usize>(rows: &[&[i8]], panel: &[u8], tile: &mut [[i32; PANEL]]) {
    let groups = panel.len() / (4 * PANEL);
    let panel = panel.as_ptr().cast::<i8>();
    let rows: [*const i8; R] = std::array::from_fn(|row| rows[row].as_ptr());
    let mut sums = [[vdupq_n_s32(0); VECTORS]; R];
    /// One group of four depths.
    macro_rules! group {
        ($group:expr, $activations:ident, $lane:literal) => {
            for vector in 0..VECTORS {
                // SAFETY: the group is below the groups of the panel.
                let weights = unsafe { vld1q_s8(panel.add($group * 4 * PANEL + 16 * vector)) };
                for row in 0..R {
                    sdot!(sums[row][vector], weights, $activations[row], $lane);
                }
            }
        };
    }
    let mut group = 0;
    while group + 4 <= groups {
        // SAFETY: four groups, sixteen bytes, are left of every row.
        let activations: [int8x16_t; R] =
            std::array::from_fn(|row| unsafe { vld1q_s8(rows[row].add(4 * group)) });
        group!(group, activations, 0);
        group!(group + 1, activations, 1);
        group!(group + 2, activations, 2);
        group!(group + 3, activations, 3);
        group += 4;
    }
    while group < groups {
        let activations: [int8x16_t; R] = std::array::from_fn(|row| {
            // SAFETY: a group, four bytes, is left of every row.
            let four = unsafe { rows[row].add(4 * group).cast::<i32>().read_unaligned() };
            vreinterpretq_s8_s32(vdupq_n_s32(four))
        });
        group!(group, activations, 0);
        group += 1;
    }
    for (sums, out) in sums.iter().zip(tile) {
        for (sum, out) in sums.iter().zip(out.chunks_exact_mut(4)) {
            // SAFETY: four columns, by the chunk.
            unsafe { vst1q_s32(out.as_mut_ptr(), *sum) };
        }
    }
}

/// The integer tile by `smull` and `sadalp`, which is exact: a product of bytes fits sixteen
/// bits, and two of them are added in thirty-two.
///
/// # Safety
/// The CPU has NEON; every row has `panel.len() / PANEL` bytes, a multiple of four.
#[target_feature(enable = "neon")]
pub(super) unsafe fn integer_tile(rows: &[&[i8]], panel: &[u8], tile: &mut IntegerTile) {
    for (rows, tile) in rows
        .chunks(INTEGER_BLOCK)
        .zip(tile.chunks_mut(INTEGER_BLOCK))
    {
        // SAFETY: the depth by the caller's word; the rows are counted here.
        unsafe {
            match rows.len() {
                1 => long_block::<1>(rows, panel, tile),
                2 => long_block::<2>(rows, panel, tile),
                _ => long_block::<INTEGER_BLOCK>(rows, panel, tile),
            }
        }
    }
}

/// # Safety
/// As [`integer_tile`]; there are at least `R` rows.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn long_block<const R: usize>(rows: &[&[i8]], panel: &[u8], tile: &mut [[i32; PANEL]]) {
    /// Vectors of four columns at a time, each in two accumulators of half sums.
    const AT_ONCE: usize = 4;
    let groups = panel.len() / (4 * PANEL);
    let rows: [*const i8; R] = std::array::from_fn(|row| rows[row].as_ptr());
    for first in (0..VECTORS).step_by(AT_ONCE) {
        // Wrapping, as a panel without depth has no such column.
        let panel = panel.as_ptr().wrapping_add(16 * first).cast::<i8>();
        let mut sums = [[vdupq_n_s32(0); 2 * AT_ONCE]; R];
        for group in 0..groups {
            let activations: [int8x16_t; R] = std::array::from_fn(|row| {
                // SAFETY: `group` is below the groups of every row.
                let four = unsafe { rows[row].add(4 * group).cast::<i32>().read_unaligned() };
                vreinterpretq_s8_s32(vdupq_n_s32(four))
            });
            for vector in 0..AT_ONCE {
                // SAFETY: `group` is below the groups of the panel.
                let weights = unsafe { vld1q_s8(panel.add(group * 4 * PANEL + 16 * vector)) };
                for (sums, activations) in sums.iter_mut().zip(activations) {
                    let low = vmull_s8(vget_low_s8(weights), vget_low_s8(activations));
                    let high = vmull_high_s8(weights, activations);
                    sums[2 * vector] = vpadalq_s16(sums[2 * vector], low);
                    sums[2 * vector + 1] = vpadalq_s16(sums[2 * vector + 1], high);
                }
            }
        }
        for (sums, out) in sums.iter().zip(tile.iter_mut()) {
            for (vector, halves) in sums.chunks_exact(2).enumerate() {
                let out = &mut out[4 * (first + vector)..][..4];
                // SAFETY: four columns, by the slice above.
                unsafe { vst1q_s32(out.as_mut_ptr(), vpaddq_s32(halves[0], halves[1])) };
            }
        }
    }
}

/// The f32 tile, sixteen columns at a time.
///
/// # Safety
/// The CPU has NEON; every row has `panel.len() / width` values; `width` is a multiple of
/// sixteen; `output` reaches to the end of the last row, `stride` from one to the next.
#[target_feature(enable = "neon")]
pub(super) unsafe fn float_tile(
    rows: &[&[f32]],
    panel: &[f32],
    width: usize,
    output: &mut [f32],
    stride: usize,
    adds: bool,
) {
    let output = output.as_mut_ptr();
    for (block, rows) in rows.chunks(FLOAT_BLOCK).enumerate() {
        // Wrapping only on paper: every block has a row in the output.
        let output = output.wrapping_add(block * FLOAT_BLOCK * stride);
        for first in (0..width).step_by(16) {
            macro_rules! block {
                ($rows:tt) => {
                    float_block::<$rows>(rows, panel, (width, first), output, stride, adds)
                };
            }
            // SAFETY: the depth by the caller's word; rows and columns are counted here.
            unsafe {
                match rows.len() {
                    1 => block!(1),
                    2 => block!(2),
                    3 => block!(3),
                    4 => block!(4),
                    5 => block!(5),
                    _ => block!(FLOAT_BLOCK),
                }
            }
        }
    }
}

/// `R` rows times sixteen columns from column `first` on.
///
/// # Safety
/// As [`float_tile`]; there are at least `R` rows, and columns `first..first + 16` are within
/// `width`; `output` points at the first row, whose `R` rows it may write.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn float_block<const R: usize>(
    rows: &[&[f32]],
    panel: &[f32],
    (width, first): (usize, usize),
    output: *mut f32,
    stride: usize,
    adds: bool,
) {
    let depth = panel.len() / width;
    let rows: [*const f32; R] = std::array::from_fn(|row| rows[row].as_ptr());
    let panel = panel.as_ptr();
    let mut sums = [[vdupq_n_f32(0.0); 4]; R];
    for step in 0..depth {
        // SAFETY: `step` is below the depth of the panel and of every row.
        unsafe {
            let values: [float32x4_t; 4] = std::array::from_fn(|vector| {
                vld1q_f32(panel.add(step * width + first + 4 * vector))
            });
            for (sums, row) in sums.iter_mut().zip(rows) {
                let factor = *row.add(step);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = vfmaq_n_f32(*sum, value, factor);
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (vector, &sum) in sums.iter().enumerate() {
            // SAFETY: the output reaches to the end of row `R - 1`, by the caller's word.
            unsafe {
                let output = output.add(row * stride + first + 4 * vector);
                let total = if adds {
                    vaddq_f32(vld1q_f32(output), sum)
                } else {
                    sum
                };
                vst1q_f32(output, total);
            }
        }
    }
}
