//! The innermost loops: a few rows times one panel of columns, kept in registers.
//!
//! A panel is [`PANEL`] columns wide. Integer panels hold groups of four consecutive depths:
//! `[group][column][4]` bytes, which is what the dot-product instructions take; f32 panels
//! are `[depth][width]`.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::isa::{Emulated, Isa, Level, Rounding};

/// Columns of an integer panel, and of an f32 panel of [`crate::Filters`].
pub(crate) const PANEL: usize = 32;

/// Most rows of a tile: twelve rows of two 512-bit accumulators leave registers for a panel.
pub(crate) const TILE_ROWS: usize = 12;

/// Most columns of an f32 tile: a head of up to 64 dimensions.
pub(crate) const TILE_COLUMNS: usize = 64;

/// Integer sums of a tile, `[row][column]`.
pub(crate) type IntegerTile = [[i32; PANEL]; TILE_ROWS];

/// Calls `$function::<R>` with `R` the number of rows, one of those given.
#[cfg(target_arch = "x86_64")]
macro_rules! by_rows {
    ($rows:expr, [$($count:literal)*], $function:ident $arguments:tt) => {
        match $rows.len() {
            $($count => $function::<$count> $arguments,)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

/// `tile[r][c]` = the sum over depth of `rows[r][depth] * panel[depth][c]`. The weights are
/// unsigned bytes, or signed where [`weights_are_signed`] says so.
///
/// # Panics
/// When a row is not as deep as the panel, or there are none or more than [`TILE_ROWS`].
pub(crate) fn integer_tile(isa: Isa, rows: &[&[i8]], panel: &[u8], tile: &mut IntegerTile) {
    let depth = panel.len() / PANEL;
    assert!(depth.is_multiple_of(4) && panel.len() == depth * PANEL);
    assert!((1..=TILE_ROWS).contains(&rows.len()));
    assert!(rows.iter().all(|row| row.len() == depth));
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => {
            use x86::integer_tile_vnni as kernel;
            // SAFETY: the level proves the features; depths were checked above.
            unsafe { by_rows!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], kernel(rows, panel, tile)) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni => {
            // SAFETY: as above.
            unsafe { x86::integer_tile_avx_vnni(rows, panel, tile) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            // SAFETY: as above.
            unsafe { x86::integer_tile_avx2(rows, panel, tile) }
        }
        #[cfg(target_arch = "aarch64")]
        Level::NeonDot => {
            // SAFETY: as above.
            unsafe { aarch64::integer_tile_dot(rows, panel, tile) }
        }
        #[cfg(target_arch = "aarch64")]
        Level::Neon => {
            // SAFETY: as above.
            unsafe { aarch64::integer_tile(rows, panel, tile) }
        }
        Level::Portable => integer_tile_plain(rows, panel, tile),
    }
}

/// Whether the integer kernels of `isa` take their weights as signed bytes: `sdot` and `smull`
/// multiply signed by signed, `vpdpbusd` unsigned by signed.
pub(crate) fn weights_are_signed(isa: Isa) -> bool {
    match isa.level() {
        #[cfg(target_arch = "aarch64")]
        Level::Neon | Level::NeonDot => true,
        _ => false,
    }
}

/// The reference: what every other integer kernel must equal.
fn integer_tile_plain(rows: &[&[i8]], panel: &[u8], tile: &mut IntegerTile) {
    for (row, sums) in rows.iter().zip(tile.iter_mut()) {
        let mut accumulated = [0_i32; PANEL];
        for (group, activations) in panel.chunks_exact(PANEL * 4).zip(row.chunks_exact(4)) {
            for (sum, weights) in accumulated.iter_mut().zip(group.chunks_exact(4)) {
                for (&weight, &activation) in weights.iter().zip(activations) {
                    *sum += i32::from(weight) * i32::from(activation);
                }
            }
        }
        *sums = accumulated;
    }
}

/// `output[r * stride + c]` = the sum over depth of `rows[r][depth] * panel[depth][c]` for the
/// first `width` columns, or that much more where `adds` says so; `width` is 16, 32, 48 or 64.
/// Each product is added to the ones before it with one rounding.
///
/// # Panics
/// When a row is not as deep as the panel, there are none or more rows than
/// [`rows_of_float_tile`] allows, or the output does not reach to the last of them.
pub(crate) fn float_tile(
    isa: Isa,
    rows: &[&[f32]],
    panel: &[f32],
    width: usize,
    output: &mut [f32],
    stride: usize,
    adds: bool,
) {
    let depth = panel.len() / width;
    assert!(matches!(width, 16 | 32 | 48 | 64) && panel.len() == depth * width);
    assert!(rows.iter().all(|row| row.len() == depth));
    assert!((1..=rows_of_float_tile(width)).contains(&rows.len()));
    assert!(stride >= width && output.len() >= (rows.len() - 1) * stride + width);
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => {
            use x86::{float_tile_1, float_tile_2, float_tile_3, float_tile_4};
            // SAFETY: the level proves the features; depths and output were checked above.
            unsafe {
                match width {
                    16 => {
                        by_rows!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], float_tile_1(rows, panel, output, stride, adds))
                    }
                    32 => {
                        by_rows!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], float_tile_2(rows, panel, output, stride, adds))
                    }
                    48 => {
                        by_rows!(rows, [1 2 3 4 5 6 7 8], float_tile_3(rows, panel, output, stride, adds))
                    }
                    64 => {
                        by_rows!(rows, [1 2 3 4 5 6], float_tile_4(rows, panel, output, stride, adds))
                    }
                    width => unreachable!("an f32 tile {width} wide"),
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::AvxVnni => {
            // SAFETY: as above.
            unsafe { x86::float_tile_avx2(rows, panel, width, output, stride, adds) }
        }
        #[cfg(target_arch = "aarch64")]
        Level::Neon | Level::NeonDot => {
            // SAFETY: as above.
            unsafe { aarch64::float_tile(rows, panel, width, output, stride, adds) }
        }
        Level::Portable => float_tile_plain(rows, panel, width, output, stride, adds),
    }
}

/// Depths that one sum runs over before it is added to those before it, in a product of as many
/// `columns`: where those of a product of f32 are rounded is part of its definition here. It is
/// ONNX Runtime's blocking of a matrix for one thread.
pub(crate) fn depth_of_block(columns: usize, depth: usize) -> usize {
    let (mut block, mut width) = (128, 128);
    if columns < depth {
        while width > 16 && width / 2 >= columns {
            width /= 2;
            block *= 2;
        }
    }
    block
}

/// Most rows of an f32 tile `width` columns wide, so that it stays in registers.
pub(crate) fn rows_of_float_tile(width: usize) -> usize {
    match width {
        0..=32 => 12,
        33..=48 => 8,
        _ => 6,
    }
}

/// The reference: what every other f32 kernel must equal.
fn float_tile_plain(
    rows: &[&[f32]],
    panel: &[f32],
    width: usize,
    output: &mut [f32],
    stride: usize,
    adds: bool,
) {
    for (row, sums) in rows.iter().zip(output.chunks_mut(stride)) {
        for first in (0..width).step_by(16) {
            let mut accumulated = [0.0_f32; 16];
            for (values, &factor) in panel.chunks_exact(width).zip(*row) {
                for (sum, &value) in accumulated.iter_mut().zip(&values[first..first + 16]) {
                    *sum = Emulated::multiply_add(factor, value, *sum);
                }
            }
            for (sum, value) in sums[first..first + 16].iter_mut().zip(accumulated) {
                *sum = if adds { *sum + value } else { value };
            }
        }
    }
}

/// Cases of a property: fewer where every instruction is emulated.
#[cfg(test)]
pub(crate) const CASES: u32 = if cfg!(target_arch = "aarch64") {
    48
} else {
    256
};

#[cfg(test)]
mod tests;
