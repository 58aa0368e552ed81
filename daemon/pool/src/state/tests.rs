//! The books, without processes: keepers here are queues that a test looks into.

use std::time::{Duration, Instant};

use earnest_channel::{Job, SoundKind, Task};
use earnest_evidence::measured::SandboxLevel;
use earnest_gate::{Gate, Measurement, Mode, Schedule, UnsealedModel};

use super::*;
use crate::JobLimits;
use crate::session::{Leave, session};

const SETTINGS: Settings = Settings {
    warm: 1,
    most: 3,
    most_of_one: 2,
    queue: 4,
    queue_all: 6,
    patience: Duration::from_secs(600),
    idle: Duration::from_secs(60),
    start: Duration::from_secs(10),
    limits: JobLimits {
        stall: Duration::from_secs(30),
        client: Duration::from_secs(120),
        work: Duration::from_secs(60),
        work_per_second: 2,
        abandon: Duration::from_secs(5),
    },
    least_sandbox: SandboxLevel::Partial,
};

/// How long a job took.
const TOOK: Duration = Duration::from_secs(1);

pub(super) fn state() -> State {
    let (weights, _) = std::io::pipe().expect("there is room for a pipe");
    State::new(Arc::new(weights.into()))
}

struct Nothing;

impl UnsealedModel for Nothing {
    fn package(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// Of a gate that is gone: nobody asks here.
fn leave() -> Leave {
    let now = Duration::from_secs(1);
    let mut gate = Gate::new(Mode::Local, Schedule::default(), now);
    let _ = gate.unsealed(now, Nothing, Measurement::new([1; 32]));
    Leave::Trial(Arc::new(gate.trial().expect("there is a model")))
}

pub(super) fn work(owner: Owner) -> Work {
    let (_, ends) = session(leave(), false);
    Work {
        owner,
        job: Job {
            kind: SoundKind::Container,
            task: Task::Transcribe { words: false },
        },
        begin: Vec::new(),
        ends,
    }
}

fn app(uid: u32) -> Owner {
    Owner::App(AppId::of_uid(uid))
}

/// Places a job that has to wait.
fn waiting(state: &mut State, uid: u32, now: Instant) -> Wait {
    match state.place(work(app(uid)), &SETTINGS, now) {
        Ok(Placed::Waiting(wait)) => wait,
        _ => panic!("it does not wait"),
    }
}

pub(super) struct Keeper {
    pub(super) place: Place,
    pub(super) mailbox: mpsc::Receiver<Order>,
}

impl Keeper {
    pub(super) fn new(number: u64) -> Keeper {
        let (orders, mailbox) = mpsc::channel(1);
        let place = Place { number, orders };
        Keeper { place, mailbox }
    }

    /// Whose job it was given.
    fn job(&mut self) -> Option<Owner> {
        match self.mailbox.try_recv() {
            Ok(Order::Work(work)) => Some(work.owner),
            _ => None,
        }
    }
}

/// A state with this many workers that have just become ready, all wanted.
fn with_ready(state: &mut State, count: usize, settings: &Settings) -> Vec<Keeper> {
    let now = Instant::now();
    let numbers = state.due(settings, now).expect("nothing failed");
    assert_eq!(numbers.len(), count);
    let ready = |number| {
        let keeper = Keeper::new(number);
        assert!(state.ready(&keeper.place, settings));
        keeper
    };
    numbers.into_iter().map(ready).collect()
}

#[test]
fn a_warm_worker_takes_the_job_and_another_is_due() {
    let (mut state, now) = (state(), Instant::now());
    let mut keepers = with_ready(&mut state, 1, &SETTINGS);
    let placed = state.place(work(app(1)), &SETTINGS, now);
    assert!(matches!(placed, Ok(Placed::Taken)));
    assert_eq!(keepers[0].job(), Some(app(1)));
    assert_eq!(state.due(&SETTINGS, now), Ok(vec![2]));
    assert_eq!(
        state.due(&SETTINGS, now),
        Ok(vec![]),
        "it is starting already"
    );
}

#[test]
fn jobs_wait_in_order_and_as_many_workers_start() {
    let (mut state, now) = (state(), Instant::now());
    let mut answers = Vec::new();
    for uid in 1..=3 {
        match state.place(work(app(uid)), &SETTINGS, now) {
            Ok(Placed::Waiting(wait)) => answers.push(wait.answer),
            _ => panic!("there is no worker yet"),
        }
    }
    let mut keepers = with_ready(&mut state, 4, &SETTINGS);
    let jobs: Vec<_> = keepers.iter_mut().map(Keeper::job).collect();
    let expected = [Some(app(1)), Some(app(2)), Some(app(3)), None];
    assert_eq!(jobs, expected);
    for mut answer in answers {
        assert_eq!(answer.try_recv(), Ok(Ok(())));
    }
}

#[test]
fn who_leaves_while_a_worker_starts_gives_up_its_place() {
    let (mut state, now) = (state(), Instant::now());
    let mut tickets = Vec::new();
    for uid in [1, 1, 2] {
        tickets.push(waiting(&mut state, uid, now).ticket);
    }
    let numbers = state.due(&SETTINGS, now).expect("nothing failed");
    for ticket in tickets {
        state.leave(ticket, &SETTINGS, now);
    }
    assert_eq!(state.jobs(), 0);
    let keeper = Keeper::new(numbers[0]);
    assert!(state.ready(&keeper.place, &SETTINGS));
    assert_eq!(state.status(4, 3, now).warm, 1);
    // Those that were started for nobody are not kept.
    let surplus = Keeper::new(numbers[1]);
    assert!(!state.ready(&surplus.place, &SETTINGS));
}

/// All three places taken: two by the first user, one by the second.
fn full(state: &mut State, now: Instant) -> Vec<Keeper> {
    let mut keepers = Vec::new();
    for uid in [1, 1, 2] {
        let mut ready = with_ready(state, 1, &SETTINGS);
        let placed = state.place(work(app(uid)), &SETTINGS, now);
        assert!(matches!(placed, Ok(Placed::Taken)));
        assert_eq!(ready[0].job(), Some(app(uid)));
        keepers.append(&mut ready);
    }
    // The heir of the last, so that nobody waits for a start.
    keepers.append(&mut with_ready(state, 1, &SETTINGS));
    keepers
}

#[test]
fn a_free_place_goes_to_who_has_the_fewest_at_work() {
    let (mut state, now) = (state(), Instant::now());
    let mut keepers = full(&mut state, now);
    let mut greedy: Vec<_> = (0..4).map(|_| waiting(&mut state, 1, now)).collect();
    let mut third = waiting(&mut state, 3, now);
    assert_eq!(state.status(4, 3, now).waiting, [4, 1]);

    assert!(state.done(&app(1), &keepers[0].place, TOOK, &SETTINGS, now));
    assert_eq!(third.answer.try_recv(), Ok(Ok(())), "it came last");
    assert_eq!(keepers[3].job(), Some(app(3)), "the warm worker is its own");
    // The second user has gone, and the first is the only one that waits.
    assert!(state.done(&app(2), &keepers[2].place, TOOK, &SETTINGS, now));
    let mut heir = with_ready(&mut state, 2, &SETTINGS);
    assert_eq!(greedy[0].answer.try_recv(), Ok(Ok(())));
    assert_eq!(heir[0].job(), Some(app(1)));
    // It may have no more, though a place is free.
    state.lost(&app(3), &SETTINGS, now);
    assert!(greedy[1].answer.try_recv().is_err());
    assert_eq!(
        (state.jobs(), state.status(4, 3, now).waiting),
        (2, vec![3])
    );
}

#[test]
fn a_full_queue_is_told_at_once_when_to_come_again() {
    let (mut state, now) = (state(), Instant::now());
    let keepers = full(&mut state, now);
    let busy = |state: &mut State, uid| {
        let placed = state.place(work(app(uid)), &SETTINGS, now).map(|_| ());
        match placed {
            Err(BeginError::Busy { retry_after }) => retry_after,
            other => panic!("{other:?}"),
        }
    };
    let mut waits: Vec<_> = (0..4).map(|_| waiting(&mut state, 1, now)).collect();
    // Nine jobs of a second for two users, in three places.
    assert_eq!(busy(&mut state, 1), Duration::from_secs(4));
    // There is room for six, whosever they are.
    waits.extend([2, 3].map(|uid| waiting(&mut state, uid, now)));
    assert_eq!(busy(&mut state, 4), Duration::from_secs(2));
    // Jobs turn out to be long.
    for _ in 0..50 {
        state.recent.took(Duration::from_secs(10));
    }
    assert!(busy(&mut state, 4) > Duration::from_secs(15));
    // Whoever leaves makes room at once.
    state.leave(waits[5].ticket, &SETTINGS, now);
    waits[5] = waiting(&mut state, 4, now);
    assert_eq!(state.status(4, 3, now).waiting, [4, 1, 1]);
    drop(keepers);
}

#[test]
fn who_would_wait_in_vain_is_told_at_once() {
    let (mut state, now) = (state(), Instant::now());
    let keepers = full(&mut state, now);
    let impatient = Settings {
        patience: Duration::from_secs(2),
        ..SETTINGS
    };
    state.recent.took(Duration::from_secs(10));
    let placed = state.place(work(app(3)), &impatient, now).map(|_| ());
    assert!(matches!(placed, Err(BeginError::Busy { .. })), "{placed:?}");
    assert_eq!(state.queues.len(), 0);
    // Who is more patient waits.
    drop(waiting(&mut state, 3, now));
    drop(keepers);
}

#[test]
fn patience_ends_the_wait_for_a_place_and_not_the_one_for_a_worker() {
    let (mut state, now) = (state(), Instant::now());
    let keepers = full(&mut state, now);
    let place = waiting(&mut state, 3, now);
    let retry_after = state.give_up(place.ticket, &SETTINGS);
    assert_eq!(retry_after, Some(Duration::from_secs(1)));
    assert_eq!(state.give_up(place.ticket, &SETTINGS), None);
    assert_eq!(state.queues.len(), 0);

    let settings = Settings {
        warm: 0,
        ..SETTINGS
    };
    assert!(state.withdraw(keepers[3].place.number));
    let mut worker = waiting(&mut state, 3, now);
    state.lost(&app(1), &settings, now);
    assert_eq!(state.give_up(worker.ticket, &settings), None);
    assert_eq!(state.jobs(), 3);
    let mut keeper = with_ready(&mut state, 1, &settings);
    assert_eq!(worker.answer.try_recv(), Ok(Ok(())));
    assert_eq!(keeper[0].job(), Some(app(3)));
}

#[test]
fn who_moves_up_while_workers_do_not_start_is_told() {
    let (mut state, now) = (state(), Instant::now());
    let keepers = full(&mut state, now);
    let mut other = waiting(&mut state, 3, now);
    assert!(state.withdraw(keepers[3].place.number));
    state.failed(false, &SETTINGS, now);
    assert!(other.answer.try_recv().is_err(), "all places are taken");
    state.lost(&app(1), &SETTINGS, now);
    let told = other.answer.try_recv();
    assert!(
        matches!(told, Ok(Err(BeginError::Unavailable { .. }))),
        "{told:?}"
    );
    assert_eq!((state.jobs(), state.queues.len()), (2, 0));
}

#[test]
fn failures_double_the_wait_up_to_a_bound_and_a_job_done_ends_it() {
    let (mut state, start) = (state(), Instant::now());
    let mut now = start;
    let mut waits = Vec::new();
    for _ in 0..30 {
        assert_eq!(
            state.due(&SETTINGS, now).map(|numbers| numbers.len()),
            Ok(1)
        );
        state.failed(true, &SETTINGS, now);
        let wait = state.due(&SETTINGS, now).expect_err("it just failed");
        waits.push(wait);
        // Who asks meanwhile hears how long it takes.
        let placed = state.place(work(app(1)), &SETTINGS, now).map(|_| ());
        assert_eq!(placed, Err(BeginError::Unavailable { retry_after: wait }));
        now += wait;
    }
    let first: Vec<_> = waits[..4].iter().map(Duration::as_millis).collect();
    assert_eq!(first, [100, 200, 400, 800]);
    assert_eq!(waits[29], LONGEST_WAIT);

    let keeper = Keeper::new(99);
    assert_eq!(
        state.due(&SETTINGS, now).map(|numbers| numbers.len()),
        Ok(1)
    );
    assert!(state.ready(&keeper.place, &SETTINGS));
    assert!(state.place(work(app(1)), &SETTINGS, now).is_ok());
    assert!(state.done(&app(1), &keeper.place, TOOK, &SETTINGS, now));
    let status = state.status(1, 3, now);
    assert_eq!((status.failures, status.retry_in), (0, None));
}

#[test]
fn a_failure_is_told_to_all_who_wait() {
    let (mut state, now) = (state(), Instant::now());
    let Ok(Placed::Waiting(mut wait)) = state.place(work(app(1)), &SETTINGS, now) else {
        panic!("there is no worker yet");
    };
    assert_eq!(
        state.due(&SETTINGS, now).map(|numbers| numbers.len()),
        Ok(2)
    );
    state.failed(true, &SETTINGS, now);
    let told = wait.answer.try_recv();
    assert!(
        matches!(told, Ok(Err(BeginError::Unavailable { .. }))),
        "{told:?}"
    );
    assert_eq!(state.jobs(), 0);
}

#[test]
fn the_longest_idle_makes_way_when_all_places_are_taken() {
    let (mut state, now) = (state(), Instant::now());
    let mut idle = Vec::new();
    for uid in 1..=3 {
        let mut keepers = with_ready(&mut state, 1, &SETTINGS);
        assert!(state.place(work(app(uid)), &SETTINGS, now).is_ok());
        assert_eq!(keepers[0].job(), Some(app(uid)));
        idle.append(&mut keepers);
    }
    for (uid, keeper) in (1..).zip(&idle) {
        assert!(state.done(&app(uid), &keeper.place, TOOK, &SETTINGS, now));
    }
    let mut keepers = with_ready(&mut state, 1, &SETTINGS);
    assert!(state.place(work(app(4)), &SETTINGS, now).is_ok());
    assert_eq!(keepers[0].job(), Some(app(4)));
    let ended = |keeper: &mut Keeper| {
        matches!(
            keeper.mailbox.try_recv(),
            Ok(Order::End(WorkerEnd::Replaced))
        )
    };
    assert_eq!(
        idle.iter_mut().map(ended).collect::<Vec<_>>(),
        [true, false, false]
    );
    // The second has its own still.
    assert!(state.place(work(app(2)), &SETTINGS, now).is_ok());
    assert_eq!(idle[1].job(), Some(app(2)));
}

#[test]
fn a_trial_takes_a_warm_worker_and_no_heir_is_started() {
    for warm in [0, 1, 2] {
        let settings = Settings { warm, ..SETTINGS };
        let (mut state, now) = (state(), Instant::now());
        let placed = state.place(work(Owner::Trial), &settings, now);
        assert!(matches!(placed, Ok(Placed::Waiting(_))), "{warm} warm");
        let starts = state.due(&settings, now).map(|numbers| numbers.len());
        assert_eq!(starts, Ok(warm.max(1)), "{warm} warm");
    }
    let (mut state, now) = (state(), Instant::now());
    let mut keepers = with_ready(&mut state, 1, &SETTINGS);
    assert!(state.place(work(Owner::Trial), &SETTINGS, now).is_ok());
    assert_eq!(keepers[0].job(), Some(Owner::Trial));
    assert_eq!(state.due(&SETTINGS, now), Ok(vec![]));
    assert!(state.done(&Owner::Trial, &keepers[0].place, TOOK, &SETTINGS, now));
    assert_eq!(state.status(1, 3, now).warm, 1);
}

#[test]
fn a_closed_pool_gives_nothing_and_tells_everybody() {
    let (mut state, now) = (state(), Instant::now());
    let Ok(Placed::Waiting(mut wait)) = state.place(work(app(1)), &SETTINGS, now) else {
        panic!("there is no worker yet");
    };
    assert_eq!(
        state.due(&SETTINGS, now).map(|numbers| numbers.len()),
        Ok(2)
    );
    let _others = [2, 2].map(|uid| waiting(&mut state, uid, now));
    let mut in_queue = waiting(&mut state, 3, now);
    assert_eq!(state.queues.len(), 1);
    state.close(WorkerEnd::GateClosed);
    assert_eq!(in_queue.answer.try_recv(), Ok(Err(BeginError::Closed)));
    assert_eq!(wait.answer.try_recv(), Ok(Err(BeginError::Closed)));
    assert!(state.weights().is_none());
    let keeper = Keeper::new(1);
    assert!(!state.ready(&keeper.place, &SETTINGS));
    assert_eq!(state.due(&SETTINGS, now), Ok(vec![]));
    let placed = state.place(work(app(1)), &SETTINGS, now).map(|_| ());
    assert_eq!(placed, Err(BeginError::Closed));
    // A job whose worker died under it is told so, too.
    let (_, ends) = session(leave(), false);
    state.count(&app(2));
    let again = Work {
        ends,
        ..work(app(2))
    };
    state.place_again(Box::new(again), &SETTINGS);
    assert_eq!(state.jobs(), 0);
}

#[test]
fn the_microphone_takes_no_place_and_no_turn_from_anybody() {
    let (mut state, now) = (state(), Instant::now());
    let settings = Settings {
        most: 1,
        queue: 0,
        ..SETTINGS
    };
    let mut keepers = with_ready(&mut state, 1, &settings);
    let placed = state.place(work(app(1)), &settings, now);
    assert!(matches!(placed, Ok(Placed::Taken)));
    assert_eq!(keepers[0].job(), Some(app(1)));
    // All places are taken, and it waits for no more than a worker.
    let placed = state.place(work(Owner::Microphone), &settings, now);
    assert!(matches!(placed, Ok(Placed::Waiting(_))));
    let second = state.place(work(Owner::Microphone), &settings, now);
    assert!(matches!(second, Err(BeginError::Busy { .. })));
    let mut more = with_ready(&mut state, 2, &settings);
    assert_eq!(more[0].job(), Some(Owner::Microphone));
    let status = state.status(3, settings.most, now);
    assert_eq!((status.working, status.warm, status.idle), (1, 1, 0));
    assert!(status.microphone);

    // Its worker waits for it alone, and goes when it is told to.
    let place = more[0].place.clone();
    assert!(state.done(&Owner::Microphone, &place, TOOK, &settings, now));
    let status = state.status(3, settings.most, now);
    assert_eq!((status.idle, status.microphone), (1, false));
    assert!(state.done(&app(1), &keepers[0].place, TOOK, &settings, now));
    let placed = state.place(work(app(2)), &settings, now);
    assert!(matches!(placed, Ok(Placed::Taken)));
    assert_eq!(more[1].job(), Some(app(2)), "a warm one");
    let placed = state.place(work(Owner::Microphone), &settings, now);
    assert!(matches!(placed, Ok(Placed::Taken)));
    assert_eq!(more[0].job(), Some(Owner::Microphone));
    assert!(state.done(&Owner::Microphone, &place, TOOK, &settings, now));
    assert!(state.withdraw(place.number));
    assert!(!state.withdraw(place.number));
}
