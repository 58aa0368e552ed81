//! How this runtime's own operations sit in a tract graph.
//!
//! An operation says what it makes of which shapes and computes it; [`Fused`] gives it the
//! rest of tract's interface. Lengths stay symbols, so that one plan serves every clip.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use earnest_kernels::{Activations, Isa, Pool, WeightStore};
use tract_onnx::tract_core::internal::*;

/// What all operations of one model share: the CPU's instructions, the threads, and buffers
/// that are filled again and again, so that a step allocates little.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) isa: Isa,
    pub(super) pool: Pool,
    /// Where the weights are taken from, in the order in which operations are made.
    pub(super) weights: WeightStore,
    scratch: Mutex<Scratch>,
}

/// Buffers of the operation that runs.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) activations: Activations,
    pub(super) rows: Vec<f32>,
}

impl Context {
    pub(super) fn new(isa: Isa, pool: Pool, weights: WeightStore) -> Context {
        Context {
            isa,
            pool,
            weights,
            scratch: Mutex::default(),
        }
    }

    /// The buffers; one operation runs at a time, so this never waits.
    pub(super) fn scratch(&self) -> std::sync::MutexGuard<'_, Scratch> {
        // What a panicking operation left behind is overwritten before it is read.
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One operation of this runtime.
pub(super) trait Stage: Debug + Send + Sync + 'static {
    const NAME: &'static str;

    /// Types and shapes of the outputs, given those of the inputs.
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>>;

    /// Computes the outputs.
    fn run(&self, inputs: &[TValue]) -> TractResult<TVec<TValue>>;
}

/// A [`Stage`] as tract's operation. Equal only to itself: weights are not compared.
#[derive(Debug)]
pub(super) struct Fused<S>(pub(super) Arc<S>);

impl<S> Fused<S> {
    pub(super) fn new(stage: S) -> Fused<S> {
        Fused(Arc::new(stage))
    }
}

impl<S> Clone for Fused<S> {
    fn clone(&self) -> Fused<S> {
        Fused(Arc::clone(&self.0))
    }
}

impl<S> PartialEq for Fused<S> {
    fn eq(&self, other: &Fused<S>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<S> Eq for Fused<S> {}

impl<S: Stage> Op for Fused<S> {
    fn name(&self) -> StaticName {
        S::NAME.into()
    }

    op_as_typed_op!();
}

impl<S: Stage> EvalOp for Fused<S> {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.0.run(&inputs)
    }
}

impl<S: Stage> TypedOp for Fused<S> {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.facts(inputs)
    }
}

/// The floats of a tensor.
pub(super) fn floats(value: &TValue) -> TractResult<&[f32]> {
    value.try_as_plain_ram()?.as_slice::<f32>()
}

/// A new tensor, filled by `fill`.
pub(super) fn tensor(
    shape: &[usize],
    fill: impl FnOnce(&mut [f32]) -> TractResult<()>,
) -> TractResult<TValue> {
    let mut tensor = Tensor::zero::<f32>(shape)?;
    fill(tensor.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?)?;
    Ok(tensor.into_tvalue())
}

/// The fact of f32 of a shape like `of`, `width` wide.
pub(super) fn as_wide(of: &TypedFact, width: usize) -> TractResult<TypedFact> {
    ensure!(
        of.rank() == 3,
        "rows of frames have three axes, not {}",
        of.rank()
    );
    Ok(f32::fact([
        of.shape[0].clone(),
        of.shape[1].clone(),
        width.to_dim(),
    ]))
}
