//! The `openai` package for Python, unmodified, as `earnest run` starts it.

use serde_json::json;

use crate::client::{SAID, run_python};
use crate::earnestd::Earnestd;

/// Every script: a client that knows nothing but its environment, and the recording.
const BEGIN: &str = "
import json, sys, openai
client = openai.OpenAI(max_retries=0)
def ask(**more):
    with open(sys.argv[1], 'rb') as sound:
        more = {'model': 'whisper-1', **more}
        return client.audio.transcriptions.create(file=sound, **more)
def refused(**more):
    try:
        ask(**more)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]
";

fn run(daemon: &Earnestd, script: &str) -> serde_json::Value {
    run_python(daemon, &format!("{BEGIN}{script}"))
}

#[test]
fn an_unmodified_client_gets_text_in_every_format() {
    let daemon = Earnestd::usual();
    let heard = run(
        &daemon,
        "
verbose = ask(response_format='verbose_json', timestamp_granularities=['word', 'segment'])
print(json.dumps({
    'json': ask().text,
    'text': ask(response_format='text'),
    'srt': ask(response_format='srt'),
    'vtt': ask(response_format='vtt'),
    'verbose': verbose.text,
    'language': verbose.language,
    'duration': verbose.duration,
    'words': [[w.word, w.start, w.end] for w in verbose.words],
    'segments': [[s.text, s.start, s.end] for s in verbose.segments],
}))",
    );
    assert_eq!(heard["json"], SAID);
    assert_eq!(heard["text"].as_str().map(str::trim), Some(SAID));
    assert_eq!(heard["verbose"], SAID);
    assert_eq!(heard["language"], "english");
    let duration = heard["duration"].as_f64().unwrap();
    assert!((9.9..10.1).contains(&duration), "{duration}");

    let words = heard["words"].as_array().unwrap();
    let said: Vec<&str> = words.iter().map(|word| word[0].as_str().unwrap()).collect();
    assert_eq!(said.join(" "), SAID);
    let mut last = 0.0;
    for word in words {
        let (start, end) = (word[1].as_f64().unwrap(), word[2].as_f64().unwrap());
        assert!(last <= start && start <= end && end <= duration, "{word}");
        last = start;
    }
    let segments = heard["segments"].as_array().unwrap();
    let said: Vec<&str> = segments
        .iter()
        .map(|one| one[0].as_str().unwrap().trim())
        .collect();
    assert_eq!(said.join(" "), SAID);

    let srt = heard["srt"].as_str().unwrap();
    assert!(srt.starts_with("1\n00:00:0"), "{srt}");
    assert!(srt.contains(" --> 00:00:"), "{srt}");
    let vtt = heard["vtt"].as_str().unwrap();
    assert!(vtt.starts_with("WEBVTT\n"), "{vtt}");
    for subtitles in [srt, vtt] {
        assert!(subtitles.contains("Ever tried"), "{subtitles}");
        assert!(subtitles.contains("fail better."), "{subtitles}");
    }
}

#[test]
fn a_stream_tells_deltas_and_then_the_whole_which_they_make() {
    let daemon = Earnestd::usual();
    let heard = run(
        &daemon,
        "
deltas, done = [], []
for event in ask(stream=True, model='gpt-4o-transcribe'):
    if event.type == 'transcript.text.delta':
        assert not done
        deltas.append(event.delta)
    elif event.type == 'transcript.text.done':
        done.append(event.text)
    else:
        raise ValueError(event.type)
print(json.dumps({'deltas': deltas, 'done': done}))",
    );
    assert_eq!(heard["done"], json!([SAID]));
    let deltas = heard["deltas"].as_array().unwrap();
    let whole: String = deltas.iter().map(|delta| delta.as_str().unwrap()).collect();
    assert_eq!(whole, SAID);
}

#[test]
fn what_is_not_offered_is_refused_in_the_clients_own_terms() {
    let daemon = Earnestd::usual();
    let said = run(
        &daemon,
        "
def other(ask):
    try:
        ask()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]
stranger = openai.OpenAI(max_retries=0, api_key='sk-0123456789abcdef')
print(json.dumps({
    'model': refused(model='whisper-9'),
    'language': refused(language='fr'),
    'format': refused(response_format='diarized_json'),
    'translation': other(lambda: client.audio.translations.create(
        file=open(sys.argv[1], 'rb'), model='whisper-1')),
    'sound': other(lambda: client.audio.transcriptions.create(
        file=b'<html>no sound</html>', model='whisper-1')),
    'stranger': other(lambda: stranger.models.list()),
    'english': ask(language='en', prompt='', temperature=0).text,
}))",
    );
    let bad = |code: &str, param: &str| json!(["BadRequestError", 400, code, param]);
    assert_eq!(
        said["model"],
        json!(["NotFoundError", 404, "model_not_found", "model"])
    );
    assert_eq!(said["language"], bad("unsupported_language", "language"));
    assert_eq!(said["format"], bad("invalid_value", "response_format"));
    assert_eq!(
        said["translation"],
        json!(["NotFoundError", 404, "translation_not_offered", null])
    );
    assert_eq!(said["sound"], bad("invalid_audio", "file"));
    assert_eq!(
        said["stranger"],
        json!(["AuthenticationError", 401, "invalid_credentials", null])
    );
    // What is left at its usual value, or means this model's language, changes nothing.
    assert_eq!(said["english"], SAID);
}

#[test]
fn the_models_that_a_client_knows_are_all_the_one_that_is_served() {
    let daemon = Earnestd::usual();
    let said = run(
        &daemon,
        "
names = [model.id for model in client.models.list()]
print(json.dumps({
    'names': names,
    'alias': client.models.retrieve('whisper-1').id,
    'texts': [ask(model=name).text for name in names[:3]],
}))",
    );
    let names = said["names"].as_array().unwrap();
    assert_eq!(names[0], "moonshine-tiny-en");
    for alias in ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"] {
        assert!(names.contains(&json!(alias)), "{alias} is not in {names:?}");
    }
    assert_eq!(said["alias"], "whisper-1");
    assert_eq!(said["texts"], json!([SAID, SAID, SAID]));
}

#[test]
fn a_token_is_of_its_program_and_ends_with_it() {
    let daemon = Earnestd::usual();
    let said = run(
        &daemon,
        "
import os
print(json.dumps({'key': os.environ['OPENAI_API_KEY'], 'url': os.environ['OPENAI_BASE_URL']}))",
    );
    let key = said["key"].as_str().unwrap();
    let url = said["url"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{url}");
    let late = daemon
        .curl_tls()
        .header(&format!("Authorization: Bearer {key}"));
    assert_eq!(late.get("/v1/models").refusal(401), "invalid_credentials");
    assert_eq!(daemon.status()["live_tokens"], 0);
}
