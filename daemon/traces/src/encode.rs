//! From spans to what is sent.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use crate::span::Value;
use crate::wire::{
    AnyOf, AnyValue, InstrumentationScope, KeyValue, Request, Resource, ResourceSpans, ScopeSpans,
    SpanKind, Status, StatusCode, WireSpan,
};
use crate::{Attribute, Kind, Outcome, Span};

/// The version of the daemon: the workspace has one.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The flags say whether the parent is somebody else's span (`SpanFlags` of trace.proto).
const HAS_IS_REMOTE: u32 = 0x100;

/// The parent is somebody else's span.
const IS_REMOTE: u32 = 0x200;

/// A span, and how far the wall clock was ahead of its times when it was recorded.
#[derive(Debug, Clone)]
pub(crate) struct Stamped {
    pub(crate) span: Span,
    pub(crate) ahead: Duration,
}

/// The body of one `POST /v1/traces`, told by a daemon of this version.
pub(crate) fn encode(spans: &[Stamped], version: &'static str) -> Bytes {
    // OpenTelemetry's own keys for who tells.
    let service = [("service.name", "earnestd"), ("service.version", version)];
    let service = service.map(|(key, value)| pair(key, Value::Word(value)));
    let request = Request {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: service.to_vec(),
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: version.to_owned(),
                }),
                spans: spans.iter().map(wire).collect(),
            }],
        }],
    };
    Bytes::from(request.encode_to_vec())
}

fn wire(Stamped { span, ahead }: &Stamped) -> WireSpan {
    let context = &span.context;
    let remote = match context.remote {
        true => HAS_IS_REMOTE | IS_REMOTE,
        false => HAS_IS_REMOTE,
    };
    let parent = context.parent.map(|parent| parent.bytes().to_vec());
    WireSpan {
        trace_id: context.trace.0.to_vec(),
        span_id: context.span.bytes().to_vec(),
        parent_span_id: parent.unwrap_or_default(),
        name: span.kind.name().to_owned(),
        kind: match span.kind {
            Kind::Request => SpanKind::Server,
            _ => SpanKind::Internal,
        }
        .into(),
        start_time_unix_nano: nanoseconds(span.start.saturating_add(*ahead)),
        end_time_unix_nano: nanoseconds(span.end.saturating_add(*ahead)),
        attributes: attributes(span),
        status: is_fault(span).then(|| Status {
            code: StatusCode::Error.into(),
        }),
        flags: u32::from(context.flags) | remote,
    }
}

fn attributes(span: &Span) -> Vec<KeyValue> {
    let pairs = span.attributes.iter();
    pairs.map(|one| pair(one.key(), one.value())).collect()
}

/// Whether something broke here: who is turned away has made no fault of ours (semantic
/// conventions for HTTP spans, "Status").
fn is_fault(span: &Span) -> bool {
    span.attributes.iter().any(|attribute| match attribute {
        Attribute::Status(status) => *status >= 500,
        Attribute::Outcome(outcome) => *outcome == Outcome::Failed,
        _ => false,
    })
}

fn pair(key: &str, value: Value) -> KeyValue {
    let value = match value {
        // The protocol's numbers have a sign, and no number here comes near it.
        Value::Number(number) => AnyOf::Number(i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Word(word) => AnyOf::Word(word.to_owned()),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
