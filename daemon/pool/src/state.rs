//! Who has which worker, and who waits for one. No I/O and no clock: all of it is done under
//! one short lock.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use earnest_policy::AppId;
use earnest_telemetry::WorkerEnd;
use tokio::sync::{mpsc, oneshot};

use crate::options::Settings;
use crate::session::Ends;
use crate::{BeginError, PoolStatus, SessionError};

/// When to come again where all places are taken: most clips are done by then.
const BUSY: Duration = Duration::from_secs(1);

/// The wait after the first failure, and the longest one. It doubles from one to the other.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An application's: the worker is that application's from then on.
    App(AppId),
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

/// A job that waits for a worker to start.
struct Waiting {
    work: Box<Work>,
    /// None for a job that has begun, and lost its worker before that took anything of it.
    answer: Option<oneshot::Sender<Result<(), BeginError>>>,
}

/// Where a job went.
pub(crate) enum Placed {
    /// To a worker.
    Taken,
    /// It waits, and hears from here.
    Waiting(oneshot::Receiver<Result<(), BeginError>>),
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
    /// Jobs at work and waiting, by application; none is zero.
    working: BTreeMap<AppId, usize>,
    trial: bool,
    starting: usize,
    waiting: VecDeque<Waiting>,
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
            starting: 0,
            waiting: VecDeque::new(),
            failures: 0,
            not_before: None,
        }
    }

    /// Gives a job to a worker or has it wait for one.
    pub(crate) fn place(
        &mut self,
        work: Work,
        options: &Settings,
        now: Instant,
    ) -> Result<Placed, BeginError> {
        self.admit(&work.owner, options)?;
        let owner = work.owner.clone();
        self.count(&owner);
        let Some(work) = self.hand_over(Box::new(work), options) else {
            return Ok(Placed::Taken);
        };
        if let Some(retry_after) = self.wait(now) {
            self.uncount(&owner);
            return Err(BeginError::Unavailable { retry_after });
        }
        let (answer, answered) = oneshot::channel();
        self.waiting.push_back(Waiting {
            work,
            answer: Some(answer),
        });
        Ok(Placed::Waiting(answered))
    }

    /// Places a job anew whose worker turned out to be dead before it took anything.
    pub(crate) fn place_again(&mut self, work: Box<Work>, options: &Settings) {
        let work = match self.closing {
            None => self.hand_over(work, options),
            Some(_) => Some(work),
        };
        if let Some(work) = work {
            let answer = None;
            self.waiting.push_back(Waiting { work, answer });
            self.turn_away_if_closed();
        }
    }

    /// Whether there is a place for another job. Which of several applications is to get a
    /// place that becomes free is decided here, once that is more than who comes first.
    fn admit(&self, owner: &Owner, options: &Settings) -> Result<(), BeginError> {
        if self.closing.is_some() {
            return Err(BeginError::Closed);
        }
        let free = match owner {
            Owner::Trial => !self.trial,
            Owner::App(app) => {
                let its = self.working.get(app).copied().unwrap_or(0);
                self.jobs() < options.most && its < options.most_of_one
            }
        };
        match free {
            true => Ok(()),
            false => Err(BeginError::Busy { retry_after: BUSY }),
        }
    }

    /// Gives a job to a worker that is ready for it; gives it back where there is none.
    fn hand_over(&mut self, work: Box<Work>, options: &Settings) -> Option<Box<Work>> {
        let mut work = work;
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
            Owner::App(app) => *self.working.entry(app.clone()).or_default() += 1,
        }
    }

    fn uncount(&mut self, owner: &Owner) {
        match owner {
            Owner::Trial => self.trial = false,
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
        while let Some(Waiting { work, answer }) = self.waiting.pop_front() {
            let gone = answer.as_ref().is_some_and(oneshot::Sender::is_closed);
            if gone {
                self.uncount(&work.owner);
                continue;
            }
            return self.give_waiting(place, work, answer);
        }
        let wanted = self.warm.len() < options.warm;
        if wanted {
            self.warm.push_back(place.clone());
        }
        wanted
    }

    fn give_waiting(
        &mut self,
        place: &Place,
        work: Box<Work>,
        answer: Option<oneshot::Sender<Result<(), BeginError>>>,
    ) -> bool {
        match give(place, work) {
            None => {
                if let Some(answer) = answer {
                    // Who has gone meanwhile has dropped the session, which its keeper sees.
                    let _ = answer.send(Ok(()));
                }
                true
            }
            // Not of a keeper that offers itself.
            Some(work) => {
                self.waiting.push_front(Waiting { work, answer });
                false
            }
        }
    }

    /// A worker did not start, or died before it had a job: nobody waits for the next try.
    pub(crate) fn failed(&mut self, was_starting: bool, now: Instant) {
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
        while let Some(Waiting { work, answer }) = self.waiting.pop_front() {
            self.uncount(&work.owner);
            if let Some(answer) = answer {
                let _ = answer.send(Err(BeginError::Unavailable { retry_after: wait }));
            }
        }
    }

    /// A job is over and its worker is well. False if the worker is to end.
    pub(crate) fn done(&mut self, owner: &Owner, place: &Place, options: &Settings) -> bool {
        self.uncount(owner);
        self.failures = 0;
        self.not_before = None;
        let Owner::App(app) = owner else {
            return self.settle(place, options);
        };
        if self.closing.is_some() {
            return false;
        }
        let its = |waiting: &Waiting| waiting.work.owner == *owner;
        if let Some(at) = self.waiting.iter().position(its)
            && let Some(Waiting { work, answer }) = self.waiting.remove(at)
        {
            return self.give_waiting(place, work, answer);
        }
        self.idle.push_back((app.clone(), place.clone()));
        true
    }

    /// A job is over, and its worker with it.
    pub(crate) fn lost(&mut self, owner: &Owner) {
        self.uncount(owner);
    }

    /// Takes a worker out of the lists of those that may be given a job. False if it is in
    /// none: then a job is on its way to it.
    pub(crate) fn withdraw(&mut self, number: u64) -> bool {
        let before = self.warm.len() + self.idle.len();
        self.warm.retain(|place| place.number != number);
        self.idle.retain(|(_, place)| place.number != number);
        self.warm.len() + self.idle.len() < before
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
        self.turn_away_if_closed();
    }

    fn turn_away_if_closed(&mut self) {
        if self.closing.is_none() {
            return;
        }
        while let Some(Waiting { work, answer }) = self.waiting.pop_front() {
            self.uncount(&work.owner);
            // Nobody may be left to hear either.
            let _ = work.ends.last.send(Err(SessionError::GateClosed));
            if let Some(answer) = answer {
                let _ = answer.send(Err(BeginError::Closed));
            }
        }
    }

    pub(crate) fn status(&self, processes: usize, most: usize, now: Instant) -> PoolStatus {
        PoolStatus {
            closed: self.closing.is_some(),
            processes,
            starting: self.starting,
            warm: self.warm.len(),
            idle: self.idle.len(),
            working: self.jobs(),
            most,
            waiting: Vec::new(),
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
mod tests;
