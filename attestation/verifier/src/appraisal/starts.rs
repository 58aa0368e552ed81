//! Earnest's own log: against its PCR, each start against what a start may be, and each head
//! of the audit log against the one before it.

use earnest_evidence::measured::{Entry, Head, MeasuredLog};
use earnest_evidence::{Digest, Evidence};

use super::{Check, Checks, Refusal};
use crate::policy::{Need, Policy};
use crate::reference::{ReferenceValues, StartReference};

/// Checks the log, and gives the newest head of the audit log where log and PCR agree and the
/// heads only grow.
pub(super) fn check(
    checks: &mut Checks,
    evidence: &Evidence,
    reference: &ReferenceValues,
    policy: &Policy,
    before: &Digest,
) -> Option<Head> {
    let log = match evidence.parse_measured_log() {
        Ok(log) => log,
        Err(error) => {
            checks.made(Check::MeasuredLog, vec![Refusal::MeasuredLog(error)]);
            return None;
        }
    };
    let mut refusals = Vec::new();
    refusals.extend(check_replay(evidence, policy, &log, before));
    refusals.extend(check_heads(&log));
    let newest = log.heads().last().filter(|_| refusals.is_empty()).copied();
    if log.starts().next().is_none() {
        let withheld = evidence
            .pcrs
            .value(policy.bank(), policy.measured_pcr())
            .is_some_and(|value| value != before);
        match policy.measured_log() {
            // A log that nobody asks for may be missing, but not the log of what did happen.
            Need::Optional if withheld || !log.entries().is_empty() => {
                checks.made(Check::MeasuredLog, refusals);
            }
            Need::Required => checks.made(Check::MeasuredLog, vec![Refusal::NoMeasuredLog]),
            Need::Optional => checks.left_out(Check::MeasuredLog),
        }
        return newest;
    }
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
    if let Some(last) = log.starts().last()
        && last.version() != evidence.software
    {
        refusals.push(Refusal::Software {
            expected: last.version().to_owned(),
            found: evidence.software.clone(),
        });
    }
    checks.made(Check::MeasuredLog, refusals);
    newest
}

/// The first head that is not of more entries than the one before it: between the two, the
/// audit log was cut, or begun anew.
fn check_heads(log: &MeasuredLog) -> Option<Refusal> {
    let mut heads = log
        .entries()
        .iter()
        .filter_map(|entry| Some((entry.number(), *entry.head()?)));
    let (_, mut earlier) = heads.next()?;
    for (number, head) in heads {
        if head.sequence() <= earlier.sequence() {
            return Some(Refusal::Heads {
                number,
                expected: earlier,
                found: head,
            });
        }
        earlier = head;
    }
    None
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
    let start = entry.start()?;
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

#[cfg(test)]
mod tests;
