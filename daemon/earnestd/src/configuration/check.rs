//! From what the file says to what the daemon does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use earnest_evidence::Digest;
use earnest_listen::{LoopbackAddress, UnixPath, WyomingPlace};

use super::conduct;
use super::microphone;
use super::raw;
use super::{
    Accounts, AllowSettings, Configuration, ConfigurationError, Exposed, GateSettings,
    LimitSettings, ListenSettings, LogFormat, LogLevel, LogSettings, MODELS_FOLDER, Mode,
    ModelFiles, RunSettings, Size, WorkerSettings,
};

/// Addresses of one kind: loopback has two that anybody uses.
const MOST_ADDRESSES: usize = 8;

/// Users of one list. A device for more is no device.
const MOST_USERS: usize = 256;

/// Seconds of a day.
pub(super) const DAY: u64 = 24 * 3600;

pub(super) fn configuration(
    raw: raw::File,
    accounts: &Accounts,
    digest: Digest,
) -> Result<Configuration, ConfigurationError> {
    Ok(Configuration {
        device: path("device.folder", raw.device.folder)?,
        state: path("state.folder", raw.state.folder)?,
        model: model(raw.model)?,
        gate: gate(raw.gate)?,
        listen: listen(raw.listen, accounts)?,
        allow: AllowSettings {
            apps: users("allow.apps", raw.allow.apps, accounts)?,
            operators: users("allow.operators", raw.allow.operators, accounts)?,
            auditors: users("allow.auditors", raw.allow.auditors, accounts)?,
        },
        apps: conduct::apps(&raw.apps)?,
        answers: conduct::answers(&raw.answers)?,
        microphone: microphone::microphone(raw.microphone)?,
        guard: microphone::guard(&raw.guard)?,
        workers: workers(&raw.workers)?,
        limits: limits(&raw.limits)?,
        audit: conduct::audit(&raw.audit)?,
        anomalies: conduct::anomalies(&raw.anomalies)?,
        keys: conduct::keys(&raw.keys)?,
        collector: conduct::collector(raw.traces)?,
        run: run(raw.run)?,
        log: log(&raw.log)?,
        digest,
    })
}

fn model(raw: raw::Model) -> Result<ModelFiles, ConfigurationError> {
    let size = match raw.size.as_str() {
        "tiny" => Size::Tiny,
        "base" => Size::Base,
        _ => return Err(word("model.size", "\"tiny\" or \"base\"", &raw.size)),
    };
    let speech = match raw.speech {
        Some(told) => path("model.speech", told)?,
        None => Path::new(MODELS_FOLDER).join(format!("{}.earnest", size.card())),
    };
    Ok(ModelFiles {
        size,
        speech,
        voice: path("model.voice", raw.voice)?,
        release_key: path("model.release_key", raw.release_key)?,
    })
}

fn gate(raw: raw::Gate) -> Result<GateSettings, ConfigurationError> {
    let mode = match raw.mode.as_str() {
        "local" => {
            let idle = |key| ConfigurationError::Idle {
                key,
                because: "`gate.mode` is \"local\", which asks for no result of a fleet",
            };
            if raw.result_key.is_some() {
                return Err(idle("gate.result_key"));
            }
            if raw.grace_seconds.is_some() {
                return Err(idle("gate.grace_seconds"));
            }
            Mode::Local
        }
        "fleet" => {
            let key = raw.result_key.ok_or(ConfigurationError::Missing {
                key: "gate.result_key",
                because: "`gate.mode` is \"fleet\", whose results must be checked",
            })?;
            let grace = Range {
                key: "gate.grace_seconds",
                least: 0,
                most: 7 * DAY,
                reason: "a device that nobody has appraised for longer proves nothing",
            };
            Mode::Fleet {
                result_key: path("gate.result_key", key)?,
                grace: grace.seconds(raw.grace_seconds.unwrap_or(0))?,
            }
        }
        _ => return Err(word("gate.mode", "\"local\" or \"fleet\"", &raw.mode)),
    };
    let check = Range {
        key: "gate.check_milliseconds",
        least: 100,
        most: 1000,
        reason: "a changed PCR must close the gate within two seconds, and a TPM is slow",
    };
    let self_test = Range {
        key: "gate.self_test_seconds",
        least: 60,
        most: 7 * DAY,
        reason: "each test takes a worker for some seconds, and one that is never made shows nothing",
    };
    Ok(GateSettings {
        mode,
        check: Duration::from_millis(check.check(raw.check_milliseconds)?),
        self_test: self_test.seconds(raw.self_test_seconds)?,
    })
}

fn listen(raw: raw::Listen, accounts: &Accounts) -> Result<ListenSettings, ConfigurationError> {
    let connections = Range {
        key: "listen.connections",
        least: 1,
        most: 4096,
        reason: "each takes a descriptor and some memory",
    };
    let leaf = Range {
        key: "listen.leaf_hours",
        least: 1,
        most: 7 * 24,
        reason: "a key that is held in memory is to be short-lived",
    };
    let unix = match raw.unix.as_str() {
        "" => None,
        told => Some(
            UnixPath::new(told).map_err(|reason| ConfigurationError::Socket {
                key: "listen.unix",
                reason,
            })?,
        ),
    };
    let group = match raw.group {
        None => None,
        Some(name) => {
            let found = (accounts.group)(&name);
            Some(found.ok_or(ConfigurationError::Stranger {
                key: "listen.group",
                kind: "group",
                found: name,
            })?)
        }
    };
    let settings = ListenSettings {
        tls: addresses("listen.tls", &raw.tls)?,
        clear_text: addresses("listen.clear_text", &raw.clear_text)?,
        unix,
        wyoming: wyoming(&raw.wyoming)?,
        group,
        connections: connections.count(raw.connections)?,
        leaf: Duration::from_secs(leaf.check(raw.leaf_hours)? * 3600),
    };
    let nowhere = settings.tls.is_empty() && settings.clear_text.is_empty();
    match nowhere && settings.unix.is_none() {
        true => Err(ConfigurationError::Deaf),
        false => Ok(settings),
    }
}

/// The places of the Wyoming protocol.
fn wyoming(told: &[String]) -> Result<Vec<WyomingPlace>, ConfigurationError> {
    const KEY: &str = "listen.wyoming";
    entries(KEY, MOST_ADDRESSES, told)?;
    let place = |told: &String| {
        told.parse().map_err(|reason| ConfigurationError::Wyoming {
            key: KEY,
            found: told.clone(),
            reason,
        })
    };
    told.iter().map(place).collect()
}

fn workers(raw: &raw::Workers) -> Result<WorkerSettings, ConfigurationError> {
    let most = Range {
        key: "workers.most",
        least: 1,
        most: 64,
        reason: "each takes memory of its own and a share of the processor",
    };
    let most = most.check(raw.most)?;
    let warm = Range {
        key: "workers.warm",
        least: 1,
        most,
        reason: "one shows how far this kernel locks it in, and `workers.most` is as many as work",
    };
    let idle = Range {
        key: "workers.idle_seconds",
        least: 1,
        most: DAY,
        reason: "a worker that waits for ever keeps its memory for ever",
    };
    let threads = Range {
        key: "workers.threads",
        least: 1,
        most: 64,
        reason: "a worker computes on at least one, and more than cores only wait",
    };
    let memory = Range {
        key: "workers.memory_megabytes",
        least: 128,
        most: 64 << 10,
        reason: "decoding fifteen seconds of sound takes some, and a limit is to be one",
    };
    let queue = Range {
        key: "workers.queue",
        least: 0,
        most: 64,
        reason: "who waits holds a connection, and waits in vain where many do",
    };
    let patience = Range {
        key: "workers.queue_milliseconds",
        least: 10,
        most: 60_000,
        reason: "who has waited longer would rather have known at once",
    };
    Ok(WorkerSettings {
        queue: queue.count(raw.queue)?,
        patience: Duration::from_millis(patience.check(raw.queue_milliseconds)?),
        warm: warm.count(raw.warm)?,
        most: usize::try_from(most).unwrap_or(usize::MAX),
        idle: idle.seconds(raw.idle_seconds)?,
        threads: threads.count(raw.threads)?,
        memory: memory.check(raw.memory_megabytes)? << 20,
    })
}

fn limits(raw: &raw::Limits) -> Result<LimitSettings, ConfigurationError> {
    let upload = Range {
        key: "limits.upload_megabytes",
        least: 1,
        most: 1024,
        reason: "an upload may have to be held in memory until its form is read",
    };
    let request = Range {
        key: "limits.request_seconds",
        least: 1,
        most: DAY,
        reason: "a request that never ends keeps a worker",
    };
    let quiet = Range {
        key: "limits.quiet_seconds",
        least: 1,
        most: 3600,
        reason: "a client that says nothing keeps a connection and a worker",
    };
    let drain = Range {
        key: "limits.drain_seconds",
        least: 0,
        most: 300,
        reason: "who tells a daemon to end waits for it",
    };
    Ok(LimitSettings {
        upload: upload.check(raw.upload_megabytes)? << 20,
        request: request.seconds(raw.request_seconds)?,
        quiet: quiet.seconds(raw.quiet_seconds)?,
        drain: drain.seconds(raw.drain_seconds)?,
    })
}

fn run(raw: raw::Run) -> Result<RunSettings, ConfigurationError> {
    let exposed_memory = match raw.exposed_memory.as_str() {
        "refuse" => Exposed::Refuse,
        "warn" => Exposed::Warn,
        other => {
            return Err(word("run.exposed_memory", "\"refuse\" or \"warn\"", other));
        }
    };
    // Whether there is such a user matters to root alone, who becomes it.
    match raw.user.is_empty() {
        true => Err(word("run.user", "the name of a user", &raw.user)),
        false => Ok(RunSettings {
            user: raw.user,
            exposed_memory,
        }),
    }
}

fn log(raw: &raw::Log) -> Result<LogSettings, ConfigurationError> {
    let format = match raw.format.as_str() {
        "plain" => LogFormat::Plain,
        "json" => LogFormat::Json,
        other => return Err(word("log.format", "\"plain\" or \"json\"", other)),
    };
    let level = match raw.level.as_str() {
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        other => {
            return Err(word(
                "log.level",
                "\"error\", \"warn\", \"info\" or \"debug\"",
                other,
            ));
        }
    };
    Ok(LogSettings { format, level })
}

fn word(key: &'static str, expected: &'static str, found: &str) -> ConfigurationError {
    ConfigurationError::Word {
        key,
        expected,
        found: found.to_owned(),
    }
}

fn path(key: &'static str, told: String) -> Result<PathBuf, ConfigurationError> {
    match told.starts_with('/') {
        true => Ok(PathBuf::from(told)),
        false => Err(ConfigurationError::Path { key, found: told }),
    }
}

fn entries<T>(key: &'static str, most: usize, list: &[T]) -> Result<(), ConfigurationError> {
    let found = list.len();
    match found > most {
        true => Err(ConfigurationError::Entries { key, most, found }),
        false => Ok(()),
    }
}

fn addresses(
    key: &'static str,
    told: &[String],
) -> Result<Vec<LoopbackAddress>, ConfigurationError> {
    entries(key, MOST_ADDRESSES, told)?;
    told.iter().map(|told| address(key, told)).collect()
}

pub(super) fn address(
    key: &'static str,
    told: &str,
) -> Result<LoopbackAddress, ConfigurationError> {
    told.parse().map_err(|reason| ConfigurationError::Address {
        key,
        found: told.to_owned(),
        reason,
    })
}

fn users(
    key: &'static str,
    told: Vec<raw::User>,
    accounts: &Accounts,
) -> Result<Vec<u32>, ConfigurationError> {
    entries(key, MOST_USERS, &told)?;
    let user = |told| match told {
        raw::User::Id(id) => Ok(id),
        raw::User::Name(name) => match (accounts.user)(&name) {
            Some(id) => Ok(id.as_raw()),
            None => Err(ConfigurationError::Stranger {
                key,
                kind: "user",
                found: name,
            }),
        },
    };
    told.into_iter().map(user).collect()
}

/// A number's bounds, and their reason.
pub(super) struct Range {
    pub(super) key: &'static str,
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) reason: &'static str,
}

impl Range {
    pub(super) fn check(&self, found: u64) -> Result<u64, ConfigurationError> {
        let Range {
            key,
            least,
            most,
            reason,
        } = *self;
        match (least..=most).contains(&found) {
            true => Ok(found),
            false => Err(ConfigurationError::Range {
                key,
                least,
                most,
                reason,
                found,
            }),
        }
    }

    pub(super) fn seconds(&self, found: u64) -> Result<Duration, ConfigurationError> {
        Ok(Duration::from_secs(self.check(found)?))
    }

    pub(super) fn count(&self, found: u64) -> Result<usize, ConfigurationError> {
        // Where a machine counts less far, its own bound is the nearest.
        Ok(usize::try_from(self.check(found)?).unwrap_or(usize::MAX))
    }
}
