//! A session that is told what the microphone hears.

use earnest_policy::Listen;

use super::intake::{Asked, Fault, Message};
use super::settings::{Settings, Turn};
use super::speaking::{Gone, Speaking};
use super::telling::{Telling, Told};
use crate::events::milliseconds;
use crate::listen::{Attendance, Farewell};
use crate::models::ServedModel;
use crate::shapes::ListenEvent;

/// What is wrong with sound that is sent all the same.
const NO_SOUND: Fault = Fault::invalid(
    "type",
    "The session hears the device's microphone, and takes no sound.",
);

/// What is wrong with turns that the client wants to find.
const NO_COMMIT: Fault = Fault::invalid(
    "session.audio.input.turn_detection",
    "The microphone's utterances end with a silence.",
);

/// Goes on until the client is gone, listening ends, or the daemon does.
///
/// The format of a session is of no account here, and neither is its silence: how long one ends
/// an utterance is the configuration's. What becomes of the microphone meanwhile has no name in
/// this shape, and is told by `GET /v1/listen` and `GET /v1/microphone`.
pub(crate) async fn run(
    mut speaking: Speaking,
    mut settings: Settings,
    model: ServedModel,
    mut attendance: Attendance<Listen>,
) {
    let created = speaking.telling.session(&settings, true);
    if speaking.tell([created]).await.is_err() {
        return;
    }
    loop {
        let told = tokio::select! {
            event = attendance.next() => match event {
                Some(event) => tell(&mut speaking.telling, event),
                None => break,
            },
            said = speaking.hear() => match said {
                Ok(said) => vec![take(&mut speaking.telling, &mut settings, &model, &said)],
                Err(Gone) => return,
            },
        };
        if speaking.tell(told).await.is_err() {
            return;
        }
    }
    match attendance.farewell() {
        None | Some(Farewell::Cut) => {}
        Some(Farewell::Draining) => speaking.leave().await,
        Some(Farewell::Refused(refusal)) => speaking.turn_away(refusal).await,
    }
}

fn take(telling: &mut Telling, settings: &mut Settings, model: &ServedModel, said: &[u8]) -> Told {
    let Message { asked, event_id } = Message::read(said);
    let updated = asked.and_then(|asked| match asked {
        Asked::Update(update) => settings.updated(&update, model),
        Asked::Append(_) | Asked::Commit | Asked::Clear => Err(NO_SOUND),
    });
    match updated {
        Ok(updated) if updated.turn() == Turn::Commit => {
            telling.fault(NO_COMMIT, event_id.as_deref())
        }
        Ok(updated) => {
            *settings = updated;
            telling.session(settings, false)
        }
        Err(fault) => telling.fault(fault, event_id.as_deref()),
    }
}

/// What a piece of the microphone's news is told as.
fn tell(telling: &mut Telling, event: ListenEvent) -> Vec<Told> {
    match event {
        ListenEvent::SpeechStarted { at } => vec![telling.started(milliseconds(at))],
        ListenEvent::Partial(partial) => telling.grown(&partial.stable),
        ListenEvent::Final(line) if telling.has_item() => telling.said(&line.text),
        // A text that was held until it was clear that no number goes on in it.
        ListenEvent::Final(line) => {
            telling.waits(milliseconds(line.start));
            telling.said(&line.text);
            let mut told = telling.committed();
            told.extend(telling.completed(milliseconds(line.end)));
            told
        }
        ListenEvent::SpeechStopped { at } => telling.stopped(milliseconds(at)),
        ListenEvent::Error { error } => vec![telling.refused_as(&error)],
        // A worker that died, or a device that is gone, leaves an utterance without an end; the
        // next one begins another item.
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Shape;
    use super::*;
    use crate::events::SegmentLine;
    use crate::shapes::PartialLine;

    fn partial(stable: &str) -> ListenEvent {
        ListenEvent::Partial(PartialLine {
            start: 0.5,
            at: 1.0,
            stable: stable.to_owned(),
            tentative: " perhaps".to_owned(),
        })
    }

    fn finally(text: &str) -> ListenEvent {
        ListenEvent::Final(SegmentLine {
            text: text.to_owned(),
            start: 0.5,
            end: 2.0,
            avg_logprob: -0.25,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: None,
        })
    }

    #[test]
    fn the_microphones_news_are_told_as_utterances() {
        let mut telling = Telling::new("req_1", Shape::Current);
        let mut all = Vec::new();
        for event in [
            ListenEvent::Muted,
            ListenEvent::SpeechStarted { at: 0.5 },
            partial("Lights"),
            finally("Lights on."),
            ListenEvent::SpeechStopped { at: 2.0 },
        ] {
            all.extend(tell(&mut telling, event));
        }
        assert_eq!(all[0]["audio_start_ms"], 500);
        let last = all.last().expect("an event");
        assert_eq!(last["transcript"], "Lights on.");
        assert_eq!(last["usage"]["seconds"], 1.5);
        assert!(
            all.iter()
                .all(|event| !event.to_string().contains("perhaps"))
        );
    }

    #[test]
    fn a_text_that_was_held_is_an_item_of_its_own() {
        let mut telling = Telling::new("req_1", Shape::Current);
        let told = tell(&mut telling, finally("It is [number]."));
        let last = told.last().expect("an event");
        assert_eq!(last["transcript"], "It is [number].");
        assert!(!telling.has_item());
    }

    #[test]
    fn sound_and_turns_of_the_clients_own_are_not_taken() {
        let mut telling = Telling::new("req_1", Shape::Current);
        let mut settings = Settings::new(Shape::Current, "whisper-1".to_owned());
        let model = ServedModel {
            id: "moonshine-tiny-en".to_owned(),
            owner: "useful-sensors".to_owned(),
            created: 0,
        };
        let before = settings.clone();
        for (said, param) in [
            (
                r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#,
                "type",
            ),
            (r#"{"type":"input_audio_buffer.commit"}"#, "type"),
            (
                r#"{"type":"session.update","session":{"type":"transcription",
                "audio":{"input":{"turn_detection":null}}}}"#,
                "session.audio.input.turn_detection",
            ),
        ] {
            let told = take(&mut telling, &mut settings, &model, said.as_bytes());
            assert_eq!(told["error"]["param"], param, "{said}");
        }
        assert_eq!(settings, before);
    }
}
