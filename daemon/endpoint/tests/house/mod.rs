//! A daemon without a TPM and without a model: a real gate on inputs that it is given, a real
//! pool of workers that follow a script, real sockets.

pub(crate) mod microphone;
pub(crate) mod worker;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use earnest_anomaly::{Thresholds, Watch};
use earnest_audit::{Log, SecretKey};
use earnest_endpoint::client::Client;
use earnest_endpoint::{
    AnchorError, AnchoredHead, AuditKeys, AuditKeysError, Certified, CertifyError, Doing, Drained,
    House, Limits, Parts, RotateError, SaveError, ServeError, ServedModel, Serving, serve,
};
use earnest_evidence::measured::SandboxLevel;
use earnest_gate::{
    Answer, Gate, KnownAnswers, Measurement, Mode, Schedule, Status, UnsealedModel,
};
use earnest_listen::{
    IdentityError, Listeners, LoopbackAddress, Place, Plan, TlsIdentity, UnixPath, UnixPlan,
    WyomingPlan,
};
use earnest_live::{Live, LiveSettings};
use earnest_policy::{AllowList, AnswerRules, AppId, AppLimits, Book, Policy};
use earnest_pool::{Pool, PoolOptions};
use earnest_telemetry::{Clock, KeyKind, Telemetry, WallClock};
use earnest_traces::Traces;
use microphone::Script;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How a daemon for a test differs from the usual one.
pub(crate) struct Setting {
    /// The program that is a worker, and its arguments.
    pub(crate) program: (PathBuf, Vec<OsString>),
    /// Users that may transcribe.
    pub(crate) apps: Vec<u32>,
    /// Users that may operate.
    pub(crate) operators: Vec<u32>,
    /// Users that may read the audit log.
    pub(crate) auditors: Vec<u32>,
    /// Limits of what nobody registered.
    pub(crate) app_limits: AppLimits,
    /// What is done to every answer.
    pub(crate) answers: AnswerRules,
    /// From which score unusual use is answered.
    pub(crate) thresholds: Thresholds,
    /// Bounds on requests.
    pub(crate) limits: Limits,
    /// Jobs at once.
    pub(crate) most: usize,
    /// How long a worker may show no progress.
    pub(crate) stall: Duration,
    /// Origins of pages that may call.
    pub(crate) origins: Vec<String>,
    /// The port of clear text; any where it is 0.
    pub(crate) port: u16,
    /// Who is registered.
    pub(crate) book: Book,
    /// The bounds of the audit log.
    pub(crate) audit: earnest_audit::Options,
    /// Whether there is a listener with TLS, of a certificate that nobody vouches for.
    pub(crate) tls: bool,
    /// The microphone, and how it is listened to.
    pub(crate) microphone: Option<(Script, LiveSettings)>,
}

impl Setting {
    /// This user may do everything, and `program` is a worker.
    pub(crate) fn new(program: (PathBuf, Vec<OsString>)) -> Setting {
        let uid = nix::unistd::geteuid().as_raw();
        Setting {
            program,
            apps: vec![uid],
            operators: vec![uid],
            auditors: vec![uid],
            app_limits: generous(),
            answers: AnswerRules::default(),
            // Tests are unusual.
            thresholds: Thresholds::new(150.0, 180.0, 200.0).expect("they rise"),
            limits: Limits::default(),
            most: 4,
            stall: Duration::from_secs(60),
            origins: Vec::new(),
            port: 0,
            book: Book::default(),
            audit: earnest_audit::Options::default(),
            tls: false,
            microphone: None,
        }
    }
}

/// More than any test asks for.
fn generous() -> AppLimits {
    AppLimits::default()
        .with_per_minute(6_000)
        .and_then(|limits| limits.with_burst(1_000))
        .and_then(|limits| limits.with_at_once(16))
        .expect("they are within their ranges")
}

/// The secret half of the audit log's key.
fn audit_secret() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

/// A daemon that runs.
pub(crate) struct Daemon {
    /// What its endpoint sees of it.
    pub(crate) house: Arc<TestHouse>,
    /// What it recorded.
    pub(crate) telemetry: Telemetry,
    /// Its microphone, where it has one.
    pub(crate) live: Option<Live>,
    /// The clear-text listener.
    pub(crate) address: SocketAddr,
    /// The listener of Wyoming on loopback.
    pub(crate) wyoming: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<Result<Drained, ServeError>>>,
    folder: tempfile::TempDir,
}

/// The daemon as the endpoint sees it.
pub(crate) struct TestHouse {
    gate: Mutex<Gate<Nothing>>,
    pool: Mutex<Option<Pool>>,
    clock: Clock,
    /// Who may do what.
    pub(crate) policy: Arc<Policy>,
    /// What it writes down.
    pub(crate) audit: Log,
    /// Where.
    pub(crate) audit_folder: PathBuf,
    /// The time that people read.
    pub(crate) wall: WallClock,
    /// How often the state can be saved yet; then the disk is full.
    pub(crate) saves: AtomicUsize,
    /// How often it was.
    pub(crate) saved: AtomicUsize,
    /// The head that the TPM holds the device to, where it is not the log's own.
    pub(crate) anchor: Mutex<Option<AnchoredHead>>,
}

/// A model that is not there.
pub(crate) struct Nothing;

impl UnsealedModel for Nothing {
    fn package(&self) -> [u8; 32] {
        [7; 32]
    }
}

const BOOT: Measurement = Measurement::new([1; 32]);

impl TestHouse {
    fn gate_now(&self) -> std::sync::MutexGuard<'_, Gate<Nothing>> {
        self.gate.lock().expect("no test panics with the gate")
    }

    /// Gives the gate all the proof that it wants.
    pub(crate) fn open(&self) {
        let now = self.clock.now();
        let mut gate = self.gate_now();
        let heard = Answer {
            expected: "Hello, world.",
            heard: "hello world",
        };
        let _ = gate.unsealed(now, Nothing, BOOT);
        let _ = gate.answered(now, KnownAnswers::check(&[heard]));
    }

    /// The boot's measurement is another one.
    pub(crate) async fn tamper(&self) {
        let now = self.clock.now();
        let _ = self.gate_now().measured(now, Measurement::new([2; 32]));
        let pool = self.pool.lock().expect("no test panics with it").take();
        if let Some(pool) = pool {
            pool.end_all().await;
        }
    }

    /// The pool.
    pub(crate) fn pool(&self) -> Option<Pool> {
        self.pool.lock().expect("no test panics with it").clone()
    }
}

impl House for TestHouse {
    fn serving(&self) -> Option<Serving> {
        let open = self.gate_now().open(self.clock.now())?;
        let pool = self.pool()?;
        Some(Serving { open, pool })
    }

    fn gate(&self) -> Status {
        self.gate_now().status(self.clock.now())
    }

    fn sandbox(&self) -> Option<String> {
        let reached = self.pool()?.sandbox()?;
        Some(reached.level.to_string())
    }

    fn save_state(&self) -> Doing<'_, Result<(), SaveError>> {
        Box::pin(async {
            let snapshot = self.policy.snapshot().ok_or(SaveError::Sealed)?;
            let less = |left: usize| left.checked_sub(1);
            let left = self
                .saves
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            left.map_err(|_| SaveError::Write("the disk is full".into()))?;
            self.saved.fetch_add(1, Ordering::SeqCst);
            self.policy.saved(snapshot.revision);
            Ok(())
        })
    }

    fn certify(&self, request: String, app: AppId) -> Doing<'_, Result<Certified, CertifyError>> {
        let certified = match request.starts_with("-----BEGIN CERTIFICATE REQUEST-----") {
            true => Ok(Certified {
                certificate: format!("the certificate of {app}"),
                authority: "the authority".to_owned(),
                fingerprint: [0xab; 32],
                not_after: self.wall.now().as_secs() + 90 * 24 * 60 * 60,
            }),
            false => Err(CertifyError::Request("no request".into())),
        };
        Box::pin(std::future::ready(certified))
    }

    fn audit_keys(&self) -> Doing<'_, Result<AuditKeys, AuditKeysError>> {
        let keys = AuditKeys {
            folder: self.audit_folder.clone(),
            keys: vec![audit_secret().to_bytes()],
            pseudonyms: [9; 32].into(),
        };
        Box::pin(std::future::ready(Ok(keys)))
    }

    fn rotate(&self, which: Vec<KeyKind>, _: bool) -> Doing<'_, Result<Vec<KeyKind>, RotateError>> {
        Box::pin(std::future::ready(Ok(which)))
    }

    fn anchored(&self) -> Doing<'_, Result<Option<AnchoredHead>, AnchorError>> {
        let head = self.audit.head();
        let own = AnchoredHead {
            sequence: head.sequence,
            digest: head.digest.0,
        };
        let anchor = *self.anchor.lock().expect("no test panics with it");
        Box::pin(std::future::ready(Ok(Some(anchor.unwrap_or(own)))))
    }
}

/// What a listener with TLS shows in a test.
fn self_signed() -> Result<Arc<TlsIdentity>, IdentityError> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let own = rcgen::generate_simple_self_signed(names).expect("two names");
    let chain = [own.cert.der().to_vec()];
    TlsIdentity::new(&chain, &own.signing_key.serialize_der())
}

/// A place of Wyoming: a Unix socket in this folder, or an address.
fn wyoming(place: &str, folder: &tempfile::TempDir) -> WyomingPlan {
    let place = match place {
        "unix:" => format!("unix:{}", folder.path().join("wyoming.sock").display()),
        address => address.to_owned(),
    };
    let place = place.parse().expect("a place");
    WyomingPlan { place, group: None }
}

impl Daemon {
    /// Starts one whose gate is open.
    pub(crate) async fn start(setting: Setting) -> Daemon {
        let clock = Clock::boot_time();
        let telemetry = Telemetry::new(clock.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let audit_folder = folder.path().join("audit");
        let wall = WallClock::simulated(Duration::from_secs(1_800_000_000));
        let opened = Log::open(
            &audit_folder,
            setting.audit,
            audit_secret().public(),
            &telemetry,
            wall.clone(),
        );
        let (audit, _) = opened.expect("a log");
        let observed = audit.clone();
        telemetry.attach(move |recorded| observed.observe(recorded));
        let policy = Policy::new(AllowList {
            apps: setting.apps,
            operators: setting.operators,
            auditors: setting.auditors,
        });
        let policy = Arc::new(policy.with_limits(setting.app_limits));
        policy.load(setting.book);
        let watch = Watch::new(earnest_anomaly::Options {
            thresholds: setting.thresholds,
            ..earnest_anomaly::Options::default()
        });
        let weights = std::fs::File::open("/dev/null").expect("it is always there");
        let (program, arguments) = setting.program;
        let mut options = PoolOptions::new(program, arguments, Arc::new(weights.into()));
        options.least_sandbox = SandboxLevel::None;
        options.most = setting.most;
        options.most_of_one = setting.most;
        options.limits.stall = setting.stall;
        // Machines that build and test at once are slow to start anything.
        options.start = Duration::from_secs(60);
        let pool = Pool::start(options, telemetry.clone()).expect("a pool");
        let schedule = Schedule {
            measured_within: Duration::from_secs(3600 * 24),
            ..Schedule::default()
        };
        let house = Arc::new(TestHouse {
            gate: Mutex::new(Gate::new(Mode::Local, schedule, clock.now())),
            pool: Mutex::new(Some(pool)),
            clock: clock.clone(),
            policy: Arc::clone(&policy),
            audit: audit.clone(),
            audit_folder: audit_folder.clone(),
            wall: wall.clone(),
            saves: AtomicUsize::new(usize::MAX),
            saved: AtomicUsize::new(0),
            anchor: Mutex::default(),
        });
        house.open();
        let live = setting.microphone.map(|(script, settings)| {
            Live::new(settings, move || script.source(), telemetry.clone())
        });
        let parts = Parts {
            policy,
            wall,
            audit,
            audit_folder,
            watch,
            traces: Traces::off(),
            answers: setting.answers,
            telemetry: telemetry.clone(),
            house: Arc::clone(&house) as Arc<dyn House>,
            live: live.clone(),
            model: ServedModel {
                id: "moonshine-tiny-en".to_owned(),
                owner: "useful-sensors".to_owned(),
                created: 1_729_468_800,
            },
            limits: setting.limits,
            origins: setting.origins,
            version: "0.1.0".to_owned(),
        };
        let plan = Plan {
            clear: vec![LoopbackAddress::v4(setting.port)],
            unix: Some(UnixPlan {
                path: UnixPath::new(folder.path().join("earnest.sock")).expect("a path"),
                group: None,
            }),
            wyoming: ["unix:", "127.0.0.1:0"]
                .map(|place| wyoming(place, &folder))
                .to_vec(),
            tls: match setting.tls {
                true => vec![LoopbackAddress::v4(0)],
                false => Vec::new(),
            },
        };
        let bound = Listeners::bind(&plan).expect("free places");
        let clear = bound
            .places()
            .filter(|place| matches!(place, Place::Clear(_)));
        let port = clear.filter_map(Place::port).next();
        let address = LoopbackAddress::v4(port.expect("a port of clear text")).socket();
        let wyoming = bound.places().filter(|place| place.is_wyoming());
        let wyoming = wyoming.filter_map(Place::port).next();
        let wyoming = LoopbackAddress::v4(wyoming.expect("a port of Wyoming")).socket();
        let identity = match setting.tls {
            true => self_signed(),
            false => TlsIdentity::without_leaf(),
        };
        let most = NonZeroUsize::new(64).expect("64 is more than none");
        let listeners = bound
            .open(&identity.expect("TLS 1.3 is there"), most)
            .expect("listeners");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(parts, listeners, async move {
            let _ = stopped.await;
        }));
        Daemon {
            house,
            telemetry,
            live,
            address,
            wyoming,
            stop: Some(stop),
            serving: Some(serving),
            folder,
        }
    }

    /// The Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("earnest.sock")
    }

    /// The Unix socket of Wyoming.
    pub(crate) fn wyoming_socket(&self) -> PathBuf {
        self.folder.path().join("wyoming.sock")
    }

    /// `earnest`'s own client.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.socket())
    }

    /// Tells the daemon to stop.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> Drained {
        let serving = self.serving.take().expect("it is asked once");
        let ended = serving.await.expect("serving does not panic");
        ended.expect("listeners do not fail")
    }

    /// What was recorded, one line an event.
    pub(crate) fn events(&self) -> Vec<String> {
        let recent = self.telemetry.recent();
        recent.iter().map(|one| one.event.to_string()).collect()
    }
}
