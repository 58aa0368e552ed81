//! What a person is to know of the microphone at the moment: worked out of events, without a
//! terminal.

use earnest_endpoint::shapes::{LevelLine, ListenEvent, PartialLine, StateLine};

use super::strip::{Span, Strip, Style};

/// What is heard and shown, as it stands.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// What is listened for, as it is told while nobody speaks.
    quiet: String,
    link: Link,
    device: Device,
    muted: bool,
    level: Option<f32>,
    speech: Speech,
    woken: bool,
}

/// The connection to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    Up,
    /// There is none, and this is why.
    Down(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Device {
    Unknown,
    Closed,
    /// Its guard does not agree.
    Withheld,
    Opening,
    Open,
    /// Why: a sentence's end.
    Lost(String),
}

/// What is being said.
#[derive(Debug, Clone, PartialEq)]
enum Speech {
    None,
    Begun,
    Heard(PartialLine),
}

impl View {
    /// Before anything is known. `quiet` is what is shown while nobody speaks.
    pub(super) fn new(quiet: &str) -> View {
        View {
            quiet: quiet.to_owned(),
            link: Link::Down("asking the daemon".to_owned()),
            device: Device::Unknown,
            muted: false,
            level: None,
            speech: Speech::None,
            woken: false,
        }
    }

    /// The daemon lets this command listen. It says anew how everything is.
    pub(super) fn connected(&mut self) {
        *self = View {
            link: Link::Up,
            ..View::new(&self.quiet)
        };
    }

    /// Nothing is heard now, and this is why.
    pub(super) fn disconnected(&mut self, why: &str) {
        self.link = Link::Down(why.to_owned());
        self.silence();
    }

    /// Takes in what the daemon says.
    pub(super) fn apply(&mut self, event: &ListenEvent) {
        match event {
            ListenEvent::State(state) => {
                self.device = Device::of(state);
                // What was being said is not going to have an end.
                self.speech = Speech::None;
            }
            ListenEvent::SpeechStarted { .. } => self.speech = Speech::Begun,
            ListenEvent::Partial(partial) => self.speech = Speech::Heard(partial.clone()),
            ListenEvent::Final(_) => self.speech = Speech::None,
            ListenEvent::SpeechStopped { .. } => {
                self.speech = Speech::None;
                self.woken = false;
            }
            ListenEvent::Woken { .. } => self.woken = true,
            ListenEvent::Level(LevelLine { rms_db, .. }) => self.level = Some(*rms_db),
            ListenEvent::DeviceLost { why } => {
                self.device = Device::Lost(loss(why));
                self.silence();
            }
            ListenEvent::DeviceBack { .. } => self.device = Device::Open,
            ListenEvent::Muted => {
                self.muted = true;
                self.silence();
            }
            ListenEvent::Unmuted => self.muted = false,
            ListenEvent::Command { .. }
            | ListenEvent::Overrun { .. }
            | ListenEvent::Error { .. } => {}
        }
    }

    fn silence(&mut self) {
        self.level = None;
        self.speech = Speech::None;
        self.woken = false;
    }

    /// What stands below the finished lines.
    pub(super) fn strip(&self) -> Strip {
        Strip {
            decibels: self.level,
            spans: self.spans(),
        }
    }

    fn spans(&self) -> Vec<Span> {
        let told = |text: &str| vec![Span::new(Style::Plain, text)];
        if let Link::Down(why) = &self.link {
            return told(why);
        }
        if self.muted {
            return told("the microphone is muted");
        }
        match &self.device {
            Device::Lost(why) => return told(&format!("{why}; looking for it")),
            Device::Opening | Device::Unknown => return told("opening the microphone"),
            Device::Closed => return told("the microphone is closed"),
            Device::Withheld => return told("the microphone's guard has cut it"),
            Device::Open => {}
        }
        match &self.speech {
            Speech::Heard(PartialLine {
                stable, tentative, ..
            }) => vec![
                Span::new(Style::Bright, stable),
                Span::new(Style::Dim, tentative),
            ],
            Speech::Begun => vec![Span::new(Style::Dim, "...")],
            Speech::None if self.woken => told("yes?"),
            Speech::None => vec![Span::new(Style::Dim, &self.quiet)],
        }
    }
}

impl Device {
    fn of(line: &StateLine) -> Device {
        match line.state.as_str() {
            "off" => Device::Closed,
            "opening" => Device::Opening,
            "open" | "warm" => Device::Open,
            "withheld" => Device::Withheld,
            "lost" => Device::Lost(loss(line.why.as_deref().unwrap_or_default())),
            _ => Device::Unknown,
        }
    }
}

/// Why a device is lost, for people.
pub(crate) fn loss(why: &str) -> String {
    let told = match why {
        "no_device" => "this machine has no microphone",
        "not_found" => "no microphone has a name like the configured one",
        "busy" => "another program has the microphone",
        "denied" => "the daemon may not open the microphone",
        "unsupported" => "the microphone has no rate or format that can be used",
        "vanished" => "the microphone is gone",
        "silent" => "the microphone is open and gives no sound",
        "too_fast" => "the microphone gives sound faster than time passes",
        "died" | "stalled" | "broken" | "unstartable" => "what reads the microphone has failed",
        "failed" | "" => "the microphone has failed",
        other => return format!("the microphone is lost ({other})"),
    };
    told.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn view(events: &[Value]) -> View {
        let mut view = View::new("listening");
        view.connected();
        view.apply(&event(
            &json!({ "type": "state", "state": "open", "device": "d", "rate": 16_000 }),
        ));
        for told in events {
            view.apply(&event(told));
        }
        view
    }

    fn event(event: &Value) -> ListenEvent {
        serde_json::from_value(event.clone()).unwrap()
    }

    fn text(view: &View) -> String {
        let strip = view.strip();
        strip.spans.iter().map(|span| span.text.as_str()).collect()
    }

    fn check(events: &[Value], expected: &str) {
        assert_eq!(text(&view(events)), expected, "{events:?}");
    }

    #[test]
    fn words_are_shown_as_they_come_and_go_with_their_final() {
        let started = json!({ "type": "speech_started", "at": 1.0 });
        let partial = json!({
            "type": "partial", "start": 1.0, "at": 2.0, "stable": "hello", "tentative": " word",
        });
        let finished = json!({
            "type": "final", "text": "hello world", "start": 1.0, "end": 2.0, "avg_logprob": 0.0,
            "compression_ratio": 1.0, "no_speech_prob": 0.0,
        });
        check(&[], "listening");
        check(std::slice::from_ref(&started), "...");
        check(&[started.clone(), partial.clone()], "hello word");
        check(&[started.clone(), partial.clone(), finished], "listening");
        let stopped = json!({ "type": "speech_stopped", "at": 3.0 });
        check(&[started.clone(), partial.clone(), stopped], "listening");
        // A worker that died gives no final.
        let again = json!({ "type": "state", "state": "open" });
        check(&[started, partial, again], "listening");
    }

    #[test]
    fn whatever_keeps_words_away_is_said_instead() {
        let muted = json!({ "type": "muted" });
        let lost = json!({ "type": "device_lost", "why": "vanished" });
        check(std::slice::from_ref(&muted), "the microphone is muted");
        let unmuted = json!({ "type": "unmuted" });
        check(&[muted.clone(), unmuted], "listening");
        check(
            std::slice::from_ref(&lost),
            "the microphone is gone; looking for it",
        );
        check(&[lost.clone(), muted], "the microphone is muted");
        let back = json!({ "type": "device_back", "device": "d" });
        check(&[lost, back], "listening");
        let opening = json!({ "type": "state", "state": "opening" });
        check(&[opening], "opening the microphone");
        let mut view = view(&[json!({ "type": "level", "peak_db": -1.0, "rms_db": -6.0 })]);
        assert_eq!(view.strip().decibels, Some(-6.0));
        view.disconnected("the daemon is gone");
        assert_eq!(text(&view), "the daemon is gone");
        assert_eq!(view.strip().decibels, None);
    }

    #[test]
    fn a_wake_phrase_is_answered_until_the_speaker_pauses() {
        let woken = json!({ "type": "woken", "at": 1.0 });
        check(std::slice::from_ref(&woken), "yes?");
        let stopped = json!({ "type": "speech_stopped", "at": 3.0 });
        check(&[woken, stopped], "listening");
    }

    #[test]
    fn every_reason_is_told_in_words() {
        assert_eq!(loss("no_device"), "this machine has no microphone");
        assert_eq!(loss("later"), "the microphone is lost (later)");
    }
}
