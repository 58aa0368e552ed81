//! The protocol against bytes that come in any pieces, and against clients' own writing.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::*;

/// All events of these bytes, and how it ended.
fn decode(pieces: &[&[u8]]) -> (Vec<Event>, Option<Fault>) {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(decoder.next_event(), Err(fault));
                    return (events, Some(fault));
                }
            }
        }
    }
    (events, None)
}

fn one(bytes: &[u8]) -> Event {
    let (mut events, fault) = decode(&[bytes]);
    assert_eq!((events.len(), fault), (1, None));
    events.remove(0)
}

#[test]
fn what_the_protocols_own_client_writes_is_read() {
    let chunk = b"{\"type\": \"audio-chunk\", \"version\": \"1.10.2\", \"data_length\": 61, \
                  \"payload_length\": 4}\n{\"rate\": 16000, \"width\": 2, \"channels\": 1, \
                  \"timestamp\": null}\x01\x02\x03\x04";
    let request = Request::of(one(chunk)).expect("a chunk");
    let format = AudioFormat {
        rate: 16_000,
        width: 2,
        channels: 1,
    };
    let sound = Bytes::from_static(&[1, 2, 3, 4]);
    assert_eq!(request, Request::AudioChunk { format, sound });
    let describe = b"{\"type\": \"describe\", \"version\": \"1.10.2\"}\n";
    assert_eq!(Request::of(one(describe)), Ok(Request::Describe));
    // Older ones write their data in the line.
    let older =
        b"{\"type\":\"transcribe\",\"data\":{\"language\":\"en\"},\"payload_length\":null}\n";
    let expected = Request::Transcribe {
        name: None,
        language: Some("en".to_owned()),
    };
    assert_eq!(Request::of(one(older)), Ok(expected));
}

#[test]
fn data_that_stand_by_themselves_overrule_those_in_the_line() {
    let bytes = b"{\"type\":\"ping\",\"data\":{\"text\":\"a\",\"b\":1},\"data_length\":12}\n\
                  {\"text\":\"c\"}";
    let event = one(bytes);
    assert_eq!(event.data["text"], "c");
    assert_eq!(event.data["b"], 1);
}

#[test]
fn what_goes_past_a_bound_is_refused_before_it_is_held() {
    let check = |bytes: &[u8], expected: Fault| {
        let (events, fault) = decode(&[bytes]);
        assert_eq!((events.len(), fault), (0, Some(expected)));
    };
    let long = |part, limit, found| Fault::TooLong { part, limit, found };
    let line = vec![b' '; MAX_LINE_BYTES + 1];
    check(
        &line,
        long(Part::Line, MAX_LINE_BYTES, MAX_LINE_BYTES as u64 + 1),
    );
    check(
        b"{\"type\":\"a\",\"data_length\":65537}\n",
        long(Part::Data, MAX_DATA_BYTES, 65_537),
    );
    check(
        b"{\"type\":\"a\",\"payload_length\":18446744073709551615}\n",
        long(Part::Payload, MAX_PAYLOAD_BYTES, u64::MAX),
    );
    let malformed = |part| Fault::Malformed { part };
    for bytes in [
        &b"\n"[..],
        b"[]\n",
        b"{}\n",
        b"{\"type\":1}\n",
        b"{\"type\":\"a\",\"data\":[]}\n",
        b"{\"type\":\"a\",\"payload_length\":-1}\n",
        b"{\"type\":\"a\",\"payload_length\":1.5}\n",
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe\n",
    ] {
        check(bytes, malformed(Part::Line));
    }
    check(
        b"{\"type\":\"a\",\"data_length\":2}\n[]",
        malformed(Part::Data),
    );
}

#[test]
fn no_depth_of_json_breaks_it() {
    let deep = [
        b"{\"type\":\"a\",\"data_length\":65536}\n".to_vec(),
        vec![b'['; 65_536],
    ]
    .concat();
    let (_, fault) = decode(&[&deep]);
    assert_eq!(fault, Some(Fault::Malformed { part: Part::Data }));
}

#[test]
fn a_known_event_says_what_it_must() {
    let check = |kind: &str, data: Value, field: &str| {
        let Value::Object(data) = data else {
            panic!("an object");
        };
        let event = Event {
            data,
            ..Event::new(kind)
        };
        let error = Request::of(event).expect_err("it does not");
        assert_eq!((error.event, error.field), (kind, field));
    };
    let rate = |rate: Value| json!({"rate": rate, "width": 2, "channels": 1});
    for bad in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("a"),
        json!(null),
        json!(1_u64 << 40),
    ] {
        check("audio-start", rate(bad), "rate");
    }
    check("audio-chunk", json!({}), "rate");
    check(
        "audio-start",
        json!({"rate": 1, "width": 256, "channels": 1}),
        "width",
    );
    check("transcribe", json!({"name": 1}), "name");
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    check("ping", json!({ "text": long }), "text");
    assert_eq!(Request::of(Event::new("detect")), Ok(Request::Other));
    assert_eq!(Request::Other.event(), None);
}

#[test]
fn replies_are_what_the_protocols_own_client_reads() {
    let attribution = |name: &str| Attribution {
        name: name.to_owned(),
        url: String::new(),
    };
    let info = Info {
        name: "earnest".to_owned(),
        description: "a recogniser".to_owned(),
        version: "0.1.0".to_owned(),
        attribution: attribution("us"),
        models: vec![Model {
            name: "tiny".to_owned(),
            description: "a model".to_owned(),
            version: None,
            attribution: attribution("them"),
            languages: vec!["en".to_owned()],
        }],
    };
    let event = one(&Reply::Info(info).encode());
    assert_eq!(event.kind, "info");
    let program = &event.data["asr"][0];
    for place in [program, &program["models"][0]] {
        for field in ["name", "attribution", "installed", "description", "version"] {
            assert!(place.get(field).is_some(), "{field}");
        }
    }
    for kind in ["tts", "handle", "intent", "wake", "mic", "snd"] {
        assert_eq!(event.data[kind], json!([]), "{kind}");
    }
    let chunk = Reply::TranscriptChunk {
        text: "a b".to_owned(),
    };
    let expected = b"{\"type\":\"transcript-chunk\",\"version\":\"1.10.2\",\"data_length\":14}\n\
                     {\"text\":\"a b\"}";
    assert_eq!(chunk.encode(), expected.as_slice());
    let stop = Reply::TranscriptStop.encode();
    assert_eq!(
        stop,
        b"{\"type\":\"transcript-stop\",\"version\":\"1.10.2\"}\n".as_slice()
    );
}

#[test]
fn no_debug_output_tells_what_was_said() {
    let text = "secret".to_owned();
    let reply = Reply::Transcript {
        text: text.clone(),
        language: "en".to_owned(),
    };
    let ping = Request::Ping { text: Some(text) };
    let mut decoder = Decoder::default();
    decoder.push(b"{\"secret");
    let shown = format!("{reply:?} {:?} {ping:?} {decoder:?}", reply.event());
    assert!(!shown.contains("secret"), "{shown}");
}

fn events() -> impl Strategy<Value = Event> {
    let data = prop::collection::btree_map("[a-z]{1,6}", "\\PC{0,12}", 0..4);
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    ("[a-z-]{1,12}", data, payload).prop_map(|(kind, data, payload)| Event {
        kind,
        data: data
            .into_iter()
            .map(|(name, text)| (name, Value::String(text)))
            .collect::<Map<_, _>>(),
        payload: payload.into(),
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let text = || prop::option::of("\\PC{0,30}");
    let format = (1..=u32::MAX, 1..=u8::MAX, 1..=u16::MAX);
    let format = format.prop_map(|(rate, width, channels)| AudioFormat {
        rate,
        width,
        channels,
    });
    let sound = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    prop_oneof![
        Just(Request::Describe),
        (text(), text()).prop_map(|(name, language)| Request::Transcribe { name, language }),
        format.clone().prop_map(Request::AudioStart),
        (format, sound).prop_map(|(format, sound)| Request::AudioChunk { format, sound }),
        Just(Request::AudioStop),
        text().prop_map(|text| Request::Ping { text }),
    ]
}

proptest! {
    #[test]
    fn events_cross_however_they_are_cut(
        events in prop::collection::vec(events(), 0..5),
        cuts in prop::collection::vec(0..300_usize, 0..12),
    ) {
        let bytes: Vec<u8> = events.iter().flat_map(|event| event.encode().to_vec()).collect();
        let mut rest = bytes.as_slice();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, later) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        pieces.push(rest);
        prop_assert_eq!(decode(&pieces), (events, None));
    }

    #[test]
    fn requests_cross_as_they_are(request in requests()) {
        let event = request.event().expect("it means something");
        prop_assert_eq!(Request::of(one(&event.encode())), Ok(request));
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_it_may(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        head in "(\\{\"type\":\"[a-z-]{0,12}\",\"(data|payload)_length\":[0-9]{1,3}\\}\n)?",
    ) {
        let mut all: Vec<&[u8]> = vec![head.as_bytes()];
        all.extend(pieces.iter().map(Vec::as_slice));
        let (events, _) = decode(&all);
        for event in events {
            let _ = Request::of(event);
        }
    }
}
