//! Whatever happens, in whatever order: commands are told no word, and whoever reads is told each
//! final once.

use std::time::Duration;

use earnest_pool::SessionError;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::sleep;

use super::kit::*;
use crate::*;

const LIGHTS: &[(&str, &str)] = &[("on", "light on please"), ("off", "now be dark")];

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(Kind),
    /// One of those who listen, by its number.
    Leave(usize),
    Mute,
    Unmute,
    Device,
    Lose,
    Sound,
    Start,
    Partial,
    Said,
    Stop,
    Spot(u16),
    Finish,
    Die,
    /// The worker takes what was sent.
    Take,
    Wait(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Reader,
    Woken,
    Switch,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(Kind::Reader),
        Just(Kind::Reader),
        Just(Kind::Woken),
        Just(Kind::Switch)
    ];
    prop_oneof![
        4 => kind.prop_map(Step::Join),
        2 => any::<prop::sample::Index>().prop_map(|one| Step::Leave(one.index(16))),
        1 => Just(Step::Mute),
        2 => Just(Step::Unmute),
        4 => Just(Step::Device),
        2 => Just(Step::Lose),
        4 => Just(Step::Sound),
        4 => Just(Step::Start),
        3 => Just(Step::Partial),
        4 => Just(Step::Said),
        4 => Just(Step::Stop),
        3 => (0_u16..4).prop_map(Step::Spot),
        2 => Just(Step::Finish),
        1 => Just(Step::Die),
        3 => Just(Step::Take),
        2 => (0_u64..7_000).prop_map(Step::Wait),
    ]
}

/// Somebody who listens, and what was to be told to it.
struct Person {
    kind: Kind,
    listener: Listener,
    expected: Vec<String>,
    told: Vec<Hearing>,
}

impl Person {
    fn read(&mut self) {
        self.told.extend(told(&mut self.listener));
    }

    fn finals(&self) -> Vec<String> {
        let finals = self.told.iter().filter_map(|hearing| match hearing {
            Hearing::Final(segment) => Some(segment.text.clone()),
            _ => None,
        });
        finals.collect()
    }

    /// Checks what it was told in all.
    fn check(mut self) {
        self.read();
        let finals = self.finals();
        match self.kind {
            Kind::Reader => assert_eq!(finals, self.expected),
            // Some of them, each once and in order.
            Kind::Woken => {
                let mut expected = self.expected.iter();
                assert!(
                    finals
                        .iter()
                        .all(|text| expected.any(|other| other == text))
                );
            }
            Kind::Switch => {
                let may_know = |hearing: &Hearing| {
                    matches!(
                        hearing,
                        Hearing::State(_)
                            | Hearing::Muted
                            | Hearing::Unmuted
                            | Hearing::DeviceLost { .. }
                            | Hearing::DeviceBack { .. }
                            | Hearing::Command { .. }
                    )
                };
                assert!(self.told.iter().all(may_know), "{:?}", self.told);
            }
        }
        self.check_times();
        self.check_utterances();
    }

    /// Time does not run backwards.
    fn check_times(&self) {
        let times = self.told.iter().filter_map(|hearing| match hearing {
            Hearing::SpeechStarted { at } | Hearing::SpeechStopped { at } => Some(at.0),
            _ => None,
        });
        assert!(times.clone().is_sorted(), "{:?}", times.collect::<Vec<_>>());
    }

    /// Each utterance begins, is heard, and ends.
    fn check_utterances(&self) {
        let mut speaking = false;
        for hearing in &self.told {
            match hearing {
                Hearing::SpeechStarted { .. } => {
                    assert!(!speaking, "{:?}", self.told);
                    speaking = true;
                }
                Hearing::Partial(_) | Hearing::Final(_) => {
                    assert!(speaking, "{:?}", self.told);
                }
                Hearing::SpeechStopped { .. } => {
                    assert!(speaking, "{:?}", self.told);
                    speaking = false;
                }
                _ => {}
            }
        }
    }
}

/// A worker that keeps to the order of things, as the pool sees to.
#[derive(Default)]
struct Script {
    worker: Option<Worker>,
    heard: u64,
    utterance: Option<(u64, bool)>,
    said: u32,
}

impl Script {
    /// The worker that the house has now.
    fn look(&mut self, house: &mut House) {
        if let Some(worker) = house.worker() {
            self.worker = Some(worker);
            self.heard = 0;
            self.utterance = None;
        }
    }

    async fn step(&mut self, step: Step, people: &mut [Person]) {
        let Some(worker) = &mut self.worker else {
            return;
        };
        let now = self.heard;
        match (step, self.utterance) {
            (Step::Start, None) => {
                worker.started(now).await;
                self.utterance = Some((now, false));
            }
            (Step::Partial, Some((start, false))) => {
                worker.partial(start, "a word").await;
            }
            (Step::Said, Some((start, false))) => {
                self.said += 1;
                let text = format!("a word {}", self.said);
                if worker.said(start, &text).await {
                    for person in people {
                        person.expected.push(text.clone());
                    }
                }
                self.utterance = Some((start, true));
            }
            (Step::Stop, Some((start, _))) => {
                worker.stopped(now.max(start)).await;
                self.utterance = None;
            }
            (Step::Spot(phrase), _) => {
                let last = worker.tunings.last().map_or(0, |tuning| tuning.generation);
                worker.spotted(last, phrase, now).await;
            }
            (Step::Take, _) => {
                worker.take().await;
                self.heard = u64::try_from(worker.heard).unwrap() / 32;
            }
            (Step::Finish, None) if worker.ended => {
                worker.finished().await;
                self.worker = None;
            }
            (Step::Die, _) => {
                worker.fail(SessionError::WorkerDied).await;
                self.worker = None;
            }
            _ => {}
        }
    }
}

async fn play(steps: Vec<Step>) {
    let mut house = House::new(LiveSettings::default());
    let mut script = Script::default();
    let mut people: Vec<Person> = Vec::new();
    for step in steps {
        match step {
            Step::Join(kind) if people.len() < 16 => {
                let wanted = match kind {
                    Kind::Reader => text(),
                    Kind::Woken => wake("hey earnest"),
                    Kind::Switch => commands(LIGHTS),
                };
                people.push(Person {
                    kind,
                    listener: house.listen(wanted).await,
                    expected: Vec::new(),
                    told: Vec::new(),
                });
            }
            Step::Leave(number) if !people.is_empty() => {
                let number = number % people.len();
                people.swap_remove(number).check();
                settle().await;
            }
            Step::Mute => assert!(house.live.mute().await || house.open() == 0),
            Step::Unmute => {
                house.live.unmute().await;
            }
            Step::Device if house.open() > 0 => house.device().await,
            Step::Lose if house.open() > 0 => house.lose().await,
            Step::Sound if house.open() > 0 => house.sound(100).await,
            Step::Wait(milliseconds) => sleep(Duration::from_millis(milliseconds)).await,
            _ => script.step(step, &mut people).await,
        }
        settle().await;
        script.look(&mut house);
        for person in &mut people {
            person.read();
        }
        let status = house.live.status();
        assert_eq!(status.listeners.len(), people.len());
        let may_be_open = !people.is_empty() && !status.muted;
        assert_eq!(house.open(), usize::from(may_be_open));
    }
    people.into_iter().for_each(Person::check);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn commands_are_told_no_word_and_readers_every_final_once(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(steps));
    }
}
