//! Convolutions over time in f32, their weights packed once.
//!
//! The sums run over channels and, within a channel, over the kernel, in blocks of
//! [`depth_of_block`]: the order in which ONNX Runtime multiplies the matrix of windows, so that
//! the same sound gives the same bits. That matrix is written a small part at a time.

use std::sync::Mutex;

use crate::aligned::{Aligned, AlignedFloats};
use crate::elementary::gelu;
use crate::isa::{Isa, Rounding, vectorized};
use crate::tiles::{PANEL, TILE_ROWS, depth_of_block, float_tile};
use crate::weights::plain_mut;
use crate::{Packed, Pool, WeightStore, WeightsError};

/// How the values of frames and channels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[channels, frames]`.
    ByChannel,
    /// `[frames, channels]`.
    ByFrame,
}

/// Frames that a convolution makes of `frames`: none where there are fewer than its kernel.
fn convolved(frames: usize, kernel: usize, step: usize) -> usize {
    frames
        .checked_sub(kernel)
        .map_or(0, |frames| frames / step + 1)
}

/// Runs `make` with each of `blocks` and its index, in any order, on any of the threads.
fn share(
    pool: &Pool,
    blocks: std::slice::ChunksMut<'_, f32>,
    make: impl Fn(usize, &mut [f32]) + Sync,
) {
    // One lock a block and nobody waits for it: it hands each block to one task.
    let blocks: Vec<_> = blocks.map(|block| Mutex::new(Some(block))).collect();
    pool.run(blocks.len(), &|task| {
        let block = blocks[task].lock().ok().and_then(|mut block| block.take());
        if let Some(output) = block {
            make(task, output);
        }
    });
}

/// Filters over the one channel of a sound.
pub struct Filters {
    isa: Isa,
    kernel: usize,
    step: usize,
    /// `[filter][kernel]`.
    weights: Packed,
}

impl std::fmt::Debug for Filters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (filters, isa) = (self.filters(), self.isa.name());
        write!(formatter, "Filters({filters} x {}, {isa})", self.kernel)
    }
}

impl Filters {
    /// Keeps `weights`, `[filters, kernel]`, to be moved by `step` samples a frame, or takes
    /// them from the store.
    ///
    /// # Errors
    /// When the store shares weights, and these are not the next.
    ///
    /// # Panics
    /// When anything is zero, or `weights` gives another number of them.
    pub fn new(
        isa: Isa,
        store: &WeightStore,
        [filters, kernel]: [usize; 2],
        step: usize,
        weights: impl FnOnce() -> Vec<f32>,
    ) -> Result<Filters, WeightsError> {
        assert!(filters > 0 && kernel > 0 && step > 0);
        let weights = store.next(filters * kernel * size_of::<f32>(), |bytes| {
            plain_mut(bytes).copy_from_slice(&weights());
        })?;
        Ok(Filters {
            isa,
            kernel,
            step,
            weights,
        })
    }

    /// How many there are.
    pub fn filters(&self) -> usize {
        self.weights.values::<f32>(0).len() / self.kernel
    }

    /// What each filter makes of `sound`, into `output`, `[filters, frames]`.
    ///
    /// # Panics
    /// When `output` has not as many frames as `sound` gives, or that is none.
    pub fn run(&self, pool: &Pool, sound: &[f32], output: &mut [f32]) {
        let frames = convolved(sound.len(), self.kernel, self.step);
        assert!(frames > 0 && output.len() == self.filters() * frames);
        let tiles = self.filters().div_ceil(TILE_ROWS);
        let filters = tiles.div_ceil(pool.threads()) * TILE_ROWS;
        let weights = self.weights.values::<f32>(0);
        share(pool, output.chunks_mut(filters * frames), |task, output| {
            let weights = &weights[task * filters * self.kernel..];
            self.block(sound, weights, frames, output);
        });
    }

    /// The filters from the first of `weights` on, as many as `output` has room for.
    fn block(&self, sound: &[f32], weights: &[f32], frames: usize, output: &mut [f32]) {
        let filters = output.len() / frames;
        let rows: Vec<&[f32]> = weights.chunks_exact(self.kernel).take(filters).collect();
        let mut panel = AlignedFloats::zeroed(self.kernel * PANEL);
        let mut tile = Aligned([0.0; TILE_ROWS * PANEL]);
        for first in (0..frames).step_by(PANEL) {
            let width = PANEL.min(frames - first);
            let sound = &sound[first * self.step..];
            gather(self.isa, sound, self.step, width, panel.as_mut_slice());
            let outputs = output.chunks_mut(TILE_ROWS * frames);
            for (rows, output) in rows.chunks(TILE_ROWS).zip(outputs) {
                let panel = panel.as_slice();
                if width == PANEL {
                    float_tile(
                        self.isa,
                        rows,
                        panel,
                        PANEL,
                        &mut output[first..],
                        frames,
                        false,
                    );
                    continue;
                }
                float_tile(self.isa, rows, panel, PANEL, &mut tile.0, PANEL, false);
                let sums = tile.0.chunks_exact(PANEL);
                for (sums, output) in sums.zip(output.chunks_mut(frames)) {
                    output[first..].copy_from_slice(&sums[..width]);
                }
            }
        }
    }
}

#[inline(always)]
fn gather_body<R: Rounding>(sound: &[f32], step: usize, width: usize, panel: &mut [f32]) {
    for (k, row) in panel.chunks_exact_mut(PANEL).enumerate() {
        for (frame, x) in row.iter_mut().enumerate().take(width) {
            *x = sound[frame * step + k];
        }
    }
}

vectorized! {
    /// The windows of the first `width` frames side by side, `[kernel][frame]`.
    fn gather(sound: &[f32], step: usize, width: usize, panel: &mut [f32]) = gather_body
}

/// A convolution over many channels, its bias and its GELU.
pub struct Convolution {
    isa: Isa,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    step: usize,
    /// `[panel][input][kernel][output]`.
    packed: Packed,
    bias: Vec<f32>,
}

impl std::fmt::Debug for Convolution {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Convolution {
            inputs,
            outputs,
            kernel,
            ..
        } = self;
        let isa = self.isa.name();
        write!(
            formatter,
            "Convolution({inputs} x {kernel} x {outputs}, {isa})"
        )
    }
}

/// Frames that one task makes: enough to use a panel of weights while it is near.
const FRAMES_OF_TASK: usize = 8 * TILE_ROWS;

impl Convolution {
    /// Packs `weights`, `[outputs, inputs, kernel]`, to be moved by `step` frames, or takes
    /// them from the store; `bias`: `[outputs]`.
    ///
    /// # Errors
    /// When the store shares weights, and these are not the next.
    ///
    /// # Panics
    /// When anything is zero, or `weights` gives another number of them.
    pub fn pack(
        isa: Isa,
        store: &WeightStore,
        [inputs, kernel]: [usize; 2],
        step: usize,
        bias: &[f32],
        weights: impl FnOnce() -> Vec<f32>,
    ) -> Result<Convolution, WeightsError> {
        let (depth, outputs) = (inputs * kernel, bias.len());
        assert!(depth > 0 && step > 0 && outputs > 0);
        let length = outputs.div_ceil(PANEL) * depth * PANEL * size_of::<f32>();
        let packed = store.next(length, |bytes| {
            let weights = weights();
            assert_eq!(weights.len(), depth * outputs);
            let panels = plain_mut::<f32>(bytes).chunks_exact_mut(depth * PANEL);
            for (panel, weights) in panels.zip(weights.chunks(PANEL * depth)) {
                for (column, weights) in weights.chunks_exact(depth).enumerate() {
                    for (k, &weight) in weights.iter().enumerate() {
                        panel[k * PANEL + column] = weight;
                    }
                }
            }
        })?;
        Ok(Convolution {
            isa,
            inputs,
            outputs,
            kernel,
            step,
            packed,
            bias: bias.to_vec(),
        })
    }

    /// Channels that it makes.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The convolution of `input` into `output`, `[frames, outputs]`.
    ///
    /// # Panics
    /// When `output` has not as many frames as `input` gives, or that is none, or `input` is of
    /// more than 2^32 values.
    pub fn run(&self, pool: &Pool, input: &[f32], layout: Layout, output: &mut [f32]) {
        assert!(input.len().is_multiple_of(self.inputs) && u32::try_from(input.len()).is_ok());
        let frames = input.len() / self.inputs;
        let convolved = convolved(frames, self.kernel, self.step);
        assert!(convolved > 0 && output.len() == convolved * self.outputs);
        let stride = match layout {
            Layout::ByChannel => self.step,
            Layout::ByFrame => self.step * self.inputs,
        };
        let offsets = self.offsets(frames, layout);
        let block = depth_of_block(convolved, offsets.len());
        let blocks = output.chunks_mut(FRAMES_OF_TASK * self.outputs);
        share(pool, blocks, |task, output| {
            let input = &input[task * FRAMES_OF_TASK * stride..];
            self.frames(input, stride, &offsets, block, output);
            finish(self.isa, output, &self.bias);
        });
    }

    /// Where the values of a window are, channel by channel.
    fn offsets(&self, frames: usize, layout: Layout) -> Vec<u32> {
        (0..self.inputs * self.kernel)
            .map(|k| {
                let (channel, frame) = (k / self.kernel, k % self.kernel);
                let offset = match layout {
                    Layout::ByChannel => channel * frames + frame,
                    Layout::ByFrame => frame * self.inputs + channel,
                };
                // Below the input's length, which fits.
                offset as u32
            })
            .collect()
    }

    /// The frames of one task, `block` values of their windows at a time. `input` starts with
    /// the first one's window.
    fn frames(
        &self,
        input: &[f32],
        stride: usize,
        offsets: &[u32],
        block: usize,
        output: &mut [f32],
    ) {
        let (outputs, frames) = (self.outputs, output.len() / self.outputs);
        let mut windows = AlignedFloats::zeroed(frames * block);
        for (index, offsets) in offsets.chunks(block).enumerate() {
            let depth = offsets.len();
            let windows = &mut windows.as_mut_slice()[..frames * depth];
            gather_windows(self.isa, input, stride, offsets, windows);
            let windows: Vec<&[f32]> = windows.chunks_exact(depth).collect();
            let panels = self.packed.values::<f32>(0);
            let panels = panels.chunks_exact(self.inputs * self.kernel * PANEL);
            for (panel, weights) in panels.enumerate() {
                let weights = &weights[index * block * PANEL..][..depth * PANEL];
                let output = &mut output[panel * PANEL..];
                self.tiles(
                    &windows,
                    weights,
                    outputs - panel * PANEL,
                    output,
                    index > 0,
                );
            }
        }
    }

    /// Windows times the weights of a panel of `width` columns or more, added to `output` where
    /// `adds` says so.
    fn tiles(
        &self,
        windows: &[&[f32]],
        weights: &[f32],
        width: usize,
        output: &mut [f32],
        adds: bool,
    ) {
        let (isa, outputs) = (self.isa, self.outputs);
        let tiles = output.chunks_mut(TILE_ROWS * outputs);
        for (rows, output) in windows.chunks(TILE_ROWS).zip(tiles) {
            if width >= PANEL {
                float_tile(isa, rows, weights, PANEL, output, outputs, adds);
                continue;
            }
            let mut tile = Aligned([0.0; TILE_ROWS * PANEL]);
            float_tile(isa, rows, weights, PANEL, &mut tile.0, PANEL, false);
            for (sums, output) in tile.0.chunks_exact(PANEL).zip(output.chunks_mut(outputs)) {
                for (x, sum) in output.iter_mut().zip(&sums[..width]) {
                    *x = if adds { *x + sum } else { *sum };
                }
            }
        }
    }
}

#[inline(always)]
fn gather_windows_body<R: Rounding>(
    input: &[f32],
    stride: usize,
    offsets: &[u32],
    windows: &mut [f32],
) {
    for (frame, window) in windows.chunks_exact_mut(offsets.len()).enumerate() {
        let input = &input[frame * stride..];
        for (x, &offset) in window.iter_mut().zip(offsets) {
            *x = input[offset as usize];
        }
    }
}

vectorized! {
    /// The values at `offsets` from each frame on, `stride` values from one to the next.
    fn gather_windows(input: &[f32], stride: usize, offsets: &[u32], windows: &mut [f32])
        = gather_windows_body
}

#[inline(always)]
fn finish_body<R: Rounding>(rows: &mut [f32], bias: &[f32]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (x, bias) in row.iter_mut().zip(bias) {
            *x = gelu::<R>(*x + bias);
        }
    }
}

vectorized! {
    /// GELU of each value and its column's bias.
    fn finish(rows: &mut [f32], bias: &[f32]) = finish_body
}

#[cfg(test)]
mod tests;
