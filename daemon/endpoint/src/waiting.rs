//! What was heard and not told yet, in its order.

use std::collections::VecDeque;

use earnest_transcript::Segment;

use crate::work::News;

/// What may wait at most behind a segment that is held: minutes of people who clear their
/// throats.
const MOST: usize = 256;

/// What was heard and not told yet. A segment that is held, because it may end in the middle of
/// a number, keeps its place, and what was heard after it waits behind it.
#[derive(Debug, Default)]
pub(crate) struct Waiting(VecDeque<Told>);

#[derive(Debug)]
enum Told {
    Now(News),
    Held,
}

impl Waiting {
    /// Puts something at the end.
    pub(crate) fn push(&mut self, news: News) {
        self.0.push_back(Told::Now(news));
    }

    /// Keeps a place at the end for a segment that is held.
    pub(crate) fn hold(&mut self) {
        self.0.push_back(Told::Held);
    }

    /// Puts segments that were held into their places, which are the first that were kept.
    pub(crate) fn release(&mut self, segments: Vec<Segment>) {
        let held = self.0.iter_mut();
        let held = held.filter(|told| matches!(told, Told::Held));
        for (place, segment) in held.zip(segments) {
            *place = Told::Now(News::Segment(segment));
        }
    }

    /// The first, if it can be told.
    pub(crate) fn pop(&mut self) -> Option<News> {
        match self.0.pop_front()? {
            Told::Now(news) => Some(news),
            Told::Held => {
                self.0.push_front(Told::Held);
                None
            }
        }
    }

    /// Whether so much waits that what is held is not to be held any longer.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() > MOST && matches!(self.0.front(), Some(Told::Held))
    }
}

#[cfg(test)]
mod tests {
    use earnest_transcript::Milliseconds;

    use super::*;

    fn segment(text: &str) -> Segment {
        Segment {
            start: Milliseconds(0),
            end: Milliseconds(1),
            text: text.to_owned(),
            tokens: Vec::new(),
            avg_logprob: -0.25,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: Vec::new(),
        }
    }

    /// All that can be told, in short.
    fn told(waiting: &mut Waiting) -> Vec<String> {
        let all = std::iter::from_fn(|| waiting.pop());
        all.map(|news| match news {
            News::Speech(at) => format!("speech {}", at.0),
            News::Stopped(at) => format!("stopped {}", at.0),
            News::Segment(segment) => segment.text,
            other => panic!("{other:?}"),
        })
        .collect()
    }

    #[test]
    fn what_comes_after_a_segment_that_is_held_waits_for_it() {
        let mut waiting = Waiting::default();
        let at = Milliseconds;
        waiting.push(News::Speech(at(1)));
        waiting.hold();
        waiting.push(News::Stopped(at(2)));
        assert_eq!(told(&mut waiting), ["speech 1"]);
        waiting.push(News::Speech(at(3)));
        waiting.hold();
        waiting.push(News::Stopped(at(4)));
        assert!(told(&mut waiting).is_empty());
        waiting.release(vec![segment("four two")]);
        assert_eq!(told(&mut waiting), ["four two", "stopped 2", "speech 3"]);
        waiting.release(vec![segment("one")]);
        assert_eq!(told(&mut waiting), ["one", "stopped 4"]);
    }

    #[test]
    fn nothing_waits_for_ever_behind_a_number_without_an_end() {
        let mut waiting = Waiting::default();
        for _ in 0..=MOST {
            waiting.push(News::Stopped(Milliseconds(0)));
        }
        // Whoever asks is told at once.
        assert!(!waiting.is_full());
        let mut waiting = Waiting::default();
        waiting.hold();
        for _ in 0..MOST {
            assert!(!waiting.is_full());
            waiting.push(News::Stopped(Milliseconds(0)));
        }
        assert!(waiting.is_full());
    }
}
