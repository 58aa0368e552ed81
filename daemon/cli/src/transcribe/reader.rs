//! Who reads: the daemon where one runs, else this process.

use super::engine::Engine;
use super::remote::Remote;
use crate::arguments::{By, Size};
use crate::daemon::{Daemon, DaemonError};

/// Who reads.
pub(super) enum Reader {
    /// The daemon.
    Daemon(Remote),
    /// This process; with the models once they are loaded.
    Here(Option<Box<Engine>>),
}

impl Reader {
    /// Finds out who reads, by what the command line allows and by whether a daemon is there.
    /// One that is there and closed, or that may not be asked, is an error and not passed over.
    pub(super) fn choose(by: &By, size: Option<Size>) -> Result<Reader, DaemonError> {
        let (socket, must) = match by {
            By::Here => return Ok(Reader::Here(None)),
            By::Daemon(socket) => (socket, true),
            By::Either(socket) => (socket, false),
        };
        let daemon = Daemon::at(socket)?;
        match daemon.ask(daemon.client().is_up()) {
            Ok(true) => Remote::new(daemon, size).map(Reader::Daemon),
            Ok(false) => Err(DaemonError::Closed),
            Err(DaemonError::Absent { .. }) if !must => Ok(Reader::Here(None)),
            Err(error) => Err(error),
        }
    }

    /// What reads, which whoever takes it puts back.
    pub(super) fn take(&mut self) -> Reader {
        std::mem::replace(self, Reader::Here(None))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::thread;

    use super::*;

    fn nobody() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("earnest.sock");
        (folder, socket)
    }

    /// Answers every question with this, until it is told to go.
    fn daemon(answer: &'static str) -> (tempfile::TempDir, PathBuf) {
        let (folder, socket) = nobody();
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        (folder, socket)
    }

    const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
                        content-length: 17\r\n\r\n{\"status\":\"down\"}";
    const UP: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\
                      content-length: 15\r\n\r\n{\"status\":\"up\"}";

    #[test]
    fn without_a_daemon_it_is_read_here_unless_one_must_read() {
        let (_folder, socket) = nobody();
        let here = Reader::choose(&By::Either(socket.clone()), None).unwrap();
        assert!(matches!(here, Reader::Here(None)));
        let absent = Reader::choose(&By::Daemon(socket), None).err();
        assert!(matches!(absent, Some(DaemonError::Absent { .. })));
    }

    #[test]
    fn a_daemon_that_is_closed_is_not_gone_around() {
        let (_folder, socket) = daemon(DOWN);
        let closed = Reader::choose(&By::Either(socket.clone()), None).err();
        assert!(matches!(closed, Some(DaemonError::Closed)));
        let told = Reader::choose(&By::Here, None).unwrap();
        assert!(matches!(told, Reader::Here(None)));
    }

    #[test]
    fn a_daemon_that_is_open_reads() {
        let (_folder, socket) = daemon(UP);
        let reader = Reader::choose(&By::Either(socket), None).unwrap();
        assert!(matches!(reader, Reader::Daemon(_)));
    }
}
