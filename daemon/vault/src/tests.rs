use proptest::prelude::*;

use super::*;

fn vault() -> Vault {
    Vault::new(&[7; KEY_BYTES])
}

/// A file of the format's first version: a change that cannot read it is another version.
const GOLDEN: [&str; 2] = [
    "6561726e766c7401e47dd5bd756f251b4ecc70ff9a4b7323b676cd4c848ea5f9",
    "78c2c2d8003b8e0ac695f0c52153edaacf58174e603841262c6955",
];

#[test]
fn files_of_the_first_version_open() {
    let digits = GOLDEN.concat();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let closed: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    assert_eq!(key_of(&closed).unwrap(), vault().key_id());
    assert_eq!(
        &vault().open("book", &closed).unwrap()[..],
        b"who may do what"
    );
}

#[test]
fn what_is_closed_twice_is_not_the_same_twice() {
    let vault = vault();
    assert_ne!(
        vault.seal("book", b"same").unwrap(),
        vault.seal("book", b"same").unwrap()
    );
}

#[test]
fn another_key_is_told_from_damage() {
    let closed = Vault::new(&[8; KEY_BYTES]).seal("book", b"x").unwrap();
    let refused = vault().open("book", &closed).unwrap_err();
    assert!(matches!(refused, VaultError::OtherKey { .. }));
    assert!(matches!(
        vault().open("book", b"{}"),
        Err(VaultError::NotClosed)
    ));
}

#[test]
fn a_file_is_read_back_and_its_absence_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    assert!(vault.read(folder.path(), "book").unwrap().is_none());
    vault.write(folder.path(), "book", b"one").unwrap();
    vault.write(folder.path(), "book", b"two").unwrap();
    let found = vault.read(folder.path(), "book").unwrap().unwrap();
    assert_eq!(&found[..], b"two");
    std::fs::rename(folder.path().join("book"), folder.path().join("other")).unwrap();
    let moved = vault.read(folder.path(), "other");
    assert!(matches!(moved, Err(VaultError::Damaged)));
}

#[test]
fn bounds_hold_both_ways() {
    let vault = vault();
    let large = vec![0; MAX_BYTES + 1];
    let refused = vault.seal("book", &large);
    assert!(matches!(refused, Err(VaultError::TooLong { .. })));
    assert!(vault.seal("book", &large[1..]).is_ok());
    for name in ["", &"n".repeat(MAX_NAME_BYTES + 1)] {
        assert!(matches!(
            vault.seal(name, b""),
            Err(VaultError::Name { .. })
        ));
    }
}

#[test]
fn no_key_is_shown() {
    let shown = format!("{:?}", Vault::new(b"01234567890123456789012345678901"));
    assert!(!shown.contains("0123"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_open_as_what_they_were(bytes: Vec<u8>, name in "[a-z.]{1,64}") {
        let closed = vault().seal(&name, &bytes).unwrap();
        prop_assert_eq!(&vault().open(&name, &closed).unwrap()[..], &bytes[..]);
    }

    #[test]
    fn a_changed_bit_anywhere_is_found(bytes: Vec<u8>, place: prop::sample::Index, bit in 0..8_u8) {
        let mut closed = vault().seal("book", &bytes).unwrap();
        let at = place.index(closed.len());
        closed[at] ^= 1 << bit;
        prop_assert!(vault().open("book", &closed).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, magic: bool) {
        let bytes = match magic {
            true => [&MAGIC[..], &vault().key_id().0, &bytes].concat(),
            false => bytes,
        };
        prop_assert!(vault().open("book", &bytes).is_err());
    }
}
