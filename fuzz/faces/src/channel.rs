//! Messages between daemon and worker.

use std::fmt::Debug;

use earnest_channel::{
    DecodeError, Decoder, Encoding, Exchange, FromWorker, Job, Message, ReadError, SoundKind, Task,
    ToWorker, encode, read,
};

/// Reads `data` as a stream of messages, in the way that its first byte says:
///
/// - `d`: of the daemon's.
/// - `w`: of a worker's.
/// - `e`: of a worker's at a job. The next byte says which job (see `job`); what follows are
///   frames, and before each a byte that says what the daemon sends first.
/// - anything else: all of it, both ways.
///
/// How a stream is cut into pieces makes no difference, the reader and the decoder agree, and
/// whatever is taken could have been sent.
pub fn channel(data: &[u8]) {
    match data.split_first() {
        Some((b'd', stream)) => stream_of::<ToWorker>(stream),
        Some((b'w', stream)) => stream_of::<FromWorker>(stream),
        Some((b'e', script)) => exchange(script),
        _ => {
            stream_of::<ToWorker>(data);
            stream_of::<FromWorker>(data);
        }
    }
}

fn stream_of<M: Message + Clone + PartialEq + Debug>(stream: &[u8]) {
    let (whole, error) = decoded::<M>(stream, stream.len().max(1));
    // Frames are short, so that pieces of few bytes cut every part of one.
    for size in [1, 3, 7] {
        let (parts, at) = decoded::<M>(stream, size);
        assert_eq!((parts, at), (whole.clone(), error));
    }
    agrees(stream, &whole, error);
    for message in &whole {
        let frame = encode(message).expect("what was taken could have been sent");
        let (again, error) = decoded::<M>(&frame, frame.len());
        assert_eq!(
            (again.as_slice(), error),
            (std::slice::from_ref(message), None)
        );
    }
    if let Some(error) = error {
        drop(error.to_string());
    }
}

/// The messages of a stream that comes in pieces of `size`, and what ended them.
fn decoded<M: Message>(stream: &[u8], size: usize) -> (Vec<M>, Option<DecodeError>) {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for mut piece in stream.chunks(size) {
        loop {
            match decoder.push(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(piece.is_empty(), "bytes were left lying");
    }
    (messages, None)
}

/// Holds the reader to what the decoder made of the same bytes. A length is refused a byte
/// later by the reader, which reads it along with the kind.
fn agrees<M: Message + PartialEq + Debug>(
    mut stream: &[u8],
    whole: &[M],
    expected: Option<DecodeError>,
) {
    for message in whole {
        let found = read::<M>(&mut stream).expect("the decoder took it");
        assert_eq!(found.as_ref(), Some(message));
    }
    match (read::<M>(&mut stream), expected) {
        (Err(ReadError::Decode(found)), Some(expected)) => assert_eq!(found, expected),
        (Err(ReadError::Io(_)), Some(expected)) => assert_eq!(expected, DecodeError::Empty),
        (Err(ReadError::Io(_)) | Ok(None), None) => {}
        (found, expected) => panic!("{found:?} and {expected:?}"),
    }
}

/// One of the jobs that a daemon asks for.
fn job(byte: u8) -> Job {
    let encoding = match byte & 1 {
        0 => Encoding::S16Le,
        _ => Encoding::F32Le,
    };
    let kind = match byte >> 1 & 3 {
        0 => SoundKind::Container,
        1 => SoundKind::Raw {
            rate: 1,
            channels: 1,
            encoding,
        },
        2 => SoundKind::Raw {
            rate: 16_000,
            channels: 1,
            encoding,
        },
        _ => SoundKind::Raw {
            rate: u32::MAX,
            channels: u16::MAX,
            encoding,
        },
    };
    let task = match byte >> 3 & 3 {
        0 => Task::Transcribe { words: false },
        1 => Task::Transcribe { words: true },
        _ => Task::Activity,
    };
    Job { kind, task }
}

/// What passes an exchange is in order, in bounds, and ends once.
fn exchange(script: &[u8]) {
    let Some((&first, mut script)) = script.split_first() else {
        return;
    };
    let job = job(first);
    let mut exchange = Exchange::new(job);
    let (mut earliest, mut segments, mut sent) = (0, 0, 0_u64);
    while let Some((&order, rest)) = script.split_first() {
        match order {
            0xFF => exchange.end(),
            0xFE => exchange.abandon(),
            // Sizes of every order of magnitude.
            shift => {
                let bytes = 1_usize << (shift % 40);
                exchange.sound(bytes);
                sent += bytes as u64;
            }
        }
        script = rest;
        let before = script.len();
        let mut decoder = Decoder::<FromWorker>::new();
        let Ok(Some(answer)) = decoder.push(&mut script) else {
            return;
        };
        let was_over = exchange.is_over();
        if let Err(misbehaviour) = exchange.answer(&answer, before - script.len()) {
            // The daemon ends such a worker and hears no more of it.
            return drop(misbehaviour.to_string());
        }
        assert!(!was_over, "something came after the last word");
        let stretch = match answer {
            FromWorker::Segment(segment) => {
                assert_ne!(job.task, Task::Activity, "words were told unasked");
                assert!(job.task.wants_words() || segment.words.is_empty());
                Some((segment.start, segment.end))
            }
            FromWorker::Activity { start, end } => {
                assert_eq!(job.task, Task::Activity, "a stretch was told unasked");
                Some((start, end))
            }
            _ => None,
        };
        if let Some((start, end)) = stretch {
            segments += 1;
            assert!(start.0 >= earliest && end >= start);
            earliest = end.0;
            // At the very least a byte of sound for each that is not free.
            assert!(
                segments <= 16 + 4 * sent,
                "{segments} segments of {sent} bytes"
            );
        }
    }
}
