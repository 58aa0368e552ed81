//! Other people's tools on what the commands write.

use std::process::Command;

use crate::sides::run;
use crate::working_device;

#[test]
fn tpm2_checkquote_takes_the_exported_quote_and_no_other_nonce() {
    for kind in ["ecc-p256", "rsa2048"] {
        let sides = crate::Sides::new();
        sides.provision("device", &["--ak", kind]);
        let nonce = "0123456789abcdef".repeat(4);
        sides.attest("device", &nonce, "out").success();
        let check = |nonce: &str| {
            run(Command::new("tpm2_checkquote")
                .args(["-u", &sides.text("out/ak.pem")])
                .args(["-m", &sides.text("out/quote.attest")])
                .args(["-s", &sides.text("out/quote.signature")])
                .args(["-f", &sides.text("out/quote.pcrs")])
                .args(["-g", "sha256", "-q", nonce]))
        };
        check(&nonce).success();
        assert_ne!(check(&nonce.replace('0', "1")).code, 0);
        // Our own check of anybody's quote says the same.
        let [key, attest, signature] = ["ak.pem", "quote.attest", "quote.signature"]
            .map(|name| sides.text(&format!("out/{name}")));
        let verify = ["quote", "verify", "--key", &key, "--attest", &attest];
        let rest = ["--signature", &signature, "--nonce"];
        let ours = |nonce: &str| sides.fleet(&[&verify[..], &rest, &[nonce]].concat());
        ours(&nonce).success();
        ours(&nonce.replace('0', "1")).failure(10);
    }
}

#[test]
fn tpm2_eventlog_replays_the_log_that_left_the_device_as_we_do() {
    let sides = working_device();
    let log = sides.path("device/software-tpm/boot.log");
    let theirs = run(Command::new("tpm2_eventlog").arg(&log)).success();
    let ours = sides
        .fleet(&["log", "show", "--json", log.to_str().unwrap()])
        .success();
    let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
    let text = ours.to_string();
    let pcrs = theirs.split("pcrs:").nth(1).unwrap();
    let values: Vec<&str> = pcrs
        .lines()
        .filter_map(|line| line.split("0x").nth(1))
        .map(str::trim)
        .collect();
    assert_eq!(values.len(), 3, "{pcrs}");
    for value in values {
        assert!(
            text.contains(&value.to_lowercase()),
            "{value} is not in {text}"
        );
    }
}

#[test]
fn openssl_verifies_the_signature_of_the_endorsement_certificate() {
    let sides = crate::Sides::new();
    sides.provision("device", &[]);
    let request = sides.text("request");
    sides
        .device(&["tpm", "enroll", "--name", "device", "--out", &request])
        .success();
    let file: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&request).unwrap()).unwrap();
    let certificate = file["ek_certificates"][0].as_str().unwrap();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    let wrapped = wrap(&pem);
    std::fs::write(sides.path("ek.pem"), wrapped).unwrap();
    let authority = |name: &str| sides.text(&format!("device/software-tpm/authority/{name}"));
    let verify = run(Command::new("openssl")
        .args(["verify", "-ignore_critical", "-CAfile"])
        .arg(authority("swtpm-localca-rootca-cert.pem"))
        .args(["-untrusted", &authority("issuercert.pem")])
        .arg(sides.text("ek.pem")));
    assert_eq!(verify.code, 0, "{verify:?}");
}

/// PEM with the lines of 64 characters that openssl wants.
fn wrap(pem: &str) -> String {
    let mut wrapped = String::new();
    for line in pem.lines() {
        let mut rest = line;
        while rest.len() > 64 && !line.starts_with("-----") {
            let (head, tail) = rest.split_at(64);
            wrapped.push_str(head);
            wrapped.push('\n');
            rest = tail;
        }
        wrapped.push_str(rest);
        wrapped.push('\n');
    }
    wrapped
}
