//! Anybody's logs and quotes. Vectors that nobody here wrote are read where they are at hand.

use std::fs;
use std::path::{Path, PathBuf};

use earnest_evidence::hex;
use earnest_evidence::tpm::{Attest, PcrValues};
use earnest_fleet::Exit;
use earnest_verifier::simulation::{Device, Key};

use crate::support::{Fleet, Run, answer, device};

/// The folder of vectors, or word that there is none.
fn vectors(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("EARNEST_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let path = root.join(folder);
    if !path.is_dir() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path.canonicalize().expect("it is there"))
}

/// Checks a quote in files of the fleet's folder.
fn verify(fleet: &Fleet, nonce: &str, more: &[&str]) -> Run {
    let mut arguments = vec![
        "quote",
        "verify",
        "--key",
        "key.pem",
        "--attest",
        "quote.attest",
        "--signature",
        "quote.signature",
        "--nonce",
        nonce,
    ];
    arguments.extend(more);
    fleet.run(&arguments)
}

/// Writes a device's quote as the TPM tools would; gives its nonce.
fn write_quote(fleet: &Fleet, device: &Device) -> String {
    let evidence = answer(device, earnest_evidence::Nonce::from_bytes([3; 32]));
    let key = evidence.ak_public.key().expect("a key");
    fleet.write("key.pem", key.to_pem());
    fleet.write("key.tpmt", evidence.ak_public.marshal());
    fleet.write("key.tpm2b", evidence.ak_public.marshal_sized());
    fleet.write("quote.attest", evidence.attest.marshal());
    fleet.write("quote.signature", evidence.signature.marshal());
    fleet.write("quote.pcrs", evidence.pcrs.to_pcr_file());
    evidence.nonce.to_string()
}

#[test]
fn quotes_of_every_kind_of_key_verify_with_their_values() {
    for key in [Key::ecc(), Key::rsa(false), Key::rsa(true)] {
        let fleet = Fleet::empty();
        let nonce = write_quote(&fleet, &Device::new(key));
        verify(&fleet, &nonce, &[])
            .ends(Exit::Success)
            .says("--pcr-file");
        let run = verify(
            &fleet,
            &nonce.to_uppercase(),
            &["--pcr-file", "quote.pcrs", "--json"],
        );
        let json = run.ends(Exit::Success).json();
        assert_eq!(json["verified"], true);
        assert_eq!(json["quote"]["nonce"], nonce);
        assert_eq!(json["quote"]["selection"], "sha256:4,7,11,14");
        assert_eq!(json["pcrs"]["sha256"].as_object().expect("PCRs").len(), 4);
        for file in ["key.tpmt", "key.tpm2b"] {
            fleet.write("key.pem", fleet.read(file));
            verify(&fleet, &nonce, &[]).ends(Exit::Success);
        }
    }
}

#[test]
fn each_refusal_of_a_quote_has_its_reason() {
    let fleet = Fleet::empty();
    let device = device();
    let nonce = write_quote(&fleet, &device);
    let check = |nonce: &str, more: &[&str], expected: &str| {
        let run = verify(&fleet, nonce, &[more, &["--json"]].concat());
        assert_eq!(run.json()["verified"], false);
        assert_eq!(run.json()["reason"], expected);
        run.ends(Exit::Refused);
    };
    check("00", &[], "nonce");
    check(&nonce[2..], &[], "nonce");
    let mut other = device;
    other.boot.pop();
    fleet.write("other.pcrs", other.values().to_pcr_file());
    check(&nonce, &["--pcr-file", "other.pcrs"], "pcr_values");
    let mut attest = Attest::parse(&fleet.read("quote.attest")).unwrap();
    attest.firmware_version ^= 1;
    fleet.write("quote.attest", attest.marshal());
    check(&nonce, &[], "signature_wrong");
    fleet.write("quote.signature", "no signature");
    check(&nonce, &[], "signature_malformed");
}

#[test]
fn what_cannot_be_read_is_no_refusal() {
    let fleet = Fleet::empty();
    let nonce = write_quote(&fleet, &device());
    verify(&fleet, "0", &[]).ends(Exit::Usage);
    verify(&fleet, &"00".repeat(67), &[]).ends(Exit::Usage);
    fleet.write("no.pcrs", "no values");
    verify(&fleet, &nonce, &["--pcr-file", "no.pcrs"]).ends(Exit::BadInput);
    verify(&fleet, &nonce, &["--pcr-file", "missing.pcrs"]).ends(Exit::NotFound);
    fleet.write("key.pem", "no key");
    verify(&fleet, &nonce, &[]).ends(Exit::BadInput).says("PEM");
    fleet.write("key.pem", [0; 10_000]);
    verify(&fleet, &nonce, &[]).ends(Exit::BadInput);
}

#[test]
fn the_quote_of_another_verifiers_tests_verifies() {
    let Some(quotes) = vectors("quotes") else {
        return;
    };
    let file = |name: &str| {
        let path = quotes.join(name);
        path.to_str().expect("the path is plain").to_owned()
    };
    let attest = fs::read(file("keylime-quote.out")).unwrap();
    let nonce = hex::encode(&Attest::parse(&attest).unwrap().extra_data);
    let check = |nonce: &str| {
        Fleet::empty().run(&[
            "quote",
            "verify",
            "--key",
            &file("keylime-akpub.pem"),
            "--attest",
            &file("keylime-quote.out"),
            "--signature",
            &file("keylime-quotesig.out"),
            "--pcr-file",
            &file("keylime-quotepcr.out"),
            "--nonce",
            nonce,
            "--json",
        ])
    };
    let json = check(&nonce).ends(Exit::Success).json();
    let values = PcrValues::parse_pcr_file(&fs::read(file("keylime-quotepcr.out")).unwrap());
    let shown = json["pcrs"]["sha256"].as_object().expect("PCRs").len();
    assert_eq!(shown, values.unwrap().len());
    check("00").ends(Exit::Refused);
}

#[test]
fn a_log_is_shown_with_the_pcrs_that_it_leads_to() {
    let fleet = Fleet::empty();
    let device = device();
    fleet.write("boot.log", device.log());
    let json = fleet.run(&["log", "show", "boot.log", "--json"]);
    let json = json.ends(Exit::Success).json();
    assert_eq!(json["form"], "crypto-agile");
    let events = json["events"].as_array().expect("events");
    assert_eq!(events.len(), device.boot.len() + 1);
    assert_eq!(events[0]["extended"], false);
    assert_eq!(events[1]["data"], hex::encode(b"firmware 1"));
    assert_eq!(events[1]["data_measured"], true);
    for pcr in [0, 4, 7, 11] {
        let shown = &json["pcrs"]["sha256"][pcr.to_string()];
        assert_eq!(*shown, device.value(pcr).to_hex(), "PCR {pcr}");
    }
    assert!(json["pcrs"]["sha1"]["4"].is_string());
    assert!(json["pcrs"]["sha256"]["14"].is_null());
    let text = fleet.run(&["log", "show", "boot.log"]).ends(Exit::Success);
    assert!(text.data.contains("EV_EFI_VARIABLE_DRIVER_CONFIG"));
    assert!(text.data.contains(&device.value(11).to_hex()));
}

#[test]
fn a_log_that_is_cut_is_refused_with_its_place() {
    let fleet = Fleet::empty();
    let log = device().log();
    fleet.write("boot.log", &log[..log.len() - 1]);
    fleet
        .run(&["log", "show", "boot.log"])
        .ends(Exit::BadInput)
        .says("event 8 is cut short");
    fleet.write("boot.log", "");
    fleet.run(&["log", "show", "boot.log"]).ends(Exit::BadInput);
    fleet.run(&["log", "show", "none.log"]).ends(Exit::NotFound);
}

#[test]
fn every_log_of_real_machines_is_shown_or_refused() {
    let Some(logs) = vectors("eventlogs") else {
        return;
    };
    let mut shown = 0;
    for entry in fs::read_dir(logs).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().expect("the path is plain");
        let run = Fleet::empty().run(&["log", "show", name, "--json"]);
        match run.exit {
            Exit::Success => {
                let json = run.json();
                assert!(json["pcrs"].is_object(), "{name}");
                shown += 1;
            }
            Exit::BadInput => assert!(run.talk.contains(name), "{}", run.talk),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(shown > 0);
}
