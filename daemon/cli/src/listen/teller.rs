//! What is written of what is heard: live words on a terminal, plain lines elsewhere, or events
//! for programs.

use earnest_endpoint::shapes::{ListenEvent, StateLine};
use earnest_printable::printable;

use super::screen::Screen;
use super::view::{View, loss};
use crate::output;

/// The columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// Something to write.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Said {
    /// For standard output.
    pub(super) words: String,
    /// A line for standard error.
    pub(super) note: Option<String>,
}

/// Writes down what is heard.
pub(super) struct Teller {
    shape: Shape,
    /// The latest note, which is not said again.
    noted: Option<String>,
}

enum Shape {
    Terminal(Box<(View, Screen)>),
    Lines,
    Events,
}

impl Teller {
    /// Finished lines, and one below them that is alive. `quiet` is shown there while nobody
    /// speaks.
    pub(super) fn terminal(quiet: &str) -> Teller {
        let alive = (View::new(quiet), Screen::default());
        Teller::of(Shape::Terminal(Box::new(alive)))
    }

    /// Finished lines alone.
    pub(super) fn lines() -> Teller {
        Teller::of(Shape::Lines)
    }

    /// Every event as an object on a line.
    pub(super) fn events() -> Teller {
        Teller::of(Shape::Events)
    }

    fn of(shape: Shape) -> Teller {
        Teller { shape, noted: None }
    }

    /// The daemon lets this command listen.
    pub(super) fn connected(&mut self) -> Said {
        let was_down = self.noted.take().is_some();
        if let Shape::Terminal(alive) = &mut self.shape {
            alive.0.connected();
            return self.redraw();
        }
        let note = was_down.then(|| "the daemon answers again".to_owned());
        Said {
            note,
            ..Said::default()
        }
    }

    /// Nothing is heard for a while, and this is why.
    pub(super) fn disconnected(&mut self, why: &str) -> Said {
        if let Shape::Terminal(alive) = &mut self.shape {
            // Why, stands above.
            alive.0.disconnected("nothing is heard; waiting");
        }
        let mut said = self.redraw();
        said.note = self.anew(why);
        said
    }

    /// Something was heard.
    pub(super) fn event(&mut self, event: &ListenEvent) -> Said {
        let lines = finished(event);
        let width = width();
        match &mut self.shape {
            Shape::Events => {
                let words = match serde_json::to_string(event) {
                    Ok(object) => format!("{}\n", output::escaped(&object)),
                    Err(_) => String::new(),
                };
                Said { words, note: None }
            }
            Shape::Lines => Said {
                words: lines,
                note: notice(event).and_then(|note| self.anew(&note)),
            },
            Shape::Terminal(alive) => {
                let (view, screen) = &mut **alive;
                view.apply(event);
                let words = match lines.is_empty() {
                    true => screen.draw(&view.strip(), width),
                    false => screen.lines(&lines, &view.strip(), width),
                };
                Said { words, note: None }
            }
        }
    }

    /// Draws what has to be drawn.
    pub(super) fn redraw(&mut self) -> Said {
        let words = match &mut self.shape {
            Shape::Terminal(alive) => {
                let (view, screen) = &mut **alive;
                screen.draw(&view.strip(), width())
            }
            Shape::Lines | Shape::Events => String::new(),
        };
        Said { words, note: None }
    }

    /// Takes away what is not finished, so that something else can be written.
    pub(super) fn clear(&mut self) -> String {
        match &mut self.shape {
            Shape::Terminal(alive) => alive.1.clear(width()),
            Shape::Lines | Shape::Events => String::new(),
        }
    }

    /// A note, unless it was the last one, too.
    fn anew(&mut self, note: &str) -> Option<String> {
        let is_new = self.noted.as_deref() != Some(note);
        self.noted = Some(note.to_owned());
        is_new.then(|| note.to_owned())
    }
}

/// What an event adds to the finished lines.
fn finished(event: &ListenEvent) -> String {
    match event {
        ListenEvent::Final(segment) => format!("{}\n", printable(&segment.text)),
        ListenEvent::Command { id, .. } => format!("{}\n", printable(id)),
        _ => String::new(),
    }
}

/// What is said of an event to whom sees finished lines alone.
fn notice(event: &ListenEvent) -> Option<String> {
    let lost = |why: &str| Some(format!("{}; looking for it", loss(why)));
    let open = |device: &str| Some(format!("the microphone is open: {device}"));
    match event {
        ListenEvent::State(StateLine {
            state, device, why, ..
        }) => match state.as_str() {
            "open" => open(device.as_deref().unwrap_or("a device without a name")),
            "withheld" => Some("the microphone's guard has cut it".to_owned()),
            "lost" => lost(why.as_deref().unwrap_or_default()),
            _ => None,
        },
        ListenEvent::DeviceLost { why } => lost(why),
        ListenEvent::DeviceBack { device } => open(device),
        ListenEvent::Muted => Some("the microphone is muted".to_owned()),
        ListenEvent::Unmuted => Some("the microphone is muted no more".to_owned()),
        ListenEvent::Overrun { .. } => {
            Some("sound was lost: this machine could not keep up".to_owned())
        }
        _ => None,
    }
}

/// The columns of the terminal now.
fn width() -> usize {
    let size = ::console::Term::stdout().size_checked();
    size.map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(object: serde_json::Value) -> ListenEvent {
        serde_json::from_value(object).unwrap()
    }

    fn spoken(text: &str) -> ListenEvent {
        event(json!({
            "type": "final", "text": text, "start": 0.5, "end": 1.5, "avg_logprob": -0.25,
            "compression_ratio": 1.0, "no_speech_prob": 0.0,
        }))
    }

    #[test]
    fn lines_are_finals_and_notes_are_said_once() {
        let mut teller = Teller::lines();
        assert_eq!(teller.connected().note, None);
        let said = teller.event(&spoken("hello\u{1b}[2J"));
        assert_eq!(
            (said.words.as_str(), said.note),
            ("hello\u{fffd}[2J\n", None)
        );
        let lost = event(json!({ "type": "device_lost", "why": "busy" }));
        let state = event(json!({ "type": "state", "state": "lost", "why": "busy" }));
        let said = teller.event(&lost);
        assert_eq!(
            said.note.unwrap(),
            "another program has the microphone; looking for it"
        );
        assert!(teller.event(&state) == Said::default());
        let partial = json!({
            "type": "partial", "start": 0.0, "at": 1.0, "stable": "a", "tentative": "b",
        });
        assert!(teller.event(&event(partial)) == Said::default());
        let command = json!({ "type": "command", "id": "light-on", "at": 1.0 });
        assert_eq!(teller.event(&event(command)).words, "light-on\n");
    }

    #[test]
    fn a_daemon_that_is_gone_is_said_once_and_so_is_its_return() {
        let mut teller = Teller::lines();
        assert_eq!(
            teller.disconnected("it is gone").note.unwrap(),
            "it is gone"
        );
        assert_eq!(teller.disconnected("it is gone").note, None);
        assert_eq!(teller.connected().note.unwrap(), "the daemon answers again");
        assert_eq!(teller.connected().note, None);
    }

    #[test]
    fn events_are_lines_that_move_no_terminal_and_read_back() {
        let mut teller = Teller::events();
        let told = spoken("hello\u{9b}2J");
        let said = teller.event(&told).words;
        assert_eq!(said.matches('\n').count(), 1);
        assert!(!said.contains('\u{9b}'), "{said:?}");
        let back: ListenEvent = serde_json::from_str(&said).unwrap();
        assert!(back == told);
    }

    #[test]
    fn a_terminal_has_words_below_finished_lines() {
        let mut teller = Teller::terminal("listening");
        assert!(teller.connected().words.ends_with("opening the microphone"));
        let open = event(json!({ "type": "state", "state": "open", "device": "d", "rate": 1 }));
        assert!(teller.event(&open).words.contains("listening"));
        let said = teller.event(&spoken("hello")).words;
        let (above, below) = said.split_once("hello\n").unwrap();
        assert!(above.ends_with("\u{1b}[J") && below.contains("listening"));
        assert_eq!(teller.clear(), "\r\u{1b}[J");
        assert_eq!(teller.clear(), "");
    }
}
