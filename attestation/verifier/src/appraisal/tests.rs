//! What an attacker would send, and the reason for which each is refused.

use crate::ear::{Outcome, Tier};
use crate::freshness::{FreshNonce, FreshnessError, NonceRecord};
use crate::policy::Policy;
use earnest_evidence::envelope::Authority;
use earnest_evidence::measured::{MeasuredLog, SandboxLevel, Start};
use earnest_evidence::tpm::{Attested, Buffer, ObjectAttributes, PcrValues, Signature};
use earnest_evidence::{Evidence, HashAlgorithm, Nonce};

use super::{Appraisal, Check, Refusal, appraise};
use crate::simulation::{
    self, BootEvent, DEVICE, Device, IPL, Key, NONCE, NOW, attest, event, fresh, log_of, policy,
    policy_of, quote_of, selection, start,
};

fn appraised(device: &Device, evidence: &Evidence, policy: &Policy) -> Appraisal {
    // What is approved is the device as it was before anybody changed it.
    let reference = Device::new(Key::ecc()).reference();
    appraise(
        evidence,
        &device.enrolment(false),
        &reference,
        policy,
        &fresh(),
    )
}

/// Appraises the device's own evidence under the usual policy, with this word on its nonce.
fn appraised_with(device: &Device, freshness: &Result<FreshNonce, FreshnessError>) -> Appraisal {
    appraise(
        &device.evidence(),
        &device.enrolment(false),
        &device.reference(),
        &policy(""),
        freshness,
    )
}

/// Appraises under the usual policy, and gives the names of the reasons to refuse.
fn reasons(device: &Device, evidence: &Evidence) -> Vec<&'static str> {
    let appraisal = appraised(device, evidence, &policy(""));
    assert_eq!(appraisal.is_pass(), appraisal.refusals().count() == 0);
    // Every message can be shown.
    assert!(
        appraisal
            .refusals()
            .all(|refusal| !refusal.to_string().is_empty())
    );
    appraisal.refusals().map(Refusal::reason).collect()
}

#[test]
fn honest_devices_pass_with_every_kind_of_key() {
    for key in [Key::rsa(false), Key::rsa(true), Key::ecc()] {
        let device = Device::new(key);
        let evidence = device.evidence();
        let appraisal = appraised(&device, &evidence, &policy(""));
        let refusals: Vec<&Refusal> = appraisal.refusals().collect();
        assert!(appraisal.is_pass(), "{refusals:?}");
        assert_eq!(appraisal.to_ear(NOW).status, Tier::Affirming);
        // Through the envelope and back it is the same evidence.
        let envelope = evidence.to_cbor().expect("no part is too long");
        assert_eq!(Evidence::decode(&envelope), Ok(evidence));
    }
}

#[test]
fn a_replayed_nonce_is_refused() {
    let device = Device::new(Key::ecc());
    let mut record = NonceRecord::issue(NONCE, Some(DEVICE), NOW - 10, 60);
    assert!(record.consume(DEVICE, NOW - 5).is_ok());
    let again = record.consume(DEVICE, NOW);
    let appraisal = appraised_with(&device, &again);
    let expected = Refusal::Freshness(FreshnessError::Replayed {
        nonce: NONCE,
        consumed_at: NOW - 5,
    });
    assert_eq!(appraisal.refusals().collect::<Vec<_>>(), [&expected]);
    assert!(!appraisal.is_pass());
}

#[test]
fn a_stale_nonce_is_refused() {
    let device = Device::new(Key::ecc());
    let stale = NonceRecord::issue(NONCE, Some(DEVICE), NOW - 60, 60).consume(DEVICE, NOW);
    let appraisal = appraised_with(&device, &stale);
    let reasons: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(reasons, ["nonce_stale"]);
}

#[test]
fn a_quote_for_another_nonce_is_refused() {
    let device = Device::new(Key::ecc());
    let values = device.values();
    let old = device.quote(quote_of(&values, &[1; 32]), values);
    assert_eq!(reasons(&device, &old), ["quote_nonce"]);
    let mut renamed = device.evidence();
    renamed.nonce = Nonce::from_bytes([1; 32]);
    assert_eq!(reasons(&device, &renamed), ["envelope_nonce"]);
    let other = NonceRecord::issue(NONCE, Some("attic"), NOW, 60).consume("attic", NOW);
    let appraisal = appraised_with(&device, &other);
    let reasons: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(reasons, ["nonce_of_other_device"]);
}

#[test]
fn a_quote_by_another_key_is_refused() {
    let (device, other) = (Device::new(Key::ecc()), Device::new(Key::ecc()));
    let theirs = reasons(&device, &other.evidence());
    assert_eq!(theirs, ["other_attestation_key", "quote_signature"]);
    // And if the envelope claims to bring the enrolled key, the signature tells.
    let mut disguised = other.evidence();
    disguised.ak_public = device.public();
    assert_eq!(reasons(&device, &disguised), ["quote_signature"]);
}

#[test]
fn a_key_that_is_not_restricted_is_refused() {
    let check = |attributes: ObjectAttributes| {
        let mut device = Device::new(Key::ecc());
        device.attributes = attributes;
        assert_eq!(reasons(&device, &device.evidence()), ["key_not_restricted"]);
    };
    let without = |one: ObjectAttributes| ObjectAttributes(simulation::RESTRICTED.0 & !one.0);
    check(without(ObjectAttributes::RESTRICTED));
    check(without(ObjectAttributes::FIXED_TPM));
    check(without(ObjectAttributes::FIXED_PARENT));
    check(without(ObjectAttributes::SENSITIVE_DATA_ORIGIN));
    check(without(ObjectAttributes::SIGN));
    check(simulation::RESTRICTED.union(ObjectAttributes::DECRYPT));
}

#[test]
fn a_flipped_bit_in_any_signed_byte_is_refused() {
    for key in [Key::ecc(), Key::rsa(false)] {
        let device = Device::new(key);
        let evidence = device.evidence();
        let (attest, signature) = (evidence.attest.marshal(), evidence.signature.marshal());
        let key = device.public().key().expect("it is a key");
        let verify = |attest: &[u8], signature: &[u8]| {
            crate::quote::verify(&key, attest, signature, NONCE.as_bytes())
        };
        assert!(verify(&attest, &signature).is_ok());
        for place in 0..attest.len() * 8 {
            let mut flipped = attest.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            assert!(verify(&flipped, &signature).is_err(), "bit {place}");
        }
        for place in 0..signature.len() * 8 {
            let mut flipped = signature.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            assert!(verify(&attest, &flipped).is_err(), "bit {place}");
        }
    }
}

#[test]
fn a_flipped_bit_in_any_part_of_the_envelope_is_refused_or_changes_nothing() {
    let device = Device::new(Key::ecc());
    let (enrolment, reference, policy) = (device.enrolment(false), device.reference(), policy(""));
    let right = device.evidence();
    let envelope = right.to_cbor().expect("no part is too long");
    for place in 0..envelope.len() {
        let mut flipped = envelope.clone();
        flipped[place] ^= 1 << (place % 8);
        let Ok(evidence) = Evidence::decode(&flipped) else {
            continue;
        };
        let appraisal = appraise(&evidence, &enrolment, &reference, &policy, &fresh());
        if appraisal.is_pass() {
            // Only what nothing vouches for may differ: texts and types in the firmware log,
            // its digests by other algorithms, and what the envelope leaves open.
            let quiet = |evidence: &Evidence| Evidence {
                firmware_log: Vec::new(),
                ..evidence.clone()
            };
            assert_eq!(quiet(&evidence), quiet(&right), "byte {place}");
        }
    }
}

#[test]
fn fewer_pcrs_than_the_policy_asks_for_are_refused() {
    let mut device = Device::new(Key::ecc());
    device.quoted = vec![4, 7, 14];
    assert_eq!(reasons(&device, &device.evidence()), ["missing_pcrs"]);
    // Values that the quote does not have do not make up for it.
    let values = device.values();
    let mut more = device.quote(quote_of(&values, NONCE.as_bytes()), values);
    more.pcrs
        .insert(11, device.value(11))
        .expect("it is not there yet");
    assert_eq!(reasons(&device, &more), ["missing_pcrs", "pcr_selection"]);
}

#[test]
fn pcrs_that_nothing_was_measured_into_are_refused() {
    let mut device = Device::new(Key::ecc());
    device.boot.clear();
    device.starts = MeasuredLog::new();
    let found = reasons(&device, &device.evidence());
    assert!(found.contains(&"unmeasured_pcr"), "{found:?}");
    // Even where the reference values would have it so.
    let policy = policy(r#", "firmware_log": "optional", "measured_log": "optional""#);
    let appraisal = appraise(
        &device.evidence(),
        &device.enrolment(false),
        &device.reference(),
        &policy,
        &fresh(),
    );
    let reasons: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(reasons, ["unmeasured_pcr"; 3]);
}

#[test]
fn a_truncated_log_is_refused() {
    let device = Device::new(Key::ecc());
    let mut evidence = device.evidence();
    let whole = evidence.firmware_log.clone();
    for length in 0..whole.len() {
        evidence.firmware_log.truncate(whole.len() - 1 - length);
        let found = reasons(&device, &evidence);
        let cut = [
            "no_firmware_log",
            "firmware_log_malformed",
            "firmware_log_replay",
        ];
        assert!(cut.contains(&found[0]), "{length}: {found:?}");
    }
}

#[test]
fn a_padded_log_is_refused() {
    let device = Device::new(Key::ecc());
    for padding in [1, 4, 16, 64] {
        let mut evidence = device.evidence();
        evidence.firmware_log.extend(vec![0; padding]);
        assert_eq!(reasons(&device, &evidence), ["firmware_log_malformed"]);
    }
    // A whole event too many leads elsewhere.
    let mut evidence = device.evidence();
    let mut events = device.boot.clone();
    events.push(event(11, IPL, "one more"));
    evidence.firmware_log = log_of(&events);
    assert_eq!(reasons(&device, &evidence), ["firmware_log_replay"]);
}

#[test]
fn a_reordered_log_is_refused() {
    let device = Device::new(Key::ecc());
    let mut events = device.boot.clone();
    events.swap(6, 7);
    let mut evidence = device.evidence();
    evidence.firmware_log = log_of(&events);
    assert_eq!(reasons(&device, &evidence), ["firmware_log_replay"]);
}

#[test]
fn a_spliced_log_is_refused() {
    // The kernel's events of an approved boot, behind the loader's of another.
    let device = Device::new(Key::ecc());
    let mut other = Device::new(Key::ecc());
    other.boot[5] = event(4, 0x8000_0003, "another boot loader");
    let spliced: Vec<BootEvent> = [&other.boot[..6], &device.boot[6..]].concat();
    let mut evidence = device.evidence();
    evidence.firmware_log = log_of(&spliced);
    assert_eq!(reasons(&device, &evidence), ["firmware_log_replay"]);
}

#[test]
fn a_log_that_leads_to_other_pcrs_than_those_approved_names_the_event() {
    let mut device = Device::new(Key::ecc());
    device.boot[7] = event(11, IPL, "another initial RAM disk");
    let appraisal = appraised(&device, &device.evidence(), &policy(""));
    let refusals: Vec<&Refusal> = appraisal.refusals().collect();
    let [refusal @ Refusal::BootState { pcr: 11, .. }] = refusals.as_slice() else {
        panic!("{refusals:?}");
    };
    let difference = refusal.event().expect("the log leads to the PCR");
    // The head of the log is event 0.
    assert_eq!((difference.index, difference.place), (8, 1));
    let digest = |data: &[u8]| Some(HashAlgorithm::Sha256.digest(data));
    assert_eq!(difference.expected, digest(b"initial RAM disk"));
    assert_eq!(difference.found, digest(b"another initial RAM disk"));
    // And the result has it, too.
    let ear = appraisal.to_ear(NOW);
    assert_eq!(ear.status, Tier::Contraindicated);
    let claims = &ear.submodules.device.verifier.checks;
    let claim = claims.iter().find(|claim| claim.check == "boot-state");
    let claim = claim.expect("it was made");
    assert_eq!((claim.pcr, claim.event), (Some(11), Some(8)));
    assert_eq!(claim.found, difference.found);
}

#[test]
fn events_that_are_missing_or_too_many_are_told_from_changed_ones() {
    let mut device = Device::new(Key::ecc());
    device.boot.pop();
    let appraisal = appraised(&device, &device.evidence(), &policy(""));
    let difference = appraisal.refusals().find_map(Refusal::event);
    let difference = difference.expect("an event is missing");
    assert_eq!((difference.index, difference.found), (8, None));

    let mut device = Device::new(Key::ecc());
    device.boot.push(event(11, IPL, "one more"));
    let appraisal = appraised(&device, &device.evidence(), &policy(""));
    let difference = appraisal.refusals().find_map(Refusal::event);
    let difference = difference.expect("an event is too many");
    assert_eq!((difference.index, difference.expected), (9, None));
}

#[test]
fn a_log_and_values_that_agree_but_were_not_quoted_are_refused() {
    // The honest log and values, over a quote of what the PCRs really hold.
    let honest = Device::new(Key::ecc());
    let mut device = Device::new(Key::ecc());
    device.boot[5] = event(4, 0x8000_0003, "another boot loader");
    let quoted = quote_of(&device.values(), NONCE.as_bytes());
    let mut evidence = device.quote(quoted, honest.values());
    evidence.firmware_log = honest.log();
    assert_eq!(reasons(&device, &evidence), ["pcr_digest"]);
}

#[test]
fn a_quote_of_sha1_alone_is_refused() {
    let mut device = Device::new(Key::ecc());
    device.bank = HashAlgorithm::Sha1;
    assert_eq!(reasons(&device, &device.evidence())[0], "sha1_only");
}

#[test]
fn a_quote_of_the_wrong_bank_is_refused() {
    let mut device = Device::new(Key::ecc());
    device.bank = HashAlgorithm::Sha384;
    assert_eq!(reasons(&device, &device.evidence())[0], "wrong_bank");
    // Nor do the right values help in the wrong bank of a quote of two.
    let honest = Device::new(Key::ecc());
    let device = Device::new(Key::ecc());
    let values = honest.values();
    let mut attest = quote_of(&values, NONCE.as_bytes());
    attest.attested = Attested::Quote {
        selection: selection(HashAlgorithm::Sha384, &[4, 7, 11, 14]),
        pcr_digest: Buffer::from(&values.digest(HashAlgorithm::Sha256)),
    };
    let found = reasons(&device, &device.quote(attest, values));
    assert_eq!(found, ["wrong_bank", "pcr_selection"]);
}

#[test]
fn a_signature_with_sha1_is_refused() {
    let device = Device::new(Key::rsa(false));
    let mut evidence = device.evidence();
    let Signature::RsaSsa { signature, .. } = evidence.signature else {
        panic!("the key signs by RSASSA");
    };
    evidence.signature = Signature::RsaSsa {
        hash: HashAlgorithm::Sha1,
        signature,
    };
    assert_eq!(reasons(&device, &evidence), ["quote_signature"]);
}

#[test]
fn another_kind_of_attestation_is_no_quote() {
    let device = Device::new(Key::ecc());
    let name = device.public().name();
    let certify = attest(
        NONCE.as_bytes(),
        Attested::Certify {
            name: name.clone(),
            qualified_name: name,
        },
    );
    let evidence = device.quote(certify, device.values());
    assert_eq!(reasons(&device, &evidence), ["not_a_quote"]);
}

#[test]
fn a_software_tpm_is_refused_in_production_and_a_warning_in_development() {
    let device = Device::new(Key::ecc());
    let (evidence, enrolment) = (device.evidence(), device.enrolment(true));
    let reference = device.reference();
    let production = appraise(&evidence, &enrolment, &reference, &policy(""), &fresh());
    let reasons: Vec<&str> = production.refusals().map(Refusal::reason).collect();
    assert_eq!(reasons, ["software_tpm"]);
    assert_eq!(production.to_ear(NOW).status, Tier::Contraindicated);

    let allowed = policy(r#", "software_tpm": "allow""#);
    let development = appraise(&evidence, &enrolment, &reference, &allowed, &fresh());
    assert!(development.is_pass());
    let ear = development.to_ear(NOW);
    assert_eq!(ear.status, Tier::Warning);
    assert!(ear.is_pass());
}

#[test]
fn starts_that_may_not_be_are_refused_wherever_they_stand() {
    let check = |start: Start, field: &str| {
        let mut device = Device::new(Key::ecc());
        device.starts.append(start).expect("there is room");
        // The last start is an honest one again.
        device
            .starts
            .append(simulation::start("0.1.0"))
            .expect("there is room");
        let appraisal = appraised(&device, &device.evidence(), &policy(""));
        let refusals: Vec<&Refusal> = appraisal.refusals().collect();
        let [
            Refusal::Start {
                number: 2,
                field: found,
                ..
            },
        ] = refusals.as_slice()
        else {
            panic!("{refusals:?}");
        };
        assert_eq!(*found, field);
    };
    let digest = |text: &str| HashAlgorithm::Sha256.digest(text.as_bytes());
    let start = |configuration, model, level| {
        let model = Some(digest(model));
        Start::new(digest(configuration), model, level, "0.1.0").expect("it is one")
    };
    let full = SandboxLevel::Full;
    check(start("another", "model", full), "configuration");
    check(start("configuration", "another", full), "model package");
    check(
        start("configuration", "model", SandboxLevel::Partial),
        "sandbox level",
    );
    check(simulation::start("0.0.9"), "version");
    let none = Start::new(digest("configuration"), None, full, "0.1.0").expect("it is one");
    check(none, "model package");
}

#[test]
fn starts_that_are_left_out_or_made_up_are_refused() {
    let mut device = Device::new(Key::ecc());
    device.starts.append(start("0.0.9")).expect("there is room");
    let mut evidence = device.evidence();
    let mut hidden = MeasuredLog::new();
    hidden.append(start("0.1.0")).expect("it is the first");
    evidence.measured_log = hidden.encode();
    assert_eq!(reasons(&device, &evidence), ["measured_log_replay"]);
    evidence.measured_log.clear();
    assert_eq!(reasons(&device, &evidence), ["no_measured_log"]);
    // Where the log is not asked for, it may still not be withheld.
    let optional = policy(r#", "measured_log": "optional""#);
    let appraisal = appraised(&device, &evidence, &optional);
    let found: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(found, ["measured_log_replay"]);
    evidence.measured_log = vec![0xa6];
    assert_eq!(reasons(&device, &evidence), ["measured_log_malformed"]);
}

#[test]
fn software_that_is_not_the_last_start_is_refused() {
    let device = Device::new(Key::ecc());
    let mut evidence = device.evidence();
    evidence.software = "9.9.9".to_owned();
    assert_eq!(reasons(&device, &evidence), ["software_version"]);
}

#[test]
fn what_no_reference_value_speaks_of_is_refused() {
    let device = Device::new(Key::ecc());
    let wide = policy_of(r#""name": "wide", "bank": "sha256", "pcrs": [0, 4, 7, 11]"#);
    let mut quoted = Device::new(Key::ecc());
    quoted.quoted = vec![0, 4, 7, 11, 14];
    let appraisal = appraised(&quoted, &quoted.evidence(), &wide);
    let found: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(found, ["no_reference"]);
    let other = policy_of(r#""name": "other", "bank": "sha384", "pcrs": [4]"#);
    let appraisal = appraised(&device, &device.evidence(), &other);
    assert!(
        appraisal
            .refusals()
            .any(|refusal| refusal.reason() == "reference_bank")
    );
}

#[test]
fn an_authority_key_must_be_certified_by_the_attestation_key() {
    let device = Device::new(Key::ecc());
    let required = policy(r#", "authority": "required""#);
    let own = ObjectAttributes(simulation::RESTRICTED.0 & !ObjectAttributes::RESTRICTED.0);
    let authority = |signer: &Key, certified: &Key, attributes: ObjectAttributes| {
        let public = Key::ecc().public(attributes);
        let name = match std::ptr::eq(signer, certified) {
            true => public.name(),
            false => certified.public(attributes).name(),
        };
        let attest = attest(
            &[],
            Attested::Certify {
                name: name.clone(),
                qualified_name: name,
            },
        );
        let signature = signer.sign(&attest.marshal());
        Some(Authority {
            public,
            attest,
            signature,
        })
    };
    let check = |authority: Option<Authority>, expected: &[&str]| {
        let mut evidence = device.evidence();
        evidence.authority = authority;
        let appraisal = appraised(&device, &evidence, &required);
        let found: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
        assert_eq!(found, expected);
    };
    let stranger = Key::ecc();
    check(authority(&device.key, &device.key, own), &[]);
    check(None, &["no_authority_key"]);
    let by_stranger = authority(&stranger, &stranger, own);
    check(by_stranger, &["authority_signature"]);
    let of_another = authority(&device.key, &stranger, own);
    check(of_another, &["authority_name"]);
    let leaving = ObjectAttributes(own.0 & !ObjectAttributes::FIXED_TPM.0);
    let leaving = authority(&device.key, &device.key, leaving);
    check(leaving, &["authority_attributes"]);
}

#[test]
fn every_check_has_its_outcome_whatever_fails() {
    let (device, other) = (Device::new(Key::ecc()), Device::new(Key::ecc()));
    let all = [
        Check::Freshness,
        Check::AttestationKey,
        Check::Quote,
        Check::Pcrs,
        Check::FirmwareLog,
        Check::BootState,
        Check::MeasuredLog,
        Check::Authority,
        Check::Tpm,
    ];
    let mut empty = other.evidence();
    empty.pcrs = PcrValues::new();
    empty.firmware_log.clear();
    empty.measured_log.clear();
    for evidence in [device.evidence(), other.evidence(), empty] {
        let appraisal = appraised(&device, &evidence, &policy(""));
        let checks: Vec<Check> = appraisal.checks().iter().map(|check| check.check).collect();
        assert_eq!(checks, all);
        for check in appraisal.checks() {
            assert_eq!(check.outcome == Outcome::Failed, !check.refusals.is_empty());
        }
    }
}
