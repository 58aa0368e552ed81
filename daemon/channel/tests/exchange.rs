//! What a worker may answer, given what it was sent.

use earnest_channel::{
    Due, Encoding, Exchange, Failure, FromWorker, HEARD_SAMPLES, Job, Misbehaviour, Report,
    SoundFault, SoundKind, Task,
};
use earnest_transcript::{Milliseconds, Segment, Word};
use proptest::prelude::*;

const TEXT: Task = Task::Transcribe { words: false };

const RAW: Job = Job {
    kind: SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    },
    task: TEXT,
};

const FILE: Job = Job {
    kind: SoundKind::Container,
    task: TEXT,
};

/// Bytes of a second of `RAW`.
const SECOND: usize = 32_000;

fn segment(start: u64, end: u64) -> FromWorker {
    FromWorker::Segment(Segment {
        start: Milliseconds(start),
        end: Milliseconds(end),
        text: "Yes.".to_owned(),
        tokens: Vec::new(),
        avg_logprob: 0.0,
        compression_ratio: 1.0,
        no_speech_prob: 0.0,
        words: Vec::new(),
    })
}

fn started(at: u64) -> FromWorker {
    let at = Milliseconds(at);
    FromWorker::SpeechStarted { at }
}

fn finished(samples: u64) -> FromWorker {
    FromWorker::Finished(Report {
        samples,
        speech: 0,
        skipped: 0,
        flaw: None,
        shape: None,
    })
}

fn after(job: Job, sound: usize) -> Exchange {
    let mut exchange = Exchange::new(job);
    exchange.sound(sound);
    exchange
}

#[test]
fn an_honest_job_passes() {
    let mut exchange = after(RAW, 20 * SECOND);
    assert_eq!(exchange.seconds(), 20);
    let heard = FromWorker::Heard {
        samples: HEARD_SAMPLES,
    };
    for answer in [
        started(100),
        segment(100, 9_000),
        heard,
        segment(9_000, 20_000),
    ] {
        assert_eq!(exchange.answer(&answer, 200), Ok(Due::Now));
    }
    exchange.end();
    assert!(!exchange.is_over());
    assert_eq!(exchange.answer(&finished(320_000), 10), Ok(Due::Now));
    assert!(exchange.is_over());
}

#[test]
fn what_is_out_of_turn_is_told_apart() {
    let check = |exchange: &Exchange, answer: &FromWorker, expected: Misbehaviour| {
        assert_eq!(exchange.clone().answer(answer, 10), Err(expected));
    };
    let mut exchange = after(RAW, 2 * SECOND);
    check(&exchange, &FromWorker::Ready, Misbehaviour::Introduction);
    check(&exchange, &finished(0), Misbehaviour::Early);
    let abandoned = FromWorker::Failed(Failure::Abandoned);
    check(&exchange, &abandoned, Misbehaviour::Abandoned);
    let beyond = |found| Misbehaviour::Beyond {
        latest: 3_000,
        found,
    };
    check(&exchange, &segment(0, 3_001), beyond(3_001));
    check(&exchange, &started(4_000), beyond(4_000));
    let heard = |samples| FromWorker::Heard { samples };
    check(&exchange, &heard(HEARD_SAMPLES - 1), Misbehaviour::Restless);
    check(&exchange, &heard(HEARD_SAMPLES), beyond(10_000));

    assert_eq!(exchange.answer(&segment(500, 1_500), 10), Ok(Due::Now));
    let backwards = |found| Misbehaviour::Backwards {
        earliest: 1_500,
        found,
    };
    check(&exchange, &segment(1_499, 1_600), backwards(1_499));
    check(&exchange, &started(0), backwards(0));

    exchange.end();
    check(&exchange, &finished(3_001 * 16), beyond(3_001));
    let failed = FromWorker::Failed(Failure::Sound(SoundFault::NotSound));
    assert_eq!(exchange.answer(&failed, 10), Ok(Due::Now));
    for answer in [failed, finished(0), segment(1_500, 1_600)] {
        check(&exchange, &answer, Misbehaviour::Late);
    }
}

#[test]
fn a_file_may_end_before_its_bytes_do() {
    let mut exchange = after(FILE, 100);
    assert_eq!(exchange.answer(&finished(3_200_000), 10), Ok(Due::Now));
    assert!(exchange.is_over());
}

#[test]
fn words_are_for_who_asked_for_them() {
    let mut worded = segment(0, 1_000);
    if let FromWorker::Segment(segment) = &mut worded {
        segment.words.push(Word {
            text: "Yes.".to_owned(),
            start: Milliseconds(0),
            end: Milliseconds(900),
            probability: 1.0,
        });
    }
    let mut exchange = after(RAW, SECOND);
    assert_eq!(exchange.answer(&worded, 10), Err(Misbehaviour::Unasked));
    let task = Task::Transcribe { words: true };
    let mut exchange = after(Job { task, ..RAW }, SECOND);
    assert_eq!(exchange.answer(&worded, 10), Ok(Due::Now));
}

#[test]
fn stretches_are_for_who_asked_for_them_and_words_for_nobody_else() {
    let stretch = |start, end| FromWorker::Activity {
        start: Milliseconds(start),
        end: Milliseconds(end),
    };
    let task = Task::Activity;
    let mut exchange = after(Job { task, ..RAW }, 2 * SECOND);
    for unasked in [segment(0, 1_000), started(0)] {
        let answered = exchange.clone().answer(&unasked, 10);
        assert_eq!(answered, Err(Misbehaviour::Unasked));
    }
    assert_eq!(exchange.answer(&stretch(100, 900), 10), Ok(Due::Now));
    let backwards = Misbehaviour::Backwards {
        earliest: 900,
        found: 899,
    };
    let again = exchange.clone().answer(&stretch(899, 1_000), 10);
    assert_eq!(again, Err(backwards));
    let beyond = Misbehaviour::Beyond {
        latest: 3_000,
        found: 3_001,
    };
    let late = exchange.clone().answer(&stretch(900, 3_001), 10);
    assert_eq!(late, Err(beyond));
    assert_eq!(exchange.answer(&stretch(900, 2_000), 10), Ok(Due::Now));
    exchange.end();
    assert_eq!(exchange.answer(&finished(32_000), 10), Ok(Due::Now));

    let answered = after(RAW, SECOND).answer(&stretch(0, 500), 10);
    assert_eq!(answered, Err(Misbehaviour::Unasked));
    // They are counted as segments are.
    let exchange = after(Job { task, ..FILE }, 0);
    let flood = Misbehaviour::Flood {
        what: "segments",
        most: 16,
        found: 17,
    };
    assert_eq!(most(exchange, &stretch(0, 0), 10), (16, flood));
}

#[test]
fn abandoning_is_answered_once_it_was_asked_for() {
    let mut exchange = after(FILE, 100);
    exchange.abandon();
    let abandoned = FromWorker::Failed(Failure::Abandoned);
    assert_eq!(exchange.answer(&abandoned, 10), Ok(Due::Now));
    assert!(exchange.is_over());
}

/// How many of the answer pass.
fn most(mut exchange: Exchange, answer: &FromWorker, bytes: usize) -> (usize, Misbehaviour) {
    for count in 0..100_000 {
        if let Err(misbehaviour) = exchange.answer(answer, bytes) {
            return (count, misbehaviour);
        }
    }
    panic!("{answer:?} passes for ever");
}

#[test]
fn a_flood_is_stopped_by_the_sound_that_was_sent() {
    let flood = |what, most, found| Misbehaviour::Flood { what, most, found };
    let check = |job, sound, answer: &FromWorker, bytes, expected| {
        assert_eq!(most(after(job, sound), answer, bytes), expected);
    };
    check(RAW, 0, &segment(0, 0), 10, (16, flood("segments", 16, 17)));
    check(
        RAW,
        SECOND,
        &segment(0, 0),
        10,
        (20, flood("segments", 20, 21)),
    );
    check(
        RAW,
        SECOND,
        &started(0),
        10,
        (20, flood("beginnings", 20, 21)),
    );
    check(
        FILE,
        500,
        &segment(0, 0),
        10,
        (20, flood("segments", 20, 21)),
    );
    check(
        RAW,
        SECOND,
        &segment(0, 0),
        32_768,
        (2, flood("bytes", 67_536, 98_304)),
    );
    // A second's worth more for a second more.
    check(
        RAW,
        100 * SECOND,
        &segment(0, 0),
        10,
        (416, flood("segments", 416, 417)),
    );
}

#[test]
fn no_number_overflows() {
    let kind = SoundKind::Raw {
        rate: 1,
        channels: 1,
        encoding: Encoding::S16Le,
    };
    let mut exchange = after(Job { kind, task: TEXT }, usize::MAX);
    exchange.sound(usize::MAX);
    assert_eq!(exchange.answer(&segment(0, 1), 10), Ok(Due::Now));
    let flood = exchange.answer(&segment(1, 2), usize::MAX);
    assert!(
        matches!(flood, Err(Misbehaviour::Flood { what: "bytes", .. })),
        "{flood:?}"
    );
    let kind = SoundKind::Raw {
        rate: u32::MAX,
        channels: u16::MAX,
        encoding: Encoding::F32Le,
    };
    assert_eq!(after(Job { kind, task: TEXT }, 1_000).seconds(), 0);
}

proptest! {
    #[test]
    fn whatever_passes_is_in_order_within_the_sound_and_ends_once(
        steps in prop::collection::vec((0..5_u8, 0..8_000_u64, 0..8_000_u64), 0..60),
    ) {
        let (mut exchange, mut sent, mut ended) = (Exchange::new(RAW), 0_u64, false);
        let (mut last, mut endings) = (0, 0);
        for (kind, first, second) in steps {
            let answer = match kind {
                0 => {
                    exchange.sound(SECOND);
                    sent += 1_000;
                    continue;
                }
                1 => {
                    exchange.end();
                    ended = true;
                    continue;
                }
                2 => started(first),
                3 => segment(first, first + second),
                _ => finished(first * 16),
            };
            if exchange.answer(&answer, 100).is_err() {
                continue;
            }
            prop_assert_eq!(endings, 0, "an answer passed after the last word");
            match answer {
                FromWorker::Segment(segment) => {
                    prop_assert!(segment.start.0 >= last && segment.end.0 <= sent + 1_000);
                    last = segment.end.0;
                }
                FromWorker::Finished(report) => {
                    prop_assert!(ended && report.samples <= (sent + 1_000) * 16 + 15);
                    endings += 1;
                }
                _ => {}
            }
        }
        prop_assert_eq!(exchange.is_over(), endings == 1);
    }
}
