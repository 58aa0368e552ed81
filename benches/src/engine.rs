//! What both sides of a comparison are to the benches: sound in, tokens out, each stage timed.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use nix::time::{ClockId, clock_gettime};

/// What time is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Clock {
    /// Time on the wall: what a user waits for.
    Wall,
    /// Time that the process's threads spent on processors: of one thread, steady even on a
    /// machine that others use.
    Cpu,
}

impl Clock {
    /// The time since some fixed moment.
    pub(crate) fn now(self) -> Result<Duration> {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        match self {
            Clock::Wall => Ok(BEGIN.get_or_init(Instant::now).elapsed()),
            Clock::Cpu => Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into()),
        }
    }
}

/// Turns one segment of speech into tokens.
pub(crate) trait Engine {
    /// How tables name it.
    fn name(&self) -> &'static str;

    /// Reads `pcm`, 16 kHz mono, and times it by `clock`.
    fn run(&mut self, pcm: &[f32], clock: Clock) -> Result<Run>;
}

/// Turns sound of any length into text.
pub(crate) trait Reader {
    /// How tables name it.
    fn name(&self) -> &'static str;

    /// Reads `pcm`, 16 kHz mono.
    fn read(&mut self, pcm: &[f32]) -> Result<String>;
}

/// One segment read, and where the time went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// Without the start and the end token.
    pub(crate) tokens: Vec<u32>,
    /// From the samples to the encoder's last hidden state.
    pub(crate) encoder: Duration,
    /// The decoder's first step, which also makes the cross-attention's keys and values.
    pub(crate) first_step: Duration,
    /// Each further step, the choice of its token among them.
    pub(crate) steps: Vec<Duration>,
    /// All of it, from the samples to the last token.
    pub(crate) total: Duration,
}

/// Moonshine's bound on the length of a text, in tokens a second of sound.
pub(crate) const MAX_TOKENS_PER_SECOND: f64 = 6.5;

/// How many steps a decoding of `samples` at 16 kHz may take.
pub(crate) fn step_limit(samples: usize) -> usize {
    (samples as f64 / 16_000.0 * MAX_TOKENS_PER_SECOND) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_may_take_sixty_five_steps() {
        assert_eq!(step_limit(160_000), 65);
        assert_eq!(step_limit(0), 0);
    }
}
