//! Earnest's own log: against its PCR, and each start against what a start may be.

use earnest_evidence::measured::{Entry, MeasuredLog};
use earnest_evidence::{Digest, Evidence};

use super::{Check, Checks, Refusal};
use crate::policy::{Need, Policy};
use crate::reference::{ReferenceValues, StartReference};

pub(super) fn check(
    checks: &mut Checks,
    evidence: &Evidence,
    reference: &ReferenceValues,
    policy: &Policy,
    before: &Digest,
) {
    let log = match evidence.parse_measured_log() {
        Ok(log) => log,
        Err(error) => {
            return checks.made(Check::MeasuredLog, vec![Refusal::MeasuredLog(error)]);
        }
    };
    if log.entries().is_empty() {
        let withheld = evidence
            .pcrs
            .value(policy.bank(), policy.measured_pcr())
            .is_some_and(|value| value != before);
        return match policy.measured_log() {
            // A log that nobody asks for may be missing, but not the log of what did happen.
            Need::Optional if withheld => {
                let refusals = check_replay(evidence, policy, &log, before);
                checks.made(Check::MeasuredLog, Vec::from_iter(refusals));
            }
            Need::Required => checks.made(Check::MeasuredLog, vec![Refusal::NoMeasuredLog]),
            Need::Optional => checks.left_out(Check::MeasuredLog),
        };
    }
    let mut refusals = Vec::new();
    refusals.extend(check_replay(evidence, policy, &log, before));
    match reference.starts() {
        None => refusals.push(Refusal::UnreferencedStarts),
        Some(allowed) => {
            // One refusal for each start is enough, and keeps the list as short as the log.
            refusals.extend(
                log.entries()
                    .iter()
                    .filter_map(|entry| check_start(entry, allowed)),
            );
        }
    }
    if let Some(last) = log.entries().last()
        && last.start().version() != evidence.software
    {
        refusals.push(Refusal::Software {
            expected: last.start().version().to_owned(),
            found: evidence.software.clone(),
        });
    }
    checks.made(Check::MeasuredLog, refusals);
}

/// The log starts at what the boot left in its PCR, which must be quoted.
fn check_replay(
    evidence: &Evidence,
    policy: &Policy,
    log: &MeasuredLog,
    before: &Digest,
) -> Option<Refusal> {
    let (bank, pcr) = (policy.bank(), policy.measured_pcr());
    let Some(expected) = evidence.pcrs.value(bank, pcr) else {
        return Some(Refusal::MissingPcrs {
            expected: policy.quoted_pcrs(),
            found: evidence.pcrs.selection().set(bank),
        });
    };
    let found = log.replay(before);
    (found != *expected).then_some(Refusal::MeasuredReplay {
        pcr,
        expected: *expected,
        found,
    })
}

fn check_start(entry: &Entry, allowed: &StartReference) -> Option<Refusal> {
    let start = entry.start();
    let refusal = |field, expected: String, found: String| {
        Some(Refusal::Start {
            number: entry.number(),
            field,
            expected,
            found,
        })
    };
    if !allowed.configurations.contains(start.configuration()) {
        return refusal(
            "configuration",
            any_of(&allowed.configurations),
            start.configuration().to_string(),
        );
    }
    match start.model() {
        Some(model) if !allowed.models.contains(model) => {
            return refusal("model package", any_of(&allowed.models), model.to_string());
        }
        None if !allowed.without_model => {
            return refusal("model package", any_of(&allowed.models), "none".to_owned());
        }
        _ => {}
    }
    if start.sandbox() < allowed.least_sandbox {
        return refusal(
            "sandbox level",
            allowed.least_sandbox.to_string(),
            start.sandbox().to_string(),
        );
    }
    if !allowed.versions.contains(start.version()) {
        let versions: Vec<&str> = allowed
            .versions
            .iter()
            .map(String::as_str)
            .take(4)
            .collect();
        return refusal("version", versions.join(" or "), start.version().to_owned());
    }
    None
}

fn any_of(digests: &std::collections::BTreeSet<Digest>) -> String {
    match digests.first() {
        None => "none at all".to_owned(),
        Some(one) if digests.len() == 1 => one.to_string(),
        Some(one) => format!("{one} or one of {} others", digests.len() - 1),
    }
}
