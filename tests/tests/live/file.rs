//! A recording, by way of ALSA, the process that captures, the voice detector, the model and the
//! gate, to everybody who listens. Each opens the microphone anew, and hears it from the start.

use crate::client::{answer, pcm, python};
use crate::house::{APP, Recording, captures, listening};
use crate::reader::Reader;
use crate::wait::wait_until;
use crate::words::{is_the_sample, stable_text_stays};

/// The realtime client of `openai`, which is told what the microphone hears.
const REALTIME: &str = "
import json, signal, openai
# Whoever waits for longer than this is not answered.
signal.alarm(60)
client = openai.OpenAI(max_retries=0)
query = {'intent': 'transcription', 'source': 'microphone'}
done, deltas = [], []
with client.realtime.connect(extra_query=query) as connection:
    for event in connection:
        if event.type.endswith('input_audio_transcription.delta'):
            deltas.append(event.delta)
        if event.type.endswith('input_audio_transcription.completed'):
            done.append(event.transcript)
            if 'better' in event.transcript.lower():
                break
print(json.dumps({'text': ' '.join(done), 'deltas': ''.join(deltas)}))
";

#[test]
fn a_recording_at_the_microphone_is_read_by_everybody_who_listens() {
    let recording = Recording::of(&pcm());
    let (daemon, _person) = listening(recording.wish());
    for reader in [Reader::earnest, Reader::events, Reader::websocket] {
        let mut reader = reader(&daemon);
        let text = reader.sample();
        is_the_sample(reader.name(), &text);
        stable_text_stays(&reader.heard);
        for kind in ["state", "speech_started"] {
            let told = reader.heard.iter().any(|event| event["type"] == kind);
            assert!(told, "{}: no {kind} in {:#?}", reader.name(), reader.heard);
        }
        reader.end();
        wait_until("the microphone is closed", || captures(&daemon).is_empty());
    }
    let output = python(&daemon, APP, REALTIME, &[]).output();
    let told = answer(&output.expect("the command is built"));
    is_the_sample("realtime", told["text"].as_str().expect("it is a text"));
    assert_eq!(daemon.count("workers_failed"), 0, "{}", daemon.log());
}
