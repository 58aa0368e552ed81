//! Saying something in its own time.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::script::bytes;
use crate::sound::RATE;

/// When which block was handed over.
pub(super) struct Said {
    block: usize,
    written: Vec<Instant>,
    /// The longest that a block came after its time.
    pub(super) late: Duration,
}

impl Said {
    /// When this sample had been handed over.
    pub(super) fn at(&self, sample: usize) -> Instant {
        let block = (sample / self.block).min(self.written.len().saturating_sub(1));
        self.written[block]
    }
}

/// Hands `pcm` over in blocks, each when its last sample is spoken.
pub(super) fn say(to: &mut impl Write, pcm: &[i16], block: usize) -> Result<Said> {
    let begin = Instant::now();
    let (mut written, mut late) = (Vec::new(), Duration::ZERO);
    let mut spoken = 0;
    for part in pcm.chunks(block) {
        spoken += part.len();
        let due = begin + Duration::from_secs_f64(spoken as f64 / RATE as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        to.write_all(&bytes(part))?;
        let now = Instant::now();
        late = late.max(now.saturating_duration_since(due));
        written.push(now);
    }
    to.flush()?;
    Ok(Said {
        block,
        written,
        late,
    })
}
