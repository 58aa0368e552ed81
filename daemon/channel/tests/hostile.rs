//! What the decoder takes and what it refuses: examples, and properties over any bytes.

use earnest_channel::{
    Confinement, DecodeError, Decoder, Encoding, Failure, Flaw, FromWorker, HEARD_SAMPLES, Hello,
    Job, LiveTask, MAX_ANSWER_BYTES, MAX_LIVE_SILENCE, MAX_MILLISECONDS, MAX_PHRASE_BYTES,
    MAX_PHRASES, MAX_SOUND_BYTES, MAX_TEXT_BYTES, MAX_TOKENS, MIN_LIVE_SILENCE, Message,
    OutOfBounds, Partial, ReadError, Report, SoundFault, SoundKind, Spotted, Task, ToWorker,
    Tuning, VERSION, encode, read, write,
};
use earnest_evidence::measured::SandboxLevel;
use earnest_transcript::{Milliseconds, Phrase, Segment, Word};
use proptest::prelude::*;

fn segment(start: u64, end: u64, text: &str) -> Segment {
    Segment {
        start: Milliseconds(start),
        end: Milliseconds(end),
        text: text.to_owned(),
        tokens: vec![3, 32_767],
        avg_logprob: -0.25,
        compression_ratio: 1.1,
        no_speech_prob: 0.01,
        words: Vec::new(),
    }
}

fn word(start: u64, end: u64, text: &str) -> Word {
    Word {
        text: text.to_owned(),
        start: Milliseconds(start),
        end: Milliseconds(end),
        probability: 0.9,
    }
}

fn hello() -> Hello {
    Hello {
        version: VERSION,
        sandbox: Confinement {
            level: SandboxLevel::Full,
            landlock_abi: Some(7),
            seccomp: true,
        },
        kernels: "avx512-vnni".parse().expect("it is a name"),
    }
}

fn partial(stable: &str, tentative: &str) -> Partial {
    Partial {
        start: Milliseconds(100),
        at: Milliseconds(900),
        stable: stable.to_owned(),
        tentative: tentative.to_owned(),
    }
}

/// A live job that keeps to its bounds.
const LIVE: LiveTask = LiveTask {
    silence: 700,
    text: true,
    partials: true,
    words: false,
};

/// One of each that a worker says.
fn answers() -> Vec<FromWorker> {
    let at = Milliseconds(MAX_MILLISECONDS);
    let mut worded = segment(0, 900, "Hello, you.");
    worded.words = vec![word(0, 400, "Hello,"), word(400, 900, "you.")];
    let report = Report {
        samples: 16_000,
        speech: 16_000,
        skipped: 1,
        flaw: Some(Flaw::Truncated),
        shape: Some(u64::MAX),
    };
    vec![
        FromWorker::Hello(hello()),
        FromWorker::Ready,
        FromWorker::SpeechStarted { at },
        FromWorker::Segment(worded),
        FromWorker::Activity {
            start: Milliseconds(MAX_MILLISECONDS - 1),
            end: at,
        },
        FromWorker::Heard {
            samples: HEARD_SAMPLES,
        },
        FromWorker::Finished(report),
        FromWorker::Failed(Failure::Sound(SoundFault::SampleRate { found: u64::MAX })),
        FromWorker::Partial(partial("Hello,", " you")),
        FromWorker::Partial(partial(&"a".repeat(MAX_TEXT_BYTES), "")),
        FromWorker::SpeechStopped { at },
        FromWorker::Spotted(Spotted {
            generation: u32::MAX,
            phrase: u16::MAX,
            at,
        }),
    ]
}

/// One of each that the daemon says.
fn orders() -> Vec<ToWorker> {
    let kind = SoundKind::Raw {
        rate: u32::MAX,
        channels: u16::MAX,
        encoding: Encoding::F32Le,
    };
    vec![
        ToWorker::Begin(Job {
            kind,
            task: Task::Transcribe { words: true },
        }),
        ToWorker::Begin(Job {
            kind,
            task: Task::Activity,
        }),
        ToWorker::Sound(vec![255; MAX_SOUND_BYTES]),
        ToWorker::EndOfSound,
        ToWorker::Abandon,
        ToWorker::Begin(Job {
            kind,
            task: Task::Live(LIVE),
        }),
        tune(&[]),
        tune(&["stop", "hey earnest"]),
        tune(&[&*"a".repeat(MAX_PHRASE_BYTES); MAX_PHRASES]),
    ]
}

fn tune(phrases: &[&str]) -> ToWorker {
    ToWorker::Tune(Tuning {
        generation: u32::MAX,
        text: true,
        phrases: phrases.iter().copied().map(Phrase::waking).collect(),
    })
}

/// Decodes `bytes` in pieces of `size`.
fn decode<M: Message>(bytes: &[u8], size: usize) -> Result<Vec<M>, DecodeError> {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for mut piece in bytes.chunks(size) {
        while let Some(message) = decoder.push(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty(), "it takes all that it is given");
    }
    Ok(messages)
}

fn frame(contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).expect("it is short");
    [&length.to_le_bytes()[..], contents].concat()
}

#[test]
fn every_message_comes_out_as_it_went_in_whatever_the_pieces() {
    let stream: Vec<u8> = answers()
        .iter()
        .flat_map(|answer| encode(answer).expect("it keeps to its bounds"))
        .collect();
    for size in [1, 2, 3, 5, 7, 64, stream.len()] {
        assert_eq!(decode(&stream, size), Ok(answers()), "pieces of {size}");
    }
    let stream: Vec<u8> = orders()
        .iter()
        .flat_map(|order| encode(order).expect("it keeps to its bounds"))
        .collect();
    for size in [1, 1_000, stream.len()] {
        assert_eq!(decode(&stream, size), Ok(orders()), "pieces of {size}");
    }
}

#[test]
fn reading_takes_one_frame_at_a_time_and_knows_the_end() {
    let mut stream = Vec::new();
    for order in orders() {
        write(&mut stream, &order).expect("memory takes all");
    }
    let mut left = &stream[..];
    for order in orders() {
        assert_eq!(read(&mut left).expect("it is a message"), Some(order));
    }
    assert!(read::<ToWorker>(&mut left).expect("it ended").is_none());
    // The end within a frame is an error.
    for length in [1, 4, 5, 6] {
        let cut = read::<ToWorker>(&mut &stream[..length]);
        assert!(matches!(cut, Err(ReadError::Io(_))), "{length}: {cut:?}");
    }
}

#[test]
fn a_length_is_refused_before_its_bytes_have_come() {
    let check = |start: &[u8], expected: DecodeError| {
        let decoded = decode::<FromWorker>(start, 1);
        assert_eq!(decoded, Err(expected));
        match read::<FromWorker>(&mut &start[..]) {
            Err(ReadError::Decode(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    };
    check(&[0, 0, 0, 0, 0], DecodeError::Empty);
    check(&[1, 0, 0, 0, 11], DecodeError::Kind { found: 11 });
    check(&[1, 0, 0, 0, 255], DecodeError::Kind { found: 255 });
    let long = |kind, most, found| DecodeError::Long { kind, most, found };
    check(&[255, 255, 255, 255, 1], long(1, 96, u32::MAX));
    check(&[97, 0, 0, 0, 2], long(2, 96, 97));
    check(&[1, 128, 0, 0, 3], long(3, MAX_ANSWER_BYTES, 32_769));
    check(&[1, 128, 0, 0, 8], long(8, MAX_ANSWER_BYTES, 32_769));
    check(&[97, 0, 0, 0, 9], long(9, 96, 97));
    check(&[97, 0, 0, 0, 10], long(10, 96, 97));
}

#[test]
fn the_first_error_is_the_last_word() {
    let mut decoder = Decoder::<FromWorker>::new();
    let mut bad = &[0, 0, 0, 0][..];
    assert_eq!(decoder.push(&mut bad), Err(DecodeError::Empty));
    let good = encode(&FromWorker::Ready).expect("it keeps to its bounds");
    assert_eq!(decoder.push(&mut &good[..]), Err(DecodeError::Empty));
}

#[test]
fn contents_that_are_no_message_are_refused() {
    let check = |contents: &[u8]| {
        let kind = contents[0];
        let decoded = decode::<FromWorker>(&frame(contents), 64);
        assert_eq!(decoded, Err(DecodeError::Contents { kind }), "{contents:?}");
    };
    // A byte too many, a byte too few, a number of eleven bytes.
    check(&[1, 0]);
    check(&[2]);
    check(&[2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    // A segment that claims a text of 2^63 bytes, and a list of as many tokens.
    check(&[3, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 127]);
    check(&[3, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 127]);
    // A text that is not UTF-8, a level and a name that there are not.
    check(&[3, 0, 0, 1, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    check(&[0, 1, 3, 0, 1, 1, b'a']);
    check(&[0, 1, 2, 0, 1, 1, b'A']);
    check(&[0, 1, 2, 0, 1, 0]);
}

/// What is beyond its bounds is refused by both sides: by the one that would send it, and by
/// the one that gets it from somebody without scruples.
fn refuse(answer: &FromWorker, what: &'static str) {
    let Err(earnest_channel::EncodeError::OutOfBounds(found)) = encode(answer) else {
        panic!("{answer:?} was sent");
    };
    let named = match found {
        OutOfBounds::Length { what, .. }
        | OutOfBounds::Range { what }
        | OutOfBounds::Time { what, .. }
        | OutOfBounds::Control { what } => what,
    };
    assert_eq!(named, what, "{answer:?}");
    let contents = postcard::to_extend(answer, Vec::new()).expect("postcard has no bounds");
    if contents.len() <= MAX_ANSWER_BYTES {
        let decoded = decode::<FromWorker>(&frame(&contents), 4_096);
        assert_eq!(decoded, Err(DecodeError::OutOfBounds(found)));
    }
}

#[test]
fn what_no_honest_worker_says_is_refused() {
    let check = |change: fn(&mut Segment), what| {
        let mut changed = segment(100, 900, "Hello.");
        changed.words = vec![word(100, 400, "Hello,"), word(400, 900, "you.")];
        change(&mut changed);
        refuse(&FromWorker::Segment(changed), what);
    };
    check(|it| it.end = Milliseconds(99), "a segment's end");
    check(|it| it.end.0 = MAX_MILLISECONDS + 1, "a segment's end");
    check(|it| it.start.0 = u64::MAX, "a segment's start");
    check(|it| it.text = "a\nb".to_owned(), "a segment's text");
    check(|it| it.text = "a\u{9b}2J".to_owned(), "a segment's text");
    check(
        |it| it.text = "a".repeat(MAX_TEXT_BYTES + 1),
        "a segment's text",
    );
    check(|it| it.tokens = vec![0; MAX_TOKENS + 1], "tokens");
    check(|it| it.avg_logprob = f32::NAN, "avg_logprob");
    check(|it| it.avg_logprob = f32::NEG_INFINITY, "avg_logprob");
    check(|it| it.avg_logprob = 0.5, "avg_logprob");
    check(|it| it.compression_ratio = -1.0, "compression_ratio");
    check(
        |it| it.compression_ratio = f32::INFINITY,
        "compression_ratio",
    );
    check(|it| it.no_speech_prob = 1.5, "no_speech_prob");
    check(|it| it.words[0].start.0 = 99, "a word's start");
    check(|it| it.words[1].start.0 = 99, "a word's start");
    check(|it| it.words[1].end.0 = 901, "a word's end");
    check(|it| it.words[0].end.0 = 99, "a word's end");
    check(|it| it.words[0].text = "\u{1b}".to_owned(), "a word");
    check(
        |it| it.words[0].probability = f32::NAN,
        "a word's probability",
    );
    check(
        |it| it.words = vec![word(100, 900, ""); MAX_TOKENS + 1],
        "words",
    );
    let long = |it: &mut Segment| it.words = vec![word(100, 900, &"a".repeat(4_097)); 2];
    check(long, "bytes of words");

    let at = Milliseconds(MAX_MILLISECONDS + 1);
    refuse(&FromWorker::SpeechStarted { at }, "speech");
    let samples = MAX_MILLISECONDS * 16 + 1;
    refuse(&FromWorker::Heard { samples }, "the number of samples");
    let report = |samples, speech| {
        FromWorker::Finished(Report {
            samples,
            speech,
            skipped: 0,
            flaw: None,
            shape: None,
        })
    };
    refuse(&report(samples, 0), "the number of samples");
    refuse(&report(16_000, 16_001), "the samples within speech");

    let stretch = |start, end| FromWorker::Activity {
        start: Milliseconds(start),
        end: Milliseconds(end),
    };
    refuse(&stretch(100, 99), "a stretch's end");
    refuse(&stretch(100, 100), "a stretch's end");
    refuse(&stretch(100, MAX_MILLISECONDS + 1), "a stretch's end");
    refuse(&stretch(MAX_MILLISECONDS, u64::MAX), "a stretch's start");
    refuse(&stretch(u64::MAX, u64::MAX), "a stretch's start");
}

#[test]
fn what_no_honest_worker_says_while_it_listens_is_refused() {
    let check = |change: fn(&mut Partial), what| {
        let mut changed = partial("Hello,", " you");
        change(&mut changed);
        refuse(&FromWorker::Partial(changed), what);
    };
    check(|it| it.at = Milliseconds(99), "a partial's end");
    check(|it| it.at.0 = MAX_MILLISECONDS + 1, "a partial's end");
    check(|it| it.start.0 = MAX_MILLISECONDS + 1, "a partial's start");
    check(|it| it.stable = "a\nb".to_owned(), "stable text");
    check(|it| it.tentative = "\u{1b}[2J".to_owned(), "tentative text");
    check(
        |it| it.stable = "a".repeat(MAX_TEXT_BYTES + 1),
        "stable text",
    );
    let both = |it: &mut Partial| it.tentative = "a".repeat(MAX_TEXT_BYTES - 5);
    check(both, "bytes of a partial");
    check(|it| *it = partial("", ""), "bytes of a partial");

    let at = Milliseconds(MAX_MILLISECONDS + 1);
    refuse(&FromWorker::SpeechStopped { at }, "the end of speech");
    let spotted = Spotted {
        generation: 1,
        phrase: 1,
        at,
    };
    refuse(&FromWorker::Spotted(spotted), "a phrase");
}

#[test]
fn what_no_honest_daemon_says_is_refused() {
    let check = |order: ToWorker| {
        assert!(encode(&order).is_err(), "{order:?} was sent");
        let contents = postcard::to_extend(&order, Vec::new()).expect("postcard has no bounds");
        let decoded = decode::<ToWorker>(&frame(&contents), 4_096);
        assert!(decoded.is_err(), "{order:?} was taken");
    };
    check(ToWorker::Sound(Vec::new()));
    check(ToWorker::Sound(vec![0; MAX_SOUND_BYTES + 1]));
    for (rate, channels) in [(0, 1), (16_000, 0)] {
        let kind = SoundKind::Raw {
            rate,
            channels,
            encoding: Encoding::S16Le,
        };
        let task = Task::Activity;
        check(ToWorker::Begin(Job { kind, task }));
        let task = Task::Live(LIVE);
        check(ToWorker::Begin(Job { kind, task }));
    }
    check(tune(&[""]));
    check(tune(&["stop\n"]));
    check(tune(&[&"a".repeat(MAX_PHRASE_BYTES + 1)]));
    check(tune(&["stop"; MAX_PHRASES + 1]));
}

#[test]
fn a_live_job_has_raw_sound_and_a_silence_that_ends() {
    let check = |kind, silence, is_sent| {
        let task = Task::Live(LiveTask { silence, ..LIVE });
        let sent = encode(&ToWorker::Begin(Job { kind, task }));
        assert_eq!(sent.is_ok(), is_sent, "{kind:?}, {silence} ms: {sent:?}");
    };
    let raw = SoundKind::Raw {
        rate: 48_000,
        channels: 2,
        encoding: Encoding::F32Le,
    };
    check(raw, MIN_LIVE_SILENCE, true);
    check(raw, MAX_LIVE_SILENCE, true);
    check(raw, MIN_LIVE_SILENCE - 1, false);
    check(raw, MAX_LIVE_SILENCE + 1, false);
    check(SoundKind::Container, 700, false);
}

#[test]
fn words_that_were_said_or_chosen_are_not_in_what_a_log_shows() {
    let shown = format!("{:?} {:?}", partial("SECRET", " SECRET"), tune(&["SECRET"]));
    assert!(!shown.contains("SECRET"), "{shown}");
}

#[test]
fn the_fullest_segment_that_keeps_to_its_bounds_fits_a_frame() {
    let mut full = segment(0, MAX_MILLISECONDS, &"a".repeat(MAX_TEXT_BYTES));
    full.tokens = vec![u32::MAX; MAX_TOKENS];
    let text = "a".repeat(MAX_TEXT_BYTES / MAX_TOKENS);
    full.words = vec![word(MAX_MILLISECONDS, MAX_MILLISECONDS, &text); MAX_TOKENS];
    let answer = FromWorker::Segment(full);
    let sent = encode(&answer).expect("each part keeps to its bounds");
    assert_eq!(decode(&sent, 1_000), Ok(vec![answer]));
}

/// Any message that a side could try to send.
fn any_segment() -> impl Strategy<Value = Segment> {
    let words = prop::collection::vec((0..2_000_u64, 0..500_u64, "\\PC{0,12}"), 0..8);
    (0..5_000_u64, 0..20_000_u64, "\\PC{0,60}", words).prop_map(|(start, span, text, words)| {
        let mut segment = segment(start, start + span, &text);
        segment.words = words
            .iter()
            .map(|(from, span, text)| word(start + from, start + from + span, text))
            .collect();
        segment
    })
}

/// Whatever decodes is a message that could have been sent, and is sent the same way again.
fn survives<M: Message + Clone + PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    size: usize,
) -> Result<(), TestCaseError> {
    let whole = decode::<M>(bytes, bytes.len().max(1));
    let parts = decode::<M>(bytes, size);
    prop_assert_eq!(&whole, &parts);
    for message in whole.unwrap_or_default() {
        let again = encode(&message);
        prop_assert!(again.is_ok(), "{:?}: {:?}", message, again);
        let decoded = decode::<M>(&again.unwrap_or_default(), size);
        prop_assert_eq!(decoded, Ok(vec![message]));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_pieces_make_no_difference(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        size in 1..20_usize,
    ) {
        survives::<FromWorker>(&bytes, size)?;
        survives::<ToWorker>(&bytes, size)?;
    }

    #[test]
    fn any_contents_of_a_frame_are_survived(
        kind in 0..12_u8,
        contents in prop::collection::vec(any::<u8>(), 0..90),
        size in 1..20_usize,
    ) {
        let bytes = frame(&[&[kind][..], &contents].concat());
        survives::<FromWorker>(&bytes, size)?;
        survives::<ToWorker>(&bytes, size)?;
    }

    #[test]
    fn a_damaged_segment_is_survived(
        segment in any_segment(),
        place in any::<prop::sample::Index>(),
        value: u8,
        size in 1..50_usize,
    ) {
        if let Ok(mut bytes) = encode(&FromWorker::Segment(segment)) {
            let at = place.index(bytes.len());
            bytes[at] ^= value;
            survives::<FromWorker>(&bytes, size)?;
        }
    }

    #[test]
    fn reading_and_decoding_agree(
        kind in 0..12_u8,
        contents in prop::collection::vec(any::<u8>(), 0..90),
    ) {
        let bytes = frame(&[&[kind][..], &contents].concat());
        let decoded = decode::<FromWorker>(&bytes, 7).map(|mut messages| messages.pop());
        match read::<FromWorker>(&mut &bytes[..]) {
            Ok(message) => prop_assert_eq!(decoded, Ok(message)),
            Err(ReadError::Decode(error)) => prop_assert_eq!(decoded, Err(error)),
            Err(ReadError::Io(error)) => prop_assert!(false, "{}", error),
        }
    }
}
