//! The bytes of messages. Where one of these changes, so does [`VERSION`]: a worker of another
//! version would take them for something else.

use earnest_channel::{
    Encoding, FromWorker, Job, LiveTask, Message, Partial, SoundKind, Spotted, Task, ToWorker,
    Tuning, VERSION, encode, read,
};
use earnest_transcript::{Milliseconds, Phrase};

fn check<M: Message + PartialEq + std::fmt::Debug>(message: &M, expected: &str) {
    let frame = encode(message).expect("it keeps to its bounds");
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected, "{message:?}");
    let again = read::<M>(&mut &frame[..]).expect("it is a message");
    assert_eq!(again.as_ref(), Some(message));
}

#[test]
fn live_messages_have_these_bytes() {
    assert_eq!(VERSION, 3);
    let kind = SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    };
    let live = LiveTask {
        silence: 700,
        text: true,
        partials: false,
        words: true,
    };
    let begin = ToWorker::Begin(Job {
        kind,
        task: Task::Live(live),
    });
    check(&begin, "0c0000000001807d010002bc05010001");
    let tune = ToWorker::Tune(Tuning {
        generation: 300,
        text: true,
        phrases: vec![Phrase::command("stop"), Phrase::waking("go")],
    });
    check(&tune, "0f00000004ac0201020473746f700002676f01");
    let partial = FromWorker::Partial(Partial {
        start: Milliseconds(100),
        at: Milliseconds(900),
        stable: "Hi,".to_owned(),
        tentative: " you".to_owned(),
    });
    check(&partial, "0d000000086484070348692c0420796f75");
    let at = Milliseconds(900);
    check(&FromWorker::SpeechStopped { at }, "03000000098407");
    let spotted = Spotted {
        generation: 300,
        phrase: 1,
        at,
    };
    check(&FromWorker::Spotted(spotted), "060000000aac02018407");
}
