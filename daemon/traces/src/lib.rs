//! Spans of requests in a fixed schema, for a collector on this device.
//!
//! - [`TraceParent`] is what a caller may say of the trace that its request belongs to (W3C Trace
//!   Context). [`Context`] is a span's place in a trace.
//! - [`Span`] is all that can be told: a [`Kind`], two times and [`Attribute`]s. Names and keys
//!   are closed lists, values are numbers and closed words. No text has a place in one, so none
//!   leaks through it.
//! - [`Traces`] is the handle that spans are recorded with. It keeps a bounded number of them
//!   and hands them out as [`Batch`]es in OpenTelemetry's protocol (OTLP 1, protobuf), which the
//!   endpoint sends to a collector on loopback.
//!
//! Recording never fails and never waits: at the bound the oldest span goes, and is counted.
//! Without a collector there is [`Traces::off`], which keeps nothing.
//!
//! What of a caller's own reaches the collector is the trace it names: 24 bytes that the caller
//! chose, behind a check that they are hexadecimal. `tracestate`, which is free text, is not
//! read. Applications appear under a pseudonym, a number that changes with its key.
//!
//! ```
//! use std::time::Duration;
//! use earnest_telemetry::{Clock, WallClock};
//! use earnest_traces::{Attribute, Kind, Route, Span, TraceParent, Traces};
//!
//! let clock = Clock::simulated(Duration::from_secs(9));
//! let traces = Traces::new(clock.clone(), WallClock::system());
//! let said = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse::<TraceParent>()?;
//! let context = traces.context(Some(&said));
//! let mut span = Span::new(Kind::Request, context, Duration::from_secs(8), clock.now());
//! span.push(Attribute::Status(200));
//! span.push(Attribute::Route(Route::of("/v1/models").ok_or("a route")?));
//! traces.record(span);
//! let batch = traces.batch().ok_or("a batch")?;
//! assert_eq!(batch.spans, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
mod encode;
mod recorder;
mod route;
mod span;
#[cfg(test)]
mod tests;
mod wire;

pub use context::{Context, SpanId, TraceParent, TraceParentError};
pub use recorder::{BATCH_SPANS, Batch, Counters, MAX_SPANS, Traces};
pub use route::Route;
pub use span::{Attribute, Kind, Method, Outcome, Span};
