//! Heads of the audit log in Earnest's own log: what is taken for one, and what is refused.

use earnest_evidence::Evidence;
use earnest_evidence::measured::{Head, MeasuredLog};

use crate::appraisal::{Appraisal, Refusal, appraise};
use crate::ear::Ear;
use crate::policy::Policy;
use crate::simulation::{Device, Key, NOW, event, fresh, policy, quote_of, start};

fn head(sequence: u64) -> Head {
    Head::new(sequence, [sequence as u8; 32])
}

/// A device that started once and anchored these.
fn device(heads: &[Head]) -> Device {
    let mut device = Device::new(Key::ecc());
    for head in heads {
        device.starts.append(*head).unwrap();
    }
    device
}

fn appraised(device: &Device, evidence: &Evidence, policy: &Policy) -> Appraisal {
    let reference = Device::new(Key::ecc()).reference();
    let enrolment = device.enrolment(false);
    appraise(evidence, &enrolment, &reference, policy, &fresh())
}

/// The names of the reasons to refuse, and the newest head.
fn check(device: &Device, evidence: &Evidence, reasons: &[&str], newest: Option<Head>) {
    let appraisal = appraised(device, evidence, &policy(""));
    let found: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(found, reasons);
    assert_eq!(appraisal.audit_head(), newest.as_ref());
    let claim = appraisal.to_ear(NOW).submodules.device.verifier.audit_head;
    assert_eq!(claim, newest);
}

#[test]
fn the_newest_head_is_claimed_and_starts_are_judged_as_before() {
    let none = device(&[]);
    check(&none, &none.evidence(), &[], None);
    let mut anchored = device(&[head(3), head(7)]);
    check(&anchored, &anchored.evidence(), &[], Some(head(7)));
    anchored.starts.append(start("0.1.0")).unwrap();
    anchored.starts.append(head(8)).unwrap();
    check(&anchored, &anchored.evidence(), &[], Some(head(8)));
    anchored.starts.append(start("0.0.9")).unwrap();
    let mut evidence = anchored.evidence();
    evidence.software = "0.0.9".to_owned();
    check(&anchored, &evidence, &["start_not_allowed"], Some(head(8)));
}

#[test]
fn heads_that_do_not_grow_are_refused_with_both() {
    for heads in [
        [head(3), head(2)],
        [head(3), head(3)],
        [head(3), Head::new(3, [9; 32])],
    ] {
        let device = device(&[&heads[..], &[head(4)]].concat());
        let evidence = device.evidence();
        check(&device, &evidence, &["audit_log_went_back"], None);
        let appraisal = appraised(&device, &evidence, &policy(""));
        let expected = Refusal::Heads {
            number: 3,
            expected: heads[0],
            found: heads[1],
        };
        assert_eq!(appraisal.refusals().collect::<Vec<_>>(), [&expected]);
    }
    let told = Refusal::Heads {
        number: 3,
        expected: head(3),
        found: head(2),
    };
    for words in [head(3).to_string(), head(2).to_string()] {
        assert!(told.to_string().contains(&words), "{told}");
    }
}

#[test]
fn a_head_that_is_left_out_or_changed_is_refused_and_none_is_claimed() {
    let device = device(&[head(3), head(7)]);
    let mut hidden = MeasuredLog::new();
    hidden.append(start("0.1.0")).unwrap();
    let mut changed = hidden.clone();
    changed.append(head(3)).unwrap();
    let cut = changed.clone();
    changed.append(head(9)).unwrap();
    for log in [hidden, cut, changed] {
        let mut evidence = device.evidence();
        evidence.measured_log = log.encode();
        check(&device, &evidence, &["measured_log_replay"], None);
    }
}

#[test]
fn a_head_that_no_quote_vouches_for_is_not_claimed() {
    let device = device(&[head(3)]);
    let mut forged = device.evidence();
    forged.attest.clock_info.clock += 1;
    check(&device, &forged, &["quote_signature"], None);
    let values = device.values();
    let old = device.quote(quote_of(&values, &[1; 32]), values);
    check(&device, &old, &["quote_nonce"], None);
    let mut other = device.evidence();
    other.pcrs = Device::new(Key::ecc()).values();
    let appraisal = appraised(&device, &other, &policy(""));
    assert_eq!(appraisal.audit_head(), None);
    // What is wrong about the boot is no matter of the log's.
    let mut booted = Device::new(Key::ecc());
    booted.starts = device.starts;
    booted
        .boot
        .push(event(11, crate::simulation::IPL, "other kernel"));
    check(&booted, &booted.evidence(), &["boot_state"], Some(head(3)));
}

#[test]
fn heads_without_a_start_are_no_log_of_starts() {
    let mut device = device(&[]);
    device.starts = MeasuredLog::new();
    device.starts.append(head(3)).unwrap();
    let evidence = device.evidence();
    check(&device, &evidence, &["no_measured_log"], Some(head(3)));
    let optional = policy(r#", "measured_log": "optional""#);
    let appraisal = appraised(&device, &evidence, &optional);
    assert!(appraisal.is_pass());
    assert_eq!(appraisal.audit_head(), Some(&head(3)));
    device.starts.append(head(2)).unwrap();
    let appraisal = appraised(&device, &device.evidence(), &optional);
    let found: Vec<&str> = appraisal.refusals().map(Refusal::reason).collect();
    assert_eq!(found, ["audit_log_went_back"]);
}

#[test]
fn the_claim_stands_in_the_result_and_is_left_out_without_a_head() {
    let json = |device: &Device| {
        let appraisal = appraised(device, &device.evidence(), &policy(""));
        serde_json::to_string(&appraisal.to_ear(NOW)).unwrap()
    };
    let with = json(&device(&[head(7)]));
    let digest = head(7).digest().to_string();
    let expected = format!(r#""audit_head":{{"sequence":7,"digest":"{digest}"}}"#);
    assert!(with.contains(&expected), "{with}");
    let read: Ear = serde_json::from_str(&with).unwrap();
    assert_eq!(read.submodules.device.verifier.audit_head, Some(head(7)));
    let without = json(&device(&[]));
    assert!(!without.contains("audit_head"), "{without}");
    assert!(serde_json::from_str::<Ear>(&without).is_ok());
}
