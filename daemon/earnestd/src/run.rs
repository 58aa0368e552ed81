//! The daemon at work: everything is built, served until somebody says stop, and taken down.

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use earnest_anomaly::Watch;
use earnest_endpoint::{Limits, Parts, ServedModel, collect, serve};
use earnest_gate::{Mode, Schedule};
use earnest_guardian::Guardian as Guard;
use earnest_listen::{BindError, Listeners, Plan, TlsIdentity, UnixPlan, WyomingPlan};
use earnest_live::Live;
use earnest_policy::{AllowList, Policy};
use earnest_telemetry::{Clock, Event, Telemetry, WallClock};
use earnest_traces::Traces;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::certificates::Certificates;
use crate::configuration::{self, Configuration, Size};
use crate::crew::Workers;
use crate::device::DeviceGround;
use crate::duties::Duties;
use crate::front::Front;
use crate::gatehouse::Gatehouse;
use crate::ground::Keeper;
use crate::guard;
use crate::guardian::{Guardian, GuardianSettings};
use crate::kept::Kept;
use crate::microphone;
use crate::notify;
use crate::records::Records;
use crate::rotation::{Renewal, Rotation};

/// How long the service manager is told nothing while the first attempt to open the gate takes:
/// beyond it the daemon is there, if closed, which is what there is to know.
const FIRST_ATTEMPT: Duration = Duration::from_secs(20);

/// How long closing the gate may take at the end: workers are killed, not asked.
const CLOSING: Duration = Duration::from_secs(10);

/// How long the TPM may take at the end to answer what it was asked last: as long as its own
/// commands may take on a slow one, and within what a service manager grants.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// How often places that are taken are tried: for half a second, within which the kernel takes
/// the largest of processes apart.
const MOST_BINDS: usize = 25;

/// The pause between two tries.
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// Certificates that are asked for at once: operators are few.
const RENEWALS: usize = 4;

/// The audit log's folder in that of the daemon's state.
const AUDIT_FOLDER: &str = "audit";

/// Who made the speech models.
const MAKER: &str = "useful-sensors";

/// Where the daemon listens: sockets of the service manager, or its own.
///
/// # Errors
///
/// When a socket is none to listen on, or cannot be bound.
pub fn listeners(configuration: &Configuration) -> Result<Listeners> {
    if let Some(inherited) = Listeners::inherited()? {
        for place in inherited.places() {
            tracing::info!(%place, "the service manager listens here, whatever `listen` says");
        }
        return Ok(inherited);
    }
    let settings = &configuration.listen;
    let group = settings.group.map(|group| group.as_raw());
    let unix = settings.unix.clone();
    let wyoming = settings.wyoming.iter().cloned();
    bind(&Plan {
        tls: settings.tls.clone(),
        clear: settings.clear_text.clone(),
        unix: unix.map(|path| UnixPlan { path, group }),
        wyoming: wyoming.map(|place| WyomingPlan { place, group }).collect(),
    })
}

/// Binds, and waits a little for places that are taken: a daemon that was killed a moment ago
/// holds its sockets until the kernel has taken it apart.
fn bind(plan: &Plan) -> Result<Listeners> {
    let taken = |error: &BindError| match error {
        BindError::Tcp { error, .. } => error.kind() == ErrorKind::AddrInUse,
        BindError::Answered { .. } => true,
        _ => false,
    };
    for _ in 1..MOST_BINDS {
        match Listeners::bind(plan) {
            Err(error) if taken(&error) => std::thread::sleep(BIND_PAUSE),
            bound => return Ok(bound?),
        }
    }
    Ok(Listeners::bind(plan)?)
}

/// Serves until told to stop.
///
/// # Errors
///
/// When a listener fails, or the system refuses what everything rests on.
pub async fn run(
    configuration: Configuration,
    ground: DeviceGround,
    listeners: Listeners,
) -> Result<()> {
    let told_to_end = endings()?;
    let house = House::build(&configuration, ground).await?;
    let identity = TlsIdentity::without_leaf()?;
    let most = NonZeroUsize::new(configuration.listen.connections);
    let most = most.context("`listen.connections` is checked to be more than none")?;
    let listeners = listeners.open(&identity, most)?;
    for listener in &listeners {
        tracing::info!(place = %listener.place(), "listening");
    }

    let folder = configuration.listen.unix.as_ref();
    let certificates = Certificates::new(
        house.keeper.clone(),
        identity,
        house.telemetry.clone(),
        folder.and_then(|path| path.path().parent()),
    );
    let (renewals, asked_for) = mpsc::channel(RENEWALS);
    let rotation = Arc::new(house.rotation(&configuration, renewals));
    let (stop, stopping) = watch::channel(false);
    let guardian = house.guardian(&configuration);
    let attempted = guardian.attempted();
    let guarding = tokio::spawn(guardian.run(stopping.clone()));
    let mut beside = JoinSet::new();
    if let Some(guard) = &house.guard {
        let keeper = house.keeper.clone();
        beside.spawn(guard::introduce(guard.clone(), keeper, attempted.clone()));
    }
    beside.spawn(announce(
        certificates,
        asked_for,
        attempted,
        Arc::clone(&house.gatehouse),
        house.telemetry.clone(),
    ));
    beside.spawn(house.duties(&configuration, &rotation).run());
    if let Some(collector) = configuration.collector {
        let mut stopping = stopping;
        let stopped = async move {
            // Who could tell and is gone has told.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        beside.spawn(collect(house.traces.clone(), collector, stopped));
    }

    let telemetry = house.telemetry.clone();
    let parts = house.parts(&configuration, &rotation);
    let served = serve(parts, listeners, async move {
        told_to_end.await;
        telemetry.record(Event::Stopping);
        notify::stopping();
    })
    .await;

    // Nobody is served any more: now the gate closes, and everything is forgotten.
    stop.send_replace(true);
    closed(guarding).await;
    beside.shutdown().await;
    // What is still to be written down is written before this process ends.
    let log = house.records.log;
    spawn_blocking(move || log.close()).await?;
    house.keeper.finish(LAST_ANSWER).await;
    let drained = served?;
    tracing::info!(cut = drained.cut, "ended");
    Ok(())
}

/// Says that the daemon is ready once it shows a certificate and has tried to open the gate,
/// and then keeps the certificate alive.
async fn announce(
    mut certificates: Certificates,
    asked_for: mpsc::Receiver<Renewal>,
    mut attempted: watch::Receiver<bool>,
    gatehouse: Arc<Gatehouse>,
    telemetry: Telemetry,
) {
    // Side by side: while the weights are prepared, the TPM is free to sign.
    let mut pause = Duration::ZERO;
    let renewed = async { pause = certificates.renew().await };
    let opened = async { drop(attempted.wait_for(|attempted| *attempted).await) };
    let both = async { tokio::join!(renewed, opened) };
    // That the gate could not be tried yet is shown by how it stands.
    let _ = timeout(FIRST_ATTEMPT, both).await;
    telemetry.record(Event::Started);
    notify::ready(&gatehouse.status().to_string());
    sleep(pause).await;
    certificates.run(asked_for).await;
}

/// Everything that lives as long as the daemon.
struct House {
    telemetry: Telemetry,
    records: Records,
    traces: Traces,
    policy: Arc<Policy>,
    watch: Watch,
    kept: Arc<Kept>,
    gatehouse: Arc<Gatehouse>,
    workers: Arc<Workers>,
    live: Live,
    guard: Option<Guard>,
    keeper: Keeper<DeviceGround>,
}

impl House {
    async fn build(configuration: &Configuration, ground: DeviceGround) -> Result<House> {
        let clock = Clock::boot_time();
        let telemetry = Telemetry::new(clock.clone());
        let keeper = Keeper::new(ground);
        let folder = configuration.state.join(AUDIT_FOLDER);
        let records = Records::open(folder, &configuration.audit, &keeper, &telemetry).await?;
        let schedule = Schedule {
            answers_every: configuration.gate.self_test,
            ..Schedule::default()
        };
        let mode = match &configuration.gate.mode {
            configuration::Mode::Local => Mode::Local,
            configuration::Mode::Fleet { grace, .. } => Mode::Fleet { grace: *grace },
        };
        let allowed = AllowList {
            apps: configuration.allow.apps.clone(),
            operators: configuration.allow.operators.clone(),
            auditors: configuration.allow.auditors.clone(),
        };
        let policy = Policy::new(allowed)
            .with_lifetime(configuration.apps.token)?
            .with_limits(configuration.apps.limits);
        let policy = Arc::new(policy);
        let watch = Watch::new(earnest_anomaly::Options {
            thresholds: configuration.anomalies,
            ..earnest_anomaly::Options::default()
        });
        let kept = Kept::new(
            &configuration.state,
            Arc::clone(&policy),
            watch.clone(),
            clock.clone(),
        )?;
        // A worker is this very program, also when another has taken its name meanwhile.
        let program = Path::new("/proc/self/exe").to_owned();
        let guard = configuration.guard.as_ref();
        let guard = guard.map(|settings| guard::look_for(settings, telemetry.clone()));
        Ok(House {
            live: microphone::live(configuration, &program, telemetry.clone(), guard.clone()),
            guard,
            gatehouse: Arc::new(Gatehouse::new(mode, schedule, clock.clone())),
            workers: Arc::new(Workers::new(
                configuration.workers.clone(),
                configuration.limits.quiet,
                program,
                telemetry.clone(),
            )),
            traces: match &configuration.collector {
                Some(_) => Traces::new(clock, WallClock::system()),
                None => Traces::off(),
            },
            policy,
            watch,
            kept: Arc::new(kept),
            records,
            keeper,
            telemetry,
        })
    }

    fn rotation(&self, configuration: &Configuration, renewals: mpsc::Sender<Renewal>) -> Rotation {
        Rotation {
            settings: configuration.keys.clone(),
            keep: configuration.audit.keep,
            policy: Arc::clone(&self.policy),
            kept: Arc::clone(&self.kept),
            keeper: self.keeper.clone(),
            log: self.records.log.clone(),
            renewals,
            telemetry: self.telemetry.clone(),
            turn: Mutex::default(),
        }
    }

    fn duties(&self, configuration: &Configuration, rotation: &Arc<Rotation>) -> Duties {
        Duties {
            anchor: configuration.audit.anchor,
            tokens: configuration.keys.tokens,
            kept: Arc::clone(&self.kept),
            policy: Arc::clone(&self.policy),
            watch: self.watch.clone(),
            rotation: Arc::clone(rotation),
            log: self.records.log.clone(),
            gatehouse: Arc::clone(&self.gatehouse),
            keeper: self.keeper.clone(),
            clock: self.telemetry.clock().clone(),
        }
    }

    fn guardian(&self, configuration: &Configuration) -> Guardian<DeviceGround, Workers> {
        let settings = GuardianSettings {
            check: configuration.gate.check,
            fleet: configuration.gate.mode != configuration::Mode::Local,
        };
        Guardian::new(
            settings,
            self.keeper.clone(),
            Arc::clone(&self.workers),
            Arc::clone(&self.gatehouse),
            Arc::clone(&self.policy),
            Arc::clone(&self.kept),
            self.telemetry.clone(),
        )
    }

    /// The guard, where nothing is served without it.
    fn needed_guard(&self, configuration: &Configuration) -> Option<Guard> {
        let settings = configuration.guard.as_ref()?;
        self.guard.clone().filter(|_| !settings.uploads)
    }

    fn parts(&self, configuration: &Configuration, rotation: &Arc<Rotation>) -> Parts {
        Parts {
            policy: Arc::clone(&self.policy),
            telemetry: self.telemetry.clone(),
            wall: WallClock::system(),
            audit: self.records.log.clone(),
            audit_folder: self.records.folder.clone(),
            watch: self.watch.clone(),
            traces: self.traces.clone(),
            answers: configuration.answers,
            house: Arc::new(Front {
                gatehouse: Arc::clone(&self.gatehouse),
                workers: Arc::clone(&self.workers),
                kept: Arc::clone(&self.kept),
                keeper: self.keeper.clone(),
                rotation: Arc::clone(rotation),
                audit: self.records.folder.clone(),
                guard: self.needed_guard(configuration),
                software_tpm: self.records.software_tpm,
            }),
            live: Some(self.live.clone()),
            model: served(configuration.model.size),
            limits: limits(configuration),
            origins: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

fn served(size: Size) -> ServedModel {
    ServedModel {
        id: size.id().to_owned(),
        owner: MAKER.to_owned(),
        // Both were published on 2024-10-21.
        created: 1_729_468_800,
    }
}

/// The bounds that are configured, room for as many uploads as there are workers, and for each
/// user not quite a third of a listener's connections: three who hold all that they may shut
/// nobody out.
fn limits(configuration: &Configuration) -> Limits {
    let told = &configuration.limits;
    let workers = configuration.workers.most as u64;
    Limits {
        file_bytes: told.upload,
        held_bytes: told.upload.saturating_mul(workers),
        connections_of_one: (configuration.listen.connections * 5 / 16).max(1),
        body_idle: told.quiet,
        request_time: told.request,
        drain_time: told.drain,
        ..Limits::default()
    }
}

/// Ready once the daemon is told to end. A hang-up changes nothing: the configuration is read
/// once, because it was measured once.
fn endings() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hang_up.recv() => tracing::info!(
                    "SIGHUP changes nothing: the configuration is measured and read at the start \
                     alone"
                ),
            }
        }
    })
}

async fn closed(guarding: JoinHandle<()>) {
    match timeout(CLOSING, guarding).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the guardian broke off"),
        // The workers die with this process in any case.
        Err(_) => tracing::warn!("the workers did not end within {CLOSING:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Accounts;

    #[test]
    fn the_default_limits_are_the_endpoints_own() {
        let configuration = Configuration::parse("", &Accounts::of_this_machine()).unwrap();
        let found = limits(&configuration);
        assert_eq!(found, Limits::default());
    }
}
