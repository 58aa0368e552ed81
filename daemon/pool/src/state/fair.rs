//! Fair turns, on a simulated pool: workers are ready at once, jobs take as long as they are
//! told to, and time is a number.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use earnest_evidence::measured::SandboxLevel;
use proptest::prelude::*;

use super::tests::{Keeper, state, work};
use super::*;
use crate::JobLimits;

/// A pool with so many places.
fn settings(most: usize, most_of_one: usize) -> Settings {
    Settings {
        warm: 1,
        most,
        most_of_one,
        queue: 4,
        queue_all: 12,
        patience: Duration::from_secs(600),
        idle: Duration::from_secs(60),
        start: Duration::from_secs(10),
        limits: JobLimits::default(),
        least_sandbox: SandboxLevel::Partial,
    }
}

/// A job that was asked for and is not over.
struct Asked {
    number: usize,
    uid: u32,
    ticks: u32,
    wait: Option<Wait>,
}

/// The pool, its workers and its callers.
struct Simulation {
    state: State,
    settings: Settings,
    epoch: Instant,
    now: u32,
    keepers: Vec<Keeper>,
    asked: Vec<Asked>,
    /// Who is at work with which worker, and until when.
    at_work: Vec<(u32, u64, u32)>,
    /// Whose jobs began, in order, and after how long.
    begun: Vec<(u32, u32)>,
    numbers: usize,
}

impl Simulation {
    fn new(settings: Settings) -> Simulation {
        Simulation {
            state: state(),
            settings,
            epoch: Instant::now(),
            now: 0,
            keepers: Vec::new(),
            asked: Vec::new(),
            at_work: Vec::new(),
            begun: Vec::new(),
            numbers: 0,
        }
    }

    fn instant(&self) -> Instant {
        self.epoch + Duration::from_millis(u64::from(self.now))
    }

    /// Somebody asks for a job of so many ticks; whether it was taken in.
    fn ask(&mut self, uid: u32, ticks: u32) -> Option<usize> {
        let owner = Owner::App(AppId::of_uid(uid));
        let now = self.instant();
        let placed = self.state.place(work(owner), &self.settings, now).ok()?;
        let wait = match placed {
            Placed::Taken => None,
            Placed::Waiting(wait) => Some(wait),
        };
        self.numbers += 1;
        self.asked.push(Asked {
            number: self.numbers,
            uid,
            ticks,
            wait,
        });
        self.settle();
        Some(self.numbers)
    }

    /// A caller that waits goes away.
    fn leave(&mut self, number: usize) {
        let now = self.instant();
        if let Some(at) = self.asked.iter().position(|asked| asked.number == number)
            && let Some(wait) = self.asked.remove(at).wait
        {
            self.state.leave(wait.ticket, &self.settings, now);
            self.settle();
        }
    }

    /// A tick passes, and what ends with it.
    fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        while let Some(at) = self.at_work.iter().position(|(_, _, until)| *until <= now) {
            let (uid, number, _) = self.at_work.remove(at);
            let keeper = self.keepers.iter().find(|it| it.place.number == number);
            let place = keeper.expect("it is at work").place.clone();
            let owner = Owner::App(AppId::of_uid(uid));
            let (took, now) = (Duration::from_millis(1), self.instant());
            let stays = self.state.done(&owner, &place, took, &self.settings, now);
            assert!(stays, "the pool is open");
            self.settle();
        }
    }

    /// Workers that are due are ready, orders are carried out, and answers are heard.
    fn settle(&mut self) {
        let now = self.instant();
        loop {
            let due = self.state.due(&self.settings, now).expect("nothing fails");
            let idle = due.is_empty();
            for number in due {
                let keeper = Keeper::new(number);
                if self.state.ready(&keeper.place, &self.settings) {
                    self.keepers.push(keeper);
                }
            }
            if idle {
                break;
            }
        }
        let mut ended = Vec::new();
        for keeper in &mut self.keepers {
            match keeper.mailbox.try_recv() {
                Ok(Order::Work(work)) => {
                    let Owner::App(app) = &work.owner else {
                        panic!("nobody asked for a trial");
                    };
                    let its = |asked: &Asked| AppId::of_uid(asked.uid) == *app;
                    let told = |asked: &mut Asked| match &mut asked.wait {
                        None => true,
                        Some(wait) => wait.answer.try_recv() == Ok(Ok(())),
                    };
                    let at = self.asked.iter_mut().position(|it| its(it) && told(it));
                    let asked = self.asked.remove(at.expect("it was told"));
                    let until = self.now + asked.ticks;
                    self.at_work.push((asked.uid, keeper.place.number, until));
                    self.begun.push((asked.uid, self.now));
                }
                Ok(Order::End(_)) => ended.push(keeper.place.number),
                Err(_) => {}
            }
        }
        self.keepers.retain(|it| !ended.contains(&it.place.number));
        self.check();
    }

    fn of(&self, uid: u32) -> usize {
        self.at_work
            .iter()
            .filter(|(its, _, _)| *its == uid)
            .count()
    }

    fn waiting(&self, uid: u32) -> usize {
        self.asked.iter().filter(|asked| asked.uid == uid).count()
    }

    /// What holds at all times.
    fn check(&self) {
        let Settings {
            most,
            most_of_one,
            queue,
            queue_all,
            ..
        } = self.settings;
        let jobs = self.at_work.len();
        assert!(jobs <= most, "{jobs} jobs in {most} places");
        assert_eq!(jobs, self.state.jobs(), "the books are wrong");
        assert!(self.asked.len() <= queue_all);
        assert_eq!(self.asked.len(), self.state.queues.len());
        let idle = self.state.idle.len();
        assert!(idle + jobs <= most, "{idle} idle beside {jobs}");
        for Asked { uid, .. } in &self.asked {
            assert!(self.waiting(*uid) <= queue);
            let may = self.of(*uid) < most_of_one;
            assert!(!may || jobs == most, "a place is free, and {uid} waits");
        }
        for (uid, _, _) in &self.at_work {
            assert!(self.of(*uid) <= most_of_one);
        }
    }
}

/// How long each of the polite one's jobs waits, and how many are refused, beside a greedy one
/// that asks as often as it can.
fn waits(
    settings: &Settings,
    greedy: Option<&[u32]>,
    polite: u32,
    pause: u32,
) -> (Vec<u32>, usize) {
    const GREEDY: u32 = 1;
    const POLITE: u32 = 2;
    let mut simulation = Simulation::new(settings.clone());
    let mut lengths = greedy.unwrap_or(&[]).iter().cycle();
    let (mut waits, mut refused, mut next) = (Vec::new(), 0, 50);
    while simulation.now < 3_000 {
        while greedy.is_some()
            && simulation.waiting(GREEDY) < settings.queue
            && let Some(ticks) = lengths.next()
        {
            simulation.ask(GREEDY, *ticks);
        }
        if simulation.now == next {
            next += pause;
            let asked = simulation.now;
            let before = simulation.begun.len();
            match simulation.ask(POLITE, polite) {
                None => refused += 1,
                Some(number) => {
                    let began = |simulation: &Simulation| {
                        let begun = simulation.begun[before..].iter();
                        begun.clone().find(|(uid, _)| *uid == POLITE).map(|it| it.1)
                    };
                    while began(&simulation).is_none() && simulation.now < asked + pause {
                        simulation.tick();
                    }
                    match began(&simulation) {
                        Some(at) => waits.push(at - asked),
                        None => {
                            simulation.leave(number);
                            refused += 1;
                        }
                    }
                }
            }
            next = next.max(simulation.now);
        } else {
            simulation.tick();
        }
    }
    (waits, refused)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nobody pre-empts anybody, so the polite one waits for one job to end: the next one.
    #[test]
    fn a_polite_one_beside_a_greedy_one_gets_what_it_gets_alone(
        most in 1..6_usize,
        greedy in prop::collection::vec(1..40_u32, 1..8),
        polite in 1..30_u32,
    ) {
        // Its own rate is below its share: one job at a time, with a pause between two.
        let (settings, pause) = (settings(most, most), polite + 50);
        let (alone, _) = waits(&settings, None, polite, pause);
        let (beside, refused) = waits(&settings, Some(&greedy), polite, pause);
        prop_assert_eq!(refused, 0);
        prop_assert_eq!(alone.len(), beside.len(), "of {} alone", alone.len());
        let longest = greedy.iter().copied().max().unwrap_or(0);
        prop_assert!(beside.iter().all(|wait| *wait <= longest), "{:?}", beside);
    }

    /// Who always has more to ask for shares evenly with everybody who has.
    #[test]
    fn those_who_always_wait_have_the_same_number_at_work(
        most in 1..7_usize,
        apps in 2..4_u32,
        lengths in prop::collection::vec(1..30_u32, 1..20),
    ) {
        let settings = settings(most, most);
        let mut simulation = Simulation::new(settings.clone());
        let mut lengths = lengths.iter().copied().cycle();
        while simulation.now < 1_500 {
            // The first is there before the others, and has all that there is.
            let here = if simulation.now < 10 { 1 } else { apps };
            for uid in 1..=here {
                while simulation.waiting(uid) < settings.queue {
                    let ticks = lengths.next().unwrap_or(1);
                    prop_assert!(simulation.ask(uid, ticks).is_some());
                }
            }
            simulation.tick();
            // What the first had at work when the others came is over by then.
            if simulation.now > 100 {
                let counts: Vec<_> = (1..=apps).map(|uid| simulation.of(uid)).collect();
                let (least, greatest) = (counts.iter().min(), counts.iter().max());
                if most >= apps as usize {
                    prop_assert!(
                        greatest.zip(least).is_some_and(|(most, least)| most - least <= 1),
                        "{:?}", counts
                    );
                }
            }
        }
        // With fewer places than applications everybody has its turn again and again.
        for uid in 1..=apps {
            let turns = simulation.begun.iter().filter(|(its, _)| *its == uid).count();
            prop_assert!(turns > 5, "{turns} turns of {uid}");
        }
    }

    /// Whatever happens, who has nothing at work and waits sees each other one pass once at most.
    #[test]
    fn nobody_starves(
        most in 1..4_usize,
        most_of_one in 1..4_usize,
        steps in prop::collection::vec((0..5_u8, 1..6_u32, 1..15_u32), 1..400),
    ) {
        let mut simulation = Simulation::new(settings(most, most_of_one.min(most)));
        // Who began since somebody who has nothing at work came to wait.
        let mut passed: BTreeMap<u32, BTreeMap<u32, usize>> = BTreeMap::new();
        for (step, uid, ticks) in steps {
            let before = simulation.begun.len();
            match step {
                0..=2 => {
                    simulation.ask(uid, ticks);
                }
                3 => simulation.tick(),
                _ => {
                    let number = simulation.asked.first().map(|asked| asked.number);
                    if let Some(number) = number {
                        simulation.leave(number);
                    }
                }
            }
            for (other, _) in &simulation.begun[before..] {
                passed.remove(other);
                for passes in passed.values_mut() {
                    let passes = passes.entry(*other).or_insert(0);
                    *passes += 1;
                    prop_assert!(*passes <= 1, "{} passed twice", other);
                }
            }
            for uid in 1..6 {
                match simulation.of(uid) == 0 && simulation.waiting(uid) > 0 {
                    true => drop(passed.entry(uid).or_default()),
                    false => drop(passed.remove(&uid)),
                }
            }
        }
    }
}
