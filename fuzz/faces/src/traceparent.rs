//! What callers say of their trace.

use earnest_traces::{TraceParent, Traces};

/// Reads `data` as the header `traceparent`. What is taken is written back in the same digits,
/// and is continued under the same number.
pub fn traceparent(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parent: TraceParent = match text.parse() {
        Ok(parent) => parent,
        Err(error) => return drop::<String>(format!("{error}")),
    };
    let written = parent.to_string();
    assert_eq!(written.parse(), Ok(parent));
    // But for the version, which is ours, and for flags that nobody has defined.
    assert_eq!(written.get(3..53), text.get(3..53));
    let context = Traces::off().context(Some(&parent));
    assert_eq!(context.trace(), parent.trace());
    assert_eq!(context.parent(), Some(parent.span()));
    assert_eq!(context.is_sampled(), parent.is_sampled());
}
