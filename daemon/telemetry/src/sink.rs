//! From events to the log.

use crate::{Event, GateState, Recorded};

/// Where a subscriber of `tracing` finds the events among everything else.
const TARGET: &str = "earnest::events";

/// Writes an event to whoever subscribed to `tracing`: as a warning where an operator should
/// look, as information otherwise.
pub(crate) fn log(recorded: &Recorded) {
    let Recorded {
        sequence,
        at_milliseconds,
        event,
    } = recorded;
    if wants_attention(event) {
        tracing::warn!(target: TARGET, sequence, at_milliseconds, "{event}");
    } else {
        tracing::info!(target: TARGET, sequence, at_milliseconds, "{event}");
    }
}

/// Whether something is not as it should be. Whoever is turned away does not count: strangers
/// could fill the log with warnings.
fn wants_attention(event: &Event) -> bool {
    match event {
        Event::Gate { to, .. } => matches!(to, GateState::Grace | GateState::Closed),
        Event::SelfTest(test) => !test.passed,
        Event::WorkerEnded { why, .. } => !why.is_orderly(),
        Event::RequestEnded { status, .. } => *status >= 500,
        Event::Alert(_)
        | Event::AuditLost { .. }
        | Event::AuditDamaged { .. }
        | Event::AuditUnavailable
        | Event::ConfigurationRefused => true,
        _ => false,
    }
}
