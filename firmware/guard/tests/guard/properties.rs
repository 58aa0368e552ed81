//! What holds whatever is said, whenever, by whomever.

use earnest_wire::host::Event;
use earnest_wire::{Frame, Switch};
use embassy_time::{Duration, Instant};
use proptest::prelude::*;

use crate::kit::Bench;

#[derive(Debug, Clone)]
enum Step {
    Heartbeat,
    Announce(bool),
    Ask,
    Pair,
    /// A whole handshake.
    Handshake,
    /// A handshake that nobody ends.
    Hello,
    /// Some frame of the past, as it was.
    Replay(prop::sample::Index),
    /// Some frame of the past, with a byte changed.
    Forge(prop::sample::Index, prop::sample::Index, u8),
    Noise(Vec<u8>),
    Mute,
    Open,
    /// The rail's sensor says so, whatever is true.
    Sense(bool),
    Pass(u64),
    /// Time passes and nobody calls the guard.
    Sleep(u64),
    Reset,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Heartbeat),
        6 => prop::bool::weighted(0.8).prop_map(Step::Announce),
        1 => Just(Step::Ask),
        2 => Just(Step::Pair),
        4 => Just(Step::Handshake),
        1 => Just(Step::Hello),
        3 => any::<prop::sample::Index>().prop_map(Step::Replay),
        3 => any::<(prop::sample::Index, prop::sample::Index, u8)>()
            .prop_map(|(frame, byte, change)| Step::Forge(frame, byte, change)),
        2 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Noise),
        2 => Just(Step::Mute),
        5 => Just(Step::Open),
        1 => any::<bool>().prop_map(Step::Sense),
        5 => prop::sample::select(vec![1, 20, 49, 50, 250, 999]).prop_map(Step::Pass),
        1 => (0_u64..3_000).prop_map(Step::Sleep),
        1 => Just(Step::Reset),
    ]
}

/// What must be true where there is power, known without asking the guard.
#[derive(Debug, Default)]
struct Known {
    open_since: Option<Instant>,
    session: bool,
    heartbeat: Option<Instant>,
    announced: bool,
}

struct World {
    bench: Bench,
    known: Known,
    past: Vec<Frame>,
    /// The guard has the session that the host speaks in.
    agreed: bool,
    powered: usize,
}

impl World {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            known: Known::default(),
            past: Vec::new(),
            agreed: false,
            powered: 0,
        }
    }

    /// A frame that the host says now, which arrives.
    fn say(&mut self, frame: Option<Frame>) -> bool {
        let Some(frame) = frame else { return false };
        self.bench.say(&frame);
        self.past.push(frame);
        true
    }

    fn take(&mut self, step: Step) {
        let now = self.bench.now;
        match step {
            Step::Heartbeat => {
                let frame = self.bench.host.heartbeat().ok();
                if self.say(frame) && self.agreed {
                    self.known.heartbeat = Some(now);
                }
            }
            Step::Announce(live) => {
                let frame = self.bench.host.announce(live).ok();
                if self.say(frame) && self.agreed {
                    // Whether it is refused is not for here: with power it was not.
                    self.known.announced = live;
                }
            }
            Step::Ask => {
                let frame = self.bench.host.ask().ok();
                self.say(frame);
            }
            Step::Pair => {
                let frame = self.bench.host.pair();
                self.say(Some(frame));
            }
            Step::Handshake => self.shake_hands(),
            Step::Hello => {
                let frame = self.bench.host.hello([0xee; 16]);
                self.agreed = false;
                self.say(Some(frame));
            }
            Step::Replay(index) => {
                if !self.past.is_empty() {
                    let frame = index.get(&self.past).clone();
                    self.bench.say(&frame);
                }
            }
            Step::Forge(index, byte, change) => {
                if !self.past.is_empty() {
                    let mut bytes = index.get(&self.past).as_bytes().to_vec();
                    let byte = byte.index(bytes.len());
                    bytes[byte] ^= change.max(1);
                    self.bench.send(&bytes);
                }
            }
            Step::Noise(bytes) => self.bench.send(&bytes),
            Step::Mute => {
                self.known.open_since = None;
                self.known.announced = false;
                self.bench.mute();
            }
            Step::Open => {
                self.known.open_since.get_or_insert(now);
                self.bench.open();
            }
            Step::Sense(sensed) => {
                self.bench.guard.rail(sensed, now, &mut self.bench.out);
                self.bench.listen();
            }
            Step::Pass(milliseconds) => self.bench.pass(milliseconds),
            Step::Sleep(milliseconds) => {
                self.bench.now += Duration::from_millis(milliseconds);
                let now = self.bench.now;
                self.bench.guard.tick(now, &mut self.bench.out);
                self.bench.settle();
            }
            Step::Reset => {
                self.bench.reset();
                self.known = Known::default();
                self.agreed = false;
                self.bench.hand = Switch::Muted;
            }
        }
    }

    fn shake_hands(&mut self) {
        let frame = self.bench.host.hello([self.past.len() as u8; 16]);
        self.bench.heard.clear();
        self.agreed = false;
        self.say(Some(frame));
        let confirm = self.bench.heard.iter().find_map(|event| match event {
            Event::Welcome { confirm, .. } => Some(confirm.clone()),
            _ => None,
        });
        if confirm.is_some() {
            self.agreed = true;
            self.known.session = true;
            self.known.heartbeat = None;
            self.known.announced = false;
        }
        self.say(confirm);
    }

    /// Power needs each of these, and an open switch has been open for a while.
    fn check(&mut self) {
        let now = self.bench.now;
        let Known {
            open_since,
            session,
            heartbeat,
            announced,
        } = self.known;
        let age = |since: Instant| now.saturating_duration_since(since).as_millis();
        if self.bench.hand == Switch::Muted {
            assert!(!self.bench.guard.power(), "power with the switch at mute");
            assert!(!self.bench.rail(), "sound with the switch at mute");
        }
        if self.bench.guard.power() {
            self.powered += 1;
            assert!(
                open_since.is_some_and(|since| age(since) >= 50),
                "{:?}",
                self.known
            );
            assert!(session && announced, "{:?}", self.known);
            assert!(
                heartbeat.is_some_and(|at| age(at) < 1_000),
                "{:?}",
                self.known
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn power_needs_an_open_switch_a_session_an_announcement_and_a_young_heartbeat(
        paired in prop::bool::weighted(0.9),
        steps in prop::collection::vec(steps(), 0..80),
    ) {
        let mut world = World::new();
        if paired {
            for step in [Step::Pair, Step::Handshake, Step::Open, Step::Pass(50)] {
                world.take(step);
            }
        }
        for step in steps {
            world.take(step);
            world.check();
        }
    }

    #[test]
    fn nothing_said_while_the_switch_is_at_mute_gives_power(
        steps in prop::collection::vec(steps(), 0..60),
    ) {
        let mut world = World::new();
        world.take(Step::Pair);
        world.take(Step::Handshake);
        for step in steps {
            if matches!(step, Step::Open) {
                continue;
            }
            world.take(step);
            prop_assert!(!world.bench.guard.power());
            prop_assert!(!world.bench.state().is_live());
        }
    }
}

#[test]
fn the_steps_do_reach_power() {
    // A property of power that is never there would hold of anything.
    let mut world = World::new();
    for step in [
        Step::Pair,
        Step::Handshake,
        Step::Open,
        Step::Pass(50),
        Step::Heartbeat,
        Step::Announce(true),
    ] {
        world.take(step);
        world.check();
    }
    assert_eq!(world.powered, 1);
}
