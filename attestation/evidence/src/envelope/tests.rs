//! Envelopes there and back, their goldens, and what is refused.

use super::*;
use crate::measured::{SandboxLevel, Start};
use crate::testing::{QUOTE_ECC, mutations};
use crate::{HashAlgorithm, NONCE_BYTES};

/// Evidence of a software TPM, with every part.
fn evidence() -> Evidence {
    let nonce: Nonce = "00112233445566778899aabbccddeeff"
        .repeat(2)
        .parse()
        .unwrap();
    let mut log = MeasuredLog::new();
    let configuration = HashAlgorithm::Sha256.digest(b"configuration");
    let start = Start::new(configuration, None, SandboxLevel::Full, "0.1.0").unwrap();
    log.append(start).unwrap();
    // One event of the SHA-1 form: a separator in PCR 4.
    let mut firmware_log = vec![4, 0, 0, 0, 4, 0, 0, 0];
    firmware_log.extend(HashAlgorithm::Sha1.digest(&[0; 4]).as_bytes());
    firmware_log.extend([4, 0, 0, 0, 0, 0, 0, 0]);
    Evidence {
        nonce,
        software: "0.1.0".to_owned(),
        attest: Attest::parse(QUOTE_ECC.attest).unwrap(),
        signature: Signature::parse(QUOTE_ECC.signature).unwrap(),
        ak_public: public(include_bytes!("../../testdata/ak-ecc.public")),
        pcrs: PcrValues::parse_pcr_file(QUOTE_ECC.pcrs).unwrap(),
        firmware_log,
        measured_log: log.encode(),
        authority: Some(Authority {
            public: public(include_bytes!("../../testdata/authority.public")),
            attest: Attest::parse(include_bytes!("../../testdata/authority.attest")).unwrap(),
            signature: Signature::parse(include_bytes!("../../testdata/authority.signature"))
                .unwrap(),
        }),
    }
}

fn public(bytes: &[u8]) -> Public {
    Public::parse_sized(bytes).unwrap()
}

/// Evidence without what may be left out.
fn bare() -> Evidence {
    Evidence {
        firmware_log: Vec::new(),
        measured_log: Vec::new(),
        authority: None,
        ..evidence()
    }
}

#[test]
fn both_forms_go_there_and_back() {
    for evidence in [evidence(), bare()] {
        let cbor = evidence.to_cbor().unwrap();
        assert_eq!(Evidence::decode(&cbor).as_ref(), Ok(&evidence));
        let json = evidence.to_json().unwrap();
        assert_eq!(Evidence::decode(json.as_bytes()), Ok(evidence));
    }
}

/// A change of these is a new format, and takes a new collection type.
#[test]
fn both_forms_have_the_bytes_of_the_goldens() {
    let cbor: &[u8] = include_bytes!("../../testdata/envelope.cbor");
    assert_eq!(evidence().to_cbor().unwrap(), cbor);
    let json = include_str!("../../testdata/envelope.json");
    assert_eq!(evidence().to_json().unwrap(), json);
}

#[test]
fn what_stands_beside_the_quote_is_read_from_its_bytes() {
    let whole = evidence();
    assert_eq!(whole.parse_measured_log().unwrap().entries().len(), 1);
    let log = whole.parse_firmware_log().unwrap().unwrap();
    assert_eq!(log.events().len(), 1);
    let bare = bare();
    assert!(bare.parse_measured_log().unwrap().entries().is_empty());
    assert!(bare.parse_firmware_log().unwrap().is_none());
}

#[test]
fn every_truncation_is_refused_and_every_flipped_bit_read_or_refused() {
    let whole = evidence();
    let cbor = whole.to_cbor().unwrap();
    mutations(&cbor, |bytes| {
        if let Ok(other) = Evidence::decode(bytes) {
            assert_eq!(bytes.len(), cbor.len());
            assert!(Evidence::decode(&other.to_cbor().unwrap()).as_ref() == Ok(&other));
        }
    });
    let json = whole.to_json().unwrap();
    let end = json.trim_end().len();
    mutations(json.as_bytes(), |bytes| {
        if Evidence::decode(bytes).is_ok() {
            assert!(bytes.len() >= end);
        }
    });
}

/// The JSON form with one text replaced by another.
fn changed(from: &str, to: &str) -> EnvelopeError {
    let json = bare().to_json().unwrap();
    assert!(json.contains(from), "{from}");
    Evidence::decode(json.replacen(from, to, 1).as_bytes()).unwrap_err()
}

#[test]
fn a_part_that_is_unknown_twice_or_missing_is_refused() {
    let found = "extra".to_owned();
    let record = "\"nonce\": [\"application/octet-stream\"";
    let unknown = changed(record, "\"extra\": [\"application/octet-stream\"");
    assert_eq!(unknown, EnvelopeError::UnknownPart { found });
    let twice = changed("\"software\": [\"text/plain\"", record);
    assert_eq!(twice, EnvelopeError::Twice { label: "nonce" });
    let mut parts = Parts::of_evidence(&evidence()).unwrap();
    for label in ["attest", "authority-attest"] {
        parts = parts.without(label);
        let error = Evidence::decode(&cbor::encode(&parts)).unwrap_err();
        assert_eq!(error, EnvelopeError::Missing { label });
        parts = Parts::of_evidence(&evidence()).unwrap();
    }
}

#[test]
fn a_part_of_another_type_or_indicator_is_refused() {
    let media_type = EnvelopeError::MediaType {
        label: "software",
        expected: "text/plain",
        found: "text/html".to_owned(),
    };
    assert_eq!(changed("text/plain", "text/html"), media_type);
    let indicator = EnvelopeError::Indicator {
        label: "nonce",
        expected: 4,
        found: 8,
    };
    assert_eq!(changed(", 4]", ", 8]"), indicator);
    // RFC 9999 lets the indicator be left out.
    let json = bare().to_json().unwrap().replace(", 4]", "]");
    assert_eq!(Evidence::decode(json.as_bytes()), Ok(bare()));
}

#[test]
fn a_collection_of_another_type_is_refused() {
    let error = changed(COLLECTION_TYPE, "urn:uuid:other");
    assert!(matches!(error, EnvelopeError::CollectionType { .. }));
    let error = changed("__cmwc_t", "nonce");
    assert!(matches!(error, EnvelopeError::Json { .. }), "{error}");
    let none = "{}".as_bytes();
    let expected = EnvelopeError::CollectionType {
        expected: COLLECTION_TYPE,
        found: None,
    };
    assert_eq!(Evidence::decode(none), Err(expected.clone()));
    assert_eq!(Evidence::decode(&[0xa0]), Err(expected));
}

#[test]
fn what_is_no_collection_is_refused() {
    let check = |bytes: &[u8]| Evidence::decode(bytes).unwrap_err();
    assert_eq!(check(b""), EnvelopeError::NoCollection { found: None });
    let record = check(&[0x83]);
    assert_eq!(record, EnvelopeError::NoCollection { found: Some(0x83) });
    let members = check(&[0xb8, 0xff]);
    let many = EnvelopeError::TooManyMembers {
        limit: 12,
        found: 255,
    };
    assert_eq!(members, many);
    // A map without a length, and one of more members than bytes.
    assert!(matches!(check(&[0xbf, 0xff]), EnvelopeError::Cbor { .. }));
    assert!(matches!(check(&[0xa2]), EnvelopeError::Cbor { .. }));
    let mut trailing = bare().to_cbor().unwrap();
    trailing.push(0);
    assert_eq!(check(&trailing), EnvelopeError::Trailing { found: 1 });
    let long = check(&vec![b'{'; MAX_ENVELOPE_BYTES + 1]);
    assert!(matches!(long, EnvelopeError::TooLong { .. }));
    // As deep as it may be nested, nothing is kept and no stack is used up.
    let deep = format!("{{\"nonce\": {}", "[".repeat(100_000));
    assert!(matches!(check(deep.as_bytes()), EnvelopeError::Json { .. }));
}

#[test]
fn a_part_that_is_not_what_its_label_says_is_refused() {
    let with = |label: &str, value: &[u8]| {
        let parts = Parts::of_evidence(&evidence()).unwrap();
        let bytes = cbor::encode(&parts.with(label, value));
        Evidence::decode(&bytes).unwrap_err()
    };
    let nonce = EnvelopeError::NonceLength {
        expected: NONCE_BYTES,
        found: 20,
    };
    assert_eq!(with("nonce", &[0; 20]), nonce);
    let long = EnvelopeError::PartTooLong {
        label: "nonce",
        limit: NONCE_BYTES,
        found: 33,
    };
    assert_eq!(with("nonce", &[0; 33]), long);
    assert_eq!(with("software", b"a b"), EnvelopeError::Software);
    assert_eq!(with("software", b"\xff"), EnvelopeError::Software);
    assert!(matches!(with("pcrs", b""), EnvelopeError::Pcrs(_)));
    for label in ["attest", "signature", "ak-public", "authority-public"] {
        let error = with(label, b"");
        assert!(
            error
                .to_string()
                .starts_with(&format!("the part {label}: "))
        );
    }
    let json = bare().to_json().unwrap();
    let padded = json.replacen("\", 4]", "=\", 4]", 1);
    let base64 = EnvelopeError::Base64 { label: "nonce" };
    assert_eq!(Evidence::decode(padded.as_bytes()), Err(base64));
}

#[test]
fn what_a_reader_would_refuse_is_not_written() {
    let long = Evidence {
        firmware_log: vec![0; crate::firmware::MAX_LOG_BYTES + 1],
        ..evidence()
    };
    assert!(matches!(
        long.to_cbor(),
        Err(EncodeError::PartTooLong {
            label: "firmware-log",
            ..
        })
    ));
    let unnamed = Evidence {
        software: String::new(),
        ..evidence()
    };
    assert_eq!(unnamed.to_json(), Err(EncodeError::Software));
    // The longest logs fit in both forms.
    let most = Evidence {
        firmware_log: vec![0; crate::firmware::MAX_LOG_BYTES],
        measured_log: vec![0; crate::measured::MAX_MEASURED_LOG_BYTES],
        ..evidence()
    };
    let json = most.to_json().unwrap();
    assert_eq!(Evidence::decode(json.as_bytes()), Ok(most));
}
