//! `tpm2_checkquote` on quotes whose parts were all read and written anew here.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use earnest_evidence::hex;
use earnest_evidence::tpm::{Attest, PcrValues, Public, PublicKey, Signature};

use crate::vectors;

/// A quote as others wrote it.
struct Quote {
    name: &'static str,
    attest: Vec<u8>,
    signature: Vec<u8>,
    pcrs: Vec<u8>,
    key: PublicKey,
}

/// The quotes of a software TPM, and another attester's where its vectors are there.
fn quotes() -> Vec<Quote> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let fixture = |name: &str| fs::read(testdata.join(name)).expect("a fixture can be read");
    let mut quotes: Vec<Quote> = ["rsa", "ecc"]
        .into_iter()
        .map(|name| {
            let public = Public::parse_sized(&fixture(&format!("ak-{name}.public")));
            Quote {
                name,
                attest: fixture(&format!("quote-{name}.attest")),
                signature: fixture(&format!("quote-{name}.signature")),
                pcrs: fixture(&format!("quote-{name}.pcrs")),
                key: public
                    .expect("it is a public area")
                    .key()
                    .expect("it is a key"),
            }
        })
        .collect();
    if let Some(vectors) = vectors("quotes") {
        let part = |name: &str| {
            let found = vectors.iter().find(|(found, _)| found == name);
            found.expect("the quote has its parts").1.clone()
        };
        let pem = String::from_utf8(part("keylime-akpub.pem")).expect("PEM is text");
        quotes.push(Quote {
            name: "keylime",
            attest: part("keylime-quote.out"),
            signature: part("keylime-quotesig.out"),
            pcrs: part("keylime-quotepcr.out"),
            key: PublicKey::from_pem(&pem).expect("it is a key"),
        });
    }
    quotes
}

/// Whether `tpm2_checkquote` accepts the parts with this nonce, or nothing where it is absent.
fn accepts(folder: &Path, nonce: &[u8]) -> Option<bool> {
    let status = Command::new("tpm2_checkquote")
        .current_dir(folder)
        .args(["-u", "key.pem", "-m", "attest", "-s", "signature"])
        .args(["-f", "pcrs", "-g", "sha256", "-q", &hex::encode(nonce)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.ok().map(|status| status.success())
}

#[test]
fn what_is_written_here_is_accepted_with_the_quotes_own_nonce_alone() {
    for quote in quotes() {
        let folder = tempfile::tempdir().expect("there is room");
        let write = |name: &str, bytes: &[u8]| {
            fs::write(folder.path().join(name), bytes).expect("there is room");
        };
        let attest = Attest::parse(&quote.attest).expect("it is an attestation");
        let signature = Signature::parse(&quote.signature).expect("it is a signature");
        let pcrs = PcrValues::parse_pcr_file(&quote.pcrs).expect("it is a PCR file");
        write("attest", &attest.marshal());
        write("signature", &signature.marshal());
        write("pcrs", &pcrs.to_pcr_file());
        write("key.pem", quote.key.to_pem().as_bytes());
        let mut nonce = attest.extra_data.to_vec();
        let Some(accepted) = accepts(folder.path(), &nonce) else {
            println!("skipped: tpm2_checkquote is absent");
            return;
        };
        assert!(accepted, "{}", quote.name);
        nonce[0] ^= 1;
        assert_eq!(
            accepts(folder.path(), &nonce),
            Some(false),
            "{}",
            quote.name
        );
    }
}
