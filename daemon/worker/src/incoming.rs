//! A job's sound, as the messages bring it.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use earnest_channel::{FromWorker, Job, ReadError, ToWorker};

/// Why there is no more sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// That was all of it.
    Sound,
    /// Nobody wants the rest.
    Abandoned,
    /// The daemon has gone, or said what it never says: nothing is left to do.
    Daemon,
}

/// Both directions of the socket. The decoder of a job reads its sound from a handle on it
/// ([`Incoming::sound`]) while the job's answers are written by another; the two take turns in
/// one thread, so the lock never waits.
pub(crate) struct Incoming<S>(Arc<Mutex<State<S>>>);

struct State<S> {
    socket: S,
    /// What of the last piece has not been read.
    piece: Vec<u8>,
    read: usize,
    /// Of the job at hand.
    end: Option<End>,
}

impl<S> Clone for Incoming<S> {
    fn clone(&self) -> Incoming<S> {
        Incoming(Arc::clone(&self.0))
    }
}

impl<S: Read + Write> Incoming<S> {
    pub(crate) fn new(socket: S) -> Incoming<S> {
        Incoming(Arc::new(Mutex::new(State {
            socket,
            piece: Vec::new(),
            read: 0,
            end: Some(End::Sound),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        // A decoder's panic leaves bytes of its own job behind, which the next one drops.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job, and drops what is left of the one before. None where the daemon
    /// has gone.
    pub(crate) fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        if state.end == Some(End::Daemon) {
            return None;
        }
        loop {
            match earnest_channel::read(&mut state.socket) {
                Ok(Some(ToWorker::Begin(job))) => {
                    state.piece.clear();
                    state.read = 0;
                    state.end = None;
                    return Some(job);
                }
                // What was on its way when the last job ended.
                Ok(Some(ToWorker::Sound(_) | ToWorker::EndOfSound | ToWorker::Abandon)) => {}
                Ok(None) | Err(_) => {
                    state.end = Some(End::Daemon);
                    return None;
                }
            }
        }
    }

    /// Says something.
    pub(crate) fn say(&self, message: &FromWorker) -> io::Result<()> {
        earnest_channel::write(&mut self.state().socket, message)
    }

    /// The job's sound, to be read to its end.
    pub(crate) fn sound(&self) -> Sound<S> {
        Sound(self.clone())
    }

    /// Why the job's sound ended, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.state().end
    }
}

/// The bytes of a job's sound. Their end is that of the sound, or of whoever wanted it: the
/// decoder sees an error then, and [`Incoming::end`] tells them apart.
pub(crate) struct Sound<S>(Incoming<S>);

impl<S: Read + Write> Read for Sound<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        while state.read == state.piece.len() {
            match state.end {
                None => {}
                Some(End::Sound) => return Ok(0),
                Some(End::Abandoned | End::Daemon) => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
            let message: Result<Option<ToWorker>, ReadError> =
                earnest_channel::read(&mut state.socket);
            match message {
                Ok(Some(ToWorker::Sound(piece))) => {
                    state.piece = piece;
                    state.read = 0;
                }
                Ok(Some(ToWorker::EndOfSound)) => state.end = Some(End::Sound),
                Ok(Some(ToWorker::Abandon)) => state.end = Some(End::Abandoned),
                Ok(Some(ToWorker::Begin(_)) | None) | Err(_) => state.end = Some(End::Daemon),
            }
        }
        let left = &state.piece[state.read..];
        let count = left.len().min(out.len());
        out[..count].copy_from_slice(&left[..count]);
        state.read += count;
        Ok(count)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use earnest_channel::{Failure, SoundKind, Task, encode};

    use super::*;

    /// A socket of which both directions are in memory.
    pub(crate) struct Pipe {
        pub(crate) incoming: Cursor<Vec<u8>>,
        pub(crate) said: Arc<Mutex<Vec<u8>>>,
    }

    impl Pipe {
        pub(crate) fn of(messages: &[ToWorker]) -> Pipe {
            let frames = messages.iter().flat_map(|message| encode(message).unwrap());
            Pipe {
                incoming: Cursor::new(frames.collect()),
                said: Arc::default(),
            }
        }
    }

    impl Read for Pipe {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.incoming.read(out)
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.said.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const JOB: Job = Job {
        kind: SoundKind::Container,
        task: Task::Activity,
    };

    fn sound(bytes: &[u8]) -> ToWorker {
        ToWorker::Sound(bytes.to_vec())
    }

    #[test]
    fn sound_is_one_stream_whatever_the_pieces() {
        let messages = [
            ToWorker::Begin(JOB),
            sound(b"one"),
            sound(b" "),
            sound(b"two"),
            ToWorker::EndOfSound,
        ];
        let incoming = Incoming::new(Pipe::of(&messages));
        assert_eq!(incoming.next_job(), Some(JOB));
        let mut heard = Vec::new();
        incoming.sound().read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"one two");
        assert_eq!(incoming.end(), Some(End::Sound));
        assert_eq!(incoming.next_job(), None);
    }

    #[test]
    fn the_next_job_hears_nothing_of_the_one_before() {
        let messages = [
            ToWorker::Begin(JOB),
            sound(b"first, part read"),
            sound(b"and this never"),
            ToWorker::Abandon,
            ToWorker::Begin(JOB),
            sound(b"second"),
            ToWorker::EndOfSound,
        ];
        let incoming = Incoming::new(Pipe::of(&messages));
        incoming.next_job().unwrap();
        let mut start = [0; 5];
        incoming.sound().read_exact(&mut start).unwrap();
        assert_eq!(&start, b"first");
        incoming.say(&FromWorker::Failed(Failure::Speech)).unwrap();
        incoming.next_job().unwrap();
        let mut heard = Vec::new();
        incoming.sound().read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"second");
    }

    #[test]
    fn abandoning_and_a_gone_daemon_end_the_sound_with_an_error() {
        for (last, end) in [
            (vec![ToWorker::Abandon], End::Abandoned),
            (vec![], End::Daemon),
            (vec![ToWorker::Begin(JOB)], End::Daemon),
        ] {
            let mut messages = vec![ToWorker::Begin(JOB), sound(b"x")];
            messages.extend(last);
            let incoming = Incoming::new(Pipe::of(&messages));
            incoming.next_job().unwrap();
            let mut heard = Vec::new();
            let error = incoming.sound().read_to_end(&mut heard).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
            assert_eq!((heard.as_slice(), incoming.end()), (&b"x"[..], Some(end)));
        }
    }
}
