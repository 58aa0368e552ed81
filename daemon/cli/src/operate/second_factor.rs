//! The code of an authenticator: given, read, or asked for.
//!
//! A code is no lasting secret: it works once, within half a minute or so. So it may stand on the
//! command line. It may not stand in the environment, which every program that is started from
//! there on inherits.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use earnest_files::FileError;

use super::terminal::{LineError, ask, next_line};
use crate::exit::Exit;

/// Digits of a code.
const DIGITS: usize = 6;

/// Most bytes of a file with a code.
const MOST_FILE_BYTES: usize = 64;

/// Where the code comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecondFactor {
    /// The code of your authenticator [default: it is asked for].
    #[arg(long, value_name = "DIGITS", conflicts_with = "code_file")]
    code: Option<Code>,
    /// Read the code from FILE; `-` is the next line of standard input.
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
}

impl SecondFactor {
    /// The code, if it is given.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds none.
    pub(super) fn given(&self) -> Result<Option<Code>, CodeError> {
        match (&self.code, self.code_file.as_deref()) {
            (Some(code), _) => Ok(Some(code.clone())),
            (None, Some(path)) if path == Path::new("-") => {
                Ok(Some(next_line().map_err(CodeError::Line)?.parse()?))
            }
            (None, Some(path)) => {
                let bytes = earnest_files::read(path, MOST_FILE_BYTES)?;
                let text = str::from_utf8(&bytes).map_err(|_| CodeError::Digits)?;
                Ok(Some(text.parse()?))
            }
            (None, None) => Ok(None),
        }
    }

    /// The code, as it is given, or as the person at the terminal says it.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(super) fn code(&self) -> Result<Code, CodeError> {
        match self.given()? {
            Some(code) => Ok(code),
            None => Code::asked("code of your authenticator"),
        }
    }
}

/// Six digits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code(String);

impl Code {
    /// What the person at the terminal says.
    ///
    /// # Errors
    ///
    /// When nobody is there, or says something else.
    pub(super) fn asked(prompt: &str) -> Result<Code, CodeError> {
        ask(prompt).map_err(CodeError::Line)?.parse()
    }

    /// What the person at the terminal says, or the next line of a script.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(super) fn asked_or_next(prompt: &str) -> Result<Code, CodeError> {
        match Code::asked(prompt) {
            Err(CodeError::Line(LineError::NoTerminal)) => {
                next_line().map_err(CodeError::Line)?.parse()
            }
            asked => asked,
        }
    }

    /// The digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without the digits.
impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(...)")
    }
}

/// Six digits, which many authenticators show in two groups.
impl FromStr for Code {
    type Err = CodeError;

    fn from_str(told: &str) -> Result<Code, CodeError> {
        let digits: String = told.split_ascii_whitespace().collect();
        let is_code = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then_some(Code(digits)).ok_or(CodeError::Digits)
    }
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodeError {
    /// It is something else.
    #[error("a code has {DIGITS} digits, as your authenticator shows them")]
    Digits,
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody says it.
    #[error("this takes the code of your authenticator: give it with --code or --code-file")]
    Line(#[source] LineError),
}

impl CodeError {
    /// How the command ends for it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            CodeError::Digits => Exit::Usage,
            CodeError::File(_) => Exit::OperatorFile,
            CodeError::Line(LineError::Interrupted) => Exit::Interrupted,
            CodeError::Line(_) => Exit::SecondFactor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_in_one_group_or_two() {
        for right in ["123456", "123 456", " 123456\n"] {
            assert_eq!(right.parse::<Code>().unwrap().as_str(), "123456");
        }
        for wrong in [
            "",
            "12345",
            "1234567",
            "12345a",
            "-12345",
            "１２３４５６",
            "123\u{0}456",
        ] {
            assert!(wrong.parse::<Code>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_code_is_read_from_a_file_and_shown_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code");
        std::fs::write(&path, "654321\n").unwrap();
        let factor = SecondFactor {
            code: None,
            code_file: Some(path.clone()),
        };
        let code = factor.code().unwrap();
        assert_eq!(code.as_str(), "654321");
        assert!(!format!("{factor:?} {code:?}").contains("654321"));
        std::fs::write(&path, [b'1'; 100]).unwrap();
        assert_eq!(factor.code().unwrap_err().exit(), Exit::OperatorFile);
        std::fs::write(&path, "no").unwrap();
        assert_eq!(factor.code().unwrap_err().exit(), Exit::Usage);
    }
}
