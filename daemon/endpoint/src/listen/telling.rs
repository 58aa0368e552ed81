//! What of the hub's news a listener is told, and in which shape.
//!
//! The rules of answers hold here as for uploads, but for one: nothing waits for the end of a
//! quantum, because live text that comes late is none. Where text may have to be withheld or
//! taken out, nothing is told before an utterance ends, for nobody knows earlier what may be.

use std::time::Duration;

use earnest_live::{Hearing, Level, Partial};
use earnest_policy::AnswerRules;
use earnest_printable::printable;
use earnest_transcript::Segment;
use tokio::time::Instant;

use crate::answer::outward;
use crate::events::SegmentLine;
use crate::microphone::state_line;
use crate::redact::Redactor;
use crate::shapes::{LevelLine, ListenEvent, PartialLine};

/// How long the end of an utterance that may be the beginning of a number is held, where numbers
/// are taken out. Whoever pauses for longer than this within one is told in parts, as if they had
/// been uploaded one by one.
pub(crate) const HELD_TIME: Duration = Duration::from_secs(4);

/// Turns news into events.
#[derive(Debug)]
pub(crate) struct Telling {
    rules: AnswerRules,
    redactor: Redactor,
    is_muted: bool,
    /// When what is held is told, where anything is.
    due: Option<Instant>,
}

impl Telling {
    pub(crate) fn new(rules: AnswerRules) -> Telling {
        Telling {
            rules,
            redactor: Redactor::new(rules),
            is_muted: false,
            due: None,
        }
    }

    /// The events of one piece of news. `now` is on CLOCK_BOOTTIME. That listening has ended is
    /// nothing to be told here.
    pub(crate) fn hear(&mut self, hearing: Hearing, now: Duration) -> Vec<ListenEvent> {
        let event = match hearing {
            Hearing::Final(segment) => return self.segment(segment),
            Hearing::Partial(partial) if self.tells_partials() => partial_line(partial),
            Hearing::Partial(_) | Hearing::Ended(_) => return Vec::new(),
            Hearing::Muted | Hearing::Unmuted => {
                let is_muted = hearing == Hearing::Muted;
                return self.mute(is_muted).into_iter().collect();
            }
            Hearing::State(state) => ListenEvent::State(state_line(&state, now)),
            Hearing::SpeechStarted { at } => ListenEvent::SpeechStarted { at: at.seconds() },
            Hearing::SpeechStopped { at } => ListenEvent::SpeechStopped { at: at.seconds() },
            Hearing::Woken { at } => ListenEvent::Woken { at: at.seconds() },
            Hearing::Command { id, at } => ListenEvent::Command {
                id: id.to_string(),
                at: at.seconds(),
            },
            Hearing::Level(level) => ListenEvent::Level(level_line(level)),
            Hearing::DeviceLost { why } => ListenEvent::DeviceLost {
                why: why.name().to_owned(),
            },
            Hearing::DeviceBack { device } => ListenEvent::DeviceBack {
                device: printable(&device),
            },
            Hearing::Overrun { frames } => ListenEvent::Overrun { frames },
        };
        vec![event]
    }

    /// Whether the microphone is muted or not is told when that changes.
    pub(crate) fn mute(&mut self, is_muted: bool) -> Option<ListenEvent> {
        let was = std::mem::replace(&mut self.is_muted, is_muted);
        (was != is_muted).then_some(match is_muted {
            true => ListenEvent::Muted,
            false => ListenEvent::Unmuted,
        })
    }

    /// When [`Telling::release`] has something to tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What was held: nothing that belongs to it came for long enough.
    pub(crate) fn release(&mut self) -> Vec<ListenEvent> {
        self.due = None;
        finals(self.redactor.end())
    }

    fn tells_partials(&self) -> bool {
        self.rules.certainty_floor().is_none() && !self.rules.redacts()
    }

    fn segment(&mut self, segment: Segment) -> Vec<ListenEvent> {
        if self.rules.withheld(segment.avg_logprob) {
            return Vec::new();
        }
        let ready = self.redactor.push(outward(segment));
        self.due = self.redactor.holds().then(|| Instant::now() + HELD_TIME);
        finals(ready)
    }
}

fn finals(segments: Vec<Segment>) -> Vec<ListenEvent> {
    let line = |segment: Segment| {
        let words = !segment.words.is_empty();
        ListenEvent::Final(SegmentLine::of(segment, words))
    };
    segments.into_iter().map(line).collect()
}

fn partial_line(partial: Partial) -> ListenEvent {
    ListenEvent::Partial(PartialLine {
        start: partial.start.seconds(),
        at: partial.at.seconds(),
        stable: printable(&partial.stable),
        tentative: printable(&partial.tentative),
    })
}

/// A level in the shape that it is told in.
pub(crate) fn level_line(level: Level) -> LevelLine {
    LevelLine {
        peak_db: level.peak_db,
        rms_db: level.rms_db,
    }
}

#[cfg(test)]
mod tests {
    use earnest_live::{Loss, MicrophoneState};
    use earnest_transcript::Milliseconds;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn rules(floor: Option<f32>, digits: Option<u8>) -> AnswerRules {
        let quantum = Some(Duration::from_secs(5));
        AnswerRules::new(floor, digits, quantum).expect("rules")
    }

    fn said(text: &str, certainty: f32) -> Hearing {
        Hearing::Final(Segment {
            start: Milliseconds(100),
            end: Milliseconds(1_100),
            text: text.to_owned(),
            tokens: vec![1, 2],
            avg_logprob: certainty,
            compression_ratio: 0.71,
            no_speech_prob: 0.03,
            words: Vec::new(),
        })
    }

    fn being_said(stable: &str, tentative: &str) -> Hearing {
        Hearing::Partial(Partial {
            start: Milliseconds(100),
            at: Milliseconds(500),
            stable: stable.to_owned(),
            tentative: tentative.to_owned(),
        })
    }

    fn texts(events: &[ListenEvent]) -> Vec<&str> {
        let mut texts = Vec::new();
        for event in events {
            if let ListenEvent::Final(line) = event {
                texts.push(line.text.as_str());
            }
        }
        texts
    }

    #[test]
    fn what_is_heard_is_told_in_seconds_and_coarse_steps() {
        let mut telling = Telling::new(AnswerRules::default());
        let told = telling.hear(said("Hello.", -0.42), NOW);
        let [ListenEvent::Final(line)] = &told[..] else {
            panic!("one final");
        };
        assert_eq!((line.start, line.end), (0.1, 1.1));
        assert_eq!((line.avg_logprob, line.text.as_str()), (-0.5, "Hello."));
        let told = telling.hear(being_said("Hel", "lo\u{1b}"), NOW);
        let [ListenEvent::Partial(line)] = &told[..] else {
            panic!("one partial");
        };
        assert_eq!(
            (line.start, line.at, line.stable.as_str()),
            (0.1, 0.5, "Hel")
        );
        assert!(!line.tentative.contains('\u{1b}'));
    }

    #[test]
    fn a_lost_device_is_told_with_its_reason_and_age() {
        let mut telling = Telling::new(AnswerRules::default());
        let lost = MicrophoneState::Lost {
            why: Loss::Vanished,
            since: Duration::from_secs(93),
        };
        let told = telling.hear(Hearing::State(lost), NOW);
        let [ListenEvent::State(line)] = &told[..] else {
            panic!("one state");
        };
        assert_eq!((line.state.as_str(), line.for_seconds), ("lost", Some(7)));
        assert_eq!(line.why.as_deref(), Some("vanished"));
    }

    #[test]
    fn muting_is_told_when_it_changes() {
        let mut telling = Telling::new(AnswerRules::default());
        assert_eq!(telling.mute(false), None);
        assert_eq!(telling.mute(true), Some(ListenEvent::Muted));
        assert_eq!(telling.hear(Hearing::Muted, NOW), []);
        assert_eq!(telling.hear(Hearing::Unmuted, NOW), [ListenEvent::Unmuted]);
    }

    #[tokio::test]
    async fn where_text_may_be_withheld_or_redacted_nothing_is_told_early() {
        for rules in [rules(Some(-1.0), None), rules(None, Some(4))] {
            let mut telling = Telling::new(rules);
            assert_eq!(telling.hear(being_said("a", "b"), NOW), []);
            let told = telling.hear(said("It is late.", -0.2), NOW);
            assert_eq!(texts(&told), ["It is late."]);
        }
        let mut telling = Telling::new(rules(Some(-1.0), None));
        assert_eq!(telling.hear(said("It is late.", -1.2), NOW), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_is_taken_out_though_it_goes_on_in_the_next_utterance() {
        let mut telling = Telling::new(rules(None, Some(4)));
        assert_eq!(telling.hear(said("My code is four two", -0.2), NOW), []);
        assert!(telling.due().is_some());
        let told = telling.hear(said("one seven. Thanks.", -0.2), NOW);
        assert_eq!(texts(&told), ["My code is [number]", "[number]. Thanks."]);
        assert_eq!(telling.due(), None);
        assert_eq!(telling.hear(said("I have two", -0.2), NOW), []);
        let due = telling.due().expect("it is held");
        assert_eq!(due.duration_since(Instant::now()), HELD_TIME);
        assert_eq!(texts(&telling.release()), ["I have two"]);
        assert_eq!(telling.due(), None);
    }
}
