//! One head of a whole segment.
//!
//! Queries are taken a panel of [`PANEL`] frames at a time, and scores are kept as
//! `[key][query]`: the two products, and the softmax between them, then all vectorise over the
//! queries of a panel, and none of them pads the dimensions of a head.

use std::ops::Range;

use super::{Heads, store_key, turn_pair};
use crate::aligned::{Aligned, AlignedFloats};
use crate::elementary::exp;
use crate::isa::{Isa, Rounding, prefetch, vectorized};
use crate::tiles::{PANEL, TILE_COLUMNS, TILE_ROWS, depth_of_block, float_tile};
use crate::vector::join_lanes;

/// One head of a whole segment, laid out for the tiles.
pub(super) struct WholeHead {
    size: usize,
    frames: usize,
    /// The head's first column in the output.
    pub(super) column: usize,
    /// What scores are multiplied by.
    scale: f32,
    /// `[panel][dimension][frame]`.
    queries: AlignedFloats,
    /// `[frame][dimension]`.
    keys: AlignedFloats,
    /// `[dimension][frame]`.
    values: AlignedFloats,
}

impl WholeHead {
    /// Takes head `head` from `rows`, `[frames, 3 * width]`. `turns`: sine and cosine,
    /// `[frame][pair]`.
    pub(super) fn gather(
        isa: Isa,
        rows: &[f32],
        heads: Heads,
        head: usize,
        turns: &[(f32, f32)],
    ) -> WholeHead {
        let size = heads.size;
        let frames = rows.len() / (3 * heads.width());
        let mut queries = AlignedFloats::zeroed(frames.div_ceil(PANEL) * PANEL * size);
        let mut keys = AlignedFloats::zeroed(frames * size);
        let mut values = AlignedFloats::zeroed(frames * size);
        lay_out(
            isa,
            rows,
            (heads, head),
            turns,
            queries.as_mut_slice(),
            keys.as_mut_slice(),
            values.as_mut_slice(),
        );
        WholeHead {
            size,
            frames,
            column: head * size,
            scale: heads.scale(),
            queries,
            keys,
            values,
        }
    }

    /// Calls `write` with each frame and what it is given.
    pub(super) fn attend(&self, isa: Isa, write: impl Fn(usize, &[f32])) {
        let (size, frames) = (self.size, self.frames);
        // Scores, then what softmax makes of them: `[key][query]`.
        let mut scores = AlignedFloats::zeroed(frames * PANEL);
        let scores = scores.as_mut_slice();
        let mut sums = Aligned([0.0; TILE_COLUMNS * PANEL]);
        let mut output = [0.0; TILE_COLUMNS];
        let block = depth_of_block(size, frames);
        let panels = self.queries.as_slice().chunks_exact(PANEL * size);
        for (panel, queries) in panels.enumerate() {
            keys_times_panel(isa, self.keys.as_slice(), size, queries, scores);
            softmax_columns(isa, scores, self.scale);
            values_times_panel(isa, self.values.as_slice(), block, scores, &mut sums.0);
            let first = panel * PANEL;
            for query in 0..PANEL.min(frames - first) {
                let sums = sums.0.chunks_exact(PANEL);
                for (out, sums) in output.iter_mut().zip(sums).take(size) {
                    *out = sums[query];
                }
                write(first + query, &output[..size]);
            }
        }
    }
}

/// Frames that are asked for ahead of their use: a head's columns of a row are too few, and too
/// far from those of the next, for the CPU to see what comes.
const FRAMES_AHEAD: usize = 4;

#[inline(always)]
fn lay_out_body<R: Rounding>(
    rows: &[f32],
    (heads, head): (Heads, usize),
    turns: &[(f32, f32)],
    queries: &mut [f32],
    keys: &mut [f32],
    values: &mut [f32],
) {
    let (size, width) = (heads.size, heads.width());
    let frames = rows.len() / (3 * width);
    let pairs = turns.len() / frames.max(1);
    let mut query = [0.0; TILE_COLUMNS];
    let query = &mut query[..size];
    for (frame, row) in rows.chunks_exact(3 * width).enumerate() {
        let parts = [0, 1, 2].map(|part| part * width + head * size);
        if let Some(ahead) = rows.get((frame + FRAMES_AHEAD) * 3 * width..) {
            for start in parts {
                prefetch(ahead.get(start..start + size).unwrap_or_default());
            }
        }
        let [own_query, own_key, own_value] = parts.map(|start| &row[start..start + size]);
        let turns = &turns[frame * pairs..][..pairs];
        turn(own_query, turns, query);
        store_key(queries, size, frame, query);
        turn(own_key, turns, &mut keys[frame * size..][..size]);
        for (all, x) in values.chunks_exact_mut(frames).zip(own_value) {
            all[frame] = *x;
        }
    }
}

vectorized! {
    /// Lays out the queries, keys and values of one head of `rows`.
    fn lay_out(
        rows: &[f32],
        head: (Heads, usize),
        turns: &[(f32, f32)],
        queries: &mut [f32],
        keys: &mut [f32],
        values: &mut [f32],
    ) = lay_out_body
}

/// `input` with its first pairs turned.
#[inline(always)]
fn turn(input: &[f32], turns: &[(f32, f32)], output: &mut [f32]) {
    let (turned, rest) = input.split_at(2 * turns.len());
    let (turned_output, rest_output) = output.split_at_mut(2 * turns.len());
    let pairs = turned.as_chunks::<2>().0.iter().zip(turns);
    for (out, (pair, &(sine, cosine))) in turned_output.as_chunks_mut::<2>().0.iter_mut().zip(pairs)
    {
        *out = *pair;
        turn_pair(out, sine, cosine);
    }
    rest_output.copy_from_slice(rest);
}

/// Rows of tiles of about one size that `count` rows are taken in.
fn tile_height(count: usize) -> usize {
    count.div_ceil(count.div_ceil(TILE_ROWS).max(1)).max(1)
}

/// The given part of each of the rows, `depth` long, of a tile.
fn tile_rows(rows: &[f32], depth: usize, part: Range<usize>) -> [&[f32]; TILE_ROWS] {
    let mut slices: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
    for (slice, row) in slices.iter_mut().zip(rows.chunks_exact(depth)) {
        *slice = &row[part.clone()];
    }
    slices
}

/// `output[r][c]` = the sum over depth of `rows[r][depth] * panel[depth][c]`, for any number of
/// rows `depth` long.
fn keys_times_panel(isa: Isa, rows: &[f32], depth: usize, panel: &[f32], output: &mut [f32]) {
    let height = tile_height(rows.len() / depth);
    let tiles = rows.chunks(height * depth);
    for (rows, output) in tiles.zip(output.chunks_mut(height * PANEL)) {
        let inputs = &tile_rows(rows, depth, 0..depth)[..rows.len() / depth];
        float_tile(isa, inputs, panel, PANEL, output, PANEL, false);
    }
}

/// As [`keys_times_panel`], `block` depths at a time: the sum of each block is added to those
/// before it.
fn values_times_panel(isa: Isa, rows: &[f32], block: usize, panel: &[f32], output: &mut [f32]) {
    let depth = panel.len() / PANEL;
    let height = tile_height(rows.len() / depth);
    let tiles = rows.chunks(height * depth);
    for (rows, output) in tiles.zip(output.chunks_mut(height * PANEL)) {
        let count = rows.len() / depth;
        for (index, panel) in panel.chunks(block * PANEL).enumerate() {
            let start = index * block;
            let inputs = tile_rows(rows, depth, start..start + panel.len() / PANEL);
            float_tile(
                isa,
                &inputs[..count],
                panel,
                PANEL,
                output,
                PANEL,
                start > 0,
            );
        }
    }
}

/// Lanes of keys that sums run in.
const LANES: usize = 16;

/// Rows that are divided together: of one alone, the compiler would unroll the loop and then
/// take one column of many rows at a time.
const ROWS_ABREAST: usize = 4;

#[inline(always)]
fn softmax_columns_body<R: Rounding>(scores: &mut [f32], scale: f32) {
    let (rows, _) = scores.as_chunks_mut::<PANEL>();
    let mut greatest = [f32::NEG_INFINITY; PANEL];
    for row in rows.iter() {
        for (greatest, &x) in greatest.iter_mut().zip(row) {
            *greatest = if x > *greatest { x } else { *greatest };
        }
    }
    // The scale is positive, so that the greatest stays the greatest.
    let greatest = greatest.map(|x| x * scale);
    let mut totals = Aligned([[0.0; PANEL]; LANES]);
    for rows in rows.chunks_mut(LANES) {
        for (row, totals) in rows.iter_mut().zip(&mut totals.0) {
            for ((x, greatest), total) in row.iter_mut().zip(&greatest).zip(totals) {
                *x = exp::<R>(*x * scale - greatest);
                *total += *x;
            }
        }
    }
    let mut inverses = Aligned([0.0; ROWS_ABREAST * PANEL]);
    for (query, inverse) in inverses.0.iter_mut().enumerate().take(PANEL) {
        *inverse = 1.0 / join_lanes(|lane| totals.0[lane][query]);
    }
    for row in 1..ROWS_ABREAST {
        inverses.0.copy_within(..PANEL, row * PANEL);
    }
    let (blocks, rest) = scores.as_chunks_mut::<{ ROWS_ABREAST * PANEL }>();
    for block in blocks {
        for (x, inverse) in block.iter_mut().zip(&inverses.0) {
            *x *= inverse;
        }
    }
    for (x, inverse) in rest.iter_mut().zip(&inverses.0) {
        *x *= inverse;
    }
}

vectorized! {
    /// Softmax of each column of `scores`, `[key][query]`, times `scale`.
    fn softmax_columns(scores: &mut [f32], scale: f32) = softmax_columns_body
}
