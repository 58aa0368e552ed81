//! Any inputs in any order at any time: what must never happen does not.

use proptest::prelude::*;

use super::*;
use crate::{Effect, GateState, Open};

/// One input, and the seconds that have passed since the last. Now and then the time of an input
/// is an old one.
fn steps() -> impl Strategy<Value = Vec<(i64, Input)>> {
    let input = prop_oneof![
        4 => Just(Input::Unseal),
        8 => Just(Input::Same),
        1 => Just(Input::Changed),
        6 => Just(Input::Pass),
        1 => Just(Input::Fail),
        6 => (0_u64..60).prop_map(Input::Vouch),
        1 => Just(Input::Refuse),
        1 => Just(Input::Lose),
        3 => Just(Input::Tick),
    ];
    let passed = prop_oneof![6 => 0_i64..20, 1 => 20_i64..150, 1 => -30_i64..0];
    prop::collection::vec((passed, input), 1..60)
}

fn modes() -> impl Strategy<Value = Mode> {
    let grace = prop_oneof![Just(0), 1_u64..40].prop_map(at);
    prop_oneof![
        Just(Mode::Local),
        grace.prop_map(|grace| Mode::Fleet { grace })
    ]
}

/// What was told since the last closing, kept in the simplest way. Times are seconds.
#[derive(Debug, Default)]
struct Told {
    unsealed: bool,
    measured: Option<u64>,
    passed: Option<u64>,
    vouched_until: Option<u64>,
}

impl Told {
    fn note(&mut self, input: Input, mode: Mode, now: u64) {
        match input {
            Input::Unseal => {
                self.unsealed = true;
                self.measured = Some(now);
            }
            Input::Same if self.unsealed => self.measured = Some(now),
            Input::Pass if self.unsealed => self.passed = Some(now),
            Input::Vouch(seconds) if mode != Mode::Local && seconds > 0 => {
                self.vouched_until = Some(now + seconds);
            }
            _ => {}
        }
    }

    /// Whether all of this is proof enough at `now`.
    fn suffices(&self, mode: Mode, now: u64) -> bool {
        let young = |at: Option<u64>, most: u64| at.is_some_and(|at| now < at + most);
        let vouched = match mode {
            Mode::Local => true,
            Mode::Fleet { grace } => young(self.vouched_until, grace.as_secs()),
        };
        self.unsealed && young(self.measured, 50) && young(self.passed, 110) && vouched
    }
}

/// Whether an input closes whatever gate holds a model.
fn closes(input: Input, mode: Mode) -> bool {
    match input {
        Input::Unseal | Input::Changed | Input::Fail | Input::Lose => true,
        Input::Refuse => mode != Mode::Local,
        _ => false,
    }
}

/// Whether an input may move a deadline on.
fn proves(input: Input) -> bool {
    matches!(
        input,
        Input::Unseal | Input::Same | Input::Pass | Input::Vouch(_)
    )
}

struct World {
    mode: Mode,
    gate: Gate<Model>,
    shelf: Shelf,
    told: Told,
    now: u64,
    given: Vec<Open>,
}

impl World {
    fn step(&mut self, passed: i64, input: Input) -> Result<(), TestCaseError> {
        let time = self.now.saturating_add_signed(passed);
        self.now = self.now.max(time);
        let held_before = self.shelf.held();
        let state = self.gate.state();
        let deadlines: Vec<_> = self.given.iter().map(Open::until).collect();
        let changes = input.give(&mut self.gate, &self.shelf, at(time));

        self.check_moves(state, &changes)?;
        let closed = moves(&changes).any(|line| line.contains("> closed"));
        if closed {
            self.told = Told::default();
        }
        prop_assert!(closed || held_before == 0 || !closes(input, self.mode));
        prop_assert_eq!(closed, changes.effects.contains(&Effect::EndWorkers));
        if closed || matches!(input, Input::Refuse | Input::Lose) && self.mode != Mode::Local {
            self.told.vouched_until = None;
        }
        let survives = !closed || matches!(input, Input::Unseal | Input::Vouch(_));
        if survives {
            self.told.note(input, self.mode, self.now);
        }

        for (open, before) in self.given.iter().zip(deadlines) {
            prop_assert!(!closed || !open.is_live());
            prop_assert!(
                open.until().is_none() || before.is_some(),
                "the dead came back"
            );
            prop_assert!(
                proves(input) || open.until() <= before,
                "time alone prolonged it"
            );
        }
        self.check_openness()
    }

    fn check_moves(&self, mut state: GateState, changes: &Changes) -> Result<(), TestCaseError> {
        for event in &changes.events {
            let Event::Gate { from, to, .. } = event else {
                continue;
            };
            prop_assert_eq!(*from, state);
            let allowed = match to {
                GateState::Sealed => false,
                GateState::Unsealed => matches!(from, GateState::Sealed | GateState::Closed),
                GateState::Attested => matches!(from, GateState::Unsealed | GateState::Grace),
                GateState::Grace => {
                    *from == GateState::Attested
                        && matches!(self.mode, Mode::Fleet { grace } if !grace.is_zero())
                }
                GateState::Closed => !matches!(from, GateState::Sealed | GateState::Closed),
            };
            prop_assert!(allowed, "{} to {}", from, to);
            state = *to;
        }
        prop_assert_eq!(self.gate.state(), state);
        Ok(())
    }

    /// The gate is open now, and would be at any later time without a tick, only where what it
    /// was told suffices.
    fn check_openness(&mut self) -> Result<(), TestCaseError> {
        let state = self.gate.state();
        let holds = !matches!(state, GateState::Sealed | GateState::Closed);
        prop_assert_eq!(self.shelf.held(), usize::from(holds));
        prop_assert_eq!(self.gate.open(at(self.now)).is_some(), state.is_open());
        for later in [0, 1, 10, 40, 200] {
            let then = self.now + later;
            let open = self.gate.open(at(then));
            prop_assert!(
                open.is_none() || self.told.suffices(self.mode, then),
                "open at {} by {:?}",
                then,
                self.told
            );
            for given in &self.given {
                prop_assert!(!given.is_live_at(at(then)) || open.is_some());
            }
        }
        if let Some(open) = self.gate.open(at(self.now)) {
            let until = open.until().expect("it is live");
            prop_assert!(!open.is_live_at(until));
            self.given.push(open);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_is_open_only_with_all_proof_and_what_died_stays_dead(
        mode in modes(),
        steps in steps(),
    ) {
        let mut world = World {
            mode,
            gate: gate(mode),
            shelf: Shelf::default(),
            told: Told::default(),
            now: 0,
            given: Vec::new(),
        };
        for (passed, input) in steps {
            world.step(passed, input)?;
        }
    }

    #[test]
    fn a_driver_that_keeps_its_deadlines_is_never_late(mode in modes(), steps in steps()) {
        let (mut gate, shelf) = (gate(mode), Shelf::default());
        let mut now = 0_u64;
        for (passed, input) in steps {
            let next = now + passed.unsigned_abs();
            // Each tick consumes a deadline, and an input sets at most three.
            for _ in 0..4 {
                match gate.next_deadline().filter(|deadline| *deadline <= at(next)) {
                    Some(deadline) => { let _ = gate.tick(deadline); }
                    None => break,
                }
            }
            let changes = gate.tick(at(next));
            prop_assert_eq!(changes, Changes::default());
            now = next;
            let _ = input.give(&mut gate, &shelf, at(now));
        }
    }
}
