//! Tiles for x86-64 with AVX-512: 24 accumulators of 512 bits stand in registers, the factor of
//! a row comes from memory, spread over the lanes.

use std::arch::x86_64::*;

use super::{IntegerTile, PANEL};

mod avx2;

pub(super) use avx2::{float_tile_avx2, integer_tile_avx_vnni, integer_tile_avx2};

/// Accumulators for the columns of a panel.
const VECTORS: usize = PANEL / 16;

/// Most sets of accumulators that a product of few rows alternates between.
const MOST_SETS: usize = 4;

/// # Safety
/// The CPU has AVX-512F and VNNI; there are at least `R` rows, each `panel.len() / PANEL`
/// bytes, a multiple of four.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn integer_tile_vnni<const R: usize>(
    rows: &[&[i8]],
    panel: &[u8],
    tile: &mut IntegerTile,
) {
    let groups = panel.len() / (4 * PANEL);
    let panel = panel.as_ptr();
    let rows: [*const i8; R] = std::array::from_fn(|row| rows[row].as_ptr());
    let mut sums = [[[_mm512_setzero_si512(); VECTORS]; R]; MOST_SETS];
    // Several sets of sums where rows are few, or each sum would wait for the one before it.
    let sets = const {
        if R == 1 {
            MOST_SETS
        } else if R <= 4 {
            2
        } else {
            1
        }
    };
    let mut group = 0;
    while group + sets <= groups {
        for (set, sums) in sums.iter_mut().enumerate().take(sets) {
            // SAFETY: `group + set` is below `groups`.
            unsafe { one_group(&rows, panel, group + set, sums) };
        }
        group += sets;
    }
    while group < groups {
        // SAFETY: `group` is below `groups`.
        unsafe { one_group(&rows, panel, group, &mut sums[0]) };
        group += 1;
    }
    for (row, out) in tile.iter_mut().enumerate().take(R) {
        for (vector, out) in out.chunks_exact_mut(16).enumerate() {
            let total = sums
                .iter()
                .take(sets)
                .map(|sums| sums[row][vector])
                .reduce(|a, b| _mm512_add_epi32(a, b))
                .unwrap_or(_mm512_setzero_si512());
            // SAFETY: a chunk has room for one vector.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), total) };
        }
    }
}

/// # Safety
/// The rows and the panel reach past group `group`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn one_group<const R: usize>(
    rows: &[*const i8; R],
    panel: *const u8,
    group: usize,
    sums: &mut [[__m512i; VECTORS]; R],
) {
    // SAFETY: by the caller's word.
    unsafe {
        let weights: [__m512i; VECTORS] = std::array::from_fn(|vector| {
            _mm512_loadu_si512(panel.add(group * 4 * PANEL + 64 * vector).cast())
        });
        for (&row, sums) in rows.iter().zip(sums.iter_mut()) {
            let activations = row.add(group * 4).cast::<i32>().read_unaligned();
            let activations = _mm512_set1_epi32(activations);
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_dpbusd_epi32(*sum, weights, activations);
            }
        }
    }
}

/// # Safety
/// The CPU has AVX-512F; there are at least `R` rows, each `panel.len() / (16 * V)` deep; `output` has
/// `(R - 1) * stride + 16 * V` elements.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn float_tile_of<const R: usize, const V: usize>(
    rows: &[&[f32]],
    panel: &[f32],
    output: &mut [f32],
    stride: usize,
    adds: bool,
) {
    let depth = panel.len() / (16 * V);
    let panel = panel.as_ptr();
    let rows: [*const f32; R] = std::array::from_fn(|row| rows[row].as_ptr());
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    for step in 0..depth {
        // SAFETY: `step` is below the depth of the panel and of every row.
        unsafe {
            let values: [__m512; V] =
                std::array::from_fn(|vector| _mm512_loadu_ps(panel.add((step * V + vector) * 16)));
            for (&row, sums) in rows.iter().zip(sums.iter_mut()) {
                let factor = _mm512_set1_ps(*row.add(step));
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = _mm512_fmadd_ps(factor, value, *sum);
                }
            }
        }
    }
    let output = output.as_mut_ptr();
    for (row, sums) in sums.iter().enumerate() {
        for (vector, &sum) in sums.iter().enumerate() {
            // SAFETY: the output reaches to the end of row `R - 1`.
            unsafe {
                let output = output.add(row * stride + 16 * vector);
                let total = if adds {
                    _mm512_add_ps(_mm512_loadu_ps(output), sum)
                } else {
                    sum
                };
                _mm512_storeu_ps(output, total);
            }
        }
    }
}

macro_rules! float_tiles {
    ($($name:ident: $vectors:literal),*) => { $(
        /// # Safety
        /// As [`float_tile_of`].
        #[target_feature(enable = "avx512f")]
        pub(super) unsafe fn $name<const R: usize>(
            rows: &[&[f32]],
            panel: &[f32],
            output: &mut [f32],
            stride: usize,
            adds: bool,
        ) {
            // SAFETY: by the caller's word.
            unsafe { float_tile_of::<R, $vectors>(rows, panel, output, stride, adds) }
        }
    )* };
}
float_tiles!(float_tile_1: 1, float_tile_2: 2, float_tile_3: 3, float_tile_4: 4);
