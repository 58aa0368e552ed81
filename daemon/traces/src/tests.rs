//! What leaves, looked at as a collector sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use earnest_telemetry::{Clock, Door, GateState, Refusal, Scope, TraceId, WallClock};
use proptest::prelude::*;
use prost::Message as _;

use crate::encode::{Stamped, VERSION, encode};
use crate::span::Value;
use crate::wire::{AnyOf, Request, SpanKind, WireSpan};
use crate::{
    Attribute, BATCH_SPANS, Context, Counters, Kind, MAX_SPANS, Method, Outcome, Route, Span,
    SpanId, TraceParent, Traces,
};

const SECOND: Duration = Duration::from_secs(1);

/// 2027-01-15, 08:00 in UTC.
const WALL: Duration = Duration::from_secs(1_800_000_000);

fn simulated() -> (Traces, Clock, WallClock) {
    let (clock, wall) = (Clock::simulated(100 * SECOND), WallClock::simulated(WALL));
    (Traces::seeded(clock.clone(), wall.clone(), 7), clock, wall)
}

fn decode(body: &[u8]) -> Request {
    Request::decode(body).expect("what was encoded")
}

/// The spans of a batch.
fn spans(body: &[u8]) -> Vec<WireSpan> {
    let request = decode(body);
    let scopes = request.resource_spans.into_iter();
    let scopes = scopes.flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// One attribute of each kind.
fn every_attribute() -> Vec<Attribute> {
    vec![
        Attribute::Method(Method::Post),
        Attribute::Route(Route::of("/v1/audio/transcriptions").expect("a route")),
        Attribute::Status(200),
        Attribute::BodyBytes(25 << 20),
        Attribute::Request(4_503_599_627_370_495),
        Attribute::Application(0x1234_5678_9abc),
        Attribute::Scope(Scope::Transcribe),
        Attribute::Door(Door::Tls),
        Attribute::Outcome(Outcome::Done),
        Attribute::Refusal(Refusal::GateClosed),
        Attribute::Gate(GateState::Attested),
        Attribute::Worker(3),
        Attribute::Waiting(0),
        Attribute::Segments(12),
        Attribute::SoundMilliseconds(61_500),
        Attribute::SpeechMilliseconds(40_250),
    ]
}

/// Two spans with everything that a span can have.
fn sample() -> [Stamped; 2] {
    let span = |byte: u8| SpanId::new([byte; 8]).expect("not zero");
    let context = Context {
        trace: TraceId([0xab; 16]),
        span: span(2),
        parent: Some(span(1)),
        remote: true,
        flags: 1,
    };
    let part = context.child(span(3));
    let mut request = Span::new(Kind::Request, context, SECOND, 3 * SECOND);
    every_attribute()
        .into_iter()
        .for_each(|one| request.push(one));
    let work = Span::new(Kind::Work, part, SECOND, 2 * SECOND);
    let work = work.with(Attribute::Outcome(Outcome::Failed));
    [request, work].map(|span| Stamped { span, ahead: WALL })
}

#[test]
fn a_batch_is_what_opentelemetrys_own_messages_give() {
    // Serialised from the same values by opentelemetry-proto 1.45 for Python.
    let golden = include_bytes!("golden/batch.bin");
    assert_eq!(encode(&sample(), "1.2.3"), golden.as_slice());
    let read = spans(golden);
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].kind(), SpanKind::Server);
}

#[test]
fn times_are_the_wall_clocks_as_it_was_when_a_span_was_recorded() {
    let (traces, clock, wall) = simulated();
    let context = traces.context(None);
    let record = |from: u64, to: u64| {
        let (start, end) = (
            from * SECOND.as_millis() as u64,
            to * SECOND.as_millis() as u64,
        );
        let times = (Duration::from_millis(start), Duration::from_millis(end));
        traces.record(Span::new(Kind::Request, context, times.0, times.1));
    };
    record(98, 100);
    // The wall clock is set back by a day, and both go on.
    wall.set(WALL - 86_400 * SECOND);
    clock.advance(10 * SECOND);
    record(105, 104);
    let read = spans(&traces.batch().expect("two spans").body);
    let nanoseconds = |seconds: u64| seconds * 1_000_000_000;
    let now = WALL.as_secs();
    assert_eq!(read[0].start_time_unix_nano, nanoseconds(now - 2));
    assert_eq!(read[0].end_time_unix_nano, nanoseconds(now));
    assert_eq!(read[1].start_time_unix_nano, nanoseconds(now - 86_400 - 5));
    assert_eq!(
        read[1].end_time_unix_nano, read[1].start_time_unix_nano,
        "nothing ends before it begins"
    );
}

#[test]
fn a_callers_trace_is_continued_and_its_wish_is_kept() {
    let (traces, ..) = simulated();
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let parent: TraceParent = text.parse().expect("the recommendation's example");
    let context = traces.context(Some(&parent));
    let part = traces.child(&context);
    traces.record(Span::new(Kind::Work, part, SECOND, SECOND));
    traces.record(Span::new(Kind::Request, context, SECOND, SECOND));
    let read = spans(&traces.batch().expect("two spans").body);
    assert_eq!(read[1].trace_id, parent.trace().0);
    assert_eq!(read[1].parent_span_id, parent.span().bytes());
    assert_eq!(
        read[1].flags, 0x301,
        "sampled, and the parent is somebody else's"
    );
    assert_eq!(read[0].parent_span_id, read[1].span_id);
    assert_eq!(read[0].flags, 0x101);

    let unwanted: TraceParent = text.replace("-01", "-00").parse().expect("it is one");
    let context = traces.context(Some(&unwanted));
    traces.record(Span::new(Kind::Request, context, SECOND, SECOND));
    assert_eq!(traces.batch(), None);
}

#[test]
fn a_fault_is_ours_and_a_refusal_is_not() {
    let (traces, ..) = simulated();
    let cases = [
        (Attribute::Status(200), false),
        (Attribute::Status(429), false),
        (Attribute::Status(499), false),
        (Attribute::Status(503), true),
        (Attribute::Outcome(Outcome::Refused), false),
        (Attribute::Outcome(Outcome::Abandoned), false),
        (Attribute::Outcome(Outcome::Failed), true),
    ];
    for (attribute, _) in cases {
        let context = traces.context(None);
        let span = Span::new(Kind::Request, context, SECOND, SECOND);
        traces.record(span.with(attribute));
    }
    let read = spans(&traces.batch().expect("spans").body);
    for (span, (attribute, fault)) in read.iter().zip(cases) {
        assert_eq!(span.status.is_some(), fault, "{attribute:?}");
    }
}

#[test]
fn memory_is_bounded_and_the_newest_spans_stay() {
    let (traces, ..) = simulated();
    let extra = 10;
    for number in 0..MAX_SPANS as u64 + extra {
        let context = traces.context(None);
        let span = Span::new(Kind::Request, context, SECOND, SECOND);
        traces.record(span.with(Attribute::Request(number)));
    }
    let full = Counters {
        recorded: MAX_SPANS as u64 + extra,
        dropped: extra,
        waiting: MAX_SPANS as u64,
        ..Counters::default()
    };
    assert_eq!(traces.counters(), full);
    let first = traces.batch().expect("spans");
    assert_eq!(first.spans, BATCH_SPANS);
    let number = &spans(&first.body)[0].attributes[0];
    assert_eq!(number.key, "earnest.request");
    let value = number.value.as_ref().and_then(|value| value.value.clone());
    assert_eq!(value, Some(AnyOf::Number(extra as i64)));
    traces.sent(&first);
    let second = traces.batch().expect("spans");
    traces.lost(&second);
    let counters = traces.counters();
    assert_eq!((counters.sent, counters.lost), (256, 256));
    assert_eq!(counters.waiting, MAX_SPANS as u64 - 512);
    let rest = std::iter::from_fn(|| traces.batch()).map(|batch| batch.spans);
    assert_eq!(rest.sum::<usize>(), MAX_SPANS - 512);
}

#[test]
fn the_largest_batch_is_small() {
    let (traces, ..) = simulated();
    let longest = Route::all().max_by_key(|route| route.name().len());
    let largest = u64::MAX;
    for _ in 0..BATCH_SPANS {
        let context = traces.context(None);
        let mut span = Span::new(Kind::Request, context, SECOND, SECOND);
        every_attribute().into_iter().for_each(|one| span.push(one));
        for attribute in [
            Attribute::Route(longest.expect("there are routes")),
            Attribute::Refusal(Refusal::SecondFactorRequired),
            Attribute::BodyBytes(largest),
            Attribute::Request(largest),
            Attribute::Application(largest),
            Attribute::Worker(largest),
            Attribute::Waiting(largest),
            Attribute::Segments(largest),
            Attribute::SoundMilliseconds(largest),
            Attribute::SpeechMilliseconds(largest),
        ] {
            span.push(attribute);
        }
        traces.record(span);
    }
    let batch = traces.batch().expect("a full one");
    assert!(batch.body.len() < 256 << 10, "{} bytes", batch.body.len());
}

#[test]
fn what_is_off_keeps_nothing_and_still_gives_places() {
    let traces = Traces::off();
    let context = traces.context(None);
    assert_ne!(context.trace(), traces.context(None).trace());
    traces.record(Span::new(Kind::Request, context, SECOND, SECOND));
    assert!(!traces.is_on());
    assert_eq!(traces.batch(), None);
    assert_eq!(traces.counters(), Counters::default());
}

#[test]
fn numbers_of_traces_and_spans_are_never_zero_and_never_the_same() {
    let traces = Traces::new(Clock::boot_time(), WallClock::system());
    let places: Vec<Context> = (0..1000).map(|_| traces.context(None)).collect();
    let distinct: BTreeSet<[u8; 16]> = places.iter().map(|place| place.trace().0).collect();
    assert_eq!(distinct.len(), places.len());
    assert!(!distinct.contains(&[0; 16]));
    let distinct: BTreeSet<[u8; 8]> = places.iter().map(|place| place.span().bytes()).collect();
    assert_eq!(distinct.len(), places.len());
}

/// Every word that can leave.
fn words() -> BTreeSet<&'static str> {
    let kinds = Kind::ALL.iter().map(|one| one.name());
    let methods = Method::ALL.iter().map(|one| one.name());
    let outcomes = Outcome::ALL.iter().map(|one| one.name());
    let scopes = Scope::ALL.iter().map(|one| one.name());
    let doors = Door::ALL.iter().map(|one| one.name());
    let refusals = Refusal::ALL.iter().map(|one| one.name());
    let gates = GateState::ALL.iter().map(|one| one.name());
    let routes = Route::all().map(Route::name);
    let keys = every_attribute()
        .iter()
        .map(Attribute::key)
        .collect::<Vec<_>>();
    kinds
        .chain(methods)
        .chain(outcomes)
        .chain(scopes)
        .chain(doors)
        .chain(refusals)
        .chain(gates)
        .chain(routes)
        .chain(keys)
        .chain([
            "service.name",
            "service.version",
            "earnestd",
            VERSION,
            "earnest-traces",
        ])
        .collect()
}

/// The schema, as it was agreed: who adds to it adds here, and thinks about what it tells.
const KEYS: [&str; 16] = [
    "earnest.application",
    "earnest.door",
    "earnest.gate",
    "earnest.outcome",
    "earnest.refusal",
    "earnest.request",
    "earnest.scope",
    "earnest.segments",
    "earnest.sound.milliseconds",
    "earnest.speech.milliseconds",
    "earnest.waiting",
    "earnest.worker",
    "http.request.body.size",
    "http.request.method",
    "http.response.status_code",
    "http.route",
];

#[test]
fn the_keys_are_those_that_were_agreed() {
    let keys: Vec<&str> = every_attribute().iter().map(Attribute::key).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    let keys: BTreeSet<&str> = keys.into_iter().collect();
    assert_eq!(keys, BTreeSet::from(KEYS));
}

/// Any attribute.
fn attributes() -> impl Strategy<Value = Attribute> {
    let every = every_attribute();
    let routes: Vec<Route> = Route::all().collect();
    prop_oneof![
        proptest::sample::select(every),
        proptest::sample::select(routes).prop_map(Attribute::Route),
        proptest::sample::select(Refusal::ALL).prop_map(Attribute::Refusal),
        any::<u16>().prop_map(Attribute::Status),
        any::<u64>().prop_map(Attribute::Application),
        any::<String>().prop_map(|name| Attribute::Method(Method::of(&name))),
    ]
}

proptest! {
    #[test]
    fn whatever_is_recorded_only_listed_words_and_numbers_leave(
        attributes in proptest::collection::vec(attributes(), 0..40),
        kind in proptest::sample::select(Kind::ALL),
        start: u64,
        end: u64,
    ) {
        let (traces, ..) = simulated();
        let times = (Duration::from_nanos(start), Duration::from_nanos(end));
        let mut span = Span::new(kind, traces.context(None), times.0, times.1);
        attributes.iter().for_each(|one| span.push(*one));
        traces.record(span);
        let batch = traces.batch().expect("one span");
        let words = words();
        let request = decode(&batch.body);
        for resource in &request.resource_spans {
            for attribute in resource.resource.iter().flat_map(|one| &one.attributes) {
                prop_assert!(words.contains(attribute.key.as_str()));
            }
        }
        for span in spans(&batch.body) {
            prop_assert!(words.contains(span.name.as_str()));
            prop_assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
            let mut seen = BTreeSet::new();
            for attribute in &span.attributes {
                prop_assert!(KEYS.contains(&attribute.key.as_str()));
                prop_assert!(seen.insert(attribute.key.clone()), "a key stands once");
                let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
                match value {
                    Some(AnyOf::Word(word)) => prop_assert!(words.contains(word.as_str())),
                    Some(AnyOf::Number(number)) => prop_assert!(*number >= 0),
                    None => prop_assert!(false, "a value is there"),
                }
            }
        }
        // Nothing is left out of what was asked for, and the last of each key counts.
        let read = spans(&batch.body);
        for attribute in &attributes {
            let last = attributes.iter().rev().find(|one| one.key() == attribute.key());
            let found = read[0].attributes.iter().find(|one| one.key == attribute.key());
            let found = found.and_then(|one| one.value.clone()?.value);
            let expected = match last.expect("it is there").value() {
                Value::Word(word) => AnyOf::Word(word.to_owned()),
                Value::Number(number) => {
                    AnyOf::Number(i64::try_from(number).unwrap_or(i64::MAX))
                }
            };
            prop_assert_eq!(found, Some(expected));
        }
    }
}
