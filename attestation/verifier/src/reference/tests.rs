//! The file, its bounds, and what two files differ in.

use super::*;

fn digest(text: &str) -> Digest {
    HashAlgorithm::Sha256.digest(text.as_bytes())
}

fn after(events: &[Digest]) -> Digest {
    events
        .iter()
        .fold(HashAlgorithm::Sha256.zero(), |value, event| {
            value.extended_by(event)
        })
}

fn with(pcrs: &str) -> Result<ReferenceValues, ReferenceError> {
    let text =
        format!(r#"{{"format":"earnest-reference/1","name":"n","bank":"sha256","pcrs":[{pcrs}]}}"#);
    ReferenceValues::from_json(&text)
}

fn sample() -> ReferenceValues {
    let events = vec![digest("loader"), digest("kernel")];
    let value = AllowedValue {
        value: after(&events),
        events,
    };
    let exact = PcrReference {
        values: vec![value],
        events: BTreeSet::new(),
    };
    let any = PcrReference {
        values: Vec::new(),
        events: BTreeSet::from([digest("option rom")]),
    };
    ReferenceValues {
        name: "sample".to_owned(),
        bank: HashAlgorithm::Sha256,
        pcrs: BTreeMap::from([(2, any), (4, exact)]),
        starts: Some(StartReference {
            configurations: BTreeSet::from([digest("configuration")]),
            models: BTreeSet::from([digest("model")]),
            without_model: false,
            versions: BTreeSet::from(["0.1.0".to_owned()]),
            least_sandbox: SandboxLevel::Partial,
        }),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let reference = sample();
    assert_eq!(
        ReferenceValues::from_json(&reference.to_json()),
        Ok(reference)
    );
}

#[test]
fn every_truncation_is_refused() {
    let json = sample().to_json();
    for length in 0..json.trim_end().len() {
        assert!(ReferenceValues::from_json(&json[..length]).is_err());
    }
}

#[test]
fn digests_of_another_bank_are_refused() {
    let sha1 = HashAlgorithm::Sha1.zero();
    let refused = with(&format!(r#"{{"pcr":4,"values":[{{"value":"{sha1}"}}]}}"#));
    let expected = ReferenceError::Bank {
        pcr: 4,
        expected: HashAlgorithm::Sha256,
        found: HashAlgorithm::Sha1,
    };
    assert_eq!(refused, Err(expected));
}

#[test]
fn events_that_do_not_lead_to_their_value_are_refused() {
    let (value, event) = (digest("value"), digest("event"));
    let refused = with(&format!(
        r#"{{"pcr":4,"values":[{{"value":"{value}","events":["{event}"]}}]}}"#
    ));
    assert!(matches!(
        refused,
        Err(ReferenceError::Events { pcr: 4, .. })
    ));
}

#[test]
fn pcrs_that_do_not_exist_or_stand_twice_are_refused() {
    assert_eq!(
        with(r#"{"pcr":24}"#),
        Err(ReferenceError::NoSuchPcr { found: 24 })
    );
    assert_eq!(
        with(r#"{"pcr":4},{"pcr":4}"#),
        Err(ReferenceError::Twice { pcr: 4 })
    );
    assert!(with(r#"{"pcr":4,"valeus":[]}"#).is_err());
}

#[test]
fn a_difference_says_what_goes_and_what_comes() {
    let before = sample();
    assert_eq!(before.diff(&before), []);
    let mut later = before.clone();
    let value = &mut later.pcrs.get_mut(&4).unwrap().values[0];
    value.events[1] = digest("kernel 2");
    value.value = after(&value.events);
    if let Some(starts) = &mut later.starts {
        starts.least_sandbox = SandboxLevel::Full;
    }
    let lines: Vec<String> = before
        .diff(&later)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        format!("- PCR  4 event   1: {}", digest("kernel")),
        format!("+ PCR  4 event   1: {}", digest("kernel 2")),
        "- start's least sandbox: partial".to_owned(),
        "+ start's least sandbox: full".to_owned(),
    ];
    for line in expected {
        assert!(lines.contains(&line), "{line} is missing from {lines:#?}");
    }
    assert_eq!(lines.len(), 6);
}
