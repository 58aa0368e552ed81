//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::configuration::DEFAULT_PATH;
use crate::exit;

/// Private speech recognition for the programs of this machine, served while its TPM proves it.
///
/// It reads its configuration once, and writes what happens to standard error, never sound or
/// text. SIGTERM and SIGINT let requests end and then end it; SIGHUP changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "earnestd", version, after_help = exit::HELP)]
pub struct Arguments {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Reads and checks the configuration, says what the daemon would do, and ends.
    #[arg(long)]
    pub check: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_has_its_default() {
        Arguments::command().debug_assert();
        let arguments = Arguments::try_parse_from(["earnestd"]).unwrap();
        assert_eq!(arguments.config, PathBuf::from(DEFAULT_PATH));
        assert!(!arguments.check);
        assert!(Arguments::try_parse_from(["earnestd", "--bind", "0.0.0.0"]).is_err());
    }
}
