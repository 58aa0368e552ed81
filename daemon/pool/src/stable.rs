//! Text that is not taken back.
//!
//! A client may write down a partial's stable text for good, so a worker that takes some of it
//! back misbehaves. [`Exchange`](earnest_channel::Exchange) keeps counts alone; the text of the
//! utterance under way is kept here, and is overwritten when that is over.

use earnest_channel::{FromWorker, MAX_TEXT_BYTES};
use zeroize::{Zeroize, Zeroizing};

/// The stable text of the utterance under way.
pub(crate) struct Stable {
    text: Zeroizing<String>,
}

impl Stable {
    /// Before the first utterance.
    pub(crate) fn new() -> Stable {
        Stable {
            text: Zeroizing::default(),
        }
    }

    /// Takes an answer that was due; whether it keeps what was said before.
    pub(crate) fn holds(&mut self, answer: &FromWorker) -> bool {
        match answer {
            FromWorker::Partial(partial) => {
                let holds = partial.stable.starts_with(self.text.as_str());
                if holds {
                    self.extend(&partial.stable);
                }
                holds
            }
            FromWorker::Segment(segment) => {
                let holds = segment.text.starts_with(self.text.as_str());
                self.passed_over();
                holds
            }
            // Its segment was to come before.
            FromWorker::SpeechStopped { .. } => {
                let holds = self.text.is_empty();
                self.passed_over();
                holds
            }
            FromWorker::Finished(_) | FromWorker::Failed(_) => {
                self.passed_over();
                true
            }
            _ => true,
        }
    }

    /// Something may not have been looked at, as it was not wanted any more: what follows is held
    /// to nothing before.
    pub(crate) fn passed_over(&mut self) {
        // The room stays.
        self.text.zeroize();
    }

    fn extend(&mut self, stable: &str) {
        if stable.len() > self.text.capacity() {
            // All that a message may hold, so that it never moves and leaves a copy behind.
            let mut room = String::with_capacity(MAX_TEXT_BYTES.max(stable.len()));
            room.push_str(&self.text);
            self.text = Zeroizing::new(room);
        }
        let known = self.text.len();
        self.text.push_str(&stable[known..]);
    }
}

#[cfg(test)]
mod tests {
    use earnest_channel::Partial;
    use earnest_transcript::{Milliseconds, Segment};
    use proptest::prelude::*;

    use super::*;

    fn partial(stable: &str) -> FromWorker {
        FromWorker::Partial(Partial {
            start: Milliseconds(0),
            at: Milliseconds(500),
            stable: stable.to_owned(),
            tentative: " and more".to_owned(),
        })
    }

    fn segment(text: &str) -> FromWorker {
        FromWorker::Segment(Segment {
            start: Milliseconds(0),
            end: Milliseconds(900),
            text: text.to_owned(),
            tokens: Vec::new(),
            avg_logprob: 0.0,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: Vec::new(),
        })
    }

    const STOPPED: FromWorker = FromWorker::SpeechStopped {
        at: Milliseconds(900),
    };

    fn check(answers: &[FromWorker], expected: &[bool]) {
        let mut stable = Stable::new();
        let holds: Vec<_> = answers.iter().map(|it| stable.holds(it)).collect();
        assert_eq!(holds, expected, "{answers:?}");
    }

    #[test]
    fn what_only_grows_is_held_to_nothing_else() {
        let grows = [
            partial(""),
            partial("Good"),
            partial("Good"),
            partial("Good mörning"),
            segment("Good mörning, you."),
            STOPPED,
            // The next utterance is another.
            partial("No"),
            segment("No"),
            STOPPED,
        ];
        check(&grows, &[true; 9]);
        check(&[STOPPED, segment("Yes.")], &[true, true]);
    }

    #[test]
    fn whatever_takes_text_back_is_told() {
        let good = || partial("Good");
        check(&[good(), partial("Goo")], &[true, false]);
        check(&[good(), partial("")], &[true, false]);
        check(&[good(), partial("God")], &[true, false]);
        check(&[good(), segment("good morning")], &[true, false]);
        check(&[good(), segment("")], &[true, false]);
        check(&[good(), STOPPED], &[true, false]);
        // Half of a letter is no beginning of it.
        check(&[partial("Gö"), partial("Gà")], &[true, false]);
    }

    #[test]
    fn what_was_passed_over_is_held_against_nobody() {
        let mut stable = Stable::new();
        assert!(stable.holds(&partial("Good")));
        stable.passed_over();
        assert!(stable.holds(&partial("Bye")));
        stable.passed_over();
        assert!(stable.holds(&STOPPED));
    }

    #[test]
    fn its_text_never_moves() {
        let mut stable = Stable::new();
        assert!(stable.holds(&partial("a")));
        let place = stable.text.as_ptr();
        for length in [2, 100, MAX_TEXT_BYTES] {
            assert!(stable.holds(&partial(&"a".repeat(length))));
            assert_eq!(stable.text.as_ptr(), place);
        }
        stable.passed_over();
        assert!(stable.holds(&partial("b")));
        assert_eq!(stable.text.as_ptr(), place);
    }

    proptest! {
        #[test]
        fn partials_hold_exactly_while_each_begins_with_the_one_before(
            texts in prop::collection::vec("[aä ]{0,4}", 1..12),
        ) {
            let mut stable = Stable::new();
            let mut last = String::new();
            for text in texts {
                let expected = text.starts_with(&last);
                prop_assert_eq!(stable.holds(&partial(&text)), expected);
                if !expected {
                    break;
                }
                last = text;
            }
        }
    }
}
