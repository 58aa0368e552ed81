//! Whether a listener with a wake phrase is told what is said.

use earnest_transcript::Milliseconds;

use crate::AWAKE;

/// A listener that is told what is said after its wake phrase alone: the text of the utterance
/// that it is in, and of the next one, if that begins within [`AWAKE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wake {
    /// It is told nothing.
    #[default]
    Asleep,
    /// It is told of the utterance under way, which has the wake phrase in it.
    Woken,
    /// The next utterance is for it, if it begins until then.
    Waiting { until: Milliseconds },
    /// It is told of the utterance under way, which is the one after.
    Next,
    /// It was told of that one, which is over.
    Spent,
}

/// What is told to a listener whose wake phrase was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// That it is woken.
    pub(crate) woken: bool,
    /// What it has missed of the utterance.
    pub(crate) utterance: bool,
}

impl Wake {
    /// Whether it is told what is being said.
    pub(crate) fn is_told(&self) -> bool {
        matches!(self, Wake::Woken | Wake::Next)
    }

    /// An utterance begins; whether that is told.
    pub(crate) fn started(&mut self, at: Milliseconds) -> bool {
        *self = match *self {
            Wake::Waiting { until } if at <= until => Wake::Next,
            _ => Wake::Asleep,
        };
        self.is_told()
    }

    /// The utterance ends; whether that is told.
    pub(crate) fn stopped(&mut self, at: Milliseconds) -> bool {
        let told = self.is_told();
        *self = match *self {
            Wake::Woken => Wake::Waiting { until: until(at) },
            Wake::Next => Wake::Spent,
            state => state,
        };
        told
    }

    /// The wake phrase was said, in the utterance under way or else in the one that ended at
    /// `now`.
    pub(crate) fn woken(&mut self, under_way: bool, now: Milliseconds) -> Told {
        let (state, told) = match (*self, under_way) {
            // Once for an utterance.
            (Wake::Woken, true) => (Wake::Woken, [false, false]),
            (Wake::Next, true) => (Wake::Woken, [true, false]),
            (_, true) => (Wake::Woken, [true, true]),
            // It has been told of the one that ended.
            (Wake::Waiting { until }, false) => (Wake::Waiting { until }, [false, false]),
            (Wake::Spent, false) => (Wake::Waiting { until: until(now) }, [true, false]),
            (_, false) => (Wake::Waiting { until: until(now) }, [true, true]),
        };
        *self = state;
        let [woken, utterance] = told;
        Told { woken, utterance }
    }
}

/// Until when the next utterance may begin after one that ended then.
fn until(end: Milliseconds) -> Milliseconds {
    let awake = u64::try_from(AWAKE.as_millis()).unwrap_or(u64::MAX);
    Milliseconds(end.0.saturating_add(awake))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Milliseconds = Milliseconds;

    fn awake() -> u64 {
        until(AT(0)).0
    }

    #[test]
    fn a_wake_phrase_is_good_for_its_utterance_and_the_next() {
        let mut wake = Wake::default();
        assert!(!wake.started(AT(0)) && !wake.is_told());
        let told = wake.woken(true, AT(900));
        assert_eq!([told.woken, told.utterance], [true, true]);
        // Once for an utterance.
        let told = wake.woken(true, AT(950));
        assert_eq!([told.woken, told.utterance], [false, false]);
        assert!(wake.is_told() && wake.stopped(AT(1_000)));
        assert!(!wake.is_told());
        assert!(wake.started(AT(1_000 + awake())) && wake.stopped(AT(20_000)));
        assert!(!wake.started(AT(20_001)) && !wake.stopped(AT(20_002)));
    }

    #[test]
    fn who_says_nothing_for_a_while_has_to_wake_it_anew() {
        let mut wake = Wake::default();
        wake.started(AT(0));
        wake.woken(true, AT(5));
        wake.stopped(AT(10));
        assert!(!wake.started(AT(11 + awake())));
        assert!(wake.woken(true, AT(12 + awake())).woken);
    }

    #[test]
    fn a_wake_phrase_in_the_next_utterance_wakes_again() {
        let mut wake = Wake::default();
        wake.started(AT(0));
        wake.woken(true, AT(5));
        wake.stopped(AT(10));
        assert!(wake.started(AT(20)));
        let told = wake.woken(true, AT(25));
        assert_eq!([told.woken, told.utterance], [true, false]);
        assert!(wake.stopped(AT(30)) && wake.started(AT(40)));
    }

    #[test]
    fn an_utterance_that_is_over_wakes_too() {
        let mut wake = Wake::default();
        wake.started(AT(0));
        assert!(!wake.stopped(AT(10)));
        let told = wake.woken(false, AT(10));
        assert_eq!([told.woken, told.utterance], [true, true]);
        assert!(!wake.is_told() && wake.started(AT(20)));
        // This one it has been told already.
        assert!(wake.stopped(AT(30)));
        let told = wake.woken(false, AT(30));
        assert_eq!([told.woken, told.utterance], [true, false]);
        assert!(wake.started(AT(40)));
    }
}
