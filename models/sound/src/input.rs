//! The bytes that a container is read from: a file, a buffer or a stream, with one face.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use symphonia::core::io::MediaSource;

/// What can be read and sought and may move to another thread.
pub(crate) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

enum Backing {
    Stream(Box<dyn Read + Send>),
    Seekable {
        inner: Box<dyn ReadSeek>,
        length: u64,
    },
}

/// What the reader's owner can still see once the decoder holds the reader.
#[derive(Default)]
pub(crate) struct Watch {
    /// Where the reader stands, in bytes from the start.
    position: AtomicU64,
    /// The first error that the system reported; some readers take one for the end of the file.
    failure: Mutex<Option<io::Error>>,
}

impl Watch {
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Bytes with a position, bytes put back for another look, and an offset that counts as the start
/// (behind a tag that was skipped).
pub(crate) struct Input {
    backing: Backing,
    /// Bytes of a stream that were looked at and not yet taken.
    put_back: Vec<u8>,
    put_back_used: usize,
    start: u64,
    watch: Arc<Watch>,
}

impl Input {
    pub(crate) fn stream(reader: Box<dyn Read + Send>) -> Input {
        Input::new(Backing::Stream(reader))
    }

    pub(crate) fn seekable(mut inner: Box<dyn ReadSeek>) -> io::Result<Input> {
        let length = inner.seek(SeekFrom::End(0))?;
        inner.seek(SeekFrom::Start(0))?;
        Ok(Input::new(Backing::Seekable { inner, length }))
    }

    fn new(backing: Backing) -> Input {
        Input {
            backing,
            put_back: Vec::new(),
            put_back_used: 0,
            start: 0,
            watch: Arc::default(),
        }
    }

    pub(crate) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// The whole length in bytes from the start, where it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.backing {
            Backing::Stream(_) => None,
            Backing::Seekable { length, .. } => Some(length.saturating_sub(self.start)),
        }
    }

    pub(crate) fn can_seek(&self) -> bool {
        matches!(self.backing, Backing::Seekable { .. })
    }

    /// Where the next byte stands, counted from the start.
    pub(crate) fn position(&self) -> u64 {
        self.watch.position()
    }

    /// Makes the present position the start.
    pub(crate) fn start_here(&mut self) {
        self.start += self.watch.position.swap(0, Ordering::Relaxed);
    }

    /// Reads until `buffer` is full or the input ends; how much was read.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// The next bytes, up to `count`, which stay to be read.
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let position = self.position();
        let mut bytes = vec![0; count];
        let filled = self.fill(&mut bytes)?;
        bytes.truncate(filled);
        if self.can_seek() {
            self.seek(SeekFrom::Start(position))?;
        } else {
            let mut kept = bytes.clone();
            kept.extend_from_slice(&self.put_back[self.put_back_used..]);
            self.put_back = kept;
            self.put_back_used = 0;
            self.watch.position.store(position, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// Passes over `count` bytes; `false` where the input ends before.
    pub(crate) fn skip(&mut self, count: u64) -> io::Result<bool> {
        if let Some(length) = self.length() {
            let target = self.position().saturating_add(count);
            self.seek(SeekFrom::Start(target.min(length)))?;
            return Ok(target <= length);
        }
        let mut left = count;
        let mut scratch = [0; 4096];
        while left > 0 {
            let want = usize::try_from(left).map_or(scratch.len(), |l| l.min(scratch.len()));
            match self.read(&mut scratch[..want])? {
                0 => return Ok(false),
                count => left -= count as u64,
            }
        }
        Ok(true)
    }

    fn read_once(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting = &self.put_back[self.put_back_used..];
        if !waiting.is_empty() {
            let count = waiting.len().min(buffer.len());
            buffer[..count].copy_from_slice(&waiting[..count]);
            self.put_back_used += count;
            return Ok(count);
        }
        match &mut self.backing {
            Backing::Stream(reader) => reader.read(buffer),
            Backing::Seekable { inner, .. } => inner.read(buffer),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.read_once(buffer) {
                Ok(count) => {
                    self.watch
                        .position
                        .fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let copy = io::Error::new(error.kind(), error.to_string());
                    self.watch
                        .failure
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                    return Err(copy);
                }
            }
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let now = self.position();
        let Backing::Seekable { inner, length } = &mut self.backing else {
            return Err(ErrorKind::Unsupported.into());
        };
        let length = length.saturating_sub(self.start);
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => now.checked_add_signed(delta),
            SeekFrom::End(delta) => length.checked_add_signed(delta),
        };
        let target = target.ok_or(ErrorKind::InvalidInput)?;
        let absolute = target
            .checked_add(self.start)
            .ok_or(ErrorKind::InvalidInput)?;
        inner.seek(SeekFrom::Start(absolute))?;
        self.watch.position.store(target, Ordering::Relaxed);
        Ok(target)
    }
}

/// An [`Input`] as symphonia wants it: shareable between threads, which the lock gives without
/// ever being taken.
pub(crate) struct Media {
    input: Mutex<Input>,
    seekable: bool,
    length: Option<u64>,
}

impl Media {
    /// `seekable` may be turned off to keep a reader from looking ahead.
    pub(crate) fn new(input: Input, seekable: bool) -> Media {
        Media {
            seekable: seekable && input.can_seek(),
            length: input.length(),
            input: Mutex::new(input),
        }
    }

    fn input(&mut self) -> &mut Input {
        self.input.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Media {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input().read(buffer)
    }
}

impl Seek for Media {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if !self.seekable {
            return Err(ErrorKind::Unsupported.into());
        }
        self.input().seek(to)
    }
}

impl MediaSource for Media {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        self.length.filter(|_| self.seekable)
    }
}
