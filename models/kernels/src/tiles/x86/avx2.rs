//! Tiles for x86-64 with 256-bit vectors: twelve accumulators stand in the sixteen registers,
//! so the rows of a tile are taken in blocks of up to six.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use crate::tiles::{IntegerTile, PANEL};

/// Most rows of a block: twelve accumulators, two vectors of the panel, one factor.
const BLOCK_ROWS: usize = 6;

/// Rows of each block, so that blocks are of about one size: 7 rows are better taken as 4 and
/// 3 than as 6 and 1.
fn rows_of_block(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(BLOCK_ROWS).max(1)).max(1)
}

/// Depths that are multiplied at a time: their part of a panel, which is read for eight columns
/// after eight, and the activations widened beside it stay in the nearest cache together.
const WIDENED: usize = 512;

/// Activations widened to sixteen bits, `[row][depth]`. Written before it is read.
type Words = [[MaybeUninit<i16>; WIDENED]; BLOCK_ROWS];

/// The integer tile by `vpmaddwd` on bytes widened to words, which is exact.
///
/// # Safety
/// The CPU has AVX2; every row has `panel.len() / PANEL` bytes, a multiple of four.
#[target_feature(enable = "avx2")]
pub(in crate::tiles) unsafe fn integer_tile_avx2(
    rows: &[&[i8]],
    panel: &[u8],
    tile: &mut IntegerTile,
) {
    let depth = panel.len() / PANEL;
    let mut words: Words = [[MaybeUninit::uninit(); WIDENED]; BLOCK_ROWS];
    let height = rows_of_block(rows.len());
    for (rows, sums) in rows.chunks(height).zip(tile.chunks_mut(height)) {
        for row in sums.iter_mut().take(rows.len()) {
            *row = [0; PANEL];
        }
        for start in (0..depth).step_by(WIDENED) {
            let count = WIDENED.min(depth - start);
            for (row, words) in rows.iter().zip(&mut words) {
                widen(&row[start..start + count], &mut words[..count]);
            }
            let panel = &panel[start * PANEL..][..count * PANEL];
            // SAFETY: as many rows of words as the block has were written, `count` words each.
            unsafe {
                match rows.len() {
                    1 => words_times_panel::<1, 8>(&words, panel, sums),
                    2 => words_times_panel::<2, 4>(&words, panel, sums),
                    3 => words_times_panel::<3, 2>(&words, panel, sums),
                    4 => words_times_panel::<4, 2>(&words, panel, sums),
                    5 => words_times_panel::<5, 2>(&words, panel, sums),
                    6 => words_times_panel::<6, 2>(&words, panel, sums),
                    rows => unreachable!("a block of {rows} rows"),
                }
            }
        }
    }
}

/// Sign-extends `bytes` into `words`, which is as long.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(bytes: &[i8], words: &mut [MaybeUninit<i16>]) {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let (out_chunks, out_rest) = words.as_chunks_mut::<16>();
    for (bytes, words) in chunks.iter().zip(out_chunks) {
        // SAFETY: both are sixteen elements long.
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            _mm256_storeu_si256(words.as_mut_ptr().cast(), _mm256_cvtepi8_epi16(bytes));
        }
    }
    for (&byte, word) in rest.iter().zip(out_rest) {
        word.write(i16::from(byte));
    }
}

/// Adds to `tile` the product of `R` rows of words and a panel, `V` vectors of four columns at
/// a time.
///
/// # Safety
/// The CPU has AVX2; the first `panel.len() / PANEL` words of the first `R` rows were written;
/// `tile` has at least `R` rows.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn words_times_panel<const R: usize, const V: usize>(
    words: &Words,
    panel: &[u8],
    tile: &mut [[i32; PANEL]],
) {
    let groups = panel.len() / (4 * PANEL);
    for first in (0..PANEL / 4).step_by(V) {
        let panel = panel.as_ptr().wrapping_add(16 * first);
        let mut sums = [[_mm256_setzero_si256(); V]; R];
        for group in 0..groups {
            // SAFETY: `group` is below the groups of the panel, four words each of every row.
            unsafe {
                let weights: [__m256i; V] = std::array::from_fn(|vector| {
                    let bytes = panel.add(group * 4 * PANEL + 16 * vector);
                    _mm256_cvtepu8_epi16(_mm_loadu_si128(bytes.cast()))
                });
                for (sums, words) in sums.iter_mut().zip(words) {
                    let four = words.as_ptr().add(4 * group).cast::<i64>().read_unaligned();
                    let four = _mm256_set1_epi64x(four);
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(weights, four));
                    }
                }
            }
        }
        for (sums, out) in sums.iter().zip(tile.iter_mut()) {
            for (pair, sums) in sums.chunks_exact(2).enumerate() {
                // Each sum is in two halves; the addition puts the columns in the order
                // 0 1 4 5 2 3 6 7.
                let halves = _mm256_hadd_epi32(sums[0], sums[1]);
                let total = _mm256_permute4x64_epi64::<0b11_01_10_00>(halves);
                let out = out[4 * first + 8 * pair..][..8].as_mut_ptr().cast();
                // SAFETY: eight columns, by the slice above.
                unsafe {
                    _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), total))
                };
            }
        }
    }
}

/// Integer tiles by the 256-bit `vpdpbusd`, under the name and features that a CPU has it by.
macro_rules! integer_tile_by_dot_product {
    ($(#[$meta:meta])* $name:ident, $features:literal, $dot_product:ident) => {
        $(#[$meta])*
        ///
        /// # Safety
        /// The CPU has these features; every row has `panel.len() / PANEL` bytes, a multiple of
        /// four.
        #[target_feature(enable = $features)]
        pub(in crate::tiles) unsafe fn $name(
            rows: &[&[i8]],
            panel: &[u8],
            tile: &mut IntegerTile,
        ) {
            /// # Safety
            /// As above; there are `R` rows, and `tile` has at least as many.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn block<const R: usize, const V: usize>(
                rows: &[&[i8]],
                panel: &[u8],
                tile: &mut [[i32; PANEL]],
            ) {
                let groups = panel.len() / (4 * PANEL);
                let rows: [*const i8; R] = std::array::from_fn(|row| rows[row].as_ptr());
                for first in (0..PANEL / 8).step_by(V) {
                    // Wrapping, as a panel without depth has no such column.
                    let panel = panel.as_ptr().wrapping_add(32 * first);
                    let mut sums = [[_mm256_setzero_si256(); V]; R];
                    for group in 0..groups {
                        // SAFETY: `group` is below the groups of the panel and of every row.
                        unsafe {
                            let weights: [__m256i; V] = std::array::from_fn(|vector| {
                                let bytes = panel.add(group * 4 * PANEL + 32 * vector);
                                _mm256_loadu_si256(bytes.cast())
                            });
                            for (sums, row) in sums.iter_mut().zip(rows) {
                                let four = row.add(4 * group).cast::<i32>().read_unaligned();
                                let four = _mm256_set1_epi32(four);
                                for (sum, weights) in sums.iter_mut().zip(weights) {
                                    *sum = $dot_product(*sum, weights, four);
                                }
                            }
                        }
                    }
                    for (sums, out) in sums.iter().zip(tile.iter_mut()) {
                        for (vector, sum) in sums.iter().enumerate() {
                            let out = &mut out[8 * (first + vector)..][..8];
                            // SAFETY: eight columns, by the slice above.
                            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *sum) };
                        }
                    }
                }
            }
            let height = rows_of_block(rows.len());
            for (rows, tile) in rows.chunks(height).zip(tile.chunks_mut(height)) {
                // SAFETY: the features by the caller's word; the rows are counted here.
                unsafe {
                    match rows.len() {
                        1 => block::<1, 4>(rows, panel, tile),
                        2 => block::<2, 4>(rows, panel, tile),
                        3 => block::<3, 2>(rows, panel, tile),
                        4 => block::<4, 2>(rows, panel, tile),
                        5 => block::<5, 2>(rows, panel, tile),
                        6 => block::<6, 2>(rows, panel, tile),
                        rows => unreachable!("a block of {rows} rows"),
                    }
                }
            }
        }
    };
}

integer_tile_by_dot_product! {
    /// The integer tile by AVX-VNNI.
    integer_tile_avx_vnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32
}

#[cfg(test)]
integer_tile_by_dot_product! {
    /// The same by AVX-512's encoding of the same instruction, so that CPUs which lack AVX-VNNI
    /// test its kernel.
    integer_tile_avx512_vl, "avx2,avx512vl,avx512vnni", _mm256_dpbusd_epi32
}

/// The f32 tile, sixteen columns (few rows: 32) at a time.
///
/// # Safety
/// The CPU has AVX2 and FMA; every row has `panel.len() / width` values; `width` is a multiple
/// of sixteen; `output` reaches to the end of the last row, `stride` from one to the next.
#[target_feature(enable = "avx2,fma")]
pub(in crate::tiles) unsafe fn float_tile_avx2(
    rows: &[&[f32]],
    panel: &[f32],
    width: usize,
    output: &mut [f32],
    stride: usize,
    adds: bool,
) {
    let height = rows_of_block(rows.len());
    let output = output.as_mut_ptr();
    for (block, rows) in rows.chunks(height).enumerate() {
        // Wrapping only on paper: every block has a row in the output.
        let output = output.wrapping_add(block * height * stride);
        let mut first = 0;
        while first < width {
            // Few rows need more columns, or each sum would wait for the one before it.
            let wide = rows.len() <= 2 && width - first >= 32;
            macro_rules! block {
                ($rows:literal, $vectors:literal) => {
                    float_block::<$rows, $vectors>(
                        rows,
                        panel,
                        (width, first),
                        output,
                        stride,
                        adds,
                    )
                };
            }
            // SAFETY: as many rows as said; their depth by the caller's word; columns from
            // `first` on, 16 or, where so many are left, 32.
            unsafe {
                match rows.len() {
                    1 if wide => block!(1, 4),
                    2 if wide => block!(2, 4),
                    1 => block!(1, 2),
                    2 => block!(2, 2),
                    3 => block!(3, 2),
                    4 => block!(4, 2),
                    5 => block!(5, 2),
                    6 => block!(6, 2),
                    rows => unreachable!("a block of {rows} rows"),
                }
            }
            first += if wide { 32 } else { 16 };
        }
    }
}

/// `R` rows times `8 * V` columns from column `first` on.
///
/// # Safety
/// The CPU has AVX2 and FMA; there are `R` rows of `panel.len() / width` values; columns
/// `first..first + 8 * V` are within `width`; `output` points at the first row, whose `R` rows
/// it may write.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn float_block<const R: usize, const V: usize>(
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
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    for step in 0..depth {
        // SAFETY: `step` is below the depth of the panel and of every row.
        unsafe {
            let values: [__m256; V] = std::array::from_fn(|vector| {
                _mm256_loadu_ps(panel.add(step * width + first + 8 * vector))
            });
            for (sums, row) in sums.iter_mut().zip(rows) {
                let factor = _mm256_broadcast_ss(&*row.add(step));
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = _mm256_fmadd_ps(factor, value, *sum);
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (vector, &sum) in sums.iter().enumerate() {
            // SAFETY: the output reaches to the end of row `R - 1`, by the caller's word.
            unsafe {
                let output = output.add(row * stride + first + 8 * vector);
                let total = if adds {
                    _mm256_add_ps(_mm256_loadu_ps(output), sum)
                } else {
                    sum
                };
                _mm256_storeu_ps(output, total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_256_bit_dot_product_kernel_equals_the_widening_one() {
        if !(is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni"))
        {
            return;
        }
        for depth in [0, 4, 36, 288] {
            let panel: Vec<u8> = (0..depth * PANEL)
                .map(|i| (i * 37 + i / 251) as u8)
                .collect();
            for count in 1..=crate::tiles::TILE_ROWS {
                let rows: Vec<Vec<i8>> = (0..count)
                    .map(|row| (0..depth).map(|k| (k * 91 + row * 13) as i8).collect())
                    .collect();
                let rows: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
                let mut expected = [[-1; PANEL]; crate::tiles::TILE_ROWS];
                let mut actual = expected;
                // SAFETY: the features were asked for above; rows are as deep as the panel.
                unsafe {
                    integer_tile_avx2(&rows, &panel, &mut expected);
                    integer_tile_avx512_vl(&rows, &panel, &mut actual);
                }
                assert_eq!(actual, expected, "{count} rows, depth {depth}");
            }
        }
    }
}
