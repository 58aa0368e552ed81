//! A boot for a TPM in software, which no firmware measures anything into.
//!
//! It measures what there is to measure on a development machine: the program that runs, and
//! two constants that say plainly that nothing stands behind them. The log is in the
//! crypto-agile form of the TCG PC Client Platform Firmware Profile, "Event Logging", so that
//! everything after it, other people's tools among it, works as on a device.

use earnest_evidence::firmware::EventKind;
use earnest_evidence::{Digest, HashAlgorithm};

/// The PCRs that a pretended boot extends: the program's, and those of [`STAGES`].
pub(crate) const PCRS: [u8; 3] = [PROGRAM_PCR, 7, 11];

/// Firmware measures the boot loader into this PCR; here it is the program itself.
const PROGRAM_PCR: u8 = 4;

/// What firmware, boot loader and kernel would be on a device.
const STAGES: [(u8, &[u8]); 2] = [
    (7, b"development machine: no secure boot was measured"),
    (11, b"development machine: no kernel was measured"),
];

/// One measurement of the pretended boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measurement {
    pub(crate) pcr: u8,
    pub(crate) digest: Digest,
    kind: EventKind,
    data: Vec<u8>,
}

/// What a pretended boot into `program`, the bytes of the program that runs, measures.
pub(crate) fn measurements(program: &[u8]) -> Vec<Measurement> {
    let sha256 = HashAlgorithm::Sha256;
    let mut all = vec![Measurement {
        pcr: PROGRAM_PCR,
        digest: sha256.digest(program),
        kind: EventKind::EFI_BOOT_SERVICES_APPLICATION,
        data: b"development machine: the program itself".to_vec(),
    }];
    all.extend(STAGES.map(|(pcr, text)| Measurement {
        pcr,
        digest: sha256.digest(text),
        kind: EventKind::EFI_ACTION,
        data: text.to_vec(),
    }));
    all
}

/// The log of these measurements: a `TCG_EfiSpecIDEvent` that names SHA-256 alone, then one
/// `TCG_PCR_EVENT2` each.
pub(crate) fn log(measurements: &[Measurement]) -> Vec<u8> {
    let sha256 = HashAlgorithm::Sha256;
    // Signature, platform class, version 2.0 errata 0, eight-byte UINTN, one algorithm with
    // its digest's length, no vendor information.
    let mut specification = b"Spec ID Event03\0".to_vec();
    specification.extend([0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0]);
    specification.extend(sha256.id().to_le_bytes());
    specification.extend([32, 0, 0]);
    let mut log = Vec::new();
    log.extend(0_u32.to_le_bytes());
    log.extend(EventKind::NO_ACTION.0.to_le_bytes());
    log.extend([0; 20]);
    push_data(&mut log, &specification);
    for Measurement {
        pcr,
        digest,
        kind,
        data,
    } in measurements
    {
        log.extend(u32::from(*pcr).to_le_bytes());
        log.extend(kind.0.to_le_bytes());
        log.extend(1_u32.to_le_bytes());
        log.extend(sha256.id().to_le_bytes());
        log.extend(digest.as_bytes());
        push_data(&mut log, data);
    }
    log
}

fn push_data(log: &mut Vec<u8>, data: &[u8]) {
    // The texts above, of a few dozen bytes.
    log.extend((data.len() as u32).to_le_bytes());
    log.extend(data);
}

#[cfg(test)]
mod tests {
    use earnest_evidence::firmware::EventLog;

    use super::*;

    #[test]
    fn the_log_replays_to_what_the_measurements_extend() {
        let measured = measurements(b"a program");
        assert_eq!(measured.iter().map(|one| one.pcr).collect::<Vec<_>>(), PCRS);
        let bytes = log(&measured);
        let log = EventLog::parse(&bytes).unwrap();
        assert!(log.is_crypto_agile());
        let replay = log.replay(HashAlgorithm::Sha256);
        assert_eq!(replay.touched().to_string(), "4,7,11");
        for one in &measured {
            let expected = HashAlgorithm::Sha256.zero().extended_by(&one.digest);
            assert_eq!(replay.value(one.pcr), Some(&expected));
        }
    }

    #[test]
    fn another_program_is_another_boot() {
        assert_ne!(measurements(b"a")[0].digest, measurements(b"b")[0].digest);
    }
}
