//! Attention (Vaswani et al., 2017): over a whole segment in the encoder, over a growing cache
//! and over the segment's memory in the decoder.
//!
//! Keys are kept in panels of [`PANEL`] frames, `[panel][dimension][frame]`, so that scores
//! vectorise over frames; values in rows padded to whole vectors, so that the weighted sum
//! vectorises over dimensions. The scale `1 / sqrt(size)` is split evenly between queries and
//! keys, as the exporter of the models does, which keeps the rounding the same.

use crate::aligned::{Aligned, AlignedFloats};
use crate::isa::Isa;
use crate::tiles::{FloatTile, PANEL, TILE_COLUMNS, TILE_ROWS, float_tile, rows_of_float_tile};
use crate::{Pool, softmax};

/// How a row is split into heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Heads {
    /// How many.
    pub count: usize,
    /// Dimensions of each; at most 64.
    pub size: usize,
}

impl Heads {
    /// Dimensions of a row.
    pub fn width(self) -> usize {
        self.count * self.size
    }

    /// A head's dimensions in whole vectors of sixteen.
    fn padded(self) -> usize {
        self.size.next_multiple_of(16)
    }

    /// The square root of `1 / sqrt(size)`.
    fn half_scale(self) -> f32 {
        (1.0 / (self.size as f32).sqrt()).sqrt()
    }

    /// Length of the keys of `frames` frames in panels.
    pub fn keys_length(self, frames: usize) -> usize {
        self.count * frames.div_ceil(PANEL) * PANEL * self.size
    }

    /// Length of the values of `frames` frames in padded rows.
    pub fn values_length(self, frames: usize) -> usize {
        self.count * frames * self.padded()
    }
}

/// Rotary position embedding (Su et al., 2021) of the first dimensions of each head, in
/// neighbouring pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// The angle that each pair turns by from one position to the next, in radians.
    pub frequencies: Vec<f32>,
}

impl Rotary {
    /// Turns `head` to `position`, in place.
    fn turn(&self, head: &mut [f32], position: usize) {
        let (pairs, _) = head.as_chunks_mut::<2>();
        for (pair, &frequency) in pairs.iter_mut().zip(&self.frequencies) {
            let (sine, cosine) = (frequency * position as f32).sin_cos();
            turn_pair(pair, sine, cosine);
        }
    }

    /// Sines and cosines of `positions` positions, `[position][pair]` each.
    fn table(&self, positions: usize) -> Vec<(f32, f32)> {
        (0..positions)
            .flat_map(|position| {
                self.frequencies
                    .iter()
                    .map(move |&f| (f * position as f32).sin_cos())
            })
            .collect()
    }
}

#[inline(always)]
fn turn_pair(pair: &mut [f32; 2], sine: f32, cosine: f32) {
    let [x, y] = *pair;
    *pair = [x * cosine - y * sine, y * cosine + x * sine];
}

/// Where the heads of one attention write, each its own columns.
struct HeadOutput {
    start: *mut f32,
    length: usize,
}

// SAFETY: every task writes the columns of its own head.
unsafe impl Sync for HeadOutput {}

impl HeadOutput {
    /// # Safety
    /// No two tasks may write the same element.
    unsafe fn write(&self, start: usize, values: &[f32]) {
        assert!(start + values.len() <= self.length);
        // SAFETY: within the caller's slice by the assertion, alone by the caller's word.
        unsafe {
            self.start
                .add(start)
                .copy_from_nonoverlapping(values.as_ptr(), values.len());
        }
    }
}

/// Every frame of a segment attends to every frame. `rows`: `[frames, 3 * width]`, queries,
/// keys and values side by side; `output`: `[frames, width]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn attend_whole(
    isa: Isa,
    pool: &Pool,
    rows: &[f32],
    heads: Heads,
    rotary: &Rotary,
    output: &mut [f32],
) {
    let width = heads.width();
    let frames = output.len() / width;
    assert!(output.len() == frames * width && rows.len() == 3 * output.len());
    assert!(heads.size <= TILE_COLUMNS && 2 * rotary.frequencies.len() <= heads.size);
    let turns = rotary.table(frames);
    let output = HeadOutput {
        start: output.as_mut_ptr(),
        length: output.len(),
    };
    pool.run(heads.count, &|head| {
        let head = WholeHead::gather(rows, heads, head, rotary, &turns);
        head.attend(isa, frames, |frame, values| {
            // SAFETY: the columns of one head, which one task owns.
            unsafe { output.write(frame * width + head.column, values) };
        });
    });
}

/// One head of a whole segment, laid out for the tiles.
struct WholeHead {
    heads: Heads,
    /// The head's first column in the output.
    column: usize,
    queries: AlignedFloats,
    keys: AlignedFloats,
    values: AlignedFloats,
}

/// Frames whose scores are held at a time: a multiple of every tile's rows.
const FRAMES_AT_ONCE: usize = 24;

impl WholeHead {
    fn gather(
        rows: &[f32],
        heads: Heads,
        head: usize,
        rotary: &Rotary,
        turns: &[(f32, f32)],
    ) -> WholeHead {
        let (size, width, scale) = (heads.size, heads.width(), heads.half_scale());
        let column = head * size;
        let frames = rows.len() / (3 * width);
        let pairs = rotary.frequencies.len();
        let mut queries = AlignedFloats::zeroed(frames * size);
        let mut keys = AlignedFloats::zeroed(frames.div_ceil(PANEL) * PANEL * size);
        let mut values = AlignedFloats::zeroed(frames * heads.padded());
        let mut key = [0.0; TILE_COLUMNS];
        for (frame, row) in rows.chunks_exact(3 * width).enumerate() {
            let query = &mut queries.as_mut_slice()[frame * size..][..size];
            let key = &mut key[..size];
            query.copy_from_slice(&row[column..][..size]);
            key.copy_from_slice(&row[width + column..][..size]);
            let turns = &turns[frame * pairs..][..pairs];
            for ((query, key), &(sine, cosine)) in query
                .as_chunks_mut::<2>()
                .0
                .iter_mut()
                .zip(key.as_chunks_mut::<2>().0)
                .zip(turns)
            {
                turn_pair(query, sine, cosine);
                turn_pair(key, sine, cosine);
            }
            query.iter_mut().for_each(|x| *x *= scale);
            key.iter_mut().for_each(|x| *x *= scale);
            store_key(keys.as_mut_slice(), size, frame, key);
            values.as_mut_slice()[frame * heads.padded()..][..size]
                .copy_from_slice(&row[2 * width + column..][..size]);
        }
        WholeHead {
            heads,
            column,
            queries,
            keys,
            values,
        }
    }

    fn attend(&self, isa: Isa, frames: usize, write: impl Fn(usize, &[f32])) {
        let (size, padded) = (self.heads.size, self.heads.padded());
        let panels = frames.div_ceil(PANEL);
        let mut scores = AlignedFloats::zeroed(FRAMES_AT_ONCE * panels * PANEL);
        let mut tile = Aligned::<FloatTile>([[0.0; TILE_COLUMNS]; TILE_ROWS]);
        for first in (0..frames).step_by(FRAMES_AT_ONCE) {
            let count = FRAMES_AT_ONCE.min(frames - first);
            let queries = &self.queries.as_slice()[first * size..][..count * size];
            for start in (0..count).step_by(TILE_ROWS) {
                let mut inputs: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
                let tile_rows = TILE_ROWS.min(count - start);
                for (input, query) in inputs.iter_mut().zip(queries[start * size..].chunks(size)) {
                    *input = query;
                }
                for (panel, keys) in self.keys.as_slice().chunks_exact(PANEL * size).enumerate() {
                    float_tile(isa, &inputs[..tile_rows], keys, PANEL, &mut tile.0);
                    for (row, sums) in tile.0.iter().enumerate().take(tile_rows) {
                        scores.as_mut_slice()[((start + row) * panels + panel) * PANEL..][..PANEL]
                            .copy_from_slice(&sums[..PANEL]);
                    }
                }
            }
            for row in scores
                .as_mut_slice()
                .chunks_exact_mut(panels * PANEL)
                .take(count)
            {
                softmax(isa, &mut row[..frames]);
            }
            let step = rows_of_float_tile(padded);
            for start in (0..count).step_by(step) {
                let mut inputs: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
                let tile_rows = step.min(count - start);
                let weights = scores.as_slice().chunks_exact(panels * PANEL).skip(start);
                for (input, weights) in inputs.iter_mut().zip(weights) {
                    *input = &weights[..frames];
                }
                float_tile(
                    isa,
                    &inputs[..tile_rows],
                    self.values.as_slice(),
                    padded,
                    &mut tile.0,
                );
                for (row, sums) in tile.0.iter().enumerate().take(tile_rows) {
                    write(first + start + row, &sums[..size]);
                }
            }
        }
    }
}

/// Puts the key of `frame` into panels.
fn store_key(keys: &mut [f32], size: usize, frame: usize, key: &[f32]) {
    let panel = &mut keys[frame / PANEL * PANEL * size..][..PANEL * size];
    for (dimension, &x) in key.iter().enumerate() {
        panel[dimension * PANEL + frame % PANEL] = x;
    }
}

/// The keys and values of the tokens so far, grown in place.
#[derive(Clone)]
pub struct CausalCache {
    heads: Heads,
    /// Tokens held.
    length: usize,
    /// For each head, keys in panels of tokens and values in padded rows.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl std::fmt::Debug for CausalCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CausalCache({} tokens)", self.length)
    }
}

impl CausalCache {
    /// A cache without tokens.
    pub fn new(heads: Heads) -> CausalCache {
        let empty = vec![Vec::new(); heads.count];
        CausalCache {
            heads,
            length: 0,
            keys: empty.clone(),
            values: empty,
        }
    }

    /// Forgets every token and keeps the room.
    pub fn clear(&mut self) {
        self.length = 0;
        self.keys.iter_mut().for_each(Vec::clear);
        self.values.iter_mut().for_each(Vec::clear);
    }

    /// Tokens held, which is the position of the next.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// The next token attends to itself and all before it, and joins the cache. `row`:
/// `[3 * width]`, query, key and value side by side; `output`: `[width]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn attend_next(
    isa: Isa,
    row: &[f32],
    rotary: &Rotary,
    cache: &mut CausalCache,
    output: &mut [f32],
) {
    let heads = cache.heads;
    let (size, width, padded, scale) = (
        heads.size,
        heads.width(),
        heads.padded(),
        heads.half_scale(),
    );
    assert!(row.len() == 3 * width && output.len() == width && size <= TILE_COLUMNS);
    let position = cache.length;
    cache.length += 1;
    let (mut query, mut key) = ([0.0; TILE_COLUMNS], [0.0; TILE_COLUMNS]);
    let (query, key) = (&mut query[..size], &mut key[..size]);
    let mut weights = Vec::with_capacity(cache.length.next_multiple_of(PANEL));
    for head in 0..heads.count {
        query.copy_from_slice(&row[head * size..][..size]);
        key.copy_from_slice(&row[width + head * size..][..size]);
        rotary.turn(query, position);
        rotary.turn(key, position);
        query.iter_mut().for_each(|x| *x *= scale);
        key.iter_mut().for_each(|x| *x *= scale);
        let (keys, values) = (&mut cache.keys[head], &mut cache.values[head]);
        keys.resize(cache.length.div_ceil(PANEL) * PANEL * size, 0.0);
        store_key(keys, size, position, key);
        values.extend_from_slice(&row[2 * width + head * size..][..size]);
        values.resize(cache.length * padded, 0.0);
        weights.clear();
        weights.resize(cache.length.div_ceil(PANEL) * PANEL, 0.0);
        let out = &mut output[head * size..][..size];
        attend_one(isa, query, keys, values, cache.length, &mut weights, out);
    }
}

/// One query over `frames` keys and values. `weights`: whole panels; on return its first
/// `frames` are the probabilities.
fn attend_one(
    isa: Isa,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    frames: usize,
    weights: &mut [f32],
    output: &mut [f32],
) {
    let mut tile = Aligned::<FloatTile>([[0.0; TILE_COLUMNS]; TILE_ROWS]);
    for (keys, weights) in keys
        .chunks_exact(PANEL * query.len())
        .zip(weights.chunks_exact_mut(PANEL))
    {
        float_tile(isa, &[query], keys, PANEL, &mut tile.0);
        weights.copy_from_slice(&tile.0[0][..PANEL]);
    }
    let weights = &mut weights[..frames];
    softmax(isa, weights);
    float_tile(isa, &[weights], values, values.len() / frames, &mut tile.0);
    output.copy_from_slice(&tile.0[0][..output.len()]);
}

/// Lays out what the decoder attends to in a segment: once a segment, not once a token.
#[derive(Debug, Clone, Copy)]
pub struct CrossMemory;

impl CrossMemory {
    /// Keys, one row of `width` a frame, into panels; `output` has [`Heads::keys_length`]
    /// floats.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn lay_out_keys<'a>(
        rows: impl ExactSizeIterator<Item = &'a [f32]>,
        heads: Heads,
        output: &mut [f32],
    ) {
        let (size, scale) = (heads.size, heads.half_scale());
        let frames = rows.len();
        assert_eq!(output.len(), heads.keys_length(frames));
        output.fill(0.0);
        let of_head = output.len() / heads.count;
        let mut key = [0.0; TILE_COLUMNS];
        let key = &mut key[..size];
        for (frame, row) in rows.enumerate() {
            for (head, source) in row.chunks_exact(size).enumerate() {
                for (x, source) in key.iter_mut().zip(source) {
                    *x = source * scale;
                }
                store_key(&mut output[head * of_head..][..of_head], size, frame, key);
            }
        }
    }

    /// Values, one row of `width` a frame, into padded rows; `output` has
    /// [`Heads::values_length`] floats.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn lay_out_values<'a>(
        rows: impl ExactSizeIterator<Item = &'a [f32]>,
        heads: Heads,
        output: &mut [f32],
    ) {
        let (size, padded) = (heads.size, heads.padded());
        let frames = rows.len();
        assert_eq!(output.len(), heads.values_length(frames));
        output.fill(0.0);
        for (frame, row) in rows.enumerate() {
            for (head, source) in row.chunks_exact(size).enumerate() {
                output[(head * frames + frame) * padded..][..size].copy_from_slice(source);
            }
        }
    }
}

/// A token attends to the whole segment. `query`: `[width]`; `keys` and `values` as
/// [`CrossMemory`] lays them out; `weights`: `[heads, frames]`, the probabilities; `output`:
/// `[width]`.
///
/// # Panics
/// When the shapes do not fit.
#[allow(clippy::too_many_arguments)]
pub fn attend_cross(
    isa: Isa,
    pool: &Pool,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    heads: Heads,
    weights: &mut [f32],
    output: &mut [f32],
) {
    let (size, scale) = (heads.size, heads.half_scale());
    assert!(query.len() == heads.width() && output.len() == query.len());
    let frames = weights.len() / heads.count;
    assert!(frames > 0 && size <= TILE_COLUMNS);
    assert!(keys.len() == heads.keys_length(frames));
    assert!(values.len() == heads.values_length(frames));
    let keys_of_head = keys.len() / heads.count;
    let values_of_head = values.len() / heads.count;
    let weights = HeadOutput {
        start: weights.as_mut_ptr(),
        length: weights.len(),
    };
    let output = HeadOutput {
        start: output.as_mut_ptr(),
        length: output.len(),
    };
    // Two tasks at most: a head alone is too short to share.
    let tasks = pool.threads().min(heads.count);
    pool.run(tasks, &|task| {
        let mut scores = vec![0.0; frames.div_ceil(PANEL) * PANEL];
        let mut scaled = [0.0; TILE_COLUMNS];
        let mut sums = [0.0; TILE_COLUMNS];
        for head in heads.count * task / tasks..heads.count * (task + 1) / tasks {
            for (scaled, x) in scaled.iter_mut().zip(&query[head * size..][..size]) {
                *scaled = x * scale;
            }
            attend_one(
                isa,
                &scaled[..size],
                &keys[head * keys_of_head..][..keys_of_head],
                &values[head * values_of_head..][..values_of_head],
                frames,
                &mut scores,
                &mut sums[..size],
            );
            // SAFETY: each head belongs to one task.
            unsafe {
                weights.write(head * frames, &scores[..frames]);
                output.write(head * size, &sums[..size]);
            }
        }
    });
}

#[cfg(test)]
mod tests;
