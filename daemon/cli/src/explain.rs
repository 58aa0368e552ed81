//! The gate's words for people: what each reason means, and what to do about it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use earnest_gate::{GateReason, GateState, Status};

/// What a reason means.
pub(crate) fn reason(reason: GateReason) -> &'static str {
    match reason {
        GateReason::Started => "the daemon has just started",
        GateReason::ModelUnsealed => {
            "the TPM has released the model's key, and the rest is to come"
        }
        GateReason::ProvenLocally => {
            "the TPM has released the model's key, and the model gives its known answers"
        }
        GateReason::ProvenToFleet => {
            "the fleet's verifier vouches for this device, and the model gives its known answers"
        }
        GateReason::ResultExpired => "the fleet's result has expired",
        GateReason::GraceOver => "the fleet's result has expired, and the time of grace is over",
        GateReason::ResultRefused => {
            "the fleet's verifier does not vouch for this device, or its word does not hold here"
        }
        GateReason::MeasurementChanged => {
            "what this device has booted is measured otherwise than when the model was unsealed"
        }
        GateReason::TpmLost => "the TPM does not answer",
        GateReason::MeasurementOverdue => "nobody has looked at the TPM's measurement for too long",
        GateReason::WrongAnswers => "the model gives wrong answers to known clips",
        GateReason::AnswersOverdue => "the model has not given its known answers for too long",
        GateReason::ModelReplaced => "another model takes this one's place",
        GateReason::Stopping => "the daemon ends",
    }
}

/// What to do about a gate that is closed for this reason, while `trouble` keeps it from opening.
pub(crate) fn to_do(reason: GateReason, trouble: Option<&str>) -> &'static str {
    match (reason, trouble) {
        (GateReason::Started | GateReason::ModelUnsealed | GateReason::ModelReplaced, Some(_)) => {
            "mend what is in the way, or take a policy that approves this state: earnest tpm \
             policy FILE; the daemon tries again by itself"
        }
        _ => mend(reason),
    }
}

/// What to do about a gate that is closed for this reason.
fn mend(reason: GateReason) -> &'static str {
    match reason {
        GateReason::Started | GateReason::ModelUnsealed | GateReason::ModelReplaced => {
            "wait some seconds; where it stays so: journalctl -u earnestd"
        }
        GateReason::ProvenLocally | GateReason::ProvenToFleet | GateReason::Stopping => {
            "journalctl -u earnestd"
        }
        GateReason::ResultExpired | GateReason::GraceOver | GateReason::ResultRefused => {
            "earnest attest, have the fleet verify it, and earnest result import FILE --key PEM"
        }
        GateReason::MeasurementChanged => {
            "reboot into the approved system, or take a policy for this one: earnest tpm policy FILE"
        }
        GateReason::TpmLost | GateReason::MeasurementOverdue => {
            "look whether the TPM is there: journalctl -k | grep -i tpm"
        }
        GateReason::WrongAnswers | GateReason::AnswersOverdue => {
            "seal the models anew: earnest model seal; then: journalctl -u earnestd"
        }
    }
}

/// Where the gate stands, in one line.
pub(crate) fn gate(gate: &Status) -> String {
    let Status { state, .. } = gate;
    let since = span(Duration::from_secs(gate.for_seconds));
    let stands = match (gate.open, state) {
        (true, GateState::Grace) => {
            format!("open by grace alone for {since}: it will close unless a new result comes")
        }
        (true, _) => format!("open ({state}) for {since}"),
        (false, _) => format!("CLOSED ({state}) for {since}, and nobody is served"),
    };
    format!("{stands}, because {}", reason(gate.reason))
}

/// Until when, on the clock: `4 min 10 s more, until 05:12:33 UTC`.
pub(crate) fn until(left: Duration, now: SystemTime) -> String {
    let end = now + left;
    let end = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (end / 3600 % 24, end / 60 % 60, end % 60);
    let clock = format!("{hours:02}:{minutes:02}:{seconds:02} UTC");
    match left.as_secs() >= 24 * 3600 {
        // The time of day says little of another day.
        true => format!("{} more", span(left)),
        false => format!("{} more, until {clock}", span(left)),
    }
}

/// A time in its two largest units.
pub(crate) fn span(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = time.as_secs();
    let largest = UNITS.iter().position(|(unit, _)| seconds >= *unit);
    let Some(largest) = largest else {
        return "0 s".to_owned();
    };
    let mut rest = seconds;
    let parts = UNITS[largest..].iter().take(2).filter_map(|(unit, name)| {
        let count = rest / unit;
        rest %= unit;
        (count > 0).then(|| format!("{count} {name}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_meaning_and_a_remedy_of_its_own_words() {
        let mut meanings: Vec<_> = GateReason::ALL.iter().map(|&one| reason(one)).collect();
        for &one in GateReason::ALL {
            assert!(!mend(one).is_empty(), "{one}");
        }
        meanings.sort_unstable();
        meanings.dedup();
        assert_eq!(meanings.len(), GateReason::ALL.len());
    }

    #[test]
    fn times_are_told_in_two_units() {
        let check = |seconds, expected| assert_eq!(span(Duration::from_secs(seconds)), expected);
        check(0, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(250, "4 min 10 s");
        check(3_600, "1 h");
        check(7_265, "2 h 1 min");
        check(200_000, "2 d 7 h");
    }

    #[test]
    fn an_end_is_told_on_the_clock() {
        // 2024-10-21 00:00:00 UTC.
        let now = UNIX_EPOCH + Duration::from_secs(1_729_468_800);
        let told = until(Duration::from_secs(3_725), now);
        assert_eq!(told, "1 h 2 min more, until 01:02:05 UTC");
        assert_eq!(until(Duration::from_secs(90_000), now), "1 d 1 h more");
    }
}
