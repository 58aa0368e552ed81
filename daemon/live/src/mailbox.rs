//! What waits for a listener.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use earnest_audio::Level;
use tokio::sync::Notify;

use crate::{Ending, Hearing, MOST_WAITING, Partial};

/// What waits for a listener. Whoever puts something in never waits: partials and levels make
/// way for newer ones, and a listener that leaves too much lying loses its place.
#[derive(Default)]
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Default)]
struct Waiting {
    /// In order, at most [`MOST_WAITING`], and the ending.
    queue: VecDeque<Hearing>,
    /// What is heard of the utterance that is under way behind the queue.
    partial: Option<Partial>,
    level: Option<Level>,
    /// Nothing is put in any more.
    over: bool,
}

impl Mailbox {
    /// Puts something in, unless it is over.
    pub(crate) fn put(&self, hearing: Hearing) {
        {
            let mut waiting = self.waiting();
            if waiting.over {
                return;
            }
            waiting.put(hearing);
        }
        self.ready.notify_one();
    }

    /// What came first; none after the ending. Nothing is lost where this is dropped before it
    /// is done.
    pub(crate) async fn take(&self) -> Option<Hearing> {
        loop {
            // There is one listener, and a notice that comes before it waits is kept for it.
            let ready = self.ready.notified();
            {
                let mut waiting = self.waiting();
                if let Some(hearing) = waiting.pop() {
                    return Some(hearing);
                }
                if waiting.over {
                    return None;
                }
            }
            ready.await;
        }
    }

    /// Its listener is gone: what waits is forgotten, and nothing comes any more.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.waiting();
        *waiting = Waiting {
            over: true,
            ..Waiting::default()
        };
    }

    /// Whether nothing is put in any more.
    pub(crate) fn is_over(&self) -> bool {
        self.waiting().over
    }

    /// Its methods leave nothing half done.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, hearing: Hearing) {
        let has_room = self.queue.len() < MOST_WAITING;
        match (hearing, self.queue.back_mut()) {
            (Hearing::Level(level), _) => self.level = Some(level),
            (Hearing::Partial(partial), _) => self.partial = Some(partial),
            (Hearing::Overrun { frames }, Some(Hearing::Overrun { frames: before })) => {
                *before = before.saturating_add(frames);
            }
            (Hearing::State(state), Some(Hearing::State(before))) => *before = state,
            (Hearing::Ended(ending), _) => self.end(ending),
            (hearing, _) if has_room => {
                // What was said in the end stands, and not what was heard of it on the way.
                if matches!(hearing, Hearing::Final(_) | Hearing::SpeechStopped { .. }) {
                    self.partial = None;
                }
                self.queue.push_back(hearing);
            }
            _ => self.end(Ending::TooSlow),
        }
    }

    /// What was heard before is given out no more where leave is gone, or nobody reads it.
    fn end(&mut self, ending: Ending) {
        match ending {
            Ending::GateClosed | Ending::Revoked | Ending::TooSlow => *self = Waiting::default(),
            Ending::Unavailable | Ending::Stopping => {}
        }
        self.queue.push_back(Hearing::Ended(ending));
        self.over = true;
    }

    fn pop(&mut self) -> Option<Hearing> {
        // The ending is the last, whatever else there is.
        let is_last = matches!(self.queue.front(), Some(Hearing::Ended(_)));
        if !is_last && let Some(hearing) = self.queue.pop_front() {
            return Some(hearing);
        }
        let partial = self.partial.take().map(Hearing::Partial);
        let level = || self.level.take().map(Hearing::Level);
        partial.or_else(level).or_else(|| self.queue.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use earnest_transcript::Milliseconds;

    use super::*;

    fn partial(start: u64, stable: &str) -> Hearing {
        Hearing::Partial(Partial {
            start: Milliseconds(start),
            at: Milliseconds(start + 1),
            stable: stable.to_owned(),
            tentative: String::new(),
        })
    }

    fn level(peak_db: f32) -> Hearing {
        let rms_db = peak_db - 3.0;
        Hearing::Level(Level { peak_db, rms_db })
    }

    fn stopped(at: u64) -> Hearing {
        Hearing::SpeechStopped {
            at: Milliseconds(at),
        }
    }

    /// All that waits.
    fn drain(mailbox: &Mailbox) -> Vec<Hearing> {
        std::iter::from_fn(|| mailbox.waiting().pop()).collect()
    }

    #[test]
    fn newer_partials_and_levels_take_the_place_of_older_ones() {
        let mailbox = Mailbox::default();
        for number in 0..1_000_u16 {
            mailbox.put(partial(0, &"x".repeat(usize::from(number % 7))));
            mailbox.put(level(-f32::from(number)));
        }
        assert_eq!(drain(&mailbox), [partial(0, "xxxxx"), level(-999.0)]);
        assert!(!mailbox.is_over());
    }

    #[test]
    fn a_partial_does_not_outlive_its_utterance() {
        let mailbox = Mailbox::default();
        mailbox.put(partial(0, "one"));
        mailbox.put(stopped(9));
        mailbox.put(partial(20, "two"));
        assert_eq!(drain(&mailbox), [stopped(9), partial(20, "two")]);
    }

    #[test]
    fn overruns_in_a_row_are_one_and_of_states_the_last_counts() {
        let mailbox = Mailbox::default();
        let state = |state| Hearing::State(state);
        for _ in 0..1_000 {
            mailbox.put(Hearing::Overrun { frames: 2 });
        }
        mailbox.put(state(crate::MicrophoneState::Opening));
        mailbox.put(state(crate::MicrophoneState::Off));
        let expected = [
            Hearing::Overrun { frames: 2_000 },
            state(crate::MicrophoneState::Off),
        ];
        assert_eq!(drain(&mailbox), expected);
    }

    #[test]
    fn who_leaves_too_much_lying_loses_its_place_and_what_waited() {
        let mailbox = Mailbox::default();
        let most = u64::try_from(MOST_WAITING).unwrap();
        (0..most).for_each(|at| mailbox.put(stopped(at)));
        assert!(!mailbox.is_over());
        mailbox.put(partial(0, "a word"));
        mailbox.put(stopped(most));
        mailbox.put(stopped(most));
        assert!(mailbox.is_over());
        assert_eq!(drain(&mailbox), [Hearing::Ended(Ending::TooSlow)]);
    }

    #[tokio::test]
    async fn the_ending_is_the_last() {
        let mailbox = Mailbox::default();
        mailbox.put(level(-3.0));
        mailbox.put(partial(0, "a"));
        mailbox.put(Hearing::Ended(Ending::Stopping));
        mailbox.put(stopped(1));
        assert_eq!(mailbox.take().await, Some(partial(0, "a")));
        assert_eq!(mailbox.take().await, Some(level(-3.0)));
        let ended = Hearing::Ended(Ending::Stopping);
        assert_eq!(mailbox.take().await, Some(ended));
        assert_eq!(mailbox.take().await, None);
        assert_eq!(mailbox.take().await, None);
    }

    #[test]
    fn without_leave_nothing_of_before_is_given_out() {
        for ending in [Ending::GateClosed, Ending::Revoked] {
            let mailbox = Mailbox::default();
            mailbox.put(stopped(1));
            mailbox.put(partial(2, "a word"));
            mailbox.put(Hearing::Ended(ending));
            assert_eq!(drain(&mailbox), [Hearing::Ended(ending)]);
        }
    }
}
