//! The Wyoming protocol.

use earnest_wyoming::{
    Decoder, Event, Fault, MAX_DATA_BYTES, MAX_LINE_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES,
    Request,
};

/// Reads `data` as what a client sends. How it is cut into pieces makes no difference, what is
/// taken is within its bounds, and could have been sent as it was taken.
pub fn wyoming(data: &[u8]) {
    let (whole, fault) = decoded(data, data.len().max(1));
    // Pieces of few bytes cut every part of an event.
    for size in [1, 3, 7] {
        assert_eq!(decoded(data, size), (whole.clone(), fault));
    }
    for event in whole {
        assert!(event.kind.len() <= MAX_LINE_BYTES);
        assert!(event.payload.len() <= MAX_PAYLOAD_BYTES);
        if let Some(fault) = fault {
            drop(fault.to_string());
        }
        let again = event.encode();
        let (back, fault) = decoded(&again, again.len());
        // JSON may be longer as it is written here: each escape is.
        match fault {
            None => {
                let [back] = &back[..] else {
                    panic!("one event became {}", back.len());
                };
                assert_eq!((&back.kind, &back.payload), (&event.kind, &event.payload));
                // Numbers with many digits may change in their last one.
                assert!(back.data.keys().eq(event.data.keys()));
            }
            Some(_) => assert!(again.len() > MAX_DATA_BYTES.min(MAX_LINE_BYTES)),
        }
        meant(event);
    }
}

/// The events of a stream that comes in pieces of `size`, and what ended them.
fn decoded(stream: &[u8], size: usize) -> (Vec<Event>, Option<Fault>) {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    (events, None)
}

/// What an event means is what the event of that means.
fn meant(event: Event) {
    let request = match Request::of(event) {
        Ok(request) => request,
        // A client is told it, so it can be told.
        Err(error) => return drop(error.to_string()),
    };
    match &request {
        Request::AudioStart(format) | Request::AudioChunk { format, .. } => {
            assert!(format.rate > 0 && format.width > 0 && format.channels > 0);
        }
        Request::Transcribe { name, language } => {
            let texts = [name, language];
            assert!(texts.iter().all(|text| within(text.as_deref())));
        }
        Request::Ping { text } => assert!(within(text.as_deref())),
        Request::Describe | Request::AudioStop | Request::Other => {}
    }
    if let Some(event) = request.event() {
        assert_eq!(Request::of(event), Ok(request));
    }
}

fn within(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.len() <= MAX_NAME_BYTES)
}
