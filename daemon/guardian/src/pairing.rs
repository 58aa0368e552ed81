//! Giving a guard its key, once.

use std::time::Duration;

use earnest_wire::host::{Event, Link};
use earnest_wire::{Fault, Identity, PairingKey, Reason};
use ring::rand::SystemRandom;
use tokio::time::{Instant, timeout};

use crate::GuardPlace;
use crate::core::Nonces as _;
use crate::guardian::SystemNonces;
use crate::line::{Line, LineError};

/// How long a guard may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// How often it is asked. A board that was reset by opening its line takes a moment.
const TRIES: usize = 8;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// The guard has taken the key.
    Done(Identity),
    /// It had this key already.
    Before(Identity),
}

impl Pairing {
    /// Which guard it is.
    pub fn identity(self) -> Identity {
        match self {
            Pairing::Done(identity) | Pairing::Before(identity) => identity,
        }
    }
}

/// Gives the guard at this place the key, unless it has that already. The key goes over the line in
/// the clear: this is done where nobody taps it, and with the switch at mute, by the hand of
/// whoever does it.
///
/// # Errors
/// [`PairError`].
pub async fn pair(place: &GuardPlace, key: PairingKey) -> Result<Pairing, PairError> {
    let line = Line::open(place).await?;
    let mut link = Link::new(key, None);
    let mut nonces = SystemNonces(SystemRandom::new());
    let mut is_new = false;
    for _ in 0..TRIES {
        let frame = match is_new {
            false => link.hello(nonces.next().ok_or(PairError::NoRandomness)?),
            true => link.pair(),
        };
        send(&line, frame.as_bytes()).await?;
        let deadline = Instant::now() + ANSWER;
        match answer(&line, &mut link, deadline).await? {
            Some(Answer::Knows(identity)) => return Ok(Pairing::Before(identity)),
            Some(Answer::Paired(identity)) => return Ok(Pairing::Done(identity)),
            Some(Answer::NoKey) => is_new = true,
            None => {}
        }
    }
    Err(PairError::Silent {
        place: place.clone(),
    })
}

enum Answer {
    Knows(Identity),
    Paired(Identity),
    NoKey,
}

async fn answer(
    line: &Line,
    link: &mut Link,
    deadline: Instant,
) -> Result<Option<Answer>, PairError> {
    let mut buffer = [0; 256];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(read) = timeout(left, line.read(&mut buffer)).await else {
            return Ok(None);
        };
        let count = read.map_err(PairError::Lost)?;
        for byte in &buffer[..count] {
            match link.receive(*byte) {
                Some(Ok(received)) => match received.event {
                    Event::Welcome { identity, .. } => return Ok(Some(Answer::Knows(identity))),
                    Event::Paired { identity } => return Ok(Some(Answer::Paired(identity))),
                    Event::Refused { reason, .. } => match reason {
                        Reason::NoKey => return Ok(Some(Answer::NoKey)),
                        Reason::NotMuted => return Err(PairError::NotMuted),
                        Reason::HasKey => return Err(PairError::Taken),
                        Reason::Version => return Err(PairError::Version),
                        Reason::Memory => return Err(PairError::Memory),
                        _ => {}
                    },
                    _ => {}
                },
                Some(Err(Fault::Proof)) => return Err(PairError::Taken),
                // Noise, as of a board that starts.
                Some(Err(_)) | None => {}
            }
        }
    }
}

async fn send(line: &Line, mut bytes: &[u8]) -> Result<(), PairError> {
    while !bytes.is_empty() {
        let written = timeout(ANSWER, line.write(bytes)).await;
        let written = written.map_err(|_| PairError::Lost(std::io::ErrorKind::TimedOut.into()))?;
        bytes = &bytes[written.map_err(PairError::Lost)?..];
    }
    Ok(())
}

/// Why the guard has not taken the key.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// There is no line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The line broke off.
    #[error("the line to the guard broke off: {0}")]
    Lost(std::io::Error),
    /// Nobody answers.
    #[error("no guard answers at {place}")]
    Silent {
        /// Where it should be.
        place: GuardPlace,
    },
    /// The switch is open.
    #[error("the guard takes a key with its switch at mute alone: move it, and try again")]
    NotMuted,
    /// The guard has another key.
    #[error(
        "the guard has another key, and keeps it until its memory is erased, by hand (HARDWARE.md)"
    )]
    Taken,
    /// The guard speaks another version.
    #[error("the guard speaks another version of the protocol: flash it anew")]
    Version,
    /// The guard's memory is broken.
    #[error("the guard's memory does not keep what is written")]
    Memory,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}
