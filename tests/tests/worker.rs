//! The worker as the daemon starts it: the real program, the real models, a real socket.

mod support;

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use earnest_channel::{
    Encoding, Exchange, Failure, FromWorker, Job, LiveTask, SoundFault, SoundKind, Task, ToWorker,
    Tuning, encode, read, write,
};
use earnest_evidence::measured::SandboxLevel;
use earnest_transcript::Phrase;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the daemon prepares once.
#[cfg(test)]
fn weights() -> OwnedFd {
    static SEALED: OnceLock<OwnedFd> = OnceLock::new();
    let sealed = SEALED.get_or_init(|| {
        let speech = support::model("moonshine-tiny-en-int8");
        let voice = support::model("silero-vad-6.2");
        earnest_worker::prepare(speech, voice).unwrap()
    });
    sealed.try_clone().unwrap()
}

struct Worker {
    process: Child,
    socket: UnixStream,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
impl Worker {
    fn start(weights: OwnedFd) -> Worker {
        let (socket, other) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = Command::new(support::program("earnestd"))
            .args(["worker", "--memory", "2147483648", "--threads", "1"])
            .env_clear()
            .stdin(Stdio::from(weights))
            .stdout(Stdio::from(OwnedFd::from(other)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Worker { process, socket }
    }

    fn ready() -> Worker {
        let mut worker = Worker::start(weights());
        assert!(matches!(worker.hear(), Some(FromWorker::Hello(_))));
        assert_eq!(worker.hear(), Some(FromWorker::Ready));
        worker
    }

    fn say(&mut self, message: &ToWorker) {
        write(&mut self.socket, message).unwrap();
    }

    fn hear(&mut self) -> Option<FromWorker> {
        read(&mut self.socket).unwrap()
    }

    /// Does a whole job, and gives the text and the last word.
    fn job(&mut self, kind: SoundKind, sound: &[u8]) -> (String, FromWorker) {
        let task = Task::Transcribe { words: true };
        self.say(&ToWorker::Begin(Job { kind, task }));
        for piece in sound.chunks(earnest_channel::MAX_SOUND_BYTES) {
            self.say(&ToWorker::Sound(piece.to_vec()));
        }
        self.say(&ToWorker::EndOfSound);
        let mut text = Vec::new();
        loop {
            match self.hear().expect("the worker lives") {
                FromWorker::Segment(segment) => {
                    let words: Vec<_> = segment.words.iter().map(|word| &word.text).collect();
                    assert!(!words.is_empty());
                    text.push(segment.text);
                }
                last @ (FromWorker::Finished(_) | FromWorker::Failed(_)) => {
                    return (text.join(" "), last);
                }
                FromWorker::SpeechStarted { .. } | FromWorker::Heard { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The sample as a file of nothing but its samples.
#[cfg(test)]
fn wave() -> Vec<u8> {
    let samples = support::sample_pcm();
    let mut wave = Vec::new();
    wave.extend_from_slice(b"RIFF");
    wave.extend_from_slice(&(36 + samples.len() as u32).to_le_bytes());
    wave.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    wave.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    wave.extend_from_slice(&samples);
    wave
}

#[test]
fn a_worker_reads_job_after_job_and_a_bad_one_costs_that_job_alone() {
    let mut worker = Worker::ready();
    let raw = SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    };
    let (text, last) = worker.job(SoundKind::Container, &wave());
    assert_eq!(text, support::SAID);
    assert!(matches!(last, FromWorker::Finished(report) if report.samples == 159_467));
    let (text, last) = worker.job(SoundKind::Container, b"<html>no sound</html>");
    let refused = FromWorker::Failed(Failure::Sound(SoundFault::NotSound));
    assert_eq!((text.as_str(), last), ("", refused));
    let (text, _) = worker.job(raw, &support::sample_pcm());
    assert_eq!(text, support::SAID);
}

#[test]
fn a_worker_times_speech_without_a_word_of_it() {
    let mut worker = Worker::ready();
    // The sample between two silences, so that there is something to tell apart.
    let silence = vec![0; 3 * 32_000];
    let sound = [&silence, &support::sample_pcm()[..], &silence].concat();
    let kind = SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    };
    let mut shapes = Vec::new();
    for sound in [&sound, &support::sample_pcm()] {
        worker.say(&ToWorker::Begin(Job {
            kind,
            task: Task::Activity,
        }));
        for piece in sound.chunks(earnest_channel::MAX_SOUND_BYTES) {
            worker.say(&ToWorker::Sound(piece.to_vec()));
        }
        worker.say(&ToWorker::EndOfSound);
        let mut stretches = Vec::new();
        let report = loop {
            match worker.hear().expect("the worker lives") {
                FromWorker::Activity { start, end } => stretches.push((start.0, end.0)),
                FromWorker::Heard { .. } => {}
                FromWorker::Finished(report) => break report,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(report.samples, sound.len() as u64 / 2);
        let spoken: u64 = stretches.iter().map(|(start, end)| end - start).sum();
        // Ten seconds, nearly all of them speech.
        assert!((7_000..=10_000).contains(&spoken), "{stretches:?}");
        assert_eq!(report.speech, spoken * 16);
        if sound.len() > 10 * 32_000 {
            let (first, last) = (stretches[0].0, stretches[stretches.len() - 1].1);
            assert!(first >= 2_500 && last <= 13_500, "{stretches:?}");
        }
        shapes.push(report.shape.expect("speech has a shape"));
    }
    assert!((shapes[0] ^ shapes[1]).count_ones() <= 6, "{shapes:x?}");
    // And words for who asks for them, from the same worker.
    assert_eq!(worker.job(kind, &support::sample_pcm()).0, support::SAID);
}

/// Does a live job, all of whose sound comes at once, and counts what is text in its answers.
#[cfg(test)]
fn live_texts(worker: &mut Worker, task: LiveTask, tuning: Option<Tuning>) -> usize {
    let kind = SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    };
    let job = Job {
        kind,
        task: Task::Live(task),
    };
    let mut exchange = Exchange::new(job);
    worker.say(&ToWorker::Begin(job));
    if let Some(tuning) = tuning {
        exchange.tune(&tuning);
        worker.say(&ToWorker::Tune(tuning));
    }
    let sound = support::sample_pcm();
    for piece in sound.chunks(earnest_channel::MAX_SOUND_BYTES) {
        exchange.sound(piece.len());
        worker.say(&ToWorker::Sound(piece.to_vec()));
    }
    exchange.end();
    worker.say(&ToWorker::EndOfSound);
    let mut texts = 0;
    while !exchange.is_over() {
        let answer = worker.hear().expect("the worker lives");
        let bytes = encode(&answer).expect("it came").len();
        let answered = exchange.answer(&answer, bytes);
        assert!(answered.is_ok(), "{answered:?}: {answer:?}");
        match answer {
            FromWorker::Partial(_) | FromWorker::Segment(_) => texts += 1,
            FromWorker::Finished(report) => assert_eq!(report.samples, sound.len() as u64 / 2),
            _ => {}
        }
    }
    texts
}

#[test]
fn a_live_job_is_told_in_order_and_not_a_word_where_none_is_wanted() {
    let mut worker = Worker::ready();
    let task = LiveTask {
        silence: 700,
        text: true,
        partials: true,
        words: false,
    };
    let tuning = |text| Tuning {
        generation: 1,
        text,
        phrases: vec![Phrase::command("no matter")],
    };
    assert_ne!(live_texts(&mut worker, task, None), 0);
    assert_eq!(live_texts(&mut worker, task, Some(tuning(false))), 0);
    let silent = LiveTask {
        text: false,
        ..task
    };
    assert_eq!(live_texts(&mut worker, silent, None), 0);
    assert_ne!(live_texts(&mut worker, silent, Some(tuning(true))), 0);
}

#[test]
fn a_worker_is_locked_in_before_it_hears_anything() {
    let mut worker = Worker::start(weights());
    let Some(FromWorker::Hello(hello)) = worker.hear() else {
        panic!("no introduction");
    };
    assert_eq!(hello.sandbox.level, SandboxLevel::Full);
    let status = earnest_sandbox::inspect(worker.process.id()).unwrap();
    assert!(status.is_confined(), "{status:?}");
}

#[test]
fn an_abandoned_job_ends_and_the_next_one_is_heard() {
    let mut worker = Worker::ready();
    worker.say(&ToWorker::Begin(Job {
        kind: SoundKind::Container,
        task: Task::Transcribe { words: false },
    }));
    worker.say(&ToWorker::Sound(wave()[..20_000].to_vec()));
    worker.say(&ToWorker::Abandon);
    let last = loop {
        match worker.hear().unwrap() {
            FromWorker::SpeechStarted { .. } | FromWorker::Segment(_) => {}
            last => break last,
        }
    };
    assert_eq!(last, FromWorker::Failed(Failure::Abandoned));
    assert_eq!(worker.job(SoundKind::Container, &wave()).0, support::SAID);
}

#[test]
fn weights_that_may_change_or_are_none_end_a_worker_before_it_is_ready() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"not weights").unwrap();
    for weights in [
        OwnedFd::from(file),
        OwnedFd::from(tempfile::tempfile().unwrap()),
    ] {
        let mut worker = Worker::start(weights);
        assert!(matches!(worker.hear(), Some(FromWorker::Hello(_))));
        assert_eq!(worker.hear(), None);
        assert_eq!(worker.process.wait().unwrap().code(), Some(4));
    }
}

#[test]
fn a_worker_ends_when_the_daemon_goes() {
    let mut worker = Worker::ready();
    worker.socket.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(worker.process.wait().unwrap().code(), Some(0));
}
