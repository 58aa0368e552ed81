//! What a worker may answer in a live job: whole utterances in their order, and of text and
//! phrases what was asked for when it could know.

use earnest_channel::{
    Due, Encoding, Exchange, FromWorker, HEARD_SAMPLES, Job, LiveTask, MAX_MILLISECONDS,
    Misbehaviour, Partial, Report, SoundKind, Spotted, Task, Tuning,
};
use earnest_transcript::{Milliseconds, Phrase, Segment, Word};
use proptest::prelude::*;

/// Text, partials, no words.
const TASK: LiveTask = LiveTask {
    silence: 700,
    text: true,
    partials: true,
    words: false,
};

const SILENT: LiveTask = LiveTask {
    text: false,
    ..TASK
};

/// Bytes of a second of sound.
const SECOND: usize = 32_000;

fn job(task: LiveTask) -> Job {
    Job {
        kind: SoundKind::Raw {
            rate: 16_000,
            channels: 1,
            encoding: Encoding::S16Le,
        },
        task: Task::Live(task),
    }
}

/// A job after so many seconds of sound.
fn after(task: LiveTask, seconds: usize) -> Exchange {
    let mut exchange = Exchange::new(job(task));
    for _ in 0..seconds {
        exchange.sound(SECOND);
    }
    exchange
}

fn started(at: u64) -> FromWorker {
    let at = Milliseconds(at);
    FromWorker::SpeechStarted { at }
}

fn partial(start: u64, at: u64) -> FromWorker {
    FromWorker::Partial(Partial {
        start: Milliseconds(start),
        at: Milliseconds(at),
        stable: "Turn on".to_owned(),
        tentative: " the light".to_owned(),
    })
}

fn segment(start: u64, end: u64) -> FromWorker {
    FromWorker::Segment(Segment {
        start: Milliseconds(start),
        end: Milliseconds(end),
        text: "Turn on the light.".to_owned(),
        tokens: Vec::new(),
        avg_logprob: 0.0,
        compression_ratio: 1.0,
        no_speech_prob: 0.0,
        words: Vec::new(),
    })
}

fn stopped(at: u64) -> FromWorker {
    let at = Milliseconds(at);
    FromWorker::SpeechStopped { at }
}

fn spotted(generation: u32, phrase: u16, at: u64) -> FromWorker {
    FromWorker::Spotted(Spotted {
        generation,
        phrase,
        at: Milliseconds(at),
    })
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

fn tuning(generation: u32, text: bool, phrases: usize) -> Tuning {
    Tuning {
        generation,
        text,
        phrases: vec![Phrase::command("stop"); phrases],
    }
}

/// Takes answers that are all due.
fn take(exchange: &mut Exchange, answers: &[FromWorker]) {
    for answer in answers {
        assert_eq!(exchange.answer(answer, 60), Ok(Due::Now), "{answer:?}");
    }
}

/// What becomes of an answer, if it were the next.
fn next(exchange: &Exchange, answer: &FromWorker) -> Result<Due, Misbehaviour> {
    exchange.clone().answer(answer, 60)
}

fn disorder(what: &'static str) -> Result<Due, Misbehaviour> {
    Err(Misbehaviour::Disorder { what })
}

const UNASKED: Result<Due, Misbehaviour> = Err(Misbehaviour::Unasked);

#[test]
fn utterance_after_utterance_passes() {
    let mut exchange = after(TASK, 20);
    let samples = HEARD_SAMPLES;
    let answers = [
        started(100),
        partial(100, 700),
        partial(100, 700),
        partial(100, 1_300),
        segment(100, 1_600),
        stopped(1_600),
        // Noise that nothing was written down for.
        started(1_600),
        stopped(2_000),
        FromWorker::Heard { samples },
        started(12_000),
        segment(12_000, 14_000),
        stopped(13_800),
    ];
    take(&mut exchange, &answers);
    exchange.end();
    take(&mut exchange, &[finished(320_000)]);
    assert!(exchange.is_over());
}

#[test]
fn what_is_out_of_the_order_of_utterances_is_told() {
    let mut exchange = after(TASK, 5);
    assert_eq!(next(&exchange, &partial(0, 0)), disorder("a partial"));
    assert_eq!(next(&exchange, &segment(0, 900)), disorder("a segment"));
    assert_eq!(next(&exchange, &stopped(900)), disorder("an end of speech"));

    take(&mut exchange, &[started(500), partial(500, 1_000)]);
    assert_eq!(next(&exchange, &started(1_000)), disorder("a beginning"));
    assert_eq!(
        next(&exchange, &partial(501, 1_000)),
        disorder("a partial"),
        "of another utterance"
    );
    assert_eq!(next(&exchange, &segment(400, 900)), disorder("a segment"));
    let backwards = |earliest, found| Err(Misbehaviour::Backwards { earliest, found });
    assert_eq!(next(&exchange, &partial(500, 999)), backwards(1_000, 999));
    assert_eq!(next(&exchange, &stopped(499)), backwards(500, 499));
    let mut cut = exchange.clone();
    cut.end();
    assert_eq!(next(&cut, &finished(80_000)), disorder("the last word"));

    take(&mut exchange, &[segment(500, 2_000)]);
    for late in [partial(500, 2_000), segment(500, 2_000)] {
        let what = match late {
            FromWorker::Partial(_) => "a partial",
            _ => "a segment",
        };
        assert_eq!(next(&exchange, &late), disorder(what));
    }
    take(&mut exchange, &[stopped(2_000)]);
    assert_eq!(next(&exchange, &started(1_999)), backwards(2_000, 1_999));
    let stretch = FromWorker::Activity {
        start: Milliseconds(2_000),
        end: Milliseconds(2_100),
    };
    assert_eq!(next(&exchange, &stretch), UNASKED);
}

#[test]
fn times_beyond_the_sound_are_told() {
    let mut exchange = after(TASK, 2);
    take(&mut exchange, &[started(0)]);
    exchange.tune(&tuning(1, true, 1));
    let late = [
        partial(0, 3_001),
        segment(0, 3_001),
        stopped(3_001),
        spotted(1, 0, 3_001),
    ];
    for answer in late {
        let beyond = Misbehaviour::Beyond {
            latest: 3_000,
            found: 3_001,
        };
        assert_eq!(next(&exchange, &answer), Err(beyond), "{answer:?}");
    }
}

#[test]
fn what_is_live_is_for_live_jobs() {
    let kind = job(TASK).kind;
    for task in [Task::Transcribe { words: true }, Task::Activity] {
        let mut exchange = Exchange::new(Job { kind, task });
        exchange.sound(SECOND);
        exchange.tune(&tuning(1, true, 1));
        for answer in [partial(0, 500), stopped(500), spotted(1, 0, 500)] {
            assert_eq!(next(&exchange, &answer), UNASKED, "{answer:?}");
        }
    }
}

#[test]
fn text_words_and_partials_are_for_who_asked_for_them() {
    let begun = |task| {
        let mut exchange = after(task, 5);
        take(&mut exchange, &[started(0)]);
        exchange
    };
    let silent = begun(SILENT);
    for answer in [partial(0, 500), segment(0, 500)] {
        assert_eq!(next(&silent, &answer), UNASKED);
    }
    assert_eq!(next(&silent, &stopped(500)), Ok(Due::Now));
    let partials = false;
    let finals = begun(LiveTask { partials, ..TASK });
    assert_eq!(next(&finals, &partial(0, 500)), UNASKED);
    assert_eq!(next(&finals, &segment(0, 500)), Ok(Due::Now));

    let mut worded = segment(0, 1_000);
    if let FromWorker::Segment(segment) = &mut worded {
        segment.words.push(Word {
            text: "Turn".to_owned(),
            start: Milliseconds(0),
            end: Milliseconds(900),
            probability: 1.0,
        });
    }
    assert_eq!(next(&begun(TASK), &worded), UNASKED);
    let words = true;
    let task = LiveTask { words, ..TASK };
    assert_eq!(next(&begun(task), &worded), Ok(Due::Now));
}

#[test]
fn text_that_was_wanted_until_a_moment_ago_is_dropped_and_punished_later() {
    let mut exchange = after(TASK, 10);
    take(&mut exchange, &[started(0), partial(0, 9_000)]);
    exchange.tune(&tuning(1, false, 1));
    for _ in 0..5 {
        exchange.sound(SECOND);
    }
    // It may not have come to the tuning yet: that stands at 10 s, and a second is slack.
    for answer in [partial(0, 11_000), segment(0, 9_500)] {
        assert_eq!(next(&exchange, &answer), Ok(Due::NoMore));
    }
    for answer in [partial(0, 11_001), segment(0, 11_001)] {
        assert_eq!(next(&exchange, &answer), UNASKED);
    }
    // What is no text goes on.
    take(&mut exchange, &[spotted(1, 0, 12_000), stopped(12_000)]);
}

#[test]
fn text_counts_from_the_tuning_that_asked_for_it() {
    let mut exchange = after(SILENT, 10);
    take(&mut exchange, &[started(9_000)]);
    exchange.tune(&tuning(1, true, 0));
    for _ in 0..5 {
        exchange.sound(SECOND);
    }
    assert_eq!(next(&exchange, &partial(9_000, 10_000)), Ok(Due::NoMore));
    assert_eq!(next(&exchange, &segment(9_000, 10_000)), Ok(Due::NoMore));
    take(
        &mut exchange,
        &[partial(9_000, 10_001), segment(9_000, 12_000)],
    );

    // Off and on again between two answers: what is on its way is of before.
    take(&mut exchange, &[stopped(12_000), started(12_000)]);
    exchange.tune(&tuning(2, false, 0));
    exchange.tune(&tuning(3, true, 0));
    assert_eq!(next(&exchange, &partial(12_000, 14_000)), Ok(Due::NoMore));
    assert_eq!(next(&exchange, &partial(12_000, 15_000)), Ok(Due::NoMore));
    assert_eq!(next(&exchange, &partial(12_000, 15_001)), Ok(Due::Now));
}

#[test]
fn a_phrase_is_one_of_a_list_that_was_sent() {
    let mut exchange = after(SILENT, 2);
    assert_eq!(next(&exchange, &spotted(0, 0, 1_000)), UNASKED);
    exchange.tune(&tuning(7, false, 2));
    assert_eq!(next(&exchange, &spotted(7, 1, 1_000)), Ok(Due::Now));
    assert_eq!(next(&exchange, &spotted(7, 2, 1_000)), UNASKED);
    assert_eq!(next(&exchange, &spotted(6, 0, 1_000)), UNASKED);
    assert_eq!(next(&exchange, &spotted(8, 0, 1_000)), UNASKED);
    // The old list counts until the new one has come to it.
    exchange.tune(&tuning(9, false, 1));
    for _ in 0..5 {
        exchange.sound(SECOND);
    }
    assert_eq!(next(&exchange, &spotted(7, 1, 3_000)), Ok(Due::Now));
    assert_eq!(next(&exchange, &spotted(7, 1, 3_001)), UNASKED);
    assert_eq!(next(&exchange, &spotted(9, 0, 6_000)), Ok(Due::Now));
    // Lists that are long gone are not remembered, nor held against anybody.
    for generation in 10..100 {
        exchange.tune(&tuning(generation, false, 1));
    }
    assert_eq!(next(&exchange, &spotted(9, 0, 1_000)), Ok(Due::NoMore));
    assert_eq!(next(&exchange, &spotted(99, 0, 1_000)), Ok(Due::Now));
    assert_eq!(next(&exchange, &spotted(100, 0, 1_000)), UNASKED);
}

/// How many of an answer pass, and what is flooded then.
fn most(exchange: &Exchange, answers: &[FromWorker], bytes: usize) -> (usize, &'static str) {
    let mut exchange = exchange.clone();
    for (count, answer) in answers.iter().cycle().take(100_000).enumerate() {
        match exchange.answer(answer, bytes) {
            Ok(_) => {}
            Err(Misbehaviour::Flood { what, .. }) => return (count / answers.len(), what),
            Err(other) => panic!("{other}"),
        }
    }
    panic!("it passes for ever");
}

#[test]
fn a_flood_is_stopped_by_the_sound_of_the_last_minute() {
    let begun = |seconds| {
        let mut exchange = after(TASK, seconds);
        exchange.tune(&tuning(1, true, 1));
        take(&mut exchange, &[started(0)]);
        exchange
    };
    let check = |seconds, expected: [usize; 3]| {
        let exchange = begun(seconds);
        let partials = most(&exchange, &[partial(0, 500)], 60);
        let phrases = most(&exchange, &[spotted(1, 0, 0)], 10);
        // The one that has begun is counted, too.
        let utterances = most(&exchange, &[stopped(0), started(0)], 10);
        let found = [partials, phrases, utterances];
        let [partials, phrases, utterances] = expected;
        let flooded = [
            (partials, "partials"),
            (phrases, "phrases"),
            (utterances, "beginnings"),
        ];
        assert_eq!(found, flooded, "after {seconds} s");
    };
    check(0, [16, 16, 15]);
    check(1, [26, 20, 19]);
    check(60, [616, 256, 255]);
    // Silence saves nothing up.
    check(3_600, [616, 256, 255]);
    check(86_400, [616, 256, 255]);

    let exchange = begun(86_400);
    let (count, what) = most(&exchange, &[partial(0, 500)], 8_000);
    assert_eq!((count, what), (98, "bytes"));
    // Such as pass for a minute pass all day.
    let mut exchange = begun(60);
    for second in 0..3_600 {
        exchange.sound(SECOND);
        take(&mut exchange, &vec![partial(0, 1_000 * second); 10]);
    }
}

#[test]
fn a_job_may_last_a_year_and_no_number_overflows() {
    let mut exchange = Exchange::new(job(TASK));
    exchange.sound(usize::MAX);
    exchange.tune(&tuning(u32::MAX, true, 1));
    let last = MAX_MILLISECONDS;
    take(
        &mut exchange,
        &[
            started(last - 10),
            spotted(u32::MAX, 0, last),
            segment(last - 10, last),
            stopped(last),
        ],
    );
    exchange.sound(usize::MAX);
    exchange.tune(&tuning(u32::MAX, false, 0));
    take(&mut exchange, &[started(last), stopped(last)]);
    let flood = exchange.answer(&started(last), usize::MAX);
    assert!(
        matches!(flood, Err(Misbehaviour::Flood { .. })),
        "{flood:?}"
    );
}

proptest! {
    /// Whatever a worker says: what is given out of it are whole utterances in order, and text
    /// from between a tuning that wants it and the next that does not.
    #[test]
    fn what_is_given_out_is_in_order_and_was_wanted(
        text: bool,
        steps in prop::collection::vec((0..8_u8, 0..6_000_u64, 0..3_000_u64), 0..80),
    ) {
        let mut exchange = Exchange::new(job(LiveTask { text, ..TASK }));
        let (mut sent, mut generation) = (0, 0);
        let (mut wants, mut open, mut latest) = (text, None, 0);
        for (kind, first, second) in steps {
            let answer = match kind {
                0 => {
                    exchange.sound(SECOND);
                    sent += 1_000;
                    continue;
                }
                1 => {
                    generation += 1;
                    wants = first % 2 == 0;
                    exchange.tune(&tuning(generation, wants, 2));
                    continue;
                }
                2 => started(first),
                3 => partial(open.unwrap_or(first), first + second),
                4 => segment(open.unwrap_or(first), first + second),
                5 => stopped(first),
                6 => spotted((second % 4) as u32, (first % 3) as u16, first),
                _ => finished(first),
            };
            let Ok(due) = exchange.answer(&answer, 60) else {
                break;
            };
            match answer {
                FromWorker::SpeechStarted { at } => {
                    prop_assert!(open.is_none() && at.0 >= latest);
                    open = Some(at.0);
                }
                FromWorker::Partial(Partial { at, .. }) => {
                    prop_assert!(open.is_some() && at.0 <= sent + 1_000);
                    prop_assert!(wants || due == Due::NoMore);
                }
                FromWorker::Segment(segment) => {
                    prop_assert_eq!(open, Some(segment.start.0));
                    prop_assert!(wants || due == Due::NoMore);
                }
                FromWorker::SpeechStopped { at } => {
                    prop_assert!(open.take().is_some_and(|start| start <= at.0));
                    latest = at.0;
                }
                FromWorker::Spotted(spotted) => {
                    prop_assert!((1..=generation).contains(&spotted.generation));
                    prop_assert!(spotted.phrase < 2);
                }
                _ => prop_assert!(false, "{:?} passed", answer),
            }
        }
    }
}
