//! What the daemon says to standard error.
//!
//! Events are a closed schema of numbers and names (`earnest-telemetry`), and everything else
//! that is logged is said by the daemon itself: there is no way for sound or text to get here.

use tracing::level_filters::LevelFilter;

use crate::configuration::{LogFormat, LogLevel, LogSettings};

/// Begins to log. A second call changes nothing.
pub fn start(settings: &LogSettings) {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // That something logs already is no reason not to start.
    let _ = match settings.format {
        LogFormat::Plain => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
