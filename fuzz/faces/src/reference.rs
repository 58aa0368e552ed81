//! The files that a fleet keeps: reference values, policies, nonces and enrolments.

use earnest_verifier::enrolment::{Enrolment, Pending};
use earnest_verifier::freshness::NonceRecord;
use earnest_verifier::policy::Policy;
use earnest_verifier::reference::ReferenceValues;

/// Reads `data` behind its first byte as the file that this byte names: `r` reference values,
/// `p` a policy, `n` a nonce's record, `e` an enrolment, `w` one that waits for its answer. What
/// is taken has one meaning: written and read again it is the same.
pub fn reference(data: &[u8]) {
    let Some((kind, Ok(text))) = data
        .split_first()
        .map(|(kind, text)| (kind, std::str::from_utf8(text)))
    else {
        return;
    };
    match kind {
        b'r' => read(text, ReferenceValues::from_json, |reference| {
            assert_eq!(reference.diff(reference), []);
            assert!(reference.pcrs().all(|(pcr, _)| pcr < 24));
            Some(reference.to_json())
        }),
        b'p' => read(text, Policy::from_json, |policy| {
            assert!(policy.nonce_lifetime_seconds() > 0 && policy.result_lifetime_seconds() > 0);
            assert!(policy.quoted_pcrs().contains_all(policy.pcrs()));
            assert_ne!(policy.bank(), earnest_evidence::HashAlgorithm::Sha1);
            None
        }),
        b'n' => read(text, NonceRecord::from_json, |record| {
            let (mut record, json) = (record.clone(), record.to_json());
            let device = record.device().unwrap_or("any").to_owned();
            let first = record.consume(&device, 0);
            assert!(record.consume(&device, 0).is_err(), "{first:?}");
            Some(json)
        }),
        b'e' => read(text, Enrolment::from_json, |enrolment| {
            let public = enrolment
                .ak_public()
                .expect("it was checked when it was read");
            assert_eq!(public.name(), *enrolment.ak_name());
            Some(enrolment.to_json())
        }),
        b'w' => read(text, Pending::from_json, |pending| Some(pending.to_json())),
        _ => {}
    }
}

fn read<T, E>(text: &str, parse: fn(&str) -> Result<T, E>, check: impl FnOnce(&T) -> Option<String>)
where
    T: PartialEq + std::fmt::Debug,
    E: std::error::Error,
{
    match parse(text) {
        Err(error) => drop(error.to_string()),
        Ok(value) => {
            if let Some(again) = check(&value) {
                assert_eq!(parse(&again).ok().as_ref(), Some(&value));
            }
        }
    }
}
