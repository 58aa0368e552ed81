//! The file as it is written: its keys, and what each is where it is left out.

use serde::Deserialize;

/// The whole file. Every key has a default but those that stand for files of the fleet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) device: Device,
    pub(super) state: State,
    pub(super) model: Model,
    pub(super) gate: Gate,
    pub(super) listen: Listen,
    pub(super) allow: Allow,
    pub(super) apps: Apps,
    pub(super) answers: Answers,
    pub(super) microphone: Microphone,
    pub(super) guard: Guard,
    pub(super) workers: Workers,
    pub(super) limits: Limits,
    pub(super) audit: Audit,
    pub(super) anomalies: Anomalies,
    pub(super) keys: Keys,
    pub(super) traces: Traces,
    pub(super) run: Run,
    pub(super) log: Log,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Device {
    pub(super) folder: String,
}

impl Default for Device {
    fn default() -> Device {
        Device {
            folder: "/var/lib/earnest/device".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct State {
    pub(super) folder: String,
}

impl Default for State {
    fn default() -> State {
        State {
            folder: "/var/lib/earnest/state".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Model {
    pub(super) size: String,
    /// By default the file of the size's card in [`super::MODELS_FOLDER`].
    pub(super) speech: Option<String>,
    pub(super) voice: String,
    pub(super) release_key: String,
}

impl Default for Model {
    fn default() -> Model {
        Model {
            size: "tiny".to_owned(),
            speech: None,
            voice: "/var/lib/earnest/models/silero-vad-6.2.earnest".to_owned(),
            release_key: "/etc/earnest/release.pem".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Gate {
    pub(super) mode: String,
    pub(super) result_key: Option<String>,
    pub(super) grace_seconds: Option<u64>,
    pub(super) check_milliseconds: u64,
    pub(super) self_test_seconds: u64,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            mode: "local".to_owned(),
            result_key: None,
            grace_seconds: None,
            check_milliseconds: 500,
            self_test_seconds: 3600,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) tls: Vec<String>,
    pub(super) unix: String,
    pub(super) group: Option<String>,
    pub(super) clear_text: Vec<String>,
    pub(super) wyoming: Vec<String>,
    pub(super) connections: u64,
    pub(super) leaf_hours: u64,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            tls: vec!["127.0.0.1:8473".to_owned(), "[::1]:8473".to_owned()],
            unix: "/run/earnest/earnest.sock".to_owned(),
            group: None,
            clear_text: Vec::new(),
            wyoming: Vec::new(),
            connections: 64,
            leaf_hours: 24,
        }
    }
}

/// Who may do what: user ids, or names of users.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Allow {
    pub(super) apps: Vec<User>,
    pub(super) operators: Vec<User>,
    pub(super) auditors: Vec<User>,
}

/// A user, by id or by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a user is a name in quotes or a user id")]
pub(super) enum User {
    Id(u32),
    Name(String),
}

/// What each app may take unless its own entry says otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Apps {
    pub(super) per_minute: u64,
    pub(super) burst: u64,
    pub(super) daily_minutes: u64,
    pub(super) at_once: u64,
    pub(super) token_seconds: u64,
}

impl Default for Apps {
    fn default() -> Apps {
        Apps {
            per_minute: 120,
            burst: 20,
            daily_minutes: 600,
            at_once: 2,
            token_seconds: 300,
        }
    }
}

/// What is taken out of answers, and when they are given. Nothing by default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Answers {
    pub(super) certainty_floor: Option<f32>,
    pub(super) redact_digits: Option<u8>,
    pub(super) pad_milliseconds: Option<u64>,
}

/// The microphone, and how it is listened to.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Microphone {
    pub(super) enabled: bool,
    pub(super) device: String,
    pub(super) rate_hz: Option<u64>,
    pub(super) buffer_milliseconds: u64,
    pub(super) silence_milliseconds: u64,
    pub(super) warm: bool,
    pub(super) pre_roll_milliseconds: u64,
    pub(super) listeners: u64,
    pub(super) muted: bool,
    pub(super) lossless: bool,
}

impl Default for Microphone {
    fn default() -> Microphone {
        Microphone {
            enabled: true,
            device: String::new(),
            rate_hz: None,
            buffer_milliseconds: 40,
            silence_milliseconds: 700,
            warm: false,
            pre_roll_milliseconds: 500,
            listeners: 16,
            muted: false,
            lossless: false,
        }
    }
}

/// The guard beside the microphone.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Guard {
    pub(super) device: String,
    pub(super) required: bool,
    pub(super) uploads: bool,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard {
            device: String::new(),
            required: true,
            uploads: true,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) keep_days: u64,
    pub(super) megabytes: u64,
    pub(super) anchor_minutes: u64,
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            keep_days: 30,
            megabytes: 64,
            anchor_minutes: 60,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Anomalies {
    pub(super) alert: f64,
    pub(super) throttle: f64,
    pub(super) quarantine: f64,
}

impl Default for Anomalies {
    fn default() -> Anomalies {
        // Those of the crate that keeps the score.
        Anomalies {
            alert: 12.0,
            throttle: 20.0,
            quarantine: 32.0,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) token_hours: u64,
    pub(super) audit_days: u64,
    pub(super) pseudonym_days: u64,
    pub(super) state_days: u64,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            token_hours: 24,
            audit_days: 7,
            pseudonym_days: 30,
            state_days: 90,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Traces {
    pub(super) collector: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Workers {
    pub(super) warm: u64,
    pub(super) most: u64,
    pub(super) queue: u64,
    pub(super) queue_milliseconds: u64,
    pub(super) idle_seconds: u64,
    pub(super) threads: u64,
    pub(super) memory_megabytes: u64,
}

impl Default for Workers {
    fn default() -> Workers {
        Workers {
            warm: 1,
            most: 4,
            queue: 4,
            queue_milliseconds: 2000,
            idle_seconds: 60,
            threads: 2,
            memory_megabytes: 1024,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) upload_megabytes: u64,
    pub(super) request_seconds: u64,
    pub(super) quiet_seconds: u64,
    pub(super) drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            upload_megabytes: 25,
            request_seconds: 1200,
            quiet_seconds: 30,
            drain_seconds: 10,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Run {
    pub(super) user: String,
    pub(super) exposed_memory: String,
}

impl Default for Run {
    fn default() -> Run {
        Run {
            user: "earnest".to_owned(),
            exposed_memory: "refuse".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) level: String,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            format: "plain".to_owned(),
            level: "info".to_owned(),
        }
    }
}
