//! Writes the seeds of the fuzz target `channel` into a folder:
//! `cargo run -p earnest-channel --example messages -- fuzz/corpus`.

use std::error::Error;
use std::path::Path;
use std::{fs, io};

use earnest_channel::{
    Confinement, Encoding, Failure, Flaw, FromWorker, HEARD_SAMPLES, Hello, Job, LiveTask, Partial,
    Report, SoundFault, SoundKind, Spotted, Task, ToWorker, Tuning, VERSION, encode,
};
use earnest_evidence::measured::SandboxLevel;
use earnest_transcript::{Milliseconds, Phrase, Segment, Word};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("expected a folder")?;
    let folder = Path::new(&folder).join("channel");
    fs::create_dir_all(&folder)?;
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes);

    let mut stream = vec![b'd'];
    for order in orders() {
        stream.extend(encode(&order)?);
    }
    write("daemon", stream)?;
    let mut stream = vec![b'w'];
    for answer in answers() {
        stream.extend(encode(&answer)?);
    }
    write("worker", stream)?;
    for (place, answer) in answers().iter().enumerate() {
        let frame = encode(answer)?;
        write(&format!("answer-{place}"), [&b"w"[..], &frame].concat())?;
        // The same as the whole of a job of every kind, after a second of sound.
        for job in (0..24).step_by(2) {
            let script = [&[b'e', job, 15][..], &frame].concat();
            write(&format!("job-{job}-{place}"), script)?;
        }
    }
    live_jobs(&write)?;
    // Jobs of words and of activity, as they should go.
    let courses: [(u8, &str, &[usize]); 2] = [(12, "", &[2, 3, 5]), (20, "activity-", &[4, 5])];
    for (job, name, course) in courses {
        let mut script = vec![b'e', job];
        for &place in course {
            script.push(20);
            script.extend(encode(&answers()[place])?);
        }
        for (order, answer) in [(0xFF, 6), (0xFE, 7)] {
            let mut script = script.clone();
            script.push(order);
            script.extend(encode(&answers()[answer])?);
            write(&format!("script-{name}{answer}"), script)?;
        }
    }
    Ok(())
}

/// A live job on two seconds of sound: as it should go, and with a tuning before each answer.
fn live_jobs(write: &dyn Fn(&str, Vec<u8>) -> io::Result<()>) -> Result<(), Box<dyn Error>> {
    const SOUND: u8 = 16;
    // Without text and partials, with either, with both.
    for job in [0x24_u8, 0x2C, 0x34, 0x3C] {
        // Tunings with a phrase: text is wanted, or is not.
        for order in [SOUND, 0xF2, 0xF3] {
            let mut script = vec![b'e', job, SOUND];
            for place in [2, 9, 9, 3, 10, 11, 2, 10] {
                let mut answer = answers().swap_remove(place);
                if let FromWorker::Segment(segment) = &mut answer {
                    segment.words.clear();
                }
                script.extend(encode(&answer)?);
                script.push(order);
            }
            script.pop();
            write(&format!("live-{job:x}-{order:x}"), script)?;
        }
    }
    Ok(())
}

fn orders() -> Vec<ToWorker> {
    let kind = SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
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
        ToWorker::Sound(vec![1, 2, 3, 4]),
        ToWorker::EndOfSound,
        ToWorker::Abandon,
        ToWorker::Begin(Job {
            kind,
            task: Task::Live(LiveTask {
                silence: 700,
                text: true,
                partials: true,
                words: false,
            }),
        }),
        ToWorker::Tune(Tuning {
            generation: 1,
            text: true,
            phrases: vec![Phrase::command("stop"), Phrase::waking("hey earnest")],
        }),
    ]
}

fn answers() -> Vec<FromWorker> {
    let word = |start, end, text: &str| Word {
        text: text.to_owned(),
        start: Milliseconds(start),
        end: Milliseconds(end),
        probability: 0.9,
    };
    let kernels = "avx512-vnni".parse().expect("it is a name");
    vec![
        FromWorker::Hello(Hello {
            version: VERSION,
            sandbox: Confinement {
                level: SandboxLevel::Full,
                landlock_abi: Some(7),
                seccomp: true,
            },
            kernels,
        }),
        FromWorker::Ready,
        FromWorker::SpeechStarted {
            at: Milliseconds(100),
        },
        FromWorker::Segment(Segment {
            start: Milliseconds(100),
            end: Milliseconds(900),
            text: "Hello, you.".to_owned(),
            tokens: vec![5, 1_000, 30_000],
            avg_logprob: -0.25,
            compression_ratio: 1.1,
            no_speech_prob: 0.01,
            words: vec![word(100, 400, "Hello,"), word(400, 900, "you.")],
        }),
        FromWorker::Activity {
            start: Milliseconds(100),
            end: Milliseconds(900),
        },
        FromWorker::Heard {
            samples: HEARD_SAMPLES,
        },
        FromWorker::Finished(Report {
            samples: 16_000,
            speech: 12_800,
            skipped: 2,
            flaw: Some(Flaw::HeaderLength),
            shape: Some(0x0123_4567_89AB_CDEF),
        }),
        FromWorker::Failed(Failure::Sound(SoundFault::Channels { found: 99 })),
        FromWorker::Failed(Failure::Abandoned),
        FromWorker::Partial(Partial {
            start: Milliseconds(100),
            at: Milliseconds(600),
            stable: "Hello,".to_owned(),
            tentative: " you".to_owned(),
        }),
        FromWorker::SpeechStopped {
            at: Milliseconds(900),
        },
        FromWorker::Spotted(Spotted {
            generation: 1,
            phrase: 0,
            at: Milliseconds(900),
        }),
    ]
}
