//! The three files of an enrolment.

use earnest_evidence::enrolment::{
    Answer, Challenge, EnrolmentError, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_DEVICE_NAME,
    MAX_ENCRYPTED_SECRET_BYTES, MAX_ID_OBJECT_BYTES, MAX_SECRET_BYTES, Request,
};

/// Reads `data` as each of the three files. What is taken keeps its bounds, and is written and
/// read back the same; no file is two of them.
pub fn enrolment(data: &[u8]) {
    let request = taken(Request::from_json(data));
    if let Some(request) = &request {
        let intermediates = request.intermediates();
        assert!(intermediates.len() < MAX_CERTIFICATES);
        for certificate in intermediates.iter().map(Vec::as_slice) {
            assert!((1..=MAX_CERTIFICATE_BYTES).contains(&certificate.len()));
        }
        assert!((1..=MAX_CERTIFICATE_BYTES).contains(&request.ek_certificate().len()));
        if let Some(name) = request.name() {
            assert!((1..=MAX_DEVICE_NAME).contains(&name.len()));
            assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
        }
        let again = Request::from_json(request.to_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(request));
    }
    let challenge = taken(Challenge::from_json(data));
    if let Some(challenge) = &challenge {
        assert!((2..=MAX_ID_OBJECT_BYTES).contains(&challenge.id_object().len()));
        let secret = challenge.encrypted_secret();
        assert!((2..=MAX_ENCRYPTED_SECRET_BYTES).contains(&secret.len()));
        let again = Challenge::from_json(challenge.to_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(challenge));
    }
    let answer = taken(Answer::from_json(data));
    if let Some(answer) = &answer {
        assert!((1..=MAX_SECRET_BYTES).contains(&answer.secret().len()));
        let again = Answer::from_json(answer.to_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(answer));
    }
    let kinds = [request.is_some(), challenge.is_some(), answer.is_some()];
    assert!(kinds.into_iter().filter(|taken| *taken).count() <= 1);
}

/// What was read, if it was; else the refusal's message, which is shown to people, must not
/// fail either.
fn taken<T>(read: Result<T, EnrolmentError>) -> Option<T> {
    read.map_err(|error| drop(error.to_string())).ok()
}
