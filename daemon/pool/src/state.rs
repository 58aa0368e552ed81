//! Who has which worker, and who waits for one. No I/O and no clock: all of it is done under
//! one short lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use earnest_policy::AppId;
use earnest_telemetry::WorkerEnd;
use tokio::sync::mpsc;

mod queues;
mod recent;
mod waiting;

pub(crate) use waiting::Wait;

use queues::Queues;
use recent::{Crowd, Recent};
use waiting::{Waiting, tell};

use crate::options::Settings;
use crate::session::Ends;
use crate::{BeginError, PoolStatus};

/// When to come again where a trial is at work, or the microphone: most clips are done by then,
/// and whoever lets go of a microphone has.
const BUSY: Duration = Duration::from_secs(1);

/// The wait after the first failure, and the longest one. It doubles from one to the other.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An application's: the worker is that application's from then on.
    App(AppId),
    /// The microphone's, for whoever listens. Its worker has heard what no application may hear
    /// of: it is the microphone's from then on.
    Microphone,
    /// The daemon's own, on a clip that it knows. It leaves no trace of anybody in the worker,
    /// which stays nobody's.
    Trial,
}

/// A job on its way to a worker.
pub(crate) struct Work {
    pub(crate) owner: Owner,
    pub(crate) job: earnest_channel::Job,
    /// The frame that begins it.
    pub(crate) begin: Vec<u8>,
    pub(crate) ends: Ends,
}

/// What a worker's keeper is told.
pub(crate) enum Order {
    Work(Box<Work>),
    End(WorkerEnd),
}

/// A worker that is ready, and where its keeper takes orders. There is room for one, and
/// nobody gives a second before the first is carried out.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) orders: mpsc::Sender<Order>,
}

/// Where a job went.
pub(crate) enum Placed {
    /// To a worker.
    Taken,
    /// It waits, for a place or for a worker.
    Waiting(Wait),
}

/// Who has which worker.
pub(crate) struct State {
    /// Why the pool ends, once it does.
    closing: Option<WorkerEnd>,
    weights: Option<Arc<OwnedFd>>,
    numbers: u64,
    warm: VecDeque<Place>,
    /// The longest idle first.
    idle: VecDeque<(AppId, Place)>,
    /// Jobs that have a place, by application; none is zero.
    working: BTreeMap<AppId, usize>,
    trial: bool,
    /// Whether the microphone has its job, and the worker that waits for its next one.
    microphone: bool,
    microphone_idle: Option<Place>,
    starting: usize,
    /// In their places, for a worker to start.
    waiting: VecDeque<Waiting>,
    /// For a place.
    queues: Queues<Waiting>,
    tickets: u64,
    recent: Recent,
    failures: u32,
    not_before: Option<Instant>,
}

impl State {
    pub(crate) fn new(weights: Arc<OwnedFd>) -> State {
        State {
            closing: None,
            weights: Some(weights),
            numbers: 0,
            warm: VecDeque::new(),
            idle: VecDeque::new(),
            working: BTreeMap::new(),
            trial: false,
            microphone: false,
            microphone_idle: None,
            starting: 0,
            waiting: VecDeque::new(),
            queues: Queues::new(),
            tickets: 0,
            recent: Recent::new(),
            failures: 0,
            not_before: None,
        }
    }

    /// Gives a job to a worker, or has it wait for one, or for a place.
    pub(crate) fn place(
        &mut self,
        work: Work,
        options: &Settings,
        now: Instant,
    ) -> Result<Placed, BeginError> {
        if self.closing.is_some() {
            return Err(BeginError::Closed);
        }
        let work = Box::new(work);
        let owner = work.owner.clone();
        match &owner {
            Owner::Trial if self.trial => {
                return Err(BeginError::Busy { retry_after: BUSY });
            }
            Owner::Microphone if self.microphone => {
                return Err(BeginError::Busy { retry_after: BUSY });
            }
            Owner::App(app) if !self.has_place(app, options) => {
                return self.line_up(app, work, options);
            }
            Owner::Trial | Owner::Microphone | Owner::App(_) => {}
        }
        self.count(&owner);
        let Some(work) = self.hand_over(work, options) else {
            return Ok(Placed::Taken);
        };
        if let Some(retry_after) = self.wait(now) {
            self.uncount(&owner);
            return Err(BeginError::Unavailable { retry_after });
        }
        let (waiting, wait) = self.ticket(work);
        self.waiting.push_back(waiting);
        Ok(Placed::Waiting(wait))
    }

    /// Whether there is a place for another job of the application. Nobody is passed over by
    /// taking it: what waits while a place is free is of applications that may have no more.
    fn has_place(&self, app: &AppId, options: &Settings) -> bool {
        let its = self.working.get(app).copied().unwrap_or(0);
        self.jobs() < options.most && its < options.most_of_one
    }

    /// Has a job wait for a place, if there is room for that, and if it does not wait in vain.
    fn line_up(
        &mut self,
        app: &AppId,
        work: Box<Work>,
        options: &Settings,
    ) -> Result<Placed, BeginError> {
        let crowd = self.crowd(app, options);
        let full = crowd.before >= options.queue || self.queues.len() >= options.queue_all;
        if full || self.recent.is_in_vain(crowd, options.patience) {
            let retry_after = self.recent.wait(crowd);
            return Err(BeginError::Busy { retry_after });
        }
        let (waiting, wait) = self.ticket(work);
        self.queues.push(app.clone(), waiting);
        Ok(Placed::Waiting(wait))
    }

    /// When an application that does not get a place is to come again.
    fn retry_after(&self, app: &AppId, options: &Settings) -> Duration {
        self.recent.wait(self.crowd(app, options))
    }

    /// Whom an application that does not get a place stands among.
    fn crowd(&self, app: &AppId, options: &Settings) -> Crowd {
        let waiting = self.queues.apps().filter(|other| *other != app);
        let working = self.working.keys().filter(|other| *other != app);
        let others: BTreeSet<&AppId> = waiting.chain(working).collect();
        // Who may have a part of the places only shares them with nobody, in that part.
        let parts = options.most.div_ceil(options.most_of_one.max(1));
        Crowd {
            before: self.queues.len_of(app),
            sharers: (others.len() + 1).max(parts),
            places: options.most,
        }
    }

    fn ticket(&mut self, work: Box<Work>) -> (Waiting, Wait) {
        self.tickets += 1;
        Waiting::new(work, self.tickets)
    }

    /// Gives places that are free to those whose turn it is.
    fn move_up(&mut self, options: &Settings, now: Instant) {
        while self.jobs() < options.most {
            let next = self.queues.next(&self.working, options.most_of_one);
            let Some(Waiting { work, caller }) = next else {
                return;
            };
            let owner = work.owner.clone();
            self.count(&owner);
            match (self.hand_over(work, options), self.wait(now)) {
                (None, _) => tell(caller, Ok(())),
                (Some(work), None) => self.waiting.push_back(Waiting { work, caller }),
                (Some(_), Some(retry_after)) => {
                    self.uncount(&owner);
                    tell(caller, Err(BeginError::Unavailable { retry_after }));
                }
            }
        }
    }

    /// A caller has gone. If its job still waits, it does no more.
    pub(crate) fn leave(&mut self, ticket: u64, options: &Settings, now: Instant) {
        if self.queues.remove(|job| job.is_of(ticket)).is_some() {
            return;
        }
        let at = self.waiting.iter().position(|job| job.is_of(ticket));
        if let Some(left) = at.and_then(|at| self.waiting.remove(at)) {
            self.uncount(&left.work.owner);
            self.move_up(options, now);
        }
    }

    /// A caller has waited long enough for a place: when to come again. None if its job has
    /// one by now.
    pub(crate) fn give_up(&mut self, ticket: u64, options: &Settings) -> Option<Duration> {
        let (app, _) = self.queues.remove(|job| job.is_of(ticket))?;
        Some(self.retry_after(&app, options))
    }

    /// Places a job anew whose worker turned out to be dead before it took anything.
    pub(crate) fn place_again(&mut self, work: Box<Work>, options: &Settings) {
        let work = match self.closing {
            None => self.hand_over(work, options),
            Some(_) => Some(work),
        };
        if let Some(work) = work {
            let caller = None;
            self.waiting.push_back(Waiting { work, caller });
            self.turn_away_if_closed();
        }
    }

    /// Gives a job to a worker that is ready for it; gives it back where there is none.
    fn hand_over(&mut self, work: Box<Work>, options: &Settings) -> Option<Box<Work>> {
        let mut work = work;
        if work.owner == Owner::Microphone
            && let Some(place) = self.microphone_idle.take()
        {
            work = give(&place, work)?;
        }
        if let Owner::App(app) = work.owner.clone() {
            while let Some(at) = self.idle.iter().position(|(owner, _)| *owner == app) {
                let (_, place) = self.idle.remove(at)?;
                work = give(&place, work)?;
            }
            // The job takes a new worker, so an idle one of somebody else may have to go.
            if self.idle.len() + self.jobs() > options.most
                && let Some((_, place)) = self.idle.pop_front()
            {
                let _ = place.orders.try_send(Order::End(WorkerEnd::Replaced));
            }
        }
        while let Some(place) = self.warm.pop_front() {
            work = give(&place, work)?;
        }
        Some(work)
    }

    fn count(&mut self, owner: &Owner) {
        match owner {
            Owner::Trial => self.trial = true,
            Owner::Microphone => self.microphone = true,
            Owner::App(app) => {
                *self.working.entry(app.clone()).or_default() += 1;
                self.queues.had_turn(app);
            }
        }
    }

    fn uncount(&mut self, owner: &Owner) {
        match owner {
            Owner::Trial => self.trial = false,
            Owner::Microphone => self.microphone = false,
            Owner::App(app) => {
                if let Some(count) = self.working.get_mut(app) {
                    *count -= 1;
                    if *count == 0 {
                        self.working.remove(app);
                    }
                }
            }
        }
    }

    fn jobs(&self) -> usize {
        self.working.values().sum()
    }

    /// A worker has become ready: it takes the job that waits the longest, or stays warm. False
    /// if nobody needs it.
    pub(crate) fn ready(&mut self, place: &Place, options: &Settings) -> bool {
        self.starting -= 1;
        self.settle(place, options)
    }

    /// A worker that is nobody's has nothing to do.
    fn settle(&mut self, place: &Place, options: &Settings) -> bool {
        if self.closing.is_some() {
            return false;
        }
        if let Some(waiting) = self.waiting.pop_front() {
            return self.give_waiting(place, waiting);
        }
        let wanted = self.warm.len() < options.warm;
        if wanted {
            self.warm.push_back(place.clone());
        }
        wanted
    }

    fn give_waiting(&mut self, place: &Place, waiting: Waiting) -> bool {
        let Waiting { work, caller } = waiting;
        match give(place, work) {
            None => {
                tell(caller, Ok(()));
                true
            }
            // Not of a keeper that offers itself.
            Some(work) => {
                self.waiting.push_front(Waiting { work, caller });
                false
            }
        }
    }

    /// A worker did not start, or died before it had a job: nobody waits for the next try.
    pub(crate) fn failed(&mut self, was_starting: bool, options: &Settings, now: Instant) {
        if was_starting {
            self.starting -= 1;
        }
        if self.closing.is_some() {
            return;
        }
        let doublings = self.failures.min(16);
        let wait = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + wait);
        while let Some(Waiting { work, caller }) = self.waiting.pop_front() {
            self.uncount(&work.owner);
            tell(caller, Err(BeginError::Unavailable { retry_after: wait }));
        }
        self.move_up(options, now);
    }

    /// A job is over after so long, and its worker is well. False if the worker is to end.
    pub(crate) fn done(
        &mut self,
        owner: &Owner,
        place: &Place,
        took: Duration,
        options: &Settings,
        now: Instant,
    ) -> bool {
        self.uncount(owner);
        self.failures = 0;
        self.not_before = None;
        if *owner == Owner::Trial {
            return self.settle(place, options);
        }
        if self.closing.is_some() {
            return false;
        }
        let Owner::App(app) = owner else {
            // There was one job, so this is the one worker.
            self.microphone_idle = Some(place.clone());
            return true;
        };
        self.recent.took(took);
        let its = |waiting: &Waiting| waiting.work.owner == *owner;
        let at = self.waiting.iter().position(its);
        let stays = match at.and_then(|at| self.waiting.remove(at)) {
            Some(waiting) => self.give_waiting(place, waiting),
            None => {
                self.idle.push_back((app.clone(), place.clone()));
                true
            }
        };
        self.move_up(options, now);
        stays
    }

    /// A job is over, and its worker with it.
    pub(crate) fn lost(&mut self, owner: &Owner, options: &Settings, now: Instant) {
        self.uncount(owner);
        self.move_up(options, now);
    }

    /// Takes a worker out of the lists of those that may be given a job. False if it is in
    /// none: then a job is on its way to it.
    pub(crate) fn withdraw(&mut self, number: u64) -> bool {
        let before = self.at_rest();
        self.warm.retain(|place| place.number != number);
        self.idle.retain(|(_, place)| place.number != number);
        self.microphone_idle.take_if(|place| place.number == number);
        self.at_rest() < before
    }

    /// Workers that may be given a job.
    fn at_rest(&self) -> usize {
        self.warm.len() + self.idle_workers()
    }

    /// Workers that are somebody's and wait for his next job.
    fn idle_workers(&self) -> usize {
        self.idle.len() + usize::from(self.microphone_idle.is_some())
    }

    /// Takes the numbers of the workers to start now, or says when to ask again. There are
    /// always as many starting as jobs waiting, so each of them is answered.
    pub(crate) fn due(&mut self, options: &Settings, now: Instant) -> Result<Vec<u64>, Duration> {
        if self.closing.is_some() {
            return Ok(Vec::new());
        }
        let wanted = options.warm + self.waiting.len();
        // A trial's worker is warm again soon; its start, where it waits for one, is wanted.
        let returning = usize::from(self.trial).min(options.warm);
        let missing = wanted.saturating_sub(self.warm.len() + self.starting + returning);
        match self.wait(now) {
            Some(wait) if missing > 0 => return Err(wait),
            _ => {}
        }
        self.starting += missing;
        let first = self.numbers + 1;
        self.numbers += missing as u64;
        Ok((first..=self.numbers).collect())
    }

    /// How long no worker is started.
    fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.not_before?.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// The weights, until the pool ends.
    pub(crate) fn weights(&self) -> Option<Arc<OwnedFd>> {
        self.weights.clone()
    }

    /// Begins no more jobs and drops the weights; who waits is told.
    pub(crate) fn close(&mut self, why: WorkerEnd) {
        self.closing.get_or_insert(why);
        self.weights = None;
        self.warm.clear();
        self.idle.clear();
        self.microphone_idle = None;
        self.turn_away_if_closed();
    }

    fn turn_away_if_closed(&mut self) {
        if self.closing.is_none() {
            return;
        }
        while let Some(waiting) = self.waiting.pop_front() {
            self.uncount(&waiting.work.owner);
            waiting.turn_away();
        }
        for waiting in self.queues.drain() {
            waiting.turn_away();
        }
    }

    pub(crate) fn status(&self, processes: usize, most: usize, now: Instant) -> PoolStatus {
        PoolStatus {
            closed: self.closing.is_some(),
            processes,
            starting: self.starting,
            warm: self.warm.len(),
            idle: self.idle_workers(),
            working: self.jobs(),
            microphone: self.microphone,
            most,
            waiting: self.queues.lengths(),
            failures: self.failures,
            retry_in: self.wait(now),
        }
    }
}

/// Gives a job to a keeper; gives it back where the keeper has gone.
fn give(place: &Place, work: Box<Work>) -> Option<Box<Work>> {
    match place.orders.try_send(Order::Work(work)) {
        Ok(()) => None,
        Err(error) => match error.into_inner() {
            Order::Work(work) => Some(work),
            Order::End(_) => None,
        },
    }
}

#[cfg(test)]
mod fair;
#[cfg(test)]
mod tests;
