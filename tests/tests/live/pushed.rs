//! Sound that clients push, and live text for them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::client::{SAID, answer, pcm, python, run_python};
use crate::earnestd::{Earnestd, Wish};
use crate::house::{RATE, quiet_at_the_end};
use crate::words::{is_nearly_the_sample, is_the_sample, stable_text_stays};

/// The rate that OpenAI's clients send.
const REALTIME_RATE: usize = 24_000;

/// The client of `wyoming`, as a voice assistant uses it.
const WYOMING: &str = "
import asyncio, json, sys
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
sound = open(sys.argv[1], 'rb').read()
shape = {'rate': 16000, 'width': 2, 'channels': 1}
async def main():
    told = {'types': []}
    async with AsyncClient.from_uri(sys.argv[2]) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        told['models'] = [model.name for program in info.asr for model in program.models]
        told['streams'] = [program.supports_transcript_streaming for program in info.asr]
        await client.write_event(Transcribe(language='en').event())
        await client.write_event(AudioStart(**shape).event())
        for at in range(0, len(sound), 2048):
            chunk = AudioChunk(audio=sound[at:at + 2048], **shape)
            await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())
        while True:
            event = await client.read_event()
            if event is None:
                break
            told['types'].append(event.type)
            if Transcript.is_type(event.type):
                told['text'] = Transcript.from_event(event).text
            if event.type in ('transcript-stop', 'error'):
                break
    print(json.dumps(told))
asyncio.run(main())
";

/// The realtime client of `openai`, which sends what a browser's microphone would.
const REALTIME: &str = "
import base64, json, signal, sys, openai
# Whoever waits for longer than this is not answered.
signal.alarm(60)
sound = open(sys.argv[1], 'rb').read()
client = openai.OpenAI(max_retries=0)
done, deltas, types = [], [], []
with client.realtime.connect(extra_query={'intent': 'transcription'}) as connection:
    connection.session.update(session={
        'type': 'transcription',
        'audio': {'input': {
            'format': {'type': 'audio/pcm', 'rate': 24000},
            'transcription': {'model': 'whisper-1', 'language': 'en'},
            'turn_detection': {'type': 'server_vad', 'silence_duration_ms': 1500},
        }},
    })
    for at in range(0, len(sound), 9600):
        audio = base64.b64encode(sound[at:at + 9600]).decode()
        connection.input_audio_buffer.append(audio=audio)
    for event in connection:
        types.append(event.type)
        if event.type == 'error':
            break
        if event.type.endswith('input_audio_transcription.delta'):
            deltas.append(event.delta)
        if event.type.endswith('input_audio_transcription.completed'):
            done.append(event.transcript)
            if 'better' in event.transcript.lower():
                break
print(json.dumps({'text': ' '.join(done), 'deltas': ''.join(deltas), 'types': types}))
";

fn text(told: &Value) -> &str {
    let text = told["text"].as_str();
    text.unwrap_or_else(|| panic!("no text in {told:#}"))
}

#[test]
fn an_unmodified_wyoming_client_gets_text() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let socket = folder.path().join("wyoming.sock");
    let daemon = Earnestd::start(Wish {
        listen: format!("wyoming = [\"unix:{}\"]", socket.display()),
        ..Wish::default()
    });
    let sound = folder.path().join("sound.raw");
    fs::write(&sound, quiet_at_the_end(&pcm())).expect("there is room");
    let place = format!("unix://{}", socket.display());
    let mut client = python(&daemon, "notes", WYOMING, &[&sound, Path::new(&place)]);
    let told = answer(&client.output().expect("the command is built"));
    is_nearly_the_sample("wyoming", text(&told));
    assert_ne!(told["models"], serde_json::json!([]), "{told:#}");
    assert_eq!(told["streams"], serde_json::json!([true]), "{told:#}");
    let types = told["types"].as_array().expect("a list");
    for kind in ["transcript-start", "transcript-chunk", "transcript-stop"] {
        assert!(types.contains(&kind.into()), "no {kind} in {told:#}");
    }
}

#[test]
fn an_unmodified_realtime_client_gets_text() {
    let daemon = Earnestd::usual();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let sound = folder.path().join("sound.raw");
    fs::write(&sound, at_realtime_rate(&quiet_at_the_end(&pcm()))).expect("there is room");
    let output = python(&daemon, "notes", REALTIME, &[&sound]).output();
    let told = answer(&output.expect("the command is built"));
    is_the_sample("realtime", text(&told));
    let deltas = told["deltas"].as_str().expect("it is a text");
    is_the_sample("its deltas", deltas);
}

#[test]
fn raw_sound_that_is_streamed_is_answered_before_an_utterance_ends() {
    let daemon = Earnestd::usual();
    let path = "/v1/audio/stream?rate=16000&channels=1&partials=true";
    let mut stream = daemon.curl_of("notes").stream(path, "audio/pcm");
    stream.send(&quiet_at_the_end(&pcm()));
    stream.end();
    let lines = stream.rest();
    let segments = lines.iter().filter(|line| line["type"] == "segment");
    let texts: Vec<&str> = segments
        .map(|line| line["text"].as_str().expect("it is a text"))
        .collect();
    is_nearly_the_sample("a stream", &texts.join(" "));
    stable_text_stays(&lines);
    assert_eq!(lines.last().expect("a line")["type"], "done");
    // The same daemon writes down what is uploaded as ever.
    let whole = run_python(
        &daemon,
        "
import json, sys, openai
with open(sys.argv[1], 'rb') as sound:
    said = openai.OpenAI().audio.transcriptions.create(file=sound, model='whisper-1').text
print(json.dumps(said))",
    );
    assert_eq!(whole, SAID);
}

/// The same sound at OpenAI's rate, by straight lines between samples.
fn at_realtime_rate(pcm: &[u8]) -> Vec<u8> {
    let (samples, _) = pcm.as_chunks::<2>();
    let sample = |at: usize| {
        let bytes = samples.get(at).copied().unwrap_or_default();
        i64::from(i16::from_le_bytes(bytes))
    };
    let count = samples.len() * REALTIME_RATE / RATE;
    let steps = (0..count).map(|n| {
        let (at, part) = (n * RATE / REALTIME_RATE, n * RATE % REALTIME_RATE);
        let (part, whole) = (part as i64, REALTIME_RATE as i64);
        (sample(at) * (whole - part) + sample(at + 1) * part) / whole
    });
    steps
        .flat_map(|sample| (sample as i16).to_le_bytes())
        .collect()
}
