//! Why a command of an operator or auditor fails, and how the process ends for it.

use std::io;
use std::path::PathBuf;

use earnest_attester::authority::AuthorityError;
use earnest_files::FileError;
use earnest_policy::CommandError;

use super::second_factor::CodeError;
use crate::daemon::DaemonError;
use crate::exit::Exit;
use crate::output::WriteError;

/// Why a command of an operator or auditor fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperateError {
    /// The daemon does not do it.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// There is no code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is there that nothing is to be written over.
    #[error("{} is there already: name another folder with --out", path.display())]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// A file holds no list of commands.
    #[error("{} is no list of commands: {reason}", path.display())]
    List {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The phrases do not make a list.
    #[error("{}: {error}", path.display())]
    Phrases {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        #[source]
        error: CommandError,
    },
    /// No key can be made.
    #[error("no key can be made for the app")]
    Key(#[from] AuthorityError),
    /// An answer cannot be written down.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No browser can be started.
    #[error("xdg-open cannot be started: open the link by hand")]
    Launch(#[source] io::Error),
    /// The link leads elsewhere than to this device.
    #[error("the daemon gave a link that no browser is started with: it is not of this machine")]
    Link,
}

impl OperateError {
    /// How the command ends for it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            OperateError::Daemon(error) => error.exit(),
            OperateError::Code(error) => error.exit(),
            OperateError::File(_)
            | OperateError::Taken { .. }
            | OperateError::List { .. }
            | OperateError::Phrases { .. } => Exit::OperatorFile,
            OperateError::Key(_) => Exit::Internal,
            // Who has closed the output wants no more of it.
            OperateError::Write(WriteError::Closed) => Exit::Success,
            OperateError::Write(_) => Exit::NotWritten,
            OperateError::Launch(_) => Exit::NotExecutable,
            OperateError::Link => Exit::DaemonFailed,
        }
    }
}
