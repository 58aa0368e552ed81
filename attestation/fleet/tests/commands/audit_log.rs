//! What a fleet remembers of the audit logs of its devices, which forget by a reboot.

use earnest_evidence::measured::{Head, MeasuredLog};
use earnest_fleet::Exit;
use earnest_verifier::simulation::{Device, Key, NOW, attest, quote_of, start};
use serde_json::{Value, json};

use crate::support::{Fleet, Run};

fn head(sequence: u64) -> Head {
    Head::new(sequence, [sequence as u8; 32])
}

/// A fleet with one device.
fn fleet() -> (Fleet, Device) {
    let (fleet, device) = (Fleet::new(), Device::new(Key::ecc()));
    fleet.enrol(&device, false);
    fleet.reference(&device);
    (fleet, device)
}

/// The device after a reboot, which started once and anchored these; verified.
fn verified(fleet: &Fleet, device: &mut Device, boot: u32, heads: &[Head], json: bool) -> Run {
    device.starts = MeasuredLog::new();
    device.starts.append(start("0.1.0")).expect("there is room");
    for head in heads {
        device.starts.append(*head).expect("there is room");
    }
    let nonce = fleet.nonce();
    let values = device.values();
    let mut quote = quote_of(&values, nonce.as_bytes());
    let of_simulation = attest(nonce.as_bytes(), quote.attested.clone());
    quote.clock_info.reset_count = of_simulation.clock_info.reset_count + boot;
    let mut evidence = device.quote(quote, values);
    evidence.nonce = nonce;
    fleet.write("evidence.cbor", evidence.to_cbor().expect("it is short"));
    let more: &[&str] = if json { &["--json"] } else { &[] };
    fleet.verify("evidence.cbor", more)
}

fn shown(fleet: &Fleet) -> Value {
    let run = fleet.run(&["device", "show", "kitchen-1", "--state", "state", "--json"]);
    run.ends(Exit::Success).json()["audit_log"].clone()
}

#[test]
fn the_newest_head_is_remembered_and_shown() {
    let (fleet, mut device) = fleet();
    let run = verified(&fleet, &mut device, 1, &[], true).ends(Exit::Success);
    assert_eq!(run.json()["audit_log"], Value::Null);
    assert_eq!(shown(&fleet), Value::Null);
    let run = verified(&fleet, &mut device, 1, &[head(3), head(7)], true).ends(Exit::Success);
    let expected = json!({"newest": head(7), "seen_at": NOW, "went_back": null});
    assert_eq!(run.json()["audit_log"], expected);
    assert_eq!(shown(&fleet), expected);
    assert!(run.talk.is_empty(), "{}", run.talk);
    let run = verified(&fleet, &mut device, 2, &[head(9)], false).ends(Exit::Success);
    assert!(run.data.contains(&head(9).to_string()), "{}", run.data);
    assert!(run.talk.is_empty(), "{}", run.talk);
    // A boot that has not anchored yet says nothing, and nothing is forgotten.
    verified(&fleet, &mut device, 3, &[], false).ends(Exit::Success);
    assert_eq!(shown(&fleet)["newest"], json!(head(9)));
}

#[test]
fn a_log_that_went_back_shows_across_a_reboot_and_until_the_device_is_forgotten() {
    for back in [head(8), Head::new(9, [1; 32])] {
        let (fleet, mut device) = fleet();
        verified(&fleet, &mut device, 1, &[head(9)], false).ends(Exit::Success);
        let run = verified(&fleet, &mut device, 2, &[back], false).ends(Exit::Success);
        let run = run.says("the audit log went back");
        let run = run.says(&back.to_string()).says(&head(9).to_string());
        assert!(run.data.contains("passed"), "{}", run.data);
        let run = verified(&fleet, &mut device, 2, &[back], true).ends(Exit::Success);
        let told = json!({"expected": head(9), "found": back, "seen_at": NOW});
        let expected = json!({"newest": head(9), "seen_at": NOW, "went_back": told});
        assert_eq!(run.json()["audit_log"], expected);
        assert_eq!(run.json()["pass"], true);
        // Entries that were written since do not bring back those that are gone.
        verified(&fleet, &mut device, 2, &[back, head(20)], false)
            .ends(Exit::Success)
            .says("the audit log went back");
        let show = ["device", "show", "kitchen-1", "--state", "state"];
        let run = fleet.run(&show).ends(Exit::Success);
        let run = run.says("the audit log went back");
        assert!(run.data.contains(&head(20).to_string()), "{}", run.data);
        assert_eq!(shown(&fleet)["went_back"], told);
        let forget = ["device", "forget", "kitchen-1", "--state", "state"];
        fleet.run(&forget).ends(Exit::Success);
        fleet.enrol(&device, false);
        assert_eq!(shown(&fleet), Value::Null);
    }
}

#[test]
fn evidence_of_one_boot_may_be_looked_at_in_any_order() {
    let (fleet, mut device) = fleet();
    verified(&fleet, &mut device, 1, &[head(3), head(4)], false).ends(Exit::Success);
    let late = verified(&fleet, &mut device, 1, &[head(3)], false).ends(Exit::Success);
    assert!(late.talk.is_empty(), "{}", late.talk);
    assert_eq!(shown(&fleet)["newest"], json!(head(4)));
}

#[test]
fn a_head_in_evidence_that_is_refused_for_another_reason_counts_and_a_forged_one_does_not() {
    let (fleet, mut device) = fleet();
    verified(&fleet, &mut device, 1, &[head(5)], false).ends(Exit::Success);
    device.boot.pop();
    verified(&fleet, &mut device, 2, &[head(4)], false)
        .ends(Exit::Refused)
        .says("the audit log went back");
    let mut evidence = fleet.attest(&device, "evidence.cbor");
    evidence.attest.clock_info.reset_count += 9;
    device.starts.append(head(90)).expect("there is room");
    evidence.measured_log = device.starts.encode();
    fleet.write("evidence.cbor", evidence.to_cbor().expect("it is short"));
    fleet.verify("evidence.cbor", &[]).ends(Exit::Refused);
    assert_eq!(shown(&fleet)["newest"], json!(head(5)));
}

#[test]
fn heads_that_fall_within_one_boot_are_refused() {
    let (fleet, mut device) = fleet();
    let run = verified(&fleet, &mut device, 1, &[head(5), head(4)], true);
    assert_eq!(run.json()["reason"], "audit_log_went_back");
    run.ends(Exit::Refused).says("cut or begun anew");
}
