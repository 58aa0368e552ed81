//! The handle that everything is observed through.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earnest_telemetry::AlertLevel;

use crate::alert::{Alert, Evidence, ReleaseError, Standing};
use crate::baseline::Baseline;
use crate::options::Options;
use crate::response::{Change, Reach};
use crate::saved::{Baselines, ImportError};
use crate::score::{Score, WINDOW_MINUTES};
use crate::subject::{Watched, is_of_limits};
use crate::{Observation, Subject};

/// Subjects that are watched at once: every application of a full book, and as many users.
pub const MAX_SUBJECTS: usize = 512;

/// Alerts that are over and still listed.
pub const MAX_ENDED_ALERTS: usize = 64;

/// Watches everybody. Clones share one memory, which is bounded: [`MAX_SUBJECTS`] of about
/// 15 KiB each at most.
///
/// Where a newcomer finds all places taken, the subject goes that was least known and longest
/// quiet; never one in quarantine. Where all are in quarantine, the newcomer is watched as
/// [`Subject::Unknown`], for which a place is kept.
#[derive(Debug, Clone)]
pub struct Watch {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    options: Options,
    subjects: HashMap<Subject, Watched>,
    open: BTreeMap<u64, Alert>,
    ended: VecDeque<Alert>,
    last_alert: u64,
}

impl Watch {
    /// Nobody watched yet.
    pub fn new(options: Options) -> Watch {
        Watch {
            state: Arc::new(Mutex::new(State {
                options,
                subjects: HashMap::new(),
                open: BTreeMap::new(),
                ended: VecDeque::new(),
                last_alert: 0,
            })),
        }
    }

    /// Takes in what a subject did. `now` is CLOCK_BOOTTIME; `hour` is the local hour of the
    /// week, from 0 to 167, counted from any fixed day's midnight.
    ///
    /// The answer is an alert that was raised by this, or whose level was.
    pub fn observe(
        &self,
        subject: &Subject,
        observation: &Observation,
        now: Duration,
        hour: u8,
    ) -> Option<Alert> {
        self.state().observe(subject, observation, now, hour)
    }

    /// Lets levels fall that have been quiet for long enough, and quarantines end whose time
    /// has come; the answer is the alerts that are over. To be called about once a minute.
    pub fn tick(&self, now: Duration) -> Vec<Alert> {
        self.state().tick(now)
    }

    /// What a subject may do now. Asking lets levels fall that have been quiet for long enough.
    pub fn standing(&self, subject: &Subject, now: Duration) -> Standing {
        let mut state = self.state();
        state.relax(subject, now);
        state
            .subjects
            .get(subject)
            .map_or(Standing::Normal, |watched| {
                watched.response.standing(&state.options.thresholds)
            })
    }

    /// Open alerts first, each group newest first; then the last ones that are over.
    pub fn alerts(&self) -> Vec<Alert> {
        let state = self.state();
        let open = state.open.values().rev();
        open.chain(state.ended.iter().rev()).cloned().collect()
    }

    /// Ends an alert by an operator's word, with what was done about it. The subject begins
    /// with empty windows; what was unusual stays unusual.
    pub fn release(&self, alert: u64, now: Duration) -> Result<Alert, ReleaseError> {
        self.state().release(alert, now, false)
    }

    /// Ends an alert by an operator's word, and takes what raised it for usual from now on, as
    /// far as anything may be usual. Nothing else teaches a baseline what alerted.
    pub fn accept(&self, alert: u64, now: Duration) -> Result<Alert, ReleaseError> {
        self.state().release(alert, now, true)
    }

    /// Forgets a subject: an application that was taken off the book for good.
    pub fn forget(&self, subject: &Subject, now: Duration) {
        let mut state = self.state();
        state.end_alert_of(subject, now);
        state.subjects.remove(subject);
    }

    /// What was learned, and who is in quarantine, to be kept encrypted. No payload and no
    /// shape is in it.
    pub fn export(&self, now: Duration) -> Baselines {
        let state = self.state();
        let mut saved = Baselines::new(state.last_alert);
        for (subject, watched) in &state.subjects {
            saved.add(subject, watched, &state.open, now);
        }
        saved
    }

    /// Takes up what was learned before, and who was in quarantine. Of subjects that are watched
    /// already the windows stay, and so does a quarantine.
    pub fn import(&self, saved: Baselines, now: Duration, hour: u8) -> Result<(), ImportError> {
        let subjects = saved.check()?;
        let mut state = self.state();
        let given = state.last_alert;
        state.last_alert = given.max(subjects.last_alert);
        for (subject, mut watched, mut alert) in subjects.restore(now, hour) {
            if let Some(alert) = &mut alert
                && alert.id <= given
            {
                // This number was given to another alert meanwhile.
                state.last_alert += 1;
                alert.id = state.last_alert;
                watched.response.alert = Some(alert.id);
            }
            state.take_up(subject, watched, alert, now);
        }
        Ok(())
    }

    /// Forgets everything, as when the gate closes.
    pub fn forget_all(&self) {
        let mut state = self.state();
        state.subjects.clear();
        state.open.clear();
        state.ended.clear();
    }

    /// Every change is made whole before the next line that could panic, so a memory that
    /// somebody panicked over is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes up one subject of before.
    fn take_up(&mut self, subject: Subject, saved: Watched, alert: Option<Alert>, now: Duration) {
        if !self.subjects.contains_key(&subject) && self.make_room(&subject, now) != subject {
            return;
        }
        let watched = match self.subjects.entry(subject.clone()) {
            Entry::Vacant(place) => {
                place.insert(saved);
                self.open.extend(alert.map(|alert| (alert.id, alert)));
                return;
            }
            Entry::Occupied(place) => place.into_mut(),
        };
        watched.baseline = saved.baseline;
        if watched.response.level == Some(AlertLevel::Quarantine) {
            return;
        }
        if let Some(alert) = alert {
            watched.response = saved.response;
            self.end_alert_of(&subject, now);
            self.open.insert(alert.id, alert);
        } else {
            watched.response.strikes = watched.response.strikes.max(saved.response.strikes);
        }
    }

    fn observe(
        &mut self,
        subject: &Subject,
        observation: &Observation,
        now: Duration,
        hour: u8,
    ) -> Option<Alert> {
        let hour = hour % 168;
        self.expire(subject, now);
        let subject = self.make_room(subject, now);
        let watched = self
            .subjects
            .entry(subject.clone())
            .or_insert_with(|| Watched::new(Baseline::new(hour), now, hour));
        // Whoever is shut out is answered for already, and asking again makes nothing worse.
        if watched.response.level == Some(AlertLevel::Quarantine) {
            return None;
        }
        // Nor is whoever is throttled answered twice for what the throttle refuses.
        if watched.response.level == Some(AlertLevel::Throttle) && is_of_limits(observation) {
            return None;
        }
        watched.move_to(now, hour);
        let tally = watched.add(observation, hour)?;
        let score = Score::of(&watched.windows, &watched.baseline);
        let change = watched.response.take(
            (score.kind, score.nats),
            true,
            reach(&subject),
            now,
            &self.options,
        );
        let alert_at = self.options.thresholds.alert();
        if score.nats >= alert_at {
            watched.note_peak();
        }
        let trust = if watched.response.level.is_some() {
            0.0
        } else {
            (1.0 - score.nats / alert_at).clamp(0.0, 1.0)
        };
        watched.learn(&tally, hour, trust);
        match change {
            Change::Raised(level) => Some(self.raise(&subject, level, &score, now)),
            Change::Ended => {
                self.end_alert_of(&subject, now);
                None
            }
            Change::None | Change::Lowered => None,
        }
    }

    /// Opens an alert, or raises the open one.
    fn raise(
        &mut self,
        subject: &Subject,
        level: AlertLevel,
        score: &Score,
        now: Duration,
    ) -> Alert {
        let watched = self
            .subjects
            .get_mut(subject)
            .expect("it was observed a moment ago");
        let evidence = evidence(score, watched);
        let id = *watched.response.alert.get_or_insert_with(|| {
            self.last_alert += 1;
            self.last_alert
        });
        let alert = self.open.entry(id).or_insert_with(|| Alert {
            id,
            subject: subject.clone(),
            kind: score.kind,
            level,
            score: score.nats,
            since_milliseconds: milliseconds(now),
            ended_milliseconds: None,
            requests: u64::from(evidence.requests) + u64::from(evidence.refusals),
            evidence,
        });
        alert.level = alert.level.max(level);
        if score.nats >= alert.score {
            alert.kind = score.kind;
            alert.score = score.nats;
            alert.evidence = evidence;
        }
        alert.clone()
    }

    fn tick(&mut self, now: Duration) -> Vec<Alert> {
        let open: Vec<(u64, Subject)> = self
            .open
            .values()
            .map(|alert| (alert.id, alert.subject.clone()))
            .collect();
        for (_, subject) in &open {
            self.relax(subject, now);
        }
        let is_over = |alert: &&Alert| open.iter().any(|(id, _)| *id == alert.id);
        self.ended.iter().filter(is_over).cloned().collect()
    }

    /// Lets a level fall with time alone.
    fn relax(&mut self, subject: &Subject, now: Duration) {
        self.expire(subject, now);
        let Some(watched) = self.subjects.get_mut(subject) else {
            return;
        };
        if watched.response.level.is_none() {
            return;
        }
        watched.windows.move_to(now);
        let score = Score::of(&watched.windows, &watched.baseline);
        let change = watched.response.take(
            (score.kind, score.nats),
            false,
            reach(subject),
            now,
            &self.options,
        );
        if change == Change::Ended {
            self.end_alert_of(subject, now);
        }
    }

    /// Ends a quarantine whose time has come; its evidence is forgotten with it.
    fn expire(&mut self, subject: &Subject, now: Duration) {
        let Some(watched) = self.subjects.get_mut(subject) else {
            return;
        };
        let alert = watched.response.alert;
        if watched.response.expire(now) {
            watched.seen = watched.seen.max(now);
            watched.clear();
            self.end_alert(alert, now);
        }
    }

    fn release(&mut self, id: u64, now: Duration, accept: bool) -> Result<Alert, ReleaseError> {
        let alert = self.open.get(&id).ok_or(ReleaseError::NoSuchAlert(id))?;
        let subject = alert.subject.clone();
        if let Some(watched) = self.subjects.get_mut(&subject) {
            if accept {
                watched.accept();
            }
            watched.seen = watched.seen.max(now);
            watched.clear();
            watched.response = Default::default();
        }
        self.end_alert(Some(id), now)
            .ok_or(ReleaseError::NoSuchAlert(id))
    }

    fn end_alert_of(&mut self, subject: &Subject, now: Duration) {
        let alert = self
            .open
            .values()
            .find(|alert| alert.subject == *subject)
            .map(|alert| alert.id);
        self.end_alert(alert, now);
    }

    fn end_alert(&mut self, id: Option<u64>, now: Duration) -> Option<Alert> {
        let mut alert = self.open.remove(&id?)?;
        alert.ended_milliseconds = Some(milliseconds(now));
        if self.ended.len() == MAX_ENDED_ALERTS {
            self.ended.pop_front();
        }
        self.ended.push_back(alert.clone());
        Some(alert)
    }

    /// Makes room for a newcomer; the answer is whom to watch.
    fn make_room(&mut self, subject: &Subject, now: Duration) -> Subject {
        if self.subjects.contains_key(subject) {
            return subject.clone();
        }
        // One place is kept for everybody else.
        let most = match subject {
            Subject::Unknown => MAX_SUBJECTS,
            _ => MAX_SUBJECTS - 1,
        };
        let others = self
            .subjects
            .keys()
            .filter(|known| **known != Subject::Unknown)
            .count();
        if others < most {
            return subject.clone();
        }
        let leaver = self
            .subjects
            .iter()
            .filter(|(known, watched)| {
                **known != Subject::Unknown
                    && watched.response.level != Some(AlertLevel::Quarantine)
            })
            // A newcomer's names are many and known for no day, and go before what was learned.
            .min_by_key(|(_, watched)| {
                (
                    watched.response.level.is_some(),
                    watched.baseline.days.min(7),
                    watched.seen,
                )
            })
            .map(|(known, _)| known.clone());
        match leaver {
            Some(leaver) => {
                self.end_alert_of(&leaver, now);
                self.subjects.remove(&leaver);
                subject.clone()
            }
            None => Subject::Unknown,
        }
    }
}

fn reach(subject: &Subject) -> Reach {
    match subject {
        Subject::App(_) => Reach::Operator,
        // A user may hold several applications, of which one misbehaves.
        Subject::Uid(_) => Reach::Timed,
        Subject::Unknown => Reach::Throttle,
    }
}

fn evidence(score: &Score, watched: &Watched) -> Evidence {
    let tally = &score.tally;
    Evidence {
        window_minutes: WINDOW_MINUTES[score.window],
        requests: tally.requests,
        refusals: tally.refusals(),
        sound_milliseconds: tally.sound_milliseconds,
        silent: tally.silent,
        repeats: tally.exact,
        near_repeats: tally.near,
        low_certainty: tally.low,
        dribbled: tally.refused(crate::windows::Group::Dribble),
        hours_active: watched.windows.hours_active(),
        surprises: score.surprises,
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
