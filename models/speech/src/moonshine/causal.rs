//! The attention of a token to itself and those before it, whose cache lives in the session.

use std::sync::Arc;

use earnest_kernels::{CausalCache, Heads, Rotary, attend_next};
use tract_onnx::tract_core::internal::*;

use super::stage::{Context, as_wide, floats, tensor};

/// What one layer needs, shared by every session.
#[derive(Debug)]
pub(super) struct Causal {
    pub(super) context: Arc<Context>,
    pub(super) heads: Heads,
    pub(super) rotary: Rotary,
}

/// `[1, 1, 3 * width]` to `[1, 1, width]`; the token's position is the number of tokens that
/// the session has seen.
#[derive(Debug, Clone)]
pub(super) struct AttendNext(pub(super) Arc<Causal>);

impl PartialEq for AttendNext {
    fn eq(&self, other: &AttendNext) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AttendNext {}

impl Op for AttendNext {
    fn name(&self) -> StaticName {
        "EarnestAttendNext".into()
    }

    op_as_typed_op!();
}

impl EvalOp for AttendNext {
    not_out_of_plan!();

    fn state(&self, _: &EvalContext<'_>) -> TractResult<Option<Box<dyn OpState>>> {
        let cache = CausalCache::new(self.0.heads);
        Ok(Some(Box::new(CausalState {
            causal: Arc::clone(&self.0),
            cache,
        })))
    }
}

impl TypedOp for AttendNext {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(as_wide(inputs[0], self.0.heads.width())?))
    }
}

/// The tokens of one session. The caller bounds their number by its cap on tokens.
#[derive(Debug, Clone)]
pub(super) struct CausalState {
    causal: Arc<Causal>,
    cache: CausalCache,
}

impl CausalState {
    /// Forgets every token, for the next segment.
    pub(super) fn clear(&mut self) {
        self.cache.clear();
    }
}

impl OpState for CausalState {
    fn eval(
        &mut self,
        _: &EvalContext<'_>,
        _: &dyn Op,
        inputs: TVec<TValue>,
    ) -> TractResult<TVec<TValue>> {
        let row = floats(&inputs[0])?;
        let Causal {
            context,
            heads,
            rotary,
        } = &*self.causal;
        let output = tensor(&[1, 1, heads.width()], |output| {
            attend_next(context.isa, row, rotary, &mut self.cache, output);
            Ok(())
        })?;
        Ok(tvec!(output))
    }

    fn reset_lanes(&mut self, _: &[LaneId]) -> TractResult<()> {
        self.clear();
        Ok(())
    }
}
