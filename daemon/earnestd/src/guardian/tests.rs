//! The guardian on simulated time, in a world that fails as it is told.

use std::fs::File;
use std::sync::{Mutex, Weak};

use earnest_anomaly::Watch;
use earnest_evidence::HashAlgorithm;
use earnest_gate::{GateReason, GateState, Mode, Schedule, Standing};
use earnest_policy::AllowList;
use earnest_telemetry::Clock;
use earnest_tpm::TpmError;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::ground::FleetResult;
use crate::weights::Weights;

const CHECK: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(20);
const WORDS: &str = "Fail again. Fail better.";

/// What the ground and the crew find when they are asked.
struct World {
    boot: [u8; 32],
    /// The boot in which the TPM unseals.
    approved: [u8; 32],
    tpm: Tpm,
    verdict: Verdict,
    starts: Vec<SandboxLevel>,
    workers_start: bool,
    /// What a worker hears; nothing where it breaks off.
    heard: Option<&'static str>,
    heard_times: usize,
    unsealed: usize,
    working: bool,
    /// Whether anybody holds the latest weights.
    weights: Weak<Clip>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tpm {
    Well,
    Gone,
    /// Busy for so many questions.
    Busy(usize),
}

type Shared = Arc<Mutex<World>>;

struct FakeGround(Shared);

impl FakeGround {
    fn reach(&self) -> Result<(), GroundError> {
        let mut world = self.0.lock().unwrap();
        match world.tpm {
            Tpm::Well | Tpm::Busy(0) => Ok(()),
            Tpm::Gone => Err(TpmError::Closed.into()),
            Tpm::Busy(left) => {
                world.tpm = Tpm::Busy(left - 1);
                Err(TpmError::Busy { waiting: 1 }.into())
            }
        }
    }
}

impl Ground for FakeGround {
    type Opened = Weights;

    fn prepare(opened: Weights) -> Result<Weights, GroundError> {
        Ok(opened)
    }

    fn unseal(&mut self) -> Result<(Weights, Measurement), GroundError> {
        self.reach()?;
        let mut world = self.0.lock().unwrap();
        if world.boot != world.approved {
            return Err(GroundError::NoPackage);
        }
        let clip = Arc::new(Clip {
            sound: vec![0; 4],
            words: WORDS.to_owned(),
        });
        world.weights = Arc::downgrade(&clip);
        world.unsealed += 1;
        let weights = Weights {
            descriptor: Arc::new(File::open("/dev/null").unwrap().into()),
            clip,
            package: HashAlgorithm::Sha256.digest(b"packages"),
        };
        Ok((weights, Measurement::new(world.boot)))
    }

    fn state_keys(&mut self) -> Result<Vec<Secret>, GroundError> {
        self.reach()?;
        Ok(vec![Secret::new([9; 32])])
    }

    fn measure(&mut self) -> Result<Measurement, GroundError> {
        self.reach()?;
        Ok(Measurement::new(self.0.lock().unwrap().boot))
    }

    fn record_start(&mut self, _: Digest, sandbox: SandboxLevel) -> Result<(), GroundError> {
        self.reach()?;
        self.0.lock().unwrap().starts.push(sandbox);
        Ok(())
    }

    fn verdict(&mut self, _: bool) -> Result<Verdict, GroundError> {
        self.reach()?;
        Ok(self.0.lock().unwrap().verdict.clone())
    }
}

struct FakeCrew(Shared);

impl Crew for FakeCrew {
    async fn start(&self, _: &Weights) -> Result<SandboxLevel, CrewError> {
        let mut world = self.0.lock().unwrap();
        world.working = true;
        match world.workers_start {
            true => Ok(SandboxLevel::Full),
            false => Err(CrewError::Ended),
        }
    }

    async fn hear(&self, _: Trial, _: Arc<Clip>) -> Result<String, CrewError> {
        let mut world = self.0.lock().unwrap();
        world.heard_times += 1;
        world.heard.map(str::to_owned).ok_or(CrewError::Ended)
    }

    async fn end(&self) -> usize {
        let mut world = self.0.lock().unwrap();
        usize::from(std::mem::take(&mut world.working))
    }
}

/// A guardian at work in a world.
struct Scene {
    world: Shared,
    clock: Clock,
    gatehouse: Arc<Gatehouse>,
    telemetry: Telemetry,
    policy: Arc<Policy>,
    /// Of what the daemon keeps.
    _folder: TempDir,
    stop: watch::Sender<bool>,
    guardian: JoinHandle<()>,
}

impl Scene {
    fn begin(mode: Mode, set: impl FnOnce(&mut World)) -> Scene {
        Scene::begin_with(mode, false, set)
    }

    /// With a state that is damaged, or without.
    fn begin_with(mode: Mode, damaged: bool, set: impl FnOnce(&mut World)) -> Scene {
        let mut world = World {
            boot: [1; 32],
            approved: [1; 32],
            tpm: Tpm::Well,
            verdict: Verdict::Nothing,
            starts: Vec::new(),
            workers_start: true,
            heard: Some("fail again, fail better"),
            heard_times: 0,
            unsealed: 0,
            working: false,
            weights: Weak::new(),
        };
        set(&mut world);
        let world = Arc::new(Mutex::new(world));
        let clock = Clock::simulated(Duration::from_secs(100));
        let telemetry = Telemetry::new(clock.clone());
        let gatehouse = Arc::new(Gatehouse::new(mode, Schedule::default(), clock.clone()));
        let policy = Arc::new(Policy::new(AllowList::default()));
        let folder = tempfile::tempdir().unwrap();
        if damaged {
            std::fs::write(folder.path().join("book.vault"), b"scribble").unwrap();
        }
        let kept = Kept::new(
            folder.path(),
            Arc::clone(&policy),
            Watch::new(earnest_anomaly::Options::default()),
            clock.clone(),
        )
        .unwrap();
        let guardian = Guardian::new(
            GuardianSettings {
                check: CHECK,
                fleet: mode != Mode::Local,
            },
            Keeper::new(FakeGround(Arc::clone(&world))),
            Arc::new(FakeCrew(Arc::clone(&world))),
            Arc::clone(&gatehouse),
            Arc::clone(&policy),
            Arc::new(kept),
            telemetry.clone(),
        );
        let (stop, stopping) = watch::channel(false);
        Scene {
            world,
            clock,
            gatehouse,
            telemetry,
            policy,
            _folder: folder,
            stop,
            guardian: tokio::spawn(guardian.run(stopping)),
        }
    }

    /// Both clocks move on, in steps shorter than anything that the guardian waits for.
    async fn pass(&self, time: Duration) {
        let until = self.clock.now() + time;
        while self.clock.now() < until {
            self.clock.advance(STEP);
            sleep(STEP).await;
        }
    }

    fn set(&self, set: impl FnOnce(&mut World)) {
        set(&mut self.world.lock().unwrap());
    }

    fn see<T>(&self, see: impl FnOnce(&World) -> T) -> T {
        see(&self.world.lock().unwrap())
    }

    fn stands(&self) -> (GateState, GateReason) {
        let status = self.gatehouse.status();
        (status.state, status.reason)
    }

    /// Nobody is served, nobody works, and nothing is held.
    fn assert_shut(&self, reason: GateReason) {
        assert_eq!(self.stands(), (GateState::Closed, reason));
        assert!(self.gatehouse.open().is_none());
        self.see(|world| {
            assert!(!world.working, "workers are there");
            assert_eq!(world.weights.strong_count(), 0, "weights are there");
        });
    }

    async fn opened(set: impl FnOnce(&mut World)) -> Scene {
        let scene = Scene::begin(Mode::Local, set);
        scene.pass(Duration::from_secs(1)).await;
        assert!(scene.gatehouse.open().is_some(), "{:?}", scene.stands());
        scene
    }
}

const TWO_SECONDS: Duration = Duration::from_secs(2);
const HALF_MINUTE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_device_that_is_well_opens_and_measures_its_start_once() {
    let scene = Scene::opened(|_| {}).await;
    assert_eq!(
        scene.stands(),
        (GateState::Attested, GateReason::ProvenLocally)
    );
    scene.pass(HALF_MINUTE).await;
    scene.see(|world| {
        assert_eq!(world.starts, [SandboxLevel::Full]);
        assert_eq!((world.unsealed, world.heard_times), (1, 1));
    });
}

#[tokio::test(start_paused = true)]
async fn a_changed_boot_closes_within_two_seconds_and_for_as_long_as_it_is_changed() {
    let scene = Scene::opened(|_| {}).await;
    let open = scene.gatehouse.open().unwrap();
    scene.set(|world| world.boot = [2; 32]);
    scene.pass(TWO_SECONDS).await;
    assert!(!open.is_live());
    scene.assert_shut(GateReason::MeasurementChanged);
    scene.pass(HALF_MINUTE).await;
    scene.assert_shut(GateReason::MeasurementChanged);
    assert_eq!(scene.telemetry.counters().gate_closed, 1);
    // The fleet approves of what it is now.
    scene.set(|world| world.approved = [2; 32]);
    scene.pass(HALF_MINUTE).await;
    assert!(scene.gatehouse.open().is_some());
    assert!(!open.is_live());
}

#[tokio::test(start_paused = true)]
async fn a_lost_tpm_closes_and_one_that_returns_opens_again() {
    let scene = Scene::opened(|_| {}).await;
    scene.set(|world| world.tpm = Tpm::Gone);
    scene.pass(TWO_SECONDS).await;
    scene.assert_shut(GateReason::TpmLost);
    scene.set(|world| world.tpm = Tpm::Well);
    scene.pass(HALF_MINUTE).await;
    assert!(scene.gatehouse.open().is_some());
    // The same packages under the same sandbox are no other start.
    scene.see(|world| assert_eq!((world.unsealed, world.starts.len()), (2, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_tpm_that_is_busy_for_a_moment_changes_nothing_and_for_longer_it_is_lost() {
    let scene = Scene::opened(|_| {}).await;
    scene.set(|world| world.tpm = Tpm::Busy(MOST_LOOKS - 1));
    scene.pass(TWO_SECONDS).await;
    assert_eq!(scene.telemetry.counters().gate_closed, 0);
    scene.set(|world| world.tpm = Tpm::Busy(usize::MAX));
    scene.pass(TWO_SECONDS).await;
    scene.assert_shut(GateReason::TpmLost);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_answers_otherwise_is_not_served_with() {
    let scene = Scene::begin(Mode::Local, |world| world.heard = Some("fail again"));
    scene.pass(HALF_MINUTE).await;
    assert!(scene.gatehouse.open().is_none());
    assert_eq!(scene.telemetry.counters().gate_opened, 0);
    assert!(scene.telemetry.counters().self_tests_failed > 1);
    scene.set(|world| world.heard = Some("Fail again! Fail better!"));
    scene.pass(HALF_MINUTE).await;
    assert!(scene.gatehouse.open().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_model_is_tested_on_schedule_and_a_wrong_answer_closes() {
    let scene = Scene::opened(|_| {}).await;
    scene.pass(Schedule::default().answers_every).await;
    scene.see(|world| assert_eq!((world.unsealed, world.heard_times), (1, 2)));
    scene.set(|world| world.heard = Some("you you you"));
    scene
        .pass(Schedule::default().answers_every - HALF_MINUTE)
        .await;
    assert!(scene.gatehouse.open().is_some());
    scene.pass(HALF_MINUTE * 2).await;
    assert!(scene.gatehouse.open().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_test_that_breaks_off_is_made_again_and_opens_nothing_meanwhile() {
    let scene = Scene::begin(Mode::Local, |world| world.heard = None);
    scene.pass(HALF_MINUTE).await;
    assert_eq!(scene.stands().0, GateState::Unsealed);
    scene.see(|world| {
        assert!(
            (3..20).contains(&world.heard_times),
            "{}",
            world.heard_times
        )
    });
    scene.set(|world| world.heard = Some(WORDS));
    scene.pass(HALF_MINUTE).await;
    assert!(scene.gatehouse.open().is_some());
    scene.see(|world| assert_eq!(world.unsealed, 1));
}

#[tokio::test(start_paused = true)]
async fn without_workers_nothing_is_held() {
    let scene = Scene::begin(Mode::Local, |world| world.workers_start = false);
    scene.pass(HALF_MINUTE).await;
    assert_eq!(scene.stands(), (GateState::Sealed, GateReason::Started));
    scene.see(|world| {
        assert!(world.unsealed > 1 && world.starts.is_empty());
        assert!(!world.working);
        assert_eq!(world.weights.strong_count(), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_leaves_nothing_behind() {
    let scene = Scene::opened(|_| {}).await;
    scene.stop.send_replace(true);
    scene.pass(STEP * 5).await;
    assert!(scene.guardian.is_finished());
    scene.assert_shut(GateReason::Stopping);
}

fn live(seconds: u64) -> Verdict {
    Verdict::Live(FleetResult {
        remaining: Duration::from_secs(seconds),
        standing: Standing::Affirming,
    })
}

const FLEET: Mode = Mode::Fleet {
    grace: Duration::from_secs(10),
};

#[tokio::test(start_paused = true)]
async fn in_a_fleet_the_model_waits_for_a_result_and_is_measured_before() {
    let scene = Scene::begin(FLEET, |_| {});
    scene.pass(HALF_MINUTE).await;
    assert_eq!(scene.stands().0, GateState::Unsealed);
    assert!(scene.gatehouse.open().is_none());
    scene.see(|world| assert_eq!(world.starts.len(), 1));
    scene.set(|world| world.verdict = live(60));
    scene.pass(TWO_SECONDS).await;
    assert!(scene.gatehouse.open().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_result_that_expires_has_its_grace_and_nothing_is_unsealed_before_another() {
    let scene = Scene::begin(FLEET, |world| world.verdict = live(60));
    scene.pass(TWO_SECONDS).await;
    assert!(scene.gatehouse.open().is_some());
    scene.set(|world| world.verdict = Verdict::Nothing);
    scene.pass(Duration::from_secs(61)).await;
    assert_eq!(
        scene.stands(),
        (GateState::Grace, GateReason::ResultExpired)
    );
    scene.pass(Duration::from_secs(11)).await;
    scene.assert_shut(GateReason::GraceOver);
    scene.pass(HALF_MINUTE).await;
    scene.see(|world| assert_eq!(world.unsealed, 1));
    scene.set(|world| world.verdict = live(60));
    scene.pass(HALF_MINUTE).await;
    assert!(scene.gatehouse.open().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_result_that_does_not_hold_closes_at_once() {
    let scene = Scene::begin(FLEET, |world| world.verdict = live(600));
    scene.pass(TWO_SECONDS).await;
    assert!(scene.gatehouse.open().is_some());
    scene.set(|world| world.verdict = Verdict::Refused("contraindicated".to_owned()));
    scene.pass(TWO_SECONDS).await;
    scene.assert_shut(GateReason::ResultRefused);
    scene.pass(HALF_MINUTE).await;
    scene.see(|world| assert_eq!(world.unsealed, 1));
}

#[tokio::test(start_paused = true)]
async fn who_may_do_what_is_known_while_the_gate_is_open_and_forgotten_when_it_closes() {
    let scene = Scene::opened(|_| {}).await;
    assert!(scene.policy.book_loaded());
    scene.set(|world| world.boot = [2; 32]);
    scene.pass(TWO_SECONDS).await;
    scene.assert_shut(GateReason::MeasurementChanged);
    assert!(!scene.policy.book_loaded());
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_state_is_damaged_serves_nobody_and_says_why() {
    let scene = Scene::begin_with(Mode::Local, true, |_| {});
    scene.pass(TWO_SECONDS).await;
    assert!(scene.gatehouse.open().is_none());
    assert!(!scene.see(|world| world.working), "workers are there");
    let trouble = scene.gatehouse.trouble().unwrap();
    assert!(trouble.contains("what the daemon kept"), "{trouble}");
}
