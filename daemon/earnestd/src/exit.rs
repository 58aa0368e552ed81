//! How the daemon ends.

use std::process::ExitCode;

/// What the help says of it.
pub(crate) const HELP: &str = "\
Exit codes:
  0  told to end, and did; or `--check` found nothing wrong
  1  the system refused something that nothing here explains
  2  the command line or the configuration is refused
  3  the user cannot be changed to, or memory cannot be guarded
  4  an address or a socket cannot be listened on
  5  the device cannot be used: it is not provisioned, or its folder is damaged

A device that proves nothing does not end the daemon: it refuses every request until it does.";

/// How the daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was told to, or had only to check.
    Success,
    /// The system refused something that nothing here explains.
    System,
    /// The configuration is refused.
    Configuration,
    /// It cannot be who it should be, or guard its memory.
    Privileges,
    /// It cannot listen where it should.
    Listen,
    /// The device cannot be used.
    Device,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::System => 1,
            // clap ends with 2 for a command line that is none.
            Exit::Configuration => 2,
            Exit::Privileges => 3,
            Exit::Listen => 4,
            Exit::Device => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        for exit in [
            Exit::Success,
            Exit::System,
            Exit::Configuration,
            Exit::Privileges,
            Exit::Listen,
            Exit::Device,
        ] {
            let line = format!("\n  {}  ", exit.code());
            assert!(HELP.contains(&line), "{exit:?}");
        }
    }
}
