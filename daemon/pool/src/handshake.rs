//! A worker's first words, and whether they are true.

use earnest_channel::{Confinement, DecodeError, Decoder, FromWorker, Hello, VERSION};
use earnest_evidence::measured::SandboxLevel;
use earnest_sandbox::{ProcessStatus, inspect, inspect_self};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::StartError;

/// Bytes read at a time. A worker says two short things here.
const READ_BYTES: usize = 256;

/// Takes a worker's first words, up to its being ready.
pub(crate) async fn greet(
    stream: &mut UnixStream,
    process: u32,
    least: SandboxLevel,
) -> Result<Confinement, StartError> {
    let mut words = Words {
        stream,
        decoder: Decoder::new(),
        held: Vec::new(),
    };
    let Some(FromWorker::Hello(hello)) = words.next().await? else {
        return Err(StartError::OutOfTurn { expected: "hello" });
    };
    check(&hello, process, least)?;
    match words.next().await? {
        Some(FromWorker::Ready) if words.is_silent() => Ok(hello.sandbox),
        _ => Err(StartError::OutOfTurn { expected: "ready" }),
    }
}

/// The messages of a stream.
struct Words<'a> {
    stream: &'a mut UnixStream,
    decoder: Decoder<FromWorker>,
    held: Vec<u8>,
}

impl Words<'_> {
    /// Whether nothing came after the last message.
    fn is_silent(&self) -> bool {
        self.held.is_empty() && !self.decoder.is_within_frame()
    }

    /// The next message; the stream does not end here.
    async fn next(&mut self) -> Result<Option<FromWorker>, StartError> {
        loop {
            let mut left = &self.held[..];
            let message: Result<_, DecodeError> = self.decoder.push(&mut left);
            let taken = self.held.len() - left.len();
            self.held.drain(..taken);
            if let Some(message) = message? {
                return Ok(Some(message));
            }
            let mut bytes = [0; READ_BYTES];
            match self.stream.read(&mut bytes).await {
                Ok(count @ 1..) => self.held.extend_from_slice(&bytes[..count]),
                Ok(0) | Err(_) => return Err(StartError::Died),
            }
        }
    }
}

/// Holds what a worker says of itself to what is demanded and to what the kernel says.
fn check(hello: &Hello, process: u32, least: SandboxLevel) -> Result<(), StartError> {
    let found = hello.version;
    if found != VERSION {
        let expected = VERSION;
        return Err(StartError::Version { expected, found });
    }
    let own = inspect_self().map_err(StartError::Inspect)?;
    let its = inspect(process).map_err(StartError::Inspect)?;
    let claimed = hello.sandbox.level;
    if !is_true(&hello.sandbox, &its, &own) {
        return Err(StartError::Lies { claimed });
    }
    let found = claimed;
    match found >= least {
        true => Ok(()),
        false => Err(StartError::Unconfined { least, found }),
    }
}

/// Whether a claim agrees with itself and with what the kernel tells. Of Landlock it tells
/// nobody, so that part is the worker's word alone; but it said so before it read a byte of
/// anybody's, and it is the daemon's own program.
fn is_true(claim: &Confinement, its: &ProcessStatus, daemon: &ProcessStatus) -> bool {
    let walls = [claim.seccomp, claim.landlock_abi.is_some_and(|abi| abi > 0)];
    let level = match walls {
        [true, true] => SandboxLevel::Full,
        [false, false] => SandboxLevel::None,
        _ => SandboxLevel::Partial,
    };
    if claim.level != level {
        return false;
    }
    let filtered = !claim.seccomp || its.is_confined_within(daemon);
    // Either wall comes after these two, so who has one has them.
    let powerless = its.no_new_privs && its.capabilities() == 0;
    filtered && (level == SandboxLevel::None || powerless)
}

#[cfg(test)]
mod tests {
    use earnest_sandbox::SeccompMode;

    use super::*;

    fn status(no_new_privs: bool, filters: u32, capabilities: u64) -> ProcessStatus {
        ProcessStatus {
            threads: 1,
            uid: [1000; 4],
            no_new_privs,
            seccomp: match filters {
                0 => SeccompMode::Disabled,
                _ => SeccompMode::Filter,
            },
            filters: Some(filters),
            inheritable: 0,
            permitted: capabilities,
            effective: 0,
            bounding: 0,
            ambient: 0,
        }
    }

    fn claim(level: SandboxLevel, landlock_abi: Option<u32>, seccomp: bool) -> Confinement {
        Confinement {
            level,
            landlock_abi,
            seccomp,
        }
    }

    #[test]
    fn a_claim_is_true_when_the_kernel_agrees() {
        let daemon = status(true, 0, 0);
        let check = |claim, its: &ProcessStatus, expected| {
            assert_eq!(is_true(&claim, its, &daemon), expected, "{claim:?} {its:?}");
        };
        let confined = status(true, 1, 0);
        check(claim(SandboxLevel::Full, Some(7), true), &confined, true);
        check(claim(SandboxLevel::Partial, None, true), &confined, true);
        check(
            claim(SandboxLevel::Partial, Some(1), false),
            &confined,
            true,
        );
        check(claim(SandboxLevel::None, None, false), &confined, true);
        check(
            claim(SandboxLevel::None, None, false),
            &status(false, 0, 1),
            true,
        );

        // The level is not what the walls make.
        check(claim(SandboxLevel::Full, None, true), &confined, false);
        check(claim(SandboxLevel::Full, Some(0), true), &confined, false);
        check(
            claim(SandboxLevel::Partial, Some(7), true),
            &confined,
            false,
        );
        check(claim(SandboxLevel::Partial, None, false), &confined, false);
        // The kernel knows of no filter, of a capability, of a way to more.
        let full = claim(SandboxLevel::Full, Some(7), true);
        check(full, &status(true, 0, 0), false);
        check(full, &status(true, 1, 1), false);
        check(full, &status(false, 1, 0), false);
        let landlock = claim(SandboxLevel::Partial, Some(7), false);
        check(landlock, &status(false, 0, 0), false);
    }

    #[test]
    fn a_filter_that_the_daemon_has_itself_is_not_the_workers() {
        let full = claim(SandboxLevel::Full, Some(7), true);
        let daemon = status(true, 2, 0);
        assert!(!is_true(&full, &status(true, 2, 0), &daemon));
        assert!(is_true(&full, &status(true, 3, 0), &daemon));
    }
}
