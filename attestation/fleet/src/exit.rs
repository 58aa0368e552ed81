//! How a command ends: each kind of failure has an exit code of its own, so that a script can
//! tell them apart.
//!
//! The numbers are part of the command's interface: they stand in `--help`, and none of them
//! changes its meaning.

use std::process::ExitCode;

use earnest_files::FileError;

use crate::show;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; of what verifies, that everything passed.
    Success = 0,
    /// A failure that is no fault of the input.
    Internal = 1,
    /// The command line asks for nothing that can be done. (clap ends with the same.)
    Usage = 2,
    /// What was checked is not to be trusted: evidence, a quote, an answer, a result.
    Refused = 10,
    /// A file is not what it should be.
    BadInput = 11,
    /// A file, a device, a challenge or a key is not there.
    NotFound = 12,
    /// What should be made is there already.
    Exists = 13,
    /// A file could not be read or written.
    Files = 14,
    /// Two files that were compared differ.
    Differs = 15,
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// The end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done; of what verifies: everything passed
   1  an internal failure
   2  bad usage
  10  refused: the evidence, quote, answer or result is not to be trusted
  11  a file is not what it should be
  12  a file, a device, a challenge or a key is not there
  13  what should be made is there already
  14  a file cannot be read or written
  15  the compared files differ

A reader that closes the pipe (as head does) ends the command quietly with 0.";

/// Why a command did not do what it was asked for, in words for a person.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    advice: Option<String>,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure {
            exit,
            message: message.into(),
            advice: None,
        }
    }

    /// A failure of this kind with an error and its causes.
    pub fn of(exit: Exit, error: &dyn std::error::Error) -> Failure {
        Failure::new(exit, show::describe(error))
    }

    /// A file that is not what it should be.
    pub fn bad_input(name: &str, error: &dyn std::error::Error) -> Failure {
        Failure::new(Exit::BadInput, format!("{name}: {}", show::describe(error)))
    }

    /// The failure, with a word on what to do.
    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Failure {
        Failure {
            advice: Some(advice.into()),
            ..self
        }
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What failed, with what was expected and found.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Failure {
        let exit = match &error {
            FileError::NotFound { .. } => Exit::NotFound,
            FileError::Exists { .. } => Exit::Exists,
            FileError::TooLong { .. } => Exit::BadInput,
            FileError::Read { .. } | FileError::Write { .. } | FileError::Locked { .. } => {
                Exit::Files
            }
            FileError::NotPrivate { .. }
            | FileError::Changeable { .. }
            | FileError::Foreign { .. } => Exit::BadInput,
        };
        Failure::of(exit, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_in_the_help_and_none_stands_for_two() {
        let all = [
            Exit::Success,
            Exit::Internal,
            Exit::Usage,
            Exit::Refused,
            Exit::BadInput,
            Exit::NotFound,
            Exit::Exists,
            Exit::Files,
            Exit::Differs,
        ];
        let documented: Vec<u8> = HELP
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        assert_eq!(documented, all.map(Exit::number));
    }
}
