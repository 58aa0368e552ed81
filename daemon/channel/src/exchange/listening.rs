//! The course of a live job: one utterance after the other, and who asked for what of it.
//!
//! A tuning takes its time to reach a worker, so an answer that was asked for until a moment ago
//! is honest. How long that moment lasts the sound says: a worker takes tunings in their place
//! between pieces of sound, so what it tells of sound from behind that place it told knowingly.

use std::collections::VecDeque;

use earnest_transcript::Segment;

use crate::{LiveTask, Partial, Spotted, Tuning};

use super::{Due, Misbehaviour, SLACK_MILLISECONDS};

/// Lists of phrases that are remembered. Each change of listeners makes one, and a worker is
/// seldom behind by two.
const MOST_LISTS: usize = 32;

/// A live job's state.
#[derive(Debug, Clone)]
pub(super) struct Listening {
    partials: bool,
    utterance: Option<Utterance>,
    text: Text,
    lists: VecDeque<List>,
    /// The newest list that is not remembered any more.
    forgotten: Option<u32>,
}

/// The utterance that is under way.
#[derive(Debug, Clone)]
struct Utterance {
    start: u64,
    /// How far its sound was heard for the last partial.
    at: u64,
    /// Whether its segment has come.
    written: bool,
}

/// Whether text is wanted. Places are milliseconds of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// It never was.
    Never,
    /// It is, of what was heard behind this place; of all if there is none.
    Wanted { behind: Option<u64> },
    /// It was, up to this place.
    Unwanted { since: u64 },
}

/// A list of phrases that was sent.
#[derive(Debug, Clone)]
struct List {
    generation: u32,
    phrases: usize,
    /// The place of the next one.
    until: Option<u64>,
}

impl Listening {
    pub(super) fn new(task: LiveTask) -> Listening {
        Listening {
            partials: task.partials,
            utterance: None,
            text: match task.text {
                true => Text::Wanted { behind: None },
                false => Text::Never,
            },
            lists: VecDeque::new(),
            forgotten: None,
        }
    }

    /// A tuning was sent behind so many milliseconds of sound.
    pub(super) fn tune(&mut self, tuning: &Tuning, sent: u64) {
        self.text = match (self.text, tuning.text) {
            (Text::Wanted { .. }, false) => Text::Unwanted { since: sent },
            (Text::Never | Text::Unwanted { .. }, true) => Text::Wanted { behind: Some(sent) },
            (text, _) => text,
        };
        if let Some(last) = self.lists.back_mut() {
            last.until = Some(sent);
        }
        self.lists.push_back(List {
            generation: tuning.generation,
            phrases: tuning.phrases.len(),
            until: None,
        });
        if self.lists.len() > MOST_LISTS {
            let oldest = self.lists.pop_front();
            self.forgotten = oldest.map(|list| list.generation);
        }
    }

    pub(super) fn begin(&mut self, at: u64) -> Result<(), Misbehaviour> {
        if self.utterance.is_some() {
            return Err(disorder("a beginning"));
        }
        self.utterance = Some(Utterance {
            start: at,
            at,
            written: false,
        });
        Ok(())
    }

    pub(super) fn partial(&mut self, partial: &Partial) -> Result<Due, Misbehaviour> {
        if !self.partials {
            return Err(Misbehaviour::Unasked);
        }
        let utterance = open(&mut self.utterance, partial.start.0, "a partial")?;
        let (earliest, found) = (utterance.at, partial.at.0);
        if found < earliest {
            return Err(Misbehaviour::Backwards { earliest, found });
        }
        utterance.at = found;
        self.text.due(found)
    }

    pub(super) fn segment(&mut self, segment: &Segment) -> Result<Due, Misbehaviour> {
        let utterance = open(&mut self.utterance, segment.start.0, "a segment")?;
        utterance.written = true;
        self.text.due(segment.end.0)
    }

    pub(super) fn stop(&mut self, found: u64) -> Result<(), Misbehaviour> {
        let Some(Utterance { start, .. }) = self.utterance.take() else {
            return Err(disorder("an end of speech"));
        };
        match found >= start {
            true => Ok(()),
            false => Err(Misbehaviour::Backwards {
                earliest: start,
                found,
            }),
        }
    }

    pub(super) fn finish(&self) -> Result<(), Misbehaviour> {
        match self.utterance {
            None => Ok(()),
            Some(_) => Err(disorder("the last word")),
        }
    }

    pub(super) fn spotted(&self, spotted: &Spotted) -> Result<Due, Misbehaviour> {
        let its = |list: &&List| list.generation == spotted.generation;
        let Some(list) = self.lists.iter().find(its) else {
            let was_sent = self.forgotten >= Some(spotted.generation);
            return match was_sent {
                true => Ok(Due::NoMore),
                false => Err(Misbehaviour::Unasked),
            };
        };
        let in_list = usize::from(spotted.phrase) < list.phrases;
        let in_time = list
            .until
            .is_none_or(|until| spotted.at.0 <= until.saturating_add(SLACK_MILLISECONDS));
        match in_list && in_time {
            true => Ok(Due::Now),
            false => Err(Misbehaviour::Unasked),
        }
    }
}

impl Text {
    /// What becomes of text from sound that was heard up to `at`.
    fn due(self, at: u64) -> Result<Due, Misbehaviour> {
        match self {
            Text::Wanted { behind } if behind >= Some(at) => Ok(Due::NoMore),
            Text::Wanted { .. } => Ok(Due::Now),
            Text::Unwanted { since } if at <= since.saturating_add(SLACK_MILLISECONDS) => {
                Ok(Due::NoMore)
            }
            Text::Unwanted { .. } | Text::Never => Err(Misbehaviour::Unasked),
        }
    }
}

/// The utterance under way, if it began at `start` and its segment has not come.
fn open<'a>(
    utterance: &'a mut Option<Utterance>,
    start: u64,
    what: &'static str,
) -> Result<&'a mut Utterance, Misbehaviour> {
    let open = utterance
        .as_mut()
        .filter(|it| it.start == start && !it.written);
    open.ok_or(disorder(what))
}

fn disorder(what: &'static str) -> Misbehaviour {
    Misbehaviour::Disorder { what }
}
