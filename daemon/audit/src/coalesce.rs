//! Refusals that are alike, counted together when they come often.
//!
//! The first of a kind are written one by one. What follows is counted, and the count is written
//! as one entry when it has grown tenfold, and at the end of an hour. So a flood shows within its
//! first seconds and takes a few entries an hour, whatever its rate.

use std::time::Duration;

use earnest_telemetry::{App, Door, Event, Refusal};

use crate::entry::Draft;

/// Refusals of a kind that are written one by one in an hour.
const SINGLE: u32 = 3;

/// How long refusals of a kind are counted together.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// Kinds that are told apart by who was refused: more than honest devices have. Beyond them only
/// the reason and the door are told apart, of which there are about a hundred.
const MOST_KINDS: usize = 48;

/// Who was refused, and why. What was asked for is not told apart: somebody who tries out scopes
/// is refused each of them for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    app: Option<App>,
    uid: Option<u32>,
    door: Door,
    reason: Refusal,
}

/// The count of one kind.
#[derive(Debug)]
struct Tally {
    kind: Kind,
    /// When the window began.
    since: Duration,
    /// Refusals in the window.
    seen: u32,
    /// Those of them that are in no entry yet, the newest first to be written.
    pending: Option<Draft>,
    /// How many are seen when the count is written next.
    due_at: u32,
}

/// Counts refusals.
#[derive(Debug)]
pub(crate) struct Coalescer {
    tallies: Vec<Tally>,
}

impl Coalescer {
    pub(crate) fn new() -> Coalescer {
        let tallies = Vec::new();
        Coalescer { tallies }
    }

    /// Takes a refusal, and gives back what is to be written now: it, or the count that it is in.
    /// What is no refusal is given back as it is.
    pub(crate) fn take(&mut self, mut draft: Draft) -> Option<Draft> {
        let Some(mut kind) = kind(&draft.note.event) else {
            return Some(draft);
        };
        let now = draft.boot;
        if !self.tallies.iter().any(|tally| tally.kind == kind) && self.named() >= MOST_KINDS {
            kind = Kind {
                app: None,
                uid: None,
                ..kind
            };
            if let Event::Refused {
                app, uid, scope, ..
            } = &mut draft.note.event
            {
                (*app, *uid, *scope) = (None, None, None);
            }
        }
        let place = self.tallies.iter().position(|tally| tally.kind == kind);
        let tally = match place {
            Some(place) => &mut self.tallies[place],
            None => {
                let since = now;
                let (seen, pending, due_at) = (0, None, SINGLE);
                self.tallies.push(Tally {
                    kind,
                    since,
                    seen,
                    pending,
                    due_at,
                });
                self.tallies.last_mut()?
            }
        };
        tally.seen = tally.seen.saturating_add(1);
        if tally.seen <= SINGLE {
            return Some(draft);
        }
        let times = tally.pending.as_ref().map_or(0, |pending| pending.times);
        draft.times = times.saturating_add(1);
        // It stands for several requests, of which none is the one.
        draft.note.request = draft.note.request.filter(|_| draft.times == 1);
        if draft.times >= tally.due_at {
            tally.due_at = tally.due_at.saturating_mul(10);
            tally.pending = None;
            return Some(draft);
        }
        tally.pending = Some(draft);
        None
    }

    /// What is to be written at this time: the counts of windows that are over.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<Draft> {
        let mut due = Vec::new();
        self.tallies.retain_mut(|tally| {
            let over = now.saturating_sub(tally.since) >= WINDOW;
            if over {
                due.extend(tally.pending.take());
            }
            !over
        });
        due
    }

    /// All counts, at the end.
    pub(crate) fn drain(&mut self) -> Vec<Draft> {
        let tallies = self.tallies.drain(..);
        tallies.filter_map(|tally| tally.pending).collect()
    }

    /// Kinds that tell who was refused.
    fn named(&self) -> usize {
        let named = |tally: &&Tally| tally.kind.app.is_some() || tally.kind.uid.is_some();
        self.tallies.iter().filter(named).count()
    }
}

fn kind(event: &Event) -> Option<Kind> {
    match event {
        Event::Refused {
            app,
            uid,
            scope: _,
            door,
            reason,
        } => Some(Kind {
            app: app.clone(),
            uid: *uid,
            door: *door,
            reason: *reason,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Note;

    fn draft(uid: u32, at: u64) -> Draft {
        let event = Event::Refused {
            app: None,
            uid: Some(uid),
            scope: None,
            door: Door::Unix,
            reason: Refusal::BadToken,
        };
        Draft {
            wall: Duration::ZERO,
            boot: Duration::from_secs(at),
            times: 1,
            note: Note::of(event).in_request(at),
        }
    }

    #[test]
    fn a_flood_takes_a_few_entries_and_every_refusal_is_in_one() {
        let mut refusals = Coalescer::new();
        let mut written = Vec::new();
        for second in 0..3000 {
            written.extend(refusals.take(draft(1, second)));
        }
        let times: Vec<u32> = written.iter().map(|draft| draft.times).collect();
        assert_eq!(times, [1, 1, 1, 3, 30, 300]);
        let requests = written.iter().filter(|draft| draft.note.request.is_some());
        assert_eq!(requests.count(), 3);
        assert!(refusals.due(Duration::from_secs(3599)).is_empty());
        let rest = refusals.due(Duration::from_secs(3600));
        assert_eq!(rest.len(), 1);
        assert_eq!(times.iter().sum::<u32>() + rest[0].times, 3000);
        assert!(refusals.drain().is_empty());
    }

    #[test]
    fn after_a_quiet_hour_the_first_are_written_one_by_one_again() {
        let mut refusals = Coalescer::new();
        for second in 0..5 {
            refusals.take(draft(1, second));
        }
        assert_eq!(refusals.due(Duration::from_secs(9000)).len(), 1);
        assert_eq!(refusals.take(draft(1, 9001)).unwrap().times, 1);
    }

    #[test]
    fn a_flood_from_many_is_bounded_and_no_refusal_goes_uncounted() {
        let mut refusals = Coalescer::new();
        let mut written = Vec::new();
        for uid in 0..10_000 {
            written.extend(refusals.take(draft(uid, 0)));
        }
        let most = (MOST_KINDS + 1) * 6;
        assert!(refusals.tallies.len() <= MOST_KINDS + 1);
        written.extend(refusals.drain());
        assert!(written.len() <= most, "{}", written.len());
        let times: u32 = written.iter().map(|draft| draft.times).sum();
        assert_eq!(times, 10_000);
    }

    #[test]
    fn what_is_no_refusal_is_not_counted_together() {
        let mut refusals = Coalescer::new();
        for _ in 0..100 {
            let draft = Draft {
                note: Note::of(Event::Started),
                ..draft(1, 0)
            };
            assert!(refusals.take(draft).is_some());
        }
    }
}
