//! The daemon as the commands reach it: where it is, how it is asked, and what its refusals mean
//! to a person.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use earnest_endpoint::client::{AUTHORITY_FILE, Client, ClientError};
use earnest_endpoint::shapes::TokenRequest;
use earnest_policy::AppId;
use nix::unistd::geteuid;
use tokio::runtime::Runtime;

use crate::exit::Exit;

/// Names the daemon's socket in the environment.
pub(crate) const SOCKET_VARIABLE: &str = "EARNEST_SOCKET";

/// Where the daemon's socket is unless told otherwise.
pub(crate) const DEFAULT_SOCKET: &str = "/run/earnest/earnest.sock";

/// Where the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Place {
    /// The daemon's Unix socket [default: $EARNEST_SOCKET, else /run/earnest/earnest.sock].
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

impl Place {
    /// The socket: as told, or as the environment has it, or where the daemon puts it.
    pub(crate) fn path(&self) -> PathBuf {
        let told = self.socket.clone();
        let named = || std::env::var_os(SOCKET_VARIABLE).filter(|value| !value.is_empty());
        told.or_else(|| named().map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))
    }
}

/// The file with the authority's certificate, beside this socket.
pub(crate) fn authority(socket: &Path) -> PathBuf {
    socket.with_file_name(AUTHORITY_FILE)
}

/// The daemon, and what waits for its answers.
#[derive(Debug)]
pub(crate) struct Daemon {
    client: Client,
    /// There until this is dropped.
    runtime: Option<Runtime>,
}

impl Daemon {
    /// The daemon at this socket. Nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// When the system has no means to wait with.
    pub(crate) fn at(socket: impl Into<PathBuf>) -> Result<Daemon, DaemonError> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build();
        Ok(Daemon {
            client: Client::new(socket),
            runtime: Some(runtime.map_err(DaemonError::System)?),
        })
    }

    /// Who asks.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The same daemon, asked once with the code of an authenticator.
    ///
    /// # Errors
    ///
    /// When the code is none that can be sent.
    pub(crate) fn with_second_factor(mut self, code: &str) -> Result<Daemon, DaemonError> {
        let client = self.client.clone().with_second_factor(code);
        self.client = client.map_err(DaemonError::Failed)?;
        Ok(self)
    }

    /// The same daemon, asked by this app of the user's, which may listen; without one, by the
    /// user.
    ///
    /// # Errors
    ///
    /// When the app may not listen, or is none of this user's.
    pub(crate) fn into_listener(mut self, app: Option<&AppId>) -> Result<Daemon, DaemonError> {
        if let Some(app) = app {
            // Its token is not taken back: one question is asked with it, and it dies by itself.
            let asked = as_app(&self.client, app, "listen");
            (self.client, _) = self.ask_into_listener(asked)?;
        }
        Ok(self)
    }

    /// Waits for an answer.
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        let runtime = self.runtime.as_ref();
        runtime
            .expect("the runtime is taken when this is dropped, and never before")
            .block_on(answer)
    }

    /// As [`Daemon::ask`], for what takes the scope `listen`.
    ///
    /// # Errors
    ///
    /// When the daemon does not answer, or refuses.
    pub(crate) fn ask_into_listener<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, DaemonError> {
        self.ask(answer)
            .map_err(|error| error.of_listener("listen"))
    }

    /// Asks, and explains what goes wrong.
    ///
    /// # Errors
    ///
    /// When the daemon does not answer, or refuses.
    pub(crate) fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, DaemonError> {
        self.wait(answer)
            .map_err(|error| explain(error, self.client.socket()))
    }
}

/// The client of an app of this user's for one scope, and the token that makes it that.
pub(crate) async fn as_app(
    client: &Client,
    app: &AppId,
    scope: &str,
) -> Result<(Client, String), ClientError> {
    let request = TokenRequest {
        scopes: Some(vec![scope.to_owned()]),
        ..TokenRequest::of(app.as_str())
    };
    let answer = client.issue_token_for(&request).await?;
    let client = client.clone().with_token(&answer.token)?;
    Ok((client, answer.token))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A thread that waits for standard input may wait for ever, and nobody waits for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Why the daemon does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    /// There is none.
    #[error("no daemon answers at {}; `systemctl start earnestd` starts it", socket.display())]
    Absent {
        /// Where it should be.
        socket: PathBuf,
    },
    /// There may be one, and the system does not let this user connect.
    #[error(
        "this user may not connect to {}: who may is a member of the socket's group",
        socket.display()
    )]
    Barred {
        /// Its socket.
        socket: PathBuf,
    },
    /// This user is on no list.
    #[error(
        "the daemon does not know this user: `allow.apps` in its configuration lists whose \
         programs get text, `allow.operators` who may see its state and change it, \
         `allow.auditors` who may read its audit log; of an app that was added, the users are \
         its own alone"
    )]
    NotAllowed,
    /// This user, or this application, was not given what this takes.
    #[error(
        "the daemon knows who asks, and does not grant this: `earnest access review` says who may \
         do what, and an operator changes it with `earnest app add`"
    )]
    NotGranted,
    /// This user's programs were not let listen.
    #[error(
        "the daemon does not let programs of uid {uid} listen: `sudo earnest app add NAME --uid \
         {uid} --scope {scope}` adds an app that may; where this user has several apps, --app \
         says which of them listens"
    )]
    MayNotListen {
        /// The user.
        uid: u32,
        /// The scope that it takes, and what goes with it.
        scope: &'static str,
    },
    /// Nobody may listen.
    #[error(
        "the daemon's configuration lets nobody listen to the microphone: `microphone.enabled` \
         is false"
    )]
    Disabled,
    /// The microphone's guard is not there.
    #[error(
        "the guard beside the microphone does not answer, or is not this device's, so nobody \
         listens: `earnest guard status`"
    )]
    Unguarded,
    /// A second factor is needed, and none was shown or there is none yet.
    #[error(
        "this takes a second factor: give the code of your authenticator with --code or \
         --code-file; who has none yet takes one with `earnest operator enrol`"
    )]
    SecondFactorRequired,
    /// The code is not taken. Which of the reasons it is, is told to nobody.
    #[error(
        "the code is not taken: each works once, and only while the authenticator shows it, so \
         wait for the next; after several wrong ones none is looked at for a while"
    )]
    SecondFactorRefused,
    /// More was asked than is granted.
    #[error("{what}{}", again(*.after))]
    Limited {
        /// What is used up.
        what: &'static str,
        /// When to ask again.
        after: Option<Duration>,
    },
    /// Use was so unusual that an operator has to look at it.
    #[error(
        "the daemon holds all requests of this application until an operator has looked at them: \
         `earnest alerts`, then `earnest alerts release ID`"
    )]
    Quarantined,
    /// There is no such thing.
    #[error("the daemon knows no such {what}; {list} says which there are")]
    Unknown {
        /// What there is none of.
        what: &'static str,
        /// The command that lists them.
        list: &'static str,
    },
    /// What was given is not taken.
    #[error("the daemon does not take this: {reason}")]
    Declined {
        /// What it says of it.
        reason: String,
    },
    /// What is not kept is not done.
    #[error("{what}")]
    NotKept {
        /// What cannot be kept, and what to do.
        what: &'static str,
    },
    /// The gate is closed.
    #[error(
        "the daemon runs and serves nobody, because this device has not proven itself; \
         `earnest status` says why, `earnest doctor` what to do"
    )]
    Closed,
    /// All workers are at work.
    #[error("all the daemon's workers are busy{}", again(*.after))]
    Busy {
        /// When to ask again.
        after: Option<Duration>,
    },
    /// The sound is none that can be read. Who asked is not told more.
    #[error("the daemon cannot read this sound; `--local` tries it here and says what is wrong")]
    Sound,
    /// It serves another model than the one that was asked for.
    #[error("the daemon serves {found}, not {expected}; without --model it takes what there is")]
    OtherModel {
        /// What was asked for.
        expected: &'static str,
        /// What is served.
        found: String,
    },
    /// It says what it should not.
    #[error("what the daemon says is not {what}")]
    Nonsense {
        /// What it should be.
        what: &'static str,
    },
    /// It failed, or refuses something else.
    #[error(transparent)]
    Failed(ClientError),
    /// The system has no means to wait for it with.
    #[error("the daemon cannot be waited for")]
    System(#[source] io::Error),
}

fn again(after: Option<Duration>) -> String {
    match after {
        Some(after) => format!(": ask again in {} s", after.as_secs()),
        None => String::new(),
    }
}

/// What an error of the client means.
pub(crate) fn explain(error: ClientError, socket: &Path) -> DaemonError {
    if error.is_absent() {
        let socket = socket.to_owned();
        return DaemonError::Absent { socket };
    }
    if let ClientError::Connect { path, source } = &error
        && source.kind() == io::ErrorKind::PermissionDenied
    {
        let socket = path.clone();
        return DaemonError::Barred { socket };
    }
    match (error.code(), &error) {
        (Some("invalid_credentials"), _) => DaemonError::NotAllowed,
        (Some("device_not_proven"), _) => DaemonError::Closed,
        (Some("busy"), ClientError::Refused { retry_after, .. }) => DaemonError::Busy {
            after: *retry_after,
        },
        (Some("invalid_audio"), _) => DaemonError::Sound,
        (Some("microphone_disabled"), _) => DaemonError::Disabled,
        (Some("microphone_unguarded"), _) => DaemonError::Unguarded,
        _ => explain_operating(error),
    }
}

/// What an error means that operators meet, and whoever asks too much.
fn explain_operating(error: ClientError) -> DaemonError {
    let after = match &error {
        ClientError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    };
    let limited = |what| DaemonError::Limited { what, after };
    let unknown = |what, list| DaemonError::Unknown { what, list };
    let not_kept = |what| DaemonError::NotKept { what };
    match (error.code(), &error) {
        (Some("insufficient_scope"), _) => DaemonError::NotGranted,
        (Some("second_factor_required"), _) => DaemonError::SecondFactorRequired,
        (Some("second_factor_refused"), _) => DaemonError::SecondFactorRefused,
        (Some("rate_limited"), _) => limited("these are more requests than are granted"),
        (Some("budget_spent"), _) => limited("the sound of a day is used up"),
        (Some("too_many_connections"), _) => {
            limited("this user holds as many connections as one may")
        }
        (Some("quarantined"), _) => DaemonError::Quarantined,
        (Some("app_not_found"), _) => unknown("app", "`earnest app list`"),
        (Some("alert_not_found"), _) => unknown("alert", "`earnest alerts`"),
        (Some("command_list_not_found"), _) => {
            unknown("list of commands", "`earnest commands list`")
        }
        (
            Some("invalid_value" | "missing_required_parameter" | "conflict"),
            ClientError::Refused { error, .. },
        ) => DaemonError::Declined {
            reason: error.message.clone(),
        },
        (Some("audit_unavailable"), _) => not_kept(
            "the audit log takes no entry, and nothing is done that is not written down: make \
             room on the disk of the daemon's state, then ask again",
        ),
        (Some("state_unavailable"), _) => not_kept(
            "the daemon cannot save the change: look at how things stand, make room on the disk \
             of the daemon's state, then ask again",
        ),
        (Some("keys_unavailable"), _) => not_kept(
            "the device's keys are not to be had now; `earnest status` and `journalctl -u \
             earnestd` say why",
        ),
        _ => DaemonError::Failed(error),
    }
}

impl DaemonError {
    /// What it means to somebody who wants to listen, for which this scope is needed.
    pub(crate) fn of_listener(self, scope: &str) -> DaemonError {
        let scope = match scope {
            "command" => "command --commands LIST",
            _ => "listen",
        };
        match self {
            DaemonError::NotAllowed | DaemonError::NotGranted => DaemonError::MayNotListen {
                uid: geteuid().as_raw(),
                scope,
            },
            other => other,
        }
    }

    /// How the command ends for it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            DaemonError::Absent { .. } => Exit::NoDaemon,
            DaemonError::Barred { .. }
            | DaemonError::NotAllowed
            | DaemonError::NotGranted
            | DaemonError::MayNotListen { .. } => Exit::NotAllowed,
            DaemonError::Disabled => Exit::MicrophoneDisabled,
            DaemonError::Unguarded => Exit::Unguarded,
            DaemonError::SecondFactorRequired | DaemonError::SecondFactorRefused => {
                Exit::SecondFactor
            }
            DaemonError::Limited { .. } => Exit::Limited,
            DaemonError::Quarantined => Exit::Quarantined,
            DaemonError::Unknown { .. } => Exit::Unknown,
            DaemonError::Declined { .. } => Exit::Declined,
            DaemonError::NotKept { .. } => Exit::NotKept,
            DaemonError::Closed => Exit::GateClosed,
            DaemonError::Busy { .. } => Exit::Busy,
            DaemonError::Sound => Exit::SoundRefused,
            DaemonError::OtherModel { .. } => Exit::ModelMissing,
            DaemonError::Nonsense { .. } | DaemonError::Failed(_) => Exit::DaemonFailed,
            DaemonError::System(_) => Exit::Internal,
        }
    }

    /// Whether another request of this run would fare no better.
    pub(crate) fn ends_all(&self) -> bool {
        !matches!(
            self,
            DaemonError::Sound | DaemonError::Declined { .. } | DaemonError::Failed(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use earnest_endpoint::ErrorDetail;

    use super::*;

    fn refused(code: &str) -> ClientError {
        ClientError::Refused {
            status: 400,
            error: ErrorDetail {
                message: "No.".to_owned(),
                kind: "invalid_request_error".to_owned(),
                param: None,
                code: Some(code.to_owned()),
                request_id: None,
            }
            .into(),
            request_id: None,
            retry_after: Some(Duration::from_secs(3)),
        }
    }

    fn unconnected(kind: io::ErrorKind) -> ClientError {
        ClientError::Connect {
            path: PathBuf::from("/run/s"),
            source: kind.into(),
        }
    }

    #[test]
    fn each_refusal_ends_the_command_in_its_own_way() {
        let check = |error: ClientError, exit: Exit, ends_all: bool| {
            let explained = explain(error, Path::new("/run/s"));
            assert_eq!(explained.exit(), exit, "{explained}");
            assert_eq!(explained.ends_all(), ends_all, "{explained}");
        };
        check(unconnected(io::ErrorKind::NotFound), Exit::NoDaemon, true);
        check(
            unconnected(io::ErrorKind::ConnectionRefused),
            Exit::NoDaemon,
            true,
        );
        check(
            unconnected(io::ErrorKind::PermissionDenied),
            Exit::NotAllowed,
            true,
        );
        check(
            unconnected(io::ErrorKind::OutOfMemory),
            Exit::DaemonFailed,
            false,
        );
        check(refused("invalid_credentials"), Exit::NotAllowed, true);
        check(refused("device_not_proven"), Exit::GateClosed, true);
        check(refused("busy"), Exit::Busy, true);
        check(refused("invalid_audio"), Exit::SoundRefused, false);
        check(refused("worker_failed"), Exit::DaemonFailed, false);
        check(refused("insufficient_scope"), Exit::NotAllowed, true);
        check(refused("second_factor_required"), Exit::SecondFactor, true);
        check(refused("second_factor_refused"), Exit::SecondFactor, true);
        check(refused("rate_limited"), Exit::Limited, true);
        check(refused("budget_spent"), Exit::Limited, true);
        check(refused("quarantined"), Exit::Quarantined, true);
        check(
            refused("microphone_disabled"),
            Exit::MicrophoneDisabled,
            true,
        );
        check(refused("microphone_unguarded"), Exit::Unguarded, true);
        check(refused("app_not_found"), Exit::Unknown, true);
        check(refused("invalid_value"), Exit::Declined, false);
        check(refused("conflict"), Exit::Declined, false);
        check(refused("audit_unavailable"), Exit::NotKept, true);
        check(ClientError::BrokeOff, Exit::DaemonFailed, false);
    }

    #[test]
    fn whoever_may_not_listen_is_told_what_to_ask_for() {
        let told = |code: &str, scope: &str| {
            let explained = explain(refused(code), Path::new("/run/s")).of_listener(scope);
            (explained.exit(), explained.to_string())
        };
        let (exit, text) = told("insufficient_scope", "listen");
        assert_eq!(exit, Exit::NotAllowed);
        let uid = geteuid().as_raw();
        let command = format!("`sudo earnest app add NAME --uid {uid} --scope listen`");
        assert!(text.contains(&command), "{text}");
        let (_, text) = told("invalid_credentials", "command");
        assert!(text.contains("--scope command --commands LIST`"), "{text}");
        assert_eq!(told("device_not_proven", "listen").0, Exit::GateClosed);
    }

    #[test]
    fn who_is_busy_says_when_to_come_again() {
        let busy = explain(refused("busy"), Path::new("/run/s"));
        assert!(busy.to_string().ends_with("in 3 s"), "{busy}");
    }

    #[test]
    fn the_authority_is_beside_the_socket() {
        let file = authority(Path::new("/run/earnest/earnest.sock"));
        assert_eq!(file, Path::new("/run/earnest/authority.pem"));
    }
}
