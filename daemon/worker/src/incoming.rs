//! A job's sound, as the messages bring it.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use earnest_channel::{FromWorker, Job, ReadError, Task, ToWorker, Tuning};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

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

/// What messages come and go by.
pub(crate) trait Socket: Read + Write + Send + 'static {
    /// Whether something has come that was not read.
    fn has_more(&self) -> bool;
}

impl Socket for UnixStream {
    fn has_more(&self) -> bool {
        let mut asked = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        // Where the question fails, the next read tells why.
        poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
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
    /// What is wanted from here on, if that has changed.
    tuning: Option<Tuning>,
    /// Whether the job at hand is a live one.
    is_live: bool,
    /// Of the job at hand.
    end: Option<End>,
}

impl<S> Clone for Incoming<S> {
    fn clone(&self) -> Incoming<S> {
        Incoming(Arc::clone(&self.0))
    }
}

impl<S: Socket> Incoming<S> {
    pub(crate) fn new(socket: S) -> Incoming<S> {
        Incoming(Arc::new(Mutex::new(State {
            socket,
            piece: Vec::new(),
            read: 0,
            tuning: None,
            is_live: false,
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
                    state.tuning = None;
                    state.is_live = matches!(job.task, Task::Live(_));
                    state.end = None;
                    return Some(job);
                }
                // What was on its way when the last job ended.
                Ok(Some(
                    ToWorker::Sound(_)
                    | ToWorker::EndOfSound
                    | ToWorker::Abandon
                    | ToWorker::Tune(_),
                )) => {}
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

    /// What is wanted of the sound from here on, where that has changed. Reading stops at each
    /// change with an error of kind `Interrupted`, after which it may go on.
    pub(crate) fn tuning(&self) -> Option<Tuning> {
        self.state().tuning.take()
    }

    /// Whether more sound has come than was read, or something else.
    pub(crate) fn has_more(&self) -> bool {
        let state = self.state();
        state.read < state.piece.len() || state.socket.has_more()
    }

    /// Why the job's sound ended, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.state().end
    }
}

/// The bytes of a job's sound. Their end is that of the sound, or of whoever wanted it: the
/// decoder sees an error then, and [`Incoming::end`] tells them apart.
pub(crate) struct Sound<S>(Incoming<S>);

impl<S: Socket> Read for Sound<S> {
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
                Ok(Some(ToWorker::Tune(tuning))) if state.is_live => {
                    state.tuning = Some(tuning);
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Ok(Some(ToWorker::EndOfSound)) => state.end = Some(End::Sound),
                Ok(Some(ToWorker::Abandon)) => state.end = Some(End::Abandoned),
                Ok(Some(ToWorker::Begin(_) | ToWorker::Tune(_)) | None) | Err(_) => {
                    state.end = Some(End::Daemon);
                }
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

    use earnest_channel::{Encoding, Failure, LiveTask, SoundKind, encode};
    use earnest_transcript::Phrase;

    use super::*;

    /// A socket of which both directions are in memory.
    pub(crate) struct Pipe {
        pub(crate) incoming: Cursor<Vec<u8>>,
        pub(crate) said: Arc<Mutex<Vec<u8>>>,
        /// Whether it comes no faster than it is read.
        pub(crate) keeps_pace: bool,
    }

    impl Pipe {
        pub(crate) fn of(messages: &[ToWorker]) -> Pipe {
            let frames = messages.iter().flat_map(|message| encode(message).unwrap());
            Pipe {
                incoming: Cursor::new(frames.collect()),
                said: Arc::default(),
                keeps_pace: false,
            }
        }
    }

    impl Socket for Pipe {
        fn has_more(&self) -> bool {
            !self.keeps_pace && self.incoming.position() < self.incoming.get_ref().len() as u64
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

    const LIVE: Job = Job {
        kind: SoundKind::Raw {
            rate: 16_000,
            channels: 1,
            encoding: Encoding::S16Le,
        },
        task: Task::Live(LiveTask {
            silence: 700,
            text: true,
            partials: true,
            words: false,
        }),
    };

    fn tune(generation: u32) -> ToWorker {
        ToWorker::Tune(Tuning {
            generation,
            text: false,
            phrases: vec![Phrase::command("stop")],
        })
    }

    #[test]
    fn a_tuning_stops_the_reading_in_its_place() {
        let messages = [
            ToWorker::Begin(LIVE),
            sound(b"before"),
            tune(1),
            tune(2),
            sound(b"behind"),
            tune(3),
            ToWorker::Begin(LIVE),
        ];
        let incoming = Incoming::new(Pipe::of(&messages));
        incoming.next_job().unwrap();
        let (mut stream, mut heard) = (incoming.sound(), Vec::new());
        let mut generations = Vec::new();
        loop {
            let mut bytes = [0; 4];
            match stream.read(&mut bytes) {
                Ok(count) => heard.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    let tuning = incoming.tuning().unwrap();
                    generations.push((tuning.generation, heard.len()));
                    assert_eq!(incoming.tuning(), None);
                }
                Err(_) => break,
            }
        }
        assert_eq!(heard, b"beforebehind");
        assert_eq!(generations, [(1, 6), (2, 6), (3, 12)]);
    }

    #[test]
    fn the_next_job_heeds_no_tuning_of_the_one_before() {
        let messages = [
            ToWorker::Begin(LIVE),
            tune(1),
            tune(2),
            ToWorker::Begin(LIVE),
            ToWorker::EndOfSound,
        ];
        let incoming = Incoming::new(Pipe::of(&messages));
        incoming.next_job().unwrap();
        let read = incoming.sound().read(&mut [0; 4]);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::Interrupted);
        incoming.next_job().unwrap();
        assert_eq!(incoming.tuning(), None);
        assert_eq!(incoming.sound().read(&mut [0; 4]).unwrap(), 0);
    }

    #[test]
    fn who_tunes_what_is_not_live_is_not_the_daemon() {
        let messages = [ToWorker::Begin(JOB), tune(1), sound(b"x")];
        let incoming = Incoming::new(Pipe::of(&messages));
        incoming.next_job().unwrap();
        let read = incoming.sound().read(&mut [0; 4]);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(incoming.end(), Some(End::Daemon));
    }

    #[test]
    fn a_socket_tells_whether_more_has_come() {
        let (mut daemon, worker) = UnixStream::pair().unwrap();
        let incoming = Incoming::new(worker);
        earnest_channel::write(&mut daemon, &ToWorker::Begin(LIVE)).unwrap();
        incoming.next_job().unwrap();
        assert!(!incoming.has_more());
        earnest_channel::write(&mut daemon, &sound(b"abcd")).unwrap();
        assert!(incoming.has_more());
        let mut bytes = [0; 2];
        incoming.sound().read_exact(&mut bytes).unwrap();
        assert!(incoming.has_more(), "half of the piece is left");
        incoming.sound().read_exact(&mut bytes).unwrap();
        assert!(!incoming.has_more());
        drop(daemon);
        assert!(incoming.has_more(), "the end is something, too");
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
