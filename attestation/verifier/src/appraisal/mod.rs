//! The appraisal: evidence held against an enrolment, a policy and reference values.
//!
//! [`appraise`] is a pure function. It goes through all of its checks, whatever the first of
//! them found, so that a person sees everything at once; [`Appraisal::is_pass`] is true only if
//! none failed. Every reason to refuse is a [`Refusal`] that says what was expected and what was
//! found, down to the first event of the firmware log that differs.
//!
//! What is believed, and why: the quote, because the enrolled key signed it; the PCR values,
//! because their digest is in the quote; the logs' digests, because they lead to the PCR values.
//! Types and texts of events are never believed. A check that rests on one that failed says so
//! by its own outcome, [`Outcome::NotAppraised`], or is made for the person's sake alone.

mod boot;
mod refusal;
mod result;
mod starts;
#[cfg(test)]
mod tests;

use std::fmt;

use earnest_evidence::measured::Head;
use earnest_evidence::tpm::{Attested, Name, ObjectAttributes, PcrSelection, PublicKey};
use earnest_evidence::{Evidence, HashAlgorithm, Nonce};

pub use refusal::{EventDifference, Refusal};

use crate::ear::{Outcome, TpmClaim};
use crate::enrolment::{Enrolment, check_attestation_key};
use crate::freshness::{FreshNonce, FreshnessError};
use crate::policy::{Leave, Need, Policy};
use crate::quote::{self, Quote};
use crate::reference::ReferenceValues;

/// What an authority key must be: one that the TPM drew, that never leaves it, and that signs.
const AUTHORITY_MUST: ObjectAttributes = ObjectAttributes::FIXED_TPM
    .union(ObjectAttributes::FIXED_PARENT)
    .union(ObjectAttributes::SENSITIVE_DATA_ORIGIN)
    .union(ObjectAttributes::SIGN);

/// The things that are appraised, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// That the nonce was issued for this device, recently, and not answered before.
    Freshness,
    /// That the attestation key is the enrolled one, and one to believe.
    AttestationKey,
    /// That the key signed the quote, and for the nonce.
    Quote,
    /// That the PCR values are those quoted, of the right bank, and enough of them.
    Pcrs,
    /// That the firmware log leads to the PCR values.
    FirmwareLog,
    /// That the boot PCRs are as the reference values have them.
    BootState,
    /// That Earnest's own log leads to its PCR, every start in it may be, and the heads of the
    /// audit log in it only grow.
    MeasuredLog,
    /// That the device's authority key is in the same TPM.
    Authority,
    /// That the TPM may be what it is.
    Tpm,
}

impl Check {
    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Check::Freshness => "freshness",
            Check::AttestationKey => "attestation-key",
            Check::Quote => "quote",
            Check::Pcrs => "pcrs",
            Check::FirmwareLog => "firmware-log",
            Check::BootState => "boot-state",
            Check::MeasuredLog => "measured-log",
            Check::Authority => "authority",
            Check::Tpm => "tpm",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// How one check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// Which.
    pub check: Check,
    /// How.
    pub outcome: Outcome,
    /// Why not, if it failed.
    pub refusals: Vec<Refusal>,
}

/// What came of an appraisal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appraisal {
    device: String,
    ak_name: Name,
    tpm: TpmClaim,
    policy: String,
    reference: String,
    result_lifetime_seconds: u32,
    nonce: Nonce,
    quote: Option<Quote>,
    audit_head: Option<Head>,
    checks: Vec<CheckResult>,
}

impl Appraisal {
    /// The device that was appraised.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The nonce that the evidence is for.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// Each check, in their order.
    pub fn checks(&self) -> &[CheckResult] {
        &self.checks
    }

    /// The quote, if it can be believed.
    pub fn quote(&self) -> Option<&Quote> {
        self.quote.as_ref()
    }

    /// The newest head of the audit log that the device anchored since boot, if it anchored one:
    /// it is under the quote, whatever else was refused. Whether it follows the heads that were
    /// seen before is for whoever saw them.
    pub fn audit_head(&self) -> Option<&Head> {
        self.audit_head.as_ref()
    }

    /// Whether nothing was refused.
    pub fn is_pass(&self) -> bool {
        self.quote.is_some()
            && self
                .checks
                .iter()
                .all(|check| check.outcome != Outcome::Failed)
    }

    /// Every reason to refuse.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.checks.iter().flat_map(|check| &check.refusals)
    }

    fn outcome(&self, check: Check) -> Outcome {
        self.checks
            .iter()
            .find(|result| result.check == check)
            .map_or(Outcome::NotAppraised, |result| result.outcome)
    }
}

/// Appraises `evidence` of the enrolled device. `freshness` is what came of consuming the
/// nonce that the evidence names ([`NonceRecord::consume`](crate::freshness::NonceRecord)).
pub fn appraise(
    evidence: &Evidence,
    enrolment: &Enrolment,
    reference: &ReferenceValues,
    policy: &Policy,
    freshness: &Result<FreshNonce, FreshnessError>,
) -> Appraisal {
    let mut checks = Checks::default();
    let nonce = check_freshness(&mut checks, evidence, enrolment, freshness);
    let key = check_key(&mut checks, evidence, enrolment);
    let quote = check_quote(&mut checks, evidence, key.as_ref(), nonce);
    check_pcrs(&mut checks, evidence, policy, quote.as_ref());
    let before_starts = boot::check(&mut checks, evidence, reference, policy);
    let head = starts::check(&mut checks, evidence, reference, policy, &before_starts);
    check_authority(&mut checks, evidence, policy, key.as_ref());
    check_tpm(&mut checks, enrolment, policy);
    Appraisal {
        device: enrolment.device().to_owned(),
        ak_name: enrolment.ak_name().clone(),
        tpm: enrolment.tpm().clone(),
        policy: policy.name().to_owned(),
        reference: reference.name().to_owned(),
        result_lifetime_seconds: policy.result_lifetime_seconds(),
        nonce: evidence.nonce,
        // Values that no quote vouches for prove no log either.
        audit_head: head
            .filter(|_| quote.is_some() && checks.0.iter().all(|check| !is_quotes_failure(check))),
        quote,
        checks: checks.0,
    }
}

/// Whether the values of the PCRs are not those of a quote for this nonce.
fn is_quotes_failure(result: &CheckResult) -> bool {
    let about = [
        Check::Freshness,
        Check::AttestationKey,
        Check::Quote,
        Check::Pcrs,
    ];
    result.outcome == Outcome::Failed && about.contains(&result.check)
}

/// The checks as they are made.
#[derive(Debug, Default)]
struct Checks(Vec<CheckResult>);

impl Checks {
    /// A check that was made: it passed if there is nothing to refuse.
    fn made(&mut self, check: Check, refusals: Vec<Refusal>) {
        let outcome = match refusals.is_empty() {
            true => Outcome::Passed,
            false => Outcome::Failed,
        };
        self.0.push(CheckResult {
            check,
            outcome,
            refusals,
        });
    }

    /// A check that was not made.
    fn left_out(&mut self, check: Check) {
        self.0.push(CheckResult {
            check,
            outcome: Outcome::NotAppraised,
            refusals: Vec::new(),
        });
    }
}

/// The nonce that the quote must be for: the fresh one, or, to tell a person more, the one that
/// the evidence names.
fn check_freshness(
    checks: &mut Checks,
    evidence: &Evidence,
    enrolment: &Enrolment,
    freshness: &Result<FreshNonce, FreshnessError>,
) -> Nonce {
    let mut refusals = Vec::new();
    let nonce = match freshness {
        Err(error) => {
            refusals.push(Refusal::Freshness(error.clone()));
            evidence.nonce
        }
        Ok(fresh) => {
            if fresh.device() != enrolment.device() {
                refusals.push(Refusal::NonceDevice {
                    expected: fresh.device().to_owned(),
                    found: enrolment.device().to_owned(),
                });
            }
            if fresh.nonce() != evidence.nonce {
                refusals.push(Refusal::EnvelopeNonce {
                    expected: fresh.nonce(),
                    found: evidence.nonce,
                });
            }
            fresh.nonce()
        }
    };
    checks.made(Check::Freshness, refusals);
    nonce
}

/// The enrolled key, whatever the evidence brings.
fn check_key(checks: &mut Checks, evidence: &Evidence, enrolment: &Enrolment) -> Option<PublicKey> {
    let mut refusals = Vec::new();
    let found = evidence.ak_public.name();
    if found != *enrolment.ak_name() {
        refusals.push(Refusal::OtherKey {
            expected: enrolment.ak_name().clone(),
            found,
        });
    }
    let key = match enrolment.ak_public() {
        Ok(public) => check_attestation_key(&public).map_err(Refusal::Key),
        Err(error) => Err(Refusal::Enrolment {
            reason: error.to_string(),
        }),
    };
    let key = key.map_err(|refusal| refusals.push(refusal)).ok();
    checks.made(Check::AttestationKey, refusals);
    key
}

fn check_quote(
    checks: &mut Checks,
    evidence: &Evidence,
    key: Option<&PublicKey>,
    nonce: Nonce,
) -> Option<Quote> {
    let Some(key) = key else {
        checks.left_out(Check::Quote);
        return None;
    };
    // What parses marshals to the same bytes, so these are the bytes that were signed.
    let verified = quote::verify(
        key,
        &evidence.attest.marshal(),
        &evidence.signature.marshal(),
        nonce.as_bytes(),
    );
    match verified {
        Ok(quote) => {
            checks.made(Check::Quote, Vec::new());
            Some(quote)
        }
        Err(error) => {
            checks.made(Check::Quote, vec![Refusal::Quote(error)]);
            None
        }
    }
}

fn check_pcrs(checks: &mut Checks, evidence: &Evidence, policy: &Policy, quote: Option<&Quote>) {
    let bank = policy.bank();
    let mut refusals = Vec::new();
    // Without a quote to believe, the values' own selection still shows what is missing.
    let selection = match quote {
        Some(quote) => quote.selection().clone(),
        None => evidence.pcrs.selection(),
    };
    let found = selection.set(bank);
    if found.is_empty() {
        refusals.push(wrong_bank(bank, selection));
    } else if !found.contains_all(policy.quoted_pcrs()) {
        refusals.push(Refusal::MissingPcrs {
            expected: policy.quoted_pcrs(),
            found,
        });
    }
    if let Some(Err(error)) = quote.map(|quote| quote.check_values(&evidence.pcrs)) {
        refusals.push(Refusal::Pcrs(error));
    }
    for pcr in policy.quoted_pcrs().iter() {
        if let Some(value) = evidence.pcrs.value(bank, pcr)
            && (value.is_zero() || value.as_bytes().iter().all(|byte| *byte == 0xff))
        {
            refusals.push(Refusal::Unmeasured { pcr, found: *value });
        }
    }
    match (quote, refusals.is_empty()) {
        // Right values that nobody signed are no pass.
        (None, true) => checks.left_out(Check::Pcrs),
        _ => checks.made(Check::Pcrs, refusals),
    }
}

fn wrong_bank(expected: HashAlgorithm, found: PcrSelection) -> Refusal {
    let mut banks = found.banks().iter().filter(|bank| !bank.set().is_empty());
    match banks.all(|bank| bank.algorithm() == Some(HashAlgorithm::Sha1)) {
        true => Refusal::Sha1Only { expected, found },
        false => Refusal::Bank { expected, found },
    }
}

fn check_authority(
    checks: &mut Checks,
    evidence: &Evidence,
    policy: &Policy,
    key: Option<&PublicKey>,
) {
    let Some(authority) = &evidence.authority else {
        return match policy.authority() {
            Need::Required => checks.made(Check::Authority, vec![Refusal::NoAuthority]),
            Need::Optional => checks.left_out(Check::Authority),
        };
    };
    let Some(key) = key else {
        return checks.left_out(Check::Authority);
    };
    let mut refusals = Vec::new();
    let attest = authority.attest.marshal();
    if let Err(error) = quote::verify_signature(key, &attest, &authority.signature) {
        refusals.push(Refusal::AuthoritySignature(error));
    }
    let expected = authority.public.name();
    match &authority.attest.attested {
        Attested::Certify { name, .. } if *name == expected => {}
        Attested::Certify { name, .. } => refusals.push(Refusal::AuthorityName {
            expected,
            found: name.to_string(),
        }),
        other => refusals.push(Refusal::AuthorityName {
            expected,
            found: format!("an attestation of kind {:#06x}", other.tag()),
        }),
    }
    let found = authority.public.attributes;
    if !found.contains(AUTHORITY_MUST) {
        refusals.push(Refusal::AuthorityAttributes { found });
    }
    checks.made(Check::Authority, refusals);
}

fn check_tpm(checks: &mut Checks, enrolment: &Enrolment, policy: &Policy) {
    let tpm = enrolment.tpm();
    let refused = tpm.software && policy.software_tpm() == Leave::Refuse;
    let refusals = match refused {
        false => Vec::new(),
        true => vec![Refusal::SoftwareTpm {
            policy: policy.name().to_owned(),
            device: enrolment.device().to_owned(),
            tpm: format!(
                "manufacturer {:?}, model {:?}, by authority {:?}",
                tpm.manufacturer,
                tpm.model,
                enrolment.anchor()
            ),
        }],
    };
    checks.made(Check::Tpm, refusals);
}
