//! What a client is told, in the order in which OpenAI tells it.
//!
//! An utterance becomes an item of a conversation that has nothing else: it is told that speech
//! began, what is new of its text, that speech ended, that the item is there, and its whole text.
//! The whole is its deltas one after the other.

use std::fmt;

use earnest_transcript::Milliseconds;
use serde_json::{Value, json};

use super::intake::Fault;
use super::settings::{Settings, Shape};
use crate::growth::Growth;
use crate::refusal::{ErrorDetail, Refusal};

/// Numbers events and items, and knows the item under way.
#[derive(Debug)]
pub(crate) struct Telling {
    /// The number of the request, which begins every id.
    request: String,
    shape: Shape,
    events: u64,
    items: u64,
    previous: Option<String>,
    item: Option<Item>,
}

/// An utterance.
struct Item {
    id: String,
    text: Growth,
    begun: Milliseconds,
    /// Whether its text is told as it grows; otherwise it waits for the client's word.
    is_told: bool,
}

/// An event as it is sent.
pub(crate) type Told = Value;

impl Telling {
    /// Tells in this shape, in the request of this id.
    pub(crate) fn new(request: &str, shape: Shape) -> Telling {
        Telling {
            request: request.trim_start_matches("req_").to_owned(),
            shape,
            events: 0,
            items: 0,
            previous: None,
            item: None,
        }
    }

    /// The session is there, or another one from here on.
    pub(crate) fn session(&mut self, settings: &Settings, is_new: bool) -> Told {
        self.shape = settings.shape();
        let kind = match (self.shape, is_new) {
            (Shape::Current, true) => "session.created",
            (Shape::Current, false) => "session.updated",
            (Shape::Beta, true) => "transcription_session.created",
            (Shape::Beta, false) => "transcription_session.updated",
        };
        let session = settings.object(&format!("sess_{}", self.request));
        self.event(kind, json!({ "session": session }))
    }

    /// Somebody began to speak.
    pub(crate) fn started(&mut self, at: Milliseconds) -> Told {
        let id = self.begin(at, true);
        self.event(
            "input_audio_buffer.speech_started",
            json!({"audio_start_ms": at.0, "item_id": id}),
        )
    }

    /// Sound comes that the client will say the end of.
    pub(crate) fn waits(&mut self, at: Milliseconds) {
        if self.item.is_none() {
            self.begin(at, false);
        }
    }

    /// So much of the utterance stays.
    pub(crate) fn grown(&mut self, text: &str) -> Vec<Told> {
        let Some(item) = &mut self.item else {
            return Vec::new();
        };
        let grown = item.text.grow(text).filter(|_| item.is_told);
        let id = item.id.clone();
        grown
            .map(|delta| self.delta(&id, &delta))
            .into_iter()
            .collect()
    }

    /// A part of the utterance was said.
    pub(crate) fn said(&mut self, text: &str) -> Vec<Told> {
        let told = self.grown(text);
        if let Some(item) = &mut self.item {
            item.text.part();
        }
        told
    }

    /// Whoever spoke has paused: the utterance is whole.
    pub(crate) fn stopped(&mut self, at: Milliseconds) -> Vec<Told> {
        let Some(item) = &self.item else {
            return Vec::new();
        };
        let ended = json!({"audio_end_ms": at.0, "item_id": item.id});
        let mut told = vec![self.event("input_audio_buffer.speech_stopped", ended)];
        told.extend(self.committed());
        told.extend(self.completed(at));
        told
    }

    /// The sound so far is an utterance: there is an item of it.
    pub(crate) fn committed(&mut self) -> Vec<Told> {
        let Some(item) = &mut self.item else {
            return Vec::new();
        };
        let id = item.id.clone();
        let was_told = std::mem::replace(&mut item.is_told, true);
        let text = item.text.told().to_owned();
        let previous = self.previous.replace(id.clone());
        let mut told = vec![self.event(
            "input_audio_buffer.committed",
            json!({"previous_item_id": previous, "item_id": id}),
        )];
        let item = json!({
            "id": id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": null}],
        });
        let names: &[&str] = match self.shape {
            Shape::Current => &["conversation.item.added", "conversation.item.done"],
            Shape::Beta => &["conversation.item.created"],
        };
        for name in names {
            let body = json!({"previous_item_id": previous, "item": item});
            told.push(self.event(name, body));
        }
        if !was_told && !text.is_empty() {
            told.push(self.delta(&id, &text));
        }
        told
    }

    /// All of the item was heard, up to here.
    pub(crate) fn completed(&mut self, at: Milliseconds) -> Option<Told> {
        let item = self.item.take()?;
        let seconds = Milliseconds(at.0.saturating_sub(item.begun.0)).seconds();
        Some(self.event(
            "conversation.item.input_audio_transcription.completed",
            json!({
                "item_id": item.id,
                "content_index": 0,
                "transcript": item.text.told(),
                "usage": {"type": "duration", "seconds": seconds},
            }),
        ))
    }

    /// The item under way comes to nothing, if there is one.
    pub(crate) fn failed(&mut self, refusal: &Refusal) -> Option<Vec<Told>> {
        self.item.as_ref()?;
        let mut told = self.committed();
        let item = self.item.take()?;
        let error = self.detail(refusal);
        told.push(self.event(
            "conversation.item.input_audio_transcription.failed",
            json!({"item_id": item.id, "content_index": 0, "error": error}),
        ));
        Some(told)
    }

    /// What there was of an item is dropped.
    pub(crate) fn cleared(&mut self) -> Told {
        self.item = None;
        self.event("input_audio_buffer.cleared", json!({}))
    }

    /// Forgets the item under way.
    pub(crate) fn forget(&mut self) {
        self.item = None;
    }

    /// Whether there is an item under way.
    pub(crate) fn has_item(&self) -> bool {
        self.item.is_some()
    }

    /// A message is none that is taken.
    pub(crate) fn fault(&mut self, fault: Fault, event_id: Option<&str>) -> Told {
        let error = json!({
            "type": "invalid_request_error",
            "code": fault.code,
            "message": fault.message,
            "param": fault.param,
            "event_id": event_id,
        });
        self.event("error", json!({ "error": error }))
    }

    /// Something is refused.
    pub(crate) fn refused(&mut self, refusal: &Refusal) -> Told {
        let error = self.detail(refusal);
        self.event("error", json!({ "error": error }))
    }

    /// Something is refused, for this reason.
    pub(crate) fn refused_as(&mut self, error: &ErrorDetail) -> Told {
        self.event("error", json!({ "error": error }))
    }

    fn detail(&self, refusal: &Refusal) -> Value {
        let error = refusal.object(&format!("req_{}", self.request)).error;
        json!(error)
    }

    fn begin(&mut self, begun: Milliseconds, is_told: bool) -> String {
        self.items += 1;
        let id = format!("item_{}_{}", self.request, self.items);
        self.item = Some(Item {
            id: id.clone(),
            text: Growth::default(),
            begun,
            is_told,
        });
        id
    }

    fn delta(&mut self, item: &str, delta: &str) -> Told {
        self.event(
            "conversation.item.input_audio_transcription.delta",
            json!({"item_id": item, "content_index": 0, "delta": delta}),
        )
    }

    fn event(&mut self, kind: &str, mut body: Value) -> Told {
        self.events += 1;
        body["type"] = kind.into();
        body["event_id"] = format!("event_{}_{}", self.request, self.events).into();
        body
    }
}

/// Without what was said.
impl fmt::Debug for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Item({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn telling() -> Telling {
        Telling::new("req_0123456789abc", Shape::Current)
    }

    fn kind(event: &Told) -> &str {
        let kind = event["type"].as_str().expect("a type");
        kind.trim_start_matches("conversation.item.input_audio_transcription.")
    }

    fn kinds(told: &[Told]) -> Vec<&str> {
        told.iter().map(kind).collect()
    }

    /// What an item is told as, and its deltas one after the other.
    fn utterance(telling: &mut Telling) -> (Vec<Told>, String) {
        let mut told = vec![telling.started(Milliseconds(320))];
        for stable in ["", "Turn", "Turn the"] {
            told.extend(telling.grown(stable));
        }
        told.extend(telling.said("Turn the light on."));
        told.extend(telling.stopped(Milliseconds(1_820)));
        let deltas = told.iter().filter_map(|event| event["delta"].as_str());
        let deltas = deltas.collect();
        (told, deltas)
    }

    #[test]
    fn an_utterance_is_told_in_order_and_its_deltas_are_the_whole() {
        let mut telling = telling();
        let (told, deltas) = utterance(&mut telling);
        let expected = [
            "input_audio_buffer.speech_started",
            "delta",
            "delta",
            "delta",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "completed",
        ];
        assert_eq!(kinds(&told), expected);
        let last = told.last().expect("an event");
        assert_eq!(last["transcript"], "Turn the light on.");
        assert_eq!(deltas, "Turn the light on.");
        assert_eq!(last["usage"], json!({"type": "duration", "seconds": 1.5}));
        assert_eq!(told[0]["audio_start_ms"], 320);
        assert_eq!(told[5]["previous_item_id"], Value::Null);
        let (second, _) = utterance(&mut telling);
        assert_eq!(second[5]["previous_item_id"], told[0]["item_id"]);
        let ids: BTreeSet<&str> = told
            .iter()
            .chain(&second)
            .filter_map(|event| event["event_id"].as_str())
            .collect();
        assert_eq!(ids.len(), told.len() + second.len());
    }

    #[test]
    fn what_the_client_ends_is_told_once_it_did() {
        let mut telling = telling();
        assert!(telling.committed().is_empty());
        telling.waits(Milliseconds(0));
        telling.waits(Milliseconds(500));
        assert!(telling.said("One.").is_empty());
        let mut told = telling.committed();
        told.extend(telling.said("Two."));
        told.extend(telling.completed(Milliseconds(2_000)));
        let expected = [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "delta",
            "delta",
            "completed",
        ];
        assert_eq!(kinds(&told), expected);
        assert_eq!(told[3]["delta"], "One.");
        assert_eq!(told[4]["delta"], " Two.");
        assert_eq!(told[5]["transcript"], "One. Two.");
        assert_eq!(told[5]["usage"]["seconds"], 2.0);
    }

    #[test]
    fn noise_is_an_utterance_without_text() {
        let mut telling = telling();
        telling.started(Milliseconds(0));
        let told = telling.stopped(Milliseconds(100));
        assert_eq!(told.last().expect("an event")["transcript"], "");
        assert!(!kinds(&told).contains(&"delta"));
        assert!(telling.said("late").is_empty());
    }

    #[test]
    fn an_utterance_that_fails_says_so_for_its_item() {
        let mut telling = telling();
        assert_eq!(telling.failed(&Refusal::WorkerFailed), None);
        let started = telling.started(Milliseconds(0));
        let told = telling.failed(&Refusal::WorkerFailed).expect("an item");
        let last = told.last().expect("an event");
        assert_eq!(kinds(&told).last(), Some(&"failed"));
        assert_eq!(last["item_id"], started["item_id"]);
        assert_eq!(last["error"]["code"], "worker_failed");
    }

    #[test]
    fn the_beta_shape_has_other_names() {
        let mut telling = Telling::new("req_1", Shape::Beta);
        let settings = Settings::new(Shape::Beta, "whisper-1".to_owned());
        let created = telling.session(&settings, true);
        assert_eq!(created["type"], "transcription_session.created");
        let (told, _) = utterance(&mut telling);
        let kinds = kinds(&told);
        assert!(kinds.contains(&"conversation.item.created"));
        assert!(!kinds.contains(&"conversation.item.added"));
    }

    #[test]
    fn no_debug_output_tells_what_was_said() {
        let mut telling = telling();
        telling.started(Milliseconds(0));
        telling.grown("secret");
        assert!(!format!("{telling:?}").contains("secret"));
    }
}
