//! A request's place in a trace, as W3C Trace Context writes it.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use earnest_telemetry::TraceId;

/// The number of a span, which is never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

impl SpanId {
    /// The span with this number, unless it is zero, which names none.
    pub fn new(bytes: [u8; 8]) -> Option<SpanId> {
        (bytes != [0; 8]).then_some(SpanId(bytes))
    }

    /// The span with this number, which is not zero.
    pub(crate) fn of(number: NonZeroU64) -> SpanId {
        SpanId(number.get().to_be_bytes())
    }

    /// Its bytes.
    pub const fn bytes(&self) -> [u8; 8] {
        self.0
    }
}

/// What a caller says of the trace that its request belongs to: the header `traceparent` (W3C
/// Trace Context, section 3.2).
///
/// ```
/// use earnest_traces::TraceParent;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = text.parse()?;
/// assert!(parent.is_sampled());
/// assert_eq!(parent.to_string(), text);
/// # Ok::<(), earnest_traces::TraceParentError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: TraceId,
    span: SpanId,
    flags: u8,
}

/// The caller asks that the trace is recorded.
const SAMPLED: u8 = 0b01;

/// The number of the trace is random (level 2 of the recommendation).
const RANDOM: u8 = 0b10;

/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;

impl TraceParent {
    /// The trace.
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// The caller's own span in it.
    pub fn span(&self) -> SpanId {
        self.span
    }

    /// Whether the caller asks that the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads version 00 strictly, and of a later version what version 00 knows, as section 3.2.4
    /// demands. Of the flags, those stay that the recommendation defines.
    fn from_str(text: &str) -> Result<TraceParent, TraceParentError> {
        let text = text.as_bytes();
        let found = text.len();
        let (head, rest) = text
            .split_at_checked(LENGTH)
            .ok_or(TraceParentError::Length {
                expected: LENGTH,
                found,
            })?;
        let [version] = digits(head, 0)?;
        match (version, rest.first()) {
            (0xff, _) => return Err(TraceParentError::Version),
            (0, Some(_)) => {
                return Err(TraceParentError::Length {
                    expected: LENGTH,
                    found,
                });
            }
            // A later version goes on after another dash, or not at all.
            (_, Some(b'-') | None) => {}
            (_, Some(_)) => return Err(TraceParentError::Character { place: LENGTH }),
        }
        for place in [2, 35, 52] {
            if head.get(place) != Some(&b'-') {
                return Err(TraceParentError::Character { place });
            }
        }
        let [flags] = digits(head, 53)?;
        Ok(TraceParent {
            trace: some_trace(digits(head, 3)?).ok_or(TraceParentError::NoTrace)?,
            span: SpanId::new(digits(head, 36)?).ok_or(TraceParentError::NoSpan)?,
            flags: flags & (SAMPLED | RANDOM),
        })
    }
}

/// The trace with this number, unless it is zero, which names none.
fn some_trace(bytes: [u8; 16]) -> Option<TraceId> {
    (bytes != [0; 16]).then_some(TraceId(bytes))
}

/// `N` bytes in lower-case hexadecimal, from `place` on.
fn digits<const N: usize>(text: &[u8], place: usize) -> Result<[u8; N], TraceParentError> {
    let digit = |place: usize| match text.get(place) {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        _ => Err(TraceParentError::Character { place }),
    };
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let place = place + 2 * index;
        *byte = digit(place)? << 4 | digit(place + 1)?;
    }
    Ok(bytes)
}

/// Why a text is no `traceparent`. A request with such a one is served all the same, as a trace
/// of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TraceParentError {
    /// It is too short, or too long for version 00.
    #[error("a traceparent has {expected} characters, not {found}")]
    Length {
        /// What version 00 has.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// A character is not the one that belongs there: `0-9`, `a-f` or a dash.
    #[error("character {place} of the traceparent is not a lower-case hexadecimal digit or dash")]
    Character {
        /// Where, from zero.
        place: usize,
    },
    /// Version ff is none.
    #[error("version ff of a traceparent is none")]
    Version,
    /// The trace's number is zero.
    #[error("the traceparent names no trace")]
    NoTrace,
    /// The span's number is zero.
    #[error("the traceparent names no span")]
    NoSpan,
}

/// A span's place in a trace: its own number, and whose child it is. [`Traces`](crate::Traces)
/// makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) parent: Option<SpanId>,
    /// Whether the parent is the caller's span, and not one of this daemon.
    pub(crate) remote: bool,
    pub(crate) flags: u8,
}

impl Context {
    /// The first span here of a request: the child of what its caller named, or the root of a
    /// trace of its own.
    pub(crate) fn of_request(
        parent: Option<&TraceParent>,
        trace: TraceId,
        span: SpanId,
    ) -> Context {
        match parent {
            Some(parent) => Context {
                trace: parent.trace,
                span,
                parent: Some(parent.span),
                remote: true,
                flags: parent.flags,
            },
            None => Context {
                trace,
                span,
                parent: None,
                remote: false,
                flags: SAMPLED | RANDOM,
            },
        }
    }

    /// A part of what this span measures.
    pub(crate) fn child(&self, span: SpanId) -> Context {
        Context {
            span,
            parent: Some(self.span),
            remote: false,
            ..*self
        }
    }

    /// The trace.
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// The span itself.
    pub fn span(&self) -> SpanId {
        self.span
    }

    /// The span that this one is a part of.
    pub fn parent(&self) -> Option<SpanId> {
        self.parent
    }

    /// Whether it is recorded: a caller who names a trace decides that for its requests.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceParent { trace, span, flags } = self;
        write!(formatter, "00-{trace}-{span}-{flags:02x}")
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn check(text: &str, expected: Result<&str, TraceParentError>) {
        let found = text.parse::<TraceParent>().map(|parent| parent.to_string());
        assert_eq!(found.as_deref().map_err(|error| *error), expected, "{text}");
    }

    #[test]
    fn version_00_is_read_to_the_letter() {
        use TraceParentError::{Character, Length, NoSpan, NoTrace};

        check(GOOD, Ok(GOOD));
        let unsampled = GOOD.replace("-01", "-00");
        check(&unsampled, Ok(&unsampled));
        // Flags that nobody has defined are not passed on.
        check(&GOOD.replace("-01", "-ff"), Ok(&GOOD.replace("-01", "-03")));
        let length = |found| {
            Err(Length {
                expected: 55,
                found,
            })
        };
        check("", length(0));
        check(&GOOD[..54], length(54));
        check(&format!("{GOOD}-"), length(56));
        check(&format!("{GOOD} "), length(56));
        check(&GOOD.to_uppercase(), Err(Character { place: 4 }));
        check(&GOOD.replacen('-', "_", 1), Err(Character { place: 2 }));
        check(&GOOD.replace("-01", "-0g"), Err(Character { place: 54 }));
        check(&GOOD.replace("-01", "_01"), Err(Character { place: 52 }));
        check(&GOOD.replace("36-", "36+"), Err(Character { place: 35 }));
        let no_trace = GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        check(&no_trace, Err(NoTrace));
        let no_span = GOOD.replace("00f067aa0ba902b7", &"0".repeat(16));
        check(&no_span, Err(NoSpan));
    }

    #[test]
    fn of_a_later_version_is_read_what_version_00_knows() {
        use TraceParentError::{Character, Version};

        let later = GOOD.replacen("00", "cc", 1);
        check(&later, Ok(GOOD));
        check(&format!("{later}-what-the-future-brings"), Ok(GOOD));
        check(&format!("{later}-"), Ok(GOOD));
        check(&format!("{later}."), Err(Character { place: 55 }));
        check(&GOOD.replacen("00", "ff", 1), Err(Version));
    }

    #[test]
    fn a_child_stays_in_its_trace_under_its_parent() {
        let parent: TraceParent = GOOD.parse().expect("the recommendation's example");
        let spare = TraceId([1; 16]);
        let request = Context::of_request(Some(&parent), spare, SpanId([2; 8]));
        assert_eq!(request.trace(), parent.trace());
        assert_eq!(request.parent(), Some(parent.span()));
        assert!(request.remote);
        let part = request.child(SpanId([3; 8]));
        assert_eq!(part.trace(), parent.trace());
        assert_eq!(part.parent(), Some(request.span()));
        assert!(!part.remote);
        let own = Context::of_request(None, spare, SpanId([4; 8]));
        assert_eq!((own.trace(), own.parent()), (spare, None));
        assert!(own.is_sampled());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_alike(trace: [u8; 16], span: [u8; 8], flags in 0_u8..4) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let parent = TraceParent { trace: TraceId(trace), span: SpanId(span), flags };
            let text = parent.to_string();
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert_eq!(text.parse(), Ok(parent));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<TraceParent>();
        }

        #[test]
        fn a_changed_character_is_seen_or_means_something(place in 0..LENGTH, byte in 0x20_u8..0x7f) {
            let mut text = GOOD.as_bytes().to_vec();
            text[place] = byte;
            let text = String::from_utf8(text).expect("ASCII");
            // What is taken is well-formed: the same digits come out, but for flags and version.
            if let Ok(parent) = text.parse::<TraceParent>() {
                prop_assert_eq!(&parent.to_string()[3..53], &text[3..53]);
            }
        }
    }
}
