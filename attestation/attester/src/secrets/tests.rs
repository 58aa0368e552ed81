//! With a module in memory, which checks policies as a TPM would, and with a TPM in software.

use proptest::prelude::*;

use super::*;
use crate::testing::{Fleet, Machine, fake, folder};

fn id(purpose: Purpose, number: u32) -> SecretId {
    SecretId { purpose, number }
}

/// A public half that follows from the secret, and does not tell it.
fn half(secret: &Secret) -> Vec<u8> {
    let digest = HashAlgorithm::Sha256.digest(&secret[..]);
    digest.as_bytes().to_vec()
}

fn keep_policy(folder: &Folder, fleet: &Fleet, module: &dyn TrustModule) {
    let policy = fleet.approve(module);
    content::keep_policy(folder, &fleet.key(), &policy.encode()).unwrap();
}

#[test]
fn a_secret_is_made_in_any_state_and_opens_in_an_approved_one_alone() {
    let (_place, folder) = folder();
    let fleet = Fleet::new();
    let module = fleet.fake();
    let made = create(&module, &folder, Purpose::State).unwrap();
    assert_eq!(made, id(Purpose::State, 1));
    let refused = open(&module, &folder, made).unwrap_err();
    assert!(
        matches!(refused, SecretsError::Policy(ContentError::NoPolicy)),
        "{refused}"
    );
    keep_policy(&folder, &fleet, &module);
    let secret = open(&module, &folder, made).unwrap();
    assert_ne!(*secret, [0; 32]);
    assert_eq!(open(&module, &folder, made).unwrap(), secret);
    module.pcr_extend(4, &[1; 32]).unwrap();
    let refused = open(&module, &folder, made).unwrap_err();
    assert!(
        matches!(refused, SecretsError::Unseal(UnsealError::State { .. })),
        "{refused}"
    );
    module.restart();
    module.set_gone(true);
    let refused = open(&module, &folder, made).unwrap_err();
    assert!(
        matches!(&refused, SecretsError::Unseal(UnsealError::Tpm(error)) if error.is_passing()),
        "{refused}"
    );
    let refused = create(&module, &folder, Purpose::State).unwrap_err();
    assert!(matches!(refused, SecretsError::Tpm(_)), "{refused}");
    assert_eq!(list(&folder, Purpose::State).unwrap(), [made]);
}

#[test]
fn a_tpm_seals_secrets_and_gives_them_back_under_the_policy() {
    let machine = Machine::new();
    let (_place, folder) = folder();
    let made = create_with_public(&machine.tpm, &folder, Purpose::Audit, half).unwrap();
    keep_policy(&folder, &machine.fleet, &machine.tpm);
    let secret = open(&machine.tpm, &folder, made).unwrap();
    assert_eq!(public(&folder, made).unwrap(), half(&secret));
    machine.tpm.pcr_extend(11, &[1; 32]).unwrap();
    let refused = open(&machine.tpm, &folder, made).unwrap_err();
    assert!(
        matches!(refused, SecretsError::Unseal(UnsealError::State { .. })),
        "{refused}"
    );
    assert!(public(&folder, made).is_ok());
}

#[test]
fn a_public_half_is_read_in_any_state_and_is_the_secrets() {
    let (_place, folder) = folder();
    let fleet = Fleet::new();
    let module = fleet.fake();
    let made = create_with_public(&module, &folder, Purpose::Audit, half).unwrap();
    module.set_gone(true);
    let shown = public(&folder, made).unwrap();
    module.set_gone(false);
    keep_policy(&folder, &fleet, &module);
    assert_eq!(half(&open(&module, &folder, made).unwrap()), shown);
    let plain = create(&module, &folder, Purpose::Audit).unwrap();
    let refused = public(&folder, plain).unwrap_err();
    assert!(matches!(refused, SecretsError::NoPublic { id } if id == plain));
}

#[test]
fn a_public_half_that_is_none_or_too_long_makes_no_secret() {
    let (_place, folder) = folder();
    let module = fake();
    for length in [0, MAX_PUBLIC_BYTES + 1] {
        let refused =
            create_with_public(&module, &folder, Purpose::Audit, |_| vec![7; length]).unwrap_err();
        assert!(
            matches!(refused, SecretsError::PublicLength { found, .. } if found == length),
            "{refused}"
        );
    }
    assert_eq!(newest(&folder, Purpose::Audit).unwrap(), None);
    let longest = |_: &Secret| vec![7; MAX_PUBLIC_BYTES];
    let made = create_with_public(&module, &folder, Purpose::Audit, longest).unwrap();
    assert_eq!(public(&folder, made).unwrap().len(), MAX_PUBLIC_BYTES);
}

#[test]
fn rotation_makes_the_next_number_and_keeps_the_old_until_told() {
    let (_place, folder) = folder();
    let fleet = Fleet::new();
    let module = fleet.fake();
    keep_policy(&folder, &fleet, &module);
    let [first, second] = [(); 2].map(|()| create(&module, &folder, Purpose::State).unwrap());
    let audit = create_with_public(&module, &folder, Purpose::Audit, half).unwrap();
    assert_eq!((second.number, audit.number), (2, 1));
    assert_eq!(newest(&folder, Purpose::State).unwrap(), Some(second));
    let [one, two] = [first, second].map(|id| open(&module, &folder, id).unwrap());
    assert_ne!(one, two);
    let refused = destroy(&folder, second).unwrap_err();
    assert!(matches!(refused, SecretsError::Newest { id } if id == second));
    destroy(&folder, first).unwrap();
    destroy(&folder, first).unwrap();
    let refused = open(&module, &folder, first).unwrap_err();
    assert!(matches!(refused, SecretsError::NotThere { id } if id == first));
    assert_eq!(list(&folder, Purpose::State).unwrap(), [second]);
    assert_eq!(list(&folder, Purpose::Audit).unwrap(), [audit]);
    let third = create(&module, &folder, Purpose::State).unwrap();
    assert_eq!(third.number, 3, "a number comes once only");
}

#[test]
fn numbers_are_in_their_own_order_and_other_files_are_no_secrets() {
    let (_place, folder) = folder();
    let module = fake();
    for number in [2, 10, 9] {
        folder
            .write(&id(Purpose::State, number).file(), b"")
            .unwrap();
    }
    for name in [
        "state-0.secret",
        "state-01.secret",
        "state-+1.secret",
        "state-4294967296.secret",
        "state-.secret",
        "state-3.secret.old",
        "audit-11.secret",
        "estate-3.secret",
    ] {
        folder.write(name, b"").unwrap();
    }
    let found: Vec<u32> = list(&folder, Purpose::State)
        .unwrap()
        .iter()
        .map(|id| id.number)
        .collect();
    assert_eq!(found, [2, 9, 10]);
    let next = create(&module, &folder, Purpose::State).unwrap();
    assert_eq!(next.number, 11);
    folder
        .write(&id(Purpose::State, u32::MAX).file(), b"")
        .unwrap();
    let refused = create(&module, &folder, Purpose::State).unwrap_err();
    assert!(matches!(refused, SecretsError::NumbersSpent), "{refused}");
}

#[test]
fn there_are_no_more_secrets_than_the_bound() {
    let (_place, folder) = folder();
    let module = fake();
    for _ in 0..MAX_SECRETS {
        create(&module, &folder, Purpose::State).unwrap();
    }
    let refused = create(&module, &folder, Purpose::State).unwrap_err();
    assert!(matches!(refused, SecretsError::TooMany { .. }), "{refused}");
    create(&module, &folder, Purpose::Audit).unwrap();
    destroy(&folder, id(Purpose::State, 1)).unwrap();
    let next = create(&module, &folder, Purpose::State).unwrap();
    assert_eq!(next.number as usize, MAX_SECRETS + 1);
}

#[test]
fn of_many_that_make_a_secret_at_once_each_gets_a_number_of_its_own() {
    const HANDS: usize = 8;
    let (_place, folder) = folder();
    let module = fake();
    let mut made: Vec<SecretId> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS)
            .map(|_| scope.spawn(|| create(&module, &folder, Purpose::Audit).unwrap()))
            .collect();
        hands.into_iter().map(|hand| hand.join().unwrap()).collect()
    });
    made.sort_unstable();
    assert_eq!(made, list(&folder, Purpose::Audit).unwrap());
    assert_eq!(made.len(), HANDS);
}

#[test]
fn a_damaged_file_is_told_by_its_name_and_what_is_wrong() {
    let (_place, folder) = folder();
    let module = fake();
    let made = create_with_public(&module, &folder, Purpose::Audit, half).unwrap();
    let other = create_with_public(&module, &folder, Purpose::Audit, half).unwrap();
    let whole = folder
        .read(&made.file(), MAX_SECRET_FILE_BYTES)
        .unwrap()
        .unwrap();
    let check = |bytes: &[u8], at: SecretId| {
        folder.write(&at.file(), bytes).unwrap();
        match public(&folder, at).unwrap_err() {
            SecretsError::Damaged { path, source } => {
                assert!(path.ends_with(at.file()));
                source
            }
            other => panic!("{other}"),
        }
    };
    for length in 0..whole.len() {
        check(&whole[..length], made);
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check(&flipped, made);
    }
    let swapped = check(&whole, other);
    let expected = ((2, 2), (2, 1));
    assert!(
        matches!(swapped, SecretFileError::Another { expected: one, found } if (one, found) == expected),
        "{swapped}"
    );
    folder
        .write(&made.file(), &vec![0; MAX_SECRET_FILE_BYTES + 1])
        .unwrap();
    let refused = public(&folder, made).unwrap_err();
    assert!(
        matches!(refused, SecretsError::File(FileError::TooLong { .. })),
        "{refused}"
    );
}

proptest! {
    /// Whoever writes a file that is wrong can give it the right checksum.
    #[test]
    fn a_right_checksum_makes_nothing_right(
        head in prop_oneof![
            Just([&MAGIC[..], &[2, 0, 0, 0, 1]].concat()),
            Just(MAGIC.to_vec()),
            Just(Vec::new()),
        ],
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let id = id(Purpose::Audit, 1);
        let mut bytes = [head, body].concat();
        let checksum = HashAlgorithm::Sha256.digest(&bytes);
        bytes.extend(checksum.as_bytes());
        if let Ok(kept) = Kept::parse(&bytes, id) {
            prop_assert_eq!(kept.encode(id), bytes);
        }
    }
}
