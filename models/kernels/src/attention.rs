//! Attention (Vaswani et al., 2017): over a whole segment in the encoder, over a growing cache
//! and over the segment's memory in the decoder.
//!
//! The decoder's one query at a time meets keys in panels of [`PANEL`] frames,
//! `[panel][dimension][frame]`, so that scores vectorise over frames, and values in rows padded
//! to whole vectors, so that the weighted sum vectorises over dimensions. The encoder's many
//! queries stand in such panels themselves, and everything vectorises over them.
//!
//! Roundings are those of ONNX Runtime, which scales the encoder's scores by `1 / sqrt(size)`
//! but splits that scale evenly between the queries and keys of the decoder, and sums the
//! products of one query four at a time.

use crate::aligned::Aligned;
use crate::elementary::sin_cos;
use crate::isa::{Isa, Rounding, vectorized};
use crate::tiles::{PANEL, TILE_COLUMNS};
use crate::{Pool, softmax};

mod whole;

use whole::WholeHead;

/// How a row is split into heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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

    /// What scores are multiplied by.
    fn scale(self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// What queries and keys are multiplied by instead.
    fn half_scale(self) -> f32 {
        self.scale().sqrt()
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
            let (sine, cosine) = sin_cos(frequency * position as f32);
            turn_pair(pair, sine, cosine);
        }
    }

    /// Sines and cosines of `positions` positions, `[position][pair]` each.
    fn table(&self, positions: usize) -> Vec<(f32, f32)> {
        (0..positions)
            .flat_map(|position| {
                self.frequencies
                    .iter()
                    .map(move |&f| sin_cos(f * position as f32))
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
        let head = WholeHead::gather(isa, rows, heads, head, &turns);
        head.attend(isa, |frame, values| {
            // SAFETY: the columns of one head, which one task owns.
            unsafe { output.write(frame * width + head.column, values) };
        });
    });
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

/// [`row_times_panel`] of a panel `W` wide, so that the loop over a row of it vectorises whole.
#[inline(always)]
fn row_times<const W: usize>(row: &[f32], panel: &[f32], output: &mut [f32]) {
    let (values, _) = panel.as_chunks::<W>();
    let mut sums = Aligned([0.0_f32; W]);
    let sums = &mut sums.0;
    let (factors, last_factors) = row.as_chunks::<4>();
    let (fours, last_values) = values.as_chunks::<4>();
    for ([a, b, c, d], [of_a, of_b, of_c, of_d]) in factors.iter().zip(fours) {
        for column in 0..W {
            let pair = a * of_a[column] + b * of_b[column];
            sums[column] += pair + c * of_c[column] + d * of_d[column];
        }
    }
    let (factors, last_factor) = last_factors.as_chunks::<2>();
    let (pairs, last_value) = last_values.as_chunks::<2>();
    for ([a, b], [of_a, of_b]) in factors.iter().zip(pairs) {
        for column in 0..W {
            sums[column] += a * of_a[column] + b * of_b[column];
        }
    }
    for (a, of_a) in last_factor.iter().zip(last_value) {
        for column in 0..W {
            sums[column] += a * of_a[column];
        }
    }
    output.copy_from_slice(&sums[..output.len()]);
}

#[inline(always)]
fn row_times_panel_body<R: Rounding>(row: &[f32], panel: &[f32], width: usize, output: &mut [f32]) {
    match width {
        16 => row_times::<16>(row, panel, output),
        32 => row_times::<32>(row, panel, output),
        48 => row_times::<48>(row, panel, output),
        64 => row_times::<64>(row, panel, output),
        width => unreachable!("a panel {width} wide"),
    }
}

vectorized! {
    /// The sums over depth of `row[depth] * panel[depth][c]`, `[depth, width]`, for the first
    /// columns of a panel 16, 32, 48 or 64 wide. Four products are summed and then added
    /// to those before them, each step rounded; a last pair and a last one likewise.
    fn row_times_panel(row: &[f32], panel: &[f32], width: usize, output: &mut [f32])
        = row_times_panel_body
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
    for (keys, weights) in keys
        .chunks_exact(PANEL * query.len())
        .zip(weights.chunks_exact_mut(PANEL))
    {
        row_times_panel(isa, query, keys, PANEL, weights);
    }
    let weights = &mut weights[..frames];
    softmax(isa, weights);
    row_times_panel(isa, weights, values, values.len() / frames, output);
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
