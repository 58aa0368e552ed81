//! Messages between daemon and worker.

use std::fmt::Debug;

use earnest_channel::{
    DecodeError, Decoder, Due, Encoding, Exchange, FromWorker, Job, LiveTask, Message, ReadError,
    SoundKind, Task, ToWorker, Tuning, encode, read,
};
use earnest_transcript::Phrase;

/// Reads `data` as a stream of messages, in the way that its first byte says:
///
/// - `d`: of the daemon's.
/// - `w`: of a worker's.
/// - `e`: of a worker's at a job. The next byte says which job (see `job`); what follows are
///   frames, and before each a byte that says what the daemon sends first: sound, a tuning, an
///   end.
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
    let task = match byte >> 3 & 7 {
        0 => Task::Transcribe { words: false },
        1 => Task::Transcribe { words: true },
        // What is live is raw.
        4.. if kind != SoundKind::Container => Task::Live(LiveTask {
            silence: 700,
            text: byte & 8 != 0,
            partials: byte & 16 != 0,
            words: false,
        }),
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
    let mut tunings = 0;
    let mut live = match job.task {
        Task::Live(task) => Some(Live::of(task)),
        Task::Transcribe { .. } | Task::Activity => None,
    };
    while let Some((&order, rest)) = script.split_first() {
        match order {
            0xFF => exchange.end(),
            0xFE => exchange.abandon(),
            0xF0..=0xFD => {
                tunings += 1;
                let tuning = tuning(order, tunings);
                exchange.tune(&tuning);
                if let Some(live) = &mut live {
                    live.tune(tuning);
                }
            }
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
        let due = match exchange.answer(&answer, before - script.len()) {
            Ok(due) => due,
            // The daemon ends such a worker and hears no more of it.
            Err(misbehaviour) => return drop(misbehaviour.to_string()),
        };
        assert!(!was_over, "something came after the last word");
        if let Some(live) = &mut live {
            live.take(&answer, due);
            continue;
        }
        assert_eq!(due, Due::Now, "only what is live is tuned");
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

/// The tuning that an order stands for.
fn tuning(order: u8, generation: u32) -> Tuning {
    Tuning {
        generation,
        text: order & 1 == 0,
        phrases: vec![Phrase::command("stop"); usize::from(order >> 1 & 3)],
    }
}

/// What passes of a live job: utterances one after the other, and text for who wants it.
struct Live {
    task: LiveTask,
    /// Whether text is wanted, and whether it ever was.
    text: (bool, bool),
    /// Phrases by generation, from the first on.
    phrases: Vec<usize>,
    /// Where the utterance under way began, and how far it was heard.
    utterance: Option<(u64, u64)>,
    latest: u64,
}

impl Live {
    fn of(task: LiveTask) -> Live {
        Live {
            task,
            text: (task.text, task.text),
            phrases: Vec::new(),
            utterance: None,
            latest: 0,
        }
    }

    fn tune(&mut self, tuning: Tuning) {
        self.text = (tuning.text, self.text.1 || tuning.text);
        self.phrases.push(tuning.phrases.len());
    }

    fn take(&mut self, answer: &FromWorker, due: Due) {
        match answer {
            FromWorker::SpeechStarted { at } => {
                assert!(self.utterance.is_none() && at.0 >= self.latest);
                self.utterance = Some((at.0, at.0));
            }
            FromWorker::Partial(partial) => {
                self.wanted(due);
                assert!(self.task.partials);
                let (start, heard) = self.utterance.expect("it began");
                assert!(partial.start.0 == start && partial.at.0 >= heard);
                self.utterance = Some((start, partial.at.0));
            }
            FromWorker::Segment(segment) => {
                self.wanted(due);
                assert!(segment.words.is_empty());
                let (start, _) = self.utterance.expect("it began");
                assert_eq!(segment.start.0, start);
                // Nothing but the end comes behind it.
                self.utterance = Some((start, u64::MAX));
            }
            FromWorker::SpeechStopped { at } => {
                let (start, _) = self.utterance.take().expect("it began");
                assert!(at.0 >= start);
                self.latest = at.0;
            }
            FromWorker::Spotted(spotted) => {
                let list = usize::try_from(spotted.generation).expect("it is in memory");
                assert!((1..=self.phrases.len()).contains(&list), "it was sent");
                let in_list = usize::from(spotted.phrase) < self.phrases[list - 1];
                assert!(in_list || due == Due::NoMore);
            }
            FromWorker::Finished(_) => assert!(self.utterance.is_none()),
            FromWorker::Activity { .. } => panic!("a stretch was told unasked"),
            _ => {}
        }
    }

    fn wanted(&self, due: Due) {
        let (now, ever) = self.text;
        assert!(ever, "words were told unasked");
        assert!(now || due == Due::NoMore, "words were told too late");
    }
}
