//! A device with a TPM in software and a fleet, which sees whether the device's audit log only
//! grows: across restarts of the daemon, reboots, and a log that was cut in between.

mod sides;

use earnest_attester::starts::StartsError;
use earnest_attester::{Device, DeviceError, software};
use earnest_evidence::measured::Head;
use earnest_evidence::{HashAlgorithm, Nonce};
use earnest_fleet::Exit;
use serde_json::{Value, json};

use sides::Sides;

/// The head after so many entries, of a log in which every entry says the same word.
fn head(sequence: u64, word: &str) -> Head {
    let chain = HashAlgorithm::Sha256.digest(format!("{sequence} {word}").as_bytes());
    let chain = chain.as_bytes().try_into();
    Head::new(sequence, chain.expect("a SHA-256 has 32 bytes"))
}

#[test]
fn a_fleet_sees_an_audit_log_grow_and_sees_it_cut_across_a_reboot() {
    let sides = Sides::new();
    let device = sides.provision();
    sides.enrol(&device);
    sides.start(&device);
    assert_eq!(device.anchored().unwrap(), None);
    sides.reference(&device);

    for sequence in [5, 9] {
        device.anchor(head(sequence, "whole")).unwrap();
        assert_eq!(device.anchored().unwrap(), Some(head(sequence, "whole")));
    }
    // The daemon starts again, and goes on where it was.
    sides.start(&device);
    device.anchor(head(9, "whole")).unwrap();
    let answer = sides.verify(&device, Exit::Success);
    assert_eq!(answer["audit_log"]["newest"], json!(head(9, "whole")));
    assert_eq!(answer["audit_log"]["went_back"], Value::Null);
    let claims = &answer["result"]["submods"]["device"]["ear_verifier_claims"];
    assert_eq!(claims["audit_head"], json!(head(9, "whole")));

    // While it runs, the device itself knows.
    let refused = device.anchor(head(8, "whole")).unwrap_err();
    let back = matches!(refused, DeviceError::Starts(StartsError::Back { .. }));
    assert!(back, "{refused}");

    // After a reboot it does not, and the fleet does.
    let device = sides.reboot(device);
    assert_eq!(device.anchored().unwrap(), None);
    sides.start(&device);
    device.anchor(head(7, "whole")).unwrap();
    let answer = sides.verify(&device, Exit::Success);
    assert_eq!(answer["pass"], true);
    assert_eq!(answer["audit_log"]["newest"], json!(head(9, "whole")));
    let back = &answer["audit_log"]["went_back"];
    assert_eq!(back["expected"], json!(head(9, "whole")));
    assert_eq!(back["found"], json!(head(7, "whole")));
    assert!(sides.said().contains("the audit log went back"));

    // Nor does another log of the same length pass for the one that was seen.
    let sides = Sides::new();
    let device = sides.provision();
    sides.enrol(&device);
    sides.start(&device);
    sides.reference(&device);
    device.anchor(head(9, "whole")).unwrap();
    sides.verify(&device, Exit::Success);
    let device = sides.reboot(device);
    sides.start(&device);
    device.anchor(head(9, "forged")).unwrap();
    let answer = sides.verify(&device, Exit::Success);
    let back = &answer["audit_log"]["went_back"];
    assert_eq!(back["found"], json!(head(9, "forged")));
}

#[test]
fn a_measured_log_that_is_cut_on_the_disk_gives_no_head_and_does_not_pass() {
    let sides = Sides::new();
    let device = sides.provision();
    sides.enrol(&device);
    sides.start(&device);
    sides.reference(&device);
    device.anchor(head(1, "whole")).unwrap();
    let before = sides.measured_log();
    device.anchor(head(2, "whole")).unwrap();
    let whole = sides.measured_log();
    sides.put_measured_log(&before);
    let refused = device.anchored().unwrap_err();
    let differs = matches!(refused, DeviceError::Starts(StartsError::Differs { .. }));
    assert!(differs, "{refused}");
    let answer = sides.verify(&device, Exit::Refused);
    assert_eq!(answer["reason"], "measured_log_replay");
    assert_eq!(answer["audit_log"], Value::Null);
    sides.put_measured_log(&whole);
    assert_eq!(device.anchored().unwrap(), Some(head(2, "whole")));
    let answer = sides.verify(&device, Exit::Success);
    assert_eq!(answer["audit_log"]["newest"], json!(head(2, "whole")));
}

#[test]
fn evidence_that_is_gathered_while_heads_are_anchored_leads_to_the_pcr() {
    const HEADS: u64 = 12;
    let sides = Sides::new();
    let device = sides.provision();
    sides.start(&device);
    let gather = |device: &Device| {
        let evidence = device
            .evidence(Nonce::from_bytes([7; 32]), "0.1.0")
            .unwrap();
        let from = device.starts().unwrap().from;
        let log = evidence.parse_measured_log().unwrap();
        let pcr = evidence.pcrs.value(HashAlgorithm::Sha256, 14).copied();
        assert_eq!(Some(log.replay(&from)), pcr);
        log.heads().count()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for sequence in 1..=HEADS {
                device.anchor(head(sequence, "whole")).unwrap();
            }
        });
        while gather(&device) < HEADS as usize {}
    });
}

#[test]
fn a_look_sees_what_an_opened_device_reads_and_leaves_booting_to_it() {
    let sides = Sides::new();
    let device = sides.provision();
    let folder = device.folder().clone();
    let boot = device.configuration().boot_pcrs;
    let read = device.module().pcr_read(boot).expect("it reads");
    device.close().expect("it is there");
    for _ in 0..4 {
        let seen = Device::look(&folder).expect("it is there");
        assert_eq!(seen.as_ref(), Some(&read));
    }
    assert!(software::stop(&folder).expect("it ends"));
    let unbooted = Device::look(&folder).expect("it starts");
    assert_eq!(unbooted, None);
    let device = Device::open(folder.clone()).expect("it boots");
    device.module().pcr_extend(7, &[1; 32]).expect("it extends");
    let changed = device.module().pcr_read(boot).expect("it reads");
    assert_ne!(changed, read);
    device.close().expect("it is there");
    let seen = Device::look(&folder).expect("it is there");
    assert_eq!(seen, Some(changed));
}
