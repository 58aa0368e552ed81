//! `earnest-fleet quote`: any TPM's quote, without enrolment or policy.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use earnest_evidence::hex;
use earnest_evidence::tpm::{
    ClockInfo, MAX_ATTEST_BYTES, MAX_PCR_FILE_BYTES, MAX_PEM_BYTES, PcrValues, Public, PublicKey,
};
use earnest_files as files;
use earnest_verifier::quote::{self, Quote as VerifiedQuote, QuoteError, SignatureError};
use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::log;
use crate::exit::{Exit, Failure};
use crate::show;

/// Most bytes of a `TPMT_SIGNATURE`: RSA-4096 with its head.
const MAX_SIGNATURE_BYTES: usize = 1024;

/// Most bytes of a nonce: the extra data of a quote.
const MAX_NONCE_BYTES: usize = 66;

/// What is done with quotes.
#[derive(Debug, Subcommand)]
pub(super) enum Quote {
    /// Check that a key signed a quote for a nonce.
    ///
    /// Takes what `tpm2_quote` writes: raw TPMS_ATTEST (--message) and TPMT_SIGNATURE
    /// (--signature), RSASSA, RSAPSS or ECDSA, and its PCR values (--pcr).
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The public key: PEM, or a TPM2B_PUBLIC or TPMT_PUBLIC as the TPM tools write it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The quote: a raw TPMS_ATTEST.
    #[arg(long, value_name = "FILE")]
    attest: PathBuf,

    /// Its signature: a raw TPMT_SIGNATURE.
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,

    /// The nonce that it must be for, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    nonce: String,

    /// PCR values that must be those quoted, in the file that the TPM tools exchange.
    #[arg(long, value_name = "FILE")]
    pcr_file: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Quote {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Quote::Verify(verify) = self;
        verify.run(context)
    }
}

impl Verify {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let nonce = hex::decode(&self.nonce)
            .map_err(|error| Failure::new(Exit::Usage, format!("--nonce: {error}")))?;
        if nonce.len() > MAX_NONCE_BYTES {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "--nonce: a quote's nonce has at most {MAX_NONCE_BYTES} bytes; this has {}",
                    nonce.len()
                ),
            ));
        }
        let key = read_key(&self.key)?;
        let attest = files::read_input(&self.attest, MAX_ATTEST_BYTES)?;
        let signature = files::read_input(&self.signature, MAX_SIGNATURE_BYTES)?;
        let values = match &self.pcr_file {
            None => None,
            Some(path) => Some(read_values(path)?),
        };
        let verified = quote::verify(&key, &attest, &signature, &nonce);
        let refused =
            |reason: &'static str, error: &dyn std::error::Error| (reason, show::describe(error));
        let outcome = match (verified, &values) {
            (Err(error), _) => Err(refused(reason(&error), &error)),
            (Ok(quote), Some(values)) => match quote.check_values(values) {
                Ok(()) => Ok(quote),
                Err(error) => Err(refused("pcr_values", &error)),
            },
            (Ok(quote), None) => Ok(quote),
        };
        match outcome {
            Ok(quote) => self.verified(&quote, values.as_ref(), context),
            Err((reason, detail)) => self.refused(reason, &detail, context),
        }
    }

    fn verified(
        &self,
        quote: &VerifiedQuote,
        values: Option<&PcrValues>,
        context: &mut Context<'_>,
    ) -> Result<Exit, Failure> {
        if self.json {
            context.json(&json!({
                "verified": true,
                "quote": describe(quote),
                "pcrs": values.map(log::banks_json),
            }))?;
            return Ok(Exit::Success);
        }
        let clock = quote.clock();
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let mut rows = vec![
            row("quote", "verified".to_owned()),
            row("nonce", self.nonce.to_lowercase()),
            row("PCRs", quote.selection().to_string()),
            row("PCR digest", quote.pcr_digest().to_string()),
            row(
                "signer's qualified name",
                quote.attest().qualified_signer.to_string(),
            ),
            row("boots since clear", clock.reset_count.to_string()),
            row("resumes since boot", clock.restart_count.to_string()),
            row("milliseconds on", clock.clock.to_string()),
        ];
        if let Some(values) = values {
            rows.extend(values.iter().map(|(pcr, value)| {
                row(&format!("PCR {pcr} {}", value.algorithm()), value.to_hex())
            }));
        }
        context.data(&show::table(&rows))?;
        if values.is_none() {
            context
                .say("Only the digest over the PCRs is known: give their values with --pcr-file.");
        }
        Ok(Exit::Success)
    }

    fn refused(
        &self,
        reason: &'static str,
        detail: &str,
        context: &mut Context<'_>,
    ) -> Result<Exit, Failure> {
        if self.json {
            context.json(&json!({"verified": false, "reason": reason, "detail": detail}))?;
        }
        Err(
            Failure::new(Exit::Refused, format!("the quote is refused: {detail}"))
                .advise(advice(reason)),
        )
    }
}

/// The reason's stable name.
fn reason(error: &QuoteError) -> &'static str {
    match error {
        QuoteError::Signature(SignatureError::Malformed(_)) => "signature_malformed",
        QuoteError::Signature(SignatureError::Wrong { .. }) => "signature_wrong",
        QuoteError::Signature(_) => "signature_algorithm",
        QuoteError::Nonce { .. } => "nonce",
        QuoteError::NotAQuote { .. } => "not_a_quote",
        _ => "quote_malformed",
    }
}

fn advice(reason: &str) -> &'static str {
    match reason {
        "nonce" => "It answers another challenge: it may be an old quote that is shown again.",
        "signature_wrong" => "Either another key signed it, or the quote was changed.",
        "signature_malformed" => {
            "--signature takes a raw TPMT_SIGNATURE, as tpm2_quote --signature writes it."
        }
        "signature_algorithm" => {
            "The key must be RSA of 2048 bits and more, P-256 or P-384, and sign with SHA-256 or stronger."
        }
        "pcr_values" => "The values were read at another moment, of other PCRs, or were changed.",
        "not_a_quote" => "The TPM attests to something else by it.",
        _ => "--attest takes a raw TPMS_ATTEST, as tpm2_quote --message writes it.",
    }
}

#[derive(Debug, Serialize)]
struct Clock {
    milliseconds: u64,
    reset_count: u32,
    restart_count: u32,
    safe: bool,
}

impl From<&ClockInfo> for Clock {
    fn from(clock: &ClockInfo) -> Clock {
        Clock {
            milliseconds: clock.clock,
            reset_count: clock.reset_count,
            restart_count: clock.restart_count,
            safe: clock.safe,
        }
    }
}

fn describe(quote: &VerifiedQuote) -> Value {
    let attest = quote.attest();
    json!({
        "nonce": hex::encode(&attest.extra_data),
        "selection": quote.selection().to_string(),
        "pcr_digest": quote.pcr_digest(),
        "qualified_signer": attest.qualified_signer,
        "clock": Clock::from(quote.clock()),
        "firmware_version": hex::encode(&attest.firmware_version.to_be_bytes()),
    })
}

fn read_key(path: &Path) -> Result<PublicKey, Failure> {
    let name = path.display().to_string();
    let bytes = files::read_input(path, MAX_PEM_BYTES)?;
    if let Ok(text) = std::str::from_utf8(&bytes)
        && text.contains("-----BEGIN")
    {
        return PublicKey::from_pem(text).map_err(|error| Failure::bad_input(&name, &error));
    }
    let public = Public::parse_sized(&bytes)
        .or_else(|_| Public::parse(&bytes))
        .map_err(|error| {
            Failure::bad_input(&name, &error).advise(
                "--key takes a public key in PEM, or a TPM2B_PUBLIC or TPMT_PUBLIC of the TPM tools.",
            )
        })?;
    public
        .key()
        .map_err(|error| Failure::bad_input(&name, &error))
}

fn read_values(path: &Path) -> Result<PcrValues, Failure> {
    let bytes = files::read_input(path, MAX_PCR_FILE_BYTES)?;
    PcrValues::parse_pcr_file(&bytes)
        .map_err(|error| Failure::bad_input(&path.display().to_string(), &error))
}
