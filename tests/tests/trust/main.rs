//! Trust from end to end: the real commands on a real software TPM, each test with its own.

#[path = "../support/mod.rs"]
mod support;

mod outsiders;
mod refusals;
mod sealing;
#[allow(dead_code, reason = "the daemon's tests do more with the two sides")]
mod sides;

use sides::Sides;

/// A device that is enrolled, sealed, approved in its state, and has measured one start.
#[cfg(test)]
fn working_device() -> Sides {
    let sides = Sides::new();
    sides.provision("device", &[]);
    sides.enrol("device");
    sides.seal("device");
    sides.prove("device", "approved");
    sides.approve("device", "approved", "1").success();
    sides
}

/// The words of the sample, through the sealed model.
#[cfg(test)]
fn transcribe_sealed(sides: &Sides) -> sides::Answer {
    use earnest_package::{Card, Role};

    let card = Card::named("moonshine-tiny-en-int8").unwrap();
    let sample = support::models()
        .join(card.name())
        .join(card.file(Role::Sample).unwrap().name());
    let (sealed, key) = (sides.text("sealed"), sides.text("keys/release-1.pub.pem"));
    sides.device(&[
        "transcribe",
        "--sealed",
        &sealed,
        "--release-key",
        &key,
        sample.to_str().unwrap(),
    ])
}

#[test]
fn a_device_proves_its_state_and_reads_with_the_model_that_was_sealed_to_it() {
    let sides = working_device();

    let text = transcribe_sealed(&sides).success();
    assert!(text.contains("Ever tried"), "{text}");
    // The same program with the same models is one start, however often it runs.
    transcribe_sealed(&sides).success();
    let status = sides.device(&["tpm", "status"]).success();
    assert!(status.contains("starts since boot  1"), "{status}");

    sides.prove("device", "known-good");
    sides.reference("known-good", "reference.json");
    sides.prove("device", "evidence");
    let table = sides
        .verify("evidence", "reference.json", "result.jwt")
        .success();
    assert!(table.contains("passed (warning)"), "{table}");

    let key = sides.text("keys/result-1.pub.pem");
    let ear = sides.text("result.jwt");
    let said = sides
        .device(&["result", "import", &ear, "--key", &key])
        .success();
    assert!(said.contains("holds for"), "{said}");
    let said = sides.device(&["result", "show", "--key", &key]).success();
    assert!(said.contains("holds for"), "{said}");

    // After a reboot the result is about an earlier boot, whatever the clock says.
    sides.power_off("device");
    let said = sides.device(&["result", "show", "--key", &key]).failure(55);
    assert!(said.contains("boot"), "{said}");
    // The model opens again: the same program booted.
    sides.unseal_check("device").success();
}
