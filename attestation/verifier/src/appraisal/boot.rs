//! The boot: the firmware log against the PCRs, and the PCRs against the reference values.

use earnest_evidence::firmware::{Event, EventLog, Replay};
use earnest_evidence::{Digest, Evidence, HashAlgorithm};

use super::{Check, Checks, EventDifference, Refusal};
use crate::policy::{Need, Policy};
use crate::reference::{PcrReference, ReferenceValues};

/// Checks the boot, and gives what the PCR of Earnest's own log holds after it.
pub(super) fn check(
    checks: &mut Checks,
    evidence: &Evidence,
    reference: &ReferenceValues,
    policy: &Policy,
) -> Digest {
    let log = match evidence.parse_firmware_log() {
        Ok(Some(log)) => Some(log),
        Ok(None) => {
            match policy.firmware_log() {
                Need::Required => checks.made(Check::FirmwareLog, vec![Refusal::NoFirmwareLog]),
                Need::Optional => checks.left_out(Check::FirmwareLog),
            }
            None
        }
        Err(error) => {
            checks.made(Check::FirmwareLog, vec![Refusal::FirmwareLog(error)]);
            None
        }
    };
    let boot = Boot {
        evidence,
        policy,
        replay: log.as_ref().map(|log| log.replay(policy.bank())),
        log,
    };
    if boot.log.is_some() {
        checks.made(Check::FirmwareLog, boot.check_replay());
    }
    checks.made(Check::BootState, boot.check_state(reference));
    let own = boot
        .replay
        .as_ref()
        .and_then(|replay| replay.value(policy.measured_pcr()));
    own.copied().unwrap_or(policy.bank().zero())
}

struct Boot<'e> {
    evidence: &'e Evidence,
    policy: &'e Policy,
    log: Option<EventLog<'e>>,
    replay: Option<Replay>,
}

impl Boot<'_> {
    fn bank(&self) -> HashAlgorithm {
        self.policy.bank()
    }

    /// What the log leads to, where the log tells all of a PCR.
    fn replayed(&self, pcr: u8) -> Option<&Digest> {
        self.replay
            .as_ref()
            .filter(|_| !self.policy.unlogged_pcrs().contains(pcr))?
            .value(pcr)
    }

    fn check_replay(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for pcr in self.policy.pcrs().iter() {
            let quoted = self.evidence.pcrs.value(self.bank(), pcr);
            if let (Some(expected), Some(found)) = (quoted, self.replayed(pcr))
                && expected != found
            {
                refusals.push(Refusal::Replay {
                    pcr,
                    expected: *expected,
                    found: *found,
                });
            }
        }
        refusals
    }

    fn check_state(&self, reference: &ReferenceValues) -> Vec<Refusal> {
        if reference.bank() != self.bank() {
            return vec![Refusal::ReferenceBank {
                expected: self.bank(),
                found: reference.bank(),
            }];
        }
        self.policy
            .pcrs()
            .iter()
            .filter_map(|pcr| {
                let Some(allowed) = reference.pcr(pcr) else {
                    return Some(Refusal::Unreferenced { pcr });
                };
                // A value that is missing is refused where the PCRs are checked.
                let value = self.evidence.pcrs.value(self.bank(), pcr)?;
                self.check_pcr(pcr, value, allowed)
            })
            .collect()
    }

    fn check_pcr(&self, pcr: u8, value: &Digest, allowed: &PcrReference) -> Option<Refusal> {
        if allowed.allows(value) {
            return None;
        }
        let events = self.events(pcr);
        let proved = self.replayed(pcr) == Some(value);
        let stray = events
            .iter()
            .enumerate()
            .find(|(_, (_, digest))| !allowed.events.contains(digest));
        // Allowed events count only under a log that leads to the PCR; no event at all leads to
        // what a PCR starts with, which is no boot.
        if !allowed.events.is_empty() && proved && !events.is_empty() && stray.is_none() {
            return None;
        }
        let difference = match allowed.values.is_empty() {
            false => self.nearest_difference(&events, allowed),
            true => stray.map(|(place, (event, digest))| EventDifference {
                index: event.index(),
                place,
                expected: None,
                found: Some(*digest),
                claimed_kind: Some(event.kind()),
            }),
        };
        Some(Refusal::BootState {
            pcr,
            expected: allowed.values.iter().map(|value| value.value).collect(),
            found: *value,
            difference,
        })
    }

    /// The events of a PCR, with their digests of the bank.
    fn events(&self, pcr: u8) -> Vec<(&Event<'_>, Digest)> {
        let Some(log) = &self.log else {
            return Vec::new();
        };
        log.events()
            .iter()
            .filter(|event| event.is_extended() && event.pcr() == u32::from(pcr))
            .filter_map(|event| Some((event, event.digest(self.bank())?)))
            .collect()
    }

    /// Where the log leaves the reference that it follows longest.
    fn nearest_difference(
        &self,
        events: &[(&Event<'_>, Digest)],
        allowed: &PcrReference,
    ) -> Option<EventDifference> {
        let log = self.log.as_ref()?;
        let (place, reference) = allowed
            .values
            .iter()
            .filter(|value| !value.events.is_empty())
            .map(|value| {
                let common = events
                    .iter()
                    .zip(&value.events)
                    .take_while(|((_, found), expected)| found == *expected)
                    .count();
                (common, value)
            })
            .max_by_key(|(common, _)| *common)?;
        let found = events.get(place);
        let expected = reference.events.get(place).copied();
        // The log is the reference's, but the PCR is not: the log does not lead to it.
        if found.is_none() && expected.is_none() {
            return None;
        }
        Some(EventDifference {
            index: found.map_or(log.events().len(), |(event, _)| event.index()),
            place,
            expected,
            found: found.map(|(_, digest)| *digest),
            claimed_kind: found.map(|(event, _)| event.kind()),
        })
    }
}
