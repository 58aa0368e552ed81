use proptest::prelude::*;

use super::*;
use crate::HashAlgorithm;
use crate::tpm::{
    Buffer, Curve, EccParameters, ObjectAttributes, Parameters, Public, Scheme, Symmetric,
};

fn public() -> Public {
    Public {
        name_algorithm: HashAlgorithm::Sha256,
        attributes: ObjectAttributes::SIGN.union(ObjectAttributes::RESTRICTED),
        auth_policy: Buffer::default(),
        parameters: Parameters::Ecc(EccParameters {
            symmetric: Symmetric::Null,
            scheme: Scheme::ECDSA_SHA256,
            curve_id: Curve::P256.id(),
            x: Buffer::new(&[1; 32]).unwrap(),
            y: Buffer::new(&[2; 32]).unwrap(),
        }),
    }
}

fn request() -> Request {
    let certificates = vec![vec![0x30, 1], vec![0x30, 2]];
    Request::new(certificates, public(), public(), Some("kitchen-1".into())).unwrap()
}

fn challenge() -> Challenge {
    let id = ChallengeId::from_bytes([0xa5; 16]);
    Challenge::new(id, vec![0, 2, 7, 8], vec![0, 1, 9]).unwrap()
}

#[test]
fn the_files_are_written_as_ever() {
    let check = |text: String, expected: &str| assert_eq!(text, expected);
    check(
        challenge().to_json(),
        r#"{
  "format": "earnest enrolment challenge 1",
  "id": "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5",
  "id_object": "AAIHCA==",
  "encrypted_secret": "AAEJ"
}
"#,
    );
    check(
        Answer::new(challenge().id(), &[1, 2, 3]).unwrap().to_json(),
        r#"{
  "format": "earnest enrolment answer 1",
  "id": "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5",
  "secret": "AQID"
}
"#,
    );
    let request = request().to_json();
    let start = r#"{
  "format": "earnest enrolment request 1",
  "ek_certificates": [
    "MAE=",
    "MAI="
  ],
  "ek_public": "ACMACwAFAAAAA"#;
    assert!(request.starts_with(start), "{request}");
    assert!(request.ends_with("\"name\": \"kitchen-1\"\n}\n"));
}

#[test]
fn what_is_written_is_read_back() {
    let request = request();
    assert_eq!(
        Request::from_json(request.to_json().as_bytes()),
        Ok(request)
    );
    let nameless = Request::new(vec![vec![1]], public(), public(), None).unwrap();
    assert!(!nameless.to_json().contains("name"));
    assert_eq!(
        Request::from_json(nameless.to_json().as_bytes()),
        Ok(nameless)
    );
    let challenge = challenge();
    assert_eq!(
        Challenge::from_json(challenge.to_json().as_bytes()),
        Ok(challenge)
    );
}

#[test]
fn a_file_of_another_kind_or_with_more_in_it_is_refused() {
    let text = challenge().to_json();
    let renamed = text.replace("challenge 1", "challenge 2");
    assert_eq!(
        Challenge::from_json(renamed.as_bytes()),
        Err(EnrolmentError::Format {
            expected: "earnest enrolment challenge 1",
            found: "earnest enrolment challenge 2".into()
        })
    );
    let more = text.replace("\"id\"", "\"extra\": 1, \"id\"");
    let refused = Challenge::from_json(more.as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("extra"), "{refused}");
    let refused = Answer::from_json(text.as_bytes()).unwrap_err();
    assert!(matches!(refused, EnrolmentError::Json { .. }));
    let behind = format!("{text}x");
    assert!(Challenge::from_json(behind.as_bytes()).is_err());
}

#[test]
fn every_bound_is_held() {
    let size = |field, limit, found| {
        Err(EnrolmentError::Size {
            field,
            limit,
            found,
        })
    };
    let of = |certificates| Request::new(certificates, public(), public(), None);
    assert_eq!(of(vec![]), size("the number of certificates", 9, 0));
    assert_eq!(
        of(vec![vec![1]; 10]),
        size("the number of certificates", 9, 10)
    );
    assert_eq!(
        of(vec![vec![1; 8193]]),
        size("bytes of a certificate", 8192, 8193)
    );
    let id = challenge().id();
    assert_eq!(Answer::new(id, &[]), {
        let field = "bytes of the secret";
        Err(EnrolmentError::Size {
            field,
            limit: 32,
            found: 0,
        })
    });
    assert!(Answer::new(id, &[0; 33]).is_err());
    assert!(matches!(
        Challenge::new(id, vec![0, 3, 1], vec![0, 1, 1]),
        Err(EnrolmentError::Buffer {
            field: "id_object",
            expected: 3,
            found: 1
        })
    ));
    assert!(Challenge::new(id, vec![0, 1, 1], vec![0; 515]).is_err());
    let long = vec![b' '; MAX_FILE_BYTES + 1];
    assert!(matches!(
        Answer::from_json(&long),
        Err(EnrolmentError::TooLong { .. })
    ));
    // The largest request there can be still fits.
    let name = Some("n".repeat(MAX_DEVICE_NAME));
    let largest = vec![vec![0xff; MAX_CERTIFICATE_BYTES]; MAX_CERTIFICATES];
    let largest = Request::new(largest, public(), public(), name).unwrap();
    assert!(largest.to_json().len() < MAX_FILE_BYTES);
}

#[test]
fn a_name_can_be_shown_anywhere() {
    let named = |name: &str| Request::new(vec![vec![1]], public(), public(), Some(name.into()));
    assert!(named("Kitchen_2.left-side").is_ok());
    assert_eq!(
        named("a\u{1b}[2J"),
        Err(EnrolmentError::DeviceName { found: '\u{1b}' })
    );
    assert_eq!(
        named("../a"),
        Err(EnrolmentError::DeviceName { found: '/' })
    );
    assert!(named("").is_err());
    assert!(named(&"n".repeat(MAX_DEVICE_NAME + 1)).is_err());
}

#[test]
fn the_secret_is_not_shown() {
    let answer = Answer::new(challenge().id(), &[0xee; 32]).unwrap();
    assert!(!format!("{answer:?}").contains("238"));
}

proptest! {
    #[test]
    fn every_truncation_is_refused(cut in 0_usize..10_000) {
        for text in [request().to_json(), challenge().to_json()] {
            // Without its last line's end it is still whole.
            let cut = cut % (text.len() - 1);
            prop_assert!(Request::from_json(&text.as_bytes()[..cut]).is_err());
            prop_assert!(Challenge::from_json(&text.as_bytes()[..cut]).is_err());
        }
    }

    #[test]
    fn a_flipped_bit_is_another_file_or_none(place in 0_usize..10_000, bit in 0_u8..8) {
        let text = request().to_json();
        let mut bytes = text.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        if let Ok(read) = Request::from_json(&bytes) {
            // A line's end or a space may become another.
            let same = read == request();
            prop_assert!(!same || text.as_bytes()[place].is_ascii_whitespace());
        }
    }
}
