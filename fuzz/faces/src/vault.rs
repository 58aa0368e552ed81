//! Sealed files.

use earnest_vault::{OpenError, Vault};

/// Opens `data` as a sealed file; what is opened can be sealed and opened again, and under its
/// own name alone. Then seals it as a content, which comes back.
pub fn vault(data: &[u8]) {
    let vault = Vault::new([7; 32].into()).with_earlier([8; 32].into());
    if let Ok(content) = vault.open("book", data) {
        back(&vault, &content);
        assert_eq!(vault.open("baselines", data), Err(OpenError::Altered));
    }
    back(&vault, data);
}

fn back(vault: &Vault, content: &[u8]) {
    // Fuzzers' inputs are shorter than the bound.
    let Ok(sealed) = vault.seal("book", content) else {
        return;
    };
    let opened = vault.open("book", &sealed);
    assert_eq!(opened.as_deref().map(Vec::as_slice), Ok(content));
}
