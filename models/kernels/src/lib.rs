//! Int8, f32 and attention kernels behind a safe face; the one home of unsafe in `models/`.
//!
//! Purpose: the products that tract would pack or dequantize afresh at each run are packed
//! once here ([`QuantizedMatrix`], [`Convolution`]) and multiplied by kernels written for the
//! CPU that is found at run time ([`Isa`]). Every kernel has a plain reference beside it that
//! it is tested against, and all agree to the bit on every CPU: the order of a sum, and which
//! of its products are rounded, is part of a kernel's definition.
//!
//! Weights lie in memory of their own, or in one sealed [`Region`] that processes share
//! ([`WeightStore`]).
//!
//! Constraints: no clocks, no ONNX, no tract, and no I/O but that region's. Shapes are checked at the face and a
//! wrong one panics, as slices do: callers are this workspace's own graph code, never input.
//!
//! ```
//! use earnest_kernels::{Activations, Column, Epilogue, Isa, Pool, QuantizedMatrix, WeightStore};
//!
//! let isa = Isa::detect();
//! let pool = Pool::new(1)?;
//! // One output column, `0.5 * (w - 128)` for w = [130, 126]: weights 1 and -1.
//! let weights = [130_u8, 126];
//! let columns = [Column { scale: 0.5, zero_point: 128 }];
//! let store = WeightStore::fresh();
//! let matrix = QuantizedMatrix::pack(isa, &store, 2, &columns, |k, _| weights[k])?;
//! let mut activations = Activations::default();
//! activations.quantize(isa, &[3.0, 1.0], 2);
//! let mut out = [0.0];
//! matrix.multiply(&pool, &activations, &Epilogue::default(), &mut out);
//! assert!((out[0] - 2.0).abs() < 0.02);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The kernels are the reason for this crate: vector instructions, and a pool whose workers
// borrow from their caller. Each block says why it is sound.
#![allow(unsafe_code)]

mod activations;
mod aligned;
mod attention;
mod convolution;
mod elementary;
mod heap;
mod isa;
mod pool;
mod product;
mod quantized;
mod region;
#[cfg(test)]
mod sample;
mod tiles;
mod vector;
mod weights;

pub use activations::Activations;
pub use attention::{
    CausalCache, CrossMemory, Heads, Rotary, attend_cross, attend_next, attend_whole,
};
pub use convolution::{Convolution, Filters, Layout};
pub use heap::give_back_freed_memory;
pub use isa::Isa;
pub use pool::Pool;
pub use quantized::{Activation, Column, Epilogue, QuantizedMatrix};
pub use region::{Region, RegionError};
pub use vector::{
    MeanOrder, add_assign, argmax, group_norm, layer_norm, log_sum_exp, minimum_maximum, softmax,
    swiglu, tanh_in_place,
};
pub use weights::{Packed, WEIGHT_ALIGNMENT, WeightStore, WeightsError};
