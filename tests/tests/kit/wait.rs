//! Waiting for what is to happen, by looking: never for a time.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine, where nothing else is promised.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is something, and gives it.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, look)
}

/// Looks until there is something, for no longer than is promised.
pub(crate) fn wait_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        // The time is read before the look, so that a look after the deadline is the last.
        let late = Instant::now() >= deadline;
        if let Some(found) = look() {
            return found;
        }
        assert!(!late, "not within {patience:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// Looks until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}

/// Looks until a value is the expected one.
pub(crate) fn wait_to_see<T: PartialEq + Debug>(expected: T, mut look: impl FnMut() -> T) {
    let mut seen = None;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let found = look();
        if found == expected {
            return;
        }
        seen = Some(found);
        thread::sleep(PAUSE);
    }
    panic!("expected {expected:?}, and saw {seen:?} to the end");
}
