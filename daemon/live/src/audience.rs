//! All who listen, and what each of them is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use earnest_audio::Level;
use earnest_policy::AppId;
use earnest_transcript::{Milliseconds, Phrase, Segment};

use crate::ears::Ears;
use crate::mailbox::Mailbox;
use crate::wake::{Told, Wake};
use crate::wish::Wanted;
use crate::{Ending, Hearing, ListenerStatus, Partial};

/// Somebody who listens.
pub(crate) struct Entry {
    pub(crate) app: AppId,
    pub(crate) uid: u32,
    /// On CLOCK_BOOTTIME.
    pub(crate) since: Duration,
    pub(crate) wanted: Wanted,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) ears: Arc<dyn Ears>,
    /// Where text is wanted after a wake phrase alone.
    pub(crate) wake: Option<Wake>,
    /// Whether it came when the final of the last utterance had been told: nothing of that is
    /// for it.
    pub(crate) is_late: bool,
}

/// What a worker is to be tuned to for all who listen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    pub(crate) text: bool,
    /// Each once.
    pub(crate) phrases: Vec<Phrase>,
}

/// All who listen, the longest first.
#[derive(Default)]
pub(crate) struct Audience {
    entries: Vec<Entry>,
    utterance: Option<Utterance>,
}

/// The utterance under way, or the last one.
#[derive(Clone)]
struct Utterance {
    start: Milliseconds,
    is_said: bool,
    /// Kept for who may still be woken by it, and for no longer.
    said: Option<Segment>,
    stopped: Option<Milliseconds>,
}

/// How long after its end an utterance may turn out to have held a wake phrase, in milliseconds:
/// more than the spotting of one takes.
const AFTERTHOUGHT: u64 = 2_000;

impl Audience {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes one more in, who is told what the others know: `before` of the microphone, and that
    /// somebody is speaking.
    pub(crate) fn join(&mut self, mut entry: Entry, before: [Option<Hearing>; 2]) {
        for hearing in before.into_iter().flatten() {
            entry.mailbox.put(hearing);
        }
        if let (true, Some(at)) = (entry.hears_all(), self.speaking_since()) {
            entry.mailbox.put(Hearing::SpeechStarted { at });
        }
        let utterance = self.utterance.as_ref();
        entry.is_late = utterance.is_some_and(|last| last.is_said || last.stopped.is_some());
        self.entries.push(entry);
    }

    /// Lets go of those who left, and of those whose gate has closed; says whether anybody went.
    pub(crate) fn sweep(&mut self) -> bool {
        let closed = |entry: &Entry| !entry.ears.holds();
        self.end(Ending::GateClosed, closed);
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.mailbox.is_over());
        if self.entries.is_empty() {
            self.utterance = None;
        }
        self.entries.len() < before
    }

    /// Ends the listening of some, and says of how many. They are let go of when it is swept.
    pub(crate) fn end(&self, ending: Ending, whose: impl Fn(&Entry) -> bool) -> usize {
        let ended = self.entries.iter().filter(|entry| whose(entry));
        ended
            .map(|entry| entry.mailbox.put(Hearing::Ended(ending)))
            .count()
    }

    /// By whose leave the microphone is to be heard: that of whoever listens longest.
    pub(crate) fn ears(&self) -> Option<Arc<dyn Ears>> {
        self.entries.first().map(|entry| Arc::clone(&entry.ears))
    }

    pub(crate) fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for entry in &self.entries {
            needs.text |= matches!(entry.wanted, Wanted::Text { .. });
            for phrase in entry.wanted.phrases() {
                // A few hundred at most.
                if !needs.phrases.iter().any(|known| known == phrase) {
                    needs.phrases.push(phrase.clone());
                }
            }
        }
        needs
    }

    pub(crate) fn report(&self) -> Vec<ListenerStatus> {
        let status = |entry: &Entry| ListenerStatus {
            app: entry.app.clone(),
            uid: entry.uid,
            since: entry.since,
            what: entry.wanted.what(),
        };
        self.entries.iter().map(status).collect()
    }

    /// Tells everybody how the microphone is.
    pub(crate) fn tell(&self, hearing: &Hearing) {
        for entry in &self.entries {
            entry.mailbox.put(hearing.clone());
        }
    }

    pub(crate) fn level(&self, level: Level) {
        self.tell_readers(&Hearing::Level(level));
    }

    pub(crate) fn overrun(&self, frames: u64) {
        self.tell_readers(&Hearing::Overrun { frames });
    }

    /// Whether anybody wants more than commands.
    pub(crate) fn reads(&self) -> bool {
        self.entries.iter().any(Entry::reads)
    }

    pub(crate) fn speech_started(&mut self, at: Milliseconds) {
        self.utterance = Some(Utterance {
            start: at,
            is_said: false,
            said: None,
            stopped: None,
        });
        for entry in &mut self.entries {
            if entry.started(at) {
                entry.mailbox.put(Hearing::SpeechStarted { at });
            }
        }
    }

    pub(crate) fn partial(&self, partial: &Partial) {
        for entry in self.entries.iter().filter(|entry| entry.is_told()) {
            entry.mailbox.put(Hearing::Partial(partial.clone()));
        }
    }

    pub(crate) fn said(&mut self, segment: Segment) {
        for entry in self.entries.iter().filter(|entry| entry.is_told()) {
            entry.mailbox.put(Hearing::Final(segment.clone()));
        }
        let sleeps = |entry: &Entry| entry.reads() && !entry.is_told();
        let kept = self.entries.iter().any(sleeps);
        if let Some(utterance) = &mut self.utterance {
            utterance.is_said = true;
            utterance.said = kept.then_some(segment);
        }
    }

    pub(crate) fn speech_stopped(&mut self, at: Milliseconds) {
        if let Some(utterance) = &mut self.utterance {
            utterance.stopped = Some(at);
        }
        for entry in &mut self.entries {
            if entry.stopped(at) {
                entry.mailbox.put(Hearing::SpeechStopped { at });
            }
        }
    }

    /// Closes an utterance that nothing more comes of.
    pub(crate) fn break_off(&mut self, at: Milliseconds) {
        if let Some(start) = self.speaking_since() {
            self.speech_stopped(at.max(start));
        }
        self.utterance = None;
    }

    /// The sound was heard up to here: what was said long before wakes nobody any more.
    pub(crate) fn heard(&mut self, at: Milliseconds) {
        let old = |stopped: Milliseconds| stopped.0.saturating_add(AFTERTHOUGHT) < at.0;
        let stopped = |utterance: &Utterance| utterance.stopped;
        if self.utterance.as_ref().and_then(stopped).is_some_and(old) {
            self.utterance = None;
        }
    }

    /// A phrase was said.
    pub(crate) fn spotted(&mut self, phrase: &Phrase, at: Milliseconds) {
        let utterance = self.utterance.clone();
        for entry in &mut self.entries {
            for hearing in entry.spotted(phrase, at, utterance.as_ref()) {
                entry.mailbox.put(hearing);
            }
        }
    }

    /// Since when somebody has been speaking.
    fn speaking_since(&self) -> Option<Milliseconds> {
        let utterance = self.utterance.as_ref()?;
        utterance.stopped.is_none().then_some(utterance.start)
    }

    fn tell_readers(&self, hearing: &Hearing) {
        for entry in self.entries.iter().filter(|entry| entry.reads()) {
            entry.mailbox.put(hearing.clone());
        }
    }
}

impl Entry {
    /// Whether it wants more than commands.
    fn reads(&self) -> bool {
        matches!(self.wanted, Wanted::Text { .. })
    }

    /// Whether it is told all that is said.
    fn hears_all(&self) -> bool {
        self.reads() && self.wake.is_none()
    }

    /// Whether it is told what is being said.
    fn is_told(&self) -> bool {
        self.reads() && self.wake.as_ref().is_none_or(Wake::is_told)
    }

    /// An utterance begins; whether it is told so.
    fn started(&mut self, at: Milliseconds) -> bool {
        self.is_late = false;
        match &mut self.wake {
            Some(wake) => wake.started(at),
            None => self.reads(),
        }
    }

    /// An utterance ends; whether it is told so.
    fn stopped(&mut self, at: Milliseconds) -> bool {
        match &mut self.wake {
            Some(wake) => wake.stopped(at),
            None => self.reads(),
        }
    }

    /// What it is told of a phrase that was said.
    fn spotted(
        &mut self,
        phrase: &Phrase,
        at: Milliseconds,
        utterance: Option<&Utterance>,
    ) -> VecDeque<Hearing> {
        let mut told = VecDeque::new();
        match &self.wanted {
            Wanted::Commands(phrases) => {
                let command = phrases.iter().find(|(_, known)| known == phrase);
                told.extend(command.map(|(id, _)| Hearing::Command { id: id.clone(), at }));
            }
            Wanted::Text { wake: Some(own) } if own == phrase => {
                let stopped = utterance.and_then(|utterance| utterance.stopped);
                let under_way = utterance.is_some() && stopped.is_none();
                let now = stopped.unwrap_or(at);
                let woken = self.wake.as_mut().map(|wake| wake.woken(under_way, now));
                if let Some(Told {
                    woken,
                    utterance: new,
                }) = woken
                {
                    told.extend(woken.then_some(Hearing::Woken { at }));
                    if let (true, Some(utterance)) = (new, utterance) {
                        told.extend(utterance.so_far(!self.is_late));
                    }
                }
            }
            Wanted::Text { .. } => {}
        }
        told
    }
}

impl Utterance {
    /// What whoever is woken by it has missed of it.
    fn so_far(&self, with_text: bool) -> impl Iterator<Item = Hearing> {
        let started = Hearing::SpeechStarted { at: self.start };
        let said = self.said.clone().filter(|_| with_text);
        let said = said.map(Hearing::Final);
        let stopped = self.stopped.map(|at| Hearing::SpeechStopped { at });
        [Some(started), said, stopped].into_iter().flatten()
    }
}
