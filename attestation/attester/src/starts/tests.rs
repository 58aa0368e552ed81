//! With a module in memory.

use earnest_evidence::measured::{EntryKind, MAX_HEADS, MAX_STARTS, SandboxLevel};
use tempfile::TempDir;

use super::*;
use crate::testing::{fake, folder};

const ZEROS: Digest = HashAlgorithm::Sha256.zero();

fn start(version: &str) -> Start {
    let configuration = HashAlgorithm::Sha256.digest(b"configuration");
    Start::new(configuration, None, SandboxLevel::Full, version).unwrap()
}

fn head(sequence: u64) -> Head {
    let chain = HashAlgorithm::Sha256.digest(&sequence.to_be_bytes());
    Head::new(sequence, chain.as_bytes().try_into().unwrap())
}

/// A device that was started once.
fn started() -> (TempDir, Folder, earnest_tpm::FakeModule) {
    let (place, folder) = folder();
    let module = fake();
    record(&module, &folder, ZEROS, start("1")).unwrap();
    (place, folder, module)
}

#[test]
fn what_was_anchored_is_under_the_pcr_and_is_given_back() {
    let (_place, folder, module) = started();
    let last = || anchored(&module, &folder, ZEROS).unwrap();
    assert_eq!(last(), None);
    anchor(&module, &folder, ZEROS, head(3)).unwrap();
    assert_eq!(last(), Some(head(3)));
    record(&module, &folder, ZEROS, start("2")).unwrap();
    assert_eq!(last(), Some(head(3)), "a restart forgets no head");
    let Starts { log, from } = anchor(&module, &folder, ZEROS, head(9)).unwrap();
    assert_eq!(last(), Some(head(9)));
    assert_eq!(log.replay(&from), pcr(&module).unwrap());
    assert_eq!(read(&module, &folder, ZEROS).unwrap().log, log);
    let kinds: Vec<EntryKind> = log.entries().iter().map(|entry| entry.kind()).collect();
    let expected = [
        EntryKind::Start,
        EntryKind::Head,
        EntryKind::Start,
        EntryKind::Head,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_head_that_is_anchored_already_costs_no_entry() {
    let (_place, folder, module) = started();
    anchor(&module, &folder, ZEROS, head(3)).unwrap();
    let held = pcr(&module).unwrap();
    let again = anchor(&module, &folder, ZEROS, head(3)).unwrap();
    assert_eq!(again.log.heads().count(), 1);
    assert_eq!(pcr(&module).unwrap(), held);
}

#[test]
fn an_audit_log_that_went_back_is_not_anchored() {
    let (_place, folder, module) = started();
    anchor(&module, &folder, ZEROS, head(5)).unwrap();
    let held = pcr(&module).unwrap();
    for back in [head(4), Head::new(5, [1; 32])] {
        let refused = anchor(&module, &folder, ZEROS, back).unwrap_err();
        let told = matches!(
            &refused,
            StartsError::Back { anchored, found } if **anchored == head(5) && **found == back
        );
        assert!(told, "{refused}");
    }
    assert_eq!(pcr(&module).unwrap(), held);
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), Some(head(5)));
}

/// A power cut between the file and the PCR: what the PCR does not vouch for is no anchor yet,
/// and the next entry extends it first.
#[test]
fn a_head_that_was_written_and_not_extended_is_caught_up_with() {
    let (_place, folder, module) = started();
    anchor(&module, &folder, ZEROS, head(1)).unwrap();
    let name = file_name(&module).unwrap();
    let mut log = read_log(&folder, &name).unwrap();
    log.append(head(2)).unwrap();
    folder.write(&name, &log.encode()).unwrap();
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), Some(head(1)));
    let refused = anchor(&module, &folder, ZEROS, head(1)).unwrap_err();
    assert!(matches!(refused, StartsError::Back { .. }), "{refused}");
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), Some(head(2)));
    anchor(&module, &folder, ZEROS, head(3)).unwrap();
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), Some(head(3)));
}

#[test]
fn a_head_is_not_written_where_the_tpm_is_gone() {
    let (_place, folder, module) = started();
    module.set_gone(true);
    let refused = anchor(&module, &folder, ZEROS, head(1)).unwrap_err();
    assert!(matches!(refused, StartsError::Tpm(_)), "{refused}");
    assert!(anchored(&module, &folder, ZEROS).is_err());
    module.set_gone(false);
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), None);
}

#[test]
fn a_log_that_was_changed_or_cut_gives_no_head() {
    let (_place, folder, module) = started();
    anchor(&module, &folder, ZEROS, head(1)).unwrap();
    anchor(&module, &folder, ZEROS, head(2)).unwrap();
    let name = file_name(&module).unwrap();
    let whole = read_log(&folder, &name).unwrap();
    let mut cut = MeasuredLog::new();
    cut.append(start("1")).unwrap();
    cut.append(head(1)).unwrap();
    let mut changed = cut.clone();
    changed.append(head(3)).unwrap();
    for log in [cut, changed, MeasuredLog::new()] {
        folder.write(&name, &log.encode()).unwrap();
        let refused = anchored(&module, &folder, ZEROS).unwrap_err();
        assert!(matches!(refused, StartsError::Differs { .. }), "{refused}");
        let refused = anchor(&module, &folder, ZEROS, head(9)).unwrap_err();
        assert!(matches!(refused, StartsError::Differs { .. }), "{refused}");
    }
    folder.write(&name, &whole.encode()).unwrap();
    module.pcr_extend(DEFAULT_PCR, &[1; 32]).unwrap();
    let refused = anchored(&module, &folder, ZEROS).unwrap_err();
    assert!(matches!(refused, StartsError::Differs { .. }), "{refused}");
}

#[test]
fn a_reboot_begins_anew_and_takes_whatever_head_there_is() {
    let (_place, folder, module) = started();
    anchor(&module, &folder, ZEROS, head(5)).unwrap();
    module.restart();
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), None);
    record(&module, &folder, ZEROS, start("1")).unwrap();
    anchor(&module, &folder, ZEROS, head(4)).unwrap();
    assert_eq!(anchored(&module, &folder, ZEROS).unwrap(), Some(head(4)));
}

/// The file and the PCR as they are after so many entries, without the way to them.
fn filled(folder: &Folder, module: &dyn TrustModule, entries: impl Iterator<Item = Measured>) {
    let mut log = MeasuredLog::new();
    for measured in entries {
        let entry = log.append(measured).unwrap();
        extend(module, &entry.digest(HashAlgorithm::Sha256)).unwrap();
    }
    let name = file_name(module).unwrap();
    folder.write(&name, &log.encode()).unwrap();
}

#[test]
fn a_year_of_heads_keeps_nothing_from_starting_and_starts_keep_no_head_out() {
    let (_place, folder) = folder();
    let module = fake();
    let check = |refused: StartsError, expected: EntryKind| match refused {
        StartsError::Full(LogFull { kind, .. }) => assert_eq!(kind, expected),
        other => panic!("{other}"),
    };
    let heads = (1..=MAX_HEADS as u64).map(|sequence| head(sequence).into());
    filled(&folder, &module, heads);
    let refused = anchor(&module, &folder, ZEROS, head(1 << 40)).unwrap_err();
    check(refused, EntryKind::Head);
    record(&module, &folder, ZEROS, start("1")).unwrap();
    let last = anchored(&module, &folder, ZEROS).unwrap();
    assert_eq!(last, Some(head(MAX_HEADS as u64)));

    let module = fake();
    filled(&folder, &module, (0..MAX_STARTS).map(|_| start("1").into()));
    let refused = record(&module, &folder, ZEROS, start("1")).unwrap_err();
    check(refused, EntryKind::Start);
    anchor(&module, &folder, ZEROS, head(1)).unwrap();
}
