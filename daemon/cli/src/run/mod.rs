//! `earnest run`: a command whose client for OpenAI finds this device, with a token that is
//! fresh for as long as the command runs.
//!
//! The token names the command's application and works for this user alone. It is renewed at
//! half its life and given back at the end; where this process is killed, it dies by itself
//! within minutes. When the daemon's gate closes, or the daemon starts anew, all tokens are
//! forgotten, and a running command cannot be given another: that is said, and the command goes
//! on and is refused.

mod child;
mod environment;
mod fresh;
mod roots;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use earnest_endpoint::TokenAnswer;
use earnest_policy::AppId;
use earnest_printable::describe;
use tokio::time::timeout;

use crate::console::Console;
use crate::daemon::{self, Daemon, DaemonError, Place, explain};
use crate::exit::Exit;
use child::{Child, ChildError};
use environment::Surroundings;
use fresh::Fate;
use roots::{Roots, RootsError};

pub(crate) use child::Signals;
pub(crate) use roots::read_authority;

/// How long the end waits for the daemon to take the token back. It would die anyway.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// The end of `earnest run --help`.
pub(crate) const HELP: &str = "\
Exit codes: those of the command, and 128 and the number of the signal that ended it; before the
command has begun
   1  an internal failure
   2  bad usage
  60  no daemon answers
  61  the daemon does not let this user ask it
  63  the daemon has given out all the tokens that it gives
  65  the daemon broke off, answers otherwise than it should, or has no address with TLS
 126  the command cannot be executed
 127  the command is not there

While the gate is closed the command is run all the same, and is refused until it opens.

Example:
  earnest run --app notes -- python3 notes.py";

/// What `earnest run` was asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The application's name: 1 to 64 of a-z, 0-9, '.', '_' and '-'.
    #[arg(long, value_name = "NAME")]
    app: AppId,

    #[command(flatten)]
    place: Place,

    /// Let the command trust the system's certificates, too: SSL_CERT_FILE and its like name a
    /// file that joins both.
    #[arg(long)]
    keep_system_roots: bool,

    /// The command and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// Why the command was not run.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// The daemon gives no token.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// No client that knows addresses alone can ask the daemon.
    #[error("the daemon listens on no address with TLS: set `listen.tls` in its configuration")]
    NoAddress,
    /// There is nothing to trust the daemon's certificate by.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The command does not start, or cannot be waited for.
    #[error(transparent)]
    Child(#[from] ChildError),
}

impl RunError {
    fn exit(&self) -> Exit {
        match self {
            RunError::Daemon(error) => error.exit(),
            RunError::NoAddress | RunError::Roots(RootsError::Authority { .. }) => {
                Exit::DaemonFailed
            }
            RunError::Roots(_) => Exit::Internal,
            RunError::Child(error) => error.exit(),
        }
    }
}

/// Runs the command, and ends as it does.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> ExitCode {
    match ran(arguments, console) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            console.say(&format!("earnest: {}", describe(&error)));
            error.exit().into()
        }
    }
}

fn ran(arguments: &Arguments, console: &Console) -> Result<u8, RunError> {
    let socket = absolute(arguments.place.path());
    let daemon = Daemon::at(&socket)?;
    let client = daemon.client();
    let token = daemon.ask(client.issue_token(arguments.app.as_str()))?;
    let ran = with_token(arguments, &daemon, &token, console);
    // One that is not taken back dies by itself.
    let _ = daemon.wait(async { timeout(FAREWELL, client.revoke_token(&token.token)).await });
    ran
}

fn with_token(
    arguments: &Arguments,
    daemon: &Daemon,
    token: &TokenAnswer,
    console: &Console,
) -> Result<u8, RunError> {
    let socket = daemon.client().socket();
    let base_url = token.base_url.as_deref().ok_or(RunError::NoAddress)?;
    let roots = Roots::of(&daemon::authority(socket), arguments.keep_system_roots)?;
    if !daemon.ask(daemon.client().is_up())? {
        console.say(
            "earnest: this device has not proven itself, so the command will be refused until \
             the gate opens; `earnest status` says why",
        );
    }
    let surroundings = Surroundings {
        base_url,
        token: &token.token,
        app: &token.app,
        socket,
        authority: roots.authority(),
        trusted: roots.trusted(),
        trusts_system: arguments.keep_system_roots,
    };
    let variables = surroundings.variables(|name| std::env::var_os(name));
    let renewing = async {
        let lifetime = Duration::from_secs(token.expires_in);
        let client = daemon.client();
        let fate = fresh::keep(lifetime, || async {
            client.renew_token(&token.token).await.map_err(|error| {
                let gone = error.code() == Some("token_not_found");
                (gone, explain(error, socket))
            })
        });
        fate.await
    };
    let code = daemon.wait(async {
        let child = Child::start(&arguments.command, &variables)?;
        let mut running = std::pin::pin!(child.run());
        tokio::select! {
            code = &mut running => return code,
            fate = renewing => lost(&fate, console),
        }
        running.await
    })?;
    Ok(code)
}

/// Says that the command will be refused from now on.
fn lost(fate: &Fate<DaemonError>, console: &Console) {
    let why = match fate {
        Fate::Gone => "the daemon has forgotten this command's token, because its gate closed or \
                       it started anew"
            .to_owned(),
        Fate::Expired(error) => format!("this command's token has expired: {}", describe(error)),
    };
    console.say(&format!(
        "earnest: {why}; the command will be refused until it is started again"
    ));
}

/// A path that the command finds wherever it goes.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
