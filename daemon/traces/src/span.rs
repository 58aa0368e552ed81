//! All that a span can tell.

use std::time::Duration;

use earnest_telemetry::{Door, GateState, Refusal, Scope};

use crate::{Context, Route};

/// What a span measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request, from its head to the last byte of its answer.
    Request,
    /// Finding out who asks, and whether it may.
    Admission,
    /// Writing to the audit log, until it is on the disk.
    Audit,
    /// Waiting for a worker.
    Wait,
    /// A worker at work, from its first message to its last.
    Work,
    /// An answer that is held until its time is up, so that it tells nothing.
    Padding,
}

impl Kind {
    /// Every one of them.
    pub const ALL: &[Kind] = &[
        Kind::Request,
        Kind::Admission,
        Kind::Audit,
        Kind::Wait,
        Kind::Work,
        Kind::Padding,
    ];

    /// Its name, as the collector shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Request => "request",
            Kind::Admission => "admission",
            Kind::Audit => "audit",
            Kind::Wait => "wait",
            Kind::Work => "work",
            Kind::Padding => "padding",
        }
    }
}

/// The method of a request, as far as the endpoint knows any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// Any other, under the name that OpenTelemetry has for them.
    Other,
}

impl Method {
    /// Every one of them.
    pub const ALL: &[Method] = &[
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Other,
    ];

    /// The method that a request names.
    pub fn of(name: &str) -> Method {
        let named = Method::ALL.iter().find(|method| method.name() == name);
        named.copied().unwrap_or(Method::Other)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Other => "_OTHER",
        }
    }
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As it should.
    Done,
    /// The caller was turned away.
    Refused,
    /// The caller went away.
    Abandoned,
    /// Something broke here.
    Failed,
}

impl Outcome {
    /// Every one of them.
    pub const ALL: &[Outcome] = &[
        Outcome::Done,
        Outcome::Refused,
        Outcome::Abandoned,
        Outcome::Failed,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Abandoned => "abandoned",
            Outcome::Failed => "failed",
        }
    }
}

/// Something that a span tells beside its times: a number, or a word of a closed list.
/// OpenTelemetry's own keys stand where it has them (semantic conventions for HTTP spans).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// `http.request.method`.
    Method(Method),
    /// `http.route`.
    Route(Route),
    /// `http.response.status_code`.
    Status(u16),
    /// `http.request.body.size`: bytes that were brought.
    BodyBytes(u64),
    /// `earnest.request`: the number that the answer carries in `x-request-id`.
    Request(u64),
    /// `earnest.application`: the pseudonym of whoever asked.
    Application(u64),
    /// `earnest.scope`: what was asked for.
    Scope(Scope),
    /// `earnest.door`: the way that the caller came in.
    Door(Door),
    /// `earnest.outcome`.
    Outcome(Outcome),
    /// `earnest.refusal`: why the caller was turned away.
    Refusal(Refusal),
    /// `earnest.gate`: where the gate stood.
    Gate(GateState),
    /// `earnest.worker`: the worker's number.
    Worker(u64),
    /// `earnest.waiting`: how many waited for a worker, this one included.
    Waiting(u64),
    /// `earnest.segments`: how many segments the sound had.
    Segments(u64),
    /// `earnest.sound.milliseconds`: how much sound was brought.
    SoundMilliseconds(u64),
    /// `earnest.speech.milliseconds`: how much of it was speech.
    SpeechMilliseconds(u64),
}

impl Attribute {
    /// The key that it stands under.
    pub const fn key(&self) -> &'static str {
        match self {
            Attribute::Method(_) => "http.request.method",
            Attribute::Route(_) => "http.route",
            Attribute::Status(_) => "http.response.status_code",
            Attribute::BodyBytes(_) => "http.request.body.size",
            Attribute::Request(_) => "earnest.request",
            Attribute::Application(_) => "earnest.application",
            Attribute::Scope(_) => "earnest.scope",
            Attribute::Door(_) => "earnest.door",
            Attribute::Outcome(_) => "earnest.outcome",
            Attribute::Refusal(_) => "earnest.refusal",
            Attribute::Gate(_) => "earnest.gate",
            Attribute::Worker(_) => "earnest.worker",
            Attribute::Waiting(_) => "earnest.waiting",
            Attribute::Segments(_) => "earnest.segments",
            Attribute::SoundMilliseconds(_) => "earnest.sound.milliseconds",
            Attribute::SpeechMilliseconds(_) => "earnest.speech.milliseconds",
        }
    }

    /// What stands there.
    pub(crate) const fn value(&self) -> Value {
        match *self {
            Attribute::Method(method) => Value::Word(method.name()),
            Attribute::Route(route) => Value::Word(route.name()),
            Attribute::Status(status) => Value::Number(status as u64),
            Attribute::Scope(scope) => Value::Word(scope.name()),
            Attribute::Door(door) => Value::Word(door.name()),
            Attribute::Outcome(outcome) => Value::Word(outcome.name()),
            Attribute::Refusal(reason) => Value::Word(reason.name()),
            Attribute::Gate(state) => Value::Word(state.name()),
            Attribute::BodyBytes(number)
            | Attribute::Request(number)
            | Attribute::Application(number)
            | Attribute::Worker(number)
            | Attribute::Waiting(number)
            | Attribute::Segments(number)
            | Attribute::SoundMilliseconds(number)
            | Attribute::SpeechMilliseconds(number) => Value::Number(number),
        }
    }
}

/// All that an attribute can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Word(&'static str),
}

/// Something that took its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub(crate) kind: Kind,
    pub(crate) context: Context,
    pub(crate) start: Duration,
    pub(crate) end: Duration,
    pub(crate) attributes: Vec<Attribute>,
}

impl Span {
    /// What happened from `start` to `end`, both on CLOCK_BOOTTIME.
    pub fn new(kind: Kind, context: Context, start: Duration, end: Duration) -> Span {
        Span {
            kind,
            context,
            start,
            // Nothing ends before it begins.
            end: end.max(start),
            attributes: Vec::new(),
        }
    }

    /// Tells something more. A key that is there already takes the new value, as OpenTelemetry
    /// demands keys to be unique.
    pub fn push(&mut self, attribute: Attribute) {
        let same = |one: &&mut Attribute| one.key() == attribute.key();
        match self.attributes.iter_mut().find(same) {
            Some(there) => *there = attribute,
            None => self.attributes.push(attribute),
        }
    }

    /// The same span, telling something more.
    #[must_use]
    pub fn with(mut self, attribute: Attribute) -> Span {
        self.push(attribute);
        self
    }
}
